"""Distances that grow where colours change, and the nearest seed by them: exact shortest paths over the pixels.

The pixels are a graph of 4 or 8 neighbours whose edges cost sqrt((1 - w) * step^2 + w * colour difference^2).
Distances add up in float32 along a path, and the least such sum is one number in whatever order it is found, so the
compiled queue of `ways` and the plain numpy sweeps of this file give the same bits.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.blocks import blocks
from maskwright.arrays.compiled import HAS_NUMBA
from maskwright.arrays.raster import Costs, sweep
from maskwright.arrays.ways import UNREACHED, WALL, spread

NO_LABEL = -1
LABEL_BITS = 32

_NO_LABEL_YET = np.iinfo(np.int32).max
_CORE = np.s_[1:-1, 1:-1]

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
    shortest paths does not divide. Without numba what steps cost is kept: some 30 bytes per pixel, 45 with labels.

    >>> pixels = np.array([[0, 0, 30, 30, 0]])
    >>> geodesic_distance(pixels, pixels[:, :] < 0, colour_weight=0.0)
    array([[inf, inf, inf, inf, inf]], dtype=float32)
    >>> geodesic_distance(pixels, np.array([[True, False, False, False, False]]), colour_weight=1.0)
    array([[ 0.,  0., 30., 30., 60.]], dtype=float32)
    """
    graph = _Graph(pixels, colour_weight, neighbours, barriers, pixel_size)
    _check_shape("seeds", seeds, graph.shape)
    return graph.distance(np.asarray(seeds, bool))


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
    return graph.nearest(np.asarray(labels))


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
        self.colours = colours if colours.ndim == 3 else colours[..., None]
        self.shape: tuple[int, int] = (colours.shape[0], colours.shape[1])
        self.weight = float(colour_weight)
        self.neighbours = neighbours
        self.open = _open(self.colours, barriers)
        high, wide = pixel_size
        flat = 1 - self.weight
        self.steps = np.array([flat * wide * wide, flat * high * high, flat * (high * high + wide * wide)])

    def distance(self, seeds: NDArray[np.bool_]) -> Field:
        """The shortest ways from the seeds; inf where there is none."""
        if HAS_NUMBA:
            return _distances(self._keys(np.int32, seeds, 0), 0)
        field = np.full(self.shape, np.inf, np.float32)
        field[self.open & seeds] = 0
        _sweep_until_still(field, _costs(self))
        return field

    def nearest(self, labels: NDArray[Any]) -> tuple[NDArray[np.int32], Field]:
        """The lowest label that reaches each pixel along shortest ways, and how long they are."""
        if HAS_NUMBA:
            keys = self._keys(np.int64, labels >= 0, labels)
            distance = _distances(keys, LABEL_BITS)
            nearest = (keys[_CORE] & (2**LABEL_BITS - 1)).astype(np.int32)
        else:
            distance = self.distance(labels >= 0)
            nearest = np.full(self.shape, _NO_LABEL_YET, np.int32)
            np.copyto(nearest, labels, where=self.open & (labels >= 0), casting="unsafe")
            _inherit_until_still(nearest, distance, _costs(self))
        nearest[np.isinf(distance)] = NO_LABEL
        return nearest, distance

    def _keys(self, dtype: Any, seeds: NDArray[np.bool_], labels: Any) -> NDArray[Any]:
        """Framed keys of all pixels, as `ways` has them, once everything is reached: distance above, label below."""
        shift = LABEL_BITS if dtype == np.int64 else 0
        keys = np.full((self.shape[0] + 2, self.shape[1] + 2), WALL, dtype)
        np.copyto(keys[_CORE], UNREACHED << shift, where=self.open)
        np.copyto(keys[_CORE], labels, where=self.open & seeds, casting="unsafe")
        places = np.empty(0, np.int32 if 2 * keys.size < 2**31 else np.int64)
        spread(keys, self._framed_colours(), self.weight, self.steps, self.neighbours, shift, places)
        return keys

    def _framed_colours(self) -> NDArray[Any]:
        """Colours with a frame of one pixel, 0 where they are not finite; none at all where colour does not count."""
        height, width, channels = self.colours.shape
        framed = np.zeros((height + 2, width + 2, channels if self.weight else 0), _kernel_dtype(self.colours.dtype))
        if self.weight:
            np.copyto(framed[_CORE], self.colours, where=self.open[..., None], casting="unsafe")
        return framed

    def costs(self, down: int, across: int) -> Field:
        """What the step from (row, col) to (row + down, col + across) costs, for every pixel that has both."""
        height, width = self.shape
        left, right = max(0, -across), width - max(0, across)
        from_, to = np.s_[: height - down, left:right], np.s_[down:, left + across : right + across]
        cost = np.full((max(0, height - down), max(0, right - left)), np.inf, np.float32)
        for block in blocks(cost.shape):
            here, there = self.colours[from_][block], self.colours[to][block]
            known = self.open[from_][block] & self.open[to][block]
            np.copyto(cost[block], self._cost(here, there, self.steps[step_kind(down, across)]), where=known)
        return cost

    def _cost(self, here: NDArray[Any], there: NDArray[Any], step: float) -> Field:
        squares = np.zeros(here.shape[:2])
        with np.errstate(invalid="ignore", over="ignore"):
            for channel in range(here.shape[2] if self.weight else 0):
                squares += (here[..., channel].astype(np.float64) - there[..., channel]) ** 2
            cost: Field = np.sqrt(step + self.weight * squares).astype(np.float32)
        return cost


