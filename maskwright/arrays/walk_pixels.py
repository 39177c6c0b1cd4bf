"""A random walk's equations solved on the pixels themselves: no matrix, a few planes of numbers.

Conjugate gradients, each step made good by `walk_cycles`. What decides is kept in float64 (the residual: sums over
thousands of strongly bonded pixels must not lose a bond of 1e-10), all that only has to point the right way in float32.
The direction does, for the residual loses what the direction, as it was rounded, makes flow: flows are of float64.
`right` and `down` are each pixel's bonds to those neighbours; the last column of `right` and the last row of `down` are
0, so index -1, which is the far side, adds nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.compiled import compiled
from maskwright.arrays.walk_cycles import solve_roughly
from maskwright.arrays.walk_groups import Level, Room, levels_of

MOST_ITERATIONS = 300


@dataclass(frozen=True, eq=False)
class PixelWalk:
    """The equations of the unknown pixels, ready to be solved for one class after the other."""

    right: NDArray[np.float32]
    down: NDArray[np.float32]
    unknown: NDArray[np.bool_]
    group: NDArray[np.int32]
    levels: list[Level]
    residual: NDArray[np.float64]
    direction: NDArray[np.float32]

    @classmethod
    def of(
        cls,
        right: NDArray[np.float32],
        down: NDArray[np.float32],
        unknown: NDArray[np.bool_],
        room: NDArray[np.float32],
    ) -> PixelWalk:
        """`room` is written on: the result's own memory will do, which is not needed yet."""
        pixels = right.size
        vectors = np.empty(3 * pixels, np.float32)  # room, too, until the groups are made
        group, levels = levels_of(right, down, unknown, Room(vectors, room.reshape(-1)))
        residual, direction = vectors[: 2 * pixels].view(np.float64), vectors[2 * pixels :]
        return cls(right, down, unknown, group, levels, residual.reshape(right.shape), direction.reshape(right.shape))

    def solve(self, values: NDArray[np.float32], tolerance: float, step: NDArray[np.float32]) -> bool:
        """Add to `values`, in place, what unknown pixels miss, until no correction is above the tolerance.

        False if that was not reached. `step`, a plane, is written on.
        """
        bonds = self.right, self.down, self.unknown
        residual, direction = self.residual, self.direction
        residual[:], direction[:] = 0, 0
        _start(*bonds, values, residual)
        energy = 1.0
        for _ in range(MOST_ITERATIONS):
            largest, gain, along = self._step(residual, direction, step)
            if not (math.isfinite(gain) and math.isfinite(along)):
                return False
            if largest <= tolerance:
                return True
            _turn(step, direction, -along / energy)
            energy = _energy(self.right, self.down, direction)
            _advance(*bonds, direction, gain / energy, values, residual)
        return False

    def _step(self, residual: Any, direction: Any, step: Any) -> tuple[float, float, float]:
        """Fill `step`; its largest value, its product with the residual, and with the flow of the last direction."""
        coarse = np.empty(0, np.float32)
        bonds = self.right, self.down, self.unknown
        _smooth_forward(*bonds, residual, step)
        if self.levels:
            coarse = self.levels[0].guess
            _restrict(self.right, self.down, self.group, step, self.levels[0].right)
            solve_roughly(self.levels, residual.size)
        largest, gain, along = _smooth_backward(*bonds, residual, self.group, coarse, direction, step)
        return largest, gain, along


@compiled
def _flow_in(right: Any, down: Any, values: Any, row: int, col: int) -> Any:
    """What flows into a pixel from its four neighbours."""
    here = np.float64(values[row, col])
    below, after = min(row + 1, values.shape[0] - 1), min(col + 1, values.shape[1] - 1)
    across = right[row, col] * (values[row, after] - here) + right[row, col - 1] * (values[row, col - 1] - here)
    return across + (down[row, col] * (values[below, col] - here) + down[row - 1, col] * (values[row - 1, col] - here))


