"""Parts from joints in the default mode: no leaks, mirrors, scales, several animals, hidden joints, unknown bands."""

from __future__ import annotations

import dataclasses
import logging
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from maskwright.arrays.encode import encode
from maskwright.contracts import check_labeler
from maskwright.errors import GridError, InputError, UnknownNameError
from maskwright.io.profiles import read_profile
from maskwright.methods.keypoint_parts import KeypointParts
from maskwright.types import UNKNOWN, Grid, Image, Instances, Keypoints, Mask
from tests.anatomy_scenes import AP10K, blank, horse, horse_ap10k, mirrored, outline_mask

HUMAN = read_profile("human17")
FIVE = ("background", "b_leg", "body", "f_leg", "face", "tail")


def _person(row: float, col: float, *, object_id: int | None = None) -> Keypoints:
    """Nose above, shoulders, hips, knees and ankles of somebody 40 tall, at (row, col)."""
    places = {
        "nose": (0, 6), "left_shoulder": (10, 9), "right_shoulder": (10, 3), "left_hip": (20, 8), "right_hip": (20, 4),
        "left_knee": (30, 9), "right_knee": (30, 3), "left_ankle": (39, 9), "right_ankle": (39, 3),
    }  # fmt: skip
    rows, cols = np.array(list(places.values()), float).T
    return Keypoints(tuple(places), rows + row, cols + col, np.ones(len(places)), object_id)


def _instances(shape: tuple[int, int], regions: list[NDArray[np.bool_]]) -> Instances:
    count = len(regions)
    return Instances(
        tuple(encode(each) for each in regions), np.zeros(count, np.uint8), np.ones(count), ("person",), Grid(*shape)
    )


def test_nothing_leaks_across_the_gap_between_tail_and_leg() -> None:
    region, animal = horse()
    ids = KeypointParts()(blank(region), [animal, outline_mask(region)], ()).class_ids
    rows, cols = np.indices(region.shape)
    tail_side = region & (cols <= 47) & (rows >= 130) & (rows <= 236)
    leg_side = region & (cols >= 52) & (rows >= 110)
    assert (int(tail_side.sum()), int(leg_side.sum())) == (3081, 26040)
    tail = FIVE.index("tail")
    assert int((ids[tail_side] != tail).sum()) == 0
    assert int((ids[leg_side] == tail).sum()) <= 2
    straight = KeypointParts(distance="euclidean")(blank(region), [animal, outline_mask(region)], ()).class_ids
    assert int((straight[tail_side] != tail).sum()) + int((straight[leg_side] == tail).sum()) > 20


def test_every_pixel_of_a_part_is_joined_to_a_seed_of_it() -> None:
    from maskwright.arrays.connected import components

    region, animal = horse()
    ids = KeypointParts(band_px=0)(blank(region), [animal, outline_mask(region)], ()).class_ids
    labels, count, class_of = components(ids, ignore=0)
    seeds = {FIVE.index(HORSE.joints[name]): 0 for name in HORSE.joints}
    assert count <= 5 + 12, "legs and head may be in several pieces, crumbs are leaks"
    sizes = np.bincount(labels[labels >= 0], minlength=count)
    assert all(sizes[k] >= 20 for k in range(count) if class_of[k] in seeds and class_of[k] != UNKNOWN)
    assert not ids[~region].any()


HORSE = read_profile("quadruped5")


@pytest.mark.parametrize("profile", ["quadruped5", "quadruped_fine"])
@pytest.mark.parametrize("width", [400, 401])
def test_the_mirrored_animal_gives_the_mirrored_mask(profile: str, width: int) -> None:
    region, animal = horse()
    region = np.ascontiguousarray(np.pad(region, ((0, 0), (0, width - 400))))
    animal = dataclasses.replace(animal, rows=animal.rows + 0.3, cols=animal.cols - 0.2)
    table = read_profile(profile)
    method = KeypointParts(profile=profile)
    there = method(blank(region), [animal, outline_mask(region)], ())
    flipped = np.ascontiguousarray(region[:, ::-1])
    back = method(blank(flipped), [mirrored(animal, width, table), outline_mask(flipped)], ())
    swap = np.arange(256, dtype=np.uint8)
    for joint, own in table.joints.items():
        other = table.joints[table.mirrored(joint)]
        swap[there.class_names.index(own)] = there.class_names.index(other)
    np.testing.assert_array_equal(swap[there.class_ids], back.class_ids[:, ::-1])
    np.testing.assert_array_equal(there.confidence, back.confidence[:, ::-1])


