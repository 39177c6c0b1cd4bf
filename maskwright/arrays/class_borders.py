"""Where a class ends and another begins, and which pixels lie so near that a small shift would change their class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from maskwright.arrays.depths import squared_depths

UNKNOWN_ID = 255


def near_other_class(
    class_ids: NDArray[np.uint8], reach: float, *, pixel_size: tuple[float, float] = (1.0, 1.0)
) -> NDArray[np.bool_]:
    """Which pixels (height, width) lie within `reach` of a border between their class and another.

    `class_ids` are uint8, 255 is unknown: it is neither near nor a class of its own, so the way to the next class leads
    across it. `reach` and `pixel_size` (height, width) are in one unit. The border runs half a pixel before the centre
    of the nearest pixel of another class; a reach of 0 gives nothing, for no pixel's centre lies on a border.

    >>> near_other_class(np.array([[1, 1, 1, 2, 2, 255]], np.uint8), 1.0).astype(int)
    array([[0, 0, 1, 1, 0, 0]])
    >>> near_other_class(np.array([[1, 1, 1, 2, 2, 255]], np.uint8), 1.5).astype(int)
    array([[0, 1, 1, 1, 1, 0]])
    """
    if not reach >= 0:
        raise ValueError(f"reach is 0 or more; got {reach}")
    counts = np.bincount(class_ids.ravel(), minlength=256)
    classes = np.flatnonzero(counts[:UNKNOWN_ID])
    if reach == 0 or len(classes) < 2:
        return np.zeros(class_ids.shape, bool)
    height, width = pixel_size
    most = reach + 0.5 * min(height, width)
    if height == width and not counts[UNKNOWN_ID]:
        near: NDArray[np.bool_] = squared_depths(class_ids, edge_is_outside=False) <= (most / height) ** 2
        return near
    return _near_by_class(class_ids, classes, most, pixel_size)


def _near_by_class(
    class_ids: NDArray[np.uint8], classes: NDArray[Any], most: float, pixel_size: tuple[float, float]
) -> NDArray[np.bool_]:
    """One exact distance transform for each class: to the known pixels of all others."""
    near = np.zeros(class_ids.shape, bool)
    known = class_ids != UNKNOWN_ID
    for class_id in classes:
        mine = class_ids == class_id
        near |= mine & (distance_transform_edt(mine | ~known, sampling=pixel_size) <= most)
    return near
