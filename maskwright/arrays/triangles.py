"""Paint triangles with values at their corners onto a grid: each pixel the linear mixture of its triangle.

A triangle is painted row by row: where the row crosses its edges the corner values are mixed along the edge, and
between the crossings along the row. Both sides of a shared edge compute the same crossing from the same two corners,
so no pixel falls between two triangles, and no value leaves the range of its corners, however thin a triangle is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.compiled import HAS_NUMBA, compiled

SLACK = 1e-9
"""A pixel centre this close to a triangle, in pixels, lies on it: crossings are rounded."""
CHUNK = 1 << 18
"""Pixels that the plain path spreads out at once."""
NEAR = 1 << 20
"""Bytes of all channels that are cleared and painted together: half of what a core's own cache holds."""


def uppermost_first(triangles: NDArray[np.int32], corners: NDArray[np.float64]) -> NDArray[np.int32]:
    """Each triangle's corners from the uppermost down: both triangles of an edge then compute it from the same end.

    >>> uppermost_first(np.array([[0, 1, 2]]), np.array([[2.0, 0], [0, 1], [1, 5]])).tolist()
    [[1, 2, 0]]
    """
    ordered = np.sort(triangles, axis=1).astype(np.int32)
    down = np.argsort(corners[ordered, 0], axis=1, kind="stable")
    return np.take_along_axis(ordered, down, axis=1)


