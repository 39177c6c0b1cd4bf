"""Make one mask: read the picture, let labelers speak, fuse, let refiners speak, write mask and story.

This is all that a worker does. It knows no ledger and no recipe: it gets a task that travels light and gives back the
hashes of the files it wrote.
"""

from __future__ import annotations

import dataclasses
import pickle
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.arrays import fuse as fusing
from maskwright.arrays.windows import Window
from maskwright.io.classes import Classes
from maskwright.io.coco import write_instances
from maskwright.io.images import checked_image, read_image
from maskwright.io.masks import (
    MaskFolder,
    confidence_path,
    read_mask,
    read_mask_in,
    read_story,
    story_path,
    write_mask,
    write_story,
)
from maskwright.io.stories import Story, story_of
from maskwright.pipelines.fingerprints import method_fingerprint, plain_settings, versions
from maskwright.pipelines.in_pieces import is_big, label_image, pieces_of, write_pieces
from maskwright.pipelines.ledger import file_hash
from maskwright.pipelines.recipe import Fuse
from maskwright.types import UNKNOWN, Hint, Image, Instances, Mask, Sample, Step


@dataclass(frozen=True)
class Part:
    """A method in a chain, and the name its story calls it by.

    `inputs` are those that all pictures share. `weights` and `settings` are said where the method cannot say them.
    """

    name: str
    method: Any
    inputs: Mapping[str, Any] = field(default_factory=dict)
    weights: str | None = None
    settings: Mapping[str, Any] | None = None

    def fingerprint(self) -> dict[str, Any]:
        """What its result depends on besides the picture and what is known about it."""
        if self.settings is None:
            return {**method_fingerprint(self.name, self.method), "weights": self.weights}
        return {"name": self.name, "settings": dict(self.settings), "weights": self.weights}


@dataclass(frozen=True)
class Chain:
    """Who speaks, in order: labelers (none: start from a mask), how they become one, refiners."""

    labelers: tuple[Part, ...] = ()
    fuse: Fuse | None = None
    refiners: tuple[Part, ...] = ()
    needs_hints: bool = True

    @property
    def is_one_labeler(self) -> bool:
        """Whether nothing looks at the whole mask, so that a big one can be written piece by piece."""
        return len(self.labelers) == 1 and not self.refiners

    @property
    def asks_for_pixels(self) -> bool:
        """Whether all that speak say they ask for the picture's colours, `np.asarray(image.pixels)`, only at need."""
        parts = (*self.labelers, *self.refiners)
        return all(getattr(each.method, "asks_for_pixels", False) for each in parts)

    def fingerprint(self) -> dict[str, Any]:
        """What the result depends on besides the picture and what is known about it."""
        return {
            "labelers": [each.fingerprint() for each in self.labelers],
            "fuse": dataclasses.asdict(self.fuse) if self.fuse and len(self.labelers) > 1 else None,
            "refiners": [each.fingerprint() for each in self.refiners],
        }


@dataclass(frozen=True)
class MadeOf:
    """What a mask is made from besides its chain, as stories say it, and the key that stands for all of it."""

    image: Mapping[str, Any]
    inputs: Mapping[str, Any]
    key: str


class Later:
    """What a mask is made from, found out beside its making: hashing a big picture takes its time."""

    def __init__(self, work: Callable[[], MadeOf]) -> None:
        self._work = work
        self._under_way: Future[MadeOf] | None = None

    def begin(self) -> None:
        if self._under_way is None:
            pool = ThreadPoolExecutor(1)
            self._under_way = pool.submit(self._work)
            pool.shutdown(wait=False)

    def result(self) -> MadeOf:
        """What it is, or the error that this came to."""
        return self._work() if self._under_way is None else self._under_way.result()


@dataclass(frozen=True)
class MaskTask:
    """One mask to make. For other processes `chain` is pickled once for all, and unpickled once in each worker."""

    sample: Sample
    chain: Chain | bytes
    class_names: tuple[str, ...]
    colors: tuple[str, ...]
    made_of: MadeOf | Later
    out: Path

    @property
    def image(self) -> Mapping[str, Any]:
        return self._known.image

    @property
    def inputs(self) -> Mapping[str, Any]:
        return self._known.inputs

    @property
    def key(self) -> str:
        return self._known.key

    @property
    def _known(self) -> MadeOf:
        return self.made_of if isinstance(self.made_of, MadeOf) else self.made_of.result()


@dataclass(frozen=True)
class Made:
    """What came of a task: file name to hash of what was written, seconds by step, whether any pixel has a class."""

    outputs: Mapping[str, str]
    seconds: Mapping[str, float]
    is_known: bool = True


