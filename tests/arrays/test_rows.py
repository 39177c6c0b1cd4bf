"""Rows through windows: what slicing gives, and nothing read twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from maskwright.arrays import rows as rows_module
from maskwright.arrays.rows import RowsOnce
from maskwright.arrays.windows import Window, cover


class Far:
    """An array that is read by slices and counts how often each row was."""

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.shape, self.dtype = array, array.shape, array.dtype
        self.read: Counter[tuple[int, int]] = Counter()

    def __getitem__(self, key: tuple[slice, slice]) -> Any:
        rows, cols = key
        self.read.update((row, col) for row in range(rows.start, rows.stop) for col in range(cols.start, cols.stop))
        return self.array[key]


@given(
    height=st.integers(1, 30), width=st.integers(1, 50), size=st.integers(1, 12), overlap=st.integers(0, 11),
    chunk=st.integers(1, 60), bands=st.sampled_from([(), (3,)]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_windows_show_what_slices_show_and_no_pixel_is_read_twice(
    height: int, width: int, size: int, overlap: int, chunk: int, bands: tuple[int, ...]
) -> None:
    assume(overlap < size)
    array = np.random.default_rng(0).integers(0, 255, (height, width, *bands), dtype=np.uint8)
    windows = cover(height, width, size, overlap)
    windows = [each for each in windows if each.right > width // 3]
    left = min(each.left for each in windows)
    far, shown = Far(array), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows_module, "CHUNK", chunk)
        once = RowsOnce((far, array), left, width)
        shown = [once.parts(each) for each in windows]
    near = RowsOnce((array, array), left, width)
    for window, parts in zip(windows, shown, strict=True):
        for part in parts:
            assert np.array_equal(part, array[window.slices]), "also after later windows were asked for"
        assert all(np.shares_memory(part, array) for part in near.parts(window))
    assert set(far.read.values()) == {1}


def test_rows_that_nobody_looks_at_are_not_read() -> None:
    far = Far(np.arange(600).reshape(20, 30))
    once = RowsOnce((far,), 0, 30)
    once.parts(Window(0, 0, 4, 10))
    assert once.parts(Window(12, 5, 16, 10))[0].tolist() == far.array[12:16, 5:10].tolist()
    assert {row for row, _ in far.read} == {0, 1, 2, 3, 12, 13, 14, 15}
