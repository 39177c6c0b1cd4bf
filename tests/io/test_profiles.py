"""Profiles: those that are shipped, those of users, and everything wrong with one at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from maskwright.errors import InputError, UnknownNameError
from maskwright.io.profiles import list_profiles, read_profile
from maskwright.types import Keypoints

GOOD = """
regions:
  - {name: wing, color: "#112233"}
  - {name: trunk, color: "#445566"}
joints: {beak: trunk, left_tip: wing, right_tip: wing, tail: trunk}
mirror: [[left_tip, right_tip]]
links:
  trunk: {beak: [tail]}
vocabularies:
  birds: {Beak Tip: beak}
"""


def _profile(folder: Path, text: str, name: str = "bird.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def _animal(*names: str) -> Keypoints:
    count = len(names)
    return Keypoints(names, np.arange(count, dtype=float), np.zeros(count), np.ones(count))


@pytest.mark.parametrize("name", list_profiles())
def test_every_shipped_profile_is_whole(name: str) -> None:
    profile = read_profile(name)
    assert profile.name == name
    assert profile.classes.names[0] == "background"
    assert len(set(profile.classes.colors)) == len(profile.classes.colors)
    for joint in profile.region_of:
        assert profile.mirrored(profile.mirrored(joint)) == joint
        assert profile.joint_of(joint) == joint


def test_shipped_profiles_have_their_names() -> None:
    assert list_profiles() == ("human17", "mouse", "quadruped4", "quadruped5", "quadruped_fine")
    assert read_profile("quadruped4").classes.names == ("background", "b_leg", "body", "f_leg", "face")
    with pytest.raises(UnknownNameError, match=r"no profile is called 'quadruped'; did you mean 'quadruped[45]'"):
        read_profile("quadruped")


def test_a_users_profile(tmp_path: Path) -> None:
    profile = read_profile(_profile(tmp_path, GOOD))
    assert profile.name == "bird"
    assert profile.classes.names == ("background", "wing", "trunk")
    assert [tuple(each) for each in profile.links] == [("beak", "tail", "trunk")]
    (animal,) = profile.animals_of(_animal("beak_tip", "TAIL"))
    assert animal.names == ("beak", "tail")


def test_a_profile_may_extend_another_beside_it(tmp_path: Path) -> None:
    _profile(tmp_path, GOOD)
    child = _profile(tmp_path, "extends: bird.yaml\nname: plain_bird\nmerge: {wing: trunk}\n", "child.yaml")
    profile = read_profile(child)
    assert (profile.name, profile.classes.names) == ("plain_bird", ("background", "trunk"))
    assert list(profile.joints) == ["beak", "left_tip", "right_tip", "tail"]
    loop = _profile(tmp_path, "extends: loop.yaml\n", "loop.yaml")
    with pytest.raises(InputError, match=r"loop\.yaml: extends itself"):
        read_profile(loop)


def test_all_that_is_wrong_is_told_with_its_line(tmp_path: Path) -> None:
    bad = _profile(
        tmp_path,
        """
regions:
  - {name: wing, color: "#112233"}
  - {name: trunk, color: red}
joints: {beak: trunk, left_tip: wing, right_tip: wings, tail: trunk}
mirror: [[left_tip, right_tp], [beak, beak]]
links:
  trunk: {beak: [tial, beak]}
ignore: [claw]
merge: {wing: nothing}
paths:
  - {region: wing, from: beak}
vocabularies:
  birds: {tail: beak}