def make_mask(task: MaskTask) -> Made:
    """Do one task from file to file."""
    watch = _Watch()
    if isinstance(task.made_of, Later):
        task.made_of.begin()
    chain = task.chain if isinstance(task.chain, Chain) else _unpickled(task.chain)
    image = (checked_image if chain.asks_for_pixels else read_image)(task.sample.image_path)
    watch.note("read")
    if chain.is_one_labeler and is_big(image):
        path, is_known = _write_pieces(task, chain.labelers[0], image, chain.needs_hints)
        watch.note(chain.labelers[0].name)
    else:
        said = speak(chain, image, task.sample, Classes(task.class_names, task.colors), task.inputs, watch)
        path, is_known = _write(task, image, said)
        watch.note("write")
    return Made(_hashes(path), watch.seconds, is_known)


def speak(
    chain: Chain,
    image: Image,
    sample: Sample,
    classes: Classes,
    inputs: Mapping[str, Any],
    watch: _Watch | None = None,
) -> Mask | Instances:
    """What a chain makes of a picture, or of the sample's piece of it; without labelers it starts from the sample's
    mask. Objects stay objects from a labeler that gives them to the last refiner.
    """
    watch = watch or _Watch()
    part_of = image if sample.piece is None else image.crop(sample.piece)
    mask: Mask | Instances
    mask = _label(chain, image, sample, classes, inputs, watch) if chain.labelers else _start(sample, part_of, classes)
    for n, part in enumerate(chain.refiners):
        first = {} if n or chain.labelers else inputs
        mask = told(part, first, mask.history, part.method(part_of, mask))
        watch.note(part.name)
    return mask


def _label(
    chain: Chain,
    image: Image,
    sample: Sample,
    classes: Classes,
    inputs: Mapping[str, Any],
    watch: _Watch,
) -> Mask | Instances:
    masks = []
    for part in chain.labelers:
        hints = known_hints(sample, hint_classes(part.method, classes)) if chain.needs_hints else ()
        said = label_image(part.method, image, hints, classes.names, sample.piece)
        masks.append(told(part, inputs, (), said))
        watch.note(part.name)
    if len(masks) == 1:
        return masks[0]
    mask = fused([flat(each) for each in masks], chain.fuse or Fuse(), classes.names)
    watch.note("fuse")
    return mask


def known_hints(sample: Sample, classes: Classes | None) -> tuple[Hint, ...]:
    """All that is known about a picture: the small hints it carries, and the masks that lie on disk.

    Masks are read in the ids of `classes`; without, each keeps its own.
    """
    masks = (read_mask(path) if classes is None else read_mask_in(path, classes) for path in sample.mask_paths)
    return (*sample.hints, *masks)


def hint_classes(method: Any, classes: Classes) -> Classes | None:
    """The classes in which a labeler wants masks among its hints: none of ours if it makes classes of its own."""
    return None if hasattr(method, "own_classes") else classes


def _start(sample: Sample, image: Image, classes: Classes) -> Mask:
    """The mask to start from; its own story says which classes it has, else they are those of the run."""
    path = sample.mask_paths[0]
    return read_mask(path, None if story_path(path).is_file() else classes, grid=image.grid)


def flat(said: Mask | Instances) -> Mask:
    """What was said as one mask: objects lie on each other by their scores."""
    return said.flat() if isinstance(said, Instances) else said


def told(part: Part, inputs: Mapping[str, Any], before: tuple[Step, ...], result: Mask | Instances) -> Mask | Instances:
    """What was said, its newest step named as the catalogue does, with the inputs that only the pipeline knows."""
    steps: tuple[Step, ...] = result.history
    if len(steps) <= len(before):
        steps = (*before, Step(part.name, part.fingerprint()["settings"]))
    last = steps[-1]
    last = dataclasses.replace(
        last,
        name=part.name,
        settings=plain_settings(last.settings if part.settings is None else part.settings),
        weights=part.weights or last.weights,
        inputs={**last.inputs, **inputs, **part.inputs},
    )
    history = (*steps[:-1], last)
    if isinstance(result, Instances):
        return dataclasses.replace(result, history=history)
    return dataclasses.replace(result, history=history)


