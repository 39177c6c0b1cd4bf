"""A random walk's equations as sparse matrices: the plain path without numba, and the direct solution.

Conjugate gradients with an algebraic multigrid (smoothed aggregation) in front: contrast makes some bonds ten billion
times weaker than others, and then only a coarsening that follows the strong bonds keeps the iterations few.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse.linalg
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve

from maskwright.arrays.compiled import compiled
from maskwright.arrays.walk_bonds import Bonds

STRONG = 0.08  # a bond counts for coarsening if it is this strong among its pixels' bonds
FEW = 400  # so many unknowns are solved directly
MOST_ITERATIONS = 300

Matrix = Any
Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MatrixWalk:
    """The equations of the unknown pixels, ready to be solved for one class after the other.

    Their hierarchy takes about 430 bytes per pixel.
    """

    right: NDArray[np.float32]
    down: NDArray[np.float32]
    unknown: NDArray[np.bool_]
    matrix: Matrix
    levels: list[_Level]
    coarsest: Any

    @classmethod
    def of(cls, bonds: Bonds, unknown: NDArray[np.bool_], _room: NDArray[np.float32]) -> MatrixWalk:
        """The room is left alone: matrices bring their own."""
        right, down = bonds.planes()
        matrix = matrix_of(right, down, unknown)
        return cls(right, down, unknown, matrix, *_hierarchy(matrix))

    def solve(self, values: NDArray[np.float32], tolerance: float, _step: NDArray[np.float32]) -> bool:
        """Write the unknown pixels of `values` until no correction is above the tolerance; False if that failed."""
        pull = pull_of(self.right, self.down, self.unknown, values)
        found = _conjugate_gradients(self.matrix, self.levels, self.coarsest, pull, tolerance)
        if found is None:
            return False
        values[self.unknown] = found
        return True


def solve_directly(bonds: Bonds, unknown: NDArray[np.bool_], values: NDArray[np.float32]) -> None:
    """Write the unknown pixels of `values` by factorizing their matrix."""
    right, down = bonds.planes()
    matrix = matrix_of(right, down, unknown).tocsc()
    symmetric = {"SymmetricMode": True}
    factors = scipy.sparse.linalg.splu(matrix, "MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=symmetric)
    values[unknown] = factors.solve(pull_of(right, down, unknown, values))


def matrix_of(right: NDArray[np.float32], down: NDArray[np.float32], unknown: NDArray[np.bool_]) -> Matrix:
    """The Laplacian of the unknown pixels, in their order; bonds to seeds count on its diagonal."""
    count = int(unknown.sum())
    number = np.full(unknown.shape, -1, np.int32)
    number[unknown] = np.arange(count, dtype=np.int32)
    parts = []
    for bonds, a, b in ((right[:, :-1], number[:, :-1], number[:, 1:]), (down[:-1], number[:-1], number[1:])):
        both = (a >= 0) & (b >= 0) & (bonds > 0)
        parts.append((a[both], b[both], bonds[both]))
    start, end, weight = (np.concatenate(each) for each in zip(*parts, strict=True))
    half = sparse.csr_array((-weight.astype(np.float64), (start, end)), shape=(count, count))
    total = _gathered(right, down, np.ones(unknown.shape, np.float32))[unknown]
    return (half + half.T + sparse.diags_array(total)).tocsr()


def pull_of(
    right: NDArray[np.float32], down: NDArray[np.float32], unknown: NDArray[np.bool_], values: NDArray[np.float32]
) -> Vector:
    """What the values of the known pixels contribute to each unknown one."""
    return _gathered(right, down, np.where(unknown, np.float32(0), values))[unknown]


def _gathered(right: NDArray[np.float32], down: NDArray[np.float32], values: NDArray[np.float32]) -> Vector:
    """Bonds times values of the four neighbours, summed."""
    total = np.zeros(values.shape)
    across, along = right[:, :-1].astype(np.float64), down[:-1].astype(np.float64)
    total[:, :-1] += across * values[:, 1:]
    total[:, 1:] += across * values[:, :-1]
    total[:-1] += along * values[1:]
    total[1:] += along * values[:-1]
    return total


@dataclass(frozen=True, eq=False)
class _Level:
    """One grid of the hierarchy: its matrix, its smoother, and the way to the next coarser one and back."""

    matrix: Matrix
    smoother: NDArray[np.float64]
    up: Matrix
    down: Matrix


def _hierarchy(matrix: Matrix) -> tuple[list[_Level], Any]:
    """Coarser and coarser matrices until few unknowns are left; their factors."""
    levels: list[_Level] = []
    while matrix.shape[0] > FEW:
        strong, groups, count = _groups(matrix, STRONG)
        if count > 0.7 * matrix.shape[0]:
            strong, groups, count = _groups(matrix, 0.0)
        if not count:  # nobody has a neighbour: the smoother is all there is to do
            return [*levels, _Level(matrix, 1 / matrix.diagonal(), None, None)], None
        grouped = np.flatnonzero(groups >= 0)
        ones = (np.ones(len(grouped)), (grouped, groups[grouped]))
        simple = sparse.csr_array(ones, shape=(len(groups), count))
        up = (simple - sparse.diags_array((2 / 3) / strong.diagonal()) @ (strong @ simple)).tocsr()
        down = up.T.tocsr()
        levels.append(_Level(matrix, (2 / 3) / matrix.diagonal(), up, down))
        matrix = (down @ matrix @ up).tocsr()
    dense = matrix.toarray()
    np.fill_diagonal(dense, dense.diagonal() * (1 + 1e-14))
    return levels, cho_factor(dense)


def _groups(matrix: Matrix, threshold: float) -> tuple[Matrix, NDArray[np.int32], int]:
    """The strong bonds, the group of each unknown (-2 for those without any bond), and how many groups there are."""
    strong = _strong_bonds(matrix, matrix.diagonal(), threshold)
    groups = np.where(np.diff(matrix.indptr) == 1, np.int32(-2), np.int32(-1))
    return strong, groups, _aggregate(strong.indptr, strong.indices, strong.data, groups)


def _strong_bonds(matrix: Matrix, diagonal: NDArray[np.float64], threshold: float) -> Matrix:
    """The matrix without weak bonds, which are added to the diagonal so that rows keep their sums."""
    entries = matrix.tocoo()
    row, col = entries.coords
    root = np.sqrt(diagonal)
    strong = (row != col) & (np.abs(entries.data) >= threshold * root[row] * root[col])
    kept = sparse.csr_array((entries.data[strong], (row[strong], col[strong])), shape=matrix.shape)
    lumped = matrix.sum(axis=1) - kept.sum(axis=1)
    lumped = np.maximum(lumped, 1e-3 * diagonal)
    return (kept + sparse.diags_array(lumped)).tocsr()


@compiled
def _aggregate(first: Any, neighbours: Any, values: Any, groups: Any) -> int:
    """Give every unknown a group: free neighbourhoods become groups, then the rest joins its strongest neighbour's."""
    count = 0
    for here in range(len(groups)):
        free = groups[here] == -1 and first[here + 1] - first[here] > 1
        for k in range(first[here], first[here + 1]):
            free &= groups[neighbours[k]] == -1
        if free:
            for k in range(first[here], first[here + 1]):
                groups[neighbours[k]] = count
            count += 1
    settled = groups.copy()
    for here in range(len(groups)):
        if settled[here] != -1:
            continue
        best, strength = -1, 0.0
        for k in range(first[here], first[here + 1]):
            if settled[neighbours[k]] >= 0 and -values[k] > strength:
                best, strength = settled[neighbours[k]], -values[k]
        groups[here] = best
        if best < 0:
            groups[here] = count
            count += 1
    return count


