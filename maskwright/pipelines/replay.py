"""Make a mask again from its story, and say which input, if any, is not what it was."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from maskwright.arrays.windows import Window
from maskwright.errors import InputError, MaskwrightError
from maskwright.io.classes import Classes
from maskwright.io.coco import write_instances
from maskwright.io.images import read_image
from maskwright.io.masks import MaskFolder, read_mask, read_story, story_path, write_mask
from maskwright.io.samples import find_samples
from maskwright.io.stories import Story
from maskwright.methods import catalogue
from maskwright.pipelines.chains import Predicted, stored_labeler
from maskwright.pipelines.fingerprints import path_hash, versions
from maskwright.pipelines.gather import share_of
from maskwright.pipelines.in_pieces import label_image
from maskwright.pipelines.learning import read_stored
from maskwright.pipelines.ledger import LedgerView, file_hash, find_ledger
from maskwright.pipelines.making import Part, files_of, flat, fused, hint_classes, known_hints, objects_path, told
from maskwright.pipelines.recipe import Fuse
from maskwright.types import Hint, Image, Instances, Mask, Sample, Step


@dataclass(frozen=True)
class Replay:
    """Whether every byte came out the same; if not, what differs, with expected and found hash; and the new mask.

    There is no new mask where an input changed so much that none could be made.
    """

    identical: bool
    differing: tuple[str, ...]
    mask: Path | None


def replay(mask: str | Path, out: str | Path) -> Replay:
    """Make a mask again into the folder `out`, from the inputs, methods and settings of its story.

    Inputs are looked for where the ledger says they lay. One that changed is named, and the mask is made from it all
    the same if it can be; one that is gone is an InputError. What a learner labelled itself is not learned again:
    what it learned is read where it was kept.
    """
    mask, out = Path(mask), Path(out)
    if out.exists() and out.samefile(mask.parent):
        raise InputError(f"--out {out} holds the mask itself, which would be replaced; name another folder")
    story = known_story(mask)
    player = _Player(story, Sources(mask, story))
    try:
        again = player.play()
    except MaskwrightError as error:
        if not player.differing:
            raise
        return Replay(False, (*player.differing, f"no mask could be made again: {error}"), None)
    path = out / mask.name
    if isinstance(again, Instances):
        write_instances(objects_path(path), {mask.stem: again}, file_names={mask.stem: player.told_image["path"]})
    write_mask(path, flat(again), colors=story.classes.colors, image=player.told_image, versions=versions())
    differing = (*player.differing, *_differing_outputs(mask, path))
    return Replay(not differing, differing, path)


def known_story(mask: Path) -> Story:
    """The story that lies beside a mask."""
    if mask.is_dir():
        raise InputError(f"{mask} is a folder; a mask was expected: name one of the masks in it")
    if not mask.is_file():
        raise InputError(f"{mask} is not there; a mask was expected: check the path")
    path = story_path(mask)
    if not path.is_file():
        raise InputError(f"{mask} has no story beside it; {path.name} was expected: the mask came from elsewhere")
    return read_story(path)


class Sources:
    """Where the inputs of a mask lie, by the ledgers of all folders it went through, and the seconds noted there."""

    def __init__(self, mask: Path, story: Story) -> None:
        self.views: list[LedgerView] = []
        self.seconds: list[Mapping[str, float]] = []
        self._add(mask)
        for step in reversed(story.steps):
            if (before := step.inputs.get("mask")) and (place := self.find(before["path"], before["sha256"])):
                self._add(place)

    def find(self, path: str, sha256: str) -> Path | None:
        """Where the file lies that was called `path` and had this hash when it was read; it may have changed since."""
        places = [each.absolute for view in self.views for each in view.inputs(path) if each.sha256 == sha256]
        there = [each for each in places if each.exists()]
        unchanged = [each for each in there if path_hash(each) == sha256]
        return next(iter([*unchanged, *there]), None)

    def _add(self, mask: Path) -> None:
        view = find_ledger(mask)
        if view is None:
            return
        self.views.append(view)
        if (entry := view.entry_of(mask)) is not None:
            self.seconds.append(entry.seconds)


@dataclass
class _Player:
    """Plays a story's steps on a stack: a labeler adds a mask, a refiner changes the last, a fuse joins several."""

    story: Story
    sources: Sources
    differing: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        image = self.story.image
        if not image or "path" not in image or "sha256" not in image:
            raise InputError("the story names no picture; path and sha256 were expected: it cannot be made again")
        self.image_path, sha256 = self._found(image["path"], image["sha256"])
        self.told_image = {**image, "sha256": sha256}
        self.piece = Window(*image["piece"]) if "piece" in image else None

    @cached_property
    def image(self) -> Image:
        return read_image(self.image_path)

    @property
    def part(self) -> Image:
        """The picture, or the piece of it that the mask is of."""
        return self.image if self.piece is None else self.image.crop(self.piece)

    def play(self) -> Mask | Instances:
        """The mask that the last step leaves."""
        masks: list[Mask | Instances] = []
        for step in self.story.steps:
            self._step(step, masks)
        if not masks:
            raise InputError("the story has no steps; at least one was expected: it cannot be made again")
        return masks[-1]

    def _step(self, step: Step, masks: list[Mask | Instances]) -> None:
        if "learned" in step.inputs:
            masks.append(self._by_learned(step))
            return
        if "samples" in step.inputs:
            raise InputError(
                f"{step.name} learned from {step.inputs['samples'].get('count')} pictures before it labelled this one; "
                f"one mask alone cannot be made again: run the whole recipe or command into a new folder"
            )
        if step.name == "fuse" and "steps" in step.inputs:
            masks[:] = [fused([flat(each) for each in masks], Fuse(**step.settings), self.story.classes.names)]
        elif step.name == "predict":
            masks.append(self._predicted(step))
        elif catalogue.stage_of(catalogue.find_method(step.name)) == "labeler":
            masks.append(self._labelled(step))
        else:
            masks[-1:] = [self._refined(step, masks)]

    def _labelled(self, step: Step) -> Mask | Instances:
        method = catalogue.make_method(step.name, step.settings)
        hints, said = self._hints(step, hint_classes(method, self.story.classes))
        result = label_image(method, self.image, hints, self.story.classes.names, self.piece)
        return told(Part(step.name, method), {"hints": said} if said else {}, (), result)

    def _by_learned(self, step: Step) -> Mask | Instances:
        """What a labeler says that learned from the whole collection and was kept: it is read, not taught again."""
        hints, said = self._hints(step, self.story.classes)
        learned = step.inputs["learned"]
        folder, sha256 = self._found(learned["path"], learned["sha256"])
        inputs = {"samples": step.inputs["samples"], "learned": {**learned, "sha256": sha256}}
        part = Part(step.name, stored_labeler(folder), inputs, sha256, step.settings)
        result = label_image(part.method, self.image, hints, self.story.classes.names, self.piece)
        return told(part, {"hints": said} if said else {}, (), result)

    def _predicted(self, step: Step) -> Mask | Instances:
        model = step.inputs["model"]
        folder, sha256 = self._found(model["path"], model["sha256"])
        inputs = {"model": {**model, "sha256": sha256}}
        part = Part("predict", Predicted(read_stored(folder), **step.settings), inputs, sha256, step.settings)
        return told(part, {}, (), label_image(part.method, self.image, (), self.story.classes.names, self.piece))

    def _refined(self, step: Step, masks: list[Mask | Instances]) -> Mask | Instances:
        method = catalogue.make_method(step.name, step.settings)
        inputs = {key: each for key, each in step.inputs.items() if key == "mask"}
        mask = masks[-1] if masks else self._given(step)
        if masks and inputs:
            mask = _through_file(flat(mask))
        return told(Part(step.name, method), inputs, mask.history, method(self.part, mask))

    def _given(self, step: Step) -> Mask:
        before = step.inputs.get("mask")
        if before is None:
            raise InputError(
                f"the story begins with {step.name}, which needs a mask; none is named: it cannot be replayed"
            )
        path, _ = self._found(before["path"], before["sha256"])
        return read_mask(path, grid=self.part.grid)

    def _hints(self, step: Step, classes: Classes | None) -> tuple[tuple[Hint, ...], list[dict[str, Any]]]:
        hints: list[Hint] = []
        said: list[dict[str, Any]] = []
        for each in step.inputs.get("hints", ()):
            path, sha256 = self._found(each["path"], each["sha256"])
            sample = self._sample(path)
            share = share_of(sample)
            if share != each["of_this_picture"]:
                self._differs(f"{each['path']}, what it says about this picture", each["of_this_picture"], share)
            hints += known_hints(sample, classes)
            said.append({**each, "sha256": sha256, "of_this_picture": share})
        return tuple(hints), said

    def _sample(self, path: Path) -> Sample:
        """The picture with what a hint file says about it now."""
        return find_samples(self.image_path, hints=path, classes=self.story.classes)[0][0]

    def _found(self, path: str, sha256: str) -> tuple[Path, str]:
        """Where an input lies, and the hash it has now."""
        place = self.sources.find(path, sha256)
        if place is None:
            raise InputError(
                f"{path} (sha256 {sha256[:12]}) is not where the ledger says it lay; it is needed to make this again: "
                f"put it back, or keep the mask in the folder it was made in"
            )
        found = path_hash(place) or ""
        if found != sha256:
            self._differs(path, sha256, found)
        return place, found

    def _differs(self, name: str, expected: str, found: str) -> None:
        self.differing.append(f"{name}: expected sha256 {expected[:16]}, found {found[:16]}")


def _through_file(mask: Mask) -> Mask:
    """The mask as it was when it had been written and read: confidence has 255 steps in a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = MaskFolder(folder).path_of("mask", mask.grid)
        write_mask(path, mask)
        return read_mask(path)


def _differing_outputs(mask: Path, again: Path) -> Iterator[str]:
    for old, new in zip(files_of(mask), files_of(again), strict=True):
        expected, found = file_hash(old), file_hash(new)
        if expected != found:
            was, now = (str(each or "no file")[:16] for each in (expected, found))
            yield f"{old.name}, made again: expected sha256 {was}, found {now}"
