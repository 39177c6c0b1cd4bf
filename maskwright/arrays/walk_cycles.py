"""A rough solution of a random walk's equations on groups of pixels: smoothing, with the next level's answer between.

Levels far smaller than the one above take up to two steps of conjugate gradients instead of one: constant groups
underestimate how far a correction reaches, and without the second step that adds up from level to level (Notay's
K-cycle). Differences of neighbours are multiplied with bonds, never values: a bond may be ten billion times weaker than
the next one and still decide.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from maskwright.arrays.compiled import compiled
from maskwright.arrays.walk_groups import Level

ENOUGH = 0.0625  # the second step is spared where the first left less than this part of the squared residual
MUCH_SMALLER = 3


def solve_roughly(levels: list[Level], above: int, depth: int = 0) -> None:
    """Write the answer to `right` of a level into its `guess`; `right` is used up. `above`: how many nodes fed it."""
    level = levels[depth]
    _cycle(levels, depth)
    if depth + 1 == len(levels) or MUCH_SMALLER * len(level.right) > above:
        return
    energy, gain = _measure(level.graph, level.guess, level.right)
    if not energy > 0:
        return
    length = gain / energy
    if _subtract(level.graph, level.guess, length, level.right) <= ENOUGH:
        _combine(level.guess, length, level.guess, 0.0)
        return
    level.spare[:] = level.guess
    _cycle(levels, depth)
    along, own, gain = _measure_both(level.graph, level.spare, level.guess, level.right)
    rest = own - along * along / energy
    second = gain / rest if rest > 0 else 0.0
    _combine(level.spare, length - along * second / energy, level.guess, second)


def _cycle(levels: list[Level], depth: int) -> None:
    level = levels[depth]
    if level.inverse is not None:
        np.copyto(level.guess, level.inverse @ level.right, casting="same_kind")
        return
    below = levels[depth + 1] if depth + 1 < len(levels) else None
    _smooth_forward(level.graph, level.right, level.guess)
    if below is not None:
        _restrict(level.graph, level.guess, level.group, below.right)
        solve_roughly(levels, len(level.right), depth + 1)
        _correct(level.guess, level.group, below.guess)
    _smooth_backward(level.graph, level.right, level.guess)


@compiled
def _smooth_forward(graph: Any, right: Any, guess: Any) -> None:
    """Gauss-Seidel from nothing, first node to last."""
    first, away, bonds, table, pull = graph
    guess[:] = 0
    for here in range(len(right)):
        total, value = pull[here], right[here]
        for k in range(first[here], first[here + 1]):
            bond = table[bonds[k]]
            total += bond
            value += bond * guess[here + away[k]]
        guess[here] = value / total


@compiled
def _smooth_backward(graph: Any, right: Any, guess: Any) -> None:
    first, away, bonds, table, pull = graph
    for here in range(len(right) - 1, -1, -1):
        total, value = pull[here], right[here]
        for k in range(first[here], first[here + 1]):
            bond = table[bonds[k]]
            total += bond
            value += bond * guess[here + away[k]]
        guess[here] = value / total


@compiled
def _restrict(graph: Any, guess: Any, group: Any, coarse: Any) -> None:
    """What `_smooth_forward` left undone, summed by group: the bonds to nodes that had their value only later."""
    first, away, bonds, table, _ = graph
    coarse[:] = 0
    for here in range(len(guess)):
        if group[here] >= 0:
            value = np.float32(0)
            for k in range(first[here], first[here + 1]):
                value += table[bonds[k]] * guess[here + away[k]] * np.float32(away[k] > 0)
            coarse[group[here]] += value


@compiled
def _correct(guess: Any, group: Any, coarse: Any) -> None:
    for here in range(len(guess)):
        if group[here] >= 0:
            guess[here] += coarse[group[here]]


@compiled
def _flow(graph: Any, values: Any, here: int) -> float:
    """What flows out of a node."""
    first, away, bonds, table, pull = graph
    flow = np.float64(pull[here] * values[here])
    for k in range(first[here], first[here + 1]):
        flow += table[bonds[k]] * (values[here] - values[here + away[k]])
    return flow


@compiled
def _measure(graph: Any, guess: Any, right: Any) -> Any:
    energy = gain = 0.0
    for here in range(len(guess)):
        energy += guess[here] * _flow(graph, guess, here)
        gain += np.float64(guess[here]) * right[here]
    return energy, gain


@compiled
def _subtract(graph: Any, guess: Any, length: float, right: Any) -> float:
    """Take off what `length` times the guess explains; what part of the squares is left."""
    before = after = 0.0
    for here in range(len(guess)):
        before += np.float64(right[here]) * right[here]
        left = right[here] - length * _flow(graph, guess, here)
        after += left * left
        right[here] = left
    return after / before if before > 0 else 0.0


@compiled
def _measure_both(graph: Any, one: Any, other: Any, right: Any) -> Any:
    along = own = gain = 0.0
    for here in range(len(one)):
        flow = _flow(graph, other, here)
        along += one[here] * flow
        own += other[here] * flow
        gain += np.float64(other[here]) * right[here]
    return along, own, gain


@compiled
def _combine(first: Any, length: float, second: Any, other: float) -> None:
    """second = length * first + other * second."""
    for here in range(len(first)):
        second[here] = length * first[here] + other * second[here]
