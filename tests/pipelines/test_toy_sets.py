"""Toy data sets on disk: the files people bring, the same bytes each time, and the truth beside them."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import numpy as np
import pytest

from maskwright.errors import InputError, UnknownNameError
from maskwright.io.classes import read_classes
from maskwright.io.images import read_image
from maskwright.io.masks import read_mask
from maskwright.pipelines.new import new
from maskwright.pipelines.recipe import list_recipes, missing_files, read_recipe
from maskwright.pipelines.toy_sets import SETS, flat_truth, write_set


def prints(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("name", SETS)
def test_pictures_and_truth_read_back_as_they_were_made(name: str, tmp_path: Path) -> None:
    made = write_set(name, tmp_path, count=2)
    classes = read_classes(tmp_path / "classes.yaml")
    assert classes == made.classes
    for scene in made.scenes:
        image = read_image(tmp_path / "pictures" / f"{scene.name}.png")
        np.testing.assert_array_equal(image.pixels, scene.image.pixels)
        mask = read_mask(tmp_path / "truth" / f"{scene.name}.png", classes)
        np.testing.assert_array_equal(mask.class_ids, flat_truth(scene).class_ids)


def test_same_seed_same_files(tmp_path: Path) -> None:
    for name in SETS:
        for turn in ("first", "second"):
            write_set(name, tmp_path / turn / name, count=1)
        write_set(name, tmp_path / "other" / name, count=1, random_state=7)
    assert prints(tmp_path / "first") == prints(tmp_path / "second")
    assert prints(tmp_path / "first") != prints(tmp_path / "other")


def test_reef_points_are_read_as_the_scene_has_them(tmp_path: Path) -> None:
    from maskwright.io.points import read_points

    made = write_set("reef", tmp_path, count=2)
    points = read_points(tmp_path / "points.csv", made.classes)
    for scene in made.scenes:
        for field in ("rows", "cols", "class_ids"):
            np.testing.assert_array_equal(getattr(points[scene.name], field), getattr(scene.hints["points"], field))


def test_survey_has_a_row_per_frame_with_place_and_scores(tmp_path: Path) -> None:
    write_set("reef", tmp_path, count=1)
    with (tmp_path / "survey.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 30
    assert all(-21.1 < float(row["GPSLatitude"]) < -21.0 for row in rows)
    assert all(55.2 < float(row["GPSLongitude"]) < 55.3 for row in rows)
    assert all(0 <= float(row[name]) <= 1 for row in rows for name in ("branching", "massive", "sand"))


def test_orthophotos_are_the_pictures_in_their_place_on_earth(tmp_path: Path) -> None:
    (scene,) = write_set("reef", tmp_path, count=1).scenes
    image = read_image(tmp_path / "orthophotos" / f"{scene.name}.tif")
    np.testing.assert_array_equal(image.pixels, scene.image.pixels)
    assert image.grid == scene.image.grid and image.grid.crs == "EPSG:32740"


def test_unknown_set_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'reef'"):
        write_set("reeef", tmp_path)


@pytest.mark.parametrize("recipe", list_recipes())
def test_a_new_project_has_everything_its_recipe_names(recipe: str, tmp_path: Path) -> None:
    path = new(recipe, tmp_path / "project")
    assert missing_files(read_recipe(path)) == []


def test_a_new_project_wants_a_folder_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(InputError, match="not empty"):
        new("points", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(UnknownNameError):
        new("pionts", tmp_path / "other")
