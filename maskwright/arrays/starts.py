"""Where ways inside a region begin: places between pixels, or beside the region, as pixels of it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

PER_PIXEL = 1 << 14
"""Ways are counted in whole steps of this share of a pixel."""
_PLACES = 256


class Starts(NamedTuple):
    """Pixels of a region where ways begin: flat index, label, and length of the way before it (int32)."""

    pixels: NDArray[np.int64]
    labels: NDArray[np.int16]
    lengths: NDArray[np.int32]


def place_on_grid(places: ArrayLike) -> NDArray[np.float64]:
    """Places rounded to 1/256 pixel, halves to the even step: mirrored places stay mirrored to the bit.

    >>> place_on_grid([10.3, 2.001]).tolist()
    [10.30078125, 2.0]
    """
    return np.asarray(np.rint(np.asarray(places, np.float64) * _PLACES) / _PLACES, np.float64)


def starts_of(
    region: NDArray[np.bool_], rows: ArrayLike, cols: ArrayLike, labels: ArrayLike, *, reach: float | ArrayLike = 0.0
) -> tuple[Starts, NDArray[np.float64]]:
    """Where ways to some places begin inside a region (height, width), and how far outside each place lies.

    A place between pixels begins on those around it that belong to the region, each at its distance. A place outside
    begins on the nearest pixel of the region, on all that are equally near, unless none is nearer than its `reach`.
    Gives the starts and, per place, 0 inside, the distance of the nearest pixel outside, inf where it has no start.

    >>> starts, outside = starts_of(np.array([[False, True, True]]), [0, 0], [0, 1.5], [3, 4], reach=1)
    >>> starts.pixels.tolist(), starts.labels.tolist(), (starts.lengths / PER_PIXEL).tolist(), outside.tolist()
    ([1, 1, 2], [3, 4, 4], [1.0, 0.5, 0.5], [1.0, 0.0])
    """
    index, pixels, lengths, outside = places_inside(region, rows, cols, reach=reach)
    return Starts(pixels, np.asarray(labels, np.int16)[index], lengths), outside


def places_inside(
    region: NDArray[np.bool_], rows: ArrayLike, cols: ArrayLike, *, reach: float | ArrayLike = 0.0
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]:
    """As `starts_of`, for places without labels: of each start its place's index, its pixel and its length; and, per
    place, how far outside it lies.

    >>> places_inside(np.array([[False, True, True]]), [0], [1.5])[:2]
    (array([0, 0]), array([1, 2]))
    """
    rows, cols = place_on_grid(rows), place_on_grid(cols)
    reaches = np.broadcast_to(np.asarray(reach, np.float64), rows.shape)
    index, pixels, away = _beside(region, rows, cols)
    outside = np.full(rows.shape, np.inf)
    outside[index] = 0.0
    found = [(index, pixels, away)]
    for lost in np.flatnonzero(np.isinf(outside) & (reaches > 0)):
        pixels, away = _within_reach(region, float(rows[lost]), float(cols[lost]), float(reaches[lost]))
        if len(pixels):
            outside[lost] = away[0]
            found.append((np.full(len(pixels), lost), pixels, away))
    index, pixels, away = (np.concatenate(each) for each in zip(*found, strict=True))
    order = np.argsort(index, kind="stable")
    lengths = np.rint(away[order] * PER_PIXEL).astype(np.int32)
    return index[order], pixels[order], lengths, outside


def _beside(
    region: NDArray[np.bool_], rows: NDArray[np.float64], cols: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """For each place the region's pixels it lies on or between: index of the place, flat pixel, and how far."""
    height, width = region.shape
    down = np.stack([np.floor(rows), np.floor(rows), np.ceil(rows), np.ceil(rows)], axis=1)
    across = np.stack([np.floor(cols), np.ceil(cols), np.floor(cols), np.ceil(cols)], axis=1)
    own = np.ones(down.shape, bool)  # on whole rows and columns both neighbours are the same
    own[:, 2:] &= (down[:, 2] != down[:, 0])[:, None]
    own[:, 1::2] &= (across[:, 1] != across[:, 0])[:, None]
    own &= (down >= 0) & (down < height) & (across >= 0) & (across < width)
    index, corner = np.nonzero(own)
    at = down[index, corner].astype(np.int64), across[index, corner].astype(np.int64)
    inside = region[at]
    index, at = index[inside], (at[0][inside], at[1][inside])
    return index, at[0] * width + at[1], np.sqrt((at[0] - rows[index]) ** 2 + (at[1] - cols[index]) ** 2)


def _within_reach(
    region: NDArray[np.bool_], row: float, col: float, reach: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The region's pixels nearest to a place, flat, and how far they are; none beyond the reach."""
    height, width = region.shape
    top, bottom = max(0, math.floor(row - reach)), min(height, math.ceil(row + reach) + 1)
    left, right = max(0, math.floor(col - reach)), min(width, math.ceil(col + reach) + 1)
    if top >= bottom or left >= right:
        return np.zeros(0, np.int64), np.zeros(0)
    down, across = np.nonzero(region[top:bottom, left:right])
    down, across = down + top, across + left
    away = np.sqrt((down - row) ** 2 + (across - col) ** 2)
    kept = np.flatnonzero((away <= reach) & (away == away.min(initial=np.inf)))
    return (down * width + across)[kept], away[kept]
