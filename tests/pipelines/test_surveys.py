"""Surveys from file to file: the toy boat over the toy reef, and sessions as they are published."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from maskwright.cli.main import main
from maskwright.io.classes import Classes, write_classes
from maskwright.io.masks import read_mask, read_story, story_path
from maskwright.io.rasters import write_raster
from maskwright.io.stories import story_dict
from maskwright.io.surveys import ORTHOPHOTO
from maskwright.pipelines.commands import label
from maskwright.pipelines.explain import explain, replay
from maskwright.pipelines.map_report import facts_of
from maskwright.toys import reef as toy
from maskwright.types import UNKNOWN, Grid

pytest.importorskip("pyproj")
FIVE = ("Acropore_branched", "Acropore_tabular", "No_acropore_massive", "No_acropore_sub_massive", "Sand")


@pytest.fixture(scope="module")
def boat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two toy orthophotos and one table of all frames, as a boat's computer writes it."""
    folder = tmp_path_factory.mktemp("boat")
    rows = []
    for scene in toy.make(2, size=(150, 260)):
        write_raster(folder / "orthos" / f"{scene.name}.tif", np.asarray(scene.image.pixels), scene.image.grid)
        made = toy.survey(scene)
        rows += [
            [frame, *scores, latitude, longitude]
            for frame, scores, latitude, longitude in zip(
                made.frames, made.scores.tolist(), made.latitude, made.longitude, strict=True
            )
        ]
    with (folder / "frames.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["FileName", *toy.CLASS_NAMES[1:], "GPSLatitude", "GPSLongitude"], *rows])
    write_classes(folder / "classes.yaml", Classes(toy.CLASS_NAMES, toy.COLORS))
    return folder


def test_frames_become_masks_of_every_orthophoto_they_reach(boat: Path, tmp_path: Path) -> None:
    arguments = ["label", "survey_scores", str(boat / "orthos"), "--hints", str(boat / "frames.csv")]
    settings = ["--set", "gps_error_m=0.05", "--set", "reach_m=1.0", "--quiet"]
    assert main([*arguments, "--classes", str(boat / "classes.yaml"), "--out", str(tmp_path / "out"), *settings]) == 0
    for scene in toy.make(2, size=(150, 260)):
        mask = read_mask(tmp_path / "out" / f"{scene.name}.tif")
        assert mask.class_names == toy.CLASS_NAMES and mask.grid == scene.image.grid and mask.confidence is not None
        known = mask.class_ids != UNKNOWN
        assert known.mean() > 0.5
        assert (mask.class_ids == scene.truth.class_ids)[known].mean() > 0.5  # type: ignore[union-attr]
    step = read_story(story_path(tmp_path / "out" / "reef_000.tif")).steps[-1]
    assert step.name == "survey_scores" and step.inputs["hints"][0]["path"] == "frames.csv"
    assert replay(tmp_path / "out" / "reef_000.tif", tmp_path / "again").identical


def test_a_survey_of_another_place_is_told(boat: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    header, *rows = (boat / "frames.csv").read_text().splitlines()
    swapped = (",".join([*each.split(",")[:-2], *reversed(each.split(",")[-2:])]) for each in rows)
    (tmp_path / "swapped.csv").write_text("\n".join([header, *swapped]) + "\n")
    arguments = ["label", "survey_scores", str(boat / "orthos"), "--hints", str(tmp_path / "swapped.csv")]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 3
    assert "are latitude and longitude swapped?" in capsys.readouterr().err


def test_merged_classes_and_left_out_frames_from_a_table_to_a_story(boat: Path, tmp_path: Path) -> None:
    with (boat / "frames.csv").open() as file:
        header, *rows = csv.reader(file)
    first, second = header[1], header[2]
    useless = [str(round(index % 4 / 4, 2)) for index in range(len(rows))]
    table = [[*header, "Useless"], *([*row, each] for row, each in zip(rows, useless, strict=True))]
    with (tmp_path / "frames.csv").open("w", newline="") as file:
        csv.writer(file).writerows(table)
    classes = tmp_path / "classes.yaml"
    write_classes(classes, Classes(("", "both", *header[3:-2])))
    arguments = ["label", "survey_scores", str(boat / "orthos" / "reef_000.tif"), "--hints"]
    arguments += [str(tmp_path / "frames.csv"), "--classes", str(classes), "--out", str(tmp_path / "out"), "--quiet"]
    arguments += ["--set", f"merge=[{first}+{second}]"]
    assert main(arguments) == 2, "that is no rule"
    arguments[-1] = f"merge=['both={first}+{second}']"
    assert main([*arguments, "--set", "leave_out=['Useless>0.5']"]) == 0
    mask = read_mask(tmp_path / "out" / "reef_000.tif")
    assert mask.class_names[1] == "both" and (mask.class_ids == 1).any()
    story = read_story(story_path(tmp_path / "out" / "reef_000.tif"))
    left_out = sum(float(each) > 0.5 for each in useless)
    assert story.steps[-1].inputs["frames"] == {"count": len(rows), "left_out": left_out}
    told = explain(tmp_path / "out" / "reef_000.tif").text
    assert f"frames count={len(rows)} left_out={left_out}" in told
    assert replay(tmp_path / "out" / "reef_000.tif", tmp_path / "again").identical
    said = facts_of(story_dict(story))
    assert said[-1] == f"{left_out} of {len(rows)} frames of the survey were left out"


def test_a_class_nobody_scored_fails_by_name(boat: Path, tmp_path: Path) -> None:
    write_classes(tmp_path / "classes.yaml", Classes(("", "massive", "kelp")))
    outcome = label("survey_scores", boat / "orthos", hints=boat / "frames.csv", classes=tmp_path / "classes.yaml",
                    out=tmp_path / "out")  # fmt: skip
    assert outcome.done == 0 and all("no scores for the class 'kelp'" in reason for _, reason in outcome.failed)
    only = label("survey_scores", boat / "orthos", hints=boat / "frames.csv", classes=tmp_path / "classes.yaml",
                 out=tmp_path / "some", settings={"missing_classes": "ignore"})  # fmt: skip
    assert only.done == 2
    assert set(np.unique(read_mask(tmp_path / "some" / "reef_000.tif").class_ids)) <= {1, UNKNOWN}


def test_sessions_of_rasters_and_orthophotos(tmp_path: Path) -> None:
    flight, boat = tmp_path / "uav" / "20231203_REU-X_UAV-01_01", tmp_path / "asv" / "20231202_REU-X_ASV-01_01"
    grid = Grid(60, 160, (0.05, 0.0, 322000.0, 0.0, -0.05, 7657800.0), "EPSG:32740")
    (flight / ORTHOPHOTO).parent.mkdir(parents=True)
    write_raster(flight / ORTHOPHOTO, np.full((60, 160, 3), 90, np.uint8), grid)
    cells = Grid(4, 10, (1e-5, 0.0, 55.28549, 0.0, -1e-5, -21.17248), "EPSG:4326")
    west = np.broadcast_to(np.linspace(1, 0, 10, dtype=np.float32), (4, 10)).copy()
    for name, scores in (("Acropore_branched", west), ("Sand", 1 - west), ("Fish", west * 0 + 1)):
        path = boat / "PROCESSED_DATA" / "IA" / f"{boat.name}_{name}_raster.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_raster(path, scores, cells, nodata=float("nan"), cog=False)
    write_classes(tmp_path / "classes.yaml", Classes(("", "Sand", "Acropore_branched")))
    (tmp_path / "asv.csv").write_text(f"root_folder,session_name\nasv,{boat.name}\n")
    for hints in (boat, tmp_path / "asv", tmp_path / "asv.csv"):
        out = tmp_path / f"out-{hints.name}"
        outcome = label("survey_scores", tmp_path / "uav", hints=hints, classes=tmp_path / "classes.yaml", out=out)
        assert (outcome.done, outcome.failed) == (1, ())
        mask = read_mask(out / f"{flight.name}_ortho.tif")
        assert mask.class_ids[30, 3] == 2 and mask.class_ids[30, 150] == 1
        assert mask.grid == grid and sorted(np.unique(mask.class_ids)) in ([1, 2], [1, 2, UNKNOWN])


def test_big_orthophotos_by_pieces(boat: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"gps_error_m": 0.05}
    images, classes = boat / "orthos" / "reef_001.tif", boat / "classes.yaml"
    label("survey_scores", images, hints=boat / "frames.csv", classes=classes, out=tmp_path / "a", settings=settings)
    monkeypatch.setattr("maskwright.io.images.LAZY_PIXELS", 100)
    monkeypatch.setattr("maskwright.pipelines.in_pieces.PIECE_PX", 64)
    label("survey_scores", images, hints=boat / "frames.csv", classes=classes, out=tmp_path / "b", settings=settings)
    whole, pieces = (read_mask(tmp_path / each / "reef_001.tif") for each in "ab")
    np.testing.assert_array_equal(whole.class_ids, pieces.class_ids)
    np.testing.assert_array_equal(whole.confidence, pieces.confidence)


def test_soft_labels_of_real_tiles_make_a_map_that_says_the_same_at_each_tile(
    shared_data: Path, tmp_path: Path
) -> None:
    """Thirty tiles whose names are their UTM centres, 13 classes: their probabilities are the frames of a survey."""
    from pyproj import Transformer

    rows: dict[str, list[str]] = {}
    for part in ("train", "val", "test"):
        with (shared_data / "reef" / "tiles" / f"drone-{part}_df_prob.csv").open() as file:
            header, *lines = csv.reader(file)
        rows |= {line[0]: line[1:] for line in lines}
    places = {name: tuple(map(float, name.removesuffix(".png").split("_")[2:])) for name in rows}
    to_degrees = Transformer.from_crs(32740, 4326, always_xy=True)
    with (tmp_path / "frames.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*header, "GPSLongitude", "GPSLatitude"])
        for name, scores in rows.items():
            writer.writerow([name, *scores, *to_degrees.transform(*places[name])])
    grid = Grid(300, 190, (0.1, 0.0, 317333.0, 0.0, -0.1, 7665610.0), "EPSG:32740")
    write_raster(tmp_path / "ortho.tif", np.zeros((300, 190, 3), np.uint8), grid)
    write_classes(tmp_path / "classes.yaml", Classes(("", *FIVE)))
    outcome = label("survey_scores", tmp_path / "ortho.tif", hints=tmp_path / "frames.csv", out=tmp_path / "o",
                    classes=tmp_path / "classes.yaml",
                    settings={"stretch": False, "cells_per_step": 32, "spacing_m": 1.64})  # fmt: skip
    assert outcome.done == 1
    mask = read_mask(tmp_path / "o" / "ortho.tif")
    clear = 0
    for name, (x, y) in places.items():
        told = dict(zip(header[1:], map(float, rows[name]), strict=True))
        scores = {each: told[each] for each in FIVE}
        best, second = sorted(scores.values())[:-3:-1]
        if best - second > 0.05:
            row, col = (round(each) for each in grid.locate(x, y))
            assert mask.class_names[mask.class_ids[row, col]] == max(scores, key=scores.__getitem__)
            clear += 1
    assert len(places) == 30 and clear >= 12


def test_the_report_of_a_run_says_how_many_frames_were_left_out(boat: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"images: {boat / 'orthos'}\nhints: [{{path: {boat / 'frames.csv'}}}]\nclasses: {boat / 'classes.yaml'}\n"
        "label: [{method: survey_scores, settings: {leave_out: ['sand>0.9']}}]\n"
    )
    with (boat / "frames.csv").open() as file:
        sand = [float(row["sand"]) for row in csv.DictReader(file)]
    assert main(["run", str(recipe), "--out", str(tmp_path / "run"), "--quiet"]) == 0
    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert f"{sum(each > 0.9 for each in sand)} of {len(sand)} frames of the survey were left out" in page
