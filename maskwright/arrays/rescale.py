"""Pictures and scores at another pixel size, the same bits for any part of them.

Pixels of both sizes share the outer edges: pixel i of n covers i/n to (i+1)/n. What a pixel becomes depends on its own
place only and is summed in a fixed order, so any window gives what the whole would.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from maskwright.arrays.windows import Window


def shares(wanted: range, target: int, source: int) -> tuple[range, sparse.csr_array]:
    """How much each source pixel counts for the target pixels `wanted`, along one axis of `target` and `source` pixels.

    Gives the source pixels that matter and float64 (wanted, those): the overlap where pixels become larger, between
    the two nearest where they become smaller. Every row sums to 1.

    >>> span, weights = shares(range(0, 2), 2, 5)
    >>> span, weights.toarray()
    (range(0, 5), array([[0.4, 0.4, 0.2, 0. , 0. ],
           [0. , 0. , 0.2, 0.4, 0.4]]))
    """
    index, ratio = np.arange(wanted.start, wanted.stop), source / target
    reach = max(ratio, 1.0) / 2  # half the width of the box, or of the tent, in source pixels
    middle = (index + 0.5) * ratio
    first = np.floor(middle - reach - 0.5).astype(np.int64)
    cells = first[:, None] + np.arange(int(np.ceil(2 * reach)) + 2)
    if ratio > 1:
        weight = np.minimum(cells + 1, (middle + reach)[:, None]) - np.maximum(cells, (middle - reach)[:, None])
    else:
        weight = 1 - np.abs(cells + 0.5 - middle[:, None])
    weight = np.maximum(weight, 0)
    cells = np.clip(cells, 0, source - 1)
    weight /= weight.sum(axis=1, keepdims=True)
    used = cells[weight > 0]
    span = range(int(used.min()), int(used.max()) + 1)
    rows = np.repeat(np.arange(len(index)), cells.shape[1])[(weight > 0).ravel()]
    table = sparse.coo_array((weight[weight > 0], (rows, used - span.start)), shape=(len(index), len(span)))
    return span, table.tocsr()


def averaged(pixels: NDArray[np.float64], rows: sparse.csr_array, cols: sparse.csr_array) -> NDArray[np.float64]:
    """Pixels (height, width, channels) weighted along rows and columns, as `shares` says."""
    height, width, channels = pixels.shape
    tall = (rows @ pixels.reshape(height, width * channels)).reshape(rows.shape[0], width, channels)
    turned = np.ascontiguousarray(tall.transpose(1, 0, 2)).reshape(width, -1)
    wide: NDArray[np.float64] = (cols @ turned).reshape(cols.shape[0], rows.shape[0], channels)
    return wide.transpose(1, 0, 2)


@dataclass(frozen=True)
class Rescaling:
    """From scores on a grid of `source` (height, width) pixels to one of `target`, between the four nearest pixels."""

    target: tuple[int, int]
    source_shape: tuple[int, int]

    def source(self, window: Window) -> Window:
        """The source pixels that a window of the target needs."""
        above, below, _ = self._between(window.top, window.bottom, 0)
        left, right, _ = self._between(window.left, window.right, 1)
        return Window(int(above[0]), int(left[0]), int(below[-1]) + 1, int(right[-1]) + 1)

    def strips(
        self, strips: Iterator[tuple[Window, NDArray[np.float32]]], column: Window, most_rows: int
    ) -> Iterator[tuple[Window, NDArray[np.float32]]]:
        """Strips of the source, of just the pixels that `column` needs, as strips of the target's column."""
        above, below, share = self._between(column.top, column.bottom, 0)
        across = self._between(column.left, column.right, 1)
        left, row, held, first = int(across[0][0]), 0, None, 0
        for window, scores in strips:
            held = scores if held is None else np.concatenate([held, scores], axis=1)
            first = window.bottom - held.shape[1]
            ready = int(np.searchsorted(below, window.bottom))
            while row < ready:
                rows = slice(row, min(ready, row + most_rows))
                scaled = _mixed(held, above[rows] - first, below[rows] - first, share[rows], 1)
                scaled = _mixed(scaled, across[0] - left, across[1] - left, across[2], 2)
                yield Window(column.top + row, column.left, column.top + rows.stop, column.right), scaled
                row = rows.stop
            if row < len(above):
                held = held[:, int(above[row]) - first :].copy()

    def _between(
        self, start: int, stop: int, axis: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """The two source pixels around each target pixel, and the share of the second."""
        size = self.source_shape[axis]
        places = (np.arange(start, stop) + 0.5) * (size / self.target[axis]) - 0.5
        places = np.clip(places, 0, size - 1)
        first = np.floor(places).astype(np.int64)
        return first, np.minimum(first + 1, size - 1), (places - first).astype(np.float32)


def _mixed(
    scores: NDArray[np.float32],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    share: NDArray[np.float32],
    axis: int,
) -> NDArray[np.float32]:
    share = share.reshape(-1, 1) if axis == 1 else share
    before, after = np.take(scores, first, axis), np.take(scores, second, axis)
    mixed: NDArray[np.float32] = before + (after - before) * share
    return mixed
