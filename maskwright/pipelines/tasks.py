"""From a sample to a task: what the mask will be made from, as hashes, and the key that stands for all of it."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from maskwright.errors import InputError
from maskwright.io.classes import Classes
from maskwright.io.texts import unreadable
from maskwright.pipelines.fingerprints import content_hash
from maskwright.pipelines.ledger import Input, file_hash
from maskwright.pipelines.making import Chain, Later, MadeOf, MaskTask
from maskwright.types import Sample

KEY_VERSION = 1
"""Counts up when the same key would have to mean other bytes."""

LARGE_BYTES = 32 << 20
"""A picture in a larger file is hashed while its mask is being made: reading it takes longer than to begin."""


@dataclass(frozen=True)
class TaskMaker:
    """Makes the tasks of one stage: `chain` for every sample, results into `out`.

    What was made before (`is_noted` says so of a name) has its key at once, and so have tasks that travel.
    """

    chain: Chain
    classes: Classes
    hints: Mapping[str, list[dict[str, Any]]]
    out: Path
    travels: bool = False
    is_noted: Callable[[str], bool] = lambda _: True

    def tasks(self, samples: tuple[Sample, ...]) -> list[MaskTask | tuple[str, str]]:
        """The task of each sample, or (name, reason) where its files cannot be read."""
        chain_hash = content_hash(self.chain.fingerprint())
        chain = pickle.dumps(self.chain) if self.travels else self.chain
        return [self._task(each, chain, chain_hash) for each in samples]

    def _task(self, sample: Sample, chain: Chain | bytes, chain_hash: str) -> MaskTask | tuple[str, str]:
        later = Later(partial(self._made_of, sample, chain_hash))
        try:
            may_wait = not self.travels and _is_large(sample.image_path) and not self.is_noted(sample.name)
            made_of = later if may_wait else later.result()
        except InputError as error:
            return sample.name, str(error)
        except OSError as error:
            return sample.name, str(unreadable(error.filename or sample.image_path, error))
        names, colors = self.classes.names, self.classes.colors
        return MaskTask(sample, chain, names, colors, made_of, self.out)

    def _made_of(self, sample: Sample, chain_hash: str) -> MadeOf:
        try:
            image = {"path": sample.image_path.name, "sha256": _hash(sample.image_path), **_piece(sample)}
            inputs = self._inputs(sample)
        except OSError as error:
            raise unreadable(error.filename or sample.image_path, error) from error
        key = content_hash([KEY_VERSION, image, _decisive(inputs), chain_hash, self.classes])
        return MadeOf(image, inputs, key)

    def _inputs(self, sample: Sample) -> dict[str, Any]:
        """What stories say of a sample's inputs besides the picture: its hints, or the mask that is refined."""
        if self.chain.labelers:
            said = self.hints.get(sample.name)
            return {"hints": said} if said and self.chain.needs_hints else {}
        from maskwright.io.masks import story_path

        mask = sample.mask_paths[0]
        told = {"path": mask.name, "sha256": _hash(mask)}
        story = file_hash(story_path(mask))
        return {"mask": told if story is None else {**told, "story_sha256": story}}


def inputs_of(task: MaskTask) -> list[Input]:
    """The files of a task, for the ledger to say later where they lay."""
    sample = task.sample
    files = [Input(task.image["path"], task.image["sha256"], sample.image_path)]
    if "mask" in task.inputs:
        files.append(Input(task.inputs["mask"]["path"], task.inputs["mask"]["sha256"], sample.mask_paths[0]))
    return files


def _piece(sample: Sample) -> dict[str, Any]:
    return {} if sample.piece is None else {"piece": list(sample.piece)}


def _is_large(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > LARGE_BYTES


def _hash(path: Path) -> str:
    found = file_hash(path)
    if found is None:
        raise InputError(f"{path} is not there any more; a file was expected: run again when it is back")
    return found


def _decisive(inputs: Mapping[str, Any]) -> Any:
    """The part of the inputs that decides about the result: a hint file may say other things of other pictures."""
    hints = [each["of_this_picture"] for each in inputs.get("hints", ())]
    return [hints, inputs.get("mask")]
