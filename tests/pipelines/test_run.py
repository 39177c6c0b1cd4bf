"""The loop: the same bytes for any worker, nothing twice, failures by name, rounds that learn."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from maskwright.arrays.encode import decode
from maskwright.errors import EmptyResultError, InputError, RecipeError, UnknownNameError
from maskwright.io.coco import read_instances
from maskwright.io.masks import read_mask, write_mask
from maskwright.pipelines.commands import label, predict, refine, train
from maskwright.pipelines.explain import replay
from maskwright.pipelines.learning import learn
from maskwright.pipelines.ledger import Ledger, file_hash
from maskwright.pipelines.outcome import Outcome, Progress
from maskwright.pipelines.run import run
from maskwright.types import UNKNOWN, Mask, Sample
from tests.pipelines.conftest import PLUGIN

RECIPE = """
images: pics
hints: [{kind: points, path: points.csv}]
classes: classes.yaml
label: [{method: nearest_point}]
refine: [{method: forget_top, settings: {rows: 2}}]
train: {method: mean_colour}
rounds: 2
evaluate: {truth: truth}
report: false
"""


def recipe(folder: Path, text: str = RECIPE) -> Path:
    (folder / "recipe.yaml").write_text(text)
    return folder / "recipe.yaml"


def bright(folder: Path, out: str = "masks", **more: Any) -> Outcome:
    more.setdefault("settings", {"threshold": 100})
    return label(
        "bright_is_first", folder / "pics", hints=folder / "points.csv", classes=folder / "classes.yaml",
        out=folder / out, **more,
    )  # fmt: skip


def files(folder: Path) -> dict[str, bytes]:
    kept = (each for each in folder.rglob("*") if each.suffix in (".png", ".json") and each.name != "environment.json")
    return {each.relative_to(folder).as_posix(): each.read_bytes() for each in kept}


def events(folder: Path, kind: str) -> list[dict[str, Any]]:
    lines = map(json.loads, (folder / "events.jsonl").read_text().splitlines())
    return [each for each in lines if each["event"] == kind]


def test_running_again_does_nothing(pictures: Path) -> None:
    first = bright(pictures)
    assert (first.done, first.skipped, first.failed, first.out) == (8, 0, (), pictures / "masks")
    before = files(pictures / "masks")
    again = bright(pictures)
    assert (again.done, again.skipped, again.failed) == (0, 8, ())
    assert files(pictures / "masks") == before
    assert len(events(pictures / "masks", "done")) == 8


def test_a_changed_picture_or_hint_is_made_again_and_no_other(pictures: Path) -> None:
    bright(pictures)
    points = pictures / "points.csv"
    points.write_text(points.read_text().replace("p003,1,1", "p003,2,1"))
    assert (bright(pictures).done, events(pictures / "masks", "done")[-1]["name"]) == (1, "p003")
    PIL.Image.new("RGB", (60, 20), "white").save(pictures / "pics" / "p005.png")
    assert (bright(pictures).done, events(pictures / "masks", "done")[-1]["name"]) == (1, "p005")
    assert np.all(read_mask(pictures / "masks" / "p005.png").class_ids == 1)


def test_a_changed_setting_class_or_a_lost_file_is_made_again(pictures: Path) -> None:
    bright(pictures)
    assert bright(pictures, settings={"threshold": 250}).done == 8
    (pictures / "masks" / "p002.json").unlink()
    (pictures / "masks" / "p006.png").write_bytes(b"damaged")
    assert bright(pictures, settings={"threshold": 250}).done == 2
    (pictures / "classes.yaml").write_text("classes: [{id: 1, name: coral, color: '#112233'}, {id: 2, name: sand}]\n")
    assert bright(pictures, settings={"threshold": 250}).done == 8


@pytest.mark.parametrize("workers", ["processes", "threads"])
def test_any_worker_writes_the_same_bytes(pictures: Path, workers: str) -> None:
    bright(pictures)
    if workers == "processes":
        bright(pictures, "others", workers=2)
    else:
        with ThreadPoolExecutor(3) as pool:
            bright(pictures, "others", executor=pool)
    assert files(pictures / "others") == files(pictures / "masks")


DASK = """
import sys
from distributed import LocalCluster
from maskwright.pipelines.run import run
at = {"processes": False, "protocol": "tcp", "host": "127.0.0.1", "dashboard_address": None}
with LocalCluster(n_workers=1, threads_per_worker=2, **at) as cluster:
    outcome = run(sys.argv[1], out=sys.argv[2], cluster=cluster.scheduler_address)
