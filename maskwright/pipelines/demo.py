"""Maskwright on its own toy data: every method that exists does its work, and one page shows what came of it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskwright.errors import UnknownNameError
from maskwright.methods.catalogue import list_methods
from maskwright.pipelines.outcome import Outcome, Progress, Report
from maskwright.pipelines.toy_sets import SETS, ToySet, objects_of, write_set

if TYPE_CHECKING:
    from maskwright.types import Instances, Mask


@dataclass(frozen=True)
class Chapter:
    """One kind of hint: the toy set it is shown on, which recipe runs, with which methods in the place of its labeler.

    `coming` are the methods, by their names, that a later version brings for this kind of hint.
    """

    name: str
    title: str
    text: str
    count: int
    recipe: str | None = None
    methods: tuple[str, ...] = ()
    coming: tuple[str, ...] = ()


CHAPTERS = {
    "reef": Chapter(
        "reef", "Points become a map",
        "Sixty pixels of each picture have a name; everything else is worked out. The reef is seen from above at a "
        "centimetre per pixel: look-alike corals, rubble and sand, uneven light, the net of light that waves draw. "
        "How a boat's survey becomes a map of it, by training in rounds, shows the recipe reef: maskwright new reef.",
        6, "points", ("nearest_point", "geodesic_point", "random_walk", "point_forest"),
    ),
    "shapes": Chapter(
        "shapes", "Clicks become objects",
        "One click on every object and two on the ground for each. What touches and has one class is taken for one "
        "object, so overlapping objects of a kind still melt into one: that is what point_guided is for.",
        8, "points", ("nearest_point", "geodesic_point", "random_walk"), ("point_guided", "train_instances"),
    ),
    "animals": Chapter(
        "animals", "Joints become body parts",
        "Thirty-nine joints and the outline of an animal say which pixel is leg, trunk, face or tail. Limbs hide each "
        "other, coats are striped, spotted or patched. train_parts learns from such masks and then needs no joints.",
        6, "anatomy", ("keypoint_parts",),
    ),
    "specimens": Chapter(
        "specimens", "One example becomes all others",
        "A single labelled insect is enough to find the parts of the others of its species, however they are pinned.",
        6, "example", ("propagated",), ("propagated", "refine_crops"),
    ),
    "textures": Chapter(
        "textures", "Present or absent becomes where",
        "Half of the pictures are tagged as holding an object. Nobody ever says where it is.",
        6, "presence", ("presence_masker",), ("presence_masker",),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Attempt:
    """What one method made of a set: its run folder, scores as `evaluate` gives them, seconds, and where the truth is
    made of objects COCO's average precision."""

    method: str
    folder: Path
    outcome: Outcome
    scores: dict[str, Any]
    seconds: float
    average_precision: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Shown:
    """A chapter as it went: the set, the attempts, and the names of what is still to come."""

    chapter: Chapter
    toys: ToySet
    attempts: tuple[Attempt, ...]
    coming: tuple[str, ...]

    @property
    def best(self) -> Attempt | None:
        """The attempt with the highest mean IoU; of equal ones the first."""
        return max(self.attempts, key=lambda each: float(each.scores["mean_iou"]["value"]), default=None)


def demo(names: Sequence[str], out: str | Path, progress: Report | None = None) -> Path:
    """Make the toy sets called `names` (all, when empty), run what there is on each, and write OUT/index.html.

    Nothing is downloaded. What is there already is continued. Gives the path of the page.
    """
    from maskwright.pipelines.demo_page import write_page

    for name in names:
        if name not in SETS:
            raise UnknownNameError("toy data set", name, SETS)
    chapters = [CHAPTERS[name] for name in (dict.fromkeys(names) or SETS)]
    counter = _Counter(progress, sum(each.count * (1 + len(_ready(each))) for each in chapters))
    shown = [_show(chapter, Path(out), counter) for chapter in chapters]
    return write_page(Path(out), shown)


