"""Figures from joints, boxes and points: what is found, in any dtype, and nothing breaks on odd pictures."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from maskwright.arrays.figure import figure_from_box, figure_from_joints, figure_from_points
from maskwright.arrays.posture import sticks_of
from maskwright.toys import animals

JOINTS = ("neck_base", "tail_base", "front_left_thigh", "front_left_paw", "back_left_thigh", "back_left_paw", "nose")


def beast(*, noise: float = 6.0) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.float64]]:
    """A brown trunk with two legs and a head on green, its outline and its joints, on 60 x 150 pixels."""
    region = np.zeros((60, 150), bool)
    region[16:34, 40:100] = True
    region[34:52, 42:48] = region[34:52, 90:96] = True
    region[12:24, 100:116] = True
    pixels = np.where(region[..., None], (130, 90, 60), (70, 120, 60))
    random = np.random.default_rng(0)
    noisy = np.clip(pixels + random.normal(0, noise, pixels.shape), 0, 255).astype(np.uint8)
    places = np.array([(20, 97), (20, 42), (31, 92), (50, 93), (31, 45), (50, 45), (17, 112)], float)
    return noisy, region, places


def overlap(scores: NDArray[np.float32], region: NDArray[np.bool_]) -> float:
    found = scores > 0.5
    return float((found & region).sum() / (found | region).sum())


def test_a_beast_is_found_by_its_joints_with_and_without_names() -> None:
    pixels, region, places = beast()
    for names in (JOINTS, None):
        scores = figure_from_joints(pixels, *places.T, names=names)
        assert scores.dtype == np.float32
        assert scores.shape == region.shape
        assert overlap(scores, region) > 0.93
        assert scores.min() >= 0
        assert scores.max() <= 1


def test_a_beast_is_found_by_its_box_and_by_points() -> None:
    pixels, region, _ = beast()
    assert overlap(figure_from_box(pixels, (12, 40, 52, 116)), region) > 0.9
    assert not figure_from_box(pixels, (12, 40, 52, 116))[:, 116:].any()
    on, beside = [(25, 50), (25, 90), (18, 108), (45, 45), (45, 93)], [(45, 70), (8, 70), (30, 30), (30, 125)]
    rows, cols = np.array(on + beside, float).T
    assert overlap(figure_from_points(pixels, rows, cols, [True] * 5 + [False] * 4), region) > 0.9
    boxed = figure_from_points(pixels, [25], [70], [True], box=(12, 40, 52, 116))
    assert overlap(boxed, region) > 0.9


def test_joints_not_seen_are_passed_over() -> None:
    pixels, region, places = beast()
    places[[3, 5]] = np.nan
    whole = figure_from_joints(pixels, *places.T, names=JOINTS)
    kept = np.isfinite(places[:, 0])
    without = figure_from_joints(pixels, *places[kept].T, names=[n for n, k in zip(JOINTS, kept, strict=True) if k])
    np.testing.assert_array_equal(whole, without)
    assert overlap(whole, region) > 0.85


@pytest.mark.parametrize("kind", ["uint16", "float32", "grey", "four channels"])
def test_a_picture_means_the_same_in_every_form(kind: str) -> None:
    pixels, region, places = beast()
    pixels[0, 0], pixels[0, 1] = 0, 255
    given = {
        "uint16": pixels.astype(np.uint16) * 257,
        "float32": (pixels / 255).astype(np.float32),
        "grey": pixels[..., :1],
        "four channels": np.concatenate([pixels, pixels[..., :1]], axis=2),
    }[kind]
    scores = figure_from_joints(given, *places.T, names=JOINTS)
    if kind == "grey":
        assert overlap(scores, region) > 0.85
    else:
        plain = figure_from_joints(pixels, *places.T, names=JOINTS)
        assert ((scores > 0.5) != (plain > 0.5)).mean() < 0.002


def test_pixels_without_data_are_nobody_and_teach_nothing() -> None:
    pixels, region, places = beast()
    holes = pixels.astype(np.float32)
    holes[:, :44] = np.nan
    by_nan = figure_from_joints(holes, *places.T, names=JOINTS)
    assert not by_nan[:, :44].any()
    assert overlap(by_nan, region & (np.arange(150) >= 44)) > 0.85
    valid = np.ones(region.shape, bool)
    valid[:, :44] = False
    by_valid = figure_from_joints(pixels, *places.T, names=JOINTS, valid=valid)
    assert not by_valid[:, :44].any()
    assert not figure_from_joints(pixels, *places.T, names=JOINTS, valid=np.zeros_like(valid)).any()


def test_the_body_of_another_animal_is_left_to_it() -> None:
    _, region, places = beast()
    both = np.zeros((60, 230), bool)
    both[:, :150] = region
    both[:, 76:226] |= region  # nose to tail
    pair = np.where(both[..., None], (130, 90, 60), (70, 120, 60)).astype(np.uint8)
    first, second = places, places + np.array([0, 76])
    alone = figure_from_joints(pair, *first.T, names=JOINTS)
    told = figure_from_joints(pair, *first.T, names=JOINTS, others=[sticks_of(*second.T, JOINTS)])
    assert (alone[:, 118:] > 0.5).sum() > 300
    assert (told[:, 118:] > 0.5).sum() < 50
    assert overlap(told, both & (np.arange(230) < 116)) > 0.85


def test_a_piece_of_the_same_colour_that_does_not_touch_is_left_out() -> None:
    pixels, region, places = beast()
    pixels[0:9, 60:80] = (130, 90, 60)
    scores = figure_from_joints(pixels, *places.T, names=JOINTS)
    assert not (scores[:9, 60:80] > 0.5).any()
    assert overlap(scores, region) > 0.93


def test_confidence_is_high_inside_and_low_at_the_border_and_for_a_single_joint() -> None:
    pixels, _, places = beast()
    scores = figure_from_joints(pixels, *places.T, names=JOINTS)
    assert scores[25, 70] > 0.97
    assert 0.5 < scores[16, 70] < scores[25, 70]
    one = figure_from_joints(pixels, [25], [70])
    inside = one[one > 0.5]
    assert inside.size
    assert inside.max() <= 0.625
    assert one[59, 149] == 0


@pytest.mark.parametrize(
    "places",
    [
        [(10, 30)],
        [(10, 10), (10, 30), (10, 50)],
        [(0, 0), (19, 59)],
        [(10, 30), (10, 30), (10, 30)],
        [(-5, -8), (30, 80)],
        [(500, 900), (510, 930)],
    ],
)
@pytest.mark.parametrize("shape", [(20, 60, 3), (1, 9, 1), (1, 1, 3), (9, 1, 2)])
def test_nothing_breaks_on_odd_joints_and_small_pictures(
    places: list[tuple[int, int]], shape: tuple[int, int, int]
) -> None:
    flat = np.full(shape, 90, np.uint8)
    loud = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    rows, cols = np.array(places, float).T
    for pixels in (flat, loud):
        pixels.flags.writeable = False
        scores = figure_from_joints(pixels, rows, cols)
        assert np.isfinite(scores).all()
        np.testing.assert_array_equal(scores, figure_from_joints(pixels, rows, cols))


def test_what_cannot_be_asked_is_a_value_error() -> None:
    pixels = np.zeros((20, 60, 3), np.uint8)
    with pytest.raises(ValueError, match="none of 1 joints has a place"):
        figure_from_joints(pixels, [np.nan], [3.0])
    with pytest.raises(ValueError, match="a box is top"):
        figure_from_box(pixels, (5, 5, 5, 9))
    with pytest.raises(ValueError, match="lies on the figure"):
        figure_from_points(pixels, [3.0], [3.0], [False])


def test_boxes_and_points_outside_the_picture_find_nothing() -> None:
    pixels = np.zeros((20, 60, 3), np.uint8)
    assert not figure_from_box(pixels, (100, 100, 140, 160)).any()
    assert not figure_from_points(pixels, [500.0], [900.0], [True]).any()


def test_toy_animals_are_found_from_ten_or_from_thirty_joints() -> None:
    found = []
    for scene in animals.make(2, random_state=3, size=(160, 224)):
        joints, outline = scene.hints["keypoints"], scene.hints["outline"]
        some = np.isin(joints.names, ("nose", "neck_base", "tail_base")) | np.char.endswith(joints.names, "paw")
        some |= np.char.endswith(joints.names, "thigh")
        for seen in (np.ones(len(some), bool), some):
            rows, cols = (np.where(seen, each, np.nan) for each in (joints.rows, joints.cols))
            scores = figure_from_joints(scene.image.pixels, rows, cols, names=joints.names)
            found.append(overlap(scores, outline.class_ids > 0))
    assert min(found) > 0.8
