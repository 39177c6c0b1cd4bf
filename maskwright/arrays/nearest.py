"""The nearest of many seeds for every pixel, exactly, by cutting the picture into boxes that few seeds can win.

Between two seeds the difference of squared distances is linear over the plane, so one look at a box's centre says
whether a seed loses to another in the whole box. Boxes are halved, losers dropped, until one seed is left or the box
is small enough to compare pixel by pixel. A seed is dropped only when it is farther by more than rounding could hide,
so ties are decided where they should be: pixel by pixel, in float64, for the lowest index.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskwright.arrays.compiled import HAS_NUMBA, compiled
from maskwright.arrays.windows import Window

SMALL_BOX = 8
FEW_SEEDS = 4
ROUNDING = 1e-14
MOST_LEVELS = 128

Answer = tuple[NDArray[np.int32], NDArray[np.float64]]


def nearest_seed(
    shape: tuple[int, int],
    rows: ArrayLike,
    cols: ArrayLike,
    *,
    region: NDArray[np.bool_] | None = None,
    pixel_size: tuple[float, float] = (1.0, 1.0),
    origin: tuple[int, int] = (0, 0),
    threads: int = 1,
) -> Answer:
    """The index of each pixel's nearest seed, and how far it is; of equally near seeds the lowest index wins.

    `rows` and `cols` (n,) place the seeds, pixel centres at whole numbers; they may be fractions, lie outside the
    picture, or coincide. `pixel_size` is the height and width of a pixel, and the distance is in its unit: the square
    root of ((row - rows) * height)^2 + ((col - cols) * width)^2, whose squares are compared in float64. `region` (bool,
    height x width) says which pixels are asked for. `origin` is the row and column of the top left pixel, so that a
    window of a picture gives exactly what the whole picture gives there. Any number of `threads` gives the same.

    Returns (index int32, distance float64), (height, width) each; -1 and inf outside the region, and everywhere when
    there is no seed.

    >>> index, distance = nearest_seed((2, 5), [0, 0], [0, 4])
    >>> index  # column 2 is as far from both: the first one has it
    array([[0, 0, 0, 1, 1],
           [0, 0, 0, 1, 1]], dtype=int32)
    >>> distance[0]
    array([0., 1., 2., 1., 0.])
    """
    height, width = shape
    inside = _inside(region, shape)
    seeds, order = _seeds(rows, cols, pixel_size)
    if not len(order) or not inside.size:
        return np.full(shape, -1, np.int32), np.full(shape, np.inf)
    index, distance = np.empty(shape, np.int32), np.empty(shape)
    slack = _slack(seeds, shape, pixel_size, origin)
    fill = _fill_compiled if HAS_NUMBA else _fill_plain

    def work(band: Window) -> None:
        fill(band, seeds, order, inside, np.array(pixel_size, float), np.array(origin), slack, index, distance)

    bands = list(_bands(height, width, threads))
    if len(bands) == 1:
        work(bands[0])
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, bands))
    return index, distance


def _inside(region: NDArray[np.bool_] | None, shape: tuple[int, int]) -> NDArray[np.bool_]:
    if region is None:
        return np.broadcast_to(np.True_, shape)
    if region.shape != tuple(shape):
        raise ValueError(f"the region is {region.shape} but the picture is {tuple(shape)}")
    return np.asarray(region, bool)


def _seeds(
    rows: ArrayLike, cols: ArrayLike, pixel_size: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Seeds (2, n) without those that lie on an earlier one, and their indices, ascending."""
    seeds = np.stack([np.asarray(rows, np.float64).ravel(), np.asarray(cols, np.float64).ravel()])
    if not np.isfinite(seeds).all():
        raise ValueError("rows and cols of seeds are finite numbers; drop seeds without a place")
    if not all(np.isfinite(size) and size > 0 for size in pixel_size):
        raise ValueError(f"a pixel's height and width are above 0; got {pixel_size}")
    _, first = np.unique(seeds[0] + 1j * seeds[1], return_index=True)
    order = np.sort(first).astype(np.int32)
    return np.ascontiguousarray(seeds[:, order]), order


