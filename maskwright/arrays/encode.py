"""Run lengths, polygons and palettes: pixels written small and read back without loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.windows import Window


@dataclass(frozen=True, eq=False)
class Region:
    """One object's pixels as run lengths inside its own bounding box; nothing outside the box is stored.

    `counts` (uint32) are run lengths in column-major order inside `box`, background first, as COCO counts them.
    An empty region has an empty box and no counts.
    """

    box: Window
    counts: NDArray[np.uint32]

    @property
    def pixels(self) -> NDArray[np.bool_]:
        """The region inside its box, bool (box.height, box.width).

        >>> Region(Window(2, 3, 4, 6), np.array([1, 4, 1], np.uint32)).pixels.astype(int)
        array([[0, 1, 1],
               [1, 1, 0]])
        """
        inside = np.arange(len(self.counts)) % 2 == 1
        height, width = max(self.box.height, 0), max(self.box.width, 0)
        return np.repeat(inside, self.counts).reshape(width, height).T

    @property
    def area(self) -> int:
        """How many pixels the region has."""
        return int(self.counts[1::2].sum(dtype=np.int64))


def paint(class_ids: NDArray[np.uint8], region: Region, class_id: int | np.integer) -> None:
    """Write `class_id` into the pixels of `region`, in place; the region must lie inside (height, width).

    >>> class_ids = np.zeros((3, 5), np.uint8)
    >>> paint(class_ids, Region(Window(1, 1, 3, 4), np.array([1, 4, 1], np.uint32)), 7)
    >>> class_ids
    array([[0, 0, 0, 0, 0],
           [0, 0, 7, 7, 0],
           [0, 7, 7, 0, 0]], dtype=uint8)
    """
    class_ids[region.box.slices][region.pixels] = class_id
