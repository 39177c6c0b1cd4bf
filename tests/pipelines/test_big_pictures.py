"""Pictures that stay in their file: labelled and predicted piece by piece, the same pixels for any piece."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from maskwright.arrays.windows import Window
from maskwright.io import images
from maskwright.io.classes import Classes
from maskwright.io.masks import read_mask, write_mask
from maskwright.io.samples import find_samples
from maskwright.pipelines import in_pieces
from maskwright.pipelines.chains import Predicted, at_trained_size, make
from maskwright.pipelines.commands import label, predict, refine, train
from maskwright.pipelines.explain import replay
from maskwright.pipelines.ledger import Ledger
from maskwright.pipelines.making import Chain, Later, Part, make_mask
from maskwright.pipelines.recipe import MethodCall
from maskwright.pipelines.tasks import TaskMaker
from maskwright.pipelines.workers import Crew
from maskwright.types import Grid, Image, Mask

rasterio = pytest.importorskip("rasterio", reason="the geo extra is not installed")
GRID = Grid(300, 700, (0.5, 0.0, 1000.0, 0.0, -0.5, 5000.0), "EPSG:32740")


@pytest.fixture
def survey(tmp_path: Path) -> Path:
    """A map of 300 x 700 with a coral half and a sand half, a corner without data, 40 points and its true mask."""
    from maskwright.io.rasters import write_raster

    random = np.random.default_rng(5)
    truth = np.full(GRID.shape, 2, np.uint8)
    truth[:, :300] = 1
    pixels = np.where(truth[..., None] == 1, 180, 60) + random.integers(1, 30, (*GRID.shape, 3))
    pixels[-40:, -50:] = 0
    (tmp_path / "pics").mkdir()
    write_raster(tmp_path / "pics" / "map.tif", pixels.astype(np.uint8), GRID, nodata=0)
    write_mask(tmp_path / "truth" / "map.tif", Mask(truth, ("", "coral", "sand"), GRID))
    places = [(int(random.integers(700)), int(random.integers(250))) for _ in range(40)]
    rows = [f"map,{x},{y},{'coral' if x < 300 else 'sand'}" for x, y in places]
    (tmp_path / "points.csv").write_text("\n".join(["image,x,y,class", *rows]) + "\n")
    return tmp_path


def nearest(folder: Path, out: str) -> Path:
    outcome = label("nearest_point", folder / "pics", hints=folder / "points.csv", out=folder / out)
    assert (outcome.done, outcome.failed) == (1, ())
    return folder / out / "map.tif"


def in_file(monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setattr(images, "LAZY_PIXELS", 1000)
    monkeypatch.setattr(in_pieces, "PIECE_PX", piece)


def test_the_same_pixels_whole_and_for_any_piece(survey: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read_mask(nearest(survey, "whole"))
    for piece in (64, 256, 1000):
        in_file(monkeypatch, piece)
        mask = read_mask(nearest(survey, f"piece-{piece}"))
        assert np.array_equal(mask.class_ids, whole.class_ids)
        assert np.array_equal(mask.confidence, whole.confidence)
        assert mask.grid == GRID
        assert mask.history == whole.history
    names = ("map.tif", "map.confidence.tif", "map.json")
    written = [[(survey / f"piece-{piece}" / name).read_bytes() for name in names] for piece in (64, 256)]
    assert written[0] == written[1]


def test_a_map_in_which_nothing_is_known_is_named(survey: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_file(monkeypatch, 256)
    words = {"hints": survey / "points.csv", "out": survey / "out", "settings": {"reach_px": 0.5}}
    assert label("nearest_point", survey / "pics", **words).unknown == (), "a point knows its own pixel"
    (survey / "points.csv").write_text("image,x,y,class\nmap,690,290,sand\n")  # where the map has no data
    assert label("nearest_point", survey / "pics", **words).unknown == ("map",)


def test_it_is_skipped_explained_and_replayed_like_any_other(survey: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_file(monkeypatch, 128)
    mask = nearest(survey, "masks")
    again = label("nearest_point", survey / "pics", hints=survey / "points.csv", out=survey / "masks")
    assert (again.done, again.skipped) == (0, 1)
    assert replay(mask, survey / "again").identical


def test_a_big_file_is_hashed_beside_its_making_and_nothing_else_changes(
    survey: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_file(monkeypatch, 128)
    nearest(survey, "before")
    monkeypatch.setattr("maskwright.pipelines.tasks.LARGE_BYTES", 0)
    begun: list[Later] = []
    begin = Later.begin
    monkeypatch.setattr(Later, "begin", lambda self: (begun.append(self), begin(self)))
    nearest(survey, "beside")
    assert len(begun) == 1
    for name in ("map.tif", "map.confidence.tif", "map.json"):
        assert (survey / "before" / name).read_bytes() == (survey / "beside" / name).read_bytes()
    before, beside = (Ledger(survey / each) for each in ("before", "beside"))
    assert before.entry("label", "map").key == beside.entry("label", "map").key
    for ledger in (before, beside):
        ledger.__exit__(None, None, None)
    again = label("nearest_point", survey / "pics", hints=survey / "points.csv", out=survey / "beside")
    assert (again.done, again.skipped, len(begun)) == (0, 1, 1), "what was made before is hashed first"


def test_a_big_file_that_cannot_be_hashed_is_a_failure_with_its_reason(
    survey: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_file(monkeypatch, 128)
    monkeypatch.setattr("maskwright.pipelines.tasks.LARGE_BYTES", 0)
    monkeypatch.setattr("maskwright.pipelines.tasks.file_hash", lambda _: None)
    outcome = label("nearest_point", survey / "pics", hints=survey / "points.csv", out=survey / "out")
    assert [name for name, _ in outcome.failed] == ["map"]
    assert "is not there any more" in outcome.failed[0][1]
    assert not (survey / "out" / "map.tif").exists()


def test_a_piece_of_a_picture_is_that_part_of_the_whole(survey: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    whole = read_mask(nearest(survey, "whole"))
    for lazy in (False, True):
        if lazy:
            in_file(monkeypatch, 64)
        (sample,), classes = find_samples(survey / "pics", hints=survey / "points.csv")
        sample = replace(sample, name="inner", piece=Window(33, 250, 290, 680))
        chain = Chain((Part("nearest_point", make(MethodCall("nearest_point"))),))
        assert isinstance(classes, Classes)
        (task,) = TaskMaker(chain, classes, {}, survey / f"piece-{lazy}").tasks((sample,))
        assert not isinstance(task, tuple)
        make_mask(task)
        mask = read_mask(survey / f"piece-{lazy}" / "inner.tif")
        assert np.array_equal(mask.class_ids, whole.class_ids[33:290, 250:680])
        assert np.array_equal(mask.confidence, whole.confidence[33:290, 250:680])
        assert mask.grid == GRID.crop(Window(33, 250, 290, 680))


def test_refining_a_big_one(survey: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_file(monkeypatch, 128)
    nearest(survey, "masks")
    outcome = refine("forget_top", survey / "pics", masks=survey / "masks", out=survey / "better")
    assert outcome.failed == ()
    mask = read_mask(survey / "better" / "map.tif")
    assert np.all(mask.class_ids[0] == 255)
    assert mask.grid == GRID
    assert replay(survey / "better" / "map.tif", survey / "again").identical


def test_a_model_is_led_over_a_big_one(survey: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train("mean_colour", survey / "pics", masks=survey / "truth", out=survey / "model")
    assert predict(survey / "model", survey / "pics", out=survey / "whole", window=128, overlap=16).failed == ()
    whole = read_mask(survey / "whole" / "map.tif")
    in_file(monkeypatch, 100)
    assert predict(survey / "model", survey / "pics", out=survey / "pieces", window=128, overlap=16).failed == ()
    mask = read_mask(survey / "pieces" / "map.tif")
    assert np.array_equal(mask.class_ids, whole.class_ids)
    assert np.array_equal(mask.confidence, whole.confidence)
    assert np.all(mask.class_ids[-40:, -50:] == 255)


def test_a_picture_of_other_pixels_is_shown_at_the_size_the_model_knows(survey: Path) -> None:
    from maskwright.io.images import read_image

    seen = []

    class Metric:
        class_names = ("dark", "bright")
        pixel_m = 0.5

        def __call__(self, pixels: np.ndarray) -> np.ndarray:
            seen.append(pixels.shape)
            bright = (pixels[..., 0] > 120).astype(np.float32)
            return np.stack([1 - bright, bright], axis=1)

    image = read_image(survey / "pics" / "map.tif")
    same = Predicted(Metric(), window=64, overlap=8)(image, (), ())
    finer = Grid(600, 1400, (0.25, 0.0, 1000.0, 0.0, -0.25, 5000.0), "EPSG:32740")
    twice = Image(np.asarray(image.pixels).repeat(2, 0).repeat(2, 1), finer)
    count = len(seen)
    mask = Predicted(Metric(), window=64, overlap=8)(twice, (), ())
    assert len(seen) == 2 * count, "as many windows as for the picture of the known pixel size"
    inner = (mask.class_ids[::2, ::2] == same.class_ids)[np.asarray(image.valid)]
    assert inner.mean() > 0.995
    assert mask.grid == finer
    near = Image(twice.pixels, Grid(600, 1400, (0.505, 0, 0, 0, -0.505, 0), "EPSG:32740"))
    assert at_trained_size(near, 0.5) is near
    assert at_trained_size(Image(twice.pixels), 0.5).grid == Grid(600, 1400)


@pytest.mark.parametrize(("workers", "tasks", "threads"), [(1, 1, 4), (1, 9, 4), (2, 9, 2), (2, 1, 4), (9, 9, 1)])
def test_cores_are_shared_by_the_tasks_at_work(
    workers: int, tasks: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert Crew(workers).threads(tasks) == threads
    assert Crew(workers).for_tasks(tasks).workers == min(workers, tasks)
