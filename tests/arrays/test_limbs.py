"""Joints that cannot be right: limits by way of links, and sides that are exchanged."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from maskwright.arrays.limbs import exchanged_sides, reaches, scale_of, too_far

CHAIN = [(0, 1), (1, 2), (2, 3), (3, 4)]


def _row(*cols: float) -> NDArray[np.float64]:
    return np.array([(3.0, col) for col in cols])


def test_limits_add_up_along_links_and_take_the_shortest_way() -> None:
    table = reaches(4, [(0, 1), (1, 2), (0, 2)], [1, 1, 5])
    assert table[0].tolist() == [0, 1, 2, np.inf]
    np.testing.assert_array_equal(table, table.T)


@given(st.integers(0, 4), st.floats(14, 90))
@settings(max_examples=30, deadline=None)
def test_the_one_joint_that_lies_elsewhere_is_the_one_left_out(which: int, off: float) -> None:
    places = _row(0, 2, 4, 6, 8)
    places[which, 0] += off
    assert too_far(places, 1.5 * reaches(5, CHAIN, [2] * 4)).tolist() == [k == which for k in range(5)]


def test_what_remains_is_never_too_far_apart() -> None:
    random = np.random.default_rng(3)
    for _ in range(40):
        places, limits = random.uniform(0, 30, (7, 2)), np.full((7, 7), random.uniform(3, 30))
        places[random.integers(7)] = np.nan
        left = places[~too_far(places, limits)]
        left = left[np.isfinite(left).all(axis=1)]
        assert all(np.hypot(*(a - b)) <= limits[0, 0] for a, b in itertools.combinations(left, 2))


def test_two_that_are_equally_to_blame_are_both_left_out() -> None:
    assert too_far(_row(0, 90), np.full((2, 2), 5.0)).tolist() == [True, True]


def test_nothing_is_said_of_joints_that_are_not_seen() -> None:
    places = _row(0, 2, np.nan, 6, 8)
    assert not too_far(places, reaches(5, CHAIN, [2] * 4)).any()
    assert np.isnan(scale_of(places, CHAIN, [2] * 4, least=3))
    assert scale_of(places, CHAIN, [2] * 4, least=2) == 1.0


LEGS = _row(0, 10, 0, 10, 0, 10) + np.array([[0, 0], [0, 0], [6, 0], [6, 0], [12, 0], [12, 0]])
PARTNERS, LINKS = [1, 0, 3, 2, 5, 4], [(0, 2), (1, 3), (2, 4), (3, 5)]


@pytest.mark.parametrize("level", [0, 2, 4])
def test_an_exchanged_pair_is_found_wherever_it_sits(level: int) -> None:
    order = list(range(6))
    order[level], order[level + 1] = level + 1, level
    found = exchanged_sides(LEGS[order], PARTNERS, LINKS, least=1)
    assert found.tolist() == [k in (level, level + 1) for k in range(6)]
    assert not exchanged_sides(LEGS[order], PARTNERS, LINKS, least=40).any()


def test_crossing_legs_and_whole_legs_exchanged_are_no_doubt() -> None:
    walking = LEGS + np.array([[0, 4], [0, -4], [0, 2], [0, -2], [0, 6], [0, -6]])  # the paws have passed each other
    assert not exchanged_sides(walking, PARTNERS, LINKS, least=1).any()
    assert not exchanged_sides(LEGS[[1, 0, 3, 2, 5, 4]], PARTNERS, LINKS, least=1).any()
    unseen = LEGS.copy()
    unseen[3] = np.nan
    assert not exchanged_sides(unseen, PARTNERS, LINKS, least=1).any()


def test_a_link_between_partners_says_nothing_about_sides() -> None:
    assert not exchanged_sides(LEGS, PARTNERS, [*LINKS, (0, 1), (2, 3), (4, 5)], least=1).any()
