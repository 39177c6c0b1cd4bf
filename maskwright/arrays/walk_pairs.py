"""The loops that form a random walk's first groups, of pixels: who joins whom, and the graph of what comes out.

Bonds are flat here: `walk_bonds.Bonds`, pixel after pixel, and the picture's width. `groups` is where each group begins
in the list of all members, and that list.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from maskwright.arrays.compiled import compiled
from maskwright.arrays.walk_graphs import ALONE, FREE, WORTH, code_of, holder, number, space_for, worthiest


@compiled
def count_members(group: Any, counts: Any) -> None:
    for here in range(len(group)):
        if group[here] >= 0:
            counts[group[here]] += 1


@compiled
def fill_members(group: Any, first: Any, members: Any) -> None:
    """`first` says where each group ends, and afterwards where it begins."""
    for here in range(len(group) - 1, -1, -1):
        if group[here] >= 0:
            first[group[here]] -= 1
            members[first[group[here]]] = here


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
def _across(bonds: Any, width: int, here: int, side: int) -> Any:
    """The pixel on one side, and the bond to it: 0 at the picture's edges, where the pixel means nothing."""
    if side == 0:
        return here + 1, bonds.table[bonds.right[here]]
    if side == 1:
        return here + width, bonds.table[bonds.down[here]]
    if side == 2:
        return (here - 1, bonds.table[bonds.right[here - 1]]) if here > 0 else (here, np.float32(0))
    return (here - width, bonds.table[bonds.down[here - width]]) if here >= width else (here, np.float32(0))


@compiled
def weigh_pixels(bonds: Any, width: int, unknown: Any, group: Any, mass: Any) -> None:
    """Mass: all bonds of a pixel. Those bonded almost only with seeds, and the seeds, form no groups."""
    for here in range(len(group)):
        total = among = np.float32(0)
        for side in range(4):
            there, bond = _across(bonds, width, here, side)
            if bond > 0:
                total += bond
                among += bond if unknown[there] else np.float32(0)
        mass[here] = total
        group[here] = FREE if unknown[here] and 5 * among > total else ALONE


@compiled
def pair_pixels(bonds: Any, width: int, mass: Any, group: Any, mate: Any) -> None:
    """Each free pixel, in order, with the free neighbour whose bond is worth most; itself where none is worth it."""
    mate[:] = ALONE
    for here in range(len(mate)):
        if group[here] != FREE or mate[here] >= 0:
            continue
        best, most = here, WORTH
        for side in range(4):
            there, bond = _across(bonds, width, here, side)
            if bond > 0 and group[there] == FREE and mate[there] < 0:
                worth = bond / mass[here] + bond / mass[there]
                if worth > most:
                    best, most = there, worth
        mate[here], mate[best] = best, here


@compiled
def pair_pairs(bonds: Any, width: int, mass: Any, mate: Any, group: Any) -> int:
    """Each pair that has no group yet, in order, with the neighbouring one whose bonds are worth most; how many."""
    count = 0
    for here in range(len(mate)):
        if mate[here] < here or group[here] >= 0:
            continue
        best, most = here, WORTH
        for side in range(8):
            start = here if side < 4 else mate[here]
            there, bond = _across(bonds, width, start, side % 4)
            if bond > 0 and group[there] == FREE and there != here and there != mate[here]:
                between = _between(bonds, width, mate, here, there)
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
def _between(bonds: Any, width: int, mate: Any, here: int, there: int) -> Any:
    """All bonds between two pairs."""
    total = np.float32(0)
    for side in range(4 if mate[here] == here else 8):
        pixel, bond = _across(bonds, width, here if side < 4 else mate[here], side % 4)
        if bond > 0 and (pixel == there or pixel == mate[there]):
            total += bond
    return total


@compiled
def weigh_groups(bonds: Any, width: int, group: Any, mass: Any) -> None:
    """Mass: all bonds of a group's pixels."""
    mass[:] = 0
    for here in range(len(group)):
        if group[here] >= 0:
            for side in range(4):
                mass[group[here]] += _across(bonds, width, here, side)[1]


@compiled
def _gather(bonds: Any, width: int, members: Any, group: Any, others: Any, sums: Any) -> Any:
    """The bonds of a group's members added up by the group they lead to; how many such groups, and those to seeds."""
    used, pull = 0, np.float32(0)
    mine = group[members[0]]
    for member in members:
        for side in range(4):
            pixel, bond = _across(bonds, width, member, side)
            if bond == 0 or group[pixel] == mine:
                continue
            if group[pixel] < 0:
                pull += bond
                continue
            k = 0
            while k < used and others[k] != group[pixel]:
                k += 1
            if k == used:
                others[k], sums[k] = group[pixel], 0
                used += 1
            sums[k] += bond
    return used, pull


@compiled
def pair_groups(bonds: Any, width: int, groups: Any, group: Any, mass: Any, pairs: Any) -> int:
    """As `pair_nodes`, of groups of pixels, whose graph is not stored."""
    first, members = groups
    others, sums = space_for(first, 4)
    pairs[:] = FREE
    count = 0
    for here in range(len(pairs)):
        if pairs[here] == FREE:
            used, _ = _gather(bonds, width, members[first[here] : first[here + 1]], group, others, sums)
            best = worthiest(here, others, sums, used, mass, pairs)
            if best != here:
                pairs[here] = pairs[best] = count
                count += 1
    whole = count
    for here in range(len(pairs)):
        if pairs[here] == FREE:
            used, _ = _gather(bonds, width, members[first[here] : first[here + 1]], group, others, sums)
            best = holder(here, others, sums, used, mass, pairs, whole)
            pairs[here] = count if best == here else pairs[best]
            count += best == here
    number(pairs, count)
    return count


@compiled
def count_pixel_bonds(bonds: Any, width: int, groups: Any, group: Any) -> Any:
    """How many bonds there are between groups, and how far apart in number."""
    first, members = groups
    others, sums = space_for(first, 4)
    total = farthest = 0
    for mine in range(len(first) - 1):
        used, _ = _gather(bonds, width, members[first[mine] : first[mine + 1]], group, others, sums)
        total += used
        for k in range(used):
            farthest = max(farthest, abs(others[k] - mine))
    return total, farthest


@compiled
def merge_pixels(bonds: Any, width: int, groups: Any, group: Any, merged: Any) -> None:
    """Fill the graph of the groups."""
    first, members = groups
    others, sums = space_for(first, 4)
    total = 0
    for mine in range(len(first) - 1):
        used, pull = _gather(bonds, width, members[first[mine] : first[mine + 1]], group, others, sums)
        merged.pull[mine] = pull
        for k in range(used):
            merged.away[total + k] = others[k] - mine
            merged.bonds[total + k] = code_of(sums[k])
        total += used
        merged.first[mine + 1] = total
