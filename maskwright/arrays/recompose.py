"""Put regions that were looked at one by one back into one picture of classes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.connected import NOBODY
from maskwright.arrays.nearest import nearest_seed

Region = NDArray[np.bool_]
Ids = NDArray[np.uint8]


def recompose(
    class_ids: Ids,
    refined: Mapping[int, Region],
    *,
    scores: Mapping[int, NDArray[np.float32]] | None = None,
    valid: Region | None = None,
) -> Ids:
    """The picture of classes after some of them got new regions: uint8 (height, width).

    `refined` holds a class's new region (bool, height x width) in order of priority: where regions overlap the first
    class has the pixel, or with `scores` (float32, height x width, for every refined class) the one with the highest
    score, of equal ones the first. A pixel that a class gave up and nobody claimed takes the class of the nearest pixel
    of another class, unknown ones (255) aside; of equally near pixels the first in reading order; where there is none
    it is unknown. Pixels that are not `valid` become unknown and lend their class to nobody.

    >>> class_ids = np.array([[1, 1, 5, 5, 5, 5, 2, 2]], np.uint8)
    >>> recompose(class_ids, {5: np.array([[0, 1, 1, 0, 0, 0, 0, 0]], bool)})
    array([[1, 5, 5, 1, 2, 2, 2, 2]], dtype=uint8)
    """
    for class_id, region in refined.items():
        if region.shape != class_ids.shape:
            raise ValueError(f"class ids are {class_ids.shape} but the region of class {class_id} is {region.shape}")
    result = _claimed(class_ids, refined, scores)
    given_up = {class_id: (class_ids == class_id) & (result == NOBODY) for class_id in refined}
    if valid is not None:
        result[~valid] = NOBODY
        given_up = {class_id: freed & valid for class_id, freed in given_up.items()}
    known = result.copy()
    for class_id, freed in given_up.items():
        if freed.any():
            result[freed] = _nearest_other(known, class_id, freed)
    return result


def overlap(before: Region, after: Region) -> float:
    """Shared pixels over all pixels of two regions; two empty ones are the same: 1.

    >>> overlap(np.array([[1, 1, 0, 0]], bool), np.array([[0, 1, 1, 0]], bool))
    0.3333333333333333
    """
    either = int(np.count_nonzero(before | after))
    return int(np.count_nonzero(before & after)) / either if either else 1.0


def _claimed(class_ids: Ids, refined: Mapping[int, Region], scores: Mapping[int, NDArray[np.float32]] | None) -> Ids:
    """Every refined class where it was claimed, and nobody where it was given up."""
    result = np.where(np.isin(class_ids, list(refined)), np.uint8(NOBODY), class_ids)
    best = np.full(class_ids.shape, -np.inf, np.float32)
    for rank, (class_id, region) in enumerate(refined.items()):
        score = np.float32(-rank) if scores is None else scores[class_id]
        wins = region & (score > best)
        result[wins] = class_id
        np.copyto(best, score, where=wins)
    return result


def _nearest_other(class_ids: Ids, class_id: int, wanted: Region) -> Ids:
    """The class of the nearest known pixel of another class for the wanted pixels: (n,) in reading order."""
    known = (class_ids != class_id) & (class_ids != NOBODY)
    rows, cols = np.nonzero(known & ~_surrounded(known))  # the nearest is never amid others: one of them is nearer
    index, _ = nearest_seed(class_ids.shape, rows, cols, region=wanted)
    if not len(rows):
        return np.full(int(np.count_nonzero(wanted)), NOBODY, np.uint8)
    found = index[wanted]
    answer: Ids = class_ids[rows[found], cols[found]]
    return answer


def _surrounded(region: Region) -> Region:
    """Pixels whose neighbours on all four sides belong to the region too; beyond the edge counts as belonging."""
    around = np.pad(region, 1, constant_values=True)
    inner: Region = around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    return inner
