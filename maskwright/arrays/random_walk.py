"""Where a random walker from each pixel first meets a seed: probabilities per class, one class after the other.

The probabilities solve a Laplace equation on the pixels between the seeds: `walk_pixels` solves it in place, and
`walk_matrices` where numba is absent.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from maskwright.arrays.compiled import HAS_NUMBA
from maskwright.arrays.walk_matrices import MatrixWalk, solve_directly
from maskwright.arrays.walk_pixels import PixelWalk

LOGGER = logging.getLogger(__name__)
WEAKEST = 1e-10  # the least weight of a bond, so that every pixel can be reached
CORRECTION = 1 / 60  # of the tolerance: solved when no correction is larger
BAND = 16  # so many rows' bonds are found at once


def random_walk(
    pixels: NDArray[Any],
    labels: NDArray[np.int32],
    class_count: int,
    *,
    beta: float = 130.0,
    tolerance: float = 1e-3,
    region: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """Probability that a random walk from each pixel meets a seed of each class first: (class_count, height, width).

    `pixels` (height, width) or (height, width, channels): integers are taken as fractions of their dtype's greatest
    value, floating pixels as they are. `labels` (integers, height x width) are 0..class_count-1 on seeds and negative
    elsewhere. The walk goes to one of 4 neighbours with probability proportional to 1e-10 + exp(-b * sum over channels
    of the squared difference), b = beta / (10 * s * sqrt(channels)) with `s` the standard deviation of all finite
    values of the picture: the definition of scikit-image's `random_walker`. `region` (bool) says where walks may go;
    pixels that are not finite are left out too.

    float32; they add up to 1 wherever a seed can be reached, and to 0 outside the region and where none can. The last
    correction of any probability is below a sixtieth of `tolerance`; errors stayed below half of `tolerance` in all
    comparisons with a direct solution. Classes without a seed have probability 0. One thread. Memory beside inputs and
    result: 41 bytes per pixel, 50 on white noise, however many classes: 8 bonds, 12 what is left to solve and where to
    go, 14 groups and their graphs (22 on noise), the rest marks and what the allocator keeps. From four classes up
    (five on noise) less than three times inputs and result is held, with two classes on grey bytes 4.2 times. Without
    numba it is some 450; a walk that does not settle in 300 iterations (none is known; a warning is logged) is solved
    directly, with about 1200.

    >>> pixels = np.array([[0.0, 0.0, 0.0, 0.0, 0.0]])
    >>> random_walk(pixels, np.array([[0, -1, -1, -1, 1]]), 2)[0].round(3)
    array([[1.  , 0.75, 0.5 , 0.25, 0.  ]], dtype=float32)
    """
    colours, labels = _channels(np.asarray(pixels)), np.asarray(labels)
    shape = colours.shape[:2]
    if labels.shape != shape or (region is not None and region.shape != shape):
        raise ValueError(f"pixels, labels and region are one size; got {shape}, {labels.shape}")
    if labels.size and labels.max() >= class_count:
        raise ValueError(f"labels go up to {class_count - 1}; got {labels.max()}")
    if not (math.isfinite(beta) and beta >= 0 and tolerance > 0):
        raise ValueError(f"beta is 0 or more and tolerance above 0; got {beta} and {tolerance}")
    inside = _finite(colours)
    inside &= True if region is None else np.asarray(region, bool)
    seeded = inside & (labels >= 0)
    unknown = _reached(inside, seeded) & ~seeded
    classes = np.unique(labels[seeded])
    scores = np.zeros((class_count, *shape), np.float32)
    if unknown.any() and len(classes) > 1:
        bonds = _bonds(colours, inside, beta)
        del inside
        _walk(scores, classes, labels, seeded, unknown, bonds, tolerance * CORRECTION)
    else:
        _mark(scores, classes, labels, seeded)
    _share(scores, classes, unknown)
    return scores


def _channels(pixels: NDArray[Any]) -> NDArray[Any]:
    if pixels.ndim not in (2, 3) or pixels.dtype.kind not in "buif":
        raise ValueError(f"pixels are real (height, width[, channels]); got {pixels.dtype} {pixels.shape}")
    return pixels if pixels.ndim == 3 else pixels[..., None]


def _finite(colours: NDArray[Any]) -> NDArray[np.bool_]:
    finite = np.ones(colours.shape[:2], bool)
    if colours.dtype.kind == "f":
        for channel in range(colours.shape[2]):
            finite &= np.isfinite(colours[..., channel])
    return finite


def _reached(inside: NDArray[np.bool_], seeded: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels from which some walk reaches a seed."""
    parts, count = ndimage.label(inside)
    holds = np.zeros(count + 1, bool)
    holds[parts[seeded]] = True
    holds[0] = False
    return np.asarray(holds[parts])