def test_mirrored_with_derived_joints_too() -> None:
    region, animal = horse()
    given = horse_ap10k(animal)
    given = dataclasses.replace(given, rows=given.rows + 0.3, cols=given.cols + 0.4)
    table = {name: f"R{name[1:]}" if name.startswith("L_") else f"L{name[1:]}" for name in AP10K if name[1] == "_"}
    other = Keypoints(tuple(table.get(each, each) for each in given.names), given.rows, 399 - given.cols, given.scores)
    flipped = np.ascontiguousarray(region[:, ::-1])
    there = KeypointParts()(blank(region), [given, outline_mask(region)], ()).class_ids
    back = KeypointParts()(blank(flipped), [other, outline_mask(flipped)], ()).class_ids
    np.testing.assert_array_equal(there, back[:, ::-1])


def test_twice_the_size_gives_the_same_parts_but_for_their_borders() -> None:
    region, animal = horse()
    double = np.ascontiguousarray(region.repeat(2, axis=0).repeat(2, axis=1))
    larger = dataclasses.replace(animal, rows=2 * animal.rows + 0.5, cols=2 * animal.cols + 0.5)
    small = KeypointParts()(blank(region), [animal, outline_mask(region)], ()).class_ids
    big = KeypointParts()(blank(double), [larger, outline_mask(double)], ()).class_ids[::2, ::2]
    assert float((small != big)[region].mean()) < 0.02
    near_border = np.zeros(region.shape, bool)
    for down, across in ((0, 3), (3, 0), (0, -3), (-3, 0)):
        near_border |= np.roll(small, (down, across), (0, 1)) != small
    assert float(((small != big) & ~near_border).mean()) < 1e-3


def test_padding_the_picture_changes_nothing_inside() -> None:
    region, animal = horse()
    padded = np.pad(region, ((7, 20), (31, 2)))
    moved = dataclasses.replace(animal, rows=animal.rows + 7, cols=animal.cols + 31)
    small = KeypointParts()(blank(region), [animal, outline_mask(region)], ()).class_ids
    large = KeypointParts()(blank(padded), [moved, outline_mask(padded)], ()).class_ids
    np.testing.assert_array_equal(small, large[7:-20, 31:-2])


def test_ways_and_straight_lines_agree_in_a_convex_outline_up_to_the_grid() -> None:
    rows, cols = np.mgrid[:60, :90]
    region = ((cols - 45) / 40) ** 2 + ((rows - 30) / 25) ** 2 <= 1
    animal = Keypoints(("nose", "tail_base"), np.array([30.0, 24.0]), np.array([15.0, 70.0]), np.ones(2))
    hints = [animal, outline_mask(region)]
    by_way = KeypointParts(band_px=0, derive=False)(blank(region), hints, ()).class_ids
    straight = KeypointParts(band_px=0, derive=False, distance="euclidean")(blank(region), hints, ()).class_ids
    near, far = (np.hypot(rows - r, cols - c) for r, c in ((30, 15), (24, 70)))
    # A way over 8 neighbours is at most 8.3 % longer than the line.
    sure = region & (np.maximum(near, far) > 1.083 * np.minimum(near, far))
    np.testing.assert_array_equal(by_way[sure], straight[sure])
    assert (by_way != straight).any()


