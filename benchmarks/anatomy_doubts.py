"""`python -m benchmarks.anatomy_doubts [--pictures 60] [--fit] [--json FILE]`: what wrong joints do to body parts.

And whether a confidence means what it says.

Toy animals with their true outline, of which one or two joints lie far from where they should, each with a full score,
or whose left and right are exchanged. Mean IoU with 95 % intervals by picture where such joints are used and where they
are left out; `found` is the share of wrong joints that were doubted, `blamed` how many right ones were, per picture.
Then, of all pixels with a part, how often those that claim a confidence are right, and the expected calibration error
(ECE). `--fit` fits a profile's `odds` to other animals instead of those that are scored.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from benchmarks.anatomy_quality import AP10K
from benchmarks.machine import machine
from maskwright.anatomy import canvas
from maskwright.arrays.calibrate import reliability
from maskwright.io.profiles import read_profile
from maskwright.methods.keypoint_parts import KeypointParts
from maskwright.metrics.intervals import bootstrap
from maskwright.metrics.overlap import Overlap
from maskwright.toys import animals
from maskwright.toys.scenes import Scene
from maskwright.types import UNKNOWN, Keypoints, Mask

SCORED_STATE, FITTED_STATE = 2026, 7
SIZE = (320, 448)
FAR = 0.5  # a moved joint lies at least so far from its place, in square roots of the animal's area
JITTER = 0.03
SIDED = ("front_left_thigh", "front_left_knee", "front_left_paw", "back_left_thigh", "back_left_knee", "back_left_paw")

Random = np.random.Generator
Wronged = tuple[Keypoints, tuple[str, ...]]


def exact(animal: Keypoints, region: NDArray[np.bool_], random: Random) -> Wronged:  # noqa: ARG001
    return animal, ()


def jittered(animal: Keypoints, region: NDArray[np.bool_], random: Random) -> Wronged:
    """Every joint a little beside its place."""
    off = random.normal(0, JITTER * np.sqrt(region.sum()), (2, len(animal.names)))
    return dataclasses.replace(animal, rows=animal.rows + off[0], cols=animal.cols + off[1]), ()


def moved(animal: Keypoints, region: NDArray[np.bool_], random: Random, count: int = 1, *, on: bool = True) -> Wronged:
    """Joints that lie somewhere else: `on` the animal, or anywhere in the picture."""
    rows, cols = animal.rows.copy(), animal.cols.copy()
    seen = np.flatnonzero((animal.scores >= 0.5) & np.isfinite(rows))
    chosen = random.choice(seen, count, replace=False)
    places = np.argwhere(region if on else np.ones_like(region))
    for k in chosen:
        away = np.hypot(places[:, 0] - rows[k], places[:, 1] - cols[k])
        rows[k], cols[k] = places[random.choice(np.flatnonzero(away >= FAR * np.sqrt(region.sum())))]
    return dataclasses.replace(animal, rows=rows, cols=cols), tuple(animal.names[k] for k in chosen)


def missing(animal: Keypoints, region: NDArray[np.bool_], random: Random) -> Wronged:  # noqa: ARG001
    """A third of the joints that were seen are not."""
    seen = np.flatnonzero(animal.scores >= 0.5)
    scores = animal.scores.copy()
    scores[random.choice(seen, len(seen) // 3, replace=False)] = 0
    return dataclasses.replace(animal, scores=scores), ()


def few(animal: Keypoints, region: NDArray[np.bool_], random: Random) -> Wronged:  # noqa: ARG001
    """AP-10K's 17 joints alone."""
    kept = [k for k, name in enumerate(animal.names) if name in AP10K]
    return Keypoints(
        tuple(animal.names[k] for k in kept), animal.rows[kept], animal.cols[kept], animal.scores[kept]
    ), ()  # fmt: skip


def crossed(animal: Keypoints, region: NDArray[np.bool_], random: Random) -> Wronged:  # noqa: ARG001
    """A pair of leg joints whose left and right are exchanged, if both are seen."""
    index = {name: k for k, name in enumerate(animal.names) if animal.scores[k] >= 0.5}
    pairs = [(each, each.replace("left", "right")) for each in SIDED]
    both = [pair for pair in pairs if pair[0] in index and pair[1] in index]
    if not both:
        return animal, ()
    pair = both[int(random.integers(len(both)))]
    order = np.arange(len(animal.names))
    order[[index[each] for each in pair]] = [index[each] for each in reversed(pair)]
    return dataclasses.replace(animal, rows=animal.rows[order], cols=animal.cols[order]), pair


WRONGS: dict[str, Callable[[Keypoints, NDArray[np.bool_], Random], Wronged]] = {
    "exact": exact,
    "every joint jittered": jittered,
    "a third of the joints not seen": missing,
    "AP-10K's 17 joints": few,
    "one joint elsewhere on the animal": moved,
    "one joint elsewhere in the picture": functools.partial(moved, on=False),
    "two joints elsewhere on the animal": functools.partial(moved, count=2),
    "left and right of a leg joint exchanged": crossed,
}


class Told(NamedTuple):
    """What a method made of pictures: counts per picture, doubted joints found and blamed, pixels' claims and truth."""

    tallies: NDArray[np.int64]
    found: int
    wrong: int
    blamed: int
    claims: NDArray[np.float32]
    right: NDArray[np.bool_]


