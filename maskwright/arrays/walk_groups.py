"""Groups of pixels that are strongly bonded, groups of groups, and so on: the grids on which a random walk is rough.

Groups form in pairs. Two join where their bond is no small part of what holds the pixels of one of them, counted with
the bonds inside: only then does smoothing pixels also smooth what such a group cannot say. So groups follow contrast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.walk_pairs import (
    FREE,
    add_up,
    count_bonds,
    count_members,
    count_pixel_bonds,
    fill_members,
    merge_nodes,
    merge_pixels,
    pair_nodes,
    pair_pairs,
    pair_pixels,
    rename,
    weigh_nodes,
    weigh_pixels,
)

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


class Room:
    """Memory that is not needed yet, handed out in pieces; where no piece is left that is long enough, new memory.

    >>> memory = np.zeros(5, np.float32)
    >>> room = Room(memory)
    >>> [np.shares_memory(room.take(count), memory) for count in (3, 3, 2)]
    [True, False, True]
    >>> room.give_all()
    >>> np.shares_memory(room.take(5), memory)
    True
    """

    def __init__(self, *pieces: Floats) -> None:
        self._pieces, self._free = pieces, list(pieces)

    def take(self, count: int) -> Floats:
        for k, piece in enumerate(self._free):
            if len(piece) >= count:
                self._free[k] = piece[count:]
                return piece[:count]
        return np.empty(count, np.float32)

    def give_all(self) -> None:
        """All that was taken is taken no longer."""
        self._free = list(self._pieces)


def levels_of(right: Floats, down: Floats, unknown: NDArray[np.bool_], room: Room) -> tuple[Ints, list[Level]]:
    """The group of each pixel (height, width; negative without one), and smaller and smaller graphs of groups.

    `right` and `down` (height, width) are each pixel's bonds to those neighbours, 0 where there is none; every unknown
    pixel reaches a seed. The graphs take 11 bytes per pixel, up to 25 on noise. `room` is written on for what is needed
    in between, up to 7 numbers per pixel: memory freed between kept memory hardly ever leaves the process.
    """
    group, graph = _first_groups(right.ravel(), down.ravel(), right.shape[1], unknown.ravel(), room)
    levels: list[Level] = []
    while len(graph.pull):
        count = len(graph.pull)
        inner, coarser = _grouped(graph, room) if count > FEW else (np.empty(0, np.int32), None)
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
    right: Floats, down: Floats, width: int, unknown: NDArray[np.bool_], room: Room
) -> tuple[Ints, Graph]:
    """Two rounds on the pixels themselves, so that their own graph is never stored; the last on that of the groups."""
    bonds, pixels = (right, down, width), right.size
    group, mate, mass = np.empty(pixels, np.int32), room.take(pixels).view(np.int32), room.take(pixels)
    weigh_pixels(*bonds, unknown, group, mass)
    pair_pixels(*bonds, mass, group, mate)
    count = pair_pairs(*bonds, mass, mate, group)
    masses = _sums(group, mass, count)
    room.give_all()  # pairs are groups now
    members = room.take(pixels).view(np.int32)
    ends = _members(group, count, members)
    size = count_pixel_bonds(*bonds, members, ends, group, np.full(count, -1, np.int32))
    graph = _empty(count, size, room)
    merge_pixels(*bonds, members, ends, group, np.full(count, -1, np.int32), graph)
    return _paired(group, graph, masses, PAIRINGS - 2, room)


def _grouped(graph: Graph, room: Room) -> tuple[Ints, Graph]:
    """The next level's groups of these nodes, and its graph."""
    room.give_all()
    group, mass = np.empty(len(graph.pull), np.int32), np.empty(len(graph.pull), np.float32)
    weigh_nodes(graph, group, mass)
    count = pair_nodes(graph, mass, group)
    return _paired(group, _merged(graph, group, count, room), _sums(group, mass, count), PAIRINGS - 1, room)


def _paired(group: Ints, graph: Graph, mass: Floats, times: int, room: Room) -> tuple[Ints, Graph]:
    """The groups, and their graph, after so many more rounds of pairing, at least one: the last graph stays."""
    for left in range(times - 1, -1, -1):
        pairs = np.full(len(mass), FREE, np.int32)
        count = pair_nodes(graph, mass, pairs)
        graph, mass = _merged(graph, pairs, count, room, stays=not left), _sums(pairs, mass, count)
        rename(group, pairs)
    return group, graph


def _merged(graph: Graph, group: Ints, count: int, room: Room, *, stays: bool = False) -> Graph:
    """The graph of the groups: bonds between two groups added up, those inside gone; in the room unless it stays."""
    members = room.take(len(group)).view(np.int32)
    ends = _members(group, count, members)
    size = count_bonds(graph, members, ends, group, np.full(count, -1, np.int32))
    merged = _empty(count, size, Room() if stays else room)
    merge_nodes(graph, members, ends, group, np.full(count, -1, np.int32), merged)
    return merged


def _empty(count: int, size: int, room: Room) -> Graph:
    """A graph to be filled, inside the room as far as that is enough."""
    neighbours, bonds = room.take(size).view(np.int32), room.take(size)
    first, pull = room.take(count + 1).view(np.int32), room.take(count)
    first[:], pull[:] = 0, 0
    return Graph(first, neighbours, bonds, pull)


def _members(group: Ints, count: int, members: Ints) -> Ints:
    """List all that are in a group, by group; where each group's end."""
    ends = np.zeros(count, np.int32)
    count_members(group, ends)
    np.cumsum(ends, out=ends)
    fill_members(group, ends.copy(), members)
    return ends


def _sums(group: Ints, mass: Floats, count: int) -> Floats:
    total = np.zeros(count, np.float32)
    add_up(group, mass, total)
    return total
