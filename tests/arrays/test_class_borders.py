"""Bands along class borders against a comparison of every pixel with every other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from maskwright.arrays.class_borders import near_other_class


@given(
    ids=hnp.arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 9)), elements=st.sampled_from([1, 2, 7, 255])),
    reach=st.floats(0.1, 6),
    pixel_size=st.sampled_from([(1.0, 1.0), (0.5, 0.5), (0.7, 2.0)]),
)
@settings(max_examples=80, deadline=None)
def test_every_pixel_against_every_other(ids: NDArray[np.uint8], reach: float, pixel_size: tuple[float, float]) -> None:
    rows, cols = np.indices(ids.shape)
    expected = np.zeros(ids.shape, bool)
    for row, col in np.argwhere(ids != 255):
        others = (ids != ids[row, col]) & (ids != 255)
        away = np.hypot((rows - row) * pixel_size[0], (cols - col) * pixel_size[1])[others]
        expected[row, col] = away.size > 0 and away.min() <= reach + 0.5 * min(pixel_size)
    np.testing.assert_array_equal(near_other_class(ids, reach, pixel_size=pixel_size), expected)


def test_one_class_none_and_no_reach() -> None:
    one = np.full((2, 5), 3, np.uint8)
    assert not near_other_class(one, 9).any() and not near_other_class(np.full((2, 5), 255, np.uint8), 9).any()
    assert not near_other_class(np.array([[1, 2]], np.uint8), 0).any()
    assert near_other_class(np.zeros((0, 4), np.uint8), 1).shape == (0, 4)
    with pytest.raises(ValueError, match="reach is 0 or more"):
        near_other_class(one, -1)
