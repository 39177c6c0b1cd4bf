"""Scores known at scattered places become scores at every pixel: linear on triangles, inverse distance, nearest.

Places are (row, col) with pixel centres at whole numbers; they may lie between pixels and outside the picture. Values
are (n,) or (n, channels), results (height, width) or (channels, height, width): float64 for float64 values, float32
for all others. A nan value is not there: its place speaks for the other channels only. `pixel_size` (height, width)
says how long a step down and to the right are, for pixels that are not square (degrees).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import Delaunay

from maskwright.arrays.neighbours import mix_nearest
from maskwright.arrays.seeds import nearest_seed
from maskwright.arrays.triangles import SLACK, paint_triangles, uppermost_first

FLAT = 1e-10
"""Places that leave their common line by less than this share of its length span no triangle."""
SLAB = 128
"""Rows whose triangles are looked up together."""
NEAREST_ROWS = 256
"""Rows whose nearest places are looked up together: index and distance of all rows would outweigh the result."""
Paint = Callable[[NDArray[Any], NDArray[np.float64], NDArray[np.float64]], None]


def interpolate_linear(
    rows: ArrayLike,
    cols: ArrayLike,
    values: NDArray[Any],
    shape: tuple[int, int],
    *,
    pixel_size: tuple[float, float] = (1.0, 1.0),
    threads: int = 1,
) -> NDArray[Any]:
    """Linear between places on their Delaunay triangulation; nan outside their convex hull, whose edge counts as in.

    A plane is reproduced exactly. Places that coincide count as one with the mean of their values. Places on one line
    (or one place) have a hull without area: only pixel centres on it get a value. No place: nan everywhere.
    Triangles do not depend on `threads`, and nor does the result; time goes down with them, though not by half:
    triangles are made by one thread, and painting waits for memory.

    >>> interpolate_linear([0, 0, 4, 4], [0, 4, 0, 4], np.array([0.0, 1, 1, 2]), (5, 6))[1]
    array([0.25, 0.5 , 0.75, 1.  , 1.25,  nan])
    >>> interpolate_linear([0, 0], [0, 2], np.array([0.0, 1]), (1, 4))
    array([[0. , 0.5, 1. , nan]])
    """
    step = _pixel_size(pixel_size)

    def paint(out: NDArray[Any], places: NDArray[np.float64], known: NDArray[np.float64]) -> None:
        corners, merged = _merge(places, known)
        triangles = uppermost_first(_triangulate(corners * step), corners)
        if not len(triangles):
            out.fill(np.nan)
            _paint_line(out, corners, merged, step, 0)
            return
        _in_bands(out, threads, lambda band, top: _paint_slabs(band, corners, merged, triangles, top))

    return _by_channels(rows, cols, values, shape, paint)


def interpolate_inverse_distance(
    rows: ArrayLike,
    cols: ArrayLike,
    values: NDArray[Any],
    shape: tuple[int, int],
    *,
    neighbours: int = 12,
    power: float = 2.0,
    reach: float = np.inf,
    pixel_size: tuple[float, float] = (1.0, 1.0),
    threads: int = 1,
) -> NDArray[Any]:
    """The mean of the `neighbours` nearest places, each weighted with 1 / distance ** power.

    Exactly the nearest ones: of places equally far the one given first. A pixel on a place takes its value (the mean
    of all of the nearest that lie there). Places farther than `reach`, in units of `pixel_size`, do not count; a pixel
    without any place is nan. With fewer places than `neighbours` all are taken. The result does not depend on
    `threads`; time goes down with them.

    >>> interpolate_inverse_distance([0, 0], [0, 3], np.array([0.0, 1]), (1, 4)).round(3)
    array([[0. , 0.2, 0.8, 1. ]])
    """
    if neighbours < 1 or not power > 0 or not reach > 0:
        raise ValueError(f"neighbours, power and reach are above 0; got {neighbours}, {power} and {reach}")
    step = _pixel_size(pixel_size)

    def paint(out: NDArray[Any], places: NDArray[np.float64], known: NDArray[np.float64]) -> None:
        count = min(neighbours, len(places))
        options = (count, power, reach)
        _in_bands(out, threads, lambda band, top: mix_nearest(band, places, known, *options, step, top))

    return _by_channels(rows, cols, values, shape, paint)


def interpolate_nearest(
    rows: ArrayLike,
    cols: ArrayLike,
    values: NDArray[Any],
    shape: tuple[int, int],
    *,
    pixel_size: tuple[float, float] = (1.0, 1.0),
    threads: int = 1,
) -> NDArray[Any]:
    """The value of the nearest place; of places equally far the one given first. No place: nan everywhere.

    The result does not depend on `threads`; time goes down with them.

    >>> interpolate_nearest([0, 0], [0, 2], np.array([5.0, 7]), (1, 4))
    array([[5., 5., 7., 7.]])
    """

    def paint(out: NDArray[Any], places: NDArray[np.float64], known: NDArray[np.float64]) -> None:
        for top in range(0, shape[0], NEAREST_ROWS):
            part = out[:, top : top + NEAREST_ROWS]
            here, size = (part.shape[1], part.shape[2]), pixel_size
            index, _ = nearest_seed(here, *places.T, pixel_size=size, origin=(top, 0), threads=threads)
            for plane, channel in zip(part, known.T, strict=True):
                plane[...] = channel.astype(out.dtype)[index]

    _pixel_size(pixel_size)
    return _by_channels(rows, cols, values, shape, paint)


def inside_hull(rows: ArrayLike, cols: ArrayLike, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Which pixel centres (height, width) lie in the convex hull of places, its edge included; none without places.

    One thread: triangles take longest, and they are made one after the other.

    >>> inside_hull([0, 0, 2], [0, 2, 0], (3, 4)).astype(int).tolist()
    [[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]]
    """
    places = _places(rows, cols)
    inside = np.zeros(shape, bool)
    if len(places):
        corners, ones = _merge(places, np.ones((len(places), 1)))
        triangles = uppermost_first(_triangulate(corners), corners)
        for top in range(0, shape[0], SLAB):
            part = inside[top : top + SLAB]
            found = np.full((1, *part.shape), np.nan, np.float32)
            if len(triangles):
                _paint_slabs(found, corners, ones, triangles, top)
            else:
                _paint_line(found, corners, ones, np.ones(2), top)
            part[...] = np.isfinite(found[0])
    return inside


