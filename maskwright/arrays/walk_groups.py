"""Groups of pixels that are strongly bonded, groups of groups, and so on: the grids on which a random walk is rough.

Groups form in pairs. Two join where their bond is no small part of what holds the pixels of one of them, counted with
the bonds inside: only then does smoothing pixels also smooth what such a group cannot say. So groups follow contrast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.compiled import compiled

FREE, ALONE = -1, -2  # not yet in a group; held by seeds so strongly that smoothing is enough
WORTH = 0.15  # what part a bond must be
PAIRINGS = 3  # so many for one level: groups of up to 8
FEW = 200  # so many groups are solved directly

Ints = NDArray[np.int32]
Floats = NDArray[np.float32]


class Graph(NamedTuple):
    """Who is bonded with whom: node i has the entries first[i] up to first[i + 1]; `pull` is its bonds to seeds."""

    first: Ints
    neighbours: Ints
    bonds: Floats
    pull: Floats


@dataclass(frozen=True, eq=False)
class Level:
    """One graph, the group of each node in the next one (empty on the last), and room for a cycle's vectors."""

    graph: Graph
    group: Ints
    right: Floats
    guess: Floats
    spare: Floats
    inverse: NDArray[np.float64] | None = None


def levels_of(right: Floats, down: Floats, unknown: NDArray[np.bool_], room: Floats) -> tuple[Ints, list[Level]]:
    """The group of each pixel (height, width; negative without one), and smaller and smaller graphs of groups.

    `right` and `down` (height, width) are each pixel's bonds to those neighbours, 0 where there is none; every unknown
    pixel reaches a seed. The graphs take 11 bytes per pixel, up to 25 on noise. `room`, flat, two numbers per pixel or
    more, is written on for what is needed in between: memory freed between kept memory hardly ever leaves the process.
    """
    group, graph = _first_groups(right.ravel(), down.ravel(), right.shape[1], unknown.ravel(), room)
    levels: list[Level] = []
    while len(graph.pull):
        count = len(graph.pull)
        inner, coarser = _grouped(graph) if count > FEW else (np.empty(0, np.int32), None)
        if coarser is None or not 0 < len(coarser.pull) <= 0.9 * count:
            levels.append(_last_level(graph))
            break
        levels.append(Level(graph, inner, *_vectors(count)))
        graph = coarser
    return group.reshape(right.shape), levels


def _vectors(count: int) -> tuple[Floats, Floats, Floats]:
    return np.zeros(count, np.float32), np.zeros(count, np.float32), np.zeros(count, np.float32)


def _last_level(graph: Graph) -> Level:
    """Solved by the inverse of its matrix, or only smoothed should groups have stopped growing too early."""
    count = len(graph.pull)
    inverse: NDArray[np.float64] | None = None
    if count <= FEW:
        matrix = np.zeros((count, count))
        matrix[np.repeat(np.arange(count), np.diff(graph.first)), graph.neighbours] = -graph.bonds
        np.fill_diagonal(matrix, (graph.pull - matrix.sum(axis=1)) * (1 + 1e-14))
        inverse = np.asarray(np.linalg.inv(matrix), np.float64)
    return Level(graph, np.empty(0, np.int32), *_vectors(count), inverse)


def _first_groups(
    right: Floats, down: Floats, width: int, unknown: NDArray[np.bool_], room: Floats
) -> tuple[Ints, Graph]:
    """Two rounds on the pixels themselves, so that their own graph is never stored; the last on that of the groups."""
    bonds, pixels = (right, down, width), right.size
    group, mate, mass = np.empty(pixels, np.int32), room[:pixels].view(np.int32), room[pixels : 2 * pixels]
    _weigh_pixels(*bonds, unknown, group, mass)
    _pair_pixels(*bonds, mass, group, mate)
    count = _pair_pairs(*bonds, mass, mate, group)
    masses, members = _sums(group, mass, count), mate
    ends = _members(group, count, members)
    size = _count_pixel_bonds(*bonds, members, ends, group, np.full(count, -1, np.int32))
    graph = _empty(count, size, room[pixels:])
    _merge_pixels(*bonds, members, ends, group, np.full(count, -1, np.int32), graph)
    return _paired(group, graph, masses, PAIRINGS - 2)


def _grouped(graph: Graph) -> tuple[Ints, Graph]:
    """The next level's groups of these nodes, and its graph."""
    group, mass = np.empty(len(graph.pull), np.int32), np.empty(len(graph.pull), np.float32)
    _weigh(graph, group, mass)
    count = _pair(graph, mass, group)
    return _paired(group, _merged(graph, group, count), _sums(group, mass, count), PAIRINGS - 1)


