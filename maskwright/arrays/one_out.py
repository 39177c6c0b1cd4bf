"""What changes when one place after the other is left out: how firmly each pixel has its label."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskwright.arrays.paths import Nearest, nearest_inside
from maskwright.arrays.starts import Starts


class OneOut(NamedTuple):
    """How firmly pixels (height, width) keep their nearest label when any one owner of starts is left out.

    `firmness` float32 in [0, 1]: (rival - near) / (rival + near), with `near` how far the label's nearest start is in
    the worst case and `rival` the next label's; 0 where the label would change, and where nothing is near at all.
    `changed` (owners,) counts the pixels whose label each owner alone decides.
    """

    firmness: NDArray[np.float32]
    changed: NDArray[np.int64]


def one_out(region: NDArray[np.bool_], starts: Starts, owners: ArrayLike, count: int) -> OneOut:
    """Leave out each of `count` owners once, and look at what is then nearest by ways inside a region (height, width).

    `owners` (starts, k) are the owners without which a start would not be there, from 0 to `count` - 1; with several,
    each of them takes it along. Rivals are counted with all starts. Without any start nothing is firm.

    >>> starts = Starts(np.array([0, 1, 7]), np.array([0, 0, 1], np.int16), np.zeros(3, np.int32))
    >>> firm = one_out(np.ones((1, 8), bool), starts, [[0], [1], [2]], 3)
    >>> firm.firmness.round(2), firm.changed
    (array([[0.75, 0.71, 0.43, 0.14, 0.  , 0.  , 0.  , 0.  ]], dtype=float32), array([0, 1, 3]))
    """
    if not len(starts.pixels):
        return OneOut(np.zeros(region.shape, np.float32), np.zeros(count, np.int64))
    table = np.asarray(owners, np.int64).reshape(len(starts.pixels), -1)
    labels, near, rival = nearest_inside(region, starts)
    present = np.unique(table)
    others = _without_each(region, starts, table, present)
    moved = others.labels != labels
    changed = np.zeros(count, np.int64)
    changed[present] = np.count_nonzero(moved, axis=(1, 2))
    worst = np.maximum(near, np.where(moved, np.float32(np.inf), others.distance).max(axis=0))
    with np.errstate(invalid="ignore"):
        firm = (rival - worst) / np.maximum(rival + worst, np.float32(1e-6))
    firm[np.isinf(rival) & np.isfinite(worst)] = 1
    firm[~np.isfinite(worst)] = 0
    return OneOut(np.maximum(firm, 0, dtype=np.float32), changed)


def _without_each(
    region: NDArray[np.bool_], starts: Starts, owners: NDArray[np.int64], present: NDArray[np.int64]
) -> Nearest:
    """What is nearest without each owner that is `present`, (owners, height, width): all at once, in copies."""
    height, width = region.shape
    kept = np.ones((len(present), len(owners)), bool)
    for each in owners.T:
        kept &= each != present[:, None]
    copy, start = np.nonzero(kept)
    copies = np.zeros((len(present), height + 1, width), bool)
    copies[:, :height] = region
    below = Starts(
        starts.pixels[start] + copy * ((height + 1) * width), starts.labels[start], starts.lengths[start]
    )  # fmt: skip
    labels, distance, rival = nearest_inside(copies.reshape(-1, width), below, rivals=False)
    shape = copies.shape
    return Nearest(
        labels.reshape(shape)[:, :height], distance.reshape(shape)[:, :height], rival.reshape(shape)[:, :height]
    )
