"""The commonest class around each pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskwright.arrays.windows import Window, grow, shift, split

NOBODY = 255
STRIP = 1 << 18
"""Pixels worked on at a time; bounds the memory above input and output."""


def majority(
    class_ids: ArrayLike, radius_px: int, *, ignore: int = NOBODY, fill_ignored: bool = False
) -> NDArray[np.uint8]:
    """Give each pixel the commonest class in the square of 2 * radius_px + 1 pixels around it.

    `class_ids` is uint8 (height, width). Pixels equal to `ignore` have no vote and stay, or with `fill_ignored` take
    the commonest class around them where there is one. Beyond the picture's edge nobody votes. Of equally common
    classes a pixel keeps its own, else takes the lowest id. Radius 0 changes nothing but what is filled.

    >>> majority([[1, 1, 1, 1], [1, 2, 1, 1], [1, 1, 1, 255]], 1)
    array([[  1,   1,   1,   1],
           [  1,   1,   1,   1],
           [  1,   1,   1, 255]], dtype=uint8)
    """
    ids = np.asarray(class_ids)
    if ids.ndim != 2:
        raise ValueError(f"class_ids are (height, width); got shape {ids.shape}")
    if ids.dtype != np.uint8 and (ids.size and (ids.min() < 0 or ids.max() > NOBODY)):
        raise ValueError(f"class_ids are 0..255; got {ids.min()}..{ids.max()}")
    if not 0 <= radius_px <= 2000:
        raise ValueError(f"radius_px is from 0 to 2000; got {radius_px}")
    ids = ids.astype(np.uint8, copy=False)
    result = ids.copy()
    everything = Window(0, 0, *ids.shape)
    rows = max(1, STRIP // max(1, ids.shape[1]), radius_px)
    for strip in split(everything, (rows, max(1, ids.shape[1]))):
        wide = grow(strip, radius_px, everything)
        commonest = _commonest(np.ascontiguousarray(ids[wide.slices]), radius_px, ignore)
        _take_over(result[strip.slices], commonest[shift(strip, wide.top, wide.left).slices], ignore, fill_ignored)
    return result


def _commonest(ids: NDArray[np.uint8], radius_px: int, ignore: int) -> NDArray[np.uint8]:
    """The commonest class around each pixel, its own before others, else the lowest; `ignore` where nobody votes."""
    import cv2

    size = (2 * radius_px + 1, 2 * radius_px + 1)
    best, most = np.full(ids.shape, ignore, np.uint8), np.zeros(ids.shape, np.float32)
    for class_id in np.unique(ids):
        if class_id != ignore:
            own = ids == class_id
            votes = cv2.boxFilter(own.view(np.uint8), cv2.CV_32F, size, normalize=False, borderType=cv2.BORDER_CONSTANT)
            votes += own * np.float32(0.5)  # votes are whole, so half a vote only decides between equals
            more = votes > most
            best[more], most[more] = class_id, votes[more]
    return best


def _take_over(result: NDArray[np.uint8], commonest: NDArray[np.uint8], ignore: int, fill_ignored: bool) -> None:
    if fill_ignored:
        np.copyto(result, commonest)
    else:
        np.copyto(result, commonest, where=result != ignore)
