"""The commands that make masks, as functions: label, refine, train, predict. They share one loop with `run`.

Each writes into `out`: masks with their stories, `ledger.sqlite` and `events.jsonl`. What is there already and made of
the same is left; `fresh` starts a new folder beside it.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from maskwright.errors import InputError, RecipeError
from maskwright.io.classes import Classes
from maskwright.methods import catalogue
from maskwright.pipelines.chains import StoredModel, labelling_chain, learned_first, make, predicting_chain
from maskwright.pipelines.fingerprints import path_hash
from maskwright.pipelines.folders import check_foreign, prepare_folder
from maskwright.pipelines.gather import Collection, gather
from maskwright.pipelines.learning import export_onnx, learn
from maskwright.pipelines.ledger import Input, Ledger
from maskwright.pipelines.making import Chain
from maskwright.pipelines.map_products import known_products, write_products
from maskwright.pipelines.outcome import Outcome, Progress, Report
from maskwright.pipelines.recipe import HintSource, MethodCall, Predict, Recipe, missing_files
from maskwright.pipelines.run import Loop
from maskwright.pipelines.tagging import holds_tagger, predict_tags
from maskwright.pipelines.workers import Crew

__all__ = ["Outcome", "Progress", "label", "predict", "refine", "train"]


def label(
    method: str,
    images: str | Path,
    *,
    hints: str | Path | Sequence[str | Path] | None = None,
    classes: str | Path | None = None,
    out: str | Path,
    settings: Mapping[str, Any] | None = None,
    workers: int = 1,
    executor: Executor | None = None,
    fresh: bool = False,
    progress: Report | None = None,
) -> Outcome:
    """Hints to masks: one mask per picture that `hints` speaks of. Pictures it does not speak of are failures."""
    call = _call(method, settings, "labeler")
    files = [hints] if isinstance(hints, str | Path) else list(hints or ())
    sources = tuple(HintSource(Path(each)) for each in files)
    recipe = Recipe(str(images), hints=sources, classes=None if classes is None else Path(classes), label=(call,))
    return _write("label", recipe, out, Crew(workers, executor), fresh, progress)


def refine(
    method: str,
    images: str | Path,
    *,
    masks: str | Path,
    out: str | Path,
    settings: Mapping[str, Any] | None = None,
    workers: int = 1,
    executor: Executor | None = None,
    fresh: bool = False,
    progress: Report | None = None,
) -> Outcome:
    """Masks to better masks, which carry the whole story on."""
    recipe = Recipe(str(images), masks=Path(masks), refine=(_call(method, settings, "refiner"),))
    return _write("refine", recipe, out, Crew(workers, executor), fresh, progress)


def train(
    method: str,
    images: str | Path,
    *,
    masks: str | Path | None = None,
    hints: str | Path | None = None,
    classes: str | Path | None = None,
    out: str | Path,
    settings: Mapping[str, Any] | None = None,
    fresh: bool = False,
    progress: Report | None = None,
    onnx: bool = False,
) -> Outcome:
    """Masks, or hints alone, to a model in its folder; pictures without a mask, or without a hint, are left out.

    The outcome counts the pictures that were learned from, as `skipped` where the model was there already. `onnx` also
    writes model.onnx.
    """
    call = _call(method, settings, "learner")
    sources = () if hints is None else (HintSource(Path(hints)),)
    recipe = Recipe(
        str(images), masks=None if masks is None else Path(masks), hints=sources,
        classes=None if classes is None else Path(classes), train=call,
    )  # fmt: skip
    if masks is None and hints is None:
        raise InputError(
            f"{method} has nothing to learn from; expected masks or hints: give --masks DIR or --hints FILE"
        )
    _check_files(recipe)
    collection = gather(recipe)
    samples = [each for each in collection.samples if each.mask_paths or (masks is None and each.hints)]
    learner = make(call, class_names=collection.classes.names)
    folder = prepare_folder(out, fresh=fresh)
    began = time.perf_counter()
    report = None if progress is None else _steps_as_progress(progress, began)
    with Ledger(folder) as ledger:
        learned = learn(method, learner, samples, ledger, "model", folder, report)
        if onnx:
            export_onnx(folder)
    count = len(samples)
    done, skipped = (0, count) if learned.was_there else (count, 0)
    if progress is not None:
        progress(Progress(done, count, skipped, 0, time.perf_counter() - began))
    return Outcome(done, skipped, (), folder)


def predict(
    model: str | Path,
    images: str | Path,
    *,
    out: str | Path,
    window: int | None = None,
    overlap: int = 64,
    batch: int = 1,
    workers: int = 1,
    executor: Executor | None = None,
    fresh: bool = False,
    products: Sequence[str] = (),
    progress: Report | None = None,
) -> Outcome:
    """A segmenter to masks: the model is led over each picture in windows of `window` pixels.

    Without a `window` it is the one that the model says it needs (those that see windows in their own light do), 512
    for others, or the whole picture for a model that has to see all of it (`train_parts`); a smaller one is a failure
    then.

    `products` (see `map_products`) are made of every mask that is there at the end; one that cannot be made is a
    failure of its picture. A tagger (`train_tags`) gives a table of scores and one of tags instead, and knows no
    windows.
    """
    wanted = known_products(products)
    if holds_tagger(Path(model)):
        return predict_tags(model, images, out=out, fresh=fresh, progress=progress)
    stored = StoredModel(Path(model))
    sha256 = path_hash(stored.folder)
    if sha256 is None:
        raise InputError(f"{model} is not there; the folder of a trained model was expected: check the path")
    names = tuple(stored.class_names)
    collection = dataclasses.replace(gather(Recipe(str(images))), classes=Classes(names))
    crew = Crew(workers, executor).for_tasks(len(collection.samples))
    chain = predicting_chain(
        stored, {"path": stored.folder.name, "sha256": sha256}, Predict(window, overlap, batch), (),
        threads=crew.threads(len(collection.samples)),
    )  # fmt: skip
    outcome = _write_with(
        "predict", chain, collection, out, crew, fresh, progress,
        files=[Input(stored.folder.name, sha256, stored.folder)], inputs=[Path(images)],
    )  # fmt: skip
    pictures = {each.name: each.image_path for each in collection.samples}
    masks = {name: path for name in pictures for path in _masks_called(name, outcome.out)}
    failed = write_products(masks, outcome.out, wanted, pictures=pictures)
    return dataclasses.replace(outcome, failed=(*outcome.failed, *failed))


def _masks_called(name: str, folder: Path) -> list[Path]:
    return [path for path in (folder / f"{name}.tif", folder / f"{name}.png") if path.is_file()][:1]


def _steps_as_progress(progress: Report, began: float) -> Callable[[int, int, Mapping[str, Any]], None]:
    """Steps of a training told as things done."""

    def report(step: int, steps: int, _: Mapping[str, Any]) -> None:
        progress(Progress(step, steps, 0, 0, time.perf_counter() - began))

    return report


def _write(stage: str, recipe: Recipe, out: str | Path, crew: Crew, fresh: bool, progress: Report | None) -> Outcome:
    _check_files(recipe)
    collection = gather(recipe)
    chain = labelling_chain(recipe, collection)
    inputs = [Path(recipe.images), recipe.masks, *(each.path for each in recipe.hints)]
    return _write_with(stage, chain, collection, out, crew, fresh, progress, inputs=inputs)


def _write_with(
    stage: str,
    chain: Chain,
    collection: Collection,
    out: str | Path,
    crew: Crew,
    fresh: bool,
    progress: Report | None,
    *,
    inputs: Sequence[Path | None],
    files: Sequence[Input] = (),
) -> Outcome:
    """The loop over one stage, straight into the output folder."""
    if not fresh:
        check_foreign(Path(out), [each.name for each in collection.samples], inputs)
    folder = prepare_folder(out, fresh=fresh)
    with Ledger(folder) as ledger:
        ledger.note_inputs(files)
        loop = Loop(ledger, crew, collection, progress, total=len(collection.samples))
        chain = learned_first(chain, ledger)
        loop.write_masks(stage, chain, collection.samples, place="")
        return loop.end()


def _call(method: str, settings: Mapping[str, Any] | None, stage: str) -> MethodCall:
    """A checked call of a method that has to be of one stage; a learner may also label."""
    found = catalogue.stage_of(catalogue.find_method(method))
    if found != stage and not (stage == "labeler" and found == "learner"):
        raise InputError(f"{method} is a {found}; a {stage} was expected: `maskwright methods` says which is which")
    catalogue.make_method(method, settings)
    return MethodCall(method, dict(settings or {}))


def _check_files(recipe: Recipe) -> None:
    problems = missing_files(recipe)
    if len(problems) == 1:
        raise InputError(problems[0])
    if problems:
        raise RecipeError("the command", problems)
