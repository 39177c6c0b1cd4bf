"""Distances that grow where colours change, and the nearest seed by them: exact shortest paths over the pixels.

The pixels are a graph of 4 or 8 neighbours whose edges cost sqrt((1 - w) * step^2 + w * colour difference^2).
Distances add up in float32 along a path, and the least such sum is one number in whatever order it is found, so the
compiled queue of `ways` and the plain numpy sweeps of this file give the same bits.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.compiled import HAS_NUMBA
from maskwright.arrays.raster import Costs, sweep
from maskwright.arrays.ways import inherit, spread, step_costs

NO_LABEL = -1

Field = NDArray[np.float32]


def geodesic_distance(
    pixels: NDArray[Any],
    seeds: NDArray[np.bool_],
    *,
    colour_weight: float = 0.9,
    neighbours: Literal[4, 8] = 8,
    barriers: NDArray[np.bool_] | None = None,
    pixel_size: tuple[float, float] = (1.0, 1.0),
) -> Field:
    """How far every pixel is from its nearest seed, where a step costs more the more the colour changes.

    `pixels` (height, width) or (height, width, channels), any real dtype; `seeds` bool (height, width). A step between
    neighbours costs sqrt((1 - w) * step^2 + w * difference^2): `w` is `colour_weight` in 0..1, `step` the distance of
    the two centres for this `pixel_size` (height, width), `difference` the Euclidean distance of the two colours in
    the units of `pixels` - scale them first. Distances are converged: those of Dijkstra's algorithm on this graph.

    No way leads through `barriers` (bool) or through pixels that are not finite; they, and what cannot be reached from
    a seed, have distance inf. A seed on a barrier is no seed. Returns float32 (height, width). One thread: the order of
    shortest paths does not divide.

    >>> pixels = np.array([[0, 0, 30, 30, 0]])
    >>> geodesic_distance(pixels, pixels[:, :] < 0, colour_weight=0.0)
    array([[inf, inf, inf, inf, inf]], dtype=float32)
    >>> geodesic_distance(pixels, np.array([[True, False, False, False, False]]), colour_weight=1.0)
    array([[ 0.,  0., 30., 30., 60.]], dtype=float32)
    """
    graph = _Graph(pixels, colour_weight, neighbours, barriers, pixel_size)
    _check_shape("seeds", seeds, graph.shape)
    return graph.distance(np.asarray(seeds, bool))[1:-1, 1:-1].copy()


def geodesic_nearest(
    pixels: NDArray[Any],
    labels: NDArray[np.int32],
    *,
    colour_weight: float = 0.9,
    neighbours: Literal[4, 8] = 8,
    barriers: NDArray[np.bool_] | None = None,
    pixel_size: tuple[float, float] = (1.0, 1.0),
) -> tuple[NDArray[np.int32], Field]:
    """The label of the seed nearest to every pixel by `geodesic_distance`, and that distance.

    `labels` (integers, height x width) are 0 or more on seeds and negative elsewhere; the rest is as for
    `geodesic_distance`. Of labels that reach a pixel by equally short ways the lowest wins. Returns (labels int32,
    distance float32), (height, width) each; -1 and inf where no seed reaches.

    >>> pixels = np.array([[0, 0, 0, 90, 90, 90]])
    >>> geodesic_nearest(pixels, np.array([[-1, 1, -1, -1, -1, 0]]))[0]
    array([[1, 1, 1, 0, 0, 0]], dtype=int32)
    """
    graph = _Graph(pixels, colour_weight, neighbours, barriers, pixel_size)
    _check_shape("labels", labels, graph.shape)
    distance = graph.distance(np.asarray(labels) >= 0)
    nearest = graph.labels(distance, np.asarray(labels))
    return nearest, distance[1:-1, 1:-1].copy()


def _check_shape(name: str, array: NDArray[Any], shape: tuple[int, int]) -> None:
    if array.shape != shape:
        raise ValueError(f"{name} are {array.shape} but the picture is {shape}")


class _Graph:
    """Pixels as a graph: colours, what a step costs, and where no way leads. Fields have a frame of one pixel."""

    def __init__(
        self,
        pixels: NDArray[Any],
        colour_weight: float,
        neighbours: int,
        barriers: NDArray[np.bool_] | None,
        pixel_size: tuple[float, float],
    ) -> None:
        colours = np.asarray(pixels)
        if colours.ndim not in (2, 3) or colours.dtype.kind not in "buif":
            raise ValueError(f"pixels are real (height, width[, channels]); got {colours.dtype} {colours.shape}")
        if not 0 <= colour_weight <= 1:
            raise ValueError(f"colour_weight is a fraction from 0 to 1; got {colour_weight}")
        if neighbours not in (4, 8):
            raise ValueError(f"a pixel has 4 or 8 neighbours; got {neighbours}")
        if not all(math.isfinite(size) and size > 0 for size in pixel_size):
            raise ValueError(f"a pixel's height and width are above 0; got {pixel_size}")
        self.colours = _simple(colours if colours.ndim == 3 else colours[..., None])
        self.shape: tuple[int, int] = (colours.shape[0], colours.shape[1])
        self.weight = float(colour_weight)
        self.neighbours = neighbours
        self.open = _open(self.colours, barriers)
        high, wide = pixel_size
        flat = 1 - self.weight
        self.steps = np.array([flat * wide * wide, flat * high * high, flat * (high * high + wide * wide)])

    @cached_property
    def framed(self) -> Field:
        """What steps cost, as the kernels want it."""
        return step_costs(self.colours, self.open, self.weight, self.steps, self.neighbours)  # type: ignore[no-any-return]

    def distance(self, seeds: NDArray[np.bool_]) -> Field:
        """The framed field of shortest ways from the seeds; inf where there is none."""
        field = np.full((self.shape[0] + 2, self.shape[1] + 2), np.inf, np.float32)
        field[1:-1, 1:-1][self.open & seeds] = 0
        if HAS_NUMBA:
            cheapest = math.sqrt(self.steps[: 2 if self.neighbours == 4 else 3].min())
            spread(field, self.framed, self.neighbours, cheapest)
        else:
            _sweep_until_still(field[1:-1, 1:-1], self)
        return field

    def labels(self, field: Field, labels: NDArray[Any]) -> NDArray[np.int32]:
        """The lowest label that reaches each pixel along shortest ways."""
        rows, cols = np.nonzero(self.open & (labels >= 0))
        order = np.argsort(labels[rows, cols], kind="stable")
        rows, cols = rows[order], cols[order]
        nearest = np.full(field.shape, NO_LABEL, np.int32)
        values = labels[rows, cols].astype(np.int32)
        if HAS_NUMBA:
            inherit(nearest, (rows + 1) * field.shape[1] + cols + 1, values, field, self.framed, self.neighbours)
        else:
            nearest[rows + 1, cols + 1] = values
            _inherit_until_still(nearest[1:-1, 1:-1], field[1:-1, 1:-1], self)
        return nearest[1:-1, 1:-1].copy()

    def costs(self, down: int, across: int) -> Field:
        """What the step from (row, col) to (row + down, col + across) costs, for every pixel that has both."""
        height, width = self.shape
        left, right = max(0, -across), width - max(0, across)
        from_, to = np.s_[: height - down, left:right], np.s_[down:, left + across : right + across]
        squares = np.zeros((max(0, height - down), max(0, right - left)))
        with np.errstate(invalid="ignore", over="ignore"):
            for channel in range(self.colours.shape[2]):
                colour = self.colours[..., channel]
                squares += (colour[from_].astype(np.float64) - colour[to]) ** 2
            cost = np.sqrt(self.steps[step_kind(down, across)] + self.weight * squares).astype(np.float32)
        return np.where(self.open[from_] & self.open[to], cost, np.float32(np.inf))


def step_kind(down: int, across: int) -> int:
    """0 for a step along the row, 1 along the column, 2 for a diagonal one."""
    return 2 if down and across else int(down != 0)


def _simple(colours: NDArray[Any]) -> NDArray[Any]:
    """Colours in memory order, in one of the four dtypes the kernels are compiled for; no value changes."""
    kept = (np.uint8, np.uint16, np.float32, np.float64)
    if colours.dtype not in kept:
        small = colours.dtype.kind in "b" or colours.dtype.itemsize <= 2
        colours = colours.astype(np.float32 if small else np.float64)
    return np.ascontiguousarray(colours, colours.dtype.newbyteorder("="))


def _open(colours: NDArray[Any], barriers: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Where ways may lead: pixels that are finite in every channel and no barrier."""
    passable: NDArray[np.bool_] = np.broadcast_to(np.True_, colours.shape[:2])
    if colours.dtype.kind == "f":
        passable = np.ones(colours.shape[:2], bool)
        for channel in range(colours.shape[2]):
            passable &= np.isfinite(colours[..., channel])
    if barriers is not None:
        _check_shape("barriers", barriers, colours.shape[:2])
        passable = passable & ~np.asarray(barriers, bool)
    return passable


