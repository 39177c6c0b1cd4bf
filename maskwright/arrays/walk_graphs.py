"""Graphs of a random walk's groups in four bytes for each bond, and the loops that join their nodes to larger groups.

Such a graph only has to point the right way, so a bond is rounded to a step of its logarithm, by half a hundredth at
most: weak bonds as finely as strong ones, and from both ends to the same.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.compiled import compiled

FREE, ALONE = -1, -2  # not yet in a group; held by seeds so strongly that smoothing is enough
WORTH = 0.15  # what part a bond must be
LEAST, STEP, STEPS = 0.9e-10, 0.01, 4095  # the code of a bond counts steps of its logarithm from the least on
TABLE = np.asarray(LEAST * np.exp(STEP * np.arange(STEPS + 1)), np.float32)


class Graph(NamedTuple):
    """Who is bonded with whom: node i has the entries first[i] up to first[i + 1]; `pull` is its bonds to seeds.

    Entry k leads to node i + away[k] and is a bond of table[bonds[k]].
    """

    first: NDArray[np.int32]
    away: NDArray[Any]
    bonds: NDArray[np.uint16]
    table: NDArray[np.float32]
    pull: NDArray[np.float32]


@compiled
def code_of(bond: float) -> int:
    """Of the step in `TABLE` that is nearest."""
    return min(max(int(math.log(bond / LEAST) / STEP + 0.5), 0), STEPS)


@compiled
def weigh_nodes(graph: Graph, group: Any, mass: Any) -> None:
    """Mass: all bonds of a node. Those bonded almost only with seeds form no groups."""
    for here in range(len(group)):
        among = np.float32(0)
        for k in range(graph.first[here], graph.first[here + 1]):
            among += graph.table[graph.bonds[k]]
        mass[here] = among + graph.pull[here]
        group[here] = FREE if 5 * among > mass[here] else ALONE


@compiled
def pair_nodes(graph: Graph, mass: Any, group: Any) -> int:
    """Each free node, in order, with the free one whose bond is worth most; how many groups that makes.

    Then those left over join the pair that holds them best, if any does, else stay single.
    """
    others, bonds = space_for(graph.first, 1)
    count = 0
    for here in range(len(group)):
        if group[here] == FREE:
            best = worthiest(here, others, bonds, _neighbours(graph, here, others, bonds), mass, group)
            if best != here:
                group[here] = group[best] = count
                count += 1
    pairs = count
    for here in range(len(group)):
        if group[here] == FREE:
            best = holder(here, others, bonds, _neighbours(graph, here, others, bonds), mass, group, pairs)
            group[here] = count if best == here else group[best]
            count += best == here
    number(group, count)
    return count


@compiled
def space_for(first: Any, each: int) -> Any:
    """Room for neighbours and bonds: so many for each entry of the longest of these lists."""
    longest = 0
    for here in range(len(first) - 1):
        longest = max(longest, first[here + 1] - first[here])
    return np.empty(each * longest, np.int32), np.empty(each * longest)


@compiled
def _neighbours(graph: Graph, here: int, others: Any, bonds: Any) -> Any:
    """Write down the neighbours of a node and its bonds; how many."""
    begin, end = graph.first[here], graph.first[here + 1]
    for k in range(begin, end):
        others[k - begin], bonds[k - begin] = here + graph.away[k], graph.table[graph.bonds[k]]
    return end - begin


@compiled
def worthiest(here: int, others: Any, bonds: Any, used: int, mass: Any, group: Any) -> int:
    """The free neighbour whose bond is worth most; `here` where none is worth it."""
    best, most = here, WORTH
    for k in range(used):
        if group[others[k]] == FREE:
            worth = bonds[k] / mass[here] + bonds[k] / mass[others[k]]
            if worth > most:
                best, most = others[k], worth
    return best


@compiled
def holder(here: int, others: Any, bonds: Any, used: int, mass: Any, group: Any, pairs: int) -> int:
    """The neighbour in one of the first groups, the pairs, with the strongest bond; `here` where none is worth it."""
    best, most = here, WORTH * mass[here]
    for k in range(used):
        if bonds[k] > most and 0 <= group[others[k]] < pairs:
            best, most = others[k], bonds[k]
    return best


@compiled
def number(group: Any, count: int) -> None:
    """Groups get new numbers in the order of their first members, so that neighbours are near in number, too."""
    names, used = np.full(count, -1, np.int32), 0
    for here in range(len(group)):
        if group[here] >= 0:
            if names[group[here]] < 0:
                names[group[here]] = used
                used += 1
            group[here] = names[group[here]]


@compiled
def count_bonds(graph: Graph, groups: Any, group: Any, mark: Any) -> Any:
    """How many bonds there are between groups, of one group at most, and how far apart in number."""
    begins, members = groups
    used = most = farthest = 0
    for mine in range(len(mark)):
        before = used
        for here in members[begins[mine] : begins[mine + 1]]:
            for k in range(graph.first[here], graph.first[here + 1]):
                there = group[here + graph.away[k]]
                if there >= 0 and there != mine and mark[there] != mine:
                    mark[there] = mine
                    used += 1
                    farthest = max(farthest, abs(there - mine))
        most = max(most, used - before)
    return used, most, farthest


@compiled
def merge_nodes(graph: Graph, groups: Any, group: Any, mark: Any, sums: Any, merged: Graph) -> None:
    """Fill the graph of the groups; `sums` has room for the bonds of one."""
    begins, members = groups
    used = 0
    for mine in range(len(mark)):
        begin = used
        for here in members[begins[mine] : begins[mine + 1]]:
            merged.pull[mine] += graph.pull[here]
            for k in range(graph.first[here], graph.first[here + 1]):
                there, bond = group[here + graph.away[k]], graph.table[graph.bonds[k]]
                if there < 0:
                    merged.pull[mine] += bond
                elif there != mine:
                    if mark[there] < begin:
                        mark[there] = used
                        merged.away[used] = there - mine
                        sums[used - begin] = 0
                        used += 1
                    sums[mark[there] - begin] += bond
        for k in range(begin, used):
            merged.bonds[k] = code_of(sums[k - begin])
        merged.first[mine + 1] = used
