from __future__ import annotations

import errno
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from maskwright.errors import FormatError, GridError, InputError, OutputError, UnknownNameError
from maskwright.io.classes import Classes
from maskwright.io.masks import MaskFolder, confidence_path, read_mask, write_mask
from maskwright.io.stories import plain, read_story, story_path, vivid
from maskwright.types import UNKNOWN, Grid, Mask, Step

SHAPE = (20, 60)
CLASSES = Classes(("", "coral", "sand", "", "rock"), ("", "#ff7f50", "#e0d090", "", "#101010"))
UTM = Grid(*SHAPE, (0.5, 0.0, 100.0, 0.0, -0.5, 200.0), "EPSG:32740")
STEPS = (
    Step("nearest_point", {"reach_px": float("inf"), "size": (3, 4)}, None, {"points": "ab12"}),
    Step("smooth", {"rounds": 2, "note": "é"}, "ff00"),
)


def ids(random_state: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(random_state).choice(np.array([1, 2, 4, UNKNOWN], np.uint8), SHAPE)


def mask(grid: Grid | None = None, *, confidence: bool = True) -> Mask:
    values = np.linspace(0, 1, 1200, dtype=np.float32).reshape(SHAPE) if confidence else None
    return Mask(ids(), CLASSES.names, grid, values, STEPS)  # type: ignore[arg-type]


def save(path: Path, array: NDArray[np.generic], mode: str | None = None) -> Path:
    PIL.Image.fromarray(array, mode).save(path)
    return path


@pytest.mark.parametrize("name", ["reef.png", "reef.v2.final.png", "récif 12 nord.png", "reef.tif"])
@pytest.mark.parametrize("grid", [None, UTM])
def test_a_written_mask_is_read_back(tmp_path: Path, name: str, grid: Grid | None) -> None:
    written = mask(grid)
    write_mask(tmp_path / "out" / name, written, colors=CLASSES.colors, image={"path": "a.png", "sha256": "00"})
    read = read_mask(tmp_path / "out" / name)
    assert np.array_equal(read.class_ids, written.class_ids)
    assert read.class_names == written.class_names
    assert read.history == STEPS
    assert read.grid == written.grid
    assert read.confidence is not None
    assert written.confidence is not None
    assert np.abs(read.confidence - written.confidence).max() <= 0.5 / 255 + 1e-6
    assert MaskFolder(tmp_path / "out").names() == [Path(name).stem]


def test_the_png_is_indexed_with_the_class_colours(tmp_path: Path) -> None:
    write_mask(tmp_path / "a.png", mask(), colors=CLASSES.colors)
    picture = PIL.Image.open(tmp_path / "a.png")
    assert picture.mode == "P"
    assert np.array_equal(np.asarray(picture), ids())
    palette = np.array(picture.getpalette()).reshape(-1, 3)
    assert palette[1].tolist() == [255, 127, 80]
    assert palette[255].tolist() == [255, 255, 255]


def test_the_story_has_every_promised_key_and_strict_json(tmp_path: Path) -> None:
    write_mask(tmp_path / "a.png", mask(), colors=CLASSES.colors, versions={"maskwright": "0.1.0"})

    def refuse(word: str) -> None:
        raise AssertionError(word)

    story = json.loads((tmp_path / "a.json").read_text("utf-8"), parse_constant=refuse)
    assert list(story) == sorted(story)
    assert story["image"] is None
    assert story["classes"][0] == {"id": 1, "name": "coral", "color": "#ff7f50"}
    assert set(story["steps"][0]) == {"name", "settings", "weights", "inputs", "versions", "seconds"}
    assert story["steps"][0]["settings"]["reach_px"] == "inf"
    assert story["steps"][0]["versions"] == {"maskwright": "0.1.0"}


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_the_same_mask_gives_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    for folder in ("a", "b"):
        write_mask(tmp_path / folder / f"m{suffix}", mask(UTM), image={"sha256": "00", "path": "x.png"})
    for file in sorted((tmp_path / "a").iterdir()):
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()
    assert len(list((tmp_path / "a").iterdir())) == 3


def test_later_versions_do_not_rewrite_what_earlier_steps_ran_with(tmp_path: Path) -> None:
    first = Mask(ids(), CLASSES.names, history=STEPS[:1])
    write_mask(tmp_path / "a.png", first, image={"path": "p", "sha256": "1"}, versions={"maskwright": "0.1.0"})
    before = read_story(tmp_path / "a.json")
    write_mask(tmp_path / "b.png", first.after(STEPS[1], ids(1)), versions={"maskwright": "0.2.0"}, before=before)
    after = read_story(tmp_path / "b.json")
    assert [each["maskwright"] for each in after.versions] == ["0.1.0", "0.2.0"]
    assert after.image == {"path": "p", "sha256": "1"}


def test_unknown_keys_of_a_story_are_kept(tmp_path: Path) -> None:
    write_mask(tmp_path / "a.png", mask())
    value = json.loads((tmp_path / "a.json").read_text("utf-8")) | {"reviewed_by": "Ana"}
    (tmp_path / "a.json").write_text(json.dumps(value), "utf-8")
    story = read_story(tmp_path / "a.json")
    assert story.extra == {"reviewed_by": "Ana"}
    write_mask(tmp_path / "a.png", read_mask(tmp_path / "a.png"), before=story)
    assert read_story(tmp_path / "a.json").extra == {"reviewed_by": "Ana"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"classes": 1, "steps": []}',
        '{"classes": [{"id": "x"}], "steps": []}',
        '{"classes": [], "steps": [{}]}',
    ],
)
def test_broken_stories_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(FormatError, match=r"a\.json"):
        read_story(tmp_path / "a.json")


