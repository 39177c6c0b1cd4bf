"""The recipe reef from file to file, with a network too small to be good: what it does, not how well.

How well it does is measured by benchmarks/reef.py, which takes minutes.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from maskwright.errors import RecipeError
from maskwright.io.images import file_sha256
from maskwright.io.masks import read_mask
from maskwright.models.weights import read_record
from maskwright.pipelines.explain import replay
from maskwright.pipelines.new import new
from maskwright.pipelines.outcome import Outcome, Progress
from maskwright.pipelines.recipe import read_recipe
from maskwright.pipelines.run import run

torch = pytest.importorskip("torch")
pytest.importorskip("pyproj")

QUICK = (
    "images=orthophotos/reef_00[01].tif", "train.settings.steps=4", "train.settings.width=6", "train.settings.crop=32",
    "train.settings.batch=2", "train.settings.device=cpu", "later_rounds.settings.steps=4", "stop=null",
)  # fmt: skip


class StoppedError(Exception):
    """What a test throws into a run."""


def quick(project: Path, out: str, stop_after: int | None = None) -> Outcome:
    def listen(progress: Progress) -> None:
        if progress.done == stop_after:
            raise StoppedError

    return run(project / "recipe.yaml", out=project / out, settings=QUICK, device="cpu", progress=listen)


def made(folder: Path) -> dict[str, bytes]:
    kept = (each for each in folder.rglob("round-*/**/*") if each.is_file())
    return {each.relative_to(folder).as_posix(): each.read_bytes() for each in kept}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A project, and a run of its recipe."""
    torch.set_num_threads(1)
    project = tmp_path_factory.mktemp("reef") / "project"
    new("reef", project)
    return SimpleNamespace(project=project, outcome=quick(project, "run"), run=project / "run")


def test_every_step_is_scored_and_shown_with_its_gain(done: SimpleNamespace) -> None:
    assert (done.outcome.done, done.outcome.failed) == (10, ())
    steps = json.loads((done.run / "metrics.json").read_text())["steps"]
    assert [(each["masks"], each["methods"]) for each in steps] == [
        ("round-1/masks", ["survey_scores"]),
        ("round-2/unrefined", ["predict"]),
        ("round-2/masks", ["predict", "refine_with_edges"]),
        ("round-3/unrefined", ["predict"]),
        ("round-3/masks", ["predict", "refine_with_edges"]),
    ]
    page = (done.run / "report.html").read_text()
    for before, now in itertools.pairwise(steps):
        gain = now["mean_iou"]["value"] - before["mean_iou"]["value"]
        assert now["gain"]["mean_iou"] == pytest.approx(gain) and f"{gain:+.3f}" in page


def test_coarse_labels_are_better_than_chance_and_lie_on_earth(done: SimpleNamespace) -> None:
    mask = read_mask(done.run / "round-1" / "masks" / "reef_000.tif")
    truth = read_mask(done.project / "truth" / "reef_000.png")
    assert mask.grid.crs == "EPSG:32740" and mask.confidence is not None
    assert np.mean(mask.class_ids == truth.class_ids) > 0.55


def test_the_second_model_goes_on_from_the_first(done: SimpleNamespace) -> None:
    first, second = (read_record(done.run / each / "model") for each in ("round-1", "round-2"))
    told = second.training["settings"]
    assert (told["several_masks"], first.training["settings"]["several_masks"]) == ("agree", "first")
    weights = file_sha256(done.run / "round-1" / "model" / "model.safetensors")
    assert told["start"] == {"name": "model", "sha256": weights} and first.training["settings"]["start"] is None


def test_running_again_does_nothing_and_a_mask_can_be_made_again(done: SimpleNamespace, tmp_path: Path) -> None:
    again = quick(done.project, "run")
    assert (again.done, again.skipped) == (0, 10)
    assert replay(done.run / "round-3" / "masks" / "reef_001.tif", tmp_path).identical


def test_a_run_that_broke_off_goes_on_and_ends_like_one_that_did_not(done: SimpleNamespace) -> None:
    """Both in one place, one after the other: a model that started from another names its folder."""
    whole = made(done.run)
    done.run.rename(done.project / "whole")
    for stop_after in (1, 3, 4):
        with pytest.raises(StoppedError):
            quick(done.project, "run", stop_after)
    rest = quick(done.project, "run")
    assert rest.done + rest.skipped == 10 and rest.skipped >= 6
    assert made(done.run) == whole


def test_what_later_rounds_cannot_do_is_said(done: SimpleNamespace) -> None:
    with pytest.raises(RecipeError, match="nothing learns a second time"):
        read_recipe(done.project / "recipe.yaml", ["rounds=1"])
    with pytest.raises(RecipeError, match="later_rounds"):
        read_recipe(done.project / "recipe.yaml", ["later_rounds.settings.stepps=3"])
    with pytest.raises(RecipeError, match="nothing refines"):
        read_recipe(done.project / "recipe.yaml", ["refine=[]"])
