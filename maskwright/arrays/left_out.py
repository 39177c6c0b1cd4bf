"""What witnesses said of points that were left out: who is to be trusted how much, and what their confidence means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.calibrate import Isotonic, isotonic
from maskwright.arrays.pool import class_shares, fit_trust, pooled, with_shares

FEWEST_TO_CALIBRATE = 50


@dataclass(frozen=True, eq=False)
class Heard:
    """What all witnesses said when some points of a picture were left out.

    `said` (witnesses, classes, n + m) are logarithms of scores at the n points left out, whose classes are `truth`
    (n,), and then at m places evenly through the picture. `counts` (classes,) are the points they knew.
    """

    said: NDArray[np.float32]
    truth: NDArray[np.intp]
    counts: NDArray[np.intp]


def trust_of(heard: Sequence[Heard], start: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much to trust each witness, float64 (witnesses,), by all points left out; `start` where there is none.

    Pictures may have other classes, and another number of them: they are lined up so that the true one comes first.

    >>> good = np.log(np.array([[[0.9, 0.1], [0.1, 0.9]]], np.float32))
    >>> one = Heard(np.concatenate([good, -good]), np.array([0, 1]), np.array([1, 1]))
    >>> trust = trust_of([one, one], np.array([0.5, 0.5]))
    >>> bool(trust[0] > 0.5 > trust[1]), trust_of([], np.ones(2)).tolist()
    (True, [1.0, 1.0])
    """
    if not heard:
        return np.array(start, np.float64)
    most = max(each.said.shape[1] for each in heard)
    parts = []
    for each in heard:
        count = each.said.shape[1]
        order = (each.truth[None] + np.arange(count)[:, None]) % count
        own = np.take_along_axis(each.said[:, :, : len(each.truth)], order[None], axis=1)
        parts.append(np.pad(own, ((0, 0), (0, most - count), (0, 0)), constant_values=-50.0))
    said = np.concatenate(parts, axis=2)
    return fit_trust(said, np.zeros(said.shape[2], np.intp), start)


def confidence_curve(heard: Sequence[Heard], trust: NDArray[np.float64], *, hold: float) -> Isotonic:
    """What confidences mean: of left-out points that claimed so much, how many were right, weighted by area.

    `hold` is that of `class_shares`. Of fewer than 50 points nothing is learned: a claim is taken as it is.

    >>> confidence_curve([], np.ones(2), hold=0.1)(np.array([0.25, 1.0])).tolist()
    [0.25, 1.0]
    """
    claims, rights, areas = [], [], []
    for each in heard:
        scores = pooled(each.said, trust)
        count = len(each.truth)
        shares = class_shares(scores[:, count:], each.counts + 1.0, hold=hold)
        fair = with_shares(scores[:, :count], shares)
        claims.append(fair.max(axis=0))
        rights.append(fair.argmax(axis=0) == each.truth)
        areas.append(shares[each.truth] / np.bincount(each.truth)[each.truth])
    if sum(map(len, claims)) < FEWEST_TO_CALIBRATE:
        return Isotonic(np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    return isotonic(np.concatenate(claims), np.concatenate(rights), np.concatenate(areas))
