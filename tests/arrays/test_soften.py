"""Softening keeps means, leaves barriers alone and never leaks over pixels without data."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from maskwright.arrays.soften import soften


def test_a_whole_picture_is_blurred_as_scipy_blurs_it() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 60, 3)).astype(np.uint8)
    expected = gaussian_filter(pixels.astype(np.float64), (2, 2, 0), mode="reflect", truncate=4)
    np.testing.assert_allclose(soften(pixels, 2.0), expected, atol=0.6)


def test_nothing_comes_over_from_pixels_without_data() -> None:
    pixels = np.full((20, 60, 1), 10.0, np.float32)
    pixels[:, 30:] = 250
    pixels[3, 5] = np.nan
    valid = np.zeros((20, 60), bool)
    valid[:, :30] = True
    softened = soften(pixels, 3.0, valid)
    assert np.isnan(softened[3, 5, 0])
    assert softened[:, 30:].min() == 250
    np.testing.assert_allclose(np.delete(softened[:, :30, 0].ravel(), 3 * 30 + 5), 10, rtol=1e-5)


def test_zero_gives_the_pixels_back_and_less_is_refused() -> None:
    pixels = np.zeros((1, 1, 1), np.uint8)
    assert soften(pixels, 0) is pixels
    assert soften(pixels, 2.0).shape == (1, 1, 1)
    with pytest.raises(ValueError, match="0 or more"):
        soften(pixels, -1)
