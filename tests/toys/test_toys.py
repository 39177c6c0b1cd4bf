"""Every toy: the same bytes for the same seed, scene by scene; truth, hints and picture lie on one grid."""

from __future__ import annotations

import hashlib
import importlib
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import pytest

from maskwright.toys.scenes import Scene
from maskwright.types import Instances, Keypoints, Mask, Points, Tags

SIZES = {"reef": (96, 150), "specimens": (120, 170), "shapes": (90, 130), "animals": (110, 170), "textures": (60, 90)}


def make(name: str, count: int, **options: Any) -> list[Scene]:
    made: list[Scene] = importlib.import_module(f"maskwright.toys.{name}").make(
        count, **{"size": SIZES[name], **options}
    )
    return made


def print_of(scene: Scene) -> str:
    """One hash over everything a scene says."""
    digest = hashlib.sha256(np.ascontiguousarray(scene.image.pixels).tobytes())
    truth = scene.truth if isinstance(scene.truth, Mask) else scene.truth.flat(0)
    for mask in (truth, *scene.views.values()):
        digest.update(mask.class_ids.tobytes())
    for hint in scene.hints.values():
        if isinstance(hint, Points | Keypoints):
            digest.update(hint.rows.tobytes() + hint.cols.tobytes())
    return digest.hexdigest()


def prints(name: str, count: int) -> list[str]:
    return [print_of(scene) for scene in make(name, count)]


@pytest.mark.parametrize("name", SIZES)
def test_same_seed_same_bytes_whatever_was_made_before(name: str) -> None:
    long, short = prints(name, 3), prints(name, 2)
    assert long[:2] == short
    assert len(set(long)) == 3
    assert print_of(make(name, 1, random_state=1)[0]) != long[0]


def test_same_bytes_in_another_process() -> None:
    with ProcessPoolExecutor(1) as workers:
        elsewhere = list(workers.map(prints, SIZES, [1] * len(SIZES)))
    assert elsewhere == [prints(name, 1) for name in SIZES]


@pytest.mark.parametrize("name", SIZES)
def test_everything_lies_on_the_pictures_grid(name: str) -> None:
    for scene in make(name, 2):
        assert scene.image.pixels.shape == (*SIZES[name], 3)
        assert scene.image.pixels.dtype == np.uint8
        masks = [*scene.views.values(), *([scene.truth] if isinstance(scene.truth, Mask) else [])]
        for mask in masks:
            assert mask.class_ids.shape == SIZES[name]
            assert mask.class_ids.max() < len(mask.class_names)
        assert scene.truth.grid.transform == scene.image.grid.transform


@pytest.mark.parametrize("name", SIZES)
def test_asking_for_nothing_or_nonsense(name: str) -> None:
    assert make(name, 0) == []
    with pytest.raises(ValueError, match="count"):
        make(name, -1)
    with pytest.raises(ValueError, match="size"):
        make(name, 1, size=(3, 200))


def test_reef_points_tell_the_truth_and_name_every_class() -> None:
    for scene in make("reef", 3):
        points = scene.hints["points"]
        assert isinstance(points, Points) and isinstance(scene.truth, Mask)
        rows, cols = points.pixels
        np.testing.assert_array_equal(points.class_ids, scene.truth.class_ids[rows, cols])
        assert set(points.class_ids.tolist()) == set(np.unique(scene.truth.class_ids).tolist())


def test_reef_lies_on_earth_at_a_centimetre() -> None:
    from maskwright.toys import reef

    first, second = (scene.image.grid for scene in make("reef", 2))
    assert first.crs == "EPSG:32740"
    assert first.pixel_size == (reef.PIXEL_M, reef.PIXEL_M)
    assert first.place(0, 0) != second.place(0, 0)


def test_survey_scores_follow_what_the_frames_see() -> None:
    """Without GPS error each frame's best class is mostly the class below it; with error it lands elsewhere."""
    from maskwright.toys import reef

    scene = reef.make(1, size=(300, 420))[0]
    assert isinstance(scene.truth, Mask)
    exact, drifted = (reef.survey(scene, gps_error_m=error) for error in (0.0, 0.2))
    rows, cols = scene.image.grid.locate(exact.x, exact.y)
    below = scene.truth.class_ids[np.rint(rows).astype(int), np.rint(cols).astype(int)]
    assert np.mean(exact.scores.argmax(axis=1) + 1 == below) > 0.5
    assert exact.scores.shape == (len(exact.frames), 5)
    assert len(exact.frames) > 30
    shift = np.hypot(drifted.x - exact.x, drifted.y - exact.y)
    assert 0.15 < np.sqrt(np.mean(shift**2) / 2) < 0.25


