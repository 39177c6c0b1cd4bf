"""Points between joints, and joints that an outline tells: what nearest-joint parts are spread from.

One thread: an animal has few joints, and ways are found step by step.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskwright.arrays.paths import ways_from
from maskwright.arrays.starts import place_on_grid, starts_of

Edge = Literal["upper", "lower", "middle"]


def between(
    first: ArrayLike,
    second: ArrayLike,
    *,
    spacing: float,
    ends: tuple[bool, bool] = (True, True),
    extent: float = 0.5,
) -> NDArray[np.float64]:
    """Places (n, 2) along the straight link of two joints, at most `spacing` apart, the joints themselves left out.

    `ends` says which joint is of the link's own region. With one of another region, points keep to the share `extent`
    of the link on the own side; with both, to its middle half. The places are the same for the link turned round.

    >>> between((0, 0), (0, 8), spacing=2).tolist()
    [[0.0, 2.0], [0.0, 4.0], [0.0, 6.0]]
    >>> between((0, 0), (0, 8), spacing=2, ends=(True, False)).tolist()
    [[0.0, 2.0], [0.0, 4.0]]
    """
    if spacing <= 0:
        raise ValueError(f"spacing is above 0 pixels; got {spacing}")
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    halves = max(1, math.ceil(round(math.dist(one, other) / spacing, 6) / 2))
    shares = np.arange(1, 2 * halves) / (2 * halves)
    low = 0.0 if ends[0] else 1 - extent if ends[1] else 0.25
    high = 1.0 if ends[1] else extent if ends[0] else 0.75
    shares = shares[(shares >= low) & (shares <= high)]
    return (1 - shares)[:, None] * one + shares[:, None] * other


def along_trunk(
    region: NDArray[np.bool_], axis: tuple[ArrayLike, ArrayLike], below: ArrayLike, edge: Edge, at: float
) -> tuple[float, float] | None:
    """The place of a trunk joint that an outline (height, width) tells; None where it tells nothing.

    `axis` are neck and tail root, `below` places (n, 2) of joints on the belly's side, such as legs. From the place at
    a share `at` of the axis one goes straight up or down, at right angles to it, as long as one stays inside; "middle"
    is half way between both ends. Where the axis runs above the back, one first goes down to it. Downwards one stops
    where a third of the joints below are nearer to the axis: what goes on there is a leg. Without joints below, or
    with their mean on the axis, there is no up and down.

    >>> region = np.zeros((9, 12), bool)
    >>> region[2:7] = True
    >>> along_trunk(region, ((4, 1), (4, 11)), [(8, 5)], "upper", 0.5)
    (2.0, 6.0)
    >>> along_trunk(region, ((4, 1), (4, 11)), [(8, 5)], "middle", 0.5)
    (4.0, 6.0)
    """
    first, last = np.asarray(axis[0], np.float64), np.asarray(axis[1], np.float64)
    feet = np.asarray(below, np.float64).reshape(-1, 2)
    ahead = last - first
    length = float(np.hypot(*ahead))
    if not len(feet) or length == 0:
        return None
    down = np.array([ahead[1], -ahead[0]]) / length
    side = float((feet.mean(axis=0) - (first + last) / 2) @ down)
    if side == 0:
        return None
    start, down = first + at * ahead, down * np.sign(side)
    deepest = max(0.0, float(np.quantile((feet - first) @ down, 1 / 3)))
    ends = _edges_across(region, start, down, length, deepest)
    if ends is None:
        return None
    place = {"upper": ends[0], "lower": ends[1], "middle": (ends[0] + ends[1]) / 2}[edge]
    row, col = place_on_grid(place)
    return float(row), float(col)


def _edges_across(
    region: NDArray[np.bool_], start: NDArray[np.float64], down: NDArray[np.float64], highest: float, deepest: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """The first and last place inside of the stretch across a start that holds it, or else of the next one below.

    None where there is none within a third of `highest`.
    """
    below = np.append(np.arange(0, deepest, 0.5), deepest)
    inside = _holds(region, place_on_grid(start + below[:, None] * down))
    first = int(np.argmax(inside))
    if not inside[first] or below[first] > highest / 3:
        return None
    rest = inside[first:]
    last = first + (len(rest) if rest.all() else int(np.argmin(rest))) - 1
    top = below[first]
    if first == 0:
        above = np.append(np.arange(0, highest, 0.5), highest)
        held = _holds(region, place_on_grid(start - above[:, None] * down))
        top = -above[-1 if held.all() else int(np.argmin(held)) - 1]
    return start + top * down, start + below[last] * down


def _holds(region: NDArray[np.bool_], places: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which places lie on a pixel of the region; between two pixels both have to."""
    framed = np.pad(region, 1)
    low, high = np.ceil(places - 0.5).astype(int) + 1, np.floor(places + 0.5).astype(int) + 1
    held = np.ones(len(places), bool)
    for rows in (low[:, 0], high[:, 0]):
        for cols in (low[:, 1], high[:, 1]):
            held &= framed[rows.clip(0, framed.shape[0] - 1), cols.clip(0, framed.shape[1] - 1)]
    return held


def farthest_behind(
    region: NDArray[np.bool_], axis: tuple[ArrayLike, ArrayLike], *, least: float
) -> tuple[float, float] | None:
    """The end of the tail: the pixel with the longest way from the axis' end, through what lies behind that end.

    Of a region (height, width), behind is where the axis from neck to tail root would go on. Only pixels connected
    there to the end count. None where the way is shorter than `least` pixels; of equally far pixels their mean.
    Ways take some 26 bytes for each pixel in the box of what lies behind: lengths are exact in 8 bytes.

    >>> region = np.zeros((5, 12), bool)
    >>> region[1:4, :8], region[2, 8:] = True, True
    >>> farthest_behind(region, ((2, 1), (2, 7)), least=2)
    (2.0, 11.0)
    """
    first, last = np.asarray(axis[0], np.float64), np.asarray(axis[1], np.float64)
    behind, corner = _behind(region, last, last - first)
    starts, outside = starts_of(behind, [last[0] - corner[0]], [last[1] - corner[1]], [0], reach=least)
    if not np.isfinite(outside[0]):
        return None
    way = np.where(np.isfinite(found := ways_from(behind, starts)), found, -1)
    if way.max() < least:
        return None
    row, col = place_on_grid(np.argwhere(way == way.max()).mean(axis=0) + corner)
    return float(row), float(col)


def _behind(
    region: NDArray[np.bool_], end: NDArray[np.float64], ahead: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """What of a region lies ahead of the axis' end, in its least box, and the row and column of the box."""
    behind = np.zeros(region.shape, bool)
    cols = (np.arange(region.shape[1]) - end[1]) * ahead[1]
    for row, inside in enumerate(region):
        behind[row] = inside & ((row - end[0]) * ahead[0] + cols >= 0)
    rows, cols = (np.flatnonzero(behind.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return behind[:0, :0], np.zeros(2, np.int64)
    return behind[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1], np.array([rows[0], cols[0]])
