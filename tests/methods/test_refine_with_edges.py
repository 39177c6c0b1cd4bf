"""Refining with edges: borders found, guards kept, everything beyond the picture left alone."""

from __future__ import annotations

import numpy as np
import pytest

from maskwright.contracts import check_refiner
from maskwright.errors import GridError, InputError, UnknownNameError
from maskwright.methods import refine_with_edges
from maskwright.methods.refine_with_edges import RefineWithEdges
from maskwright.toys import shapes
from maskwright.types import UNKNOWN, Image, Mask

NAMES = ("sand", "coral", "rock")


def scene(height: int = 60, width: int = 110) -> tuple[Image, np.ndarray]:
    """Noisy sand, a bright disc of coral and a dark block of rock at the right edge."""
    random = np.random.default_rng(0)
    rows, cols = np.indices((height, width))
    truth = np.zeros((height, width), np.uint8)
    truth[(rows - 30) ** 2 + (cols - 35) ** 2 < 18**2] = 1
    truth[15:50, 80:] = 2
    level = np.array([100, 190, 40])[truth]
    return Image((level[..., None] + random.normal(0, 15, (height, width, 3))).clip(0, 255).astype(np.uint8)), truth


def coarse(truth: np.ndarray, block: int = 8) -> np.ndarray:
    """Every block takes the class of its middle pixel."""
    rows, cols = np.indices(truth.shape)
    middle = block // 2
    near = [
        np.minimum(each // block * block + middle, size - 1)
        for each, size in zip((rows, cols), truth.shape, strict=True)
    ]
    return truth[near[0], near[1]]


def wrong(mask: Mask, truth: np.ndarray) -> float:
    return float((mask.class_ids != truth).mean())


def test_blocks_become_the_things_they_stood_for() -> None:
    image, truth = scene()
    rough = Mask(coarse(truth), NAMES)
    refined = RefineWithEdges()(image, rough)
    assert wrong(refined, truth) < 0.4 * wrong(rough, truth)
    assert refined.confidence is not None
    assert refined.confidence[30, 35] > 0.9 > refined.confidence[30, 16:18].min()


def test_toys_get_better() -> None:
    before, after = 0.0, 0.0
    for each in shapes.make(2, random_state=1, size=(96, 128)):
        truth = each.truth if isinstance(each.truth, Mask) else each.truth.flat(0)
        rough = Mask(coarse(truth.class_ids), truth.class_names)
        before += wrong(rough, truth.class_ids)
        after += wrong(RefineWithEdges()(each.image, rough), truth.class_ids)
    assert after < 0.85 * before


def test_where_looks_tell_nothing_the_mask_stays() -> None:
    stripes = (np.arange(200) // 20 % 2 * np.ones((96, 1))).astype(np.uint8)
    noise = np.random.default_rng(1).integers(0, 255, (96, 200, 3), dtype=np.uint8)
    refined = RefineWithEdges()(Image(noise), Mask(stripes, NAMES))
    assert np.array_equal(refined.class_ids, stripes)
    assert refined.confidence is not None
    assert refined.confidence[30, 30] > refined.confidence[30, 21]


def test_only_named_classes_move_and_the_rest_is_theirs_to_the_pixel() -> None:
    image, truth = scene()
    rough = coarse(truth)
    refined = RefineWithEdges(classes=("coral",))(image, Mask(rough, NAMES))
    assert np.array_equal(refined.class_ids == 2, rough == 2)
    assert wrong(refined, truth) < wrong(Mask(rough, NAMES), truth)


@pytest.mark.parametrize("class_id", [0, 1])
def test_a_mask_of_one_class_stays(class_id: int) -> None:
    image, truth = scene()
    mask = RefineWithEdges()(image, Mask(np.full(truth.shape, class_id, np.uint8), NAMES))
    assert (mask.class_ids == class_id).all()


def test_a_class_that_would_nearly_vanish_stays_as_it_was() -> None:
    image, truth = scene()
    truth = truth.copy()
    truth[5:9, 5:9] = 1  # sand that somebody took for coral, beside the real one
    truth[truth == 2] = 0
    truth[12:48, 17:54] = 0  # and the real one is not in the mask
    rough = Mask(truth, NAMES)
    guarded = RefineWithEdges(least_overlap=0.9, slack_px=2)(image, rough)
    free = RefineWithEdges(least_overlap=0.0, slack_px=2)(image, rough)
    assert np.array_equal(guarded.class_ids, truth)
    assert not np.array_equal(free.class_ids, truth)


def test_unknown_stays_unknown_unless_it_may_be_filled() -> None:
    image, truth = scene()
    rough = truth.copy()
    rough[:, 50:56] = UNKNOWN
    rough[30, 30:40] = UNKNOWN
    kept = RefineWithEdges()(image, Mask(rough, NAMES))
    assert np.array_equal(kept.class_ids == UNKNOWN, rough == UNKNOWN)
    assert kept.confidence is not None and (kept.confidence[rough == UNKNOWN] == 0).all()
    filled = RefineWithEdges(fill_unknown=True)(image, Mask(rough, NAMES))
    assert (filled.class_ids[30, 30:40] == 1).all()
    assert (filled.class_ids != UNKNOWN).all()


def test_windows_of_a_big_picture_agree_with_the_whole_nearly(monkeypatch: pytest.MonkeyPatch) -> None:
    image, truth = scene()
    rough = Mask(coarse(truth), NAMES)
    whole = RefineWithEdges()(image, rough)
    monkeypatch.setattr(refine_with_edges, "WHOLE_PIXELS", 100)
    monkeypatch.setattr(refine_with_edges, "WINDOW_PX", 64)
    monkeypatch.setattr(refine_with_edges, "MARGIN_PX", 24)
    pieces = RefineWithEdges()(image, rough)
    assert (pieces.class_ids != whole.class_ids).mean() < 0.02
    assert wrong(pieces, truth) < 0.4 * wrong(rough, truth)


def test_sixteen_bit_and_many_bands_refine_alike() -> None:
    image, truth = scene()
    rough = Mask(coarse(truth), NAMES)
    deep = Image(np.concatenate([image.pixels, image.pixels[..., :2]], axis=2).astype(np.uint16) * 257)
    assert wrong(RefineWithEdges()(deep, rough), truth) < 0.4 * wrong(rough, truth)


def test_keeps_the_promises_of_a_refiner() -> None:
    check_refiner(RefineWithEdges())


def test_wrong_settings_and_grids_say_so() -> None:
    image, truth = scene()
    with pytest.raises(InputError, match="slack_px is 0"):
        RefineWithEdges(slack_px=0)
    with pytest.raises(InputError, match="rounds is 0"):
        RefineWithEdges(rounds=0)
    with pytest.raises(InputError, match="fraction from 0 to 1"):
        RefineWithEdges(least_overlap=2)
    with pytest.raises(UnknownNameError, match="did you mean 'coral'"):
        RefineWithEdges(classes=("corral",))(image, Mask(truth, NAMES))
    with pytest.raises(GridError, match="a mask lies on its picture's pixels"):
        RefineWithEdges()(image, Mask(truth[1:], NAMES))
