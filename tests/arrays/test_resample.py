"""Resampling: means where there are fewer pixels, straight lines where there are more."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.arrays.resample import resample

SIZES = st.tuples(st.integers(1, 30), st.integers(1, 30))


@settings(max_examples=60, deadline=None)
@given(SIZES, SIZES)
def test_a_constant_stays_and_nothing_leaves_the_range(old: tuple[int, int], new: tuple[int, int]) -> None:
    values = np.random.default_rng(0).random((*old, 2))
    values[..., 1] = 0.25
    result = resample(values, new)
    assert result.shape == (*new, 2)
    np.testing.assert_allclose(result[..., 1], 0.25, atol=1e-6)
    assert result[..., 0].min() >= values[..., 0].min() - 1e-6
    assert result[..., 0].max() <= values[..., 0].max() + 1e-6


@settings(max_examples=40, deadline=None)
@given(SIZES, st.integers(1, 4), st.integers(1, 4))
def test_fewer_pixels_are_means_of_blocks(size: tuple[int, int], down: int, across: int) -> None:
    values = np.random.default_rng(1).random((size[0] * down, size[1] * across, 1))
    blocks = values.reshape(size[0], down, size[1], across).mean(axis=(1, 3))
    np.testing.assert_allclose(resample(values, size)[..., 0], blocks, atol=1e-5)


def test_a_slope_stays_straight_on_more_pixels() -> None:
    slope = np.arange(12.0).reshape(1, 12, 1)
    fine = resample(slope, (1, 36))[0, :, 0]
    np.testing.assert_allclose(fine[1:-1], np.arange(34) / 3, atol=1e-5)
