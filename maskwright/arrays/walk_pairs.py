"""The loops that form a random walk's groups: who joins whom, and the bonds of what comes out.

`right` and `down` are flat here: each pixel's bonds to those neighbours, 0 at the picture's edges. A graph is (first,
neighbours, bonds, pull) as in `walk_groups.Graph`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from maskwright.arrays.compiled import compiled

FREE, ALONE = -1, -2  # not yet in a group; held by seeds so strongly that smoothing is enough
WORTH = 0.15  # what part a bond must be


@compiled
def count_members(group: Any, counts: Any) -> None:
    for here in range(len(group)):
        if group[here] >= 0:
            counts[group[here]] += 1


@compiled
def fill_members(group: Any, ends: Any, members: Any) -> None:
    for here in range(len(group) - 1, -1, -1):
        if group[here] >= 0:
            ends[group[here]] -= 1
            members[ends[group[here]]] = here


@compiled
def add_up(group: Any, values: Any, total: Any) -> None:
    for here in range(len(group)):
        if group[here] >= 0:
            total[group[here]] += values[here]


@compiled
def rename(group: Any, name: Any) -> None:
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
def weigh_pixels(right: Any, down: Any, width: int, unknown: Any, group: Any, mass: Any) -> None:
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
def pair_pixels(right: Any, down: Any, width: int, mass: Any, group: Any, mate: Any) -> None:
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
def pair_pairs(right: Any, down: Any, width: int, mass: Any, mate: Any, group: Any) -> int:
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
def count_pixel_bonds(right: Any, down: Any, width: int, members: Any, ends: Any, group: Any, mark: Any) -> int:
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
def merge_pixels(
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
def weigh_nodes(graph: Any, group: Any, mass: Any) -> None:
    """As `weigh_pixels`, of a graph's nodes."""
    first, _, bonds, pull = graph
    for here in range(len(group)):
        among = np.float32(0)
        for k in range(first[here], first[here + 1]):
            among += bonds[k]
        mass[here] = among + pull[here]
        group[here] = FREE if 5 * among > mass[here] else ALONE


@compiled
def pair_nodes(graph: Any, mass: Any, group: Any) -> int:
    """As `pair_pixels`; then those left over join the pair that holds them best, if any does, else stay single."""
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
def count_bonds(graph: Any, members: Any, ends: Any, group: Any, mark: Any) -> int:
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
def merge_nodes(graph: Any, members: Any, ends: Any, group: Any, mark: Any, merged: Any) -> None:
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