def test_specimens_have_every_part_and_their_left_on_the_left() -> None:
    for scene in make("specimens", 3):
        assert isinstance(scene.truth, Mask)
        assert set(np.unique(scene.truth.class_ids)) == set(range(7))
        sided = scene.views["left_right"]
        middle = {
            name: np.nonzero(sided.class_ids == class_id)[1].mean() for class_id, name in enumerate(sided.class_names)
        }
        for part in ("antenna", "forewing", "hindwing"):
            assert middle[f"left {part}"] < middle["thorax"] < middle[f"right {part}"]
        wing = sided.class_names.index("left forewing"), sided.class_names.index("right forewing")
        np.testing.assert_array_equal(np.isin(sided.class_ids, wing), scene.truth.class_ids == 3)


def test_shapes_keep_a_point_on_every_object_and_enough_of_each_in_sight() -> None:
    for scene in make("shapes", 4):
        points = scene.hints["points"]
        assert isinstance(scene.truth, Instances) and isinstance(points, Points)
        assert points.object_ids is not None
        assert len(points) == len(scene.truth.regions) >= 3
        total = np.zeros(SIZES["shapes"], int)
        for number, region in enumerate(scene.truth.regions):
            seen = np.zeros(SIZES["shapes"], bool)
            seen[region.box.slices] = region.pixels
            total += seen
            row, col = int(points.rows[number]), int(points.cols[number])
            assert seen[row, col]
        assert total.max() == 1
        np.testing.assert_array_equal(total > 0, scene.views["classes"].class_ids > 0)
        np.testing.assert_array_equal(scene.truth.flat(0).class_ids, scene.views["classes"].class_ids)


def test_animals_have_39_joints_each_where_its_part_is() -> None:
    for scene in make("animals", 4, size=(200, 300)):
        keypoints, sided = scene.hints["keypoints"], scene.views["left_right"]
        assert isinstance(keypoints, Keypoints) and isinstance(scene.truth, Mask)
        assert len(keypoints.names) == len(set(keypoints.names)) == 39
        antlers = np.array(["antler" in name for name in keypoints.names])
        np.testing.assert_array_equal(np.isnan(keypoints.rows), antlers)
        np.testing.assert_array_equal(keypoints.scores == 0, antlers)
        for name, row, col, score in zip(
            keypoints.names, keypoints.rows, keypoints.cols, keypoints.scores, strict=True
        ):
            if score == 1 and name.endswith("paw"):
                row, col = round(row), round(col)
                near = sided.class_ids[max(row - 2, 0) : row + 3, max(col - 2, 0) : col + 3]
                legs = {sided.class_names[class_id] for class_id in np.unique(near)}
                assert f"{name.removesuffix('_paw')}_leg" in legs


def test_animals_show_the_side_that_faces_us() -> None:
    """Head to the left of the tail: its left flank is the nearer one, so the left side joint is seen."""
    for scene in make("animals", 6, size=(200, 300)):
        keypoints = scene.hints["keypoints"]
        assert isinstance(keypoints, Keypoints)
        at = {name: index for index, name in enumerate(keypoints.names)}
        looks_left = keypoints.cols[at["nose"]] < keypoints.cols[at["tail_base"]]
        near, far = ("left", "right") if looks_left else ("right", "left")
        assert keypoints.scores[at[f"body_middle_{near}"]] == 1
        assert keypoints.scores[at[f"body_middle_{far}"]] < 1


def test_animal_views_agree() -> None:
    for scene in make("animals", 3):
        assert isinstance(scene.truth, Mask)
        outline = scene.views["outline"].class_ids
        np.testing.assert_array_equal(outline > 0, scene.truth.class_ids > 0)
        np.testing.assert_array_equal(outline > 0, scene.views["left_right"].class_ids > 0)
        assert scene.hints["outline"] is scene.views["outline"]
        assert 0.02 < outline.mean() < 0.5


def test_textures_tag_what_is_there_and_brightness_gives_nothing_away() -> None:
    scenes = make("textures", 40)
    for index, scene in enumerate(scenes):
        tags = scene.hints["tags"]
        assert isinstance(tags, Tags) and isinstance(scene.truth, Mask)
        assert bool(scene.truth.class_ids.any()) == ("object" in tags.present) == (index % 2 == 0)
        assert tags.present | tags.absent == {"object"}
    brightness = np.array([np.mean(scene.image.pixels) for scene in scenes])
    gap = brightness[::2].mean() - brightness[1::2].mean()
    assert abs(gap) < 2 * brightness.std() * np.sqrt(2 / 20)