def _walk(
    scores: NDArray[np.float32],
    classes: NDArray[Any],
    labels: NDArray[np.int32],
    seeded: NDArray[np.bool_],
    unknown: NDArray[np.bool_],
    bonds: tuple[NDArray[np.float32], NDArray[np.float32]],
    tolerance: float,
) -> None:
    """Solve for all classes with seeds but the last, whose plane, like all others at first, serves as room."""
    walk = (PixelWalk if HAS_NUMBA else MatrixWalk).of(*bonds, unknown, scores)
    _mark(scores, range(len(scores)), labels, seeded)
    for class_id in classes[:-1]:
        if not walk.solve(scores[class_id], tolerance, scores[classes[-1]]):
            LOGGER.warning("a random walk did not settle; it is solved directly, which takes time and memory")
            solve_directly(*bonds, unknown, scores[class_id])
    _mark(scores, classes[-1:], labels, seeded)


def _mark(
    scores: NDArray[np.float32], class_ids: Iterable[int], labels: NDArray[np.int32], seeded: NDArray[np.bool_]
) -> None:
    """1 for the class of each seed, 0 elsewhere."""
    for class_id in class_ids:
        np.logical_and(seeded, labels == class_id, out=scores[class_id])


def _share(scores: NDArray[np.float32], classes: NDArray[Any], unknown: NDArray[np.bool_]) -> None:
    """The last class is what the others leave of unknown pixels; rounding takes nothing below 0 or above 1."""
    total = np.zeros(unknown.shape, np.float32)
    for class_id in classes[:-1]:
        np.clip(scores[class_id], 0, 1, out=scores[class_id])
        total += scores[class_id]
    most = np.maximum(total, 1)
    for class_id in classes[:-1]:
        scores[class_id] /= most
    np.minimum(total, 1, out=total)
    for class_id in classes[-1:]:
        np.subtract(1, total, out=scores[class_id], where=unknown)


def _bonds(
    colours: NDArray[Any], inside: NDArray[np.bool_], beta: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Each pixel's bond to the right and down (height, width); 0 beyond the picture and where walks may not go."""
    spread = _spread(colours) * math.sqrt(colours.shape[2])
    sharpness = beta / (10 * spread) if spread > 0 else 0.0
    right, down = np.zeros(inside.shape, np.float32), np.zeros(inside.shape, np.float32)
    for top in range(0, len(inside), BAND):
        band, rows = inside[top : top + BAND + 1], _fractions(colours[top : top + BAND + 1])
        along = right[top : top + BAND]
        along[:, :-1] = (_bond(rows[:, :-1], rows[:, 1:], sharpness) * (band[:, :-1] & band[:, 1:]))[: len(along)]
        down[top : top + len(band) - 1] = _bond(rows[:-1], rows[1:], sharpness) * (band[:-1] & band[1:])
    return right, down


def _fractions(colours: NDArray[Any]) -> NDArray[np.float64]:
    if colours.dtype.kind in "bf":
        return colours.astype(np.float64)
    return colours / np.float64(np.iinfo(colours.dtype).max)


def _spread(colours: NDArray[Any]) -> float:
    """Standard deviation of all finite values, in two rounds over the rows."""
    bands = [colours[top : top + BAND] for top in range(0, len(colours), BAND)]
    count, mean = 0, 0.0
    for band in bands:
        values = _fractions(band)
        values = values[np.isfinite(values)]
        count += values.size
        mean += float(values.sum())
    mean /= max(count, 1)
    square = 0.0
    for band in bands:
        values = _fractions(band) - mean
        square += float(np.square(values[np.isfinite(values)]).sum())
    return math.sqrt(square / max(count, 1))


def _bond(here: NDArray[np.float64], there: NDArray[np.float64], sharpness: float) -> NDArray[np.float64]:
    square = np.zeros(here.shape[:2])
    with np.errstate(invalid="ignore", over="ignore"):
        for channel in range(here.shape[2]):
            square += (here[..., channel] - there[..., channel]) ** 2
        return np.where(np.isfinite(square), np.exp(-sharpness * square), 0) + WEAKEST
