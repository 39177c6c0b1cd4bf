"""Joints to parts through the command: every kind of joints and outline file, and everything that may be wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from maskwright.cli.main import main
from maskwright.errors import InputError, UnknownNameError
from maskwright.io.masks import read_mask
from maskwright.pipelines.commands import label
from maskwright.pipelines.explain import replay

NAMES = ["nose", "neck_base", "tail_base", "front_left_paw", "back_left_paw"]
PLACES = [(50, 10), (42, 8), (12, 8), (40, 27), (14, 27)]


def _animal() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A table with two legs and a head, 30 x 60: it is 255 where the animal is."""
    pixels = np.zeros((30, 60), np.uint8)
    pixels[5:16, 10:46] = pixels[14:29, 12:17] = pixels[14:29, 38:43] = pixels[6:14, 44:54] = 255
    return pixels


def _picture(path: Path, mode: str = "RGB", **save: Any) -> None:
    pixels = 40 + _animal() // 2
    if mode == "I;16":
        Pillow.fromarray(pixels.astype(np.uint16) * 200).save(path, **save)
    else:
        Pillow.fromarray(pixels).convert(mode).save(path, **save)


def _polygons() -> list[list[float]]:
    boxes = [(10, 5, 46, 16), (12, 14, 17, 29), (38, 14, 43, 29), (44, 6, 54, 14)]
    return [[a, b, c, b, c, d, a, d] for a, b, c, d in boxes]


