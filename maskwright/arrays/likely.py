"""From class scores to the class that is most likely, at the speed of memory: more threads would wait for it too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.compiled import HAS_NUMBA, compiled
from maskwright.arrays.flat import flat_rows

NOBODY = 255
_AT_ONCE = 1 << 18


def most_likely(
    scores: NDArray[np.float32], valid: NDArray[np.bool_], *, class_ids: Sequence[int] | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The id of the largest of scores (classes, height, width) and that score, cut to 0..1, (height, width) each.

    Of equal scores the lowest id wins. Where nothing is valid or no score is above 0 the id is 255 and the score 0.
    `class_ids`, ascending and below 255, are the ids of the classes where they are not 0, 1, 2...

    >>> ids, confidence = most_likely(np.float32([[[0.25, 0.5, 0]], [[0.75, 0.5, 0]]]), np.ones((1, 3), bool))
    >>> ids, confidence
    (array([[  1,   0, 255]], dtype=uint8), array([[0.75, 0.5 , 0.  ]], dtype=float32))
    """
    height, width = valid.shape
    if not len(scores) or scores.shape[1:] != valid.shape:
        raise ValueError(f"scores are (classes, {height}, {width}) like valid; got {scores.shape}")
    numbers = np.arange(len(scores), dtype=np.uint8) if class_ids is None else np.array(class_ids, np.uint8)
    if len(numbers) != len(scores):
        raise ValueError(f"{len(scores)} classes have as many ids; got {class_ids}")
    found, best = np.empty(valid.shape, np.uint8), np.empty(valid.shape, np.float32)
    if HAS_NUMBA:
        _rows_compiled(*flat_rows(scores), np.ascontiguousarray(valid), numbers, found, best)
        return found, best
    step = max(1, _AT_ONCE // max(width, 1))  # a few rows at once stay in the cache for all classes
    for top in range(0, height, step):
        rows = slice(top, top + step)
        _rows(scores[:, rows], valid[rows], numbers, found[rows], best[rows])
    return found, best


def all_finite(scores: NDArray[np.float32]) -> bool:
    """Whether no score is nan or infinite, of any shape; of none all are.

    >>> all_finite(np.float32([3e38, 3e38])), all_finite(np.float32([1, np.nan])), all_finite(np.float32([]))
    (True, False, True)
    """
    with np.errstate(over="ignore", invalid="ignore"):  # the sum tells most at a third of the time
        return bool(np.isfinite(scores.sum()) or np.isfinite(scores).all())


def confidence_bytes(confidence: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Shares from 0 to 1 (height, width) in steps of 1/255 as uint8, halves to even; others are cut, and nan is 0.

    >>> confidence_bytes(np.float32([[0, 0.5, 1, 1.5]]))
    array([[  0, 128, 255, 255]], dtype=uint8)
    """
    steps = np.empty(confidence.shape, np.uint8)
    if HAS_NUMBA:
        _bytes_compiled(confidence, steps)
    else:
        steps[...] = np.rint(np.clip(np.nan_to_num(confidence), 0, 1) * confidence.dtype.type(255))
    return steps


@compiled
def _bytes_compiled(
    confidence: NDArray[np.floating[Any]], steps: NDArray[np.uint8]
) -> None:  # pragma: no cover - compiled
    for row in range(steps.shape[0]):
        given, made = confidence[row], steps[row]
        for col in range(steps.shape[1]):
            share = given[col] * given.dtype.type(255)
            made[col] = np.uint8(np.rint(min(share, given.dtype.type(255)))) if share > 0 else np.uint8(0)


def _rows(
    scores: NDArray[np.float32],
    valid: NDArray[np.bool_],
    numbers: NDArray[np.uint8],
    found: NDArray[np.uint8],
    best: NDArray[np.float32],
) -> None:
    found[...], best[...] = numbers[0], scores[0]
    for number, mine in zip(numbers[1:], scores[1:], strict=True):
        np.putmask(found, mine > best, number)
        np.maximum(best, mine, out=best)
    nobody = ~(valid & (best > 0))
    np.putmask(found, nobody, np.uint8(NOBODY))
    np.putmask(best, nobody, np.float32(0))
    np.minimum(best, np.float32(1), out=best)


@compiled
def _rows_compiled(
    scores: NDArray[np.float32],
    step: tuple[int, int],
    valid: NDArray[np.bool_],
    numbers: NDArray[np.uint8],
    found: NDArray[np.uint8],
    best: NDArray[np.float32],
) -> None:  # pragma: no cover - compiled
    width = valid.shape[1]
    for row in range(valid.shape[0]):
        ids, most = found[row], best[row]
        ids[:], most[:] = numbers[0], scores[row * step[1] : row * step[1] + width]
        for channel in range(1, len(numbers)):
            first = channel * step[0] + row * step[1]
            mine, number = scores[first : first + width], numbers[channel]
            for col in range(width):
                value, known = mine[col], most[col]
                ids[col] = number if value > known else ids[col]
                most[col] = known if known >= value or np.isnan(known) else value
        for col in range(width):
            sure = valid[row, col] and most[col] > 0
            ids[col] = ids[col] if sure else NOBODY
            most[col] = min(most[col], np.float32(1)) if sure else np.float32(0)
