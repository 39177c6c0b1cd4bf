"""Lines between joints, read from their names."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from maskwright.arrays.bones import bones_of, side_of
from maskwright.toys.anatomy import JOINTS


def _bones(names: list[str], places: list[tuple[float, float]]) -> set[tuple[str, str]]:
    rows, cols = np.array(places, float).T
    return {(names[a], names[b]) for a, b in bones_of(names, rows, cols)}


def test_a_quadruped_of_39_joints_has_a_spine_legs_and_a_tail() -> None:
    names = list(JOINTS)
    places = [(float(k % 7), float(k)) for k in range(len(names))]
    bones = _bones(names, places)
    spine = ["neck_end", "neck_base", "back_base", "back_middle", "back_end", "tail_base", "tail_end"]
    assert set(pairwise(spine)) <= bones
    for side in ("left", "right"):
        for end in ("front", "back"):
            leg = [f"{end}_{side}_{joint}" for joint in ("thigh", "knee", "paw")]
            assert set(pairwise(leg)) <= bones
    # A leg hangs on its own end of the spine.
    hung = {lower: upper for upper, lower in bones if lower.endswith("thigh")}
    assert hung["front_left_thigh"] in ("neck_end", "neck_base", "back_base")
    assert hung["back_right_thigh"] in ("back_middle", "back_end", "tail_base")


def test_lines_go_past_a_joint_that_is_not_seen() -> None:
    names = ["l_hip", "l_knee", "l_b_paw"]
    assert _bones(names, [(0, 0), (np.nan, np.nan), (9, 9)]) == {("l_hip", "l_b_paw")}


def test_without_a_spine_shoulders_and_hips_bind_each_other() -> None:
    names = ["left_shoulder", "right_shoulder", "left_hip", "right_hip"]
    bones = _bones(names, [(0, 0), (0, 9), (9, 0), (9, 9)])
    assert bones == {
        ("left_shoulder", "right_shoulder"), ("left_hip", "right_hip"), ("left_shoulder", "left_hip"),
        ("right_shoulder", "right_hip"),
    }  # fmt: skip


def test_paws_without_the_rest_of_their_legs_hang_on_nothing() -> None:
    names = ["paw1LH", "paw2LF", "paw3RF", "paw4RH", "nose", "tailBase"]
    assert _bones(names, [(0, 0), (0, 9), (9, 0), (9, 9), (5, 20), (5, 0)]) == {("tailBase", "nose")}
    assert _bones(names[:4], [(0, 0), (0, 9), (9, 0), (9, 9)]) == set()


def test_the_head_hangs_on_the_neck_by_its_nearest_joint() -> None:
    names = ["neck", "nose", "left_eye", "right_eye"]
    bones = _bones(names, [(0, 0), (0, 30), (0, 20), (0, 10)])
    assert bones == {("neck", "right_eye"), ("right_eye", "left_eye"), ("left_eye", "nose")}


@pytest.mark.parametrize(("name", "side"), [("R_EarBase", "right"), ("paw2LF_top", "left"), ("left_paw", "left")])
def test_sides_are_read_from_names(name: str, side: str) -> None:
    assert side_of(name) == side


def test_nobody_has_no_bones() -> None:
    assert bones_of([], [], []) == ()
