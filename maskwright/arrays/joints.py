"""Lists of joints: which is the mirror partner of which by its name, and two opinions about the same joints as one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Merge = Literal["second", "first", "higher", "mean"]
MERGES: tuple[Merge, ...] = get_args(Merge)
OTHER_SIDE = {"left": "right", "right": "left", "l": "r", "r": "l"}


def mirror_partners(names: Sequence[str]) -> tuple[int, ...]:
    """For each joint the index of the one whose name says the other side; itself where no name does.

    Sides are the words left, right, l and r, whatever stands between words and however they are written.

    >>> mirror_partners(["nose", "L_Eye", "R_Eye", "back_left_paw"])
    (0, 2, 1, 3)
    """
    words = [tuple(re.findall(r"[a-z]+|\d+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", each).lower())) for each in names]
    place = {each: index for index, each in enumerate(words)}
    others = [tuple(OTHER_SIDE.get(word, word) for word in each) for each in words]
    found = [place.get(other, index) for index, other in enumerate(others)]
    return tuple(other if found[other] == index else index for index, other in enumerate(found))


def merge_joints(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    pairs: Sequence[tuple[int, int]],
    how: Merge | Sequence[Merge] = "second",
) -> NDArray[np.float64]:
    """`first` (n, 3) as row, column, score, with joint a of each pair (a, b) made of it and joint b of `second`.

    `how` is one rule or one for each pair: "second" and "first" take one, whatever it says; "higher" the one with the
    higher score, the first of equal ones; "mean" averages places and scores weighted by scores. A joint without a
    place (nan) is never preferred by the last two.

    >>> merge_joints(np.array([[4.0, 8.0, 0.25]]), np.array([[8.0, 4.0, 0.75]]), [(0, 0)], "mean").tolist()
    [[7.0, 5.0, 0.625]]
    """
    rules = [how] * len(pairs) if isinstance(how, str) else list(how)
    if len(rules) != len(pairs) or not set(rules) <= set(MERGES):
        raise ValueError(f"one rule of {MERGES} is needed for each of {len(pairs)} pairs; got {how}")
    merged = first.copy()
    for (a, b), rule in zip(pairs, rules, strict=True):
        merged[a] = _merged(first[a], second[b], rule)
    return merged


def _merged(one: Any, other: Any, rule: Merge) -> Any:
    if rule in ("first", "second"):
        return one if rule == "first" else other
    weights = np.array([each[2] if np.isfinite(each).all() and each[2] > 0 else 0.0 for each in (one, other)])
    if rule == "higher" or not weights.all():
        return other if weights[1] > weights[0] else one
    return (one * weights[0] + other * weights[1]) / weights.sum()
