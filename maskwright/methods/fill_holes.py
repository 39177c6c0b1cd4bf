"""Close holes in regions: pixels that one class surrounds become that class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from maskwright.arrays.regions import fill_holes
from maskwright.errors import GridError
from maskwright.types import UNKNOWN, Image, Mask, Step


@dataclass(frozen=True)
class FillHoles:
    """Holes of at most `max_area_px` pixels take the class that surrounds them.

    A hole is a connected set of pixels, of other classes or unknown, that one class encloses and that does not reach
    the picture's edge. With `unknown_only` known pixels keep their class and only unknown ones are filled. `neighbours`
    says whether regions connect over sides and corners (8) or over sides only (4). Where the picture has no data a
    pixel stays unknown. Of holes within holes the larger wins, of equal ones the lowest class id.
    """

    max_area_px: int = 100
    unknown_only: bool = False
    neighbours: Literal[4, 8] = 8

    def __post_init__(self) -> None:
        if self.max_area_px < 0:
            raise ValueError(f"max_area_px is 0 or more; got {self.max_area_px}")
        if self.neighbours not in (4, 8):
            raise ValueError(f"neighbours is 4 or 8; got {self.neighbours}")

    def __call__(self, image: Image, mask: Mask) -> Mask:
        if image.grid.shape != mask.grid.shape:
            raise GridError(
                f"the picture has {image.grid.height} x {image.grid.width} pixels and the mask {mask.grid.height} x "
                f"{mask.grid.width}; a mask lies on its picture's pixels; refine the picture it was made from"
            )
        filled = fill_holes(mask.class_ids, max_area_px=self.max_area_px, neighbours=self.neighbours, ignore=UNKNOWN)
        if self.unknown_only:
            filled = np.where(mask.class_ids == UNKNOWN, filled, mask.class_ids)
        filled[~np.asarray(image.valid, bool)] = UNKNOWN
        return mask.after(Step.of(self), filled)