@compiled
def _start(right: Any, down: Any, unknown: Any, values: Any, residual: Any) -> None:
    for row in range(values.shape[0]):
        for col in range(values.shape[1]):
            if unknown[row, col]:
                residual[row, col] = _flow_in(right, down, values, row, col)


@compiled
def _advance(right: Any, down: Any, unknown: Any, direction: Any, length: float, values: Any, residual: Any) -> None:
    for row in range(values.shape[0]):
        for col in range(values.shape[1]):
            if unknown[row, col]:
                values[row, col] += length * direction[row, col]
                residual[row, col] += length * _flow_in(right, down, direction, row, col)


@compiled
def _turn(step: Any, direction: Any, factor: float) -> None:
    for row in range(step.shape[0]):
        for col in range(step.shape[1]):
            direction[row, col] = step[row, col] + factor * direction[row, col]


@compiled
def _energy(right: Any, down: Any, values: Any) -> float:
    """Each bond times its squared difference, summed; seeds are 0."""
    height, width = values.shape
    total = 0.0
    for row in range(height):
        below = min(row + 1, height - 1)
        for col in range(width):
            here = np.float64(values[row, col])
            across, along = here - values[row, min(col + 1, width - 1)], here - values[below, col]
            total += right[row, col] * across * across + down[row, col] * along * along
    return total


@compiled
def _smooth_forward(right: Any, down: Any, unknown: Any, residual: Any, step: Any) -> None:
    """Gauss-Seidel from nothing, first pixel to last."""
    for row in range(step.shape[0]):
        left = before = np.float32(0)
        for col in range(step.shape[1]):
            above, after = down[row - 1, col], right[row, col]
            part = np.float32(1) / (left + above + after + down[row, col])
            pulls = np.float32(residual[row, col]) + above * step[row - 1, col]
            value = pulls * part + (left * part) * before
            before = value if unknown[row, col] else np.float32(0)
            step[row, col] = before
            left = after


@compiled
def _restrict(right: Any, down: Any, group: Any, step: Any, coarse: Any) -> None:
    """What `_smooth_forward` left undone, summed by group: the bonds to pixels that had their value only later."""
    height, width = step.shape
    coarse[:] = 0
    for row in range(height):
        below = min(row + 1, height - 1)
        for col in range(width):
            if group[row, col] >= 0:
                pulled = right[row, col] * step[row, min(col + 1, width - 1)] + down[row, col] * step[below, col]
                coarse[group[row, col]] += pulled


@compiled
def _correct(group: Any, coarse: Any, step: Any, row: int) -> None:
    for col in range(step.shape[1]):
        if group[row, col] >= 0:
            step[row, col] += coarse[group[row, col]]


@compiled
def _smooth_backward(
    right: Any, down: Any, unknown: Any, residual: Any, group: Any, coarse: Any, direction: Any, step: Any
) -> Any:
    """The groups' correction, row by row ahead of Gauss-Seidel from the last pixel to the first; see `_step`."""
    height, width = step.shape
    largest, gain, along = np.float32(0), 0.0, 0.0
    _correct(group, coarse, step, height - 1)
    for row in range(height - 1, -1, -1):
        below = min(row + 1, height - 1)
        if row:
            _correct(group, coarse, step, row - 1)
        before = np.float32(0)
        for col in range(width - 1, -1, -1):
            above, under, left, after = down[row - 1, col], down[row, col], right[row, col - 1], right[row, col]
            part = np.float32(1) / (left + above + after + under)
            pulls = above * step[row - 1, col] + left * step[row, col - 1] + under * step[below, col]
            value = (np.float32(residual[row, col]) + pulls) * part + (after * part) * before
            before = value if unknown[row, col] else np.float32(0)
            step[row, col] = before
            largest = max(largest, abs(before))
            gain += before * residual[row, col]
            along -= before * _flow_in(right, down, direction, row, col)
    return largest, gain, along
