"""Groups of pixels that are strongly bonded, groups of groups, and so on: the grids on which a random walk is rough.

Groups form in pairs. Two join where their bond is no small part of what holds the pixels of one of them, counted with
the bonds inside: only then does smoothing pixels also smooth what such a group cannot say. So groups follow contrast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from maskwright.arrays.walk_bonds import Bonds
from maskwright.arrays.walk_graphs import FREE, TABLE, Graph, count_bonds, merge_nodes, pair_nodes, weigh_nodes
from maskwright.arrays.walk_pairs import (
    add_up,
    count_members,
    count_pixel_bonds,
    fill_members,
    merge_pixels,
    pair_groups,
    pair_pairs,
    pair_pixels,
    rename,
    weigh_groups,
    weigh_pixels,
)

PAIRINGS = 3  # so many for one level: groups of up to 8
FEW = 200  # so many groups are solved directly
FAR = 2**15  # neighbours this far away in number take four bytes instead of two

Ints = NDArray[np.int32]
Floats = NDArray[np.float32]


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
    >>> [np.shares_memory(room.take(count, np.int16), memory) for count in (5, 5, 4)]
    [True, False, True]
    >>> room.give_all()
    >>> np.shares_memory(room.take(5, np.float32), memory)
    True
    """

    def __init__(self, *pieces: Floats) -> None:
        self._pieces, self._free = pieces, list(pieces)

    def take(self, count: int, dtype: DTypeLike) -> NDArray[Any]:
        """`count` numbers, whatever they are now."""
        taken = -(-count * np.dtype(dtype).itemsize // 4)
        for k, piece in enumerate(self._free):
            if len(piece) >= taken:
                self._free[k] = piece[taken:]
                return piece[:taken].view(dtype)[:count]
        return np.empty(count, dtype)

    def give_all(self) -> None:
        """All that was taken is taken no longer."""
        self._free = list(self._pieces)


def levels_of(bonds: Bonds, unknown: NDArray[np.bool_], room: Room) -> tuple[Ints, list[Level]]:
    """The group of each pixel (height, width; negative without one), and smaller and smaller graphs of groups.

    Every unknown pixel reaches a seed. Groups and graphs take 11 bytes per pixel, up to 18 on noise. `room` is written
    on for what is needed in between, some 10 bytes per pixel: memory freed between kept memory hardly ever leaves the
    process.
    """
    group, graph = _first_groups(bonds.flat(), unknown.shape[1], unknown.ravel(), room)
    levels: list[Level] = []
    while len(graph.pull):
        count = len(graph.pull)
        inner, coarser = _grouped(graph, room) if count > FEW else (np.empty(0, np.int32), None)
        if coarser is None or not 0 < len(coarser.pull) <= 0.9 * count:
            levels.append(_last_level(graph))
            break
        levels.append(Level(graph, inner, *_vectors(count)))
        graph = coarser
    return group.reshape(unknown.shape), levels


def _vectors(count: int) -> tuple[Floats, Floats, Floats]:
    return np.zeros(count, np.float32), np.zeros(count, np.float32), np.zeros(count, np.float32)


def _last_level(graph: Graph) -> Level:
    """Solved by the inverse of its matrix, or only smoothed should groups have stopped growing too early."""
    count = len(graph.pull)
    inverse: NDArray[np.float64] | None = None
    if count <= FEW:
        matrix = np.zeros((count, count))
        start = np.repeat(np.arange(count), np.diff(graph.first))
        matrix[start, start + graph.away] = -graph.table[graph.bonds]
        np.fill_diagonal(matrix, (graph.pull - matrix.sum(axis=1)) * (1 + 1e-14))
        inverse = np.asarray(np.linalg.inv(matrix), np.float64)
    return Level(graph, np.empty(0, np.int32), *_vectors(count), inverse)


def _first_groups(bonds: Bonds, width: int, unknown: NDArray[np.bool_], room: Room) -> tuple[Ints, Graph]:
    """Paired on the pixels themselves, so that only the graph that stays is stored."""
    pixels = unknown.size
    group, mate, mass = np.empty(pixels, np.int32), room.take(pixels, np.int32), room.take(pixels, np.float32)
    weigh_pixels(bonds, width, unknown, group, mass)
    pair_pixels(bonds, width, mass, group, mate)
    count = pair_pairs(bonds, width, mass, mate, group)
    for _ in range(PAIRINGS - 2):
        count = _paired_again(bonds, width, group, count, room)
    room.give_all()
    groups = _members(group, count, room)
    size, farthest = count_pixel_bonds(bonds, width, groups, group)
    graph = _empty(count, size, farthest, Room())
    merge_pixels(bonds, width, groups, group, graph)
    return group, graph


def _paired_again(bonds: Bonds, width: int, group: Ints, count: int, room: Room) -> int:
    """Pairs of groups become groups; how many."""
    room.give_all()
    groups, pairs, mass = _members(group, count, room), room.take(count, np.int32), room.take(count, np.float32)
    weigh_groups(bonds, width, group, mass)
    count = pair_groups(bonds, width, groups, group, mass, pairs)
    rename(group, pairs)
    return count


def _grouped(graph: Graph, room: Room) -> tuple[Ints, Graph]:
    """The next level's groups of these nodes, and its graph: after so many pairings, the last graph stays."""
    room.give_all()
    group, mass = np.empty(len(graph.pull), np.int32), np.empty(len(graph.pull), np.float32)
    weigh_nodes(graph, group, mass)
    count = pair_nodes(graph, mass, group)
    graph, mass = _merged(graph, group, count, room), _sums(group, mass, count)
    for left in range(PAIRINGS - 2, -1, -1):
        pairs = np.full(len(mass), FREE, np.int32)
        count = pair_nodes(graph, mass, pairs)
        graph, mass = _merged(graph, pairs, count, room, stays=not left), _sums(pairs, mass, count)
        rename(group, pairs)
    return group, graph


def _merged(graph: Graph, group: Ints, count: int, room: Room, *, stays: bool = False) -> Graph:
    """The graph of the groups: bonds between two groups added up, those inside gone; in the room unless it stays."""
    groups = _members(group, count, room)
    size, most, farthest = count_bonds(graph, groups, group, np.full(count, -1, np.int32))
    merged = _empty(count, size, farthest, Room() if stays else room)
    merge_nodes(graph, groups, group, np.full(count, -1, np.int32), np.empty(most), merged)
    return merged


def _empty(count: int, size: int, farthest: int, room: Room) -> Graph:
    """A graph to be filled, inside the room as far as that is enough."""
    away = room.take(size, np.int16 if farthest < FAR else np.int32)
    bonds, first, pull = room.take(size, np.uint16), room.take(count + 1, np.int32), room.take(count, np.float32)
    first[:], pull[:] = 0, 0
    return Graph(first, away, bonds, TABLE, pull)


def _members(group: Ints, count: int, room: Room) -> tuple[Ints, Ints]:
    """Where each group begins (one more: where the last ends) in the list of all that are in a group, and that list."""
    first, members = room.take(count + 1, np.int32), room.take(len(group), np.int32)
    first[:] = 0
    count_members(group, first)
    np.cumsum(first, out=first)
    fill_members(group, first, members)
    return first, members


def _sums(group: Ints, mass: Floats, count: int) -> Floats:
    total = np.zeros(count, np.float32)
    add_up(group, mass, total)
    return total