@settings(max_examples=40, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=2),
        lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
        max_leaves=8,
    )
)
def test_settings_survive_the_story(value: object) -> None:
    assert vivid(json.loads(json.dumps(plain(value), allow_nan=False))) == value


@pytest.mark.parametrize(
    ("names", "found", "strange"),
    [
        (("background", "coral"), [0, 1, 255], None),
        (("background", "coral"), [0, 1, 2, 255], 2),
        (("background", "coral"), [254], 254),
        (("", "coral"), [1, 255], None),
        (("", "coral"), [0], 0),
        (("background", "", "coral"), [0, 2, 255], None),
        (("background", "", "coral"), [0, 1], 1),
    ],
)
def test_only_ids_of_classes_and_unknown_are_written(
    tmp_path: Path, names: tuple[str, ...], found: list[int], strange: int | None
) -> None:
    given = Mask(np.resize(np.array(found, np.uint8), SHAPE), names)
    if strange is None:
        write_mask(tmp_path / "a.png", given)
    else:
        with pytest.raises(InputError, match=rf"has the ids {strange} \("):
            write_mask(tmp_path / "a.png", given)


def test_a_mask_without_confidence_takes_an_old_one_away(tmp_path: Path) -> None:
    write_mask(tmp_path / "a.png", mask())
    assert confidence_path(tmp_path / "a.png").is_file()
    write_mask(tmp_path / "a.png", mask(confidence=False))
    assert read_mask(tmp_path / "a.png").confidence is None


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_grey_masks_are_ids(tmp_path: Path, suffix: str) -> None:
    read = read_mask(save(tmp_path / f"a{suffix}", ids()), CLASSES)
    assert np.array_equal(read.class_ids, ids())
    assert read.class_names == CLASSES.names


def test_sixteen_bit_masks_are_ids_up_to_255(tmp_path: Path) -> None:
    for suffix in (".png", ".tif"):
        read = read_mask(save(tmp_path / f"a{suffix}", ids().astype(np.uint16)), CLASSES)
        assert np.array_equal(read.class_ids, ids())
        wide = ids().astype(np.uint16)
        wide[3, 50] = 300
        with pytest.raises(InputError, match="has 300 at row 3, column 50; expected class ids"):
            read_mask(save(tmp_path / f"b{suffix}", wide), CLASSES)


def test_narrow_greys_are_ids(tmp_path: Path) -> None:
    import cv2

    bits = (np.indices(SHAPE).sum(axis=0) % 2).astype(np.uint8)
    assert cv2.imwrite(str(tmp_path / "a.png"), bits, [cv2.IMWRITE_PNG_BILEVEL, 1])
    header = (tmp_path / "a.png").read_bytes()[24]
    assert header == 1
    assert np.unique(read_mask(tmp_path / "a.png").class_ids).tolist() == [0, 1]