def _by_channels(
    rows: ArrayLike, cols: ArrayLike, values: NDArray[Any], shape: tuple[int, int], paint: Paint
) -> NDArray[Any]:
    """Paint channels that know the same places together: one search or triangulation for all of them."""
    places, known = _places(rows, cols), np.asarray(values)
    if known.ndim not in (1, 2) or len(known) != len(places):
        raise ValueError(f"{len(places)} places need values (n,) or (n, channels); got shape {known.shape}")
    channels = known.shape[1] if known.ndim == 2 else 1
    table = known.reshape(len(places), channels).astype(np.float64)
    if np.isinf(table).any():
        raise ValueError("values are finite, or nan where nothing is known; got an infinite one")
    out = np.empty((channels, *shape), np.float64 if known.dtype == np.float64 else np.float32)
    there = ~np.isnan(table)
    alike: dict[bytes, list[int]] = {}  # channels by the places they know
    for channel, knows in enumerate(there.T):
        alike.setdefault(knows.tobytes(), []).append(channel)
    for mine in alike.values():
        pattern = there[:, mine[0]]
        if not pattern.any():
            out[mine] = np.nan
            continue
        part = out if len(mine) == channels else np.empty((len(mine), *shape), out.dtype)
        paint(part, places[pattern], np.ascontiguousarray(table[pattern][:, mine]))
        if part is not out:
            out[mine] = part
    return out if known.ndim == 2 else out[0]


def _paint_slabs(
    out: NDArray[Any], corners: NDArray[np.float64], values: NDArray[np.float64], triangles: NDArray[np.int32], top: int
) -> None:
    """Paint a few rows at a time with the triangles they meet; `triangles` with the uppermost corner first."""
    low, high = corners[triangles[:, 0], 0] - SLACK, corners[triangles[:, 2], 0] + SLACK
    for start in range(0, out.shape[1], SLAB):
        slab = out[:, start : start + SLAB]
        meets = (low <= top + start + SLAB) & (high >= top + start)
        paint_triangles(slab, corners, values, triangles[meets], top + start)


