"""Wrong joints among right ones are named and left out, parts suffer less, and a confidence means what it says."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from maskwright.arrays.calibrate import reliability
from maskwright.methods.keypoint_parts import KeypointParts
from maskwright.metrics.overlap import Overlap
from maskwright.toys import animals
from maskwright.toys.scenes import Scene
from maskwright.types import UNKNOWN, Keypoints, Mask
from tests.anatomy_scenes import blank, horse, outline_mask

SCENES = animals.make(10, random_state=31, size=(160, 224))


def _moved(scene: Scene, number: int) -> tuple[Keypoints, str]:
    """The animal with one joint, sure as ever, at the far end of its outline."""
    animal = scene.hints["keypoints"]
    assert isinstance(animal, Keypoints)
    seen = np.flatnonzero((animal.scores >= 0.5) & np.isfinite(animal.rows))
    chosen = int(seen[number % len(seen)])
    assert isinstance(scene.truth, Mask)
    places = np.argwhere(scene.truth.class_ids > 0)
    away = np.hypot(places[:, 0] - animal.rows[chosen], places[:, 1] - animal.cols[chosen])
    rows, cols = animal.rows.copy(), animal.cols.copy()
    rows[chosen], cols[chosen] = places[int(np.argmax(away))]
    return dataclasses.replace(animal, rows=rows, cols=cols), animal.names[chosen]


def _mean_iou(doubted: str, wrong: bool) -> tuple[float, int]:
    """Mean IoU, and how many of the moved joints were found."""
    metric, found = Overlap(animals.CLASS_NAMES), 0
    total: NDArray[np.int64] | None = None
    for number, scene in enumerate(SCENES):
        animal, name = _moved(scene, 3 * number) if wrong else (scene.hints["keypoints"], "")
        mask = KeypointParts(doubted=doubted)(scene.image, [animal, scene.hints["outline"]], animals.CLASS_NAMES)  # type: ignore[arg-type]
        found += name in [each["joint"] for each in mask.history[0].inputs["joints"][0]["doubted"]]
        assert isinstance(scene.truth, Mask)
        tally = metric.tally(mask, scene.truth)
        total = tally if total is None else total + tally
    return float(metric.scores(total)["mean_iou"]), found


def test_a_joint_far_away_costs_less_when_it_is_left_out() -> None:
    right, _ = _mean_iou("left_out", wrong=False)
    used, found = _mean_iou("used", wrong=True)
    left_out, also_found = _mean_iou("left_out", wrong=True)
    assert found == also_found >= 8, "it is named whether it is used or not"
    assert right - used > 0.03
    assert right - left_out < 0.4 * (right - used)
    assert right == _mean_iou("used", wrong=False)[0], "nothing is doubted of right joints"


def test_the_story_names_what_is_doubted_and_what_decides_alone() -> None:
    region, animal = horse()
    moved = dataclasses.replace(animal, rows=animal.rows.copy(), cols=animal.cols.copy())
    moved.rows[26], moved.cols[26] = 45.0, 358.0  # the left front paw at the eye
    hints = [moved, outline_mask(region)]
    (told,) = KeypointParts()(blank(region), hints, ()).history[0].inputs["joints"]
    assert told["doubted"] == [{"joint": "front_left_paw", "why": "far", "x": 358.0, "y": 45.0}]
    assert (told["left_out"], told["used"]) == (["front_left_paw"], 31)
    (kept,) = KeypointParts(doubted="used")(blank(region), hints, ()).history[0].inputs["joints"]
    assert (kept["doubted"], kept["left_out"], kept["used"]) == (told["doubted"], [], 32)
    few = Keypoints(("nose", "tail_end"), animal.rows[[0, 23]], animal.cols[[0, 23]], animal.scores[[0, 23]])
    (alone,) = KeypointParts()(blank(region), [few, outline_mask(region)], ()).history[0].inputs["joints"]
    assert set(alone["deciding"]) == {"nose", "tail_end"}
    assert sum(alone["deciding"].values()) == pytest.approx(1, abs=0.01)


def test_a_doubted_tail_comes_from_the_outline() -> None:
    region, animal = horse()
    right = KeypointParts()(blank(region), [animal, outline_mask(region)], ()).class_ids == 5
    moved = dataclasses.replace(animal, rows=animal.rows.copy(), cols=animal.cols.copy())
    moved.rows[23], moved.cols[23] = 60.0, 340.0
    mask = KeypointParts()(blank(region), [moved, outline_mask(region)], ())
    assert mask.history[0].inputs["joints"][0]["derived"] == ["tail_end"]
    tail = mask.class_ids == 5
    assert (tail & right).sum() > 0.8 * (tail | right).sum()


def test_confidence_is_about_the_share_that_is_right() -> None:
    claims, right = [], []
    for number, scene in enumerate(animals.make(12, random_state=77, size=(160, 224))):
        random = np.random.default_rng(number)
        animal, outline = scene.hints["keypoints"], scene.hints["outline"]
        assert isinstance(animal, Keypoints)
        animal = dataclasses.replace(animal, rows=animal.rows + random.normal(0, 2, 39))
        mask = KeypointParts()(scene.image, [animal, outline], animals.CLASS_NAMES)
        assert mask.confidence is not None and isinstance(scene.truth, Mask)
        known = (scene.truth.class_ids > 0) & (mask.class_ids != UNKNOWN)
        claims.append(mask.confidence[known])
        right.append((mask.class_ids == scene.truth.class_ids)[known])
    claimed, correct = np.concatenate(claims), np.concatenate(right)
    assert reliability(claimed, correct).error < 0.04
    assert correct[claimed > 0.9].mean() > 0.9 > 0.7 > correct[claimed < 0.6].mean()


def test_leaving_out_a_joint_that_decides_lowers_its_pixels_confidence() -> None:
    region = np.ones((21, 121), bool)
    region[0, 0] = False
    names, cols = ("nose", "upper_jaw", "tail_base"), np.array([20.0, 24.0, 110.0])

    def sure(count: int) -> Any:
        kept = [0, 2] if count == 1 else [0, 1, 2]
        animal = Keypoints(tuple(names[k] for k in kept), np.full(len(kept), 10.0), cols[kept], np.ones(len(kept)))
        return KeypointParts(derive=False)(blank(region), [animal, outline_mask(region)], ()).confidence

    assert sure(2)[10, 15] > sure(1)[10, 15] + 0.03, "the second joint of the face makes it firmer"
    assert sure(2)[10, 115] == pytest.approx(sure(1)[10, 115], abs=0.01), "the trunk hangs on one joint either way"


def test_exchanged_sides_matter_only_where_they_are_two_regions() -> None:
    region, animal = horse()
    crossed = dataclasses.replace(animal, rows=animal.rows.copy(), cols=animal.cols.copy())
    crossed.rows[[33, 34]], crossed.cols[[33, 34]] = 225.0, [60.0, 130.0]
    for profile, left_out in (("quadruped5", []), ("quadruped_fine", ["back_left_knee", "back_right_knee"])):
        mask = KeypointParts(profile=profile)(blank(region), [crossed, outline_mask(region)], ())
        (told,) = mask.history[0].inputs["joints"]
        assert {each["why"] for each in told["doubted"]} == {"side"} and len(told["doubted"]) == 2
        assert told["left_out"] == left_out