def tell(method: KeypointParts, view: str, wrong: str, scenes: Sequence[Scene]) -> Told:
    """Run a method over pictures with joints that are wrong in some way; the same ones for every method."""
    tallies, claims, right = [], [], []
    found = wrongs = blamed = 0
    for number, scene in enumerate(scenes):
        truth, animal, outline = (scene.views[view] if view else scene.truth), *scene.hints.values()
        assert isinstance(truth, Mask)
        assert isinstance(animal, Keypoints)
        assert isinstance(outline, Mask)
        region = outline.class_ids == 1
        animal, names = WRONGS[wrong](animal, region, np.random.default_rng([number, sum(map(ord, wrong))]))
        mask = method(scene.image, [animal, outline], truth.class_names)
        doubted = {each["joint"] for each in mask.history[0].inputs["joints"][0]["doubted"]}
        found, wrongs, blamed = (
            found + len(doubted & set(names)), wrongs + len(names), blamed + len(doubted - set(names)),
        )  # fmt: skip
        tallies.append(Overlap(truth.class_names).tally(mask, truth))
        known = region & (mask.class_ids != UNKNOWN)
        assert mask.confidence is not None
        claims.append(mask.confidence[known])
        right.append((mask.class_ids == truth.class_ids)[known])
    return Told(np.stack(tallies), found, wrongs, blamed, np.concatenate(claims), np.concatenate(right))


def score(profile: str, view: str, wrong: str, scenes: Sequence[Scene]) -> dict[str, Any]:
    """Mean IoU with doubted joints used and left out, what was found, and the claims of the latter."""
    names = read_profile(profile).classes.names if view else animals.CLASS_NAMES
    used, left_out = (
        tell(KeypointParts(profile=profile, doubted=each), view, wrong, scenes) for each in ("used", "left_out")
    )  # type: ignore[arg-type]
    table = reliability(left_out.claims, left_out.right)
    return {
        "profile": profile,
        "joints": wrong,
        "used": bootstrap(used.tallies, Overlap(names).scores)["mean_iou"],
        "left_out": bootstrap(left_out.tallies, Overlap(names).scores)["mean_iou"],
        "found": left_out.found / left_out.wrong if left_out.wrong else None,
        "blamed": left_out.blamed / len(scenes),
        "ece": table.error,
        "claimed": [None if np.isnan(each) else round(float(each), 3) for each in table.claimed],
        "measured": [None if np.isnan(each) else round(float(each), 3) for each in table.measured],
        "pixels": [int(each) for each in table.weight],
    }


def fit(profile: str, view: str, scenes: Sequence[Scene]) -> dict[str, float]:
    """The odds that say best which pixels are right (least log loss), over all WRONGS but the last three."""
    seen: list[NDArray[np.float64]] = []

    def note(nearest: Any, firmness: Any, size: float, odds: Any) -> Any:
        near, rival = nearest.distance.astype(float), nearest.rival.astype(float)
        with np.errstate(invalid="ignore"):
            margin = np.where(np.isinf(rival), 1, (rival - near) / np.maximum(rival + near, 1e-6))
        seen.append(np.stack([np.ones_like(near), margin, firmness, -near / size]))
        return told(nearest, firmness, size, odds)

    told = canvas.confidence_of
    with mock.patch.object(canvas, "confidence_of", note):
        method = KeypointParts(profile=profile)
        right = [_right(method, view, wrong, scenes) for wrong in list(WRONGS)[:-3]]
    values, truth = np.concatenate(seen, axis=1), np.concatenate(right)
    known = truth >= 0
    values, truth = values[:, known], truth[known] == 1

    def loss(odds: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = odds @ values
        slope = values @ (1 / (1 + np.exp(-logits)) - truth) / len(truth)
        return float(np.logaddexp(0, np.where(truth, -logits, logits)).mean()), slope

    found = minimize(loss, np.zeros(4), jac=True, method="BFGS").x
    return {name: round(float(each), 3) for name, each in zip(("even", "margin", "firm", "far"), found, strict=True)}


def _right(method: KeypointParts, view: str, wrong: str, scenes: Sequence[Scene]) -> NDArray[np.int8]:
    """Of every pixel of the outlines 1 where its part is right, 0 where it is wrong and -1 where it is unknown."""
    said = []
    for number, scene in enumerate(scenes):
        truth, animal, outline = (scene.views[view] if view else scene.truth), *scene.hints.values()
        region = outline.class_ids == 1  # type: ignore[union-attr]
        random = np.random.default_rng([number, sum(map(ord, wrong))])
        animal, _ = WRONGS[wrong](animal, region, random)  # type: ignore[arg-type]
        mask = method(scene.image, [animal, outline], truth.class_names)  # type: ignore[union-attr]
        hits = (mask.class_ids == truth.class_ids).astype(np.int8)  # type: ignore[union-attr]
        said.append(np.where(mask.class_ids == UNKNOWN, np.int8(-1), hits)[region])
    return np.concatenate(said)


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what wrong joints do to body parts of toy animals.")
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    state = FITTED_STATE if arguments.fit else SCORED_STATE
    scenes, rows = animals.make(arguments.pictures, random_state=state, size=SIZE), []
    for profile, view in (("quadruped5", ""), ("quadruped_fine", "left_right")):
        if arguments.fit:
            rows.append({"profile": profile, "odds": fit(profile, view, scenes)})
            print(rows[-1], flush=True)
            continue
        for wrong in WRONGS:
            rows.append(score(profile, view, wrong, scenes))
            print(rows[-1], flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps({"rows": rows, "machine": machine()}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
