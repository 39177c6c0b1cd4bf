"""Connected objects of a picture that comes in bands of rows: how many of each class, and the largest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from maskwright.arrays.connected import NOBODY, components
from maskwright.arrays.regions import areas, boxes

Extent = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Rows, and of each the first column and the one behind the last."""


@dataclass(frozen=True, eq=False)
class StripObject:
    """One object, or what is known of it so far: its class, pixels, first pixel in reading order, and extents."""

    class_id: int
    area: int
    first: tuple[int, int]
    parts: tuple[Extent, ...]

    def extent(self) -> Extent:
        """The object's rows, ascending, with the first column of each and the one behind the last."""
        rows, left, right = (np.concatenate([part[k] for part in self.parts]) for k in range(3))
        used, place = np.unique(rows, return_inverse=True)
        first, last = np.full(len(used), np.iinfo(np.int64).max), np.zeros(len(used), np.int64)
        np.minimum.at(first, place, left)
        np.maximum.at(last, place, right)
        return used, first, last


class StripObjects:
    """Objects of class ids given band by band from the top; corners connect, 255 belongs to nobody.

    `counts` is how many objects each class has, `largest` its largest one (of equal ones the first in reading order);
    both hold once `finish` was called. Memory is that of a band and of the objects that reach its last row.

    >>> objects = StripObjects()
    >>> for row in ([1, 255, 1], [1, 1, 1], [255, 255, 2]):
    ...     objects.add(np.array([row], np.uint8))
    >>> objects.finish()
    >>> objects.counts, objects.largest[1].area, objects.largest[1].extent()[2].tolist()
    ({1: 1, 2: 1}, 5, [3, 3])
    """

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.largest: dict[int, StripObject] = {}
        self._open: list[StripObject] = []
        self._last: tuple[NDArray[np.uint8], NDArray[np.int64]] | None = None
        self._last_groups: NDArray[np.int64] = np.zeros(0, np.int64)
        self._top = 0

    def add(self, class_ids: NDArray[np.uint8]) -> None:
        """The next band of rows (height, width)."""
        labels, count, class_of = components(class_ids, neighbours=8, ignore=NOBODY)
        band = _Band(self._top, labels, areas(labels, count), boxes(labels, count), class_of)
        groups = self._groups(class_ids, labels, count)
        at_bottom = np.unique(labels[-1][labels[-1] >= 0])
        waits = np.zeros(groups.max(initial=-1) + 1, bool)
        waits[groups[len(self._open) + at_bottom]] = True
        touched = waits.copy()
        touched[groups[: len(self._open)]] = True
        alone = np.flatnonzero(~touched[groups[len(self._open) :]])
        for class_id, number in zip(*np.unique(class_of[alone], return_counts=True), strict=True):
            self._count(int(class_id), int(number))
            inside = alone[class_of[alone] == class_id]
            self._offer(int(class_id), inside[band.sizes[inside].argmax()], band)
        self._merge(groups, touched, waits, band, labels[-1])
        self._last = class_ids[-1].copy(), self._last_groups
        self._top += len(class_ids)

    def finish(self) -> None:
        """No further band comes."""
        for each in self._open:
            self._close(each)
        self._open = []

    def _groups(self, class_ids: NDArray[np.uint8], labels: NDArray[np.int32], count: int) -> NDArray[np.int64]:
        """Which open objects (first) and objects of the band (then) are one: a group number for each."""
        pairs = [np.zeros((2, 0), np.int64)]
        if self._last is not None:
            ids, numbers = self._last
            width = len(ids)
            for shift in (-1, 0, 1):
                above, below = slice(max(0, -shift), width - max(0, shift)), slice(max(0, shift), width + min(0, shift))
                same = (ids[above] == class_ids[0][below]) & (ids[above] != NOBODY)
                pairs.append(np.stack([numbers[above][same], len(self._open) + labels[0][below][same]]))
        first, second = np.unique(np.concatenate(pairs, axis=1), axis=1)
        total = len(self._open) + count
        graph = sparse.coo_array((np.ones(len(first), bool), (first, second)), shape=(total, total))
        groups: NDArray[Any] = sparse.csgraph.connected_components(graph, directed=False)[1]
        return groups.astype(np.int64)

    def _merge(
        self, groups: NDArray[np.int64], touched: NDArray[np.bool_], waits: NDArray[np.bool_], band: _Band,
        bottom: NDArray[np.int32],
    ) -> None:  # fmt: skip
        """Open objects with what the band adds to them; those that end here are closed."""
        members: dict[int, list[StripObject]] = {}
        for index, group in enumerate(groups[: len(self._open)].tolist()):
            members.setdefault(group, []).append(self._open[index])
        own = groups[len(self._open) :]
        for label in np.flatnonzero(touched[own]).tolist():
            members.setdefault(int(own[label]), []).append(band.object(label))
        self._open, place = [], {}
        for group, parts in members.items():
            joined = _joined(parts)
            if waits[group]:
                place[group] = len(self._open)
                self._open.append(joined)
            else:
                self._close(joined)
        table = np.array([place.get(group, -1) for group in own.tolist()], np.int64)
        self._last_groups = np.where(bottom >= 0, table[bottom] if len(table) else -1, -1)

    def _close(self, found: StripObject) -> None:
        self._count(found.class_id, 1)
        self._keep(found)

    def _count(self, class_id: int, number: int) -> None:
        self.counts[class_id] = self.counts.get(class_id, 0) + number

    def _offer(self, class_id: int, label: int | np.integer, band: _Band) -> None:
        """An object of the band as its class's largest; its extent is looked up only if it may be."""
        best = self.largest.get(class_id)
        if best is None or band.sizes[label] >= best.area:
            self._keep(band.object(int(label)))

    def _keep(self, found: StripObject) -> None:
        best = self.largest.get(found.class_id)
        if best is None or (-found.area, found.first) < (-best.area, best.first):
            self.largest[found.class_id] = found


@dataclass(frozen=True, eq=False)
class _Band:
    """The objects inside one band, and where it begins."""

    top: int
    labels: NDArray[np.int32]
    sizes: NDArray[np.int64]
    boxes: NDArray[np.int64]
    class_of: NDArray[Any]

    def object(self, label: int) -> StripObject:
        top, left, bottom, right = (int(edge) for edge in self.boxes[label])
        region = self.labels[top:bottom, left:right] == label
        first = left + region.argmax(axis=1)
        last = right - region[:, ::-1].argmax(axis=1)
        kept = np.flatnonzero(region.any(axis=1))
        rows = self.top + top + kept
        start = int(rows[0]), int(first[kept[0]])
        extent = (rows.astype(np.int64), first[kept].astype(np.int64), last[kept].astype(np.int64))
        return StripObject(int(self.class_of[label]), int(self.sizes[label]), start, (extent,))


def _joined(parts: Iterable[StripObject]) -> StripObject:
    parts = list(parts)
    extents = tuple(extent for part in parts for extent in part.parts)
    return StripObject(parts[0].class_id, sum(part.area for part in parts), min(part.first for part in parts), extents)
