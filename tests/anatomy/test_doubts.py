"""Joints that are not believed: outside, too far off, sides exchanged; and what is left alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from maskwright.anatomy.doubts import Doubter
from maskwright.anatomy.outlines import Outline, cropped
from maskwright.anatomy.seeds import visible_joints
from maskwright.io.profiles import read_profile
from maskwright.toys import animals
from maskwright.types import Keypoints
from tests.anatomy_scenes import horse, quadruped

DOUBTER = Doubter(quadruped())


def _horse() -> tuple[dict[str, tuple[float, float]], Outline]:
    region, animal = horse()
    return visible_joints(animal, quadruped(), 0.5), cropped(region)


def test_no_joint_of_a_good_animal_is_doubted() -> None:
    joints, outline = _horse()
    assert DOUBTER.doubts(joints, outline, snap=31) == ()
    for scene in animals.make(6, random_state=3, size=(160, 224)):
        animal = scene.hints["keypoints"]
        assert isinstance(animal, Keypoints)
        assert DOUBTER.doubts(visible_joints(animal, quadruped(), 0.5)) == ()


@pytest.mark.parametrize("joint", ["nose", "front_left_paw", "tail_end", "back_base", "left_earend"])
def test_a_joint_at_the_other_end_is_too_far(joint: str) -> None:
    joints, outline = _horse()
    joints[joint] = (300.0, 62.0) if joints[joint][1] > 150 else (80.0, 380.0)
    assert [(each.joint, each.why) for each in DOUBTER.doubts(joints, outline, snap=31)] == [(joint, "far")]


def test_outside_comes_first_and_never_takes_all() -> None:
    joints, outline = _horse()
    assert DOUBTER.doubts({**joints, "nose": (5.0, 5.0)}, outline, snap=31) == (("nose", "outside", 5.0, 5.0),)
    elsewhere = dataclasses.replace(
        outline, window=outline.window._replace(top=2000, bottom=2000 + outline.pixels.shape[0])
    )
    assert DOUBTER.doubts(joints, elsewhere, snap=31) == (), "an outline that holds no joint is another animal's"


def test_knees_with_their_sides_exchanged_are_found_in_pairs() -> None:
    joints, outline = _horse()
    joints["back_left_knee"], joints["back_right_knee"] = (225.0, 130.0), (225.0, 60.0)
    assert DOUBTER.doubts(joints, outline, snap=31) == ()
    joints["back_left_knee"], joints["back_right_knee"] = joints["back_right_knee"], joints["back_left_knee"]
    assert {(each.joint, each.why) for each in DOUBTER.doubts(joints, outline, snap=31)} == {
        ("back_left_knee", "side"), ("back_right_knee", "side"),
    }  # fmt: skip


def test_a_profile_without_lengths_knows_outlines_only() -> None:
    doubter = Doubter(dataclasses.replace(quadruped(), lengths={}))
    joints, outline = _horse()
    joints["nose"] = (300.0, 62.0)
    assert doubter.doubts(joints, outline, snap=31) == ()
    joints["nose"] = (5.0, 5.0)
    assert doubter.doubts(joints, outline, snap=31) == (("nose", "outside", 5.0, 5.0),)


def test_a_few_joints_are_not_enough_to_tell_lengths() -> None:
    assert DOUBTER.doubts({"nose": (0.0, 0.0), "neck_base": (0.0, 10.0), "tail_base": (0.0, 400.0)}) == ()


@pytest.mark.parametrize("name", ["quadruped_fine", "quadruped4", "mouse", "human17"])
def test_every_shipped_profile_has_lengths_that_bind_its_joints(name: str) -> None:
    doubter = Doubter(read_profile(name))
    used = [doubter.index[each] for each in doubter.profile.joints if each not in doubter.profile.ignore]
    assert np.isfinite(doubter._limits[np.ix_(used, used)]).all()
