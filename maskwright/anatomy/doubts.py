"""Joints that are not believed, however sure a network was: outside the animal, too far off, or sides exchanged."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskwright.anatomy.outlines import Outline
from maskwright.arrays.limbs import exchanged_sides, reaches, scale_of, too_far
from maskwright.arrays.starts import starts_of
from maskwright.io.profiles import Profile

SLACK = 2.0
"""How many times farther apart than their links allow joints may be: animals are built differently, and seen askew."""
LEAST_REACH = 0.4
"""Joints nearer to each other than this, in units of lengths, are never too far: what a network is beside them."""
LEAST_SCALE = 0.75
"""The unit of a profile's lengths is at least this share of the square root of the outline's area: of an animal that
comes towards us the median link is short, the nearest leg is not."""
SIDE_GAIN = 0.1
"""How much shorter links have to become, in units of lengths, for left and right to count as exchanged."""


class Doubt(NamedTuple):
    """A joint that is not believed, why ("outside" the outline, "far" from the others, of the other "side"), and its
    place in the picture."""

    joint: str
    why: str
    row: float
    col: float


class Doubter:
    """Holds joints against a profile: its lengths, links and mirror pairs. Without lengths it knows only outlines."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.names = tuple(profile.region_of)
        self.index = {name: k for k, name in enumerate(self.names)}

    def doubts(
        self, joints: Mapping[str, tuple[float, float]], outline: Outline | None = None, *, snap: float = 0.0
    ) -> tuple[Doubt, ...]:
        """What is doubted of the joints of one animal, in the profile's order.

        First joints more than `snap` pixels outside the outline, if there is one; of the others those that are too far
        from the rest (`limbs.too_far`); of the others pairs whose left and right look exchanged. Where all would be
        outside, or all too far, none is: then nobody can say which are wrong.
        """
        places = np.full((len(self.names), 2), np.nan)
        for name, place in joints.items():
            places[self.index[name]] = place
        found = []
        if outline is not None:
            found.append((_without(places, _outside(places, outline, snap)), "outside"))
        if scale := self._scale(places, outline):
            found.append((_without(places, too_far(places, scale * self._limits)), "far"))
            found.append((exchanged_sides(places, self._partners, self._neighbours, least=SIDE_GAIN * scale), "side"))
        return tuple(
            Doubt(name, why, *joints[name]) for k, name in enumerate(self.names) for these, why in found if these[k]
        )

    def _scale(self, places: NDArray[np.float64], outline: Outline | None) -> float:
        """Pixels per unit of the profile's lengths; 0 where too few links are seen to tell."""
        links, lengths = self._links
        scale = scale_of(places, links, lengths) if len(links) else float("nan")
        if np.isnan(scale):
            return 0.0
        return scale if outline is None or outline.is_box else max(scale, LEAST_SCALE * float(np.sqrt(outline.area)))

    @cached_property
    def _links(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        lengths = self.profile.lengths
        pairs = np.array([[self.index[one], self.index[other]] for one, other in lengths], np.int64).reshape(-1, 2)
        return pairs, np.array(list(lengths.values()), np.float64)

    @cached_property
    def _limits(self) -> NDArray[np.float64]:
        limits: NDArray[np.float64] = np.maximum(SLACK * reaches(len(self.names), *self._links), LEAST_REACH)
        return limits

    @cached_property
    def _partners(self) -> list[int]:
        return [self.index[self.profile.mirrored(name)] for name in self.names]

    @cached_property
    def _neighbours(self) -> list[tuple[int, int]]:
        links = (*self.profile.links, *self.profile.more_links)
        return [(self.index[each.first], self.index[each.second]) for each in links]


def _without(places: NDArray[np.float64], doubted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The doubted joints, whose places are made nan; none where no other one would be left."""
    if np.isnan(places[~doubted]).any(axis=1).all():
        return np.zeros_like(doubted)
    places[doubted] = np.nan
    return doubted


def _outside(places: NDArray[np.float64], outline: Outline, snap: float) -> NDArray[np.bool_]:
    """Which places (n, 2) lie more than `snap` pixels outside an outline; nan places do not."""
    seen = np.isfinite(places).all(axis=1)
    lost = np.zeros(len(places), bool)
    at = places[seen] - (outline.window.top, outline.window.left)
    _, away = starts_of(outline.pixels, at[:, 0], at[:, 1], np.zeros(len(at), np.int16), reach=snap)
    lost[seen] = np.isinf(away)
    return lost
