"""Blocks cover arrays once; quantiles are numpy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.arrays.blocks import blocks, quantiles


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 7), max_size=4).map(tuple), st.integers(0, 60))
def test_blocks_cover_every_number_once_in_memory_order(shape: tuple[int, ...], most: int) -> None:
    numbers, seen = np.arange(int(np.prod(shape))).reshape(shape), []
    for block in blocks(shape, most):
        assert 0 < numbers[block].size <= max(most, 1)
        seen += numbers[block].ravel().tolist()
    assert seen == list(range(numbers.size))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6, width=32) | st.just(float("nan")), min_size=1, max_size=30), st.data())
def test_quantiles_are_those_of_numpy(values: list[float], data: st.DataObject) -> None:
    shares = data.draw(st.lists(st.floats(0, 1), min_size=1, max_size=3))
    known = np.array([each for each in values if each == each])
    found = quantiles(np.array(values, np.float32), shares)
    expected = np.quantile(known, shares) if len(known) else np.full(len(shares), np.nan)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.bool_, np.float16])
def test_quantiles_of_any_dtype_are_float64(dtype: Any) -> None:
    values = np.array([1, 0, 1, 1, 0], dtype)
    found = quantiles(values.copy(), (0.3, 0.5))
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, np.quantile(values.astype(float), (0.3, 0.5)))
