"""A random walk's equations solved on the pixels themselves: no matrix, a few planes of numbers.

Conjugate gradients, each step made good by `walk_cycles`. What decides is exact: sums of what flows into thousands of
strongly bonded pixels must not lose a bond of 1e-10. So values have 39 bits behind the point (float32, and `low` for
what that rounds off), what flows is found anew from them whenever it is needed, in float64, and what one pixel loses
its neighbour gains to the last bit. All that only has to point the right way is float32.
The last column of `bonds.right` and the last row of `bonds.down` are 0, so index -1, which is the far side, adds
nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.compiled import compiled
from maskwright.arrays.walk_bonds import Bonds
from maskwright.arrays.walk_cycles import solve_roughly
from maskwright.arrays.walk_groups import Level, Room, levels_of

MOST_ITERATIONS = 300
LOWEST = 2.0**-39  # the unit of `low`: 16 bits of it are the rounding of a float32 below 2


@dataclass(frozen=True, eq=False)
class PixelWalk:
    """The equations of the unknown pixels, ready to be solved for one class after the other."""

    bonds: Bonds
    unknown: NDArray[np.bool_]
    group: NDArray[np.int32]
    levels: list[Level]
    direction: NDArray[np.float32]
    low: NDArray[np.int16]

    @classmethod
    def of(cls, bonds: Bonds, unknown: NDArray[np.bool_], room: NDArray[np.float32]) -> PixelWalk:
        """`room` is written on: the result's own memory will do, which is not needed yet."""
        pixels = unknown.size
        vectors = np.empty((3 * pixels + 1) // 2, np.float32)  # room, too, until the groups are made
        group, levels = levels_of(bonds, unknown, Room(vectors, room.reshape(-1)))
        direction, low = vectors[:pixels], vectors[pixels:].view(np.int16)[:pixels]
        return cls(bonds, unknown, group, levels, direction.reshape(unknown.shape), low.reshape(unknown.shape))

    def solve(self, values: NDArray[np.float32], tolerance: float, step: NDArray[np.float32]) -> bool:
        """Add to `values`, in place, what unknown pixels miss, until no correction is above the tolerance.

        False if that was not reached. `step`, a plane, is written on.
        """
        direction = self.direction
        direction[:], self.low[:] = 0, 0
        energy = 1.0
        for _ in range(MOST_ITERATIONS):
            largest, gain, along = self._step(values, step)
            if not (math.isfinite(gain) and math.isfinite(along)):
                return False
            if largest <= tolerance:
                return True
            energy = _turn(self.bonds, step, direction, -along / energy)
            _advance(direction, gain / energy, values, self.low)
        return False

    def _step(self, values: Any, step: Any) -> tuple[float, float, float]:
        """Fill `step`; its largest value, its product with what is left, and with the flow of the last direction."""
        coarse = np.empty(0, np.float32)
        places = self.bonds, self.unknown, values, self.low
        _smooth_forward(*places, step)
        if self.levels:
            coarse = self.levels[0].guess
            _restrict(self.bonds, self.group, step, self.levels[0].right)
            solve_roughly(self.levels, step.size)
        largest, gain, along = _smooth_backward(*places, self.group, coarse, self.direction, step)
        return largest, gain, along


@compiled
def _look_up(table: Any, codes: Any, found: Any) -> None:
    for col in range(len(codes)):
        found[col] = table[codes[col]]


@compiled
def _read(values: Any, low: Any, exact: Any) -> None:
    for col in range(len(values)):
        exact[col] = values[col] + LOWEST * low[col]


@compiled
def _flow(near: Any, far: Any, after: Any, toward: Any, passed: Any, flow: Any) -> None:
    """What flows into each pixel of the row `near`, whose bonds are `after` to the right and `toward` the row `far`.

    `passed` is what it lost to the row before, and becomes what `far` loses to it.
    """
    for col in range(len(near)):
        gained = toward[col] * (np.float64(far[col]) - near[col])
        flow[col] = gained - passed[col]
        passed[col] = gained
    for col in range(len(near) - 1):
        flow[col] += after[col] * (np.float64(near[col + 1]) - near[col])
    for col in range(len(near) - 1):
        flow[col + 1] -= after[col] * (np.float64(near[col + 1]) - near[col])


@compiled
def _smooth_forward(bonds: Any, unknown: Any, values: Any, low: Any, step: Any) -> None:
    """Gauss-Seidel from nothing, first pixel to last."""
    height, width = step.shape
    above, after, under = np.zeros((3, width), np.float32)
    near, far, passed, flow = np.zeros((4, width))
    _read(values[0], low[0], near)
    for row in range(height):
        below = min(row + 1, height - 1)
        _look_up(bonds.table, bonds.right[row], after)
        _look_up(bonds.table, bonds.down[row], under)
        _read(values[below], low[below], far)
        _flow(near, far, after, under, passed, flow)
        left = before = np.float32(0)
        for col in range(width):
            part = np.float32(1) / (left + above[col] + after[col] + under[col])
            pulls = np.float32(flow[col]) + above[col] * step[row - 1, col]
            value = pulls * part + (left * part) * before
            before = value if unknown[row, col] else np.float32(0)
            step[row, col] = before
            left = after[col]
        above, under = under, above
        near, far = far, near


@compiled
def _restrict(bonds: Any, group: Any, step: Any, coarse: Any) -> None:
    """What `_smooth_forward` left undone, summed by group: the bonds to pixels that had their value only later."""
    height, width = step.shape
    coarse[:] = 0
    for row in range(height):
        below = min(row + 1, height - 1)
        for col in range(width):
            if group[row, col] >= 0:
                after, under = bonds.table[bonds.right[row, col]], bonds.table[bonds.down[row, col]]
                coarse[group[row, col]] += after * step[row, min(col + 1, width - 1)] + under * step[below, col]


@compiled
def _correct(group: Any, coarse: Any, step: Any) -> None:
    for col in range(len(step)):
        if group[col] >= 0:
            step[col] += coarse[group[col]]


@compiled
def _smooth_backward(
    bonds: Any, unknown: Any, values: Any, low: Any, group: Any, coarse: Any, direction: Any, step: Any
) -> Any:
    """The groups' correction, row by row ahead of Gauss-Seidel from the last pixel to the first; see `_step`."""
    height, width = step.shape
    above, after, under = np.zeros((3, width), np.float32)
    near, far, passed, flow, run, spread = np.zeros((6, width))
    largest, gain, along = np.float32(0), 0.0, 0.0
    _correct(group[-1], coarse, step[-1])
    _read(values[-1], low[-1], near)
    for row in range(height - 1, -1, -1):
        over, below = max(row - 1, 0), min(row + 1, height - 1)
        _look_up(bonds.table, bonds.right[row], after)
        _look_up(bonds.table, bonds.down[row - 1], above)
        _read(values[over], low[over], far)
        _flow(near, far, after, above, passed, flow)
        _flow(direction[row], direction[over], after, above, run, spread)
        if row:
            _correct(group[over], coarse, step[over])
        right = before = np.float32(0)
        for col in range(width - 1, -1, -1):
            left = after[col - 1]
            part = np.float32(1) / (left + above[col] + right + under[col])
            pulls = above[col] * step[row - 1, col] + left * step[row, col - 1] + under[col] * step[below, col]
            value = (np.float32(flow[col]) + pulls) * part + (right * part) * before
            before = value if unknown[row, col] else np.float32(0)
            step[row, col] = before
            right = left
            largest = max(largest, abs(before))
            gain += before * flow[col]
            along -= before * spread[col]
        above, under = under, above
        near, far = far, near
    return largest, gain, along


@compiled
def _turn(bonds: Any, step: Any, direction: Any, factor: float) -> float:
    """The new direction, and its energy: each bond times its squared difference, summed; seeds are 0."""
    height, width = step.shape
    total = 0.0
    for row in range(height - 1, -1, -1):
        below = min(row + 1, height - 1)
        for col in range(width):
            direction[row, col] = step[row, col] + factor * direction[row, col]
        for col in range(width):
            here = np.float64(direction[row, col])
            across, along = here - direction[row, min(col + 1, width - 1)], here - direction[below, col]
            after, under = bonds.table[bonds.right[row, col]], bonds.table[bonds.down[row, col]]
            total += after * across * across + under * along * along
    return total


@compiled
def _advance(direction: Any, length: float, values: Any, low: Any) -> None:
    for row in range(values.shape[0]):
        for col in range(values.shape[1]):
            exact = values[row, col] + LOWEST * low[row, col] + length * direction[row, col]
            rounded = np.float32(exact)
            rest = np.rint((exact - rounded) / LOWEST)
            values[row, col] = rounded
            low[row, col] = np.int16(min(max(rest, -32768.0), 32767.0))
