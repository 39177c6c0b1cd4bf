"""One picture's objects as arrays, the way scoring needs them: classes, scores, crowds, masks, boxes, keypoints."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.encode import Region


class HasRegions(Protocol):
    """What Instances offer: regions with class ids, scores and, where a file gave them, crowds, areas and boxes."""

    @property
    def regions(self) -> tuple[Region, ...]: ...
    @property
    def class_ids(self) -> NDArray[Any]: ...
    @property
    def scores(self) -> NDArray[Any]: ...
    @property
    def class_names(self) -> tuple[str, ...]: ...
    @property
    def crowd(self) -> NDArray[np.bool_] | None: ...
    @property
    def areas(self) -> NDArray[np.float64] | None: ...
    @property
    def extents(self) -> NDArray[np.float64] | None: ...


@dataclass(frozen=True, eq=False)
class Objects:
    """The n objects of one picture, all arrays (n, ...): what is true or what was detected.

    `areas` are what area ranges judge the truth by (a file's own numbers); `crowd` marks regions that stand for many
    objects, `ignored` those that need not be found; `extents` are boxes as top, left, height, width; `keypoints` are
    (n, k, 3) rows, columns and visibilities. What a file does not give is empty regions, or zeros.
    """

    class_ids: NDArray[np.int64]
    scores: NDArray[np.float64]
    areas: NDArray[np.float64]
    crowd: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    regions: tuple[Region, ...]
    extents: NDArray[np.float64]
    keypoints: NDArray[np.float64]
    class_names: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.class_ids)

    @cached_property
    def pixel_areas(self) -> NDArray[np.float64]:
        """How many pixels each region has."""
        return pixel_areas(self.regions)

    @cached_property
    def region_boxes(self) -> NDArray[np.int64]:
        """Top, left, bottom, right of each region, int64 (n, 4)."""
        return np.array([region.box for region in self.regions], np.int64).reshape(-1, 4)

    @classmethod
    def none(cls, keypoints: int = 0) -> Objects:
        """No object at all.

        >>> len(Objects.none())
        0
        """
        empty, flags = np.zeros(0), np.zeros(0, bool)
        return cls(
            empty.astype(np.int64), empty, empty, flags, flags, (), np.zeros((0, 4)), np.zeros((0, keypoints, 3))
        )

    @classmethod
    def of(cls, given: HasRegions) -> Objects:
        """The objects of Instances; areas and boxes are those of the pixels where no file gave others."""
        count = len(given.regions)
        areas = given.areas if given.areas is not None else pixel_areas(given.regions)
        extents = given.extents if given.extents is not None else _extents(given.regions)
        crowd = given.crowd if given.crowd is not None else np.zeros(count, bool)
        return cls(
            np.asarray(given.class_ids, np.int64),
            np.asarray(given.scores, np.float64),
            np.asarray(areas, np.float64),
            crowd,
            np.zeros(count, bool),
            given.regions,
            extents,
            np.zeros((count, 0, 3)),
            given.class_names,
        )

    def take(self, order: NDArray[Any]) -> Objects:
        """Some of the objects, in another order."""
        arrays = {
            each.name: getattr(self, each.name)[order]
            for each in dataclasses.fields(self)
            if each.name not in ("regions", "class_names")
        }
        regions = tuple(self.regions[k] for k in order.tolist()) if self.regions else ()
        return Objects(**arrays, regions=regions, class_names=self.class_names)

    def renamed(self, class_ids: NDArray[np.int64]) -> Objects:
        """The same objects with other class ids."""
        return dataclasses.replace(self, class_ids=class_ids)


def pixel_areas(regions: Sequence[Region]) -> NDArray[np.float64]:
    """How many pixels each region has, float64 (n,), faster than asking each.

    >>> from maskwright.arrays.encode import EMPTY, encode
    >>> pixel_areas([encode([[0, 1, 1]]), EMPTY])
    array([2., 0.])
    """
    if not regions:
        return np.zeros(0)
    sizes = np.array([len(region.counts) // 2 for region in regions])
    lengths = np.concatenate([region.counts[1::2] for region in regions])
    return np.bincount(np.repeat(np.arange(len(regions)), sizes), lengths, len(regions)).astype(np.float64)


def _extents(regions: Sequence[Region]) -> NDArray[np.float64]:
    boxes = np.array([region.box for region in regions], np.float64).reshape(-1, 4)
    boxes[:, 2:] -= boxes[:, :2]
    return boxes
