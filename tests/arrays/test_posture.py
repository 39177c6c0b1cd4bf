"""Names of joints in the words people use, sticks from joints, and how far pixels lie from a body."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.arrays.joint_names import Joint, read_joint
from maskwright.arrays.posture import body_distance, sticks_of
from maskwright.toys.anatomy import JOINTS


@pytest.mark.parametrize(
    ("name", "joint"),
    [
        ("rear_left_2", Joint("limb", "hind left", 2)),
        ("R_F_Paw", Joint("limb", "front right", 4)),
        ("L_Shoulder", Joint("limb", "front left", 0)),
        ("R_Hip", Joint("limb", "hind right", 0)),
        ("left_wrist", Joint("limb", "front left", 3)),
        ("back_left_thai", Joint("limb", "hind left", 0)),
        ("L_EarBase", Joint("head")),
        ("neck_end", Joint("head")),
        ("neck_base", Joint("trunk")),
        ("back_middle", Joint("trunk")),
        ("Root of tail", Joint("trunk")),
        ("tail_0", Joint("trunk")),
        ("tail_6", Joint("tail", order=6)),
        ("paw2LF_bot", Joint("limb", "front left", 4)),
        ("obsHigh_bot", Joint("")),
        ("joint 1", Joint("")),
    ],
)
def test_names_of_joints(name: str, joint: Joint) -> None:
    assert read_joint(name) == joint


def test_every_joint_of_the_quadruped_vocabulary_has_a_role() -> None:
    assert all(read_joint(name).role for name in JOINTS)


def test_limbs_lead_past_joints_nobody_saw() -> None:
    names = ["neck", "tail_base", "L_Hip", "L_Knee", "L_B_Paw"]
    sticks = sticks_of([5, 5, 8, np.nan, 20], [10, 40, 38, np.nan, 37], names)
    assert sticks.starts.tolist() == [[8, 38]]
    assert sticks.ends.tolist() == [[20, 37]]
    assert sticks.length == 30


def test_unreadable_names_take_the_given_bones_or_the_shortest_tree() -> None:
    rows, cols = [5, 5, 5, 15], [0, 30, 10, 10]
    tree = sticks_of(rows, cols, ["a", "b", "c", "d"])
    pairs = {tuple(sorted([tuple(a), tuple(b)])) for a, b in zip(tree.starts.tolist(), tree.ends.tolist(), strict=True)}
    assert pairs == {((5, 0), (5, 10)), ((5, 10), (15, 10)), ((5, 10), (5, 30))}
    told = sticks_of(rows, cols, bones=[(0, 1)])
    assert told.starts.tolist() == [[5, 0], [5, 10], [15, 10]]
    assert told.ends.tolist() == [[5, 30], [5, 10], [15, 10]]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 59)), min_size=1, max_size=8))
def test_every_joint_lies_in_the_core_and_the_core_in_the_body(places: list[tuple[int, int]]) -> None:
    rows, cols = np.array(places, float).T
    beyond, core = body_distance(sticks_of(rows, cols), (20, 60))
    assert core[tuple(np.array(places).T)].all()
    assert (beyond[core] <= 0.15).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(2, 17), st.integers(2, 57)), min_size=3, max_size=9, unique=True))
def test_the_trunk_is_filled_between_its_joints(places: list[tuple[int, int]]) -> None:
    rows, cols = np.array(places, float).T
    _, core = body_distance(sticks_of(rows, cols, ["back"] * len(places)), (20, 60))
    middle = np.rint([rows.mean(), cols.mean()]).astype(int)
    assert core[middle[0] - 1 : middle[0] + 2, middle[1] - 1 : middle[1] + 2].any()


def test_where_much_of_the_trunk_was_not_seen_all_between_the_joints_may_be_body() -> None:
    names = ["neck", "withers", "belly", "tail_base", "L_B_Paw"]
    rows, cols = np.array([5.0, 4, 12, 5, 25]), np.array([10.0, 14, 25, 40, 38])
    assert not len(sticks_of(rows, cols, names).span)
    rows[[1, 2]] = np.nan
    assert len(sticks_of(rows, cols, names).span) == 3


def test_scaled_sticks_lie_where_the_pixels_went() -> None:
    sticks = sticks_of([10, 10], [20, 40], ["neck", "hip"])
    half = sticks.scaled(0.5, (4.0, 6.0))
    assert half.length == 10
    assert half.hulls[0].tolist() == [[2.75, 6.75], [2.75, 16.75]]


def test_no_joint_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="none of 2 joints"):
        sticks_of([np.nan, 3], [2, np.nan])