def paint_triangles(
    out: NDArray[Any], corners: NDArray[np.float64], values: NDArray[np.float64], triangles: NDArray[np.int32], top: int
) -> None:
    """Fill `out` (channels, height, width), whose first row is row `top` of the picture; nan where no triangle lies.

    `corners` (n, 2) are row and column, `values` (n, channels), `triangles` (m, 3) indices of corners, the uppermost
    first. Where triangles share a pixel the later one is painted last.

    >>> out = np.empty((1, 2, 3))
    >>> corners, values = np.array([[0.0, 0], [0, 2], [1, 0]]), np.array([[0.0], [2], [4]])
    >>> paint_triangles(out, corners, values, np.array([[0, 1, 2]]), 0)
    >>> out.tolist()
    [[[0.0, 1.0, 2.0], [4.0, nan, nan]]]
    """
    if not HAS_NUMBA:
        out.fill(np.nan)
        _paint_plainly(out, corners, values, triangles, top)
    elif out.size:
        channels, height, width = out.shape
        rows = max(1, min(NEAR // (channels * width * out.itemsize), height))
        _paint(out, corners, values, triangles, top, rows)


@compiled
def _paint(
    out: NDArray[Any],
    corners: NDArray[np.float64],
    values: NDArray[np.float64],
    triangles: NDArray[np.int32],
    top: int,
    rows: int,
) -> None:
    """So many rows at a time are cleared and painted, while they lie in the processor's cache."""
    for start in range(0, out.shape[1], rows):
        near = out[:, start : start + rows]
        near[:] = np.nan
        begin, end = top + start, top + start + near.shape[1] - 1
        for t in range(triangles.shape[0]):
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            first = max(int(np.ceil(max(corners[a, 0] - SLACK, -1.0))), begin)
            last = min(int(np.floor(min(corners[c, 0] + SLACK, 1e9))), end)
            if first <= last:
                _paint_one(near, corners, values, a, b, c, first, last, begin)


@compiled
def _paint_one(
    out: NDArray[Any],
    corners: NDArray[np.float64],
    values: NDArray[np.float64],
    a: int,
    b: int,
    c: int,
    first: int,
    last: int,
    top: int,
) -> None:
    """Rows `first` to `last` of one triangle."""
    channels, _, width = out.shape
    row_a, row_b, row_c = corners[a, 0], corners[b, 0], corners[c, 0]
    per_ac = 1 / (row_c - row_a) if row_c > row_a else 0.0
    per_ab = 1 / (row_b - row_a) if row_b > row_a else 0.0
    per_bc = 1 / (row_c - row_b) if row_c > row_b else 0.0
    for line in range(first, last + 1):
        row = min(max(float(line), row_a), row_c)
        # The row crosses the long edge a-c, and one of a-b and b-c: p-q.
        long = (row - row_a) * per_ac
        upper = row <= row_b and row_b > row_a
        p, q = (a, b) if upper else (b, c)
        short = (row - row_a) * per_ab if upper else (row - row_b) * per_bc
        col_long = corners[a, 1] + long * (corners[c, 1] - corners[a, 1])
        col_short = corners[p, 1] + short * (corners[q, 1] - corners[p, 1])
        left, right = min(col_long, col_short), max(col_long, col_short)
        start = int(np.ceil(max(left - SLACK, 0.0)))
        end = int(np.floor(min(right + SLACK, width - 1.0)))
        if start > end:
            continue
        span, offset = right - left, start - left
        per_span = 1 / span if span > SLACK else 0.0
        for k in range(channels):
            value_long = values[a, k] * (1 - long) + values[c, k] * long
            value_short = values[p, k] * (1 - short) + values[q, k] * short
            base = value_long if col_long <= col_short else value_short
            other = value_short if col_long <= col_short else value_long
            slope = (other - base) * per_span
            for i in range(end - start + 1):
                out[k, line - top, start + i] = base + (i + offset) * slope
            # Only the end pixels can lie a hair outside the span.
            if offset < 0:
                out[k, line - top, start] = base
            if end >= right and span > SLACK:
                out[k, line - top, end] = other


def _paint_plainly(
    out: NDArray[Any], corners: NDArray[np.float64], values: NDArray[np.float64], triangles: NDArray[np.int32], top: int
) -> None:
    """The same spans and pixels as `_paint`, in the same order, for all triangles at once."""
    height, width = out.shape[1:]
    low, high = corners[triangles[:, 0], 0], corners[triangles[:, 2], 0]
    first = np.maximum(np.ceil(np.maximum(low - SLACK, -1)).astype(np.int64), top)
    last = np.minimum(np.floor(np.minimum(high + SLACK, 1e9)).astype(np.int64), top + height - 1)
    which, line = _spread(first, last)
    for part in range(0, which.size, CHUNK // 8):
        piece = slice(part, part + CHUNK // 8)
        row = np.clip(line[piece].astype(np.float64), low[which[piece]], high[which[piece]])
        spans = _spans(corners, values, triangles[which[piece]], row)
        _paint_spans(out, line[piece] - top, *spans, width)


def _spans(
    corners: NDArray[np.float64], values: NDArray[np.float64], triangles: NDArray[np.int32], row: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Where each row enters and leaves its triangle, and the values (rows, channels) there."""
    a, b, c = triangles.T
    upper = (row <= corners[b, 0]) & (corners[b, 0] > corners[a, 0])
    crossings = []
    for p, q in ((a, c), (np.where(upper, a, b), np.where(upper, b, c))):
        rise = corners[q, 0] - corners[p, 0]
        share = (row - corners[p, 0]) * np.divide(1.0, rise, where=rise > 0, out=np.zeros_like(rise))
        col = corners[p, 1] + share * (corners[q, 1] - corners[p, 1])
        crossings.append((col, values[p] * (1 - share[:, None]) + values[q] * share[:, None]))
    (col_long, long), (col_short, short) = crossings
    first = (col_long <= col_short)[:, None]
    at_left, at_right = np.where(first, long, short), np.where(first, short, long)
    return np.minimum(col_long, col_short), np.maximum(col_long, col_short), at_left, at_right


def _paint_spans(
    out: NDArray[Any],
    line: NDArray[np.int64],
    left: NDArray[np.float64],
    right: NDArray[np.float64],
    at_left: NDArray[np.float64],
    at_right: NDArray[np.float64],
    width: int,
) -> None:
    start = np.ceil(np.maximum(left - SLACK, 0)).astype(np.int64)
    end = np.floor(np.minimum(right + SLACK, width - 1)).astype(np.int64)
    span = right - left
    inverse = np.divide(1.0, span, where=span > SLACK, out=np.zeros_like(span))
    slope, offset = (at_right - at_left) * inverse[:, None], start - left
    which, col = _spread(start, end)
    along = (col - start[which]) + offset[which]
    before = along < 0
    after = (col >= right[which]) & (span[which] > SLACK)
    for channel, plane in enumerate(out):
        value = at_left[which, channel] + along * slope[which, channel]
        value = np.where(before, at_left[which, channel], value)
        plane[line[which], col] = np.where(after, at_right[which, channel], value)


def _spread(first: NDArray[np.int64], last: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All whole numbers first..last of each range, one after the other, and which range each is of."""
    sizes = np.maximum(last - first + 1, 0)
    which = np.repeat(np.arange(sizes.size), sizes)
    starts = np.cumsum(sizes) - sizes
    return which, np.arange(which.size) - starts[which] + first[which]
