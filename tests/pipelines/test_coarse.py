"""Coarse maps from file to file: another grid, another coordinate system, classes by name, by pieces."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from maskwright.cli.main import main
from maskwright.io.classes import Classes, write_classes
from maskwright.io.masks import read_mask, read_story, story_path
from maskwright.io.rasters import write_raster
from maskwright.pipelines.commands import label
from maskwright.pipelines.explain import replay
from maskwright.types import UNKNOWN, Grid

ORTHO = Grid(120, 400, (0.05, 0.0, 322000.0, 0.0, -0.05, 7657800.0), "EPSG:32740")
DEGREES = Grid(3, 9, (2.5e-5, 0.0, 55.2855, 0.0, -2.5e-5, -21.17248), "EPSG:4326")


def coarse_ids() -> NDArray[np.uint8]:
    return np.array([[1, 1, 2, 2, 3, 3, 255, 1, 1]] * 2 + [[3] * 9], np.uint8)


@pytest.fixture
def survey(tmp_path: Path) -> Path:
    """An orthophoto and a coarse map in degrees that names its own classes in its tags."""
    pixels = np.random.default_rng(0).integers(0, 255, (*ORTHO.shape, 3), dtype=np.uint8)
    write_raster(tmp_path / "ortho.tif", pixels, ORTHO)
    tags = {"1": "coral", "2": "rubble", "3": "sand"}
    write_raster(tmp_path / "coarse.tif", coarse_ids(), DEGREES, nodata=UNKNOWN, tags=tags)
    return tmp_path


def test_a_coarse_map_in_degrees_becomes_a_mask_of_the_orthophoto(survey: Path) -> None:
    before = (survey / "coarse.tif").read_bytes()
    arguments = ["label", "coarse_mask", str(survey / "ortho.tif"), "--hints", str(survey / "coarse.tif")]
    assert main([*arguments, "--out", str(survey / "out"), "--quiet"]) == 0
    mask = read_mask(survey / "out" / "ortho.tif")
    assert mask.class_names == ("", "coral", "rubble", "sand") and mask.grid == ORTHO
    assert {1, 2, 3, UNKNOWN} == set(np.unique(mask.class_ids).tolist())
    assert mask.class_ids[2, 5] == 1 and mask.class_ids[119, 0] == 3
    assert (survey / "coarse.tif").read_bytes() == before, "a coarse map is never written over"
    step = read_story(story_path(survey / "out" / "ortho.tif")).steps[-1]
    assert step.name == "coarse_mask" and step.inputs["hints"][0]["path"] == "coarse.tif"
    assert replay(survey / "out" / "ortho.tif", survey / "again").identical


def test_classes_of_the_map_are_matched_by_name(survey: Path) -> None:
    write_classes(survey / "classes.yaml", Classes(("sand", "", "coral", "", "rubble")))
    label("coarse_mask", survey / "ortho.tif", hints=survey / "coarse.tif", classes=survey / "classes.yaml",
          out=survey / "out", settings={"gps_error_m": 0.4})  # fmt: skip
    mask = read_mask(survey / "out" / "ortho.tif")
    assert mask.class_ids[2, 5] == 2 and mask.class_ids[119, 0] == 0
    assert (mask.class_ids == UNKNOWN).mean() > 0.2, "a band along every border"
    write_classes(survey / "few.yaml", Classes(("sand", "coral")))
    outcome = label("coarse_mask", survey / "ortho.tif", hints=survey / "coarse.tif", classes=survey / "few.yaml",
                    out=survey / "few")  # fmt: skip
    assert outcome.done == 0 and "no class is called 'rubble'" in outcome.failed[0][1]


def test_a_second_orthophoto_in_another_system_takes_the_same_map(survey: Path) -> None:
    write_raster(
        survey / "web.tif",
        np.zeros((60, 200, 3), np.uint8),
        Grid(60, 200, (0.1, 0.0, 6154352.0, 0.0, -0.1, -2412458.0), "EPSG:3857"),
    )
    outcome = label("coarse_mask", str(survey / "[ow]*.tif"), hints=survey / "coarse.tif", out=survey / "out")
    assert outcome.done == 2
    mask = read_mask(survey / "out" / "web.tif")
    assert mask.grid.crs == "EPSG:3857" and (mask.class_ids != UNKNOWN).mean() > 0.3


def test_by_pieces_the_same_bytes(survey: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    label("coarse_mask", survey / "ortho.tif", hints=survey / "coarse.tif", out=survey / "whole",
          settings={"gps_error_m": 0.3})  # fmt: skip
    monkeypatch.setattr("maskwright.io.images.LAZY_PIXELS", 100)
    monkeypatch.setattr("maskwright.pipelines.in_pieces.PIECE_PX", 70)
    label("coarse_mask", survey / "ortho.tif", hints=survey / "coarse.tif", out=survey / "pieces",
          settings={"gps_error_m": 0.3})  # fmt: skip
    whole, pieces = (read_mask(survey / name / "ortho.tif") for name in ("whole", "pieces"))
    np.testing.assert_array_equal(whole.class_ids, pieces.class_ids)


def test_a_misspelt_class_is_told_through_the_command(survey: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_classes(survey / "classes.yaml", Classes(("", "corall", "rubble", "sand")))
    code = main(["label", "coarse_mask", str(survey / "ortho.tif"), "--hints", str(survey / "coarse.tif"), "--classes",
                 str(survey / "classes.yaml"), "--out", str(survey / "out"), "--json"])  # fmt: skip
    told = json.loads(capsys.readouterr().out)
    assert code != 0 and "did you mean 'corall'" in json.dumps(told)


REEF = ("", "Acropora Branching", "Acropora Tabular", "Non-acropora Massive", "Other Corals", "Sand")


def test_the_drawn_map_of_a_real_reef_on_orthophotos_of_other_grids(shared_data: Path, tmp_path: Path) -> None:
    drawn = shared_data / "reef" / "annotation_mask_saintleu.tif"
    write_classes(tmp_path / "classes.yaml", Classes(REEF))
    truth = read_mask(drawn, Classes(REEF))
    a, _, x, _, e, y = truth.grid.transform or (0.0,) * 6
    grids = {
        "same": truth.grid,
        "finer": Grid(90, 250, (a / 3, 0.0, x + 200 * a, 0.0, e / 3, y + 300 * e), "EPSG:32740"),
        "web": Grid(300, 200, (0.05, 0.0, 6154376.4, 0.0, -0.05, -2412375.0), "EPSG:3857"),
    }
    for name, grid in grids.items():
        write_raster(tmp_path / "orthos" / f"{name}.tif", np.zeros((*grid.shape, 3), np.uint8), grid)
    outcome = label(
        "coarse_mask", tmp_path / "orthos", hints=drawn, classes=tmp_path / "classes.yaml", out=tmp_path / "o"
    )
    assert outcome.failed == () and outcome.done == 3
    same, finer, web = (read_mask(tmp_path / "o" / f"{name}.tif").class_ids for name in grids)
    np.testing.assert_array_equal(same, truth.class_ids)
    np.testing.assert_array_equal(finer, np.kron(truth.class_ids[300:330, 200:284], np.ones((3, 3), np.uint8))[:, :250])
    shares = [np.bincount(ids[ids != UNKNOWN], minlength=6) / (ids != UNKNOWN).sum() for ids in (web, truth.class_ids)]
    assert (web != UNKNOWN).mean() > 0.7 and np.abs(shares[0] - shares[1]).max() < 0.25


def test_the_drawing_without_a_place_is_laid_from_edge_to_edge(shared_data: Path, tmp_path: Path) -> None:
    grid = Grid(324, 191, (0.056, 0.0, 322022.0, 0.0, -0.056, 7657878.0), "EPSG:32740")  # a quarter of the drawing
    write_raster(tmp_path / "ortho.tif", np.zeros((324, 191, 3), np.uint8), grid)
    write_classes(tmp_path / "classes.yaml", Classes(("nobody", *REEF[1:])))
    drawn = shared_data / "reef" / "annotation_mask_stleu.png"
    label("coarse_mask", tmp_path / "ortho.tif", hints=drawn, classes=tmp_path / "classes.yaml", out=tmp_path / "o")
    ids, whole = read_mask(tmp_path / "o" / "ortho.tif").class_ids, read_mask(drawn).class_ids
    assert (ids == whole[np.arange(324)[:, None] * 4 + 2, np.arange(191) * 4 + 2]).mean() > 0.98
