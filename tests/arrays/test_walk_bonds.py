"""Bonds as codes against their definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from maskwright.arrays.walk_bonds import bonds_of


def defined(pixels: NDArray[Any], beta: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bonds of (height, width, channels) to the right and down, one column and one row fewer."""
    colours = pixels.astype(float)
    colours /= 1 if pixels.dtype.kind in "bf" else np.iinfo(pixels.dtype).max
    sharpness = beta / (10 * max(colours.std(), 1e-300) * np.sqrt(colours.shape[2]))
    squares = (np.square(np.diff(colours, axis=axis)).sum(axis=2) for axis in (1, 0))
    right, down = (np.exp(-sharpness * square) + 1e-10 for square in squares)
    return right, down


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["uint8", "int8", "uint16", "float32"]),
    st.sampled_from([1, 3]),
    st.sampled_from([0.0, 1.0, 130.0, 5000.0]),
)
def test_bonds_are_right_to_less_than_one_in_4400(state: int, dtype: str, channels: int, beta: float) -> None:
    random = np.random.default_rng(state)
    shape = (*random.integers(1, 40, 2), channels)
    pixels = random.integers(-120, 127, shape) if dtype == "int8" else random.random(shape) ** random.integers(1, 9)
    pixels = (pixels * np.iinfo(dtype).max if dtype.startswith("uint") else pixels).astype(dtype)
    bonds = bonds_of(pixels, np.ones(shape[:2], bool), beta)
    right, down = bonds.planes()
    for found, expected in zip((right[:, :-1], down[:-1]), defined(pixels, beta), strict=True):
        np.testing.assert_allclose(found, expected, rtol=2.25e-4)


@pytest.mark.parametrize("dtype", ["bool", "uint8"])
def test_a_grey_picture_of_bytes_has_exact_bonds_of_a_byte(dtype: str) -> None:
    noise = np.random.default_rng(4).random((30, 50, 1))
    pixels: NDArray[Any] = noise > 0.4 if dtype == "bool" else (noise * 255).astype(np.uint8)
    bonds = bonds_of(pixels, np.ones((30, 50), bool), 130.0)
    assert bonds.right.dtype == bonds.down.dtype == np.uint8
    np.testing.assert_allclose(bonds.planes()[0][:, :-1], defined(pixels, 130.0)[0], rtol=2e-7)


def test_all_256_differences_and_no_bond_share_255_codes_and_one() -> None:
    """Where each difference has a bond of its own: two that are nearly the same become one."""
    pixels = np.zeros((2, 512, 1), np.uint8)
    pixels[0, ::2, 0] = np.arange(256)
    bonds = bonds_of(pixels, np.ones((2, 512), bool), 10.0)
    expected = defined(pixels, 10.0)[1][0, ::2]
    found = bonds.planes()[1][0, ::2]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert np.unique(found).size == 255
    assert np.unique(expected).size == 256


@pytest.mark.parametrize("dtype", ["uint8", "float64"])
def test_no_bond_leads_outside(dtype: str) -> None:
    pixels = np.ones((40, 7, 1), dtype)
    inside = np.ones((40, 7), bool)
    inside[17, 3] = False
    right, down = bonds_of(pixels, inside, 130.0).planes()
    assert not right[:, -1].any()
    assert not down[-1].any()
    assert not right[17, 2:4].any()
    assert not down[16:18, 3].any()
    assert (right > 0).sum() == 40 * 6 - 2
    assert (down > 0).sum() == 39 * 7 - 2