def _paired(group: Ints, graph: Graph, mass: Floats, times: int) -> tuple[Ints, Graph]:
    """The groups, and their graph, after so many more rounds of pairing."""
    for _ in range(times):
        pairs = np.full(len(mass), FREE, np.int32)
        count = _pair(graph, mass, pairs)
        graph, mass = _merged(graph, pairs, count), _sums(pairs, mass, count)
        _rename(group, pairs)
    return group, graph


def _merged(graph: Graph, group: Ints, count: int) -> Graph:
    """The graph of the groups: bonds between two groups added up, those inside gone."""
    members = np.empty(len(group), np.int32)
    ends = _members(group, count, members)
    merged = _empty(count, _count_bonds(graph, members, ends, group, np.full(count, -1, np.int32)))
    _merge(graph, members, ends, group, np.full(count, -1, np.int32), merged)
    return merged


def _empty(count: int, size: int, room: Floats | None = None) -> Graph:
    """A graph to be filled, inside the room where that is enough."""
    lengths = (count + 1, size, size, count)
    if room is None or len(room) < sum(lengths):
        room = np.empty(sum(lengths), np.float32)
    first, neighbours, bonds, pull = np.split(room[: sum(lengths)], np.cumsum(lengths)[:-1])
    first[:], pull[:] = 0, 0
    return Graph(first.view(np.int32), neighbours.view(np.int32), bonds, pull)


def _members(group: Ints, count: int, members: Ints) -> Ints:
    """List all that are in a group, by group; where each group's end."""
    ends = np.zeros(count, np.int32)
    _count_members(group, ends)
    np.cumsum(ends, out=ends)
    _fill_members(group, ends.copy(), members)
    return ends


def _sums(group: Ints, mass: Floats, count: int) -> Floats:
    total = np.zeros(count, np.float32)
    _add(group, mass, total)
    return total


@compiled
def _count_members(group: Any, counts: Any) -> None:
    for here in range(len(group)):
        if group[here] >= 0:
            counts[group[here]] += 1


@compiled
def _fill_members(group: Any, ends: Any, members: Any) -> None:
    for here in range(len(group) - 1, -1, -1):
        if group[here] >= 0:
            ends[group[here]] -= 1
            members[ends[group[here]]] = here


@compiled
def _add(group: Any, values: Any, total: Any) -> None:
    for here in range(len(group)):
        if group[here] >= 0:
            total[group[here]] += values[here]


@compiled
def _rename(group: Any, name: Any) -> None:
    for here in range(len(group)):
        if group[here] >= 0:
            group[here] = name[group[here]]


@compiled
def _across(right: Any, down: Any, width: int, here: int, side: int) -> Any:
    """The pixel on one side, and the bond to it: 0 at the picture's edges, where the pixel means nothing."""
    if side == 0:
        return here + 1, right[here]
    if side == 1:
        return here + width, down[here]
    if side == 2:
        return (here - 1, right[here - 1]) if here > 0 else (here, np.float32(0))
    return (here - width, down[here - width]) if here >= width else (here, np.float32(0))


@compiled
def _weigh_pixels(right: Any, down: Any, width: int, unknown: Any, group: Any, mass: Any) -> None:
    """Mass: all bonds of a pixel. Those bonded almost only with seeds, and the seeds, form no groups."""
    for here in range(len(group)):
        total = among = np.float32(0)
        for side in range(4):
            there, bond = _across(right, down, width, here, side)
            if bond > 0:
                total += bond
                among += bond if unknown[there] else np.float32(0)
        mass[here] = total
        group[here] = FREE if unknown[here] and 5 * among > total else ALONE


@compiled
def _pair_pixels(right: Any, down: Any, width: int, mass: Any, group: Any, mate: Any) -> None:
    """Each free pixel, in order, with the free neighbour whose bond is worth most; itself where none is worth it."""
    mate[:] = ALONE
    for here in range(len(mate)):
        if group[here] != FREE or mate[here] >= 0:
            continue
        best, most = here, WORTH
        for side in range(4):
            there, bond = _across(right, down, width, here, side)
            if bond > 0 and group[there] == FREE and mate[there] < 0:
                worth = bond / mass[here] + bond / mass[there]
                if worth > most:
                    best, most = there, worth
        mate[here], mate[best] = best, here


@compiled
def _pair_pairs(right: Any, down: Any, width: int, mass: Any, mate: Any, group: Any) -> int:
    """Each pair that has no group yet, in order, with the neighbouring one whose bonds are worth most; how many."""
    count = 0
    for here in range(len(mate)):
        if mate[here] < here or group[here] >= 0:
            continue
        best, most = here, WORTH
        for side in range(8):
            start = here if side < 4 else mate[here]
            there, bond = _across(right, down, width, start, side % 4)
            if bond > 0 and group[there] == FREE and there != here and there != mate[here]:
                between = _between(right, down, width, mate, here, there)
                worth = between / _pair_mass(mass, mate, here) + between / _pair_mass(mass, mate, there)
                if worth > most:
                    best, most = there, worth
        group[here] = group[mate[here]] = group[best] = group[mate[best]] = count
        count += 1
    return count


