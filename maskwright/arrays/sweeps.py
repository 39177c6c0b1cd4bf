"""Keys handed on from pixel to pixel of a region, compiled: over runs of pixels, sweep by sweep, until all is still.

A run is pixels of the region that follow each other in a row; what lies between runs costs nothing. A key is a length
and, in the low bits, a label: the least one is the shortest way, of equal ones the lowest label. Arrays have a frame of
one pixel, and outside the region all keys are `NO_KEY`: nothing asks where the picture ends.

Pixels are counted through whole arrays, in unsigned numbers: numba looks at every other index whether it is negative,
and what does that is not done side by side.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from maskwright.arrays.compiled import compiled

NO_KEY = 1 << 61
LABEL_BITS = 15
LABELS = (1 << LABEL_BITS) - 1
PIXELS_PER_STEP = 1 / (1 << 14)  # a power of two: lengths become pixels without rounding twice
ONE = np.uint64(1)


@compiled
def runs_of(region: Any) -> Any:  # pragma: no cover - compiled
    """The runs of a framed region: (n, 2) flat pixels, the first and the one behind the last; and where rows begin.

    Those of row r are `first[r]` to `first[r + 1]`.
    """
    height, width = region.shape
    first = np.zeros(height + 1, np.int64)
    runs = np.empty((4096 + width, 2), np.int64)
    count = 0
    for row in range(1, height - 1):
        first[row] = count
        if count + width > len(runs):
            runs = np.concatenate((runs, np.empty_like(runs)))
        for col in range(1, width):
            if region[row, col] != region[row, col - 1]:
                if region[row, col]:
                    runs[count, 0] = row * width + col
                else:
                    runs[count, 1] = row * width + col
                    count += 1
    first[height - 1 :] = count
    return runs[:count], first


@compiled
def sweep_until_still(
    keys: Any, runs: Any, first: Any, straight: int, slanted: int
) -> None:  # pragma: no cover - compiled
    """Down and up again over the rows that changed, or whose neighbours did, until a sweep changes nothing; in place.

    A run that took nothing from the row before has handed on all it had when it last did.
    """
    height, width = keys.shape
    flat = keys.ravel()
    before_that = np.ones(height, np.bool_)
    number = 0
    while number < 2 or before_that.any():
        now = np.zeros(height, np.bool_)
        for n in range(1, height - 1):
            row = height - 1 - n if number % 2 else n
            before = row + 1 if number % 2 else row - 1
            if before_that[row] or before_that[before] or now[before]:
                for k in range(first[row], first[row + 1]):
                    here, size = np.uint64(runs[k, 0]), np.uint64(runs[k, 1] - runs[k, 0])
                    there = np.uint64(runs[k, 0] + (before - row) * width)
                    less = _take(flat, here, there, size, straight, slanted)
                    if less or number == 0:
                        less |= _hand_on(flat, here, size, straight)
                    now[row] |= less != 0
        if number:
            before_that = now
        number += 1


@compiled
def _take(keys: Any, here: Any, there: Any, size: Any, straight: int, slanted: int) -> Any:  # pragma: no cover
    """Take what the row beside can give a run from `here` on, from `there` on; not 0 where anything became less."""
    less = np.int64(0)
    for k in range(size):
        old = keys[here + k]
        least = min(old, keys[there + k] + straight)
        least = min(least, keys[there + k - ONE] + slanted)
        least = min(least, keys[there + k + ONE] + slanted)
        less |= old - least
        keys[here + k] = least
    return less


@compiled
def _hand_on(keys: Any, here: Any, size: Any, straight: int) -> Any:  # pragma: no cover - compiled
    """Hand keys on along a run, to the right and then to the left; not 0 where anything became less."""
    less, last = np.int64(0), here + size - ONE
    way = keys[here]
    for k in range(ONE, size):
        way += straight
        if way < keys[here + k]:
            keys[here + k] = way
            less = np.int64(1)
        else:
            way = keys[here + k]
    for k in range(ONE, size):
        way += straight
        if way < keys[last - k]:
            keys[last - k] = way
            less = np.int64(1)
        else:
            way = keys[last - k]
    return less


@compiled
def read_labels(keys: Any, runs: Any, labels: Any) -> None:  # pragma: no cover - compiled
    """The label of each key in runs, -1 where no way leads; in place, both arrays framed."""
    flat, label_of = keys.ravel(), labels.ravel()
    for k in range(len(runs)):
        for pixel in range(np.uint64(runs[k, 0]), np.uint64(runs[k, 1])):
            key = flat[pixel]
            label_of[pixel] = key & LABELS if key < NO_KEY else -1


@compiled
def leave(
    rivals: Any, keys: Any, labels: Any, runs: Any, straight: int, slanted: int
) -> None:  # pragma: no cover - compiled
    """Give each pixel of runs the least way that begins with a step to a pixel of another label; in place.

    What lies outside has no key that could be less. Swept on, such ways may cross to other labels and back: that makes
    none shorter than what the first of these steps gave.
    """
    width = np.uint64(keys.shape[1])
    flat, rival, label_of = keys.ravel(), rivals.ravel(), labels.ravel()
    for k in range(len(runs)):
        for pixel in range(np.uint64(runs[k, 0]), np.uint64(runs[k, 1])):
            label, above, below = label_of[pixel], pixel - width, pixel + width
            is_same = (label_of[above - ONE] == label) & (label_of[above] == label) & (label_of[above + ONE] == label)
            is_same &= (label_of[pixel - ONE] == label) & (label_of[pixel + ONE] == label)
            is_same &= (label_of[below - ONE] == label) & (label_of[below] == label) & (label_of[below + ONE] == label)
            if is_same:
                continue
            least = rival[pixel]
            for down in range(-1, 2):
                for across in range(-1, 2):
                    there = pixel + np.uint64(down * keys.shape[1] + across)
                    if label_of[there] != label:
                        least = min(least, flat[there] + (slanted if down != 0 and across != 0 else straight))
            rival[pixel] = least


@compiled
def read_lengths(keys: Any, runs: Any, first: Any, pixels: Any) -> None:  # pragma: no cover - compiled
    """Lengths in pixels of framed keys in runs, inf elsewhere and where no way leads; `pixels` have no frame."""
    flat, width = keys.ravel(), keys.shape[1]
    for row in range(len(pixels)):
        line = pixels[row]
        line[:] = np.inf
        for k in range(first[row + 1], first[row + 2]):
            at = np.uint64(runs[k, 0] - (row + 1) * width - 1)
            for n in range(np.uint64(runs[k, 1] - runs[k, 0])):
                key = flat[np.uint64(runs[k, 0]) + n]
                line[at + n] = np.float32(key >> LABEL_BITS) * np.float32(PIXELS_PER_STEP) if key < NO_KEY else np.inf
