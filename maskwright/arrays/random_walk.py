"""Where a random walker from each pixel first meets a seed: probabilities per class, one class after the other.

The probabilities solve a Laplace equation on the pixels between the seeds: `walk_pixels` solves it in place, and
`walk_matrices` where numba is absent.
"""

from __future__ import annotations

import logging
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from maskwright.arrays.compiled import HAS_NUMBA
from maskwright.arrays.walk_bonds import Bonds, bonds_of
from maskwright.arrays.walk_matrices import MatrixWalk, solve_directly
from maskwright.arrays.walk_pixels import PixelWalk

LOGGER = logging.getLogger(__name__)
CORRECTION = 1 / 60  # of the tolerance: solved when no correction is larger


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
    comparisons with a direct solution. Classes without a seed have probability 0. One thread.

    Memory beside inputs and result, however many classes: some 20 bytes per pixel of grey bytes and 23 of others, 3 to
    6 more on white noise: 2 or 4 bonds, 6 where to go and what float32 rounds off, 11 groups and their graphs (14 to 18
    on noise), the rest marks and what the allocator keeps. With labels of 4 bytes that is less than three times inputs
    and result for any number of classes. Without numba it is some 450; a walk that does not settle in 300 iterations
    (none is known; a warning is logged) is solved directly, with about 1200.

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
    inside = _inside(colours, region)
    scores = np.empty((class_count, *shape), np.float32)
    for class_id in range(class_count):
        _mark(scores[class_id], class_id, labels, inside)
    classes = [class_id for class_id in range(class_count) if scores[class_id].any()]
    bonds = bonds_of(colours, inside, beta)
    unknown = _unknown(inside, labels)
    if len(classes) > 1 and unknown.any():
        _walk(scores, classes, unknown, bonds, tolerance * CORRECTION)
        _mark(scores[classes[-1]], classes[-1], labels, _inside(colours, region))
    _share(scores, classes, unknown)
    return scores


def _channels(pixels: NDArray[Any]) -> NDArray[Any]:
    if pixels.ndim not in (2, 3) or pixels.dtype.kind not in "buif":
        raise ValueError(f"pixels are real (height, width[, channels]); got {pixels.dtype} {pixels.shape}")
    return pixels if pixels.ndim == 3 else pixels[..., None]


def _inside(colours: NDArray[Any], region: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Where walks may go: finite pixels of the region."""
    inside = np.ones(colours.shape[:2], bool) if region is None else np.array(region, bool)
    if colours.dtype.kind == "f":
        for channel in range(colours.shape[2]):
            inside &= np.isfinite(colours[..., channel])
    return inside


def _unknown(inside: NDArray[np.bool_], labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Pixels that are no seeds, and from which some walk reaches one; in the memory of `inside`."""
    parts, count = ndimage.label(inside)
    holds = np.zeros(count + 1, bool)
    holds[parts[labels >= 0]] = True
    holds[0] = False
    np.logical_and(holds[parts], labels < 0, out=inside)
    return inside


def _walk(
    scores: NDArray[np.float32],
    classes: list[int],
    unknown: NDArray[np.bool_],
    bonds: Bonds,
    tolerance: float,
) -> None:
    """Solve for all classes with seeds but the last, whose plane serves as room."""
    room = scores[classes[-1]]
    walk = (PixelWalk if HAS_NUMBA else MatrixWalk).of(bonds, unknown, room)
    for class_id in classes[:-1]:
        if not walk.solve(scores[class_id], tolerance, room):
            LOGGER.warning("a random walk did not settle; it is solved directly, which takes time and memory")
            solve_directly(bonds, unknown, scores[class_id])


def _mark(plane: NDArray[np.float32], class_id: int, labels: NDArray[np.int32], inside: NDArray[np.bool_]) -> None:
    """1 on the seeds of a class, 0 elsewhere."""
    np.equal(labels, class_id, out=plane, casting="unsafe")
    plane *= inside


def _share(scores: NDArray[np.float32], classes: list[int], unknown: NDArray[np.bool_]) -> None:
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