def test_several_animals_each_keep_inside_their_own_outline() -> None:
    shape = (44, 60)
    left, right = np.zeros(shape, bool), np.zeros(shape, bool)
    left[1:43, 5:22], right[2:42, 30:50] = True, True
    left[1:3, 5:9] = right[2:4, 30:33] = False
    animals = [_person(2, 35, object_id=1), _person(2, 8, object_id=0)]
    mask = KeypointParts(profile="human17")(blank(left), [*animals, _instances(shape, [left, right])], ())
    assert (mask.class_ids[~(left | right)] == 0).all()
    head = mask.class_names.index("head")
    assert mask.class_ids[2, 14] == mask.class_ids[2, 41] == head
    alone = KeypointParts(profile="human17")(blank(left), [animals[1], _instances(shape, [left])], ())
    np.testing.assert_array_equal(mask.class_ids[left], alone.class_ids[left])
    unnamed = [dataclasses.replace(each, object_id=None) for each in animals]
    matched = KeypointParts(profile="human17")(blank(left), [*unnamed, _instances(shape, [left, right])], ())
    np.testing.assert_array_equal(mask.class_ids, matched.class_ids)


def test_an_animal_without_joints_is_unknown_and_no_background() -> None:
    shape = (44, 60)
    left, right = np.zeros(shape, bool), np.zeros(shape, bool)
    left[1:43, 5:22], right[2:42, 20:50] = True, True
    left[1:3, 5:9] = right[2:4, 47:50] = False
    mask = KeypointParts(profile="human17")(blank(left), [_person(2, 8), _instances(shape, [left, right])], ())
    assert mask.confidence is not None
    assert (mask.class_ids[right & ~left] == UNKNOWN).all() and not mask.confidence[right & ~left].any()
    assert (mask.class_ids[left] != UNKNOWN).mean() > 0.9
    assert [each["used"] for each in mask.history[0].inputs["joints"]] == [0, 9]


def test_where_outlines_overlap_the_nearest_joint_decides() -> None:
    shape = (44, 60)
    left, right = np.zeros(shape, bool), np.zeros(shape, bool)
    left[1:43, 5:40], right[2:42, 20:55] = True, True
    left[1:3, 5:9] = right[2:4, 50:55] = False
    animals = [_person(2, 8, object_id=0), _person(2, 38, object_id=1)]
    hints = [*animals, _instances(shape, [left, right])]
    one = KeypointParts(profile="human17")(blank(left), hints, ())
    other = KeypointParts(profile="human17")(blank(left), [*reversed(animals), hints[-1]], ())
    np.testing.assert_array_equal(one.class_ids, other.class_ids)
    legs = one.class_names.index("left_leg"), one.class_names.index("right_leg")
    assert one.class_ids[38, 24] == legs[0], "the left leg of the first is nearer"
    assert one.class_ids[38, 36] == legs[1], "the right leg of the second is nearer"


def test_hidden_joints_say_nothing_and_a_score_at_the_threshold_counts() -> None:
    region = np.ones((20, 60), bool)
    region[0, 0] = False
    names = ("nose", "tail_base")
    for score, expected in ((0.49, "body"), (0.5, "face")):
        animal = Keypoints(names, np.array([10.0, 10.0]), np.array([8.0, 50.0]), np.array([score, 1.0]))
        method = KeypointParts(reach_fraction=math.inf)
        mask = method(blank(region), [animal, outline_mask(region)], ())
        assert mask.class_names[mask.class_ids[10, 8]] == expected
    with pytest.raises(InputError, match=r"no joint has a place and a score of at least 0\.5"):
        KeypointParts()(blank(region), [dataclasses.replace(animal, scores=np.zeros(2)), outline_mask(region)], ())


def test_unknown_where_two_parts_are_equally_near_and_where_all_joints_are_far() -> None:
    region = np.ones((21, 81), bool)
    region[0, 0] = False
    animal = Keypoints(("nose", "tail_base"), np.array([10.0, 10.0]), np.array([20.0, 40.0]), np.ones(2))
    hints = [animal, outline_mask(region)]
    ids = KeypointParts(band_px=6, reach_fraction=math.inf)(blank(region), hints, ()).class_ids
    assert np.flatnonzero(ids[10] == UNKNOWN).tolist() == [28, 29, 30, 31, 32]
    ids = KeypointParts(band_px=0, reach_fraction=0.5)(blank(region), hints, ()).class_ids
    assert np.flatnonzero(ids[10] == UNKNOWN).tolist() == [30, *range(61, 81)]
    mask = KeypointParts(band_px=0)(blank(region), hints, ())
    assert mask.confidence is not None
    assert mask.confidence[10, 20] > 0.9
    assert 0.3 < mask.confidence[10, 29] < 0.6
    assert (mask.confidence[mask.class_ids == UNKNOWN] == 0).all()
    assert mask.confidence[0, 0] == 1


