"""What a model's record says of how it was trained, and what stands for a training in a checkpoint."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskwright.io.images import file_sha256

if TYPE_CHECKING:
    from maskwright.models.weights import ModelRecord
    from maskwright.training.fit import Fitted
    from maskwright.types import Sample

WEIGHTS = "model.safetensors"
SCORES = ("mean_iou", "pixel_accuracy", "iou", "step")


def told_settings(learner: Any) -> dict[str, Any]:
    """A learner's settings as a record may tell them anywhere: of weights it starts from, their name and their hash.

    >>> @dataclasses.dataclass
    ... class Learner:
    ...     steps: int = 3
    ...     start: Path | None = None
    >>> told_settings(Learner())
    {'steps': 3, 'start': None}
    """
    values = {each.name: getattr(learner, each.name) for each in dataclasses.fields(learner)}
    return {key: _told_weights(Path(value)) if is_place(value) else value for key, value in values.items()}


def is_place(setting: Any) -> bool:
    """Whether a setting says where something lies on this machine, which nobody else can use.

    >>> is_place("/home/somebody/mit-b0"), is_place(Path("first")), is_place("mit-b0")
    (True, True, False)
    """
    return isinstance(setting, Path) or (isinstance(setting, str) and Path(setting).is_absolute())


def checkpoint_key(learner: Any, samples: Sequence[Sample]) -> str:
    """A hash of settings, pictures and labels: what a checkpoint has to agree in."""
    from maskwright.training.pictures import fingerprint_of

    told = {key: str(value) for key, value in told_settings(learner).items()}
    return hashlib.sha256(json.dumps([told, fingerprint_of(samples)]).encode()).hexdigest()


def with_story(
    record: ModelRecord,
    method: str,
    learner: Any,
    *,
    pictures: int,
    held_out: Mapping[str, Any],
    fitted: Fitted,
    scored: bool,
) -> ModelRecord:
    """The record with the story of its training and, where something was held out, the best scores."""
    training = {
        "method": method,
        "settings": told_settings(learner),
        "pictures": pictures,
        "held_out": dict(held_out),
        "steps": fitted.steps,
        "device": fitted.device,
        "precision": fitted.precision,
        "processes": fitted.processes,
        "history": [{key: value for key, value in line.items() if key != "iou"} for line in fitted.history],
    }
    best = {("mean_iou" if key == "score" else key): value for key, value in fitted.best.items()}
    return dataclasses.replace(record, training=training, scores={key: best[key] for key in SCORES} if scored else {})


def _told_weights(path: Path) -> dict[str, str]:
    """The name of a file of weights, or of a model's folder, and the hash of its weights where they lie under ours."""
    weights = path / WEIGHTS if path.is_dir() else path
    return {"name": path.name, "sha256": file_sha256(weights)} if weights.is_file() else {"name": path.name}
