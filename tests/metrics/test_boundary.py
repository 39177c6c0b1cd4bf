"""Boundary scores on scenes with known answers; the counting itself is tested in arrays/test_counts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from maskwright.arrays.windows import Window, grow, shift, split
from maskwright.errors import GridError, InputError
from maskwright.metrics.boundary import Boundary, band_of_diagonal
from maskwright.tiled import crop_mask
from maskwright.types import Mask
from tests.scenes import CLASS_NAMES, reef


def moved(truth: Mask, cols: int) -> Mask:
    return Mask(np.roll(truth.class_ids, cols, axis=1), truth.class_names)


@pytest.mark.parametrize(("cols", "tolerance", "perfect"), [(0, 0, True), (2, 2, True), (2, 1, False)])
def test_a_block_moved_by_the_tolerance_is_still_perfect(cols: int, tolerance: float, perfect: bool) -> None:
    _, truth, _ = reef()
    metric = Boundary(CLASS_NAMES, tolerance)
    scores = metric.scores(metric.tally(moved(truth, cols), truth))
    assert (scores["boundary_f"]["coral"] == 1) is perfect
    assert (scores["mean_boundary_f"] == 1) is perfect
    assert (scores["boundary_iou"]["coral"] == 1) is (cols == 0)


def test_boundary_iou_of_a_moved_block_by_hand() -> None:
    """A block of 10 x 15 with a rim of 2: 150 - 66 = 84 pixels; moved by 1 column, 150 - 10 - 24 - ... are shared."""
    _, truth, _ = reef()
    metric = Boundary(CLASS_NAMES, 2)
    tally = metric.tally(moved(truth, 1), truth)
    rim = np.zeros((20, 60), bool)
    rim[5:15, 40:55] = True
    rim[7:13, 42:53] = False
    both, either = (rim & np.roll(rim, 1, axis=1)).sum(), (rim | np.roll(rim, 1, axis=1)).sum()
    assert rim.sum() == 84
    assert metric.scores(tally)["boundary_iou"]["coral"] == both / either


def test_a_class_without_boundary_is_nan_and_a_missing_one_zero() -> None:
    plain = Mask(np.zeros((20, 60), np.uint8), CLASS_NAMES)
    metric = Boundary(CLASS_NAMES, 1)
    scores = metric.scores(metric.tally(plain, plain))
    assert math.isnan(scores["boundary_f"]["sand"])
    assert math.isnan(scores["boundary_iou"]["coral"])
    assert math.isnan(scores["mean_boundary_f"])
    scores = metric.scores(metric.tally(plain, reef()[1]))
    assert scores["boundary_f"] == {"sand": 0, "coral": 0}
    assert scores["boundary_iou"]["coral"] == 0


def test_tallies_of_pieces_with_their_margin_add_up_to_the_whole() -> None:
    random = np.random.default_rng(0)
    predicted, truth = (
        Mask(np.kron(random.choice([0, 1, 255], (5, 12)), np.ones((4, 5))).astype(np.uint8), CLASS_NAMES)
        for _ in range(2)
    )
    metric, everything = Boundary(CLASS_NAMES, 2.5, band_px=4), Window(0, 0, 20, 60)
    total = np.zeros((2, 7), np.int64)
    for piece in split(everything, 9):
        wide = grow(piece, metric.margin, everything)
        inside = shift(piece, wide.top, wide.left)
        total += metric.tally(crop_mask(predicted, wide), crop_mask(truth, wide), inside=inside)
    np.testing.assert_array_equal(total, metric.tally(predicted, truth))
    assert total.any(axis=0).all()


def test_the_band_is_stated() -> None:
    assert Boundary(CLASS_NAMES, 2.5).width_px == 3
    assert Boundary(CLASS_NAMES, 0).width_px == 1
    assert Boundary(CLASS_NAMES, 2, band_px=7).margin == 7
    assert band_of_diagonal(1, 2) == 1


def test_what_cannot_be_compared_is_an_error_that_says_why() -> None:
    _, truth, _ = reef()
    with pytest.raises(GridError, match="1 x 1 pixels and the true one 20 x 60"):
        Boundary(CLASS_NAMES).tally(Mask(np.zeros((1, 1), np.uint8), CLASS_NAMES), truth)
    with pytest.raises(InputError, match="predicted mask holds id 7 but there are 2 classes"):
        Boundary(CLASS_NAMES).tally(Mask(np.full((20, 60), 7, np.uint8), CLASS_NAMES), truth)
