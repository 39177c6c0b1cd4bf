"""Outlines of regions and regions of outlines.

Vertices are pixel *corners*, (row, col) with the top left corner of the top left pixel at (0, 0): the pixel (r, c)
covers r..r+1 and c..c+1. A traced region is a list of polygons, each an outer ring and its holes; pixels that touch
only at a corner belong to different polygons. Rings are closed in thought: the first vertex is not repeated.
One thread: rings are followed corner by corner.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from maskwright.arrays.compiled import compiled
from maskwright.arrays.encode import EMPTY, Region, encode, from_toggles
from maskwright.arrays.windows import Window

Ring = NDArray[np.float64]
Polygon = tuple[Ring, ...]
"""An outer ring (n, 2) of rows and columns, then its holes."""

_STEPS = np.array([[0, 1], [1, 0], [0, -1], [-1, 0]])  # right, down, left, up


def trace(region: Region) -> list[Polygon]:
    """The polygons of a region along its pixel borders, lossless: `fill` of them gives the region back.

    Outer rings run clockwise on the screen, holes the other way. An empty region has no polygon.

    >>> trace(encode([[0, 1, 1]]))[0][0].tolist()
    [[0.0, 3.0], [1.0, 3.0], [1.0, 1.0], [0.0, 1.0]]
    """
    if not region.area:
        return []
    pixels = np.pad(region.pixels, 1)
    vertices, starts = _trace(pixels)
    labels, count = ndimage.label(pixels)
    outer: list[list[Ring]] = [[] for _ in range(count)]
    holes: list[list[Ring]] = [[] for _ in range(count)]
    corner = np.array([region.box.top - 1, region.box.left - 1])
    for first, last in pairwise(starts.tolist()):
        for ring in _simple_rings(vertices[first:last]):
            owner = labels[_inner_pixel(ring)] - 1
            (outer if _signed_area(ring) > 0 else holes)[owner].append(ring + corner)
    return [(*outside, *inside) for outside, inside in zip(outer, holes, strict=True)]


def fill(polygons: Sequence[Sequence[ArrayLike]], height: int, width: int) -> Region:
    """The pixels whose centre lies inside an odd number of rings; what is outside (height, width) is cut off.

    A centre exactly on a border belongs to the polygon on its left or, for level borders, above it: neighbours share
    no pixel and leave none out.

    >>> fill([[[(0, 0), (0, 3), (2, 3), (2, 0)], [(0, 1), (0, 2), (1, 2), (1, 1)]]], 4, 4).area
    5
    """
    rings = [np.asarray(ring, np.float64).reshape(-1, 2) for polygon in polygons for ring in polygon]
    rings = [ring for ring in rings if len(ring)]
    if not rings:
        return EMPTY
    corners = np.concatenate(rings)
    if not np.isfinite(corners).all():
        raise ValueError("an outline has a vertex that is no number")
    top, left = (max(0, int(edge)) for edge in np.clip(np.floor(corners.min(axis=0)), 0, (height, width)))
    bottom, right = (int(edge) for edge in np.clip(np.ceil(corners.max(axis=0)), 0, (height, width)))
    if top >= bottom or left >= right:
        return EMPTY
    window = Window(top, left, bottom, right)
    flips = np.zeros((window.height, window.width + 1), np.int32)
    for ring in rings:
        _flip_rows(ring, window, flips)
    inner = encode(np.cumsum(flips[:, :-1], axis=1) % 2 == 1)
    return _shifted(inner, top, left)


def fill_as_coco(ring: ArrayLike, height: int, width: int) -> Region:
    """The pixels COCO's own tools give a polygon of (row, col) vertices, bit for bit.

    They round vertices to a fifth of a pixel, walk the border in such steps and flip what lies below each crossing of
    a column's middle; so it is not quite the rule of `fill`. An object of several polygons is their union.

    >>> fill_as_coco([(0, 0), (0, 2), (2, 2), (2, 0)], 3, 4).area
    4
    """
    corners = np.asarray(ring, np.float64).reshape(-1, 2)
    if not np.isfinite(corners).all() or (np.abs(corners) > 1e8).any():
        raise ValueError("a polygon has a vertex that is no number or lies far outside any picture")
    if not len(corners):
        return EMPTY
    start = np.trunc(5 * corners + 0.5).astype(np.int64)
    end = np.roll(start, -1, axis=0)
    rows, cols, edge = _walk(start, end)
    crossing = np.flatnonzero((edge[1:] == edge[:-1]) & (cols[1:] != cols[:-1]))
    col, beside = np.divmod(np.minimum(cols[crossing], cols[crossing + 1]) - 2, 5)
    row = (np.minimum(rows[crossing], rows[crossing + 1]) + 0.5) / 5 - 0.5
    row = np.ceil(np.clip(row, 0, height)).astype(np.int64)
    middle = (beside == 0) & (col >= 0) & (col < width)
    return from_toggles(np.sort(col[middle] * height + row[middle]), height, height * width)


def _walk(start: NDArray[np.int64], end: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Every point of every edge in unit steps along its longer axis: rows, columns, which edge."""
    tall, wide = np.abs(end - start).T
    flat = wide >= tall
    turned = np.where(flat, start[:, 1] > end[:, 1], start[:, 0] > end[:, 0])
    low, high = np.where(turned[:, None], end, start), np.where(turned[:, None], start, end)
    length = np.maximum(tall, wide)
    rise = np.where(flat, high[:, 0] - low[:, 0], high[:, 1] - low[:, 1]) / np.maximum(length, 1)
    edge = np.repeat(np.arange(len(start)), length + 1)
    step = np.arange(len(edge)) - np.repeat(np.cumsum(length + 1) - length - 1, length + 1)
    step = np.where(turned[edge], length[edge] - step, step)
    along = step + np.where(flat, low[:, 1], low[:, 0])[edge]
    base = np.where(flat, low[:, 0], low[:, 1])[edge]
    across = np.trunc(base + rise[edge] * step + 0.5).astype(np.int64)
    return np.where(flat[edge], across, along), np.where(flat[edge], along, across), edge


