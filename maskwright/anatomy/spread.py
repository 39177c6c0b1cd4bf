"""Seeds of parts spread over an outline: which part each pixel is, how near it is and how near the next part is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskwright.anatomy.outlines import Outline
from maskwright.anatomy.seeds import PartSeeds
from maskwright.arrays.nearest import nearest_seed
from maskwright.arrays.paths import Nearest, nearest_inside
from maskwright.arrays.starts import Starts, starts_of


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


def spread_parts(
    seeds: PartSeeds,
    outline: Outline,
    *,
    snap: float,
    reach: Mapping[int, float] | None = None,
    is_straight: bool = False,
) -> Parts:
    """Spread seeds inside an outline, along ways that never leave it or, if `is_straight`, as the crow flies.

    Joints up to `snap` pixels outside begin on the nearest pixel inside; points of links outside say nothing. Pixels
    farther from a region in `reach` (index: pixels) than it goes are of the nearest region that reaches them.
    """
    limits = np.where(seeds.is_joint, snap, 0.0)
    rows, cols = seeds.rows - outline.window.top, seeds.cols - outline.window.left
    starts, outside = starts_of(outline.pixels, rows, cols, seeds.regions, reach=limits)
    used = np.isfinite(outside)

    def spread(which: NDArray[np.bool_], begin: NDArray[np.bool_]) -> Nearest:
        if is_straight:
            return _straight(outline.pixels, rows[which & used], cols[which & used], seeds.regions[which & used])
        return nearest_inside(outline.pixels, Starts(starts.pixels[begin], starts.labels[begin], starts.lengths[begin]))

    if reach:
        seed_is, start_is = np.isin(seeds.regions, list(reach)), np.isin(starts.labels, list(reach))
        nearest = _within(spread(seed_is, start_is), spread(~seed_is, ~start_is), reach)
    else:
        nearest = spread(used, np.ones(len(starts.pixels), bool))
    return Parts(
        nearest,
        int((seeds.is_joint & used & (outside > 0)).sum()),
        int((seeds.is_joint & ~used).sum()),
        int((~seeds.is_joint & ~used).sum()),
    )


def _within(bounded: Nearest, rest: Nearest, reach: Mapping[int, float]) -> Nearest:
    """The nearest of regions with a reach, as far as they reach, and of the rest; of equally near ones the lowest."""
    most = np.full(int(max(bounded.labels.max(initial=0), *reach)) + 2, -np.inf)  # the last one is label -1
    most[list(reach)] = list(reach.values())
    inf = np.float32(np.inf)
    near = np.where(bounded.distance <= most[bounded.labels], bounded.distance, inf)
    next_one = np.where(bounded.rival <= most.max(), bounded.rival, inf)
    wins = (near < rest.distance) | ((near == rest.distance) & (bounded.labels < rest.labels) & (near < inf))
    rival = np.where(wins, np.minimum(next_one, rest.distance), np.minimum(near, rest.rival))
    return Nearest(np.where(wins, bounded.labels, rest.labels), np.where(wins, near, rest.distance), rival)


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
