"""Distances by sweeping rows and columns, as raster scans do: a fixed number of sweeps, or until nothing changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskwright.arrays.blocks import blocks
from maskwright.arrays.compiled import compiled

Field = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Costs:
    """What a step between neighbours costs, float32, both ways alike; None where such steps are not allowed.

    `along[r, c]` joins (r, c) and (r, c + 1), `down[r, c]` joins (r, c) and (r + 1, c), `right[r, c]` joins (r, c) and
    (r + 1, c + 1), `left[r, c]` joins (r, c + 1) and (r + 1, c).
    """

    along: Field
    down: Field
    right: Field | None
    left: Field | None

    @property
    def transposed(self) -> Costs:
        """The same steps in the picture with rows and columns exchanged."""
        diagonal = (None, None) if self.right is None or self.left is None else (self.right.T, self.left.T)
        return Costs(self.down.T, self.along.T, *diagonal)


def raster_geodesic(
    pixels: NDArray[Any],
    seeds_soft: ArrayLike,
    *,
    colour_weight: float,
    iterations: int = 2,
    scheme: Literal["parallel", "sequential"] = "parallel",
    unseeded: float = 1e10,
) -> Field:
    """Geodesic distance as published raster scans compute it, for parity; `geodesic_distance` is exact and faster.

    `pixels` (height, width) or (height, width, channels); `seeds_soft` (height, width) in [0, 1] is 0 on seeds and 1
    where nothing is known: distances start at `unseeded` times it. A step costs (1 - w) * step + w * (sum over channels
    of the absolute difference), w being `colour_weight`, step 1 or sqrt(2): linear, unlike `geodesic_distance`. All
    float32. One iteration of "parallel" sweeps rows down and up, then columns right and left; of "sequential" it goes
    forward and backward through the pixels in reading order, using what it has just written. With colour a few
    iterations are not converged. Steps to pixels that are NaN lead nowhere. Without a seed all is `unseeded`.
    One thread: each row waits for the one before, and the order is part of the answer.

    >>> pixels = np.array([[0, 0, 10], [0, 5, 5]])
    >>> raster_geodesic(pixels, [[0, 1, 1], [1, 1, 1]], colour_weight=0.5, scheme="sequential")
    array([[0.       , 0.5      , 6.       ],
           [0.5      , 3.2071068, 3.7071068]], dtype=float32)
    """
    colours = np.asarray(pixels)
    colours = colours if colours.ndim == 3 else colours[..., None]
    soft = np.asarray(seeds_soft, np.float32)
    if colours.ndim != 3 or soft.shape != colours.shape[:2]:
        raise ValueError(f"pixels are {np.shape(pixels)} but seeds are {soft.shape}")
    if scheme not in ("parallel", "sequential"):
        raise ValueError(f"a scheme is 'parallel' or 'sequential'; got {scheme!r}")
    field: Field = np.float32(unseeded) * soft
    costs = _linear_costs(colours, colour_weight)
    for _ in range(iterations):
        if scheme == "parallel":
            sweep(field, costs)
        else:
            _forward(field, costs)
            _forward(field[::-1, ::-1], _turned(costs))
    return field


def sweep(field: Field, costs: Costs) -> None:
    """Shorten distances in place: rows downwards and upwards, then columns to the right and to the left."""
    for view, steps in ((field, costs), (field.T, costs.transposed)):
        for row in range(1, len(view)):
            _from_above(view, steps, row)
        for row in range(len(view) - 2, -1, -1):
            _from_below(view, steps, row)


def _from_above(field: Field, costs: Costs, row: int) -> None:
    above, here = field[row - 1], field[row]
    _shorten(here, above, costs.down[row - 1])
    if costs.right is not None and costs.left is not None:
        _shorten(here[1:], above[:-1], costs.right[row - 1])
        _shorten(here[:-1], above[1:], costs.left[row - 1])


def _from_below(field: Field, costs: Costs, row: int) -> None:
    below, here = field[row + 1], field[row]
    _shorten(here, below, costs.down[row])
    if costs.right is not None and costs.left is not None:
        _shorten(here[:-1], below[1:], costs.right[row])
        _shorten(here[1:], below[:-1], costs.left[row])


def _shorten(here: Field, there: Field, cost: Field) -> None:
    with np.errstate(over="ignore", invalid="ignore"):  # a way too long for float32 is no way
        np.fmin(here, there + cost, out=here)


def _forward(field: Field, costs: Costs) -> None:
    """One pass in reading order: each row from the one above it, then along itself."""
    for row in range(len(field)):
        if row:
            _from_above(field, costs, row)
        _walk(field[row], costs.along[row])


@compiled
def _walk(row: Any, cost: Any) -> None:
    for col in range(1, len(row)):
        way = row[col - 1] + cost[col - 1]
        if way < row[col]:
            row[col] = way


def _turned(costs: Costs) -> Costs:
    """The steps of the picture turned upside down, which makes a backward pass a forward one."""
    turned = [None if each is None else each[::-1, ::-1] for each in (costs.right, costs.left)]
    return Costs(costs.along[::-1, ::-1], costs.down[::-1, ::-1], *turned)


def _linear_costs(colours: NDArray[Any], weight: float) -> Costs:
    here = {
        "along": (colours[:, :-1], colours[:, 1:]),
        "down": (colours[:-1], colours[1:]),
        "right": (colours[:-1, :-1], colours[1:, 1:]),
        "left": (colours[:-1, 1:], colours[1:, :-1]),
    }
    steps = {"along": 1.0, "down": 1.0, "right": np.sqrt(2.0), "left": np.sqrt(2.0)}
    costs = {name: np.empty(a.shape[:2], np.float32) for name, (a, _) in here.items()}
    for name, (a, b) in here.items():
        for block in blocks(a.shape[:2]):
            far = np.abs(a[block].astype(np.float32) - b[block].astype(np.float32)).sum(axis=-1, dtype=np.float32)
            costs[name][block] = np.float32((1 - weight) * steps[name]) + np.float32(weight) * far
    return Costs(**costs)
