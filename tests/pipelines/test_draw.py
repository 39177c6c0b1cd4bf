"""Drawings: what is drawn where, what the legend says, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from maskwright.cli.main import main
from maskwright.errors import EmptyResultError, InputError, UnknownNameError
from maskwright.io.classes import Classes
from maskwright.io.keypoints import write_keypoints
from maskwright.io.masks import write_mask
from maskwright.pipelines.draw import draw
from maskwright.pipelines.drawing import Drawing, draw_panel, smooth_classes
from maskwright.pipelines.plates import Legend, plate
from maskwright.types import UNKNOWN, Image, Keypoints, Mask

CLASSES = Classes(("background", "b_leg", "body"), ("#000000", "#0000ff", "#00ff00"))
SIZE = (60, 120)
LEG = Keypoints(("l_hip", "l_knee"), np.array([10.0, 50.0]), np.array([90.0, 90.0]), np.array([1.0, 0.2]))


def _mask() -> Mask:
    class_ids = np.zeros(SIZE, np.uint8)
    class_ids[20:40, 10:40], class_ids[20:40, 40:70], class_ids[45:55, 10:40] = 1, 2, UNKNOWN
    confidence = np.where(class_ids == 1, 1, 0).astype(np.float32)
    return Mask(class_ids, CLASSES.names, confidence=confidence)


def _drawing(**changes: object) -> Drawing:
    image = Image(np.full((*SIZE, 3), 100, np.uint8))
    return Drawing(image, _mask(), CLASSES, **changes)  # type: ignore[arg-type]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "pics").mkdir()
    for name in ("one", "two"):
        PIL.Image.fromarray(np.full((*SIZE, 3), 100, np.uint8)).save(tmp_path / "pics" / f"{name}.png")
        write_mask(tmp_path / "masks" / f"{name}.png", _mask(), colors=CLASSES.colors)
    write_keypoints(tmp_path / "joints.json", {"one": [LEG], "two": [LEG]})
    return tmp_path


def test_regions_take_their_colours_and_the_rest_is_paler() -> None:
    pixels = np.asarray(draw_panel(_drawing(), "parts", 480)).astype(int)
    assert pixels.shape == (240, 480, 3)
    assert pixels[120, 100].argmax() == 2 and pixels[120, 100, 2] > 150  # blue leg
    assert pixels[120, 220].argmax() == 1 and pixels[120, 220, 1] > 150  # green body
    assert np.ptp(pixels[20, 20]) == 0 and pixels[20, 20, 0] > 100  # grey background, lightened
    unknown = pixels[185:215, 50:150, 0]
    assert np.ptp(unknown) > 80  # hatched


def test_borders_between_regions_are_white() -> None:
    pixels = np.asarray(draw_panel(_drawing(), "parts", 480)).astype(int)
    assert pixels[120, 155:165].min(axis=1).max() > 200


def test_joints_have_their_regions_colour_and_unsure_ones_a_white_heart() -> None:
    drawing = _drawing(animals=(LEG,), joint_colors={"l_hip": "#ff0000", "l_knee": "#ff0000"})
    pixels = np.asarray(draw_panel(drawing, "parts", 1200)).astype(int)
    assert pixels[105, 905].tolist() == [255, 0, 0]
    assert pixels[505, 905].tolist() == [255, 255, 255]
    assert pixels[300, 905].tolist() == [255, 0, 0]  # on the line between them
    without = np.asarray(draw_panel(_drawing(), "parts", 1200)).astype(int)
    assert np.ptp(without[300, 905]) == 0


def test_confidence_runs_from_dark_blue_to_yellow_on_a_grey_picture() -> None:
    pixels = np.asarray(draw_panel(_drawing(), "confidence", 480)).astype(int)
    sure, unsure, nothing = pixels[120, 100], pixels[120, 220], pixels[20, 20]
    assert sure[0] > sure[2] + 100 and unsure[2] > unsure[0] + 40
    assert np.ptp(nothing) == 0


def test_a_close_up_keeps_proportions_and_moves_everything_along() -> None:
    close = _drawing(animals=(LEG,), outlines=(_mask().class_ids > 0,)).close_up(0.0)
    high, wide = close.image.grid.shape
    assert abs(wide / high - 2) < 0.1 and wide < 120
    assert close.mask is not None and (close.mask.class_ids == 1).sum() == (_mask().class_ids == 1).sum()
    assert close.mask.class_ids.shape == close.outlines[0].shape == (high, wide)
    leg_left = np.flatnonzero((close.mask.class_ids == 1).any(axis=0))[0]
    leg_top = np.flatnonzero((close.mask.class_ids == 1).any(axis=1))[0]
    assert (close.animals[0].rows[1] - leg_top, close.animals[0].cols[1] - leg_left) == (50 - 20, 90 - 10)


def test_smooth_classes_invent_no_class_and_keep_areas() -> None:
    class_ids = _mask().class_ids
    smooth = smooth_classes(class_ids, (240, 480))
    assert set(np.unique(smooth)) == set(np.unique(class_ids))
    assert abs((smooth == 1).mean() - (class_ids == 1).mean()) < 0.003


def test_the_legend_says_what_is_shown_and_nothing_else() -> None:
    legend = Legend.of([_drawing(animals=(LEG,))], CLASSES, ("parts", "confidence"))
    assert legend.colors == (("b_leg", "#0000ff"), ("body", "#00ff00"))
    assert legend.unknown and legend.unsure and legend.confidence and legend.sides == ("left",)
    alone = Legend.of([_drawing()], CLASSES, ("confidence",))
    assert alone == Legend(confidence=True)


def test_two_views_of_one_animal_are_not_joined_and_joints_alone_are_explained(tmp_path: Path) -> None:
    from maskwright.io.samples import find_samples
    from maskwright.pipelines.draw import _drawing, _Style

    PIL.Image.fromarray(np.full((*SIZE, 3), 100, np.uint8)).save(tmp_path / "one.png")
    names = ("nose_top", "tailBase_top", "nose_bot", "tailBase_bot", "obs_top")
    mouse = Keypoints(names, np.array([5.0, 5, 50, 50, 9]), np.array([9.0, 90, 9, 90, 50]), np.ones(5))
    write_keypoints(tmp_path / "joints.json", {"one": [mouse]})
    (sample,), _ = find_samples(tmp_path / "one.png", hints=tmp_path / "joints.json")
    drawing = _drawing(sample, _Style(("parts",), None, 240, named_joints=False, close_up=False))
    assert [each.names for each in drawing.animals] == [("nose", "tail_base")] * 2
    assert [name for name, _ in Legend.of([drawing], drawing.classes, ("parts",)).colors] == ["body", "head"]


def test_a_plate_without_anything_to_explain_has_no_legend() -> None:
    panel = draw_panel(_drawing(), "picture", 120)
    assert plate([panel], Legend()).height < plate([panel], Legend(confidence=True)).height


def test_the_command_draws_every_picture_and_a_gallery(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["draw", str(data / "pics"), "--masks", str(data / "masks"), "--hints", str(data / "joints.json")]
    assert main([*words, "--panel", "parts", "--panel", "confidence", "--width", "240", "--names", "--gallery",
                 "--out", str(data / "out")]) == 0  # fmt: skip
    assert sorted(each.name for each in (data / "out").iterdir()) == ["gallery.png", "one.png", "two.png"]
    first = (data / "out" / "one.png").read_bytes()
    with PIL.Image.open(data / "out" / "one.png") as picture:
        assert picture.width > 480 and picture.height > 120
    assert main([*words, "--panel", "parts", "--panel", "confidence", "--width", "240", "--names", "--out",
                 str(data / "out")]) == 0  # fmt: skip
    assert (data / "out" / "one.png").read_bytes() == first


def test_a_pdf_has_one_page_and_the_same_bytes_again(data: Path) -> None:
    for name in ("a", "b"):
        draw(data / "pics" / "one.png", masks=data / "masks", out=data / name, width=120, format="pdf")
    assert (data / "a" / "one.pdf").read_bytes() == (data / "b" / "one.pdf").read_bytes()
    assert (data / "a" / "one.pdf").read_bytes().startswith(b"%PDF")


def test_a_mask_that_does_not_fit_fails_alone(data: Path) -> None:
    write_mask(data / "masks" / "two.png", Mask(np.zeros((4, 4), np.uint8), CLASSES.names))
    outcome = draw(data / "pics", masks=data / "masks", out=data / "out", width=120)
    assert outcome.done == 1 and [name for name, _ in outcome.failed] == ["two"]


def test_nothing_known_and_wrong_words_are_refused(data: Path) -> None:
    with pytest.raises(EmptyResultError, match="nothing is known of the 2 pictures"):
        draw(data / "pics", out=data / "out")
    with pytest.raises(UnknownNameError, match="confidence"):
        draw(data / "pics", masks=data / "masks", out=data / "out", panels=["confidense"])
    with pytest.raises(InputError, match="would replace"):
        draw(data / "pics", masks=data / "masks", out=data / "pics")


def test_doubted_joints_are_crossed_out_and_lines_go_past_them() -> None:
    places = np.array([[10.0, 10], [10, 60], [10, 110]])
    neck = Keypoints(("neck_base", "back_middle", "tail_base"), places[:, 0] + [0, 40, 0], places[:, 1], np.ones(3))
    plain, crossed = (
        np.asarray(draw_panel(_drawing(animals=(neck,), doubted=each), "parts", 480)).astype(int)
        for each in ({}, {(0, "back_middle"): "far"})
    )
    red = (crossed[..., 0] > 180) & (crossed[..., 1:] < 90).all(axis=-1)
    assert red[194:213, 232:253].sum() > 20 and red.sum() == red[190:216, 228:256].sum()
    assert (np.abs(plain - crossed)[40:46, 200:300] > 60).any(), "the line goes straight from neck to tail"
    assert Legend.of([_drawing(animals=(neck,), doubted={(0, "back_middle"): "far"})], CLASSES, ["parts"]).doubted


def test_draw_takes_doubts_from_the_story_or_finds_them(tmp_path: Path) -> None:
    from maskwright.io.images import read_image
    from maskwright.pipelines.commands import label
    from maskwright.toys import animals

    scene = animals.make(1, random_state=9, size=(120, 168))[0]
    animal, outline = scene.hints["keypoints"], scene.hints["outline"]
    assert isinstance(animal, Keypoints) and isinstance(outline, Mask)
    rows, cols = animal.rows.copy(), animal.cols.copy()
    nose, tail = animal.names.index("nose"), animal.names.index("tail_base")
    rows[nose], cols[nose] = rows[tail], cols[tail]
    write_keypoints(tmp_path / "joints.json", {"one": [Keypoints(animal.names, rows, cols, animal.scores)]})
    (tmp_path / "pics").mkdir()
    PIL.Image.fromarray(np.asarray(scene.image.pixels)).save(tmp_path / "pics" / "one.png")
    (tmp_path / "outlines").mkdir()
    PIL.Image.fromarray(outline.class_ids * 255).save(tmp_path / "outlines" / "one.png")
    hints = [tmp_path / "joints.json", tmp_path / "outlines"]
    assert label("keypoint_parts", tmp_path / "pics", hints=hints, out=tmp_path / "parts").done == 1
    for number, masks in enumerate((None, tmp_path / "parts")):
        outcome = draw(tmp_path / "pics", hints=hints[0], masks=masks, out=tmp_path / f"drawn{number}")
        assert (outcome.done, outcome.failed) == (1, ())
        pixels = np.asarray(read_image(tmp_path / f"drawn{number}" / "one.png").pixels).astype(int)
        assert ((pixels[..., 0] == 204) & (pixels[..., 1] == 17) & (pixels[..., 2] == 17)).sum() > 100


def test_a_wrong_profile_is_told_once_and_a_better_one_is_offered(data: Path) -> None:
    with pytest.raises(UnknownNameError, match="no profile is called 'mous'; did you mean 'mouse'"):
        draw(data / "pics", hints=data / "joints.json", out=data / "drawn", profile="mous")
    assert not (data / "drawn").exists()
    outcome = draw(data / "pics", hints=data / "joints.json", out=data / "drawn", profile="mouse")
    assert [each[1].endswith("set profile=quadruped5") for each in outcome.failed] == [True, True]