def _ready(chapter: Chapter) -> tuple[str, ...]:
    """The methods of a chapter that can run: they are in the catalogue and their recipe is shipped."""
    from maskwright.pipelines.recipe import list_recipes

    here = list_methods() if chapter.recipe in list_recipes() else ()
    return tuple(each for each in chapter.methods if each in here)


def _show(chapter: Chapter, out: Path, counter: _Counter) -> Shown:
    toys = write_set(chapter.name, out / chapter.name, count=chapter.count)
    counter.add(chapter.count)
    ready = _ready(chapter)
    attempts = tuple(_attempt(chapter, method, toys, counter) for method in ready)
    wanted = dict.fromkeys((*chapter.methods, *chapter.coming))
    coming = tuple(each for each in wanted if each not in ready)
    return Shown(chapter, toys, attempts, coming)


def _attempt(chapter: Chapter, method: str, toys: ToySet, counter: _Counter) -> Attempt:
    from maskwright.io.outputs import write_atomically
    from maskwright.pipelines.recipe import shipped_recipe
    from maskwright.pipelines.run import run

    recipe = toys.folder / "recipe.yaml"
    write_atomically(recipe, shipped_recipe(str(chapter.recipe)).encode())
    settings = [f"name={chapter.name}_{method}", f"label.0.method={method}"]
    began = time.perf_counter()
    folder = toys.folder / "runs" / method
    outcome = run(recipe, out=folder, settings=settings, progress=counter.within())
    counter.add(chapter.count)
    seconds = time.perf_counter() - began
    scores = json.loads((folder / "metrics.json").read_text("utf-8"))
    made = Attempt(method, folder, outcome, scores, seconds)
    return replace(made, average_precision=_object_scores(made, toys))


def made_mask(attempt: Attempt, name: str) -> Mask:
    """The mask that an attempt wrote for a picture."""
    from maskwright.io.masks import read_mask

    return read_mask(mask_path(attempt, name))


def mask_path(attempt: Attempt, name: str) -> Path:
    """Where the last round of an attempt put the mask of a picture."""
    return attempt.folder / str(attempt.scores["final"]) / "masks" / f"{name}.png"


def _object_scores(attempt: Attempt, toys: ToySet) -> dict[str, float]:
    """COCO's AP and AP at IoU 0.5 of the objects in an attempt's masks; nothing where the truth has no objects."""
    from maskwright.metrics.instances import average_precision

    truth = objects_of(toys)
    if not truth:
        return {}
    scores = average_precision(truth, {name: _objects(made_mask(attempt, name)) for name in truth})
    return {"AP": scores["ap"], "AP at 0.5": scores["ap50"]}


def _objects(mask: Mask) -> Instances:
    """Everything that touches and has one class, other than background, as one object with score 1."""
    import numpy as np

    from maskwright.arrays.encode import encode
    from maskwright.arrays.regions import components
    from maskwright.types import Instances

    labels, count, class_of = components(mask.class_ids)
    kept = [number for number in range(count) if class_of[number] != 0]
    regions = tuple(encode(labels == number) for number in kept)
    class_ids = np.asarray(class_of, np.uint8)[kept]
    return Instances(regions, class_ids, np.ones(len(kept), np.float32), mask.class_names, mask.grid)


class _Counter:
    """How far the whole demo is, told while each part tells how far it is itself."""

    def __init__(self, report: Report | None, total: int) -> None:
        self.report, self.total, self.done, self.began = report, total, 0, time.perf_counter()

    def add(self, count: int) -> None:
        self.done += count
        self._tell(self.done)

    def within(self) -> Report:
        """A listener for one part that has not been added yet."""
        return lambda inner: self._tell(self.done + inner.done + inner.skipped)

    def _tell(self, done: int) -> None:
        if self.report is not None:
            self.report(Progress(done, self.total, 0, 0, time.perf_counter() - self.began))
