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


def paint_triangles(
    out: NDArray[Any], corners: NDArray[np.float64], values: NDArray[np.float64], triangles: NDArray[np.int32], top: int
) -> None:
    """Paint into `out` (channels, height, width), whose first row is row `top` of the picture; other pixels stay.

    `corners` (n, 2) are row and column, `values` (n, channels), `triangles` (m, 3) indices of corners. Where
    triangles share a pixel the later one is painted last. An empty list of triangles paints nothing.

    >>> out = np.full((1, 2, 3), np.nan)
    >>> corners, values = np.array([[0.0, 0], [0, 2], [1, 0]]), np.array([[0.0], [2], [4]])
    >>> paint_triangles(out, corners, values, np.array([[0, 1, 2]]), 0)
    >>> out.tolist()
    [[[0.0, 1.0, 2.0], [4.0, nan, nan]]]
    """
    if not triangles.size or not out.size:
        return
    # Corners in rising order make both triangles of an edge compute it from the same end.
    ordered = np.sort(triangles, axis=1).astype(np.int32)
    (_paint if HAS_NUMBA else _paint_plainly)(out, corners, values, ordered, top)


@compiled
def _paint_span(
    out: NDArray[Any],
    line: int,
    left: float,
    right: float,
    at_left: NDArray[np.float64],
    at_right: NDArray[np.float64],
) -> None:
    """Mix along one row; only the end pixels can lie a hair outside the span, and take the value of its end."""
    start = int(np.ceil(max(left - SLACK, 0.0)))
    end = int(np.floor(min(right + SLACK, out.shape[2] - 1.0)))
    if start > end:
        return
    span, offset = right - left, start - left
    inverse = 1 / span if span > SLACK else 0.0
    for c in range(out.shape[0]):
        base = at_left[c]
        slope = (at_right[c] - base) * inverse
        for i in range(end - start + 1):
            out[c, line, start + i] = base + (i + offset) * slope
        if offset < 0:
            out[c, line, start] = base
        if end >= right and span > SLACK:
            out[c, line, end] = at_right[c]


@compiled
def _paint(
    out: NDArray[Any], corners: NDArray[np.float64], values: NDArray[np.float64], triangles: NDArray[np.int32], top: int
) -> None:
    channels, height = out.shape[:2]
    at_left, at_right = np.empty(channels), np.empty(channels)
    ends, edges = np.empty((3, 2), np.int64), np.empty((3, 4))
    for t in range(triangles.shape[0]):
        low, high = np.inf, -np.inf
        for k in range(3):
            low, high = min(low, corners[triangles[t, k], 0]), max(high, corners[triangles[t, k], 0])
        first = max(int(np.ceil(max(low - SLACK, -1.0))), top)
        last = min(int(np.floor(min(high + SLACK, 1e9))), top + height - 1)
        if first > last:
            continue
        for k in range(3):
            a, b = triangles[t, 0 if k < 2 else 1], triangles[t, 1 if k == 0 else 2]
            rise = corners[b, 0] - corners[a, 0]
            ends[k, 0], ends[k, 1] = a, b
            edges[k, 0], edges[k, 1] = min(corners[a, 0], corners[b, 0]), max(corners[a, 0], corners[b, 0])
            edges[k, 2] = 1 / rise if rise != 0 else 0.0
            edges[k, 3] = corners[b, 1] - corners[a, 1]
        for line in range(first, last + 1):
            row = min(max(float(line), low), high)
            left, right = np.inf, -np.inf
            for k in range(3):
                if row < edges[k, 0] or row > edges[k, 1]:
                    continue
                a, b = ends[k, 0], ends[k, 1]
                share = (row - corners[a, 0]) * edges[k, 2]
                # An edge along the row meets it in both of its ends.
                for end in range(2 if edges[k, 2] == 0 else 1):
                    part = share + end
                    col = corners[a, 1] + part * edges[k, 3]
                    if col < left:
                        left = col
                        for c in range(channels):
                            at_left[c] = values[a, c] * (1 - part) + values[b, c] * part
                    if col > right:
                        right = col
                        for c in range(channels):
                            at_right[c] = values[a, c] * (1 - part) + values[b, c] * part
            _paint_span(out, line - top, left, right, at_left, at_right)


def _paint_plainly(
    out: NDArray[Any], corners: NDArray[np.float64], values: NDArray[np.float64], triangles: NDArray[np.int32], top: int
) -> None:
    """The same spans and pixels as `_paint`, in the same order, for all triangles at once."""
    height, width = out.shape[1:]
    rows = corners[triangles, 0]
    low, high = rows.min(axis=1), rows.max(axis=1)
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
    left, right = np.full(row.shape, np.inf), np.full(row.shape, -np.inf)
    at_left, at_right = (np.zeros((row.size, values.shape[1])) for _ in range(2))
    for a, b in ((0, 1), (0, 2), (1, 2)):
        one, two = triangles[:, a], triangles[:, b]
        row_a, row_b = corners[one, 0], corners[two, 0]
        meets = (row >= np.minimum(row_a, row_b)) & (row <= np.maximum(row_a, row_b))
        level = row_a == row_b
        inverse = np.divide(1.0, row_b - row_a, where=~level, out=np.zeros_like(row))
        share = (row - row_a) * inverse
        for part, used in ((share, meets), (share + 1, meets & level)):
            at = corners[one, 1] + part * (corners[two, 1] - corners[one, 1])
            value = values[one] * (1 - part[:, None]) + values[two] * part[:, None]
            smaller, larger = used & (at < left), used & (at > right)
            left[smaller], at_left[smaller] = at[smaller], value[smaller]
            right[larger], at_right[larger] = at[larger], value[larger]
    return left, right, at_left, at_right


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
