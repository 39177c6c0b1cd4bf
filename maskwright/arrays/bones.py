"""Which joints of a body are joined by a line when it is drawn, read from their names."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from maskwright.arrays.joint_names import Joint, read_joint, words_of

_NECK = {"end": 0, "upper": 0, "middle": 1, "mid": 1, "base": 2, "lower": 2}
_BACK = {"base": 0, "middle": 1, "mid": 1, "end": 2}
_BACK_BASE, _TAIL_ROOT = (2, 0, 0), (3, 0, 0)

Bone = tuple[int, int]


def bones_of(names: Sequence[str], rows: ArrayLike, cols: ArrayLike) -> tuple[Bone, ...]:
    """Pairs of indices of joints to draw a line between, towards the end of each limb, tail and head.

    `rows` and `cols` (n,) are nan where a joint is not seen: lines go past it to the next one. The spine runs from neck
    to tail; legs hang on its nearest end, without a spine on each other; the joints of the head form the shortest tree,
    which hangs on the neck. Names that say nothing have no line.

    >>> bones_of(["neck", "root of tail", "l_hip", "l_knee", "l_b_paw", "thing"], [0] * 6, [0, 9, 8, 8, 8, 4])
    ((0, 1), (1, 2), (2, 3), (3, 4))
    """
    places = np.stack([np.asarray(rows, np.float64), np.asarray(cols, np.float64)], axis=1)
    joints = {k: read_joint(name) for k, name in enumerate(names) if np.isfinite(places[k]).all()}
    body = _Body(names, [(float(row), float(col)) for row, col in places], joints)
    return (*body.spine_bones(), *body.leg_bones(), *body.head_bones())


def side_of(name: str) -> str:
    """The side a joint's name says: "left", "right" or "" for what lies in the middle.

    >>> side_of("L_F_Paw"), side_of("front_right_knee"), side_of("nose")
    ('left', 'right', '')
    """
    words = words_of(name)
    return "left" if words & {"left", "l"} else "right" if words & {"right", "r"} else ""


class _Body:
    """The joints of one body that are seen, by index."""

    def __init__(self, names: Sequence[str], places: Sequence[tuple[float, float]], joints: dict[int, Joint]) -> None:
        self.places, self.joints = places, joints
        self.head = [k for k, each in joints.items() if each.role == "head" and not _spine_rank(names[k])]
        ranked = [(rank, k) for k in joints if (rank := _spine_rank(names[k]))]
        self.spine = [k for _, k in sorted(ranked)]
        self.front = [k for rank, k in ranked if rank <= _BACK_BASE]
        self.back = [k for rank, k in ranked if _BACK_BASE < rank <= _TAIL_ROOT]

    def spine_bones(self) -> Iterator[Bone]:
        """From the neck to the tip of the tail."""
        return pairwise(self.spine)

    def leg_bones(self) -> Iterator[Bone]:
        """Down every leg, from the end of the spine it hangs on."""
        tops: dict[str, int] = {}
        for limb in sorted({each.limb for each in self.joints.values() if each.role == "limb" and each.limb}):
            chain = sorted((k for k, each in self.joints.items() if each.limb == limb), key=self._order)
            end = self.front if limb.startswith("front") else self.back
            if self._order(chain[0]) <= 1:
                tops[limb] = chain[0]
                if end:
                    yield self._nearest(chain[0], end), chain[0]
            yield from pairwise(chain)
        if not self.spine:
            pairs = ("front left", "front right"), ("hind left", "hind right")
            sides = ("front left", "hind left"), ("front right", "hind right")
            yield from ((tops[one], tops[other]) for one, other in (*pairs, *sides) if one in tops and other in tops)

    def head_bones(self) -> Iterator[Bone]:
        """The shortest tree through the joints of the head, from the one nearest to the neck on."""
        left = list(self.head)
        if not left:
            return
        if self.spine:
            first = self._nearest(self.spine[0], left)
            yield self.spine[0], first
        else:
            first = left[0]
        reached = [first]
        left.remove(first)
        while left:
            known, new = min(((a, b) for a in reached for b in left), key=lambda pair: self._apart(*pair))
            yield known, new
            reached.append(new)
            left.remove(new)

    def _order(self, k: int) -> int:
        return self.joints[k].order

    def _nearest(self, k: int, others: Sequence[int]) -> int:
        return min(others, key=lambda other: self._apart(k, other))

    def _apart(self, k: int, other: int) -> float:
        return math.dist(self.places[k], self.places[other])


def _spine_rank(name: str) -> tuple[int, int, int] | None:
    """Where along the line from neck to tail a joint lies; None for those beside it."""
    words, joint = words_of(name), read_joint(name)
    if joint.role == "limb":
        return None
    if "tail" in words:
        return (3, 0, 0) if joint.role == "trunk" else (4, joint.order, len(words & {"end", "tip"}))
    if "neck" in words:
        return 0, next((_NECK[word] for word in words if word in _NECK), 1), 0
    if "withers" in words:
        return 1, 0, 0
    if words & {"back", "spine"}:
        return 2, next((_BACK[word] for word in words if word in _BACK), 1), 0
    return None