def test_joints_outside_are_moved_or_dropped_and_counted() -> None:
    region = np.zeros((30, 80), bool)
    region[10:20, 10:70] = True
    region[10, 10] = False
    animal = Keypoints(("nose", "tail_base", "front_left_paw"), np.array([8.0, 15.0, 29.0]),
                       np.array([15.0, 60.0, 40.0]), np.ones(3))  # fmt: skip
    mask = KeypointParts()(blank(region), [animal, outline_mask(region)], ())
    (told,) = mask.history[0].inputs["joints"]
    assert (told["used"], told["snapped"], told["dropped"]) == (2, 1, 1)
    assert mask.class_names[mask.class_ids[11, 15]] == "face"
    assert not (mask.class_ids == FIVE.index("f_leg")).any()


def test_few_joints_and_the_outline_give_a_trunk() -> None:
    region, animal = horse()
    given = horse_ap10k(animal)
    whole = KeypointParts()(blank(region), [animal, outline_mask(region)], ()).class_ids
    few = KeypointParts()(blank(region), [given, outline_mask(region)], ())
    plain = KeypointParts(derive=False)(blank(region), [given, outline_mask(region)], ())
    body, tail = FIVE.index("body"), FIVE.index("tail")

    def iou(ids: NDArray[np.uint8], part: int) -> float:
        return float(((ids == part) & (whole == part)).sum() / ((ids == part) | (whole == part)).sum())

    assert iou(few.class_ids, tail) > 0.8 > 0.1 > iou(plain.class_ids, tail)
    assert iou(few.class_ids, FIVE.index("b_leg")) > 0.8
    # No joint of the head is seen, so its pixels are body or unknown; the trunk itself is found.
    _, cols = np.indices(region.shape)
    trunk = (cols > 70) & (cols < 280) & (whole == body)
    assert float((few.class_ids[trunk] == body).mean()) > 0.95
    assert few.history[0].inputs["joints"][0]["derived"] == [
        "back_base", "back_end", "back_middle", "belly_bottom", "body_middle_left", "body_middle_right", "tail_end",
    ]  # fmt: skip


def test_classes_of_the_caller_are_matched_by_name() -> None:
    region, animal = horse()
    names = ("", "tail", "face", "f_leg", "body", "b_leg", "background", "else")
    mask = KeypointParts()(blank(region), [animal, outline_mask(region)], names)
    own = KeypointParts()(blank(region), [animal, outline_mask(region)], ())
    assert mask.class_names == names
    table = np.arange(256, dtype=np.uint8)
    for class_id, name in enumerate(FIVE):
        table[class_id] = names.index(name)
    np.testing.assert_array_equal(table[own.class_ids], mask.class_ids)
    with pytest.raises(UnknownNameError, match="no class is called 'b_leg'"):
        KeypointParts()(blank(region), [animal, outline_mask(region)], ("background", "body"))


def test_regions_can_be_merged_away(tmp_path: object) -> None:
    region, animal = horse()
    hints = [animal, outline_mask(region)]
    five = KeypointParts()(blank(region), hints, ()).class_ids
    four = KeypointParts(profile="quadruped4")(blank(region), hints, ())
    assert four.class_names == FIVE[:-1]
    np.testing.assert_array_equal(four.class_ids, np.where(five == 5, 2, five))


