"""The learning half of a round: a learner gets the masks of the round, and what it gives is kept as a folder."""

from __future__ import annotations

import dataclasses
import importlib
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from maskwright.errors import EmptyResultError, InputError, MissingPartError
from maskwright.io.outputs import write_atomically
from maskwright.io.texts import read_json
from maskwright.methods import catalogue
from maskwright.pipelines.fingerprints import content_hash, method_fingerprint, path_hash
from maskwright.pipelines.ledger import Entry, Ledger, file_hash
from maskwright.training.records import is_place
from maskwright.types import Sample

LEARNER = "learner.json"
TrainReport = Callable[[int, int, Mapping[str, Any]], None]
"""Called with the step, the number of steps, and the newest line of the learning curve."""


class Learned(NamedTuple):
    """A model, the hash that stands for it, and whether it lay there already."""

    model: Any
    sha256: str
    was_there: bool


def learn(
    name: str,
    learner: Any,
    samples: Sequence[Sample],
    ledger: Ledger,
    stage: str,
    folder: Path,
    report: TrainReport | None = None,
) -> Learned:
    """What the learner makes of the samples, saved in `folder`; a model that lies there and was made of the same is
    read instead, and one that was killed half way goes on from its checkpoint.
    """
    if not samples:
        raise EmptyResultError(
            f"{name}: no picture with a mask or a hint is left to learn from; see the failures above"
        )
    key = _key(name, learner, samples)
    entry = ledger.entry(stage, "model")
    if entry is not None and entry.outputs and ledger.is_done(stage, "model", key):
        return Learned(read_stored(folder), path_hash(folder) or key, was_there=True)
    began = time.perf_counter()
    checkpoint = folder / f".checkpoint-{key[:16]}.pt"
    model = _taught(learner, samples, checkpoint, report)
    outputs = _save(model, name, learner, folder, ledger.folder)
    ledger.note_done(stage, "model", Entry(key, outputs, {name: round(time.perf_counter() - began, 6)}))
    checkpoint.unlink(missing_ok=True)
    if not outputs:
        return Learned(model, key, was_there=False)
    return Learned(read_stored(folder), path_hash(folder) or key, was_there=False)


def _taught(learner: Any, samples: Sequence[Sample], checkpoint: Path, report: TrainReport | None) -> Any:
    """What the learner makes of the samples; one with a `learn` of its own goes on from a checkpoint, and reports."""
    if not hasattr(learner, "learn"):
        return learner(samples)
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    return learner.learn(samples, checkpoint=checkpoint, report=report)


def _key(name: str, learner: Any, samples: Sequence[Sample]) -> str:
    taught = [
        [
            each.name,
            file_hash(each.image_path),
            [path_hash(path) for path in each.mask_paths],
            list(each.hints),
            each.site,
        ]
        for each in samples
    ]
    return content_hash([method_fingerprint(name, learner), taught])


def read_stored(folder: Path) -> Any:
    """The model of a folder, read by the learner that made it, or by the reader of our own model folders.

    A learner that has its own way of saving also has `load(folder)`; learner.json says which learner it was.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not there; the folder of a trained model was expected: check the path")
    if (folder / LEARNER).is_file():
        said = read_json(folder / LEARNER)
        learner = catalogue.make_method(said["method"], said["settings"], where=str(folder / LEARNER))
        if hasattr(learner, "load"):
            return learner.load(folder)
    try:
        weights = importlib.import_module("maskwright.models.weights")
    except ImportError as error:
        raise MissingPartError(f"{folder} needs torch to be read ({error}): pip install 'maskwright[torch]'") from error
    return weights.read_model(folder)


def export_onnx(folder: Path) -> Path:
    """Write model.onnx beside a model of ours; a learner with its own way of saving has none."""
    if not (folder / "model.safetensors").is_file():
        raise InputError(f"{folder}: holds no model.safetensors; expected a network: leave --onnx out for this learner")
    written: Path = importlib.import_module("maskwright.models.weights").export_onnx(folder)
    return written


def _save(model: Any, name: str, learner: Any, folder: Path, root: Path) -> dict[str, str]:
    """Let a model save itself beside its place, then move its files there; a stand-in that cannot leaves none."""
    if not hasattr(model, "save"):
        return {}
    beside = folder / ".part"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    model.save(beside)
    said = {"method": name, "settings": _settings_without_places(name, learner)}
    write_atomically(beside / LEARNER, (json.dumps(said, sort_keys=True) + "\n").encode())
    files = sorted(each.relative_to(beside) for each in beside.rglob("*") if each.is_file())
    for each in files:
        (folder / each).parent.mkdir(parents=True, exist_ok=True)
        (beside / each).replace(folder / each)
    shutil.rmtree(beside)
    return {(folder / each).relative_to(root).as_posix(): file_hash(folder / each) or "" for each in files}


def _settings_without_places(name: str, learner: Any) -> dict[str, Any]:
    """Settings as learner.json keeps them, which travels with the model: of files their names alone."""
    settings: dict[str, Any] = method_fingerprint(name, learner)["settings"]
    paths = {each.name for each in dataclasses.fields(learner) if is_place(getattr(learner, each.name))}
    return {key: Path(value).name if key in paths else value for key, value in settings.items()}