def _slack(
    seeds: NDArray[np.float64], shape: tuple[int, int], pixel_size: tuple[float, float], origin: tuple[int, int]
) -> float:
    """More than rounding can change a difference of squared distances in this picture."""
    low = np.minimum(seeds.min(axis=1), origin)
    high = np.maximum(seeds.max(axis=1), np.add(origin, shape))
    reach = np.abs(np.stack([low, high, high - low])).max(axis=0) * pixel_size
    return float(ROUNDING * (reach @ reach))


def _bands(height: int, width: int, threads: int) -> Iterator[Window]:
    count = 1 if threads <= 1 else min(height, 4 * threads)
    edges = np.linspace(0, height, count + 1).astype(int).tolist()
    return (Window(top, 0, bottom, width) for top, bottom in itertools.pairwise(edges))


def _fill_compiled(
    band: Window,
    seeds: NDArray[np.float64],
    order: NDArray[np.int32],
    inside: NDArray[np.bool_],
    size: NDArray[np.float64],
    origin: NDArray[np.int64],
    slack: float,
    index: NDArray[np.int32],
    distance: NDArray[np.float64],
) -> None:
    box = np.array(band, np.int64)
    _fill(box, seeds[0], seeds[1], order, inside, size[0], size[1], origin[0], origin[1], slack, index, distance)


@compiled
def _fill(
    band: Any, rows: Any, cols: Any, order: Any, inside: Any, high: float, wide: float,
    row0: int, col0: int, slack: float, index: Any, distance: Any,
) -> None:  # fmt: skip
    """Depth first through the halves of the band; `alive` holds the candidates of the boxes on the way, end to end."""
    alive = np.empty(2 * len(rows) + 64, np.int32)
    alive[: len(rows)] = np.arange(len(rows))
    boxes = np.empty((MOST_LEVELS, 6), np.int64)  # top, left, bottom, right, first and end of the parent's candidates
    boxes[0, :4] = band
    boxes[0, 4], boxes[0, 5] = 0, len(rows)
    depth = 1
    while depth:
        depth -= 1
        top, left, bottom, right, first, end = boxes[depth]
        if len(alive) < end + (end - first):
            alive = np.concatenate((alive, np.empty(len(alive) + end - first, np.int32)))
        stop = _survivors(
            alive, first, end, rows, cols, top + row0, left + col0, bottom + row0, right + col0, high, wide, slack
        )
        height, width = bottom - top, right - left
        if stop - end <= FEW_SEEDS or max(height, width) <= SMALL_BOX:
            _compare(
                alive[end:stop],
                rows,
                cols,
                order,
                inside,
                top,
                left,
                bottom,
                right,
                high,
                wide,
                row0,
                col0,
                index,
                distance,
            )
            continue
        for half in range(2):
            boxes[depth] = (top, left, bottom, right, end, stop)
            if height > 1 and (height * high >= width * wide or width == 1):
                boxes[depth, 2 - 2 * half] = (top + bottom) // 2
            else:
                boxes[depth, 3 - 2 * half] = (left + right) // 2
            depth += 1


@compiled
def _survivors(
    alive: Any, first: int, end: int, rows: Any, cols: Any, top: int, left: int, bottom: int, right: int,
    high: float, wide: float, slack: float,
) -> int:  # fmt: skip
    """Write candidates that may win somewhere in the box behind `end`, in order, and say where they stop."""
    row, col = (top + bottom - 1) / 2, (left + right - 1) / 2
    down, across = (bottom - 1 - top) * high, (right - 1 - left) * wide
    best, least = alive[first], np.inf
    for place in range(first, end):
        seed = alive[place]
        away = ((row - rows[seed]) * high) ** 2 + ((col - cols[seed]) * wide) ** 2
        if away < least:
            best, least = seed, away
    stop = end
    for place in range(first, end):
        seed = alive[place]
        away = ((row - rows[seed]) * high) ** 2 + ((col - cols[seed]) * wide) ** 2
        swing = abs(rows[seed] - rows[best]) * high * down + abs(cols[seed] - cols[best]) * wide * across
        if not away - least - swing > slack:  # written so that a distance too far for float64 loses nothing
            alive[stop] = seed
            stop += 1
    return stop


