"""Seeds of parts spread over an outline: which part each pixel is, how near it is and how near the next part is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskwright.anatomy.outlines import Outline
from maskwright.anatomy.seeds import PartSeeds
from maskwright.arrays.nearest import nearest_seed
from maskwright.arrays.paths import Nearest, nearest_inside, starts_of


@dataclass(frozen=True, eq=False)
class Parts:
    """The nearest region's index of each pixel of a window (-1 for none), and the distances to it and to the next.

    `snapped` joints lay outside the outline and count from its nearest pixel; `dropped` ones lay too far away, and
    `left_out` points of links lay outside.
    """

    nearest: Nearest
    snapped: int
    dropped: int
    left_out: int


def spread_parts(seeds: PartSeeds, outline: Outline, *, snap: float, is_straight: bool = False) -> Parts:
    """Spread seeds inside an outline, along ways that never leave it or, if `is_straight`, as the crow flies.

    Joints up to `snap` pixels outside begin on the nearest pixel inside; points of links outside say nothing.
    """
    reach = np.where(seeds.is_joint, snap, 0.0)
    rows, cols = seeds.rows - outline.window.top, seeds.cols - outline.window.left
    starts, outside = starts_of(outline.pixels, rows, cols, seeds.regions, reach=reach)
    used = np.isfinite(outside)
    if is_straight:
        nearest = _straight(outline.pixels, rows[used], cols[used], seeds.regions[used])
    else:
        nearest = nearest_inside(outline.pixels, starts)
    return Parts(
        nearest,
        int((seeds.is_joint & used & (outside > 0)).sum()),
        int((seeds.is_joint & ~used).sum()),
        int((~seeds.is_joint & ~used).sum()),
    )


def _straight(
    region: NDArray[np.bool_], rows: NDArray[np.float64], cols: NDArray[np.float64], labels: NDArray[np.int16]
) -> Nearest:
    mine = np.full(region.shape, -1, np.int16)
    near, rival = np.full(region.shape, math.inf), np.full(region.shape, math.inf)
    for label in np.unique(labels):
        here = labels == label
        away = nearest_seed(region.shape, rows[here], cols[here], region=region)[1]
        closer = away < near
        rival = np.where(closer, near, np.minimum(rival, away))
        mine[closer], near[closer] = label, away[closer]
    return Nearest(mine, near.astype(np.float32), rival.astype(np.float32))