@compiled
def _pair_mass(mass: Any, mate: Any, here: int) -> Any:
    return mass[here] + mass[mate[here]] if mate[here] != here else mass[here]


@compiled
def _between(right: Any, down: Any, width: int, mate: Any, here: int, there: int) -> Any:
    """All bonds between two pairs."""
    total = np.float32(0)
    for side in range(4 if mate[here] == here else 8):
        pixel, bond = _across(right, down, width, here if side < 4 else mate[here], side % 4)
        if bond > 0 and (pixel == there or pixel == mate[there]):
            total += bond
    return total


@compiled
def _count_pixel_bonds(right: Any, down: Any, width: int, members: Any, ends: Any, group: Any, mark: Any) -> int:
    used = member = 0
    for mine in range(len(ends)):
        while member < ends[mine]:
            for side in range(4):
                pixel, bond = _across(right, down, width, members[member], side)
                if bond > 0:
                    there = group[pixel]
                    if there >= 0 and there != mine and mark[there] != mine:
                        mark[there] = mine
                        used += 1
            member += 1
    return used


@compiled
def _merge_pixels(
    right: Any, down: Any, width: int, members: Any, ends: Any, group: Any, mark: Any, merged: Any
) -> None:
    starts, others, sums, pulls = merged
    used = member = 0
    for mine in range(len(ends)):
        begin = used
        while member < ends[mine]:
            for side in range(4):
                pixel, bond = _across(right, down, width, members[member], side)
                if bond == 0:
                    continue
                there = group[pixel]
                if there < 0:
                    pulls[mine] += bond
                elif there != mine:
                    if mark[there] < begin:
                        mark[there] = used
                        others[used] = there
                        sums[used] = 0
                        used += 1
                    sums[mark[there]] += bond
            member += 1
        starts[mine + 1] = used


@compiled
def _weigh(graph: Any, group: Any, mass: Any) -> None:
    """As `_weigh_pixels`, of a graph's nodes."""
    first, _, bonds, pull = graph
    for here in range(len(group)):
        among = np.float32(0)
        for k in range(first[here], first[here + 1]):
            among += bonds[k]
        mass[here] = among + pull[here]
        group[here] = FREE if 5 * among > mass[here] else ALONE


@compiled
def _pair(graph: Any, mass: Any, group: Any) -> int:
    """As `_pair_pixels`; then those left over join the pair that holds them best, if any does, else stay single."""
    first, neighbours, bonds, _ = graph
    count = 0
    for here in range(len(group)):
        if group[here] != FREE:
            continue
        best, most = here, WORTH
        for k in range(first[here], first[here + 1]):
            there = neighbours[k]
            if group[there] == FREE:
                worth = bonds[k] / mass[here] + bonds[k] / mass[there]
                if worth > most:
                    best, most = there, worth
        if best != here:
            group[here] = group[best] = count
            count += 1
    pairs = count
    for here in range(len(group)):
        if group[here] != FREE:
            continue
        best, most = here, WORTH * mass[here]
        for k in range(first[here], first[here + 1]):
            there = neighbours[k]
            if bonds[k] > most and 0 <= group[there] < pairs:
                best, most = there, bonds[k]
        group[here] = count if best == here else group[best]
        count += best == here
    return count


@compiled
def _count_bonds(graph: Any, members: Any, ends: Any, group: Any, mark: Any) -> int:
    first, neighbours, _, _ = graph
    used = member = 0
    for mine in range(len(ends)):
        while member < ends[mine]:
            here = members[member]
            for k in range(first[here], first[here + 1]):
                there = group[neighbours[k]]
                if there >= 0 and there != mine and mark[there] != mine:
                    mark[there] = mine
                    used += 1
            member += 1
    return used


@compiled
def _merge(graph: Any, members: Any, ends: Any, group: Any, mark: Any, merged: Any) -> None:
    first, neighbours, bonds, pull = graph
    starts, others, sums, pulls = merged
    used = member = 0
    for mine in range(len(ends)):
        begin = used
        while member < ends[mine]:
            here = members[member]
            pulls[mine] += pull[here]
            for k in range(first[here], first[here + 1]):
                there = group[neighbours[k]]
                if there < 0:
                    pulls[mine] += bonds[k]
                elif there != mine:
                    if mark[there] < begin:
                        mark[there] = used
                        others[used] = there
                        sums[used] = 0
                        used += 1
                    sums[mark[there]] += bonds[k]
            member += 1
        starts[mine + 1] = used
