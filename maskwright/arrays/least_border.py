"""The region that costs least when every pixel has a price and its border has one too."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.compiled import HAS_NUMBA, compiled

Field = NDArray[np.float32]
_STEP, _DUAL_STEP = np.float32(0.25), np.float32(0.5)  # their product times 8, the norm of a difference, is at most 1


def least_border(
    cost: NDArray[Any], right: NDArray[Any], down: NDArray[Any], *, rounds: int = 150, start: Field | None = None
) -> Field:
    """How far each pixel belongs to the region of least cost, 0 to 1: float32 (height, width).

    `cost` (height, width) is what a pixel adds to the sum when it belongs to the region, negative where it should.
    `right` and `down`, both (height, width) and not negative, are what it costs to part a pixel from the next one in
    its row and its column; their last column and row are not used. The sum is convex over shares between 0 and 1, so
    there is one least value wherever the search starts from (`start`, or 0.5), and any threshold of an exact solution
    is a region that costs least. Solved by `rounds` of primal and dual steps (Chambolle and Pock 2011); pixels that are
    still between 0 and 1 are those the costs leave nearly undecided. One thread.

    >>> cost = np.array([[-1, -1, 0.2, -1, 3, 3]], np.float32)
    >>> bonds = np.full((1, 6), 0.3, np.float32)
    >>> least_border(cost, bonds, bonds).round(2)
    array([[1., 1., 1., 1., 0., 0.]], dtype=float32)
    """
    prices, beside, below = (np.ascontiguousarray(each, np.float32) for each in (cost, right, down))
    if prices.ndim != 2 or beside.shape != prices.shape or below.shape != prices.shape:
        raise ValueError(
            f"cost, right and down are one (height, width); got {prices.shape}, {beside.shape}, {below.shape}"
        )
    share = np.full(prices.shape, 0.5, np.float32) if start is None else start.astype(np.float32)
    solve = _solve_compiled if HAS_NUMBA else _solve_plain
    return solve(prices, beside, below, share, rounds)


def _solve_plain(cost: Field, right: Field, down: Field, share: Field, rounds: int) -> Field:
    ahead, across, along = share.copy(), np.zeros_like(share), np.zeros_like(share)
    for _ in range(rounds):
        across[:, :-1] += _DUAL_STEP * (ahead[:, 1:] - ahead[:, :-1])
        along[:-1] += _DUAL_STEP * (ahead[1:] - ahead[:-1])
        across[:, :-1] = np.minimum(np.maximum(across[:, :-1], -right[:, :-1]), right[:, :-1])
        along[:-1] = np.minimum(np.maximum(along[:-1], -down[:-1]), down[:-1])
        flow = across + along
        flow[:, 1:] -= across[:, :-1]
        flow[1:] -= along[:-1]
        after = np.minimum(np.maximum(share + _STEP * (flow - cost), np.float32(0)), np.float32(1))
        ahead = after + after - share
        share = after
    return share


@compiled
def _solve_compiled(cost: Field, right: Field, down: Field, share: Field, rounds: int) -> Field:  # pragma: no cover
    height, width = cost.shape
    zero, one = np.float32(0), np.float32(1)
    ahead, across, along = share.copy(), np.zeros_like(share), np.zeros_like(share)
    still = np.zeros(width, np.float32)
    for _ in range(rounds):
        for row in range(height):
            for col in range(width - 1):
                moved = across[row, col] + _DUAL_STEP * (ahead[row, col + 1] - ahead[row, col])
                across[row, col] = min(max(moved, -right[row, col]), right[row, col])
            if row + 1 < height:
                for col in range(width):
                    moved = along[row, col] + _DUAL_STEP * (ahead[row + 1, col] - ahead[row, col])
                    along[row, col] = min(max(moved, -down[row, col]), down[row, col])
        for row in range(height):
            above = along[row - 1] if row else still
            before = zero
            for col in range(width):
                flow = across[row, col] + along[row, col] - before - above[col]
                before = across[row, col]
                after = min(max(share[row, col] + _STEP * (flow - cost[row, col]), zero), one)
                ahead[row, col] = after + after - share[row, col]
                share[row, col] = after
    return share