def _in_bands(out: NDArray[Any], threads: int, paint: Callable[[NDArray[Any], int], None]) -> None:
    """Let each thread paint rows of its own; several bands each, for some are harder than others."""
    height = out.shape[1]
    bands = 1 if threads <= 1 else min(4 * threads, max(height // 64, 1))
    edges = [height * k // bands for k in range(bands + 1)]
    if bands == 1:
        paint(out, 0)
        return
    with ThreadPoolExecutor(threads) as pool:
        pieces = itertools.pairwise(edges)
        for done in [pool.submit(paint, out[:, top:bottom], top) for top, bottom in pieces]:
            done.result()


def _places(rows: ArrayLike, cols: ArrayLike) -> NDArray[np.float64]:
    row, col = np.asarray(rows, np.float64), np.asarray(cols, np.float64)
    if row.ndim != 1 or row.shape != col.shape:
        raise ValueError(f"rows and cols are (n,) each; got {row.shape} and {col.shape}")
    places = np.column_stack([row, col])
    if not np.isfinite(places).all():
        raise ValueError("rows and cols are finite; leave out places that are not known")
    return places


def _pixel_size(pixel_size: tuple[float, float]) -> NDArray[np.float64]:
    step = np.asarray(pixel_size, np.float64)
    if step.shape != (2,) or not (np.isfinite(step) & (step > 0)).all():
        raise ValueError(f"pixel_size is a height and a width above 0; got {pixel_size}")
    return step


def _merge(places: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Places that coincide as one with the mean of their values."""
    order = np.lexsort(places.T)
    if not (places[order[1:]] == places[order[:-1]]).all(axis=1).any():
        return places, values
    corners, where, times = np.unique(places + 0.0, axis=0, return_inverse=True, return_counts=True)
    means = [np.bincount(where.ravel(), channel) / times for channel in values.T]
    return corners, np.ascontiguousarray(np.column_stack(means))


def _triangulate(places: NDArray[np.float64]) -> NDArray[np.int32]:
    """Corners of the Delaunay triangles (m, 3), none when all places lie on one line."""
    if len(places) < 3:
        return np.zeros((0, 3), np.int32)
    centred = places - places.mean(axis=0)
    along = _direction(centred)
    off = centred[:, 0] * along[1] - centred[:, 1] * along[0]
    if np.ptp(off) <= FLAT * np.ptp(centred @ along):
        return np.zeros((0, 3), np.int32)
    return np.asarray(Delaunay(centred).simplices, np.int32)


def _direction(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """The unit vector from one place of the outermost pair to the other (of a good enough pair)."""
    start = places[np.argmax((places**2).sum(axis=1))]
    reach = places - start
    longest = reach[np.argmax((reach**2).sum(axis=1))]
    length = float(np.hypot(*longest))
    return longest / length if length else np.array([0.0, 1.0])


def _paint_line(
    out: NDArray[Any], places: NDArray[np.float64], values: NDArray[np.float64], step: NDArray[np.float64], top: int
) -> None:
    """Linear along the one line all places lie on, for pixel centres on it; the first row is row `top`."""
    start = places.mean(axis=0)
    along = _direction((places - start) * step)
    position = ((places - start) * step) @ along
    order = np.argsort(position, kind="stable")
    slack = SLACK * float(step.max())
    across = (np.arange(out.shape[2]) - start[1]) * step[1]
    for row in range(out.shape[1]):
        down = (top + row - start[0]) * step[0]
        where = down * along[0] + across * along[1]
        on_line = np.abs(down * along[1] - across * along[0]) <= slack
        on_line &= (where >= position.min() - slack) & (where <= position.max() + slack)
        for plane, channel in zip(out, values.T, strict=True):
            plane[row, on_line] = np.interp(where[on_line], position[order], channel[order])