def test_black_and_white_outlines_and_pixels_without_data() -> None:
    region, animal = horse()
    white = Mask(np.where(region, 255, 0).astype(np.uint8), ("0",))
    black = KeypointParts()(blank(region), [animal, outline_mask(region)], ())
    np.testing.assert_array_equal(KeypointParts()(blank(region), [animal, white], ()).class_ids, black.class_ids)
    valid = np.ones(region.shape, bool)
    valid[:, :50] = False
    image = Image(np.zeros((*region.shape, 1), np.uint16), valid=valid)
    ids = KeypointParts()(image, [animal, white], ()).class_ids
    assert (ids[:, :50] == UNKNOWN).all()
    np.testing.assert_array_equal(ids[:, 50:], black.class_ids[:, 50:])


def test_nan_joints_and_names_of_other_vocabularies() -> None:
    region, animal = horse()
    seen = animal.scores > 0.5
    missing = dataclasses.replace(
        animal, rows=np.where(seen, animal.rows, np.nan), cols=np.where(seen, animal.cols, np.nan)
    )
    renamed = dataclasses.replace(missing, names=tuple(each.replace("thigh", "thai") for each in animal.names))
    expected = KeypointParts()(blank(region), [animal, outline_mask(region)], ()).class_ids
    for each in (missing, renamed):
        np.testing.assert_array_equal(
            KeypointParts()(blank(region), [each, outline_mask(region)], ()).class_ids, expected
        )


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"names": ("nose", "tail_bse")}, UnknownNameError, "did you mean 'tail_base'"),
        ({"names": ("Nose", "nose")}, InputError, "both mean the joint 'nose'"),
        ({"object_id": 4}, InputError, "names object 4; expected one of 1 outlines"),
        ({"rows": np.array([90.0, 90.0])}, InputError, "no joint of an animal lies inside an outline"),
    ],
)
def test_wrong_joints_are_told(change: dict[str, object], error: type[Exception], said: str) -> None:
    region = np.zeros((20, 60), bool)
    region[2:18, 2:50] = True
    region[2, 2] = False
    animal = Keypoints(("nose", "tail_base"), np.array([10.0, 10.0]), np.array([8.0, 40.0]), np.ones(2))
    with pytest.raises(error, match=said):
        KeypointParts()(blank(region), [dataclasses.replace(animal, **change), _instances((20, 60), [region])], ())  # type: ignore[arg-type]


def test_no_joints_no_outline_or_the_wrong_one() -> None:
    region, animal = horse()
    with pytest.raises(InputError, match="no joints for this picture"):
        KeypointParts()(blank(region), [outline_mask(region)], ())
    with pytest.raises(InputError, match="no outline for an animal; expected a mask or a polygon"):
        KeypointParts(foreground="given")(blank(region), [animal], ())
    with pytest.raises(GridError, match="the outline is 328 x 399 pixels but the picture is 328 x 400"):
        KeypointParts()(blank(region), [animal, outline_mask(region[:, 1:])], ())
    with pytest.raises(InputError, match="the outline has no pixel"):
        KeypointParts()(blank(region), [animal, outline_mask(np.zeros_like(region))], ())
    with pytest.raises(InputError, match="2 animals in a picture; mode=parity takes one"):
        KeypointParts(mode="parity")(blank(region), [animal, animal, outline_mask(region)], ())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"band_px": -1}, "band_px is -1"),
        ({"spacing_fraction": 0}, "spacing_fraction is 0"),
        ({"profile": "quadruped6"}, "did you mean 'quadruped5'"),
        ({"profile": "mine.yaml"}, "there is no such file"),
    ],
)
def test_wrong_settings_are_told(settings: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        KeypointParts(**settings)  # type: ignore[arg-type]


def test_the_promises_of_a_labeler_are_kept(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)

    def hints(image: Image) -> list[Keypoints | Mask]:
        height, width = image.grid.shape
        rows, cols = np.array([0.0, height - 1.0]), np.array([0.0, width - 1.0])
        animal = Keypoints(("nose", "tail_base"), rows, cols, np.ones(2))
        return [animal, Mask(np.ones((height, width), np.uint8), ("background", "animal"), image.grid)]

    check_labeler(KeypointParts(), hints=hints, class_names=FIVE)
