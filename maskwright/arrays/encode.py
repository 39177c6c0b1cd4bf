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
