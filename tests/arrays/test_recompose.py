"""Classes put together again: nothing moves without reason, and who gives up falls to the nearest other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from maskwright.arrays.recompose import overlap, recompose

UNKNOWN = 255
SAND = 5


def picture() -> np.ndarray:
    ids = np.full((20, 60), SAND, np.uint8)
    ids[4:12, 8:20] = 1
    ids[6:16, 30:50] = 3
    ids[0:3, 55:] = UNKNOWN
    return ids


def test_the_same_region_changes_nothing() -> None:
    ids = picture()
    np.testing.assert_array_equal(recompose(ids, {SAND: ids == SAND}), ids)


def test_a_grown_region_takes_only_its_rim_from_others() -> None:
    ids = picture()
    grown = ndimage.binary_dilation(ids == SAND)
    result = recompose(ids, {SAND: grown})
    np.testing.assert_array_equal(result == SAND, grown)
    np.testing.assert_array_equal(result[~grown], ids[~grown])


def test_what_is_freed_takes_the_nearest_other_class_by_brute_force() -> None:
    ids = picture()
    kept = ndimage.binary_erosion(ids == SAND, iterations=2)
    result = recompose(ids, {SAND: kept})
    freed = np.argwhere((ids == SAND) & ~kept)
    others = np.argwhere((ids != SAND) & (ids != UNKNOWN))
    for row, col in freed:
        squares = ((others - (row, col)) ** 2).sum(axis=1)
        assert result[row, col] == ids[tuple(others[squares.argmin()])]
    np.testing.assert_array_equal(result[kept], SAND)
    assert (result[ids == UNKNOWN] == UNKNOWN).all(), "nobody's pixels are no class to take over"


def test_the_first_class_has_the_overlap_or_the_higher_score() -> None:
    ids = np.array([[1, 1, 1, 2, 2, 2]], np.uint8)
    regions = {2: np.array([[0, 0, 1, 1, 1, 1]], bool), 1: np.array([[1, 1, 1, 1, 0, 0]], bool)}
    assert recompose(ids, regions).tolist() == [[1, 1, 2, 2, 2, 2]]
    assert recompose(ids, dict(reversed(regions.items()))).tolist() == [[1, 1, 1, 1, 2, 2]]
    scores = {1: np.full((1, 6), 0.6, np.float32), 2: np.array([[0.9, 0.9, 0.9, 0.5, 0.9, 0.9]], np.float32)}
    assert recompose(ids, regions, scores=scores).tolist() == [[1, 1, 2, 1, 2, 2]]
    equal = {1: np.full((1, 6), 0.6, np.float32), 2: np.full((1, 6), 0.6, np.float32)}
    assert recompose(ids, regions, scores=equal).tolist() == [[1, 1, 2, 2, 2, 2]]


def test_what_both_give_up_goes_to_the_nearest_other_and_never_back() -> None:
    ids = np.array([[1, 1, 1, 1, 2, 2, 2, 2]], np.uint8)
    regions = {1: np.array([[1, 1, 0, 0, 0, 0, 0, 0]], bool), 2: np.array([[0, 0, 0, 0, 0, 0, 1, 1]], bool)}
    assert recompose(ids, regions).tolist() == [[1, 1, 2, 2, 1, 1, 2, 2]]


def test_a_region_given_up_without_others_is_unknown() -> None:
    ids = np.full((3, 7), SAND, np.uint8)
    kept = np.zeros((3, 7), bool)
    kept[:, :4] = True
    assert (recompose(ids, {SAND: kept})[:, 4:] == UNKNOWN).all()


def test_pixels_without_data_stay_out_of_it() -> None:
    ids = np.array([[1, 1, 5, 5, 5, 2]], np.uint8)
    valid = np.array([[1, 0, 1, 1, 1, 1]], bool)
    result = recompose(ids, {5: np.zeros((1, 6), bool)}, valid=valid)
    assert result.tolist() == [[1, UNKNOWN, 1, 2, 2, 2]], "column 1 lends its class to nobody; a tie goes to the first"


def test_the_given_ids_are_left_alone() -> None:
    ids = picture()
    ids.flags.writeable = False
    recompose(ids, {SAND: np.zeros(ids.shape, bool)})


def test_regions_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="region of class 5"):
        recompose(picture(), {SAND: np.zeros((3, 3), bool)})


@settings(max_examples=40, deadline=None)
@given(arrays(np.uint8, (6, 9), elements=st.sampled_from([0, 1, 2, UNKNOWN])), arrays(bool, (6, 9)))
def test_claimed_is_claimed_and_untouched_is_untouched(ids: np.ndarray, region: np.ndarray) -> None:
    result = recompose(ids, {1: region})
    np.testing.assert_array_equal(result == 1, region)
    others = (ids != 1) & ~region
    np.testing.assert_array_equal(result[others], ids[others])
    freed = (ids == 1) & ~region
    assert (result[freed] == UNKNOWN).all() == (not (others & (ids != UNKNOWN)).any() or not freed.any())


def test_overlap_of_two_empty_regions() -> None:
    nothing = np.zeros((2, 3), bool)
    assert overlap(nothing, nothing) == 1
    assert overlap(nothing, ~nothing) == 0
