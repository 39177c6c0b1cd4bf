"""The loop: label, fuse, refine, write; then, if the recipe trains, fit, predict, refine, write as the next round.

Whatever is recorded in the ledger and still lies there as it was written is not made again. A picture that fails is
named with its reason and stops nothing. Nothing is deleted; a new run is a new folder.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from maskwright.errors import RecipeError
from maskwright.pipelines.chains import labelling_chain, learned_first, make, predicting_chain, refiners
from maskwright.pipelines.folders import clear_leftovers, prepare_folder, write_environment, write_recipe
from maskwright.pipelines.gather import Collection, gather
from maskwright.pipelines.learning import learn
from maskwright.pipelines.ledger import Entry, Input, Ledger
from maskwright.pipelines.making import Chain, Made, MaskTask, make_mask
from maskwright.pipelines.outcome import Outcome, Progress, Report
from maskwright.pipelines.recipe import MethodCall, Recipe, missing_files, read_recipe
from maskwright.pipelines.scoring import Scoring, place_of
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
        total = _stages(recipe) * len(collection.samples)
        loop = Loop(ledger, Crew(workers, executor), collection, progress, total=total)
        ledger.note_event("run started", pictures=len(collection.samples))
        _rounds(loop, recipe, folder, device)
        return loop.end()


def _rounds(loop: Loop, recipe: Recipe, folder: Path, device: str) -> None:
    """Round 1 from hints; each further round from what a learner made of the round before."""
    scoring, last = Scoring(recipe, folder), 1
    chain = learned_first(labelling_chain(recipe, loop.collection, device), loop.ledger, "round-1/learned")
    labelled = first = _written(loop, chain, 1, scoring)
    for number in range(1, recipe.rounds + 1):
        if recipe.train is None or not labelled or _is_enough(loop, scoring, number):
            break
        call = _learner_of(recipe, folder, number)
        taught = _with_labels(labelled, first) if recipe.later_rounds.with_labels and number > 1 else labelled
        model, told = _learned(loop, call, taught, f"round-{number}/model", device)
        threads = loop.crew.threads(len(loop.collection.samples))
        after = refiners(recipe, device, "predictions")
        chain = predicting_chain(model, told, recipe.predict, after, threads)
        last = number + 1
        labelled = _written(loop, chain, last, scoring)
    scoring.write()
    if recipe.report and labelled:
        from maskwright.pipelines.report import write_report

        write_report(folder, last=last, only=_names(labelled))


def _written(loop: Loop, chain: Chain, number: int, scoring: Scoring) -> list[Sample]:
    """The samples with their masks of a round; where every step is scored, the masks before refinement stay too."""
    samples: Sequence[Sample] = loop.collection.samples
    before = tuple(each.name for each in chain.labelers)
    methods = (*before, *(each.name for each in chain.refiners))
    if scoring.recipe.keeps_unrefined and chain.labelers and chain.refiners:
        unrefined = f"round-{number}/unrefined"
        samples = loop.write_masks(unrefined, dataclasses.replace(chain, refiners=()), samples)
        scoring.note(unrefined, before, _names(samples))
        chain = Chain(refiners=chain.refiners)
    labelled = loop.write_masks(place_of(number), chain, samples)
    scoring.note(place_of(number), methods, _names(labelled))
    return labelled


def _names(samples: Sequence[Sample]) -> frozenset[str]:
    return frozenset(each.name for each in samples)


def _learner_of(recipe: Recipe, folder: Path, number: int) -> MethodCall:
    """The learner of a round, with what is different from the second on."""
    assert recipe.train is not None
    if number == 1:
        return recipe.train
    later = recipe.later_rounds
    start = {"start": str(folder / f"round-{number - 1}" / "model")} if later.warm_start else {}
    return dataclasses.replace(recipe.train, settings={**recipe.train.settings, **later.settings, **start})


def _with_labels(newest: Sequence[Sample], first: Sequence[Sample]) -> list[Sample]:
    """The samples with their newest masks and, after them, those of round 1."""
    labels = {each.name: each.mask_paths for each in first}
    return [dataclasses.replace(each, mask_paths=(*each.mask_paths, *labels.get(each.name, ()))) for each in newest]


def _stages(recipe: Recipe) -> int:
    """How often every picture is gone through."""
    rounds = recipe.rounds if recipe.train else 0
    twice = recipe.keeps_unrefined and bool(recipe.refine)
    labels = 2 if twice and recipe.label and recipe.refine_what != "predictions" else 1
    return labels + rounds * (2 if twice and recipe.refine_what != "labels" else 1)


def _learned(
    loop: Loop, call: MethodCall, samples: Sequence[Sample], stage: str, device: str
) -> tuple[Any, dict[str, str]]:
    """The model of a round, and what stories say of it."""
    folder = loop.ledger.folder / stage
    learner = make(call, device, loop.collection.classes.names)
    learned = learn(call.method, learner, samples, loop.ledger, stage, folder)
    loop.ledger.note_inputs([Input(stage, learned.sha256, folder)])
    return learned.model, {"path": stage, "sha256": learned.sha256}


def _is_enough(loop: Loop, scoring: Scoring, number: int) -> bool:
    """Whether the newest round gained less than the stop rule asks for."""
    short = scoring.falls_short(number)
    if short is not None:
        assert scoring.recipe.stop is not None
        score, (before, now) = scoring.recipe.stop.score, short
        loop.ledger.note_event("stopped early", round=number, score=score, before=before, now=now)
    return short is not None


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
    unknown: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.perf_counter)

    def __post_init__(self) -> None:
        self.total += len(self.collection.failed)
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
        noted = partial(self._is_noted, stage)
        maker = TaskMaker(chain, self.collection.classes, self.collection.hints, out, self.crew.is_elsewhere, noted)
        todo: list[MaskTask] = []
        made: set[str] = set()
        for task in maker.tasks(tuple(samples)):
            if isinstance(task, tuple):
                self._fail(stage, *task)
            elif noted(task.sample.name) and self.ledger.is_done(stage, task.sample.name, task.key):
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

    def _is_noted(self, stage: str, name: str) -> bool:
        return self.ledger.entry(stage, name) is not None

    def end(self) -> Outcome:
        """What came of it."""
        self.ledger.note_event("run ended", done=self.done, skipped=self.skipped, failed=len(self.failed))
        order = {each.name: place for place, each in enumerate(self.collection.samples)}
        failed = sorted(self.failed, key=lambda each: order.get(each[0], -1))  # not as workers came to them
        return Outcome(self.done, self.skipped, tuple(failed), self.ledger.folder, tuple(self.unknown))

    def _note(self, stage: str, place: str, task: MaskTask, made: Made) -> None:
        outputs = {(Path(place) / name).as_posix(): sha256 for name, sha256 in made.outputs.items()}
        self.ledger.note_done(stage, task.sample.name, Entry(task.key, outputs, made.seconds), inputs_of(task))
        self.done += 1
        if not made.is_known:
            self.unknown.append(task.sample.name)
            self.ledger.note_event("no pixel has a class", stage=stage, name=task.sample.name)

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