def _cycle(levels: list[_Level], coarsest: Any, right: Vector, depth: int = 0) -> Vector:
    """One V-cycle from nothing: smooth, correct from the coarser grid, smooth again."""
    if depth == len(levels):
        return np.asarray(cho_solve(coarsest, right))
    level = levels[depth]
    guess: Vector = level.smoother * right
    if level.up is None:
        return guess
    guess += level.up @ _cycle(levels, coarsest, level.down @ (right - level.matrix @ guess), depth + 1)
    guess += level.smoother * (right - level.matrix @ guess)
    return guess


def _conjugate_gradients(
    matrix: Matrix, levels: list[_Level], coarsest: Any, right: Vector, tolerance: float
) -> Vector | None:
    """Until no correction is larger than the tolerance; None if that takes too many iterations."""
    found = _cycle(levels, coarsest, right)
    residual = right - matrix @ found
    step = _cycle(levels, coarsest, residual)
    direction, old = step, float(residual @ step)
    for _ in range(MOST_ITERATIONS):
        if np.abs(step).max() <= tolerance:
            return found
        spread = matrix @ direction
        length = old / max(float(direction @ spread), 1e-300)
        found += length * direction
        residual -= length * spread
        step = _cycle(levels, coarsest, residual)
        new = float(residual @ step)
        direction = step + (new / max(old, 1e-300)) * direction
        old = new
    return None
