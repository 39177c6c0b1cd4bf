"""Mirror partners by name, and two opinions about one joint."""

from __future__ import annotations

import numpy as np
import pytest

from maskwright.arrays.joints import merge_joints, mirror_partners

ONE = np.array([[10.0, 20.0, 0.6], [np.nan, np.nan, 0.0], [5.0, 5.0, 0.9]])
OTHER = np.array([[20.0, 30.0, 0.2], [7.0, 8.0, 0.4]])
PAIRS = [(0, 0), (1, 1)]


def test_sides_are_words_of_a_name() -> None:
    names = ["right_knee", "leftKnee", "left_knee", "R_F_Paw", "L_F_Paw", "lower_jaw", "left_wing"]
    assert mirror_partners(names) == (2, 1, 0, 4, 3, 5, 6)
    assert mirror_partners([]) == ()


def test_every_rule_by_hand() -> None:
    np.testing.assert_array_equal(merge_joints(ONE, OTHER, PAIRS, "first"), ONE)
    np.testing.assert_array_equal(merge_joints(ONE, OTHER, PAIRS), [OTHER[0], OTHER[1], ONE[2]])
    np.testing.assert_array_equal(merge_joints(ONE, OTHER, PAIRS, "higher"), [ONE[0], OTHER[1], ONE[2]])
    mean = merge_joints(ONE, OTHER, PAIRS, "mean")
    np.testing.assert_allclose(mean, [[12.5, 22.5, 0.5], OTHER[1], ONE[2]])
    table = merge_joints(ONE, OTHER, PAIRS, ["second", "first"])
    np.testing.assert_array_equal(table, [OTHER[0], ONE[1], ONE[2]])


def test_what_was_given_is_left_and_wrong_rules_are_refused() -> None:
    before = ONE.copy()
    merge_joints(ONE, OTHER, PAIRS)
    np.testing.assert_array_equal(ONE, before)
    with pytest.raises(ValueError, match="one rule"):
        merge_joints(ONE, OTHER, PAIRS, ["second"])


def test_a_tie_goes_to_the_first() -> None:
    merged = merge_joints(np.array([[1.0, 1.0, 0.5]]), np.array([[2.0, 2.0, 0.5]]), [(0, 0)], "higher")
    assert merged[0].tolist() == [1, 1, 0.5]
