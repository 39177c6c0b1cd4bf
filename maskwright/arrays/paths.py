"""Shortest ways inside a region: which label is nearest by them, and the middle of a way between two places.

A step to a neighbour costs 1, a diagonal one sqrt(2); ways never leave the region. Lengths are counted in whole
steps of 1/16384 pixel, so that a picture and its mirror image, and the compiled and the plain path, agree to the bit.
One thread: each pixel waits for those before it on its way. Pictures are shared among processes instead.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskwright.arrays import sweeps
from maskwright.arrays.compiled import HAS_NUMBA
from maskwright.arrays.starts import PER_PIXEL, Starts, place_on_grid, starts_of
from maskwright.arrays.sweeps import LABEL_BITS, LABELS, NO_KEY

STRAIGHT, SLANTED = PER_PIXEL, round(math.sqrt(2) * PER_PIXEL)
_STEPS = STRAIGHT << LABEL_BITS, SLANTED << LABEL_BITS
_CORE = np.s_[1:-1, 1:-1]
_Runs = tuple[NDArray[np.int64], NDArray[np.int64]] | None
_AROUND = ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1))


class Nearest(NamedTuple):
    """The nearest label of every pixel (int16, -1 for none), how far it is and how far the next other label is.

    Distances are float32 in pixels, inf where there is nothing.
    """

    labels: NDArray[np.int16]
    distance: NDArray[np.float32]
    rival: NDArray[np.float32]


def nearest_inside(region: NDArray[np.bool_], starts: Starts, *, rivals: bool = True) -> Nearest:
    """The nearest label by ways inside a region (height, width), its distance and that of the next other label.

    Of equally near labels the lowest counts, and the rival is as far as the nearest: that is how ties are seen. Without
    `rivals` nobody looks for the next label, and it is inf.

    >>> region = np.array([[True, True, True, False, True]])
    >>> starts = Starts(np.array([0, 2]), np.array([1, 0], np.int16), np.zeros(2, np.int32))
    >>> nearest = nearest_inside(region, starts)
    >>> nearest.labels, nearest.distance, nearest.rival
    (array([[ 1,  0,  0, -1, -1]], dtype=int16), array([[ 0.,  1.,  0., inf, inf]], dtype=float32),
     array([[ 2.,  1.,  2., inf, inf]], dtype=float32))
    """
    if region.ndim != 2 or region.dtype != np.bool_:
        raise ValueError(f"a region is bool (height, width); got {region.dtype} {region.shape}")
    keys, starts, runs = _keys(region, starts)
    mine = _labels(keys, runs)
    next_one = _rivals(keys, mine, starts, runs) if rivals else np.full(region.shape, np.inf, np.float32)
    return Nearest(mine[_CORE].copy(), _pixels(keys, runs), next_one)


def _keys(region: NDArray[np.bool_], starts: Starts) -> tuple[NDArray[np.int64], Starts, _Runs]:
    """Framed (length, label) of the nearest start as one number, the starts as places in the frame, and the runs."""
    height, width = region.shape
    inside = np.zeros((height + 2, width + 2), bool)
    inside[_CORE] = region
    kept = region.ravel()[starts.pixels]
    pixels, labels, lengths = starts.pixels[kept], starts.labels[kept], starts.lengths[kept]
    rows, cols = np.divmod(pixels, width)
    framed = Starts((rows + 1) * (width + 2) + cols + 1, labels, lengths)
    keys = np.full(inside.shape, NO_KEY)
    np.minimum.at(keys.ravel(), framed.pixels, (lengths.astype(np.int64) << LABEL_BITS) | labels)
    runs = sweeps.runs_of(inside) if HAS_NUMBA else None
    _spread(keys, inside.view(np.int8) - np.int8(1), runs)
    return keys, framed, runs


def _rivals(keys: NDArray[np.int64], mine: NDArray[np.int16], starts: Starts, runs: _Runs) -> NDArray[np.float32]:
    """How far the next other label is: ways lead through the cell of the nearest one and then leave it for good."""
    rivals = np.full(keys.shape, NO_KEY)
    if runs is None:
        _leave_plainly(rivals, keys, mine)
    else:
        sweeps.leave(rivals, keys, mine, runs[0], *_STEPS)
    beaten = starts.labels != mine.ravel()[starts.pixels]
    lengths = starts.lengths[beaten].astype(np.int64)
    np.minimum.at(rivals.ravel(), starts.pixels[beaten], lengths << LABEL_BITS)
    _spread(rivals, mine, runs)
    return _pixels(rivals, runs)


def ways_from(region: NDArray[np.bool_], starts: Starts) -> NDArray[np.float64]:
    """How long the shortest way inside a region (height, width) is from a start to every pixel; inf where none leads.

    >>> region = np.array([[True, True, False], [False, False, True]])
    >>> ways_from(region, starts_of(region, [0], [0], [0])[0]).round(3)
    array([[0.   , 1.   ,   inf],
           [  inf,   inf, 2.414]])
    """
    lengths = _lengths_from(region, starts)
    return np.where(lengths < NO_KEY >> LABEL_BITS, lengths / PER_PIXEL, np.inf)


def middle_way(region: NDArray[np.bool_], start: ArrayLike, goal: ArrayLike, shares: ArrayLike) -> NDArray[np.float64]:
    """Places (n, 2) at `shares` (0..1, counted from the start) of the shortest way between two places of a region.

    Where several ways are equally short, their middle; where that lies outside the region, the pixel of a way that is
    nearest to it. A start or goal outside the region, or two that no way connects, give no places (0, 2). Some 25 bytes
    are held for each pixel of the box of all ways up to a fifth longer than straight on, and of more where need be.

    >>> middle_way(np.ones((3, 9), bool), (1, 0), (1, 8), [0.25, 0.5]).tolist()
    [[1.0, 2.0], [1.0, 4.0]]
    """
    first, last, shares = place_on_grid(start), place_on_grid(goal), np.asarray(shares, np.float64)
    if not all(len(starts_of(region, [row], [col], [0])[0].pixels) for row, col in (first, last)):
        return np.zeros((0, 2))
    longest = 1.2 * math.dist(first, last) + 4
    while True:
        window = _ellipse(region.shape, first, last, longest)
        origin = np.array(window[:2])
        part = region[window[0] : window[2], window[1] : window[3]]
        length, places = _way_in(part, first - origin, last - origin, shares)
        if length <= longest or window == (0, 0, *region.shape):
            return np.asarray(places + origin, np.float64)
        longest = min(length, 2 * longest)


def _ellipse(
    shape: tuple[int, ...], start: NDArray[np.float64], goal: NDArray[np.float64], longest: float
) -> tuple[int, int, int, int]:
    """Top, left, bottom, right of all places on ways of at most this length; no such way can leave them."""
    (a, b), (c, d) = start, goal
    rest = math.sqrt(longest**2 - math.dist(start, goal) ** 2) / 2
    high, wide = math.hypot((a - c) / 2, rest), math.hypot((b - d) / 2, rest)
    top, left = math.floor((a + c) / 2 - high) - 1, math.floor((b + d) / 2 - wide) - 1
    bottom, right = math.ceil((a + c) / 2 + high) + 2, math.ceil((b + d) / 2 + wide) + 2
    return max(top, 0), max(left, 0), min(bottom, shape[0]), min(right, shape[1])


def _way_in(
    region: NDArray[np.bool_], start: NDArray[np.float64], goal: NDArray[np.float64], shares: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """How long the shortest way is, in pixels, and its places; inf and none where there is no way."""
    ends = [starts_of(region, [row], [col], [0])[0] for row, col in (start, goal)]
    there, back = (_lengths_from(region, each) for each in ends)
    total = int((there.ravel()[ends[1].pixels] + ends[1].lengths).min())
    if total >= NO_KEY >> LABEL_BITS:
        return math.inf, np.zeros((0, 2))
    rows, cols = np.nonzero(there + back == total)
    along = there[rows, cols]
    places = [_middle(region, rows, cols, np.abs(along - share * total)) for share in shares]
    return total / PER_PIXEL, np.array(places).reshape(-1, 2)


def _middle(
    region: NDArray[np.bool_], rows: NDArray[np.intp], cols: NDArray[np.intp], off: NDArray[np.float64]
) -> tuple[float, float]:
    """The mean of the pixels of ways that are nearest to a share of the way."""
    here = off <= max(off.min(), STRAIGHT / 2)
    rows, cols = rows[here], cols[here]
    row, col = place_on_grid([rows.sum() / len(rows), cols.sum() / len(cols)])
    if region[math.floor(row) : math.ceil(row) + 1, math.floor(col) : math.ceil(col) + 1].any():
        return float(row), float(col)
    away = (rows - row) ** 2 + (cols - col) ** 2
    best = away == away.min()
    return float(rows[best].mean()), float(cols[best].mean())


def _leave_plainly(rivals: NDArray[np.int64], keys: NDArray[np.int64], mine: NDArray[np.int16]) -> None:
    """As `sweeps.leave`."""
    for down, across in _AROUND:
        there = np.roll(keys, (down, across), (0, 1)) + (_step(down, across) << LABEL_BITS)
        other = np.roll(mine, (down, across), (0, 1))
        np.copyto(rivals, np.minimum(rivals, there), where=(mine >= 0) & (other >= 0) & (mine != other))


def _lengths_from(region: NDArray[np.bool_], starts: Starts) -> NDArray[np.int64]:
    return _keys(region, starts)[0][_CORE] >> LABEL_BITS


def _labels(keys: NDArray[np.int64], runs: _Runs) -> NDArray[np.int16]:
    """The labels of framed keys, -1 where no way leads."""
    if runs is None:
        return np.where(keys < NO_KEY, keys & LABELS, -1).astype(np.int16)
    labels = np.full(keys.shape, -1, np.int16)
    sweeps.read_labels(keys, runs[0], labels)
    return labels


def _pixels(keys: NDArray[np.int64], runs: _Runs) -> NDArray[np.float32]:
    """Lengths in pixels of framed keys, without the frame; inf where there is none."""
    if runs is None:
        pixels = (keys[_CORE] >> LABEL_BITS).astype(np.float32)
        pixels *= np.float32(1 / PER_PIXEL)
        pixels[keys[_CORE] >= NO_KEY] = np.inf
        return pixels
    pixels = np.empty((keys.shape[0] - 2, keys.shape[1] - 2), np.float32)
    sweeps.read_lengths(keys, *runs, pixels)
    return pixels


def _step(down: int, across: int) -> int:
    return SLANTED if down and across else STRAIGHT


def _spread(keys: NDArray[np.int64], cells: NDArray[Any], runs: _Runs) -> None:
    """Hand the least key plus step on between neighbours inside cells until nothing changes; framed, in place.

    Cell -1 takes no part. Over runs of a region no cell is asked for: see `sweeps.leave`.
    """
    if runs is not None:
        sweeps.sweep_until_still(keys, *runs, *_STEPS)
        return
    before = None
    while before is None or not np.array_equal(before, keys):
        before = keys.copy()
        for down, across in _AROUND:
            there = np.roll(keys, (down, across), (0, 1)) + (_step(down, across) << LABEL_BITS)
            same = (cells >= 0) & (np.roll(cells, (down, across), (0, 1)) == cells)
            np.copyto(keys, np.minimum(keys, there), where=same & (there < NO_KEY))


def route(region: NDArray[np.bool_], start: tuple[int, int], goal: tuple[int, int]) -> NDArray[np.int64]:
    """The pixels (n, 2), row and column, of a shortest way inside a region from one pixel to another, both included.

    Of equally short ways the one whose steps come first in the order right, left, down, up, then slanted, is given.
    No way, or an end outside the region, gives no pixels.

    >>> route(np.array([[True, False, True], [True, True, True]]), (0, 0), (0, 2)).tolist()
    [[0, 0], [1, 1], [0, 2]]
    """
    first, last = np.array(start, np.float64), np.array(goal, np.float64)
    longest = 1.2 * math.dist(first, last) + 4
    while True:
        window = _ellipse(region.shape, first, last, longest)
        origin = np.array(window[:2], np.int64)
        part = region[window[0] : window[2], window[1] : window[3]]
        way, length = _route_in(part, np.array(start) - origin, np.array(goal) - origin)
        if length <= longest or window == (0, 0, *region.shape):
            return np.asarray(way + origin, np.int64)
        longest = min(length, 2 * longest)


def _route_in(
    region: NDArray[np.bool_], start: NDArray[np.int64], goal: NDArray[np.int64]
) -> tuple[NDArray[np.int64], float]:
    """A way and its length in pixels; nothing and inf where there is none."""
    nothing = np.zeros((0, 2), np.int64)
    ends_inside = all((end >= 0).all() and (end < region.shape).all() and region[tuple(end)] for end in (start, goal))
    if not ends_inside:
        return nothing, math.inf
    flat = int(goal[0] * region.shape[1] + goal[1])
    starts = Starts(np.array([flat]), np.zeros(1, np.int16), np.zeros(1, np.int32))
    lengths = np.pad(_lengths_from(region, starts), 1, constant_values=NO_KEY)
    here = (int(start[0]) + 1, int(start[1]) + 1)
    total = int(lengths[here])
    if total >= NO_KEY >> LABEL_BITS:
        return nothing, math.inf
    way = [here]
    while lengths[here]:
        left = int(lengths[here])
        here = next(
            place
            for down, across in _AROUND
            if lengths[place := (here[0] + down, here[1] + across)] + _step(down, across) == left
        )
        way.append(here)
    return np.array(way, np.int64) - 1, total / PER_PIXEL
