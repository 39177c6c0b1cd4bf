"""Outlines of animals among the hints of a picture, and which of them belongs to which animal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.encode import Region
from maskwright.arrays.windows import Window
from maskwright.errors import GridError, InputError
from maskwright.types import UNKNOWN, Grid, Hint, Instances, Keypoints, Mask


@dataclass(frozen=True, eq=False)
class Outline:
    """Where an animal is: bool `pixels` of a `window` of its picture.

    `is_box` where only a box is known: the region fills its window. `object_id` is its place among the Instances.
    """

    window: Window
    pixels: NDArray[np.bool_]
    is_box: bool = False
    object_id: int | None = None

    @property
    def area(self) -> int:
        return int(np.count_nonzero(self.pixels))

    def holds(self, rows: NDArray[np.float64], cols: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which places (nan is nowhere) fall on a pixel of the outline."""
        known = np.isfinite(rows) & np.isfinite(cols)
        down = np.floor(np.where(known, rows, -1e9) + 0.5).astype(np.int64) - self.window.top
        across = np.floor(np.where(known, cols, -1e9) + 0.5).astype(np.int64) - self.window.left
        height, width = self.pixels.shape
        inside = known & (down >= 0) & (down < height) & (across >= 0) & (across < width)
        held = np.zeros(len(rows), bool)
        held[inside] = self.pixels[down[inside], across[inside]]
        return held


def cropped(region: NDArray[np.bool_], **more: int | None) -> Outline:
    """The outline of all true pixels of a region (height, width), in its tight window; an empty one is empty."""
    rows = np.flatnonzero(region.any(axis=1))
    if not len(rows):
        return Outline(Window(0, 0, 0, 0), np.zeros((0, 0), bool))
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    cols = np.flatnonzero(region[top:bottom].any(axis=0))
    left, right = int(cols[0]), int(cols[-1]) + 1
    return Outline(Window(top, left, bottom, right), region[top:bottom, left:right].copy(), **more)  # type: ignore[arg-type]


def find_outlines(grid: Grid, hints: Sequence[Hint]) -> list[Outline]:
    """The outlines among the hints: one per object of Instances, in their order, then one per Mask.

    In a Mask every class but the one called "background", or else id 0, is animal; in one that holds nothing but
    background and UNKNOWN (a black and white picture, 0 and 255) the UNKNOWN is. An outline without a pixel is an
    InputError, one on another grid than the picture a GridError.
    """
    found: list[Outline] = []
    for hint in hints:
        if isinstance(hint, Instances):
            _check_grid("outlines are", hint.grid, grid)
            found += [_of_region(region, index) for index, region in enumerate(hint.regions)]
        elif isinstance(hint, Mask):
            _check_grid("the outline is", hint.grid, grid)
            found.append(cropped(animal_of(hint)))
            if not found[-1].area:
                raise InputError("the outline has no pixel; expected an animal's; draw it, or leave it out")
    return found


def animal_of(mask: Mask) -> NDArray[np.bool_]:
    """The pixels of a mask that are no background, as `find_outlines` says."""
    names = mask.class_names
    background = names.index("background") if "background" in names else 0
    known = mask.class_ids != UNKNOWN
    animal: NDArray[np.bool_] = (mask.class_ids != background) & known
    return animal if animal.any() else ~known


def _of_region(region: Region, object_id: int) -> Outline:
    pixels = np.ascontiguousarray(region.pixels)  # runs go down columns; all that is done with outlines goes by rows
    return Outline(region.box, pixels, bool(pixels.size and pixels.all()), object_id)


def _check_grid(what: str, own: Grid, grid: Grid) -> None:
    if own.shape != grid.shape:
        raise GridError(
            f"{what} {own.height} x {own.width} pixels but the picture is {grid.height} x {grid.width}; expected the "
            "same size; was one of them resized or turned?"
        )


def match_outlines(animals: Sequence[Keypoints], outlines: Sequence[Outline]) -> list[Outline | None]:
    """The outline of each animal: the object it names, else the one that holds most of its joints, of equals the first.

    None where no outline holds any. An `object_id` that is not there, or an outline of an animal without a pixel, is
    an InputError.
    """
    named = {each.object_id: each for each in outlines if each.object_id is not None}
    result: list[Outline | None] = []
    for animal in animals:
        if animal.object_id is not None and named:
            if animal.object_id not in named:
                raise InputError(
                    f"an animal names object {animal.object_id}; expected one of {len(named)} outlines, from 0; mend it"
                )
            result.append(named[animal.object_id])
        else:
            held = [int(each.holds(animal.rows, animal.cols).sum()) for each in outlines]
            result.append(outlines[int(np.argmax(held))] if max(held, default=0) else None)
    for each in result:
        if each is not None and not each.area:
            raise InputError("the outline of an animal has no pixel; expected some; draw it, or leave it out")
    return result
