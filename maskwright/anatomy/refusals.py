"""Joints that cannot be an animal's of this picture, refused before anything is made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from maskwright.anatomy.doubts import Doubt
from maskwright.errors import InputError, UnknownNameError
from maskwright.io.profiles import Profile, list_profiles, read_profile
from maskwright.types import UNKNOWN, Grid, Keypoints

USUAL = "quadruped5"
FEW = 3
"""Of fewer joints nobody can say that they are in the wrong place."""
FAR_FRACTION = 0.05
"""A joint this share of the picture's shorter side beyond its edge is no foot that was cut off."""


def animals_by(profile: Profile, given: Sequence[Keypoints]) -> list[Keypoints]:
    """The animals by the names of a profile, one per view; where another shipped one knows all names, it is offered."""
    try:
        return [each for animal in given for each in profile.animals_of(animal)]
    except UnknownNameError as error:
        for name in sorted(list_profiles(), key=lambda each: each != USUAL):
            if name != profile.name and _knows(read_profile(name), given):
                raise InputError(
                    f"profile {profile.name} has no joint {error.name!r}; expected its joints; {name} knows all that "
                    f"are named here: set profile={name}"
                ) from error
        raise


def _knows(profile: Profile, given: Sequence[Keypoints]) -> bool:
    try:
        return all(profile.animals_of(each) for each in given)
    except InputError:
        return False


def check_places(joints: Mapping[str, tuple[float, float]], grid: Grid) -> None:
    """Refuse an animal of which most joints lie outside the picture, or several far outside that would lie inside if
    x and y were exchanged, or all at one place."""
    rows, cols = np.array(list(joints.values())).reshape(-1, 2).T
    outside, swapped = int((~grid.holds(rows, cols)).sum()), bool(grid.holds(cols, rows).all())
    far = FAR_FRACTION * min(grid.shape)
    beyond = np.maximum.reduce([-rows, -cols, rows - grid.height + 1, cols - grid.width + 1]) > far
    if len(joints) >= FEW and (2 * outside > len(joints) or (swapped and beyond.sum() >= FEW)):
        advice = "x and y are swapped: exchange them" if swapped else "are the joints another picture's?"
        raise InputError(
            f"{outside} of an animal's {len(joints)} joints lie outside the picture of {grid.height} x {grid.width} "
            f"pixels; expected them inside; {advice}"
        )
    if len(joints) >= FEW and len(set(joints.values())) == 1:
        raise InputError(
            f"all {len(joints)} joints of an animal lie at row {rows[0]:g}, column {cols[0]:g}; expected a place for "
            "each; mark them, or leave the animal out"
        )


def check_parts(class_ids: NDArray[np.uint8], ids: NDArray[np.uint8], joints: int) -> None:
    """Refuse a picture in which no pixel got a part, whatever the regions' class `ids` are (the background's last)."""
    parts = set(ids[:-1].tolist()) - {UNKNOWN, int(ids[-1])}
    if joints >= FEW and parts and not any((class_ids == each).any() for each in parts):
        raise InputError(
            f"no pixel of the animals has a part, by {joints} joints; expected some; do joints lie at the same places, "
            "or is band_px too large or reach_fraction too small?"
        )


def check_outline(joints: Mapping[str, tuple[float, float]], doubts: Sequence[Doubt]) -> None:
    """Refuse an outline that more than two thirds of its animal's joints lie outside of: some may be hidden."""
    outside = sum(each.why == "outside" for each in doubts)
    if len(joints) >= FEW and 3 * outside > 2 * len(joints):
        raise InputError(
            f"{outside} of an animal's {len(joints)} joints lie outside its outline; expected a third inside; do "
            "joints and outline belong to the same picture, are x and y swapped?"
        )