def test_four_bit_greys_are_ids(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 4, 1, 4, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0\x01\x2f")) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + parts)
    assert read_mask(tmp_path / "a.png").class_ids.tolist() == [[0, 1, 2, 15]]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_colour_masks_need_exactly_the_class_colours(tmp_path: Path, suffix: str) -> None:
    values = np.where(ids() == UNKNOWN, 1, ids())
    colours = CLASSES.palette()[values]
    path = save(tmp_path / f"a{suffix}", colours)
    assert np.array_equal(read_mask(path, CLASSES).class_ids, values)
    with pytest.raises(InputError, match=r"give classes\.yaml"):
        read_mask(path)
    colours[0, 40] = 255, 127, 81
    with pytest.raises(InputError, match=r"#ff7f51 \(1 pixels\), which no class has"):
        read_mask(save(tmp_path / f"b{suffix}", colours), CLASSES)
    same = Classes(("a", "b"), ("#010101", "#010101"))
    with pytest.raises(InputError, match="expected one colour each"):
        read_mask(path, same)


def test_transparent_pixels_of_colour_masks_are_unknown(tmp_path: Path) -> None:
    colours = np.dstack([CLASSES.palette()[np.ones(SHAPE, np.uint8)], np.full(SHAPE, 255, np.uint8)])
    colours[0, :10, 3] = 0
    read = read_mask(save(tmp_path / "a.png", colours), CLASSES)
    assert (read.class_ids[0, :10] == UNKNOWN).all()
    assert (read.class_ids[1:] == 1).all()


def test_ids_no_class_has_are_refused(tmp_path: Path) -> None:
    strange = ids()
    strange[2, 3:5] = 7
    with pytest.raises(
        InputError, match=r"a.png: has the ids 7 \(2 pixels\); expected those of the classes \(1 coral, 2"
    ):
        read_mask(save(tmp_path / "a.png", strange), CLASSES)
    with pytest.raises(InputError, match="has the ids 7"):
        write_mask(tmp_path / "b.png", Mask(strange, CLASSES.names))
    assert not (tmp_path / "b.png").exists()


def test_without_classes_and_story_ids_are_names(tmp_path: Path) -> None:
    assert read_mask(save(tmp_path / "a.png", ids())).class_names == ("", "1", "2", "", "4")


def test_a_mask_of_another_size_or_place_is_a_grid_error(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", ids())
    assert read_mask(path, CLASSES, grid=UTM).grid == UTM
    with pytest.raises(GridError, match="is 20 x 60 pixels but its picture is 60 x 20"):
        read_mask(path, CLASSES, grid=Grid(60, 20))
    write_mask(tmp_path / "b.tif", mask(UTM))
    moved = Grid(*SHAPE, (0.5, 0.0, 100.5, 0.0, -0.5, 200.0), "EPSG:32740")
    with pytest.raises(GridError, match=r"lies 0\.5 units beside its picture"):
        read_mask(tmp_path / "b.tif", grid=moved)


def test_a_confidence_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", ids())
    save(tmp_path / "a.confidence.png", ids()[:5])
    with pytest.raises(GridError, match=r"a.confidence.png: is 5 x 60"):
        read_mask(path, CLASSES)
    save(tmp_path / "a.confidence.png", CLASSES.palette()[ids()])
    with pytest.raises(FormatError, match="3 bands; expected 8-bit grey"):
        read_mask(path, CLASSES)


def test_odd_mask_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="JPEG, which does not keep class ids"):
        read_mask(save(tmp_path / "a.jpg", ids()), CLASSES)
    (tmp_path / "b.png").write_bytes(save(tmp_path / "c.png", ids()).read_bytes()[:100])
    with pytest.raises(FormatError, match="broken PNG"):
        read_mask(tmp_path / "b.png", CLASSES)
    with pytest.raises(InputError, match=r"written as \.png or \.tif"):
        write_mask(tmp_path / "a.jpg", mask())


def test_zero_and_255_without_story_are_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    array = np.where(ids() == 1, 255, 0).astype(np.uint8)
    read_mask(save(tmp_path / "a.png", array))
    assert "unknown in a mask of classes" in caplog.text


def test_a_folder_names_masks_in_natural_order_and_nothing_else(tmp_path: Path) -> None:
    for name in (
        "reef10.png",
        "reef2.png",
        "reef2.confidence.png",
        ".hidden.png",
        "b.tif",
        ".maskwright-part-x-1-0.png",
    ):
        save(tmp_path / name, ids())
    (tmp_path / "classes.yaml").write_text("")
    folder = MaskFolder(tmp_path)
    assert folder.names() == ["b", "reef2", "reef10"]
    assert np.array_equal(folder.read("reef10", CLASSES).class_ids, ids())
    with pytest.raises(UnknownNameError, match=r"no mask is called 'reef3'; did you mean"):
        folder.read("reef3")
    assert MaskFolder(tmp_path / "none").names() == []


def test_a_folder_knows_where_a_mask_belongs(tmp_path: Path) -> None:
    folder = MaskFolder(tmp_path)
    assert folder.path_of("reef.v2") == tmp_path / "reef.v2.png"
    assert folder.path_of("map", UTM) == tmp_path / "map.tif"
    with pytest.raises(InputError, match=r"does not end in \.confidence"):
        folder.path_of("a.confidence")
    save(tmp_path / "a.png", ids())
    save(tmp_path / "a.tif", ids())
    with pytest.raises(InputError, match=r"holds a.png and a.tif"):
        folder.names()


def test_a_full_disk_leaves_the_old_mask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mask(tmp_path / "a.png", mask())
    old = (tmp_path / "a.png").read_bytes()

    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="the disk is full"):
        write_mask(tmp_path / "a.png", Mask(ids(5), CLASSES.names))
    assert (tmp_path / "a.png").read_bytes() == old
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(".")]


def test_real_masks_are_read(shared_data: Path) -> None:
    reef = read_mask(shared_data / "reef" / "annotation_mask_saintleu.tif")
    assert reef.grid.crs == "EPSG:32740"
    assert set(np.unique(reef.class_ids).tolist()) <= {1, 2, 3, 4, 5, UNKNOWN}
    assert reef.class_ids.shape == (1295, 765)
    assert story_path("x/a.tif") == Path("x/a.json")
    butterfly = next((shared_data / "butterfly_masks" / "cyrbia").glob("*.png"))
    assert read_mask(butterfly).class_ids.shape == (1024, 1024)
