"""Mix the values of the k nearest places at each pixel of a grid, exactly.

The grid is halved again and again, and each tile keeps only the places that can be among the k nearest of any of its
pixels: with d the k-th smallest distance from the tile's centre and r the tile's radius, those within d + 2 r of the
centre. A tile of a few pixels keeps little more than k places, and those are compared pixel by pixel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from maskwright.arrays.compiled import HAS_NUMBA, compiled

TILE = 8
"""Tiles of this side are compared pixel by pixel, if little more than k places are left there."""
DEPTH = 40
"""Halvings of a side of 2^20 pixels, twice over: more than any grid needs."""
WIDER = 1 + 1e-9
"""Radii are widened by this factor, so that rounding never loses a place."""
SPARE = 8
"""Places the plain path asks for beyond k, to settle ties."""


def mix_nearest(
    out: NDArray[Any],
    places: NDArray[np.float64],
    values: NDArray[np.float64],
    count: int,
    power: float,
    reach: float,
    step: NDArray[np.float64],
    top: int,
) -> None:
    """Paint into `out` (channels, height, width), whose first row is row `top` of the picture.

    Each pixel is the mean of the `count` nearest places weighted by 1 / distance ** `power`, those farther than
    `reach` left out; of places equally far the first ones are taken. `places` (n, 2) are row and column, n at least
    `count`; `values` (n, channels); `step` the height and width of a pixel. Without a place in reach the pixel is nan.
    On a place a pixel is the mean of those of its nearest that lie there.

    >>> out = np.zeros((1, 1, 3))
    >>> mix_nearest(out, np.array([[0.0, 0], [0, 2]]), np.array([[1.0], [3]]), 1, 2.0, np.inf, np.ones(2), 0)
    >>> out.tolist()
    [[[1.0, 1.0, 3.0]]]
    """
    if not out.size:
        return
    scaled = np.ascontiguousarray((places * step).T)
    if HAS_NUMBA:
        _mix(out, scaled, np.ascontiguousarray(values.T), count, power, reach, step, top)
    else:
        _mix_plainly(out, scaled, values, count, power, reach, step, top)


@compiled
def _mix(
    out: NDArray[Any],
    places: NDArray[np.float64],
    values: NDArray[np.float64],
    count: int,
    power: float,
    reach: float,
    step: NDArray[np.float64],
    top: int,
) -> None:
    n = places.shape[1]
    tiles = np.empty((DEPTH * 2, 4), np.int64)
    tiles[0, 0], tiles[0, 1], tiles[0, 2], tiles[0, 3] = 0, 0, out.shape[1], out.shape[2]
    # One row of candidates per depth: a tile and its two halves lie at neighbouring depths.
    kept, sure = np.empty((DEPTH + 1, n), np.int32), np.empty(n, np.bool_)
    sizes = np.empty(DEPTH + 1, np.int64)
    depths = np.empty(DEPTH * 2, np.int64)
    distances, scratch = np.empty(n), np.empty(n)
    for k in range(n):
        kept[0, k] = k
    sizes[0], depths[0] = n, 1
    waiting = 1
    near = np.empty((0, 0))
    while waiting:
        waiting -= 1
        r0, c0, r1, c1 = tiles[waiting, 0], tiles[waiting, 1], tiles[waiting, 2], tiles[waiting, 3]
        depth = depths[waiting]
        row, col = (top + 0.5 * (r0 + r1 - 1)) * step[0], 0.5 * (c0 + c1 - 1) * step[1]
        radius = np.hypot(0.5 * (r1 - r0 - 1) * step[0], 0.5 * (c1 - c0 - 1) * step[1])
        size = sizes[depth - 1]
        for k in range(size):
            place = kept[depth - 1, k]
            down, across = places[0, place] - row, places[1, place] - col
            distances[k] = np.sqrt(down * down + across * across)
            scratch[k] = distances[k]
        farthest = _kth(scratch, size, count - 1)
        limit, certain = (farthest + 2 * radius) * WIDER, (farthest - 2 * radius) / WIDER
        left = 0
        for k in range(size):
            if distances[k] <= limit:
                kept[depth, left] = kept[depth - 1, k]
                sure[left] = distances[k] < certain
                left += 1
        sizes[depth] = left
        side = max(r1 - r0, c1 - c0)
        if (side <= TILE and left <= 4 * count + 32) or side == 1:
            if near.shape[0] < left:
                near = np.empty((left * 2, TILE * TILE))
            _mix_tile(
                out, places, values, kept[depth, :left], sure, count, power, reach, step, top, r0, c0, r1, c1, near
            )
            continue
        for half in range(2):
            tiles[waiting] = r0, c0, r1, c1
            if r1 - r0 >= c1 - c0:
                tiles[waiting, 2 - 2 * half] = (r0 + r1) // 2
            else:
                tiles[waiting, 3 - 2 * half] = (c0 + c1) // 2
            depths[waiting] = depth + 1
            waiting += 1


@compiled
def _kth(values: NDArray[np.float64], size: int, k: int) -> float:
    """The k-th smallest of the first `size` values (quickselect, Hoare), which are reordered."""
    low, high = 0, size - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if k <= j:
            high = j
        elif k >= i:
            low = i
        else:
            break
    return float(values[k])


@compiled
def _mix_tile(
    out: NDArray[Any],
    places: NDArray[np.float64],
    values: NDArray[np.float64],
    kept: NDArray[np.int32],
    sure: NDArray[np.bool_],
    count: int,
    power: float,
    reach: float,
    step: NDArray[np.float64],
    top: int,
    r0: int,
    c0: int,
    r1: int,
    c1: int,
    near: NDArray[np.float64],
) -> None:
    """Compare all places left with all pixels of a tile, 64 at most, pixel innermost so that it runs in lanes."""
    size, width = kept.size, c1 - c0
    pixels = (r1 - r0) * width
    rows, cols = np.empty(pixels), np.empty(pixels)
    for r in range(r1 - r0):
        for c in range(width):
            rows[r * width + c] = (top + r0 + r) * step[0]
            cols[r * width + c] = (c0 + c) * step[1]
    for k in range(size):
        row, col = places[0, kept[k]], places[1, kept[k]]
        line = near[k]
        for p in range(pixels):
            line[p] = (rows[p] - row) * (rows[p] - row) + (cols[p] - col) * (cols[p] - col)
    rank = np.zeros((size, pixels))
    open_places = count
    if size > count:
        open_places -= _rank(near, sure, rank, size, pixels)
    total, at_place = np.zeros(pixels), np.zeros(pixels)
    sums = np.zeros((values.shape[0], pixels))
    weights = np.empty(pixels)
    square = reach * reach
    for k in range(size):
        line, order = near[k], rank[k]
        for p in range(pixels):
            taken = (order[p] < open_places) & (line[p] <= square)
            weights[p] = 1 / line[p] if taken else 0.0
            at_place[p] += 1.0 if taken & (line[p] == 0) else 0.0
        if power != 2:
            for p in range(pixels):
                weights[p] = weights[p] ** (0.5 * power)
        for p in range(pixels):
            total[p] += weights[p]
        for c in range(sums.shape[0]):
            value, lane = values[c, kept[k]], sums[c]
            for p in range(pixels):
                lane[p] += weights[p] * value
    for channel in range(sums.shape[0]):
        for r in range(r1 - r0):
            for c in range(width):
                out[channel, r0 + r, c0 + c] = sums[channel, r * width + c] / total[r * width + c]
    for p in range(pixels):
        if at_place[p] > 0 or count == 1:
            _at_place(
                out[:, r0 + p // width, c0 + p % width],
                values,
                kept,
                near[:, p],
                rank[:, p],
                open_places,
                count == 1,
                square,
            )


@compiled
def _rank(near: NDArray[np.float64], sure: NDArray[np.bool_], rank: NDArray[np.float64], size: int, pixels: int) -> int:
    """How many doubtful places are nearer to each pixel than each doubtful place; of two equally far the first is.

    Places that are surely taken by every pixel get rank -1; how many these are is returned.
    """
    taken = 0
    for j in range(size):
        its, later = rank[j], near[j]
        if sure[j]:
            taken += 1
            its[:] = -1.0
            continue
        for i in range(j):
            if sure[i]:
                continue
            earlier, other = near[i], rank[i]
            for p in range(pixels):
                behind = 1.0 if earlier[p] <= later[p] else 0.0
                its[p] += behind
                other[p] += 1.0 - behind
    return taken


@compiled
def _at_place(
    out: NDArray[Any],
    values: NDArray[np.float64],
    kept: NDArray[np.int32],
    near: NDArray[np.float64],
    rank: NDArray[np.float64],
    open_places: int,
    alone: bool,
    square: float,
) -> None:
    """The mean of the taken places that lie on the pixel; with one neighbour, its value untouched by rounding."""
    for c in range(out.size):
        total, places = 0.0, 0
        for k in range(kept.size):
            if rank[k] < open_places and near[k] <= square and (near[k] == 0 or alone):
                total += values[c, kept[k]]
                places += 1
        out[c] = total / places


def _mix_plainly(
    out: NDArray[Any],
    places: NDArray[np.float64],
    values: NDArray[np.float64],
    count: int,
    power: float,
    reach: float,
    step: NDArray[np.float64],
    top: int,
) -> None:
    """The same mean with a k-d tree, row by row, in the same order of places."""
    tree = cKDTree(places.T)
    cols = np.arange(out.shape[2]) * step[1]
    for line in range(out.shape[1]):
        row = (top + line) * step[0]
        index, square = _nearest_plainly(tree, places, count, row, cols)
        taken = square <= reach * reach
        with np.errstate(divide="ignore", invalid="ignore"):
            weights = np.where(taken, 1 / square, 0.0)
            weights = weights if power == 2 else weights ** (0.5 * power)
            hits = taken & ((square == 0) | (count == 1))
            weights = np.where(hits.any(axis=1, keepdims=True), hits, weights)
            total, sums = np.zeros(len(cols)), np.zeros((len(cols), len(out)))
            for k in range(count):
                total += weights[:, k]
                sums += weights[:, k, None] * values[index[:, k]]
            out[:, line] = (sums / total[:, None]).T


def _nearest_plainly(
    tree: Any, places: NDArray[np.float64], count: int, row: float, cols: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The `count` nearest places (pixels, count) of a row of pixels in rising order of index, and squared distances."""
    asked = min(count + SPARE, places.shape[1])
    centres = np.column_stack([np.full(cols.shape, row), cols])
    index = tree.query(centres, asked)[1].reshape(len(cols), asked)
    index.sort(axis=1)
    square = _squares(places, index, row, cols)
    order = np.argsort(square, axis=1, kind="stable")
    last, kth = (np.take_along_axis(square, order[:, k : k + 1], axis=1)[:, 0] for k in (asked - 1, count - 1))
    order = np.sort(order[:, :count], axis=1)
    index, square = np.take_along_axis(index, order, axis=1), np.take_along_axis(square, order, axis=1)
    for pixel in np.flatnonzero(last <= kth * WIDER) if asked < places.shape[1] else ():
        # More places are equally far than were asked for: compare them all.
        everything = np.arange(places.shape[1])[None]
        far = _squares(places, everything, row, cols[pixel : pixel + 1])[0]
        index[pixel] = np.sort(np.argsort(far, kind="stable")[:count])
        square[pixel] = far[index[pixel]]
    return index, square


def _squares(
    places: NDArray[np.float64], index: NDArray[np.intp], row: float, cols: NDArray[np.float64]
) -> NDArray[np.float64]:
    down, across = row - places[0, index], cols[:, None] - places[1, index]
    squares: NDArray[np.float64] = down * down + across * across
    return squares
