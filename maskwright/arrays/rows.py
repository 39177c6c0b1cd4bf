"""Rows of arrays that lie elsewhere, read once although the windows that look at them overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.windows import Window

CHUNK = 2048
"""Columns that are read at once: a source may need much more room for a part than the part itself takes."""


class RowsOnce:
    """Arrays (height, width, ...) seen through windows from top to bottom, all of one column left..right.

    Windows of one row have the same top and bottom. What they share with the row above is kept, so each row is read
    once, of all arrays side by side, and memory holds one row of windows. Arrays that are at hand are not copied.
    `parts` gives views that nobody writes into again.

    >>> rows = RowsOnce((np.arange(12).reshape(3, 4),), 1, 4)
    >>> [part.tolist() for part in rows.parts(Window(1, 2, 3, 4))]
    [[[6, 7], [10, 11]]]
    """

    def __init__(self, sources: Sequence[Any], left: int, right: int) -> None:
        self._sources = sources
        self._near = all(isinstance(each, np.ndarray) for each in sources)
        self._left, self._right = left, right
        self._top = self._bottom = 0
        self._held = [np.empty((0, right - left, *each.shape[2:]), each.dtype) for each in sources]

    def parts(self, window: Window) -> list[NDArray[Any]]:
        """The arrays inside a window, which lies in the column and not above the last one."""
        if self._near:
            return [each[window.slices] for each in self._sources]
        if (window.top, window.bottom) != (self._top, self._bottom):
            self._move(window.top, window.bottom)
        return [each[:, window.left - self._left : window.right - self._left] for each in self._held]

    def _move(self, top: int, bottom: int) -> None:
        kept = max(self._bottom - top, 0)
        moved = [np.empty((bottom - top, *each.shape[1:]), each.dtype) for each in self._held]
        for rows, held in zip(moved, self._held, strict=True):
            rows[:kept] = held[len(held) - kept :]
        for left in range(self._left, self._right, CHUNK):
            right = min(left + CHUNK, self._right)
            for rows, source in zip(moved, self._sources, strict=True):
                rows[kept:, left - self._left : right - self._left] = source[top + kept : bottom, left:right]
        self._held, self._top, self._bottom = moved, top, bottom