def step_kind(down: int, across: int) -> int:
    """0 for a step along the row, 1 along the column, 2 for a diagonal one."""
    return 2 if down and across else int(down != 0)


def _kernel_dtype(dtype: np.dtype[Any]) -> Any:
    """The one of four dtypes the kernels are compiled for that holds these colours; no value changes."""
    if dtype in (np.uint8, np.uint16, np.float32, np.float64):
        return dtype.newbyteorder("=")
    return np.float32 if dtype.kind == "b" or dtype.itemsize <= 2 else np.float64


def _open(colours: NDArray[Any], barriers: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Where ways may lead: pixels that are finite in every channel and no barrier."""
    passable: NDArray[np.bool_] = np.broadcast_to(np.True_, colours.shape[:2])
    if colours.dtype.kind == "f":
        passable = np.ones(colours.shape[:2], bool)
        for channel in range(colours.shape[2]):
            passable &= np.isfinite(colours[..., channel].astype(_kernel_dtype(colours.dtype), copy=False))
    if barriers is not None:
        _check_shape("barriers", barriers, colours.shape[:2])
        passable = passable & ~np.asarray(barriers, bool)
    return passable


def _costs(graph: _Graph) -> Costs:
    """What the steps of a graph cost; inf at walls."""
    diagonal = (None, None) if graph.neighbours == 4 else (graph.costs(1, 1), graph.costs(1, -1))
    return Costs(graph.costs(0, 1), graph.costs(1, 0), *diagonal)


def _distances(keys: NDArray[Any], shift: int) -> Field:
    """The distances in framed keys; inf at walls."""
    bits = (keys[_CORE] >> shift).astype(np.int32)
    bits[bits == WALL] = UNREACHED
    return bits.view(np.float32)


def _sweep_until_still(field: Field, costs: Costs) -> None:
    """Shortest ways by sweeping, with numpy alone; in place."""
    before = np.full_like(field, np.nan)
    while not np.array_equal(before, field):
        before = field.copy()
        sweep(field, costs)


def _inherit_until_still(nearest: NDArray[np.int32], field: Field, costs: Costs) -> None:
    """Lowest labels along shortest ways, with numpy alone: pixels ask their neighbours until nothing changes."""
    pairs: list[tuple[Field | None, Any, Any]] = [
        (costs.along, np.s_[:, :-1], np.s_[:, 1:]),
        (costs.down, np.s_[:-1], np.s_[1:]),
        (costs.right, np.s_[:-1, :-1], np.s_[1:, 1:]),
        (costs.left, np.s_[:-1, 1:], np.s_[1:, :-1]),
    ]
    both = [(cost, *way) for cost, a, b in pairs if cost is not None for way in ((a, b), (b, a))]
    ways = [(a, b, _on_way(cost, field[a], field[b])) for cost, a, b in both]
    before = None
    while before is None or not np.array_equal(before, nearest):
        before = nearest.copy()
        for a, b, tight in ways:
            nearest[b] = np.where(tight, np.minimum(nearest[a], nearest[b]), nearest[b])


def _on_way(cost: Field, here: Field, there: Field) -> NDArray[np.bool_]:
    """Where the shortest way to `there` may come from `here`."""
    with np.errstate(over="ignore"):
        tight: NDArray[np.bool_] = np.isfinite(cost) & np.isfinite(there) & (here + cost == there)
    return tight