assert (outcome.done, outcome.failed) == (8, ()), outcome
"""


def test_dask_workers_write_the_same_bytes(pictures: Path) -> None:
    pytest.importorskip("distributed", reason="the scale extra is not installed")
    text = RECIPE.split("refine:")[0].replace("nearest_point", "bright_is_first") + "report: false\n"
    # In a process of its own, because a scheduler looks for its address outside this machine.
    words = [sys.executable, "-c", DASK, str(recipe(pictures, text)), str(pictures / "dask")]
    ran = subprocess.run(
        words, capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": str(PLUGIN)}
    )
    assert ran.returncode == 0, ran.stderr
    run(recipe(pictures, text), out=pictures / "here")
    assert files(pictures / "dask") == files(pictures / "here")


def test_a_picture_that_fails_is_named_and_stops_nothing(pictures: Path) -> None:
    (pictures / "pics" / "p001.png").write_bytes(b"")
    whole = (pictures / "pics" / "p004.png").read_bytes()
    (pictures / "pics" / "p004.png").write_bytes(whole[: len(whole) // 2])
    outcome = bright(pictures)
    assert outcome.done == 6
    assert [name for name, _ in outcome.failed] == ["p001", "p004"]
    assert all("\n" not in reason and "png" in reason for _, reason in outcome.failed)
    assert [each["name"] for each in events(pictures / "masks", "failed")] == ["p001", "p004"]
    (pictures / "pics" / "p004.png").write_bytes(whole)
    assert bright(pictures).done == 1


def test_a_picture_one_may_not_read_is_told_in_words(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(path: Path) -> str | None:
        if path.name == "p002.png":
            raise PermissionError(13, "Permission denied", str(path))
        return file_hash(path)

    monkeypatch.setattr("maskwright.pipelines.tasks.file_hash", closed)
    outcome = bright(pictures)
    said = f"{pictures / 'pics' / 'p002.png'}: reading is not permitted; change the file's permissions"
    assert outcome.failed == (("p002", said),)


@pytest.mark.parametrize("workers", [1, 2])
def test_where_every_picture_fails_each_is_named(pictures: Path, workers: int) -> None:
    for each in (pictures / "pics").iterdir():
        each.write_bytes(each.read_bytes()[:60])
    outcome = run(recipe(pictures), out=pictures / "run", settings=["report=true"], workers=workers)
    assert (outcome.done, [name for name, _ in outcome.failed]) == (0, [f"p00{number}" for number in range(8)])
    assert all("whole picture" in reason for _, reason in outcome.failed)


def test_a_picture_without_hints_is_a_named_failure(pictures: Path) -> None:
    points = pictures / "points.csv"
    points.write_text("".join(each for each in points.read_text().splitlines(True) if not each.startswith("p002")))
    outcome = bright(pictures)
    assert outcome.done == 7
    assert outcome.failed == (
        ("p002", "points.csv says nothing about p002.png; add hints for it, or leave the picture out"),
    )


def test_masks_in_which_nothing_is_known_are_named(pictures: Path) -> None:
    outcome = bright(pictures, settings={"threshold": 100})
    assert outcome.unknown == ()
    blank = Mask(np.full((20, 60), UNKNOWN, np.uint8), ("", "coral", "sand"))
    for name in ("p000", "p001"):
        write_mask(pictures / "few" / f"{name}.png", blank)
    refined = refine("forget_top", pictures / "pics", masks=pictures / "few", out=pictures / "better")
    assert (refined.done, sorted(refined.unknown), len(refined.failed)) == (2, ["p000", "p001"], 6)
    assert "p002.png; add a mask of it, or leave" in refined.failed[0][1]


def test_nothing_found_is_an_empty_result(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(EmptyResultError, match="no picture"):
        label("bright_is_first", tmp_path / "empty", hints=pictures / "points.csv", out=tmp_path / "out")
    assert not (tmp_path / "out").exists(), "nothing may be written"


def test_unknown_names_and_files_are_told_before_anything_is_written(pictures: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'nearest_point'"):
        label("nearest_pint", pictures / "pics", hints=pictures / "points.csv", out=pictures / "out")
    with pytest.raises(InputError, match="a labeler was expected"):
        label("forget_top", pictures / "pics", hints=pictures / "points.csv", out=pictures / "out")
    with pytest.raises(InputError, match=r"did you mean 'points\.csv'"):
        label("bright_is_first", pictures / "pics", hints=pictures / "point.csv", out=pictures / "out")
    assert not (pictures / "out").exists()


def test_masks_of_somebody_else_are_not_replaced(pictures: Path) -> None:
    before = files(pictures / "truth")
    with pytest.raises(InputError, match="not made by this command"):
        bright(pictures, "truth")
    with pytest.raises(InputError, match="is also an input"):
        refine("forget_top", pictures / "pics", masks=pictures / "truth", out=pictures / "truth")
    assert files(pictures / "truth") == before
    assert bright(pictures, "truth", fresh=True).out == pictures / "truth-2"


def test_fresh_takes_the_next_free_folder(pictures: Path) -> None:
    names = [bright(pictures, fresh=True).out.name for _ in range(3)]
    assert names == ["masks", "masks-2", "masks-3"]


def test_a_folder_in_use_is_refused(pictures: Path) -> None:
    (pictures / "masks").mkdir()
    with Ledger(pictures / "masks"), pytest.raises(InputError, match="written by another process"):
        bright(pictures)


def test_progress_counts_to_the_end(pictures: Path) -> None:
    told: list[Progress] = []
    bright(pictures, progress=told.append)
    assert [each.done for each in told] == list(range(9))
    assert (told[-1].total, told[-1].failed) == (8, 0)


def test_another_recipe_in_the_same_folder_speaks_of_its_own_pictures_only(pictures: Path) -> None:
    report = ["report=true"]
    run(recipe(pictures), out=pictures / "run", settings=report)
    fewer = RECIPE.replace("pics", "pics/p00[01].png").replace("rounds: 2", "rounds: 1")
    few = run(recipe(pictures, fewer), out=pictures / "run", settings=[*report, "refine.0.settings.rows=4"])
    assert few.done == 4 and (pictures / "run" / "round-3" / "masks" / "p002.png").exists(), "nothing is deleted"
    scores = json.loads((pictures / "run" / "metrics.json").read_text())
    assert [each["name"] for each in scores["by_picture"]] == ["p000", "p001"] and scores["final"] == "round-2"
    page = (pictures / "run" / "report.html").read_text()
    assert "2 masks" in page and "round 2 of run" in page and "p004" not in page


def test_progress_counts_pictures_without_hints(pictures: Path) -> None:
    rows = (pictures / "points.csv").read_text().splitlines(keepends=True)
    (pictures / "points.csv").write_text("".join(row for row in rows if not row.startswith("p002")))
    told: list[Progress] = []
    bright(pictures, progress=told.append)
    assert (told[-1].done, told[-1].failed, told[-1].total) == (7, 1, 8)


def test_what_killed_writers_left_is_cleared(pictures: Path) -> None:
    bright(pictures)
    left = pictures / "masks" / ".maskwright-part-00000000-999999-0.png"
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    bright(pictures)
    assert not left.exists()


def test_refined_masks_carry_the_story_on(pictures: Path) -> None:
    bright(pictures)
    assert refine("forget_top", pictures / "pics", masks=pictures / "masks", out=pictures / "better").done == 8
    mask = read_mask(pictures / "better" / "p000.png")
    assert [each.name for each in mask.history] == ["bright_is_first", "forget_top"]
    assert np.all(mask.class_ids[0] == UNKNOWN)
    assert mask.class_names == ("", "coral", "sand")
    again = refine("forget_top", pictures / "pics", masks=pictures / "masks", out=pictures / "better")
    assert (again.done, again.skipped) == (0, 8)


def test_a_mask_of_another_size_is_a_named_failure(pictures: Path) -> None:
    write_mask(pictures / "truth" / "p002.png", Mask(np.ones((20, 61), np.uint8), ("", "coral", "sand")))
    outcome = refine("forget_top", pictures / "pics", masks=pictures / "truth", out=pictures / "better")
    assert (outcome.done, [name for name, _ in outcome.failed]) == (7, ["p002"])


def test_a_recipe_runs_its_rounds(pictures: Path) -> None:
    outcome = run(recipe(pictures), out=pictures / "run")
    assert (outcome.done, outcome.failed) == (24, ())
    expected = {"recipe.resolved.yaml", "environment.json", "events.jsonl", "ledger.sqlite", "metrics.json"}
    assert expected <= {each.name for each in (pictures / "run").iterdir()}
    scores = json.loads((pictures / "run" / "metrics.json").read_text())
    by_round = [scores["rounds"][f"round-{n}"]["pixel_accuracy"]["value"] for n in (1, 2, 3)]
    assert by_round[1] > by_round[0] + 0.1, "what learned the colours beats the nearest point"
    assert scores["final"] == "round-3"
    assert scores["pixel_accuracy"] == scores["rounds"]["round-3"]["pixel_accuracy"]
    mask = read_mask(pictures / "run" / "round-3" / "masks" / "p000.png")
    assert [each.name for each in mask.history] == ["predict", "forget_top"]
    again = run(recipe(pictures), out=pictures / "run")
    assert (again.done, again.skipped) == (0, 24)
    assert len([each for each in events(pictures / "run", "done") if each["name"] == "model"]) == 2


def test_rounds_in_processes_write_the_same_bytes(pictures: Path) -> None:
    run(recipe(pictures), out=pictures / "run")
    run(recipe(pictures), out=pictures / "deep" / "other", workers=2)
    assert files(pictures / "run") == files(pictures / "deep" / "other")


def test_masks_before_refinement_are_scored_where_every_step_is_asked_for(pictures: Path) -> None:
    plain = run(recipe(pictures), out=pictures / "plain")
    told: list[Progress] = []
    steps = run(recipe(pictures), out=pictures / "steps", settings=["evaluate.each_step=true"], progress=told.append)
    assert (plain.done, steps.done, told[-1].total) == (24, 48, 48)
    scores = json.loads((pictures / "steps" / "metrics.json").read_text())
    assert [(each["masks"], each["methods"]) for each in scores["steps"]][1:4] == [
        ("round-1/masks", ["nearest_point", "forget_top"]),
        ("round-2/unrefined", ["predict"]),
        ("round-2/masks", ["predict", "forget_top"]),
    ]
    values = [each["pixel_accuracy"]["value"] for each in scores["steps"]]
    gains = [each["gain"]["pixel_accuracy"] for each in scores["steps"]]
    assert gains == [None, *(now - before for before, now in itertools.pairwise(values))]
    assert values[1] < values[0], "the refiner forgets what was right"
    for name in ("round-1", "round-3"):
        one, other = (read_mask(pictures / each / name / "masks" / "p000.png") for each in ("plain", "steps"))
        assert np.array_equal(one.class_ids, other.class_ids)
        assert [each.name for each in one.history] == [each.name for each in other.history]
    assert replay(pictures / "steps" / "round-3" / "masks" / "p000.png", pictures / "again").identical
    again = run(recipe(pictures), out=pictures / "steps", settings=["evaluate.each_step=true"])
    assert (again.done, again.skipped) == (0, 48)


@pytest.mark.parametrize(("what", "refined"), [("labels", (True, False)), ("predictions", (False, True))])
def test_refiners_mend_what_they_are_said_to(pictures: Path, what: str, refined: tuple[bool, bool]) -> None:
    run(recipe(pictures), out=pictures / "run", settings=[f"refine_what={what}", "rounds=1"])
    for number, is_refined in enumerate(refined, start=1):
        steps = read_mask(pictures / "run" / f"round-{number}" / "masks" / "p000.png").history
        assert ("forget_top" in [each.name for each in steps]) == is_refined


@pytest.mark.parametrize("with_labels", [False, True])
def test_later_rounds_learn_from_the_newest_masks_and_from_labels_if_asked(
    pictures: Path, with_labels: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught: list[list[str]] = []

    def spy(name: str, learner: Any, samples: Sequence[Sample], *more: Any) -> Any:
        taught.append([path.parent.parent.name for path in samples[3].mask_paths])
        return learn(name, learner, samples, *more)

    monkeypatch.setattr("maskwright.pipelines.run.learn", spy)
    run(recipe(pictures), out=pictures / "run", settings=[f"later_rounds.with_labels={with_labels}".lower()])
    assert taught == [["round-1"], ["round-2", "round-1"] if with_labels else ["round-2"]]


def test_a_stop_rule_ends_the_rounds_early(pictures: Path) -> None:
    text = RECIPE.replace("rounds: 2", "rounds: 5\nstop: {score: pixel_accuracy, least_gain: 0.01}")
    run(recipe(pictures, text), out=pictures / "run")
    rounds = sorted(each.name for each in (pictures / "run").glob("round-*"))
    assert rounds == ["round-1", "round-2", "round-3"], "round 3 gained nothing over round 2"
    assert events(pictures / "run", "stopped early")[0]["round"] == 3


def test_a_report_is_written(pictures: Path) -> None:
    run(recipe(pictures), out=pictures / "run", settings=["report=true", "rounds=1"])
    assert (pictures / "run" / "report.html").stat().st_size > 1000


def test_several_labelers_are_fused(pictures: Path) -> None:
    text = RECIPE.split("refine:")[0] + "fuse: {how: priority}\nreport: false\n"
    text = text.replace("[{method: nearest_point}]", "[{method: bright_is_first}, {method: nearest_point}]")
    run(recipe(pictures, text), out=pictures / "run")
    mask = read_mask(pictures / "run" / "round-1" / "masks" / "p000.png")
    assert [each.name for each in mask.history] == ["bright_is_first", "nearest_point", "fuse"]
    truth = read_mask(pictures / "truth" / "p000.png").class_ids
    assert np.all(mask.class_ids[truth == 1] == 1)
    assert not np.any(mask.class_ids == UNKNOWN)


def test_a_recipe_that_names_missing_files_writes_nothing(pictures: Path) -> None:
    (pictures / "classes.yaml").unlink()
    with pytest.raises(RecipeError, match="classes"):
        run(recipe(pictures), out=pictures / "run")
    assert not (pictures / "run").exists()


def test_a_model_is_trained_read_and_led_over_pictures(pictures: Path) -> None:
    trained = train("mean_colour", pictures / "pics", masks=pictures / "truth", out=pictures / "model")
    assert (trained.done, trained.skipped, trained.out) == (8, 0, pictures / "model")
    again = train("mean_colour", pictures / "pics", masks=pictures / "truth", out=pictures / "model")
    assert (again.done, again.skipped) == (0, 8)
    outcome = predict(pictures / "model", pictures / "pics", out=pictures / "found", window=32, overlap=8)
    assert (outcome.done, outcome.failed) == (8, ())
    mask, truth = (read_mask(pictures / each / "p003.png") for each in ("found", "truth"))
    assert np.array_equal(mask.class_ids, truth.class_ids)
    elsewhere = predict(pictures / "model", pictures / "pics", out=pictures / "f2", window=32, overlap=8, workers=2)
    assert elsewhere.done == 8
    assert files(pictures / "f2") == files(pictures / "found")


def test_objects_are_kept_as_coco_beside_the_flat_mask(pictures: Path) -> None:
    out = pictures / "objects"
    settings = {"threshold": 100}
    hints = {"hints": pictures / "points.csv", "classes": pictures / "classes.yaml"}
    assert label("bright_object", pictures / "pics", out=out, settings=settings, **hints).failed == ()
    (found,) = read_instances(out / "p003.instances.json").values()
    truth = read_mask(pictures / "truth" / "p003.png").class_ids
    assert np.array_equal(decode(found.regions[0], 20, 60), truth == 1)
    assert np.array_equal(read_mask(out / "p003.png").class_ids == 1, truth == 1)
    assert replay(out / "p003.png", pictures / "again").identical
    (out / "p004.instances.json").unlink()
    assert label("bright_object", pictures / "pics", out=out, settings=settings, **hints).done == 1
    bright(pictures, "objects")
    assert not (out / "p003.instances.json").exists(), "a mask has no objects that another method found"