def _coco(path: Path, files: list[str], **change: Any) -> Path:
    values = [each for x, y in PLACES for each in (x, y, 2)]
    entry = {"category_id": 1, "keypoints": values, "segmentation": _polygons(), "iscrowd": 0, **change}
    content = {
        "images": [{"id": k, "file_name": each, "height": 30, "width": 60} for k, each in enumerate(files)],
        "annotations": [{"id": k, "image_id": k, **entry} for k in range(len(files))],
        "categories": [{"id": 1, "name": "horse", "keypoints": NAMES}],
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def _table(path: Path, files: list[str]) -> Path:
    lines = ["scorer," + ",".join(["me"] * 10), "bodyparts," + ",".join(n for n in NAMES for _ in "xy")]
    lines.append("coords," + ",".join(["x", "y"] * 5))
    lines += [f"labeled-data/{each}," + ",".join(f"{x},{y}" for x, y in PLACES) for each in files]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pics"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        _picture(folder / name)
    return folder


def test_photographs_with_outlines_are_not_unpacked_but_broken_ones_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from maskwright.io import images
    from maskwright.pipelines import making

    folder = tmp_path / "pics"
    folder.mkdir()
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        _picture(folder / name)
    hints = _coco(tmp_path / "joints.json", ["a.jpg", "b.jpg", "c.jpg"])
    whole = (folder / "b.jpg").read_bytes()
    (folder / "b.jpg").write_bytes(whole[: len(whole) * 3 // 4])
    before = label("keypoint_parts", folder / "a.jpg", hints=hints, out=tmp_path / "before")
    for home in (images, making):
        monkeypatch.setattr(home, "read_image", lambda path: pytest.fail(f"{path} was unpacked"))
    outcome = label("keypoint_parts", folder, hints=hints, out=tmp_path / "parts")
    assert before.done == 1 and outcome.done == 2
    ((name, reason),) = outcome.failed
    assert name == "b" and "broken JPEG" in reason and not (tmp_path / "parts" / "b.png").exists()
    for name in ("a.png", "a.json", "a.confidence.png"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "before" / name).read_bytes()


def test_coco_joints_and_polygons_become_parts(pictures: Path, tmp_path: Path) -> None:
    hints = _coco(tmp_path / "joints.json", ["a.png", "b.png"])
    outcome = label("keypoint_parts", pictures, hints=hints, out=tmp_path / "parts")
    assert (outcome.done, outcome.failed) == (2, ())
    mask = read_mask(tmp_path / "parts" / "a.png")
    assert mask.class_names == ("background", "b_leg", "body", "f_leg", "face", "tail")
    assert [mask.class_names[mask.class_ids[row, col]] for row, col in ((26, 14), (10, 30), (26, 40), (9, 52))] == [
        "b_leg", "body", "f_leg", "face",
    ]  # fmt: skip
    assert (mask.class_ids[20, 20:36] == 0).all()
    again = label("keypoint_parts", pictures, hints=hints, out=tmp_path / "parts")
    assert (again.done, again.skipped) == (0, 2)
    assert replay(tmp_path / "parts" / "a.png", tmp_path / "again").identical


def test_joints_from_a_table_and_outlines_from_a_folder(pictures: Path, tmp_path: Path) -> None:
    expected = tmp_path / "from_coco"
    label("keypoint_parts", pictures, hints=_coco(tmp_path / "joints.json", ["a.png", "b.png"]), out=expected)
    outlines = tmp_path / "outlines"
    outlines.mkdir()
    for name in ("a.png", "b.png"):
        Pillow.fromarray(_animal()).save(outlines / name)
    table = _table(tmp_path / "joints.csv", ["a.png", "b.png"])
    out = tmp_path / "parts"
    code = main(["label", "keypoint_parts", str(pictures), "--hints", str(table), "--hints", str(outlines), "--out",
                 str(out), "--quiet"])  # fmt: skip
    assert code == 0
    for name in ("a.png", "b.png"):
        np.testing.assert_array_equal(read_mask(out / name).class_ids, read_mask(expected / name).class_ids)
    assert replay(out / "a.png", tmp_path / "again").identical


def test_without_an_outline_the_figure_is_found(pictures: Path, tmp_path: Path) -> None:
    table = _table(tmp_path / "joints.csv", ["a.png", "b.png"])
    outcome = label("keypoint_parts", pictures, hints=table, out=tmp_path / "parts")
    assert (outcome.done, outcome.failed) == (2, ())
    found = read_mask(tmp_path / "parts" / "a.png").class_ids > 0
    truth = _animal() > 0
    assert (found & truth).sum() / (found | truth).sum() > 0.7
    strict = label("keypoint_parts", pictures, hints=table, out=tmp_path / "no", settings={"foreground": "given"})
    assert strict.done == 0
    assert all("no outline for an animal" in reason for _, reason in strict.failed)


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("a.b c.d.png", "RGB"), ("UPPER.PNG", "RGB"), ("deep.png", "I;16"), ("grey.png", "L"), ("clear.png", "RGBA"),
        ("photo.JPG", "RGB"),
    ],
)  # fmt: skip
def test_pictures_of_every_kind(tmp_path: Path, name: str, mode: str) -> None:
    (tmp_path / "pics").mkdir()
    _picture(tmp_path / "pics" / name, mode)
    outcome = label(
        "keypoint_parts", tmp_path / "pics", hints=_coco(tmp_path / "j.json", [name]), out=tmp_path / "parts"
    )
    assert (outcome.done, outcome.failed) == (1, ())
    assert (tmp_path / "parts" / f"{name[:-4]}.png").is_file()


def test_a_turned_photograph_is_upright(tmp_path: Path) -> None:
    (tmp_path / "pics").mkdir()
    exif = Pillow.Exif()
    exif[0x0112] = 6
    pixels = np.ascontiguousarray(np.rot90(_animal()))
    Pillow.fromarray(pixels).save(tmp_path / "pics" / "turned.jpg", exif=exif)
    hints = _coco(tmp_path / "j.json", ["turned.jpg"])
    assert label("keypoint_parts", tmp_path / "pics", hints=hints, out=tmp_path / "parts").done == 1
    assert read_mask(tmp_path / "parts" / "turned.png").class_ids.shape == (30, 60)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"keypoints": [0, 0, 0] * 5}, "no joints for this picture"),
        ({"segmentation": [[200, 200, 210, 200, 210, 210]]}, "the outline of an animal has no pixel"),
        ({"keypoints": [900, 900, 2] * 5}, "5 of an animal's 5 joints lie outside the picture of 30 x 60 pixels"),
    ],
)
def test_one_bad_picture_fails_and_the_others_are_done(
    pictures: Path, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    hints = _coco(tmp_path / "j.json", ["a.png", "b.png"])
    content = json.loads(hints.read_text())
    content["annotations"][1] |= change
    hints.write_text(json.dumps(content))
    outcome = label("keypoint_parts", pictures, hints=hints, out=tmp_path / "parts")
    assert outcome.done == 1
    ((name, reason),) = outcome.failed
    assert name == "b"
    assert said in reason


@pytest.mark.parametrize(
    ("places", "settings", "said"),
    [
        ([(y, x) for x, y in PLACES], {}, "lie outside the picture of 30 x 60 pixels; expected them inside; x and y"),
        ([(30, 10)] * 5, {}, "all 5 joints of an animal lie at row 10, column 30"),
        ([(x - 8, y) for x, y in [(50, 27), (38, 27), (8, 3), (38, 20), (38, 24)]], {"snap_fraction": 0.05},
         "of an animal's 5 joints lie outside its outline; expected a third inside"),
        (PLACES, {"band_px": 500}, "no pixel of the animals has a part, by 5 joints; expected some"),
        (PLACES, {"profile": "mouse"}, "expected its joints; quadruped5 knows all that are named here"),
    ],
)  # fmt: skip
def test_joints_that_cannot_be_of_this_animal(
    pictures: Path, tmp_path: Path, places: list[tuple[int, int]], settings: dict[str, Any], said: str
) -> None:
    hints = _coco(tmp_path / "j.json", ["a.png", "b.png"], keypoints=[each for x, y in places for each in (x, y, 2)])
    outcome = label("keypoint_parts", pictures, hints=hints, out=tmp_path / "parts", settings=settings)
    assert outcome.done == 0 and not (tmp_path / "parts" / "a.png").exists()
    assert all(said in reason for _, reason in outcome.failed), outcome.failed


@pytest.mark.parametrize("setting", ["visible=nan", "snap_fraction=inf", "band_px=inf", "doubted=maybe"])
def test_settings_that_are_no_number_are_refused(pictures: Path, tmp_path: Path, setting: str) -> None:
    hints = _coco(tmp_path / "j.json", ["a.png", "b.png"])
    code = main(["label", "keypoint_parts", str(pictures), "--hints", str(hints), "--out", str(tmp_path / "parts"),
                 "--quiet", "--set", setting])  # fmt: skip
    assert code == 2 and not (tmp_path / "parts").exists()


def test_a_keypoint_without_a_place_is_not_seen_and_one_that_is_no_number_is_told(
    pictures: Path, tmp_path: Path
) -> None:
    values: list[Any] = [each for x, y in PLACES for each in (x, y, 2)]
    hints = _coco(tmp_path / "j.json", ["a.png"], keypoints=[*values[:-3], float("nan"), None, 2])
    (pictures / "b.png").unlink()
    assert label("keypoint_parts", pictures, hints=hints, out=tmp_path / "parts").failed == ()
    told = json.loads((tmp_path / "parts" / "a.json").read_text())["steps"][0]["inputs"]["joints"]
    assert told[0]["used"] == 4
    for wrong, said in ((float("inf"), "keypoint 2 is inf, 8, 2; expected the numbers"), ("here", "no numbers")):
        hints = _coco(tmp_path / "j.json", ["a.png"], keypoints=[*values[:3], wrong, 8, 2, *values[6:]])
        with pytest.raises(InputError, match=said):
            label("keypoint_parts", pictures, hints=hints, out=tmp_path / "no")


def test_a_thin_box_a_broken_picture_and_one_without_joints(pictures: Path, tmp_path: Path) -> None:
    (pictures / "broken.png").write_bytes(b"not a picture")
    _picture(pictures / "extra.png")
    hints = _coco(tmp_path / "j.json", ["a.png", "b.png", "broken.png"])
    content = json.loads(hints.read_text())
    content["annotations"][1] |= {"segmentation": [], "bbox": [30, 0, 1, 30]}
    hints.write_text(json.dumps(content))
    code = main(["label", "keypoint_parts", str(pictures), "--hints", str(hints), "--out", str(tmp_path / "parts"),
                 "--quiet"])  # fmt: skip
    assert code == 1
    assert (tmp_path / "parts" / "a.png").is_file()
    assert not (tmp_path / "parts" / "broken.png").exists()
    assert not (tmp_path / "parts" / "extra.png").exists()


def test_joints_for_a_picture_that_is_not_there(pictures: Path, tmp_path: Path) -> None:
    hints = _coco(tmp_path / "j.json", ["a.png", "c.png"])
    with pytest.raises(UnknownNameError, match="no picture is called 'c'"):
        label("keypoint_parts", pictures, hints=hints, out=tmp_path / "parts")


def test_two_entries_that_claim_one_picture(pictures: Path, tmp_path: Path) -> None:
    hints = _coco(tmp_path / "j.json", ["a.png", "a.jpg"])
    with pytest.raises(InputError, match="'a'"):
        label("keypoint_parts", pictures, hints=hints, out=tmp_path / "parts")
    (pictures / "sub").mkdir()
    _picture(pictures / "sub" / "a.png")
    with pytest.raises(InputError, match="both called 'a'"):
        label("keypoint_parts", pictures, hints=_coco(hints, ["a.png"]), out=tmp_path / "parts")


def test_a_profile_with_an_unknown_joint_is_refused_before_anything_is_written(pictures: Path, tmp_path: Path) -> None:
    profile = tmp_path / "mine.yaml"
    profile.write_text("extends: quadruped5\nignore: [left_horn]\n", encoding="utf-8")
    hints = _coco(tmp_path / "j.json", ["a.png", "b.png"])
    with pytest.raises(InputError, match=r"mine\.yaml:2: no joint is called 'left_horn'"):
        label("keypoint_parts", pictures, hints=hints, out=tmp_path / "parts", settings={"profile": str(profile)})
    assert not (tmp_path / "parts").exists()


def test_a_changed_profile_makes_the_parts_anew(pictures: Path, tmp_path: Path) -> None:
    profile = tmp_path / "mine.yaml"
    hints = _coco(tmp_path / "j.json", ["a.png", "b.png"])

    def parts(text: str) -> tuple[int, int]:
        profile.write_text(f"extends: quadruped5\nname: mine\n{text}", encoding="utf-8")
        outcome = label("keypoint_parts", pictures, hints=hints, out=tmp_path / "p", settings={"profile": str(profile)})
        return outcome.done, outcome.skipped

    assert [parts(""), parts(""), parts("extent: {body: 0.9}\n")] == [(2, 0), (0, 2), (2, 0)]


def test_a_table_of_classes_decides_about_ids(pictures: Path, tmp_path: Path) -> None:
    classes = tmp_path / "classes.yaml"
    rows = [(0, "background"), (3, "body"), (4, "b_leg"), (5, "f_leg"), (6, "face"), (7, "tail")]
    classes.write_text("classes:\n" + "".join(f"- {{id: {i}, name: {name}}}\n" for i, name in rows), encoding="utf-8")
    hints = _coco(tmp_path / "j.json", ["a.png", "b.png"])
    assert label("keypoint_parts", pictures, hints=hints, classes=classes, out=tmp_path / "parts").done == 2
    assert read_mask(tmp_path / "parts" / "a.png").class_ids[10, 30] == 3


def test_mice_in_two_views_with_joints_not_seen(shared_data: Path, tmp_path: Path) -> None:
    folder, lines = tmp_path / "pics", (shared_data / "mouse" / "CollectedData.csv").read_text().splitlines()
    folder.mkdir()
    for name in ("img01.png", "img05.png"):
        (folder / name).write_bytes((shared_data / "mouse" / "labeled-data" / name).read_bytes())
    table = tmp_path / "joints.csv"
    kept = [each for each in lines[3:] if each.split(",")[0][-9:] in ("img01.png", "img05.png")]
    table.write_text("\n".join([*lines[:3], *kept]) + "\n")
    outcome = label("keypoint_parts", folder, hints=table, out=tmp_path / "parts", settings={"profile": "mouse"})
    assert (outcome.done, outcome.failed) == (2, ())
    mask = read_mask(tmp_path / "parts" / "img05.png")
    assert mask.class_names[mask.class_ids[300, 250]] == "body"
    story = json.loads((tmp_path / "parts" / "img05.json").read_text())
    assert len(story["steps"][0]["inputs"]["joints"]) == 2
