"""Joints that lie where no animal of the picture can be: refused; a few that are cut off by its edge: not."""

from __future__ import annotations

import pytest

from maskwright.anatomy.refusals import check_places
from maskwright.errors import InputError
from maskwright.types import Grid

WIDE = Grid(300, 450)
ANIMAL = [(100, 60), (110, 150), (120, 230), (150, 290), (200, 50), (210, 180), (220, 340), (230, 400), (240, 420)]


def named(places: list[tuple[float, float]]) -> dict[str, tuple[float, float]]:
    return {f"joint {number}": place for number, place in enumerate(places)}


def test_some_joints_far_outside_that_fit_when_exchanged_are_exchanged() -> None:
    check_places(named(ANIMAL), WIDE)
    with pytest.raises(InputError, match=r"3 of an animal's 9 joints lie outside .* x and y are swapped"):
        check_places(named([(col, row) for row, col in ANIMAL]), WIDE)


def test_feet_below_the_edge_are_no_mistake() -> None:
    cut_off = [(100, 60), (110, 150), (120, 200), (305, 100), (309, 150), (312, 200), (290, 220)]
    check_places(named(cut_off), WIDE)
    far_but_not_exchanged = [(100, 60), (110, 440), (120, 400), (350, 430), (360, 449), (380, 410), (200, 200)]
    check_places(named(far_but_not_exchanged), WIDE)


def test_most_outside_are_refused_wherever_they_lie() -> None:
    with pytest.raises(InputError, match="another picture's"):
        check_places(named([(900, 900), (910, 950), (100, 100)]), WIDE)
