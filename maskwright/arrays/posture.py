"""An animal as sticks: its joints, bound by bones of some thickness, and the parts they span, in pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskwright.arrays.joint_names import Joint, read_joint

UPPER_LEG, LOWER_LEG, TAIL, NECK, FACE, UNNAMED = 0.055, 0.035, 0.04, 0.10, 0.05, 0.05  # thickness in trunk lengths
TRUNK_MARGIN = 0.10
SPAN = 0.05  # between joints whose bones nobody names body is possible: as if so far outside it
WHOLE, ENOUGH = 0.75, 5  # with a smaller share of the trunk's joints seen, and fewer, nobody knows where it ends
CORE = 0.22  # of the thickness along a bone is certainly body
LEAST_LENGTH_PX = 4.0


@dataclass(frozen=True, eq=False)
class Sticks:
    """Bones from `starts` to `ends` (n, 2) as (row, col) with half thickness `radii` (n,), and `hulls`, each (m, 2).

    The animal is body within a radius of a bone and within `margin` of a hull; within `span`, (m, 2) or
    empty, it may be. `length` is that of its trunk. All of it in pixels.
    """

    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    radii: NDArray[np.float64]
    hulls: tuple[NDArray[np.float64], ...]
    span: NDArray[np.float64]
    margin: float
    length: float

    def scaled(self, factor: float, corner: tuple[float, float]) -> Sticks:
        """The same in the pixels of a picture cut at `corner` (row, col) and resampled by `factor`."""

        def move(places: NDArray[np.float64]) -> NDArray[np.float64]:
            moved: NDArray[np.float64] = (places - np.array(corner) + 0.5) * factor - 0.5
            return moved

        hulls = tuple(move(each) for each in self.hulls)
        size = self.margin * factor, self.length * factor
        return Sticks(move(self.starts), move(self.ends), self.radii * factor, hulls, move(self.span), *size)


def sticks_of(
    rows: ArrayLike, cols: ArrayLike, names: Sequence[str] | None = None, bones: ArrayLike | None = None
) -> Sticks:
    """The sticks of one animal from its joints at `rows` and `cols` (n,), nan where not seen.

    With names that can be read the trunk is the hull of its joints, legs and tail go from joint to joint past those
    not seen, and the head is bound to the neck. Otherwise `bones` (m, 2), pairs of indices, are taken; without them
    the shortest tree through all joints. One joint is a stick without length; none is a ValueError.

    >>> sticks = sticks_of([5, 5, 9, 12], [10, 30, 30, 31], ["neck", "hip", "knee", "foot"])
    >>> sticks.length, sticks.starts.tolist(), sticks.ends.tolist()
    (20.0, [[5.0, 30.0], [9.0, 30.0]], [[9.0, 30.0], [12.0, 31.0]])
    """
    places = np.stack([np.asarray(rows, np.float64), np.asarray(cols, np.float64)], axis=1)
    seen = _seen(places)
    if not seen.any():
        raise ValueError(f"none of {len(places)} joints has a place")
    joints = [read_joint(name) if ok else Joint("") for name, ok in zip(names or [""] * len(seen), seen, strict=True)]
    if names is not None and sum(bool(each.role) for each in joints) >= 0.5 * seen.sum():
        trunk = _trunk(joints)
        if len(trunk) > 1:
            named = _trunk([read_joint(name) for name in names])
            return _named(places, joints, trunk, len(trunk) >= min(WHOLE * len(named), ENOUGH))
    return _unnamed(places, seen, bones)


def body_distance(sticks: Sticks, shape: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """How far each pixel lies beyond the body, in trunk lengths (float32, negative inside), and its core (bool).

    The core is what is certainly body: pixels near the middle of a bone or inside a hull.

    >>> sticks = sticks_of([5, 5, 9, 12], [10, 30, 30, 31], ["neck", "hip", "knee", "foot"])
    >>> beyond, core = body_distance(sticks, (20, 60))
    >>> bool(core[5, 20]), round(float(beyond[5, 20]), 3), round(float(beyond[5, 50]), 3)
    (True, -0.1, 0.9)
    """
    beyond = np.full(shape, np.inf, np.float32)
    core = np.zeros(shape, bool)
    rows, cols = np.arange(shape[0], dtype=np.float32)[:, None], np.arange(shape[1], dtype=np.float32)
    for start, end, radius in zip(sticks.starts, sticks.ends, sticks.radii, strict=True):
        away = _segment_distance(rows, cols, start, end)
        np.minimum(beyond, away - np.float32(radius), out=beyond)
        core |= away <= max(CORE * radius, 0.5)
    for hull in sticks.hulls:
        away = _hull_distance(rows, cols, hull)
        np.minimum(beyond, away - np.float32(sticks.margin), out=beyond)
        core |= away <= (0.5 if len(hull) > 2 else max(CORE * sticks.margin, 0.5))
    if len(sticks.span) > 2:
        away = _hull_distance(rows, cols, sticks.span)
        np.minimum(beyond, away + np.float32(SPAN * sticks.length), out=beyond)
    return beyond / np.float32(sticks.length), core


def _seen(places: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(places).all(axis=1))


def _trunk(joints: Sequence[Joint]) -> list[int]:
    """Joints of the trunk, and the upper end of every limb that has one."""
    tops = {each.limb: index for index, each in _down(joints) if each.order <= 1}
    return sorted({index for index, each in enumerate(joints) if each.role == "trunk"} | set(tops.values()))


def _down(joints: Sequence[Joint]) -> list[tuple[int, Joint]]:
    """The joints of limbs from their lower ends up."""
    limbs = [(index, each) for index, each in enumerate(joints) if each.role == "limb"]
    return sorted(limbs, key=lambda pair: -pair[1].order)


def _named(places: NDArray[np.float64], joints: Sequence[Joint], trunk: list[int], is_whole: bool) -> Sticks:
    length = _length(places, trunk)
    bones = [*_legs(places, joints, trunk), *_tail(places, joints, trunk)]
    head = places[[index for index, each in enumerate(joints) if each.role == "head"]]
    if len(head):
        middle = head.mean(axis=0)
        bones.append((middle, _nearest(places, trunk, middle), NECK))
        bones.extend((middle, each, FACE) for each in head)
    starts = np.array([bone[0] for bone in bones]).reshape(-1, 2)
    ends = np.array([bone[1] for bone in bones]).reshape(-1, 2)
    radii = np.array([bone[2] for bone in bones]) * length
    hulls = tuple(_hull(each) for each in (places[trunk], head) if len(each) > 2 or each is not head)
    span = np.empty((0, 2)) if is_whole else _hull(places[_seen(places)])
    return Sticks(starts, ends, radii, hulls, span, TRUNK_MARGIN * length, length)


Bone = tuple[NDArray[np.float64], NDArray[np.float64], float]


def _legs(places: NDArray[np.float64], joints: Sequence[Joint], trunk: list[int]) -> Iterator[Bone]:
    for limb in sorted({each.limb for each in joints if each.role == "limb"}):
        chain = [index for index, each in reversed(_down(joints)) if each.limb == limb]
        if chain[0] not in trunk:
            yield _nearest(places, trunk, places[chain[0]]), places[chain[0]], UPPER_LEG
        for upper, lower in pairwise(chain):
            yield places[upper], places[lower], UPPER_LEG if upper in trunk else LOWER_LEG


def _tail(places: NDArray[np.float64], joints: Sequence[Joint], trunk: list[int]) -> Iterator[Bone]:
    chain = sorted((each.order, index) for index, each in enumerate(joints) if each.role == "tail")
    if chain:
        first = places[chain[0][1]]
        yield _nearest(places, trunk, first), first, TAIL
    for (_, upper), (_, lower) in pairwise(chain):
        yield places[upper], places[lower], TAIL


def _nearest(places: NDArray[np.float64], among: list[int], place: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(places[among[int(np.linalg.norm(places[among] - place, axis=1).argmin())]])


def _length(places: NDArray[np.float64], trunk: list[int]) -> float:
    """The trunk's length; at least a third of the animal's, for it may stand towards us."""
    return max(_spread(places[trunk]), _spread(places[_seen(places)]) / 3, LEAST_LENGTH_PX)


def _spread(places: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(places[:, None] - places[None], axis=2).max())


def _unnamed(places: NDArray[np.float64], seen: NDArray[np.bool_], bones: ArrayLike | None) -> Sticks:
    """Bones as given, between joints that are seen, or the shortest tree; no part is known to be filled."""
    if bones is None:
        index = np.flatnonzero(seen)
        pairs = index[_shortest_tree(places[seen])]
    else:
        pairs = np.asarray(bones, np.int64).reshape(-1, 2)
        pairs = pairs[seen[pairs].all(axis=1)]
    lone = np.setdiff1d(np.flatnonzero(seen), pairs)
    pairs = np.concatenate([pairs, np.stack([lone, lone], axis=1)])
    length = max(0.6 * _spread(places[seen]), LEAST_LENGTH_PX)
    radii = np.full(len(pairs), UNNAMED * length)
    return Sticks(
        places[pairs[:, 0]], places[pairs[:, 1]], radii, (), _hull(places[seen]), TRUNK_MARGIN * length, length
    )


def _shortest_tree(places: NDArray[np.float64]) -> NDArray[np.int64]:
    """Pairs of places whose connections are shortest in sum (Prim); of equal ones the first."""
    pairs = []
    away = np.linalg.norm(places - places[0], axis=1)
    by, out = np.zeros(len(places), np.int64), np.ones(len(places), bool)
    out[0] = False
    while out.any():
        new = int(np.where(out, away, np.inf).argmin())
        pairs.append((int(by[new]), new))
        out[new] = False
        closer = np.linalg.norm(places - places[new], axis=1)
        by[closer < away] = new
        away = np.minimum(away, closer)
    return np.array(pairs, np.int64).reshape(-1, 2)


def _hull(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """The corners of the convex hull in order around it (Andrew's chains); all on one line give its two ends."""
    ordered = [tuple(each) for each in np.unique(places, axis=0).tolist()]
    if len(ordered) < 3:
        return np.array(ordered)
    chains = []
    for side in (ordered, ordered[::-1]):
        chain: list[tuple[float, ...]] = []
        for row, col in side:
            while len(chain) > 1 and _turn(chain[-2], chain[-1], (row, col)) <= 0:
                chain.pop()
            chain.append((row, col))
        chains.extend(chain[:-1])
    return np.array(chains)


def _turn(a: Sequence[float], b: Sequence[float], c: Sequence[float]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _segment_distance(
    rows: NDArray[np.float32], cols: NDArray[np.float32], start: NDArray[np.float64], end: NDArray[np.float64]
) -> NDArray[np.float32]:
    (top, left), (down, right) = start.astype(np.float32), (end - start).astype(np.float32)
    square = max(float(down) ** 2 + float(right) ** 2, 1e-9)
    share = ((rows - top) * (down / np.float32(square)) + (cols - left) * (right / np.float32(square))).clip(0, 1)
    away: NDArray[np.float32] = np.hypot(rows - top - share * down, cols - left - share * right)
    return away


def _hull_distance(
    rows: NDArray[np.float32], cols: NDArray[np.float32], hull: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Distance to a convex polygon, 0 inside it."""
    shape = (rows.shape[0], cols.shape[-1])
    away, inside = np.full(shape, np.inf, np.float32), np.full(shape, len(hull) > 2)
    for start, end in zip(hull, np.roll(hull, -1, axis=0), strict=True):
        np.minimum(away, _segment_distance(rows, cols, start, end), out=away)
        down, right = (end - start).astype(np.float32)
        inside &= down * (cols - np.float32(start[1])) - right * (rows - np.float32(start[0])) >= 0
    away[inside] = 0
    return away