""",
    )
    with pytest.raises(InputError) as caught:
        read_profile(bad)
    text = str(caught.value)
    for line, said in (
        (4, "the color of 'trunk' is 'red'"),
        (5, "no region is called 'wings'; did you mean 'wing'?"),
        (6, "no joint is called 'right_tp'; did you mean 'right_tip'?"),
        (6, "a mirror pair is ['beak', 'beak']"),
        (8, "no joint is called 'tial'; did you mean 'tail'?"),
        (8, "'beak' is linked to itself"),
        (9, "no joint is called 'claw'"),
        (10, "no region is called 'nothing'"),
        (12, "a path is"),
        (14, "'tail' means 'beak' and elsewhere 'tail'"),
    ):
        assert f"bird.yaml:{line}: {said}" in text, text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("joint: {a: b}\n", "no key of a profile is called 'joint'; did you mean 'joints'?"),
        ("- a\n", "holds list; expected a profile"),
        ("name: x\n", "has no regions"),
        (GOOD + "visible: .nan\n", "visible is nan"),
        (GOOD + "visible: high\n", "visible is a str; expected a number"),
        (GOOD + "extent: {wing: 3}\n", "the extent is 3"),
        (GOOD + "derive: {axis: [beak]}\n", "the axis is \\['beak'\\]; expected two joints"),
        (GOOD + "derive: {axis: [beak, tail], places: {tail: {edge: left, at: 2}}}\n", "expected {edge: upper"),
        (GOOD + "merge: {wing: trunk, trunk: background}\n", "is merged into 'trunk', which is merged away"),
        (GOOD.replace("right_tip: wing", "right_tip: trunk"), "is mirrored into"),
        (GOOD + "extends: nobody\n", "no profile is called 'nobody'"),
    ],
)
def test_wrong_profiles_are_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_profile(_profile(tmp_path, text))


def test_two_views_of_one_mouse_are_two_animals() -> None:
    mouse = read_profile("mouse")
    top, bottom = mouse.animals_of(_animal("nose_top", "tailBase_top", "obs_top", "nose_bot", "paw1LH_bot"))
    assert (top.names, top.rows.tolist()) == (("nose", "tail_base"), [0, 1])
    assert (bottom.names, bottom.rows.tolist()) == (("nose", "paw_left_hind"), [3, 4])


def test_names_of_other_vocabularies_mean_our_joints() -> None:
    profile = read_profile("quadruped5")
    for name, joint in (
        ("back_left_thai", "back_left_thigh"), ("L_Hip", "back_left_thigh"), ("Root of tail", "tail_base"),
        ("L_F_Elbow", "front_left_thigh"), ("Withers", "neck_base"), ("rear_right_1", "back_right_thigh"),
        ("tail_3", "tail_middle"), ("jaw", "lower_jaw"), ("center", "body_middle_left"),
    ):  # fmt: skip
        assert profile.joint_of(name) == joint
    with pytest.raises(InputError, match="'L_Hip' and 'rear_left_1' both mean the joint 'back_left_thigh'"):
        profile.animals_of(_animal("L_Hip", "rear_left_1"))


def test_the_profile_in_the_documentation_is_one(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "keypoints.md").read_text(encoding="utf-8")
    text = page.split("```yaml\n", 1)[1].split("```", 1)[0]
    profile = read_profile(_profile(tmp_path, text))
    assert profile.lengths["beak", "left_tip"] == 1.2
    assert (profile.odds.margin, profile.joint_of("Bill")) == (2.57, "beak")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("lengths: {beak: {left_tip: -1}}", "from 'beak' to 'left_tip' it is -1; expected a length above 0"),
        ("lengths: {beak: 4}", "lengths from 'beak' are 4; expected joint: length"),
        ("lengths: {beek: {beak: 1}}", "no joint is called 'beek'"),
        ("odds: {sure: 2}", "odds have 'sure': 2; expected even, and margin, firm, far from 0"),
        ("odds: {margin: -2}", "odds have 'margin': -2"),
    ],
)
def test_lengths_and_odds_that_cannot_be(tmp_path: Path, lines: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_profile(_profile(tmp_path, f"{GOOD}\n{lines}\n"))


def test_lengths_of_joints_that_a_child_drops_are_dropped(tmp_path: Path) -> None:
    parent = _profile(tmp_path, f"{GOOD}\nlengths: {{beak: {{left_tip: 1.5}}}}\n")
    assert read_profile(parent).lengths == {("beak", "left_tip"): 1.5}
    text = "extends: bird.yaml\njoints: {beak: trunk}\nlinks: {}\nmirror: []\npaths: []\nignore: []\nvocabularies: {}\n"
    child = _profile(tmp_path, text, "child.yaml")
    assert read_profile(child).lengths == {}
