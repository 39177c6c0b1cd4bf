"""The loop: label, fuse, refine, write; then, if the recipe trains, fit, predict, refine, write as the next round.

Whatever is recorded in the ledger and still lies there as it was written is not made again. A picture that fails is
named with its reason and stops nothing. Nothing is deleted; a new run is a new folder.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from maskwright.errors import RecipeError
from maskwright.io.outputs import write_atomically
from maskwright.pipelines.chains import labelling_chain, make, predicting_chain, refiners
from maskwright.pipelines.fingerprints import json_safe
from maskwright.pipelines.folders import clear_leftovers, prepare_folder, write_environment, write_recipe
from maskwright.pipelines.gather import Collection, gather
from maskwright.pipelines.learning import learn
from maskwright.pipelines.ledger import Entry, Input, Ledger
from maskwright.pipelines.making import Chain, Made, MaskTask, make_mask
from maskwright.pipelines.outcome import Outcome, Progress, Report
from maskwright.pipelines.recipe import MethodCall, Recipe, missing_files, read_recipe
from maskwright.pipelines.tasks import TaskMaker, inputs_of
from maskwright.pipelines.workers import Crew, Failure, cluster_executor
from maskwright.types import Sample


def run(
    recipe: str | Path | Recipe,
    *,
    out: str | Path,
    settings: Sequence[str] = (),
    workers: int = 1,
    executor: Executor | None = None,
    cluster: str | None = None,
    device: str = "auto",
    fresh: bool = False,
    progress: Report | None = None,
) -> Outcome:
    """Run a recipe into a run folder, or continue one; `settings` are texts like "rounds=2".

    Work is done here, by `workers` processes, by any `executor`, or by the dask cluster at the address `cluster`; the
    masks are the same bytes. Failed pictures are named in the outcome; nothing found at all is an EmptyResultError.
    """
    if not isinstance(recipe, Recipe):
        recipe = read_recipe(recipe, settings)
    if problems := missing_files(recipe):
        raise RecipeError(recipe.name, problems)
    collection = gather(recipe)
    folder = prepare_folder(out, fresh=fresh)
    with ExitStack() as stack:
        executor = stack.enter_context(cluster_executor(cluster)) if cluster else executor
        ledger = stack.enter_context(Ledger(folder))
        write_recipe(folder, recipe)
        write_environment(folder, device=device)
        stages = 1 + (recipe.rounds if recipe.train else 0)
        loop = Loop(ledger, Crew(workers, executor), collection, progress, total=stages * len(collection.samples))
        ledger.note_event("run started", pictures=len(collection.samples))
        _rounds(loop, recipe, folder, device)
        return loop.end()


def _rounds(loop: Loop, recipe: Recipe, folder: Path, device: str) -> None:
    """Round 1 from hints; each further round from what a learner made of the round before."""
    chain = labelling_chain(recipe, loop.collection, device)
    labelled = loop.write_masks("round-1/masks", chain, loop.collection.samples)
    scores = _evaluate(recipe, folder, {}, 1)
    for number in range(1, recipe.rounds + 1):
        if recipe.train is None or _is_enough(loop, recipe, scores, number):
            break
        model, told = _learned(loop, recipe.train, labelled, f"round-{number}/model", device)
        threads = loop.crew.threads(len(loop.collection.samples))
        chain = predicting_chain(model, told, recipe.predict, refiners(recipe, device), threads)
        labelled = loop.write_masks(f"round-{number + 1}/masks", chain, loop.collection.samples)
        scores = _evaluate(recipe, folder, scores, number + 1)
    if scores:
        write_atomically(folder / "metrics.json", (json.dumps(_metrics(scores), indent=2) + "\n").encode())
    if recipe.report:
        from maskwright.pipelines.report import write_report

        write_report(folder)


def _learned(
    loop: Loop, call: MethodCall, samples: Sequence[Sample], stage: str, device: str
) -> tuple[Any, dict[str, str]]:
    """The model of a round, and what stories say of it."""
    folder = loop.ledger.folder / stage
    learner = make(call, device, loop.collection.classes.names)
    learned = learn(call.method, learner, samples, loop.ledger, stage, folder)
    loop.ledger.note_inputs([Input(stage, learned.sha256, folder)])
    return learned.model, {"path": stage, "sha256": learned.sha256}


@dataclass
class Loop:
    """What all stages of a run share, and THE loop over the pictures of one stage."""

    ledger: Ledger
    crew: Crew
    collection: Collection
    progress: Report | None = None
    total: int = 0
    done: int = 0
    skipped: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    began: float = field(default_factory=time.perf_counter)

    def __post_init__(self) -> None:
        for name, reason in self.collection.failed:
            self._fail("gather", name, reason)
        self.ledger.note_inputs(self.collection.files)

    def write_masks(
        self, stage: str, chain: Chain, samples: Sequence[Sample], place: str | None = None
    ) -> list[Sample]:
        """Make the mask of every sample that is not in the ledger yet; gives the samples that now have one.

        Masks go to the folder `place` of the output folder, which is called like the stage when left out.
        """
        place = stage if place is None else place
        out = self.ledger.folder / place
        clear_leftovers(self.ledger.folder)
        maker = TaskMaker(chain, self.collection.classes, self.collection.hints, out, self.crew.is_elsewhere)
        todo: list[MaskTask] = []
        made: set[str] = set()
        for task in maker.tasks(tuple(samples)):
            if isinstance(task, tuple):
                self._fail(stage, *task)
            elif self.ledger.is_done(stage, task.sample.name, task.key):
                self.skipped += 1
                made.add(task.sample.name)
            else:
                todo.append(task)
        self._tell()
        for task, result in self.crew.do(make_mask, todo):
            if isinstance(result, Failure):
                self._fail(stage, task.sample.name, result.reason)
            else:
                self._note(stage, place, task, result)
                made.add(task.sample.name)
            self._tell()
        return [_with_mask(each, out) for each in samples if each.name in made]

    def end(self) -> Outcome:
        """What came of it."""
        self.ledger.note_event("run ended", done=self.done, skipped=self.skipped, failed=len(self.failed))
        return Outcome(self.done, self.skipped, tuple(self.failed), self.ledger.folder)

    def _note(self, stage: str, place: str, task: MaskTask, made: Made) -> None:
        outputs = {(Path(place) / name).as_posix(): sha256 for name, sha256 in made.outputs.items()}
        self.ledger.note_done(stage, task.sample.name, Entry(task.key, outputs, made.seconds), inputs_of(task))
        self.done += 1

    def _fail(self, stage: str, name: str, reason: str) -> None:
        self.failed.append((name, reason))
        self.ledger.note_event("failed", stage=stage, name=name, reason=reason)

    def _tell(self) -> None:
        if self.progress is not None:
            seconds = time.perf_counter() - self.began
            self.progress(Progress(self.done, self.total, self.skipped, len(self.failed), seconds))


def _with_mask(sample: Sample, out: Path) -> Sample:
    paths = (out / f"{sample.name}{suffix}" for suffix in (".png", ".tif"))
    return dataclasses.replace(sample, mask_paths=tuple(each for each in paths if each.exists())[:1])


def _evaluate(recipe: Recipe, folder: Path, scores: dict[str, Any], number: int) -> dict[str, Any]:
    """The scores of all rounds so far, the newest added, where the recipe names a truth."""
    if recipe.evaluate is None or (recipe.evaluate.truth is None and recipe.evaluate.points is None):
        return scores
    from maskwright.pipelines.evaluate import evaluate

    masks = folder / f"round-{number}" / "masks"
    against = recipe.evaluate
    found = evaluate(masks, against.truth, classes=recipe.classes, points=against.points, sites=recipe.sites)
    return {**scores, f"round-{number}": found}


def _is_enough(loop: Loop, recipe: Recipe, scores: dict[str, Any], number: int) -> bool:
    """Whether the newest round gained less than the stop rule asks for; round 1 has gained nothing yet."""
    if recipe.stop is None or number < 2:
        return False
    before, now = (scores[f"round-{each}"][recipe.stop.score]["value"] for each in (number - 1, number))
    is_enough = bool(now - before < recipe.stop.least_gain)
    if is_enough:
        loop.ledger.note_event("stopped early", round=number, score=recipe.stop.score, before=before, now=now)
    return is_enough


def _metrics(scores: dict[str, Any]) -> dict[str, Any]:
    """metrics.json: the scores of the last round as `evaluate --json` prints them, and those of every round."""
    final = list(scores)[-1]
    told: dict[str, Any] = json_safe({**scores[final], "final": final, "rounds": scores})
    return told