def _costs(graph: _Graph) -> Costs:
    """What the steps of a graph cost; inf at walls."""
    diagonal = (None, None) if graph.neighbours == 4 else (graph.costs(1, 1), graph.costs(1, -1))
    return Costs(graph.costs(0, 1), graph.costs(1, 0), *diagonal)


def _sweep_until_still(field: Field, graph: _Graph) -> None:
    """Shortest ways by sweeping, with numpy alone; in place."""
    costs = _costs(graph)
    before = np.full_like(field, np.nan)
    while not np.array_equal(before, field):
        before = field.copy()
        sweep(field, costs)


def _inherit_until_still(nearest: NDArray[np.int32], field: Field, graph: _Graph) -> None:
    """Lowest labels along shortest ways, with numpy alone: pixels ask their neighbours until nothing changes."""
    costs = _costs(graph)
    pairs: list[tuple[Field | None, Any, Any]] = [
        (costs.along, np.s_[:, :-1], np.s_[:, 1:]),
        (costs.down, np.s_[:-1], np.s_[1:]),
        (costs.right, np.s_[:-1, :-1], np.s_[1:, 1:]),
        (costs.left, np.s_[:-1, 1:], np.s_[1:, :-1]),
    ]
    both = [(cost, *way) for cost, a, b in pairs if cost is not None for way in ((a, b), (b, a))]
    ways = [(a, b, _on_way(cost, field[a], field[b])) for cost, a, b in both]
    nearest[nearest < 0] = np.iinfo(np.int32).max
    before = None
    while before is None or not np.array_equal(before, nearest):
        before = nearest.copy()
        for a, b, tight in ways:
            nearest[b] = np.where(tight, np.minimum(nearest[a], nearest[b]), nearest[b])
    nearest[nearest == np.iinfo(np.int32).max] = NO_LABEL


def _on_way(cost: Field, here: Field, there: Field) -> NDArray[np.bool_]:
    """Where the shortest way to `there` may come from `here`."""
    with np.errstate(over="ignore"):
        tight: NDArray[np.bool_] = np.isfinite(cost) & np.isfinite(there) & (here + cost == there)
    return tight