def _flip_rows(ring: Ring, window: Window, flips: NDArray[np.int32]) -> None:
    """Mark, in each row, the first pixel whose centre lies right of each edge that crosses the row's middle."""
    start, end = ring, np.roll(ring, -1, axis=0)
    low, high = np.minimum(start[:, 0], end[:, 0]), np.maximum(start[:, 0], end[:, 0])
    first = np.clip(np.ceil(low - 0.5), window.top, window.bottom).astype(np.int64)
    last = np.clip(np.ceil(high - 0.5), window.top, window.bottom).astype(np.int64)
    times = np.maximum(last - first, 0)
    edge = np.repeat(np.arange(len(ring)), times)
    rows = first[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(times) - times, times)
    a, b = start[edge], end[edge]
    cols = (rows + 0.5 - a[:, 0]) * (b[:, 1] - a[:, 1]) / (b[:, 0] - a[:, 0]) + a[:, 1]
    cols = np.clip(np.floor(cols + 0.5), window.left, window.right).astype(np.int64)
    np.add.at(flips, (rows - window.top, cols - window.left), 1)


def _shifted(region: Region, rows: int, cols: int) -> Region:
    if not region.counts.size:
        return EMPTY
    top, left, bottom, right = region.box
    return Region(Window(top + rows, left + cols, bottom + rows, right + cols), region.counts)


def _signed_area(ring: Ring) -> float:
    """Positive for a ring that runs clockwise on the screen, where rows go down."""
    ahead = np.roll(ring, -1, axis=0)
    return float((ring[:, 1] * ahead[:, 0] - ahead[:, 1] * ring[:, 0]).sum()) / 2


def _inner_pixel(ring: Ring) -> tuple[int, int]:
    """The pixel on the right hand of a ring's first edge, which lies inside the region."""
    (row, col), (next_row, next_col) = ring[0].astype(int), ring[1].astype(int)
    down, right = np.sign(next_row - row), np.sign(next_col - col)
    return int(row - (right < 0) - (down < 0)), int(col - (down > 0) - (right < 0))


def _simple_rings(vertices: NDArray[np.int64]) -> list[Ring]:
    """A closed walk cut into rings that visit no vertex twice."""
    corners = list(map(tuple, vertices.tolist()))
    if len(set(corners)) == len(corners):
        return [vertices.astype(np.float64)]
    rings: list[list[tuple[int, int]]] = []
    walk: list[tuple[int, int]] = []
    seen: dict[tuple[int, int], int] = {}
    for corner in corners:
        if corner in seen:
            at = seen[corner]
            rings.append(walk[at:])
            for left in walk[at:]:
                del seen[left]
            del walk[at:]
        seen[corner] = len(walk)
        walk.append(corner)
    return [np.array(ring, np.float64) for ring in [*rings, walk]]


@compiled
def _trace(pixels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Corners of all border walks, the region on the right hand, and where each walk starts; one row of padding."""
    steps = _STEPS
    visited = np.zeros(pixels.shape, np.bool_)  # upper borders walked to the right
    vertices = np.empty((64, 2), np.int64)
    starts = np.zeros(1, np.int64)
    total = 0
    for first_row in range(1, pixels.shape[0]):
        for first_col in range(1, pixels.shape[1]):
            above = pixels[first_row - 1, first_col]
            if visited[first_row, first_col] or above or not pixels[first_row, first_col]:
                continue
            row, col, way = first_row, first_col, 0
            while True:
                if way == 0:
                    if visited[row, col]:
                        break
                    visited[row, col] = True
                row += steps[way, 0]
                col += steps[way, 1]
                # the pixels ahead on the right and left hand of this way
                right = pixels[row - (way == 2 or way == 3), col - (way == 1 or way == 2)]
                left = pixels[row - (way == 0 or way == 3), col - (way == 2 or way == 3)]
                turn = 0
                if not right:
                    turn = 1
                elif left:
                    turn = 3
                if turn:
                    way = (way + turn) % 4
                    if total == len(vertices):
                        grown = np.empty((2 * total, 2), np.int64)
                        grown[:total] = vertices
                        vertices = grown
                    vertices[total, 0] = row
                    vertices[total, 1] = col
                    total += 1
            starts = np.append(starts, total)
    return vertices[:total].copy(), starts
