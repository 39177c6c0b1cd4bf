"""From class scores to the class that is most likely, at the speed of memory: more threads would wait for it too."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.compiled import HAS_NUMBA, compiled

NOBODY = 255
_AT_ONCE = 1 << 18


def most_likely(scores: NDArray[np.float32], valid: NDArray[np.bool_]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The id of the largest of scores (classes, height, width) and that score, cut to 0..1, (height, width) each.

    Of equal scores the lowest id wins. Where nothing is valid or no score is above 0 the id is 255 and the score 0.

    >>> ids, confidence = most_likely(np.float32([[[0.25, 0.5, 0]], [[0.75, 0.5, 0]]]), np.ones((1, 3), bool))
    >>> ids, confidence
    (array([[  1,   0, 255]], dtype=uint8), array([[0.75, 0.5 , 0.  ]], dtype=float32))
    """
    height, width = valid.shape
    if not len(scores) or scores.shape[1:] != valid.shape:
        raise ValueError(f"scores are (classes, {height}, {width}) like valid; got {scores.shape}")
    class_ids, best = np.zeros(valid.shape, np.uint8), np.empty(valid.shape, np.float32)
    if HAS_NUMBA:
        _rows_compiled(scores, valid, class_ids, best)
        return class_ids, best
    step = max(1, _AT_ONCE // max(width, 1))  # a few rows at once stay in the cache for all classes
    for top in range(0, height, step):
        rows = slice(top, top + step)
        _rows(scores[:, rows], valid[rows], class_ids[rows], best[rows])
    return class_ids, best


def _rows(
    scores: NDArray[np.float32], valid: NDArray[np.bool_], class_ids: NDArray[np.uint8], best: NDArray[np.float32]
) -> None:
    best[...] = scores[0]
    for class_id in range(1, len(scores)):
        np.putmask(class_ids, scores[class_id] > best, np.uint8(class_id))
        np.maximum(best, scores[class_id], out=best)
    nobody = ~(valid & (best > 0))
    np.putmask(class_ids, nobody, np.uint8(NOBODY))
    np.putmask(best, nobody, np.float32(0))
    np.minimum(best, np.float32(1), out=best)


@compiled
def _rows_compiled(
    scores: NDArray[np.float32], valid: NDArray[np.bool_], class_ids: NDArray[np.uint8], best: NDArray[np.float32]
) -> None:  # pragma: no cover - compiled
    for row in range(valid.shape[0]):
        ids, most = class_ids[row], best[row]
        most[:] = scores[0, row]
        for class_id in range(1, scores.shape[0]):
            mine = scores[class_id, row]
            for col in range(valid.shape[1]):
                value, known = mine[col], most[col]
                ids[col] = class_id if value > known else ids[col]
                most[col] = known if known >= value or np.isnan(known) else value
        for col in range(valid.shape[1]):
            sure = valid[row, col] and most[col] > 0
            ids[col] = ids[col] if sure else NOBODY
            most[col] = min(most[col], np.float32(1)) if sure else np.float32(0)
