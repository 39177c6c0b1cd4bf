"""Foreground: joints, boxes, points or given outlines become background and animal; several animals; honest errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from maskwright.arrays.encode import Region
from maskwright.arrays.windows import Window
from maskwright.contracts import check_labeler
from maskwright.errors import InputError, MissingPartError
from maskwright.methods.catalogue import make_method
from maskwright.methods.foreground import Foreground
from maskwright.pipelines.chains import make
from maskwright.pipelines.recipe import MethodCall
from maskwright.types import UNKNOWN, Grid, Image, Instances, Keypoints, Mask, Points
from tests.arrays.test_figure import JOINTS, beast, overlap

NAMES = ("background", "animal")


def keypoints(places: np.ndarray, *, shift: float = 0.0, score: float = 1.0, object_id: int | None = None) -> Keypoints:
    return Keypoints(JOINTS, places[:, 0], places[:, 1] + shift, np.full(len(places), score), object_id)


def boxes(grid: Grid, *given: tuple[int, int, int, int]) -> Instances:
    regions = tuple(Region(Window(*each), np.array([0, (each[2] - each[0]) * (each[3] - each[1])])) for each in given)
    return Instances(regions, np.ones(len(given), np.uint8), np.ones(len(given), np.float32), NAMES, grid)


def test_joints_become_an_animal_on_background() -> None:
    pixels, region, places = beast()
    mask = Foreground()(Image(pixels), [keypoints(places)], ())
    assert mask.class_names == NAMES
    assert overlap(mask.class_ids.astype(np.float32), region) > 0.93
    assert mask.history[0].name == "foreground"
    assert mask.confidence is not None
    assert mask.confidence[0, 149] > 0.99
    assert mask.confidence[25, 70] > 0.95
    assert (mask.confidence >= 0.5).all()


def test_classes_keep_their_ids_and_pixels_without_data_are_unknown() -> None:
    pixels, _, places = beast()
    valid = np.ones(pixels.shape[:2], bool)
    valid[:, :20] = False
    mask = Foreground()(Image(pixels, valid=valid), [keypoints(places)], ("", "animal", "background"))
    assert set(np.unique(mask.class_ids)) == {1, 2, UNKNOWN}
    assert (mask.class_ids[:, :20] == UNKNOWN).all()
    assert mask.class_ids[25, 70] == 1
    with pytest.raises(InputError, match="expected background and animal"):
        Foreground()(Image(pixels), [keypoints(places)], ("background",))


def test_two_animals_are_both_found() -> None:
    pixels, region, places = beast()
    pair = np.concatenate([pixels, pixels], axis=1)
    mask = Foreground()(Image(pair), [keypoints(places), keypoints(places, shift=150)], NAMES)
    assert overlap(mask.class_ids.astype(np.float32), np.concatenate([region, region], axis=1)) > 0.93


def test_a_given_outline_wins_over_joints() -> None:
    pixels, _, places = beast()
    drawn = np.zeros(pixels.shape[:2], np.uint8)
    drawn[10:50, 40:60] = 1
    mask = Foreground()(Image(pixels), [keypoints(places), Mask(drawn, NAMES)], NAMES)
    np.testing.assert_array_equal(mask.class_ids, drawn)
    assert mask.confidence is not None
    assert (mask.confidence == 1).all()


def test_a_box_alone_and_a_box_with_joints() -> None:
    pixels, region, places = beast()
    grid = Grid(*region.shape)
    alone = Foreground()(Image(pixels), [boxes(grid, (12, 40, 52, 116))], NAMES)
    assert overlap(alone.class_ids.astype(np.float32), region) > 0.9
    narrow = boxes(grid, (12, 40, 52, 90))
    both = Foreground()(Image(pixels), [keypoints(places, object_id=0), narrow], NAMES)
    assert not both.class_ids[:, 90:].any()
    assert overlap(both.class_ids.astype(np.float32), region & (np.arange(150) < 90)) > 0.9


def test_points_on_and_beside_the_animal() -> None:
    pixels, region, _ = beast()
    places = np.array(
        [(25, 50), (25, 90), (18, 108), (45, 45), (45, 93), (45, 70), (8, 70), (30, 30), (30, 125)], float
    )
    points = Points(places[:, 0], places[:, 1], np.array([1] * 5 + [0] * 4, np.uint8))
    mask = Foreground()(Image(pixels), [points], NAMES)
    assert overlap(mask.class_ids.astype(np.float32), region) > 0.9


def test_a_point_beside_takes_pixels_from_an_animal_with_joints() -> None:
    pixels, _, places = beast()
    beside = Points(np.array([14.0]), np.array([106.0]), np.array([0], np.uint8))
    headless = Keypoints(JOINTS[:-1], places[:-1, 0], places[:-1, 1], np.ones(len(places) - 1))
    assert Foreground()(Image(pixels), [headless], NAMES).class_ids[14, 106] == 1
    with_point = Foreground()(Image(pixels), [headless, beside], NAMES)
    assert with_point.class_ids[14, 106] == 0


def test_hidden_joints_and_no_hints_are_told() -> None:
    pixels, _, places = beast()
    for hints in ([], [keypoints(places, score=0.01)], [keypoints(np.full((7, 2), np.nan))]):
        with pytest.raises(InputError, match="no joint with a score"):
            Foreground()(Image(pixels), hints, NAMES)
    with pytest.raises(InputError, match="threshold"):
        make_method("foreground", {"threshold": 1.5})


def test_it_keeps_the_promises_of_a_labeler() -> None:
    def one_animal(image: Image) -> list[Keypoints]:
        rows, cols = np.array([0.0, image.grid.height - 1.0]), np.array([0.0, image.grid.width - 1.0])
        return [Keypoints(("neck", "hip"), rows, cols, np.ones(2))]

    check_labeler(Foreground(), hints=one_animal, class_names=NAMES)
    check_labeler(Foreground(), class_names=("sand", "coral"))


def test_a_sam_is_told_box_joints_and_points(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from maskwright.models import sam as sams
    from tests.models.tiny_sam import save_tiny

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        folder = save_tiny("sam", tmp_path / "sam")
        pixels, _, places = beast()
        box = boxes(Grid(*pixels.shape[:2]), (8, 36, 56, 120))
        mask = Foreground(model=str(folder))(Image(pixels), [keypoints(places, object_id=0), box], NAMES)
        sam = sams.load_sam(str(folder))
        logits = sam.best_masks(
            sam.embed(pixels), points=places[None], labels=np.ones((1, 7), int), boxes=np.array([[8, 36, 56, 120]])
        ).logits[0]
        assert (mask.class_ids == (logits > 0)).mean() > 0.999
        assert mask.history[0].weights == sam.sha256
        with pytest.raises(MissingPartError):
            Foreground(model=str(folder), device="cuda:9")(Image(pixels), [keypoints(places)], NAMES)
    finally:
        torch.set_num_threads(before)


def test_joints_that_are_not_in_the_picture_are_no_empty_success() -> None:
    pixels, _, places = beast()
    with pytest.raises(InputError, match="lie outside the picture of 60 x 150 pixels"):
        Foreground()(Image(pixels), [keypoints(places * 100)], NAMES)
    with pytest.raises(InputError, match=r"no pixel is animal with a probability above 0\.5; expected some"):
        Foreground()(Image(pixels), [Keypoints(JOINTS[:1], np.array([900.0]), np.array([900.0]), np.ones(1))], NAMES)


@pytest.mark.parametrize("model", ["u2net.onnx", "no_such_sam"])
def test_a_network_that_is_not_there_is_told_before_any_picture(model: str) -> None:
    with pytest.raises(InputError, match=r"known|not there"):
        make(MethodCall("foreground", {"model": model}))
