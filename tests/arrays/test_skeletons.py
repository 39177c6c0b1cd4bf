"""Points of links, and joints that an outline tells."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.arrays.skeletons import along_trunk, between, farthest_behind

NUMBERS = st.floats(-500, 500).map(lambda value: round(value * 16) / 16)
PLACES = st.tuples(NUMBERS, NUMBERS)


@settings(max_examples=60, deadline=None)
@given(PLACES, PLACES, st.floats(0.5, 40))
def test_points_are_dense_inside_the_link_and_the_same_from_either_end(
    first: tuple[float, float], last: tuple[float, float], spacing: float
) -> None:
    places = between(first, last, spacing=spacing)
    whole = np.concatenate([[first], places, [last]])
    assert np.hypot(*np.diff(whole, axis=0).T).max() <= spacing * 1.001
    np.testing.assert_allclose(places[::-1], between(last, first, spacing=spacing), atol=1e-9)


def test_points_keep_to_their_own_end() -> None:
    assert between((0, 0), (0, 12), spacing=2, ends=(False, True)).tolist() == [[0, 6], [0, 8], [0, 10]]
    assert between((0, 0), (0, 12), spacing=2, ends=(True, False), extent=1 / 3).tolist() == [[0, 2], [0, 4]]
    assert between((0, 0), (0, 12), spacing=2, ends=(False, False)).tolist() == [[0, 4], [0, 6], [0, 8]]
    with pytest.raises(ValueError, match="spacing is above 0"):
        between((0, 0), (0, 1), spacing=0)


def _table() -> np.ndarray:
    region = np.zeros((40, 80), bool)
    region[10:22, 10:70] = True
    region[22:38, 12:18] = region[22:38, 60:66] = True
    return region


def test_trunk_joints_stop_at_the_belly_even_above_a_leg() -> None:
    feet = [(24, 14), (30, 14), (37, 14), (24, 63), (30, 63), (37, 63)]
    axis = ((14, 64), (14, 14))
    assert along_trunk(_table(), axis, feet, "upper", 0.5) == (10, 39)
    assert along_trunk(_table(), axis, feet, "lower", 0.5) == (21, 39)
    row, col = along_trunk(_table(), axis, feet, "lower", 1.0) or (0, 0)
    assert col == 14
    assert 21 <= row <= 30, "above a leg the belly ends where legs begin, not at the foot"


def test_an_axis_above_the_back_is_brought_down_to_it() -> None:
    axis = ((6, 64), (6, 14))
    assert along_trunk(_table(), axis, [(37, 14), (37, 63)], "upper", 0.5) == (10, 39)
    assert along_trunk(_table(), ((-20, 64), (-20, 14)), [(37, 14)], "upper", 0.5) is None


def test_nothing_is_told_without_legs_or_without_length() -> None:
    assert along_trunk(_table(), ((14, 64), (14, 14)), [], "upper", 0.5) is None
    assert along_trunk(_table(), ((14, 64), (14, 64)), [(37, 14)], "upper", 0.5) is None
    assert along_trunk(_table(), ((14, 64), (14, 14)), [(14, 20)], "upper", 0.5) is None


def test_the_end_of_a_tail_that_hangs() -> None:
    region = _table()
    region[11:14, 2:10] = region[11:34, 2:5] = True
    row, col = farthest_behind(region, ((14, 64), (12, 10)), least=8) or (math.nan, math.nan)
    assert row == 33
    assert 2 <= col <= 4
    assert farthest_behind(_table(), ((14, 64), (12, 10)), least=30) is None
