"""The measures of one mask, from bands of its rows: a mask of any size takes the memory of a band."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.strip_objects import StripObject, StripObjects
from maskwright.pipelines.ground import Ground, ground_of
from maskwright.types import UNKNOWN, Grid, Mask, named_classes

Measures = dict[str, dict[str, float | None]]


class BandedMeasures:
    """What the bands of one mask add up to; `add` them from the top, then ask for `measures`."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.known_pixels = 0
        self._rows = np.zeros((256, grid.height), np.int64)
        self._left = np.full(256, grid.width)
        self._across, self._along = np.zeros(256, np.int64), np.zeros(256, np.int64)
        self._objects = StripObjects()
        self._names: dict[int, str] = {}
        self._last: NDArray[np.uint8] | None = None
        self._top = 0

    def add(self, band: Mask) -> None:
        """The next rows."""
        ids = band.class_ids
        height = len(ids)
        places = ids + (np.arange(height, dtype=np.int32) * 256)[:, None]
        rows = np.bincount(places.ravel(), minlength=256 * height).reshape(height, 256)
        self._rows[:, self._top : self._top + height] = rows.T
        for class_id in np.flatnonzero(rows.sum(axis=0)).tolist():
            if self._left[class_id]:
                found = np.flatnonzero((ids[:, : self._left[class_id]] == class_id).any(axis=0))
                self._left[class_id] = found[0] if found.size else self._left[class_id]
            self._names.setdefault(class_id, str(class_id))
        self._names |= named_classes(band.class_names)
        self._count_sides(ids)
        self._objects.add(ids)
        self._top += height
        self._last = ids[-1].copy()

    def measures(self) -> Measures:
        """Class name to quantity to number, in the order of ids; once, after the last band."""
        self._across += np.bincount(self._last, minlength=256) if self._last is not None else 0
        self._last = None
        self._objects.finish()
        ground = ground_of(self.grid)
        self.known_pixels = int(self._rows[:UNKNOWN].sum())
        names = sorted((class_id, name) for class_id, name in self._names.items() if class_id != UNKNOWN)
        return {name: self._measured(class_id, ground) for class_id, name in names}

    def _count_sides(self, ids: NDArray[np.uint8]) -> None:
        """Sides of pixels between two classes count for both, those on the picture's edge for the one inside."""
        above = ids if self._last is None else np.concatenate([self._last[None], ids])
        if self._last is None:
            self._across += np.bincount(ids[0], minlength=256)
        self._across += _differing(above[:-1], above[1:])
        self._along += _differing(ids[:, :-1], ids[:, 1:])
        self._along += np.bincount(ids[:, 0], minlength=256) + np.bincount(ids[:, -1], minlength=256)

    def _measured(self, class_id: int, ground: Ground | None) -> dict[str, float | None]:
        rows = self._rows[class_id]
        pixels = int(rows.sum())
        cover = pixels / self.known_pixels if self.known_pixels else math.nan
        found: dict[str, float | None] = {"pixels": pixels, "area_m2": None, "cover_fraction": cover, "count": 0}
        across, along = int(self._across[class_id]), int(self._along[class_id])
        found |= {"border_px": across + along, "border_m": None, "longest_px": 0.0, "longest_m": None}
        if not pixels:
            return found | ({"area_m2": 0.0, "border_m": 0.0, "longest_m": 0.0} if ground else {})
        used = np.flatnonzero(rows)
        top, bottom, left = int(used[0]), int(used[-1]) + 1, int(self._left[class_id])
        largest = self._objects.largest[class_id]
        found["count"] = self._objects.counts[class_id]
        found["longest_px"] = _longest(largest, top, left, (1.0, 0.0), (0.0, 1.0))
        if ground:
            found["area_m2"] = float(rows[top:bottom] @ ground.row_areas_m2[top:bottom])
            found["border_m"] = across * math.hypot(*ground.col_m) + along * math.hypot(*ground.row_m)
            found["longest_m"] = _longest(largest, top, left, ground.row_m, ground.col_m)
        return found


def measured(bands: Iterable[Mask], grid: Grid) -> tuple[Measures, int]:
    """The measures of a mask from its bands, and how many of its pixels are known."""
    sums = BandedMeasures(grid)
    for band in bands:
        sums.add(band)
    return sums.measures(), sums.known_pixels


def _differing(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How often each id (256,) lies beside another one."""
    apart = one != other
    return np.bincount(one[apart], minlength=256) + np.bincount(other[apart], minlength=256)


def _longest(
    found: StripObject, top: int, left: int, row_step: tuple[float, float], col_step: tuple[float, float]
) -> float:
    """The greatest distance between two corners of an object's pixels, for steps of one row and of one column."""
    from scipy.spatial import ConvexHull

    rows, first, last = found.extent()
    corners = np.concatenate([np.stack([rows + down, side], axis=1) for down in (0, 1) for side in (first, last)])
    corners = corners - (top, left)
    places = corners[:, :1] * np.array(row_step) + corners[:, 1:] * np.array(col_step)
    hull = places[ConvexHull(places).vertices]
    return float(np.sqrt(((hull[:, None] - hull[None]) ** 2).sum(axis=2).max()))