@compiled
def _compare(
    few: Any, rows: Any, cols: Any, order: Any, inside: Any, top: int, left: int, bottom: int, right: int,
    high: float, wide: float, row0: int, col0: int, index: Any, distance: Any,
) -> None:  # fmt: skip
    """Brute force among few seeds in one box: a pass over the box's row for each seed, in ascending order."""
    for row in range(top, bottom):
        nearest, away = index[row], distance[row]
        away[left:right] = np.inf
        nearest[left:right] = order[few[0]]
        for seed in few:
            name, at = order[seed], cols[seed]
            down = (row + row0 - rows[seed]) * high
            down *= down
            for col in range(left, right):
                across = (col + col0 - at) * wide
                square = down + across * across
                closer = square < away[col]
                away[col] = square if closer else away[col]
                nearest[col] = name if closer else nearest[col]
        for col in range(left, right):
            away[col] = np.sqrt(away[col]) if inside[row, col] else np.inf
            nearest[col] = nearest[col] if inside[row, col] else -1


def _fill_plain(
    band: Window,
    seeds: NDArray[np.float64],
    order: NDArray[np.int32],
    inside: NDArray[np.bool_],
    size: NDArray[np.float64],
    origin: NDArray[np.int64],
    slack: float,
    index: NDArray[np.int32],
    distance: NDArray[np.float64],
) -> None:
    """The same walk through the same boxes with numpy alone."""
    boxes = [(band, np.arange(len(order)))]
    while boxes:
        box, alive = boxes.pop()
        alive = _survivors_plain(box, seeds, alive, size, origin, slack)
        if len(alive) > FEW_SEEDS and max(box.height, box.width) > 2 * SMALL_BOX:
            boxes += [(half, alive) for half in _halves(box, size)]
            continue
        rows = np.arange(box.top, box.bottom)[:, None, None] + origin[0]
        cols = np.arange(box.left, box.right)[None, :, None] + origin[1]
        squares = ((rows - seeds[0, alive]) * size[0]) ** 2 + ((cols - seeds[1, alive]) * size[1]) ** 2
        asked = inside[box.slices]
        index[box.slices] = np.where(asked, order[alive[squares.argmin(axis=2)]], -1)
        distance[box.slices] = np.where(asked, np.sqrt(squares.min(axis=2)), np.inf)


def _survivors_plain(
    box: Window,
    seeds: NDArray[np.float64],
    alive: NDArray[np.intp],
    size: NDArray[np.float64],
    origin: NDArray[np.int64],
    slack: float,
) -> NDArray[np.intp]:
    centre = np.array([(box.top + box.bottom - 1) / 2, (box.left + box.right - 1) / 2]) + origin
    reach = np.array([box.height - 1, box.width - 1]) * size
    away = (((centre[:, None] - seeds[:, alive]) * size[:, None]) ** 2).sum(axis=0)
    best = away.argmin()
    swing = (np.abs(seeds[:, alive] - seeds[:, alive[best], None]) * (size * reach)[:, None]).sum(axis=0)
    kept: NDArray[np.intp] = alive[~(away - away[best] - swing > slack)]
    return kept


def _halves(box: Window, size: NDArray[np.float64]) -> tuple[Window, Window]:
    top, left, bottom, right = box
    if box.height > 1 and (box.height * size[0] >= box.width * size[1] or box.width == 1):
        middle = (top + bottom) // 2
        return Window(top, left, middle, right), Window(middle, left, bottom, right)
    middle = (left + right) // 2
    return Window(top, left, bottom, middle), Window(top, middle, bottom, right)
