"""Boundary scores of all classes: against eroding each class, the public way, and distance transforms per class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.arrays.regions import CLASSES, SIZE, make_mask
from benchmarks.case import Case
from maskwright.arrays.counts import boundary_bands, boundary_hits

BAND_PX = 29  # 2 % of the diagonal
TOLERANCE_PX = 3


def make() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    truth = make_mask()
    return np.roll(truth, 3, axis=1), truth


def eroded(pair: Any) -> NDArray[np.int64]:
    """Each class as a dense mask in a frame of background, eroded by 3 x 3 as often as the band is wide."""
    import cv2

    counts = np.zeros((CLASSES, 3), np.int64)
    for each in range(CLASSES):
        bands = []
        for ids in pair:
            mask = cv2.copyMakeBorder((ids == each).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
            inner = cv2.erode(mask, np.ones((3, 3), np.uint8), iterations=BAND_PX)
            bands.append((mask - inner)[1:-1, 1:-1])
        counts[each] = (bands[0] * bands[1]).sum(), bands[0].sum(), bands[1].sum()
    return counts


def distances(pair: Any) -> NDArray[np.int64]:
    """One distance transform per class and mask."""
    import cv2

    counts = np.zeros((CLASSES, 4), np.int64)
    cross = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
    for each in range(CLASSES):
        lines = []
        for ids in pair:
            mask = (ids == each).astype(np.uint8)
            lines.append(mask & ~cv2.erode(mask, cross, borderType=cv2.BORDER_REPLICATE) > 0)
        for column, (here, there) in enumerate((lines, lines[::-1])):
            away = cv2.distanceTransform(1 - there.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
            counts[each, 2 * column : 2 * column + 2] = (away[here] <= TOLERANCE_PX + 1e-4).sum(), here.sum()
    return counts


def differs(ours: Any, theirs: Any) -> str:
    return "" if np.array_equal(ours, theirs) else "differs"


CASES = [
    Case(
        f"boundary IoU, band {BAND_PX} px",
        SIZE,
        make,
        lambda pair: boundary_bands(*pair, CLASSES, BAND_PX),
        "erode dense masks (cv2)",
        eroded,
        3.0,
        ("cv2",),
        differs,
    ),
    Case(
        f"boundary F, {TOLERANCE_PX} px",
        SIZE,
        make,
        lambda pair: boundary_hits(*pair, CLASSES, TOLERANCE_PX),
        "distance transform per class (cv2)",
        distances,
        3.0,
        ("cv2",),
        differs,
    ),
]
