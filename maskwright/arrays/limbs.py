"""Joints that cannot be right: too far from the others for their limbs, or on the side of their mirror partner."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Bools = NDArray[np.bool_]

SHARE = 0.15
"""Legs cross as animals walk: links that become shorter by a smaller share say nothing about sides."""


def reaches(count: int, links: ArrayLike, lengths: ArrayLike) -> NDArray[np.float64]:
    """How far apart two of `count` joints can be (count, count) when links (n, 2) are at most `lengths` (n,) long.

    That is the shortest way from link to link; inf where none leads, 0 from a joint to itself.

    >>> reaches(4, [(0, 1), (1, 2)], [2, 3]).tolist()
    [[0.0, 2.0, 5.0, inf], [2.0, 0.0, 3.0, inf], [5.0, 3.0, 0.0, inf], [inf, inf, inf, 0.0]]
    """
    table = np.full((count, count), np.inf)
    pairs = np.asarray(links, np.int64).reshape(-1, 2)
    for (one, other), length in zip(pairs, np.asarray(lengths, np.float64), strict=True):
        table[one, other] = table[other, one] = length
    np.fill_diagonal(table, 0)
    for middle in range(count):
        np.minimum(table, table[:, middle, None] + table[middle], out=table)
    return table


def scale_of(places: NDArray[np.float64], links: ArrayLike, lengths: ArrayLike, *, least: int = 4) -> float:
    """How many pixels the unit of `lengths` (n,) is: the median over links (n, 2) of joints at `places` (m, 2).

    Places are nan where a joint is not seen. With fewer than `least` links between joints that are seen, nan.

    >>> scale_of(np.array([[0, 0], [0, 8], [0, 20], [0, 21.0]]), [(0, 1), (1, 2), (2, 3)], [2, 3, 4], least=3)
    4.0
    """
    one, other = np.asarray(links, np.int64).reshape(-1, 2).T
    away = np.hypot(*(places[one] - places[other]).T) / np.asarray(lengths, np.float64)
    away = away[np.isfinite(away)]
    return float(np.median(away)) if len(away) >= least else float("nan")


def too_far(places: NDArray[np.float64], limits: NDArray[np.float64]) -> Bools:
    """Joints (n,) to leave out so that no two of `places` (n, 2; nan where not seen) are farther apart than `limits`.

    `limits` (n, n) are in pixels. The joint that is too far from most others goes first. Of several such it is the one
    for which that is the largest share of what binds it, where others bind by 1 / limit squared: a paw far from its
    knee, which is where the hip wants it, is wrong rather than the knee. All of them go if they are equal.

    >>> too_far(np.array([[0, 0], [0, 1], [1, 0], [0, 9.0]]), np.full((4, 4), 2.0))
    array([False, False, False,  True])
    """
    away = np.sqrt(((places[:, None] - places[None]) ** 2).sum(axis=2))
    with np.errstate(invalid="ignore"):
        conflicts = away > limits
    bound = np.where(np.isfinite(away) & (limits > 0), 1 / np.maximum(limits, 1e-9) ** 2, 0.0)
    left_out = np.zeros(len(places), bool)
    while conflicts.any():
        counts = conflicts.sum(axis=1)
        worst = np.flatnonzero(counts == counts.max())
        shares = np.array([math.fsum(bound[k, conflicts[k]]) / math.fsum(bound[k]) for k in worst])
        chosen = worst[shares == shares.max()]
        left_out[chosen] = True
        for table in (conflicts, bound):
            table[chosen] = 0
            table[:, chosen] = 0
    return left_out


def exchanged_sides(places: NDArray[np.float64], partners: Sequence[int], links: ArrayLike, *, least: float) -> Bools:
    """Joints (n,) whose left and right look exchanged against their neighbours'.

    `partners` (n,) is each joint's mirror partner, itself in the middle; `links` (m, 2) bind neighbours. A pair of
    partners is exchanged when that makes the links from it to neighbours with sides of their own shorter by more than
    `least` pixels in sum, and by more than `SHARE`; the pair that gains most goes first, its sides count as mended for
    the others, and equal gains count together. Joints at nan places say nothing.

    >>> places = np.array([[0, 0], [0, 9], [5, 9], [5, 0], [9, 0], [9, 9.0]])  # hips, knees, paws: left, right
    >>> exchanged_sides(places, [1, 0, 3, 2, 5, 4], [(0, 2), (1, 3), (2, 4), (3, 5)], least=1)
    array([False, False,  True,  True, False, False])
    """
    partner = [int(each) for each in partners]
    known = {(int(a), int(b)) for one, other in np.asarray(links, np.int64).reshape(-1, 2)
             for a, b in ((one, other), (other, one))}  # fmt: skip
    seen: Bools = np.asarray(np.isfinite(places).all(axis=1))
    sided = {k for k, other in enumerate(partner) if k != other and seen[k] and seen[other]}
    neighbours = {
        one: [b for b in sided - {other} if (one, b) in known and (other, partner[b]) in known]
        for one, other in enumerate(partner)
        if one in sided and one < other
    }
    away = np.sqrt(((places[:, None] - places[None]) ** 2).sum(axis=2)).tolist()
    exchanged = np.zeros(len(places), bool)
    for _ in neighbours:
        gains = {one: _gain(away, one, others, partner, exchanged) for one, others in neighbours.items()}
        best = max((gain for gain, share in gains.values() if gain > least and share > SHARE), default=0.0)
        chosen = [one for one, (gain, share) in gains.items() if gain == best and share > SHARE] if best else []
        if not chosen:
            break
        for one in chosen:
            for joint in (one, partner[one]):
                exchanged[joint] = not exchanged[joint]
    return exchanged


def _gain(
    away: list[list[float]], one: int, others: Sequence[int], partner: Sequence[int], exchanged: Bools
) -> tuple[float, float]:
    """How much shorter the links of a pair become when its sides are exchanged: in pixels, and as a share."""

    def at(joint: int) -> int:
        return partner[joint] if turned[joint] else joint

    turned = exchanged.tolist()
    here, there = at(one), at(partner[one])
    ends = [(at(each), at(partner[each])) for each in others]
    straight = math.fsum(away[a][b] for near, far in ends for a, b in ((here, near), (there, far)))
    crossed = math.fsum(away[a][b] for near, far in ends for a, b in ((here, far), (there, near)))
    return straight - crossed, (straight - crossed) / straight if straight else 0.0