def fused(masks: Sequence[Mask], fuse: Fuse, class_names: tuple[str, ...]) -> Mask:
    step = Step(
        "fuse", plain_settings(dataclasses.asdict(fuse)), inputs={"steps": [len(each.history) for each in masks]}
    )
    history = (*(each for mask in masks for each in mask.history), step)
    stack = [mask.class_ids for mask in masks]
    trust = np.ones(len(masks)) if fuse.weights is None else np.asarray(fuse.weights, np.float64)
    if fuse.how == "priority":
        return Mask(fusing.priority(stack), class_names, masks[0].grid, history=history)
    if fuse.how == "confidence":
        trust = np.stack([_sureness(mask) * weight for mask, weight in zip(masks, trust, strict=True)])
    class_ids, share = fusing.vote(stack, trust)
    return Mask(class_ids, class_names, masks[0].grid, share, history)


def _sureness(mask: Mask) -> Any:
    return np.ones(mask.class_ids.shape, np.float32) if mask.confidence is None else mask.confidence


def _write(task: MaskTask, image: Image, said: Mask | Instances) -> tuple[Path, bool]:
    path, mask = _path(task, image), flat(said)
    if isinstance(said, Instances):
        write_instances(objects_path(path), {task.sample.name: said}, file_names={task.sample.name: task.image["path"]})
    else:
        objects_path(path).unlink(missing_ok=True)
    before = None
    if "mask" in task.inputs and story_path(task.sample.mask_paths[0]).is_file():
        before = read_story(story_path(task.sample.mask_paths[0]))
    write_mask(path, mask, colors=_colors(task, mask, before), image=task.image, versions=versions(), before=before)
    return path, _is_known(mask)


def _write_pieces(task: MaskTask, part: Part, image: Image, needs_hints: bool) -> tuple[Path, bool]:
    path, classes = _path(task, image), Classes(task.class_names, task.colors)
    hints = known_hints(task.sample, hint_classes(part.method, classes)) if needs_hints else ()
    extent = task.sample.piece or image.grid.window
    grid = image.grid.crop(extent)

    def write_first(first: Mask) -> None:
        # A story wants the place of the whole mask, not its pixels, so these take no memory.
        nothing = np.broadcast_to(np.uint8(UNKNOWN), grid.shape)
        whole = Mask(nothing, first.class_names, grid, history=told(part, task.inputs, (), first).history)
        colors = Classes(first.class_names, _colors(task, first, None) or ())
        write_story(story_path(path), story_of(whole, classes=colors, image=task.image, versions=versions()))

    known: list[bool] = []

    def looked_at() -> Iterator[tuple[Window, Mask]]:
        for corner, mask in pieces_of(part.method, image, hints, task.class_names, extent):
            known.append(_is_known(mask))
            yield corner, mask

    write_pieces(path, grid, extent, looked_at(), lambda first: _colors(task, first, None), write_first)
    return path, any(known)


def _is_known(mask: Mask) -> bool:
    return bool((mask.class_ids != UNKNOWN).any())


def _path(task: MaskTask, image: Image) -> Path:
    """NAME.png; NAME.tif for pictures on Earth, and for those that are too big to be held whole."""
    if is_big(image):
        return task.out / f"{task.sample.name}.tif"
    return MaskFolder(task.out).path_of(task.sample.name, image.grid)


def objects_path(path: Path) -> Path:
    """Where the objects of a picture lie, as COCO, beside the mask that shows them flat: NAME.instances.json."""
    return path.with_suffix(".instances.json")


def files_of(path: Path) -> tuple[Path, ...]:
    """The files that a mask may consist of."""
    return path, story_path(path), confidence_path(path), objects_path(path)


def _hashes(path: Path) -> dict[str, str]:
    files = files_of(path)
    with ThreadPoolExecutor(2) as pool:  # a big mask and its confidence side by side
        hashes = zip(files, pool.map(file_hash, files), strict=True)
        return {file.name: sha256 for file, sha256 in hashes if sha256 is not None}


def _colors(task: MaskTask, mask: Mask, before: Story | None) -> tuple[str, ...] | None:
    """The colours that go with the mask's own classes: a model or an earlier mask may bring other classes along."""
    if mask.class_names == task.class_names:
        return task.colors
    return before.classes.colors if before is not None and before.classes.names == mask.class_names else None


@lru_cache(maxsize=4)
def _unpickled(pickled: bytes) -> Chain:
    """The chain of this worker: unpickled once, so that heavy weights are loaded once."""
    chain: Chain = pickle.loads(pickled)
    return chain


class _Watch:
    """Seconds by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def note(self, step: str) -> None:
        now = time.perf_counter()
        self.seconds[step] = round(self.seconds.get(step, 0.0) + now - self._last, 6)
        self._last = now
