"""Ragged reefs made calm."""

from __future__ import annotations

import numpy as np
import pytest

from maskwright.errors import GridError
from maskwright.methods.smooth import Smooth
from maskwright.types import UNKNOWN, Image, Mask, Step
from tests.scenes import CLASS_NAMES, reef


def test_specks_go_and_straight_edges_stay() -> None:
    image, truth, _ = reef()
    random = np.random.default_rng(0)
    ids = truth.class_ids.copy()
    for row, col in zip(random.integers(1, 19, 12), range(2, 38, 3), strict=True):
        ids[row, col] = 1
    smooth = Smooth(radius_px=1)(image, Mask(ids, CLASS_NAMES))
    expected = truth.class_ids.copy()
    for corner in ((5, 40), (5, 54), (14, 40), (14, 54)):
        expected[corner] = 0  # 4 of 9 around a corner are coral
    np.testing.assert_array_equal(smooth.class_ids, expected)
    assert smooth.history == (Step.of(Smooth(radius_px=1)),)


def test_unknown_stays_unknown_unless_asked() -> None:
    image, truth, _ = reef()
    ids = truth.class_ids.copy()
    ids[9:11, 46:48] = UNKNOWN
    assert (Smooth()(image, Mask(ids, CLASS_NAMES)).class_ids[9:11, 46:48] == UNKNOWN).all()
    assert (Smooth(fill_unknown=True)(image, Mask(ids, CLASS_NAMES)).class_ids[9:11, 46:48] == 1).all()


def test_islands_join_their_neighbour() -> None:
    image, truth, _ = reef()
    ids = truth.class_ids.copy()
    ids[2:4, 10:12] = 1
    kept = Smooth(radius_px=0)(image, Mask(ids, CLASS_NAMES)).class_ids
    np.testing.assert_array_equal(kept, ids)
    joined = Smooth(radius_px=0, min_area_px=5)(image, Mask(ids, CLASS_NAMES)).class_ids
    np.testing.assert_array_equal(joined, truth.class_ids)


def test_pixels_without_data_do_not_vote_and_stay_unknown() -> None:
    pixels = np.zeros((1, 5, 3), np.uint8)
    valid = np.array([[False, False, True, True, False]])
    mask = Mask(np.array([[1, 1, 0, 0, 1]], np.uint8), CLASS_NAMES)
    smooth = Smooth(radius_px=2, fill_unknown=True)(Image(pixels, valid=valid), mask)
    assert smooth.class_ids.tolist() == [[UNKNOWN, UNKNOWN, 0, 0, UNKNOWN]]


def test_settings_and_grids_are_checked() -> None:
    with pytest.raises(ValueError, match="from 0 to 2000; got -1"):
        Smooth(radius_px=-1)
    with pytest.raises(ValueError, match="min_area_px is 0 or more; got -2"):
        Smooth(min_area_px=-2)
    with pytest.raises(GridError, match="1 x 1 pixels and the mask 20 x 60"):
        Smooth()(Image(np.zeros((1, 1, 3), np.uint8)), reef()[1])
