"""Calm ragged outlines and specks: each pixel takes the commonest class around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maskwright.arrays.majority import majority
from maskwright.arrays.regions import remove_islands
from maskwright.errors import GridError
from maskwright.types import UNKNOWN, Image, Mask, Step


@dataclass(frozen=True)
class Smooth:
    """Each pixel takes the commonest class within `radius_px` rows and columns; then small islands join a neighbour.

    Unknown pixels have no vote and stay unknown, unless `fill_unknown` lets their surroundings decide. Regions that
    then have fewer than `min_area_px` pixels take the class they share the longest border with. Of equally common
    classes a pixel keeps its own, else the lowest id. Where the picture has no data a pixel has no vote and is unknown.
    """

    radius_px: int = 2
    min_area_px: int = 0
    fill_unknown: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.radius_px <= 2000:
            raise ValueError(f"radius_px is from 0 to 2000; got {self.radius_px}")
        if self.min_area_px < 0:
            raise ValueError(f"min_area_px is 0 or more; got {self.min_area_px}")

    def __call__(self, image: Image, mask: Mask) -> Mask:
        if image.grid.shape != mask.grid.shape:
            raise GridError(
                f"the picture has {image.grid.height} x {image.grid.width} pixels and the mask {mask.grid.height} x "
                f"{mask.grid.width}; a mask lies on its picture's pixels; refine the picture it was made from"
            )
        valid = np.asarray(image.valid, bool)
        voting = np.where(valid, mask.class_ids, np.uint8(UNKNOWN))
        smoothed = majority(voting, self.radius_px, ignore=UNKNOWN, fill_ignored=self.fill_unknown)
        smoothed[~valid] = UNKNOWN
        return mask.after(Step.of(self), remove_islands(smoothed, self.min_area_px, ignore=UNKNOWN))
