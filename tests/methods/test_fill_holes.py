"""Holes in a reef with known answers."""

from __future__ import annotations

import numpy as np
import pytest

from maskwright.errors import GridError
from maskwright.methods.fill_holes import FillHoles
from maskwright.types import UNKNOWN, Image, Mask, Step
from tests.scenes import reef


def with_holes() -> tuple[Image, Mask]:
    """The reef with an unknown hole of 4 pixels and a sandy one of 2 in its coral, and an unknown one at the edge."""
    image, truth, _ = reef()
    ids = truth.class_ids.copy()
    ids[8:10, 45:47] = UNKNOWN
    ids[12, 50:52] = 0
    ids[0, 3:6] = UNKNOWN
    made = Step("by_hand", {})
    return image, Mask(ids, truth.class_names, truth.grid, np.ones(ids.shape, np.float32), (made,))


def test_holes_take_the_class_around_them() -> None:
    image, mask = with_holes()
    before = mask.class_ids.copy()
    filled = FillHoles()(image, mask)
    expected = reef()[1].class_ids.copy()
    expected[0, 3:6] = UNKNOWN
    np.testing.assert_array_equal(filled.class_ids, expected)
    assert filled.history == (*mask.history, Step("fill_holes", Step.of(FillHoles()).settings))
    assert filled.confidence is None
    np.testing.assert_array_equal(mask.class_ids, before)


def test_larger_holes_and_known_pixels_can_be_kept() -> None:
    image, mask = with_holes()
    small = FillHoles(max_area_px=2)(image, mask).class_ids
    assert (small[8:10, 45:47] == UNKNOWN).all()
    assert (small[12, 50:52] == 1).all()
    unknown = FillHoles(unknown_only=True)(image, mask).class_ids
    assert (unknown[8:10, 45:47] == 1).all()
    assert (unknown[12, 50:52] == 0).all()


def test_the_coral_itself_is_a_hole_in_the_sand_when_holes_may_be_that_large() -> None:
    image, mask = with_holes()
    assert (FillHoles(max_area_px=150)(image, mask).class_ids[5:15, 40:55] == 0).all()


def test_nothing_is_invented_where_the_picture_has_no_data() -> None:
    image, mask = with_holes()
    valid = np.ones(mask.grid.shape, bool)
    valid[8, 45] = False
    filled = FillHoles()(Image(image.pixels, valid=valid), mask).class_ids
    assert filled[8, 45] == UNKNOWN
    assert filled[9, 46] == 1


def test_settings_and_grids_are_checked() -> None:
    with pytest.raises(ValueError, match="max_area_px is 0 or more; got -1"):
        FillHoles(max_area_px=-1)
    with pytest.raises(ValueError, match="4 or 8; got 5"):
        FillHoles(neighbours=5)  # type: ignore[arg-type]
    with pytest.raises(GridError, match="1 x 1 pixels and the mask 20 x 60"):
        FillHoles()(Image(np.zeros((1, 1, 3), np.uint8)), reef()[1])
