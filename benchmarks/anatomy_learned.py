"""`python -m benchmarks.anatomy_learned [--pictures 60] [--taught 200] [--json FILE]`: who sees body parts best?

The rule is told all joints and the true outline of each animal. Segmenters of `train_parts` see the picture alone: one
learned from true part masks, one from masks the rule made of the same pictures. All are scored on the same toy animals
that nobody learned from, by mean IoU with 95 % intervals by picture. `lead` is how much better than the rule a
segmenter is in the mean IoU of a picture, on average, with its interval.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from benchmarks.machine import machine
from maskwright.io.masks import write_mask
from maskwright.methods.keypoint_parts import KeypointParts
from maskwright.methods.train_parts import TrainParts
from maskwright.metrics.intervals import bootstrap
from maskwright.metrics.overlap import Overlap
from maskwright.stages import Segmenter
from maskwright.tiled import predict_mask
from maskwright.toys import animals
from maskwright.toys.scenes import Scene
from maskwright.types import Mask, Sample

SCORED_STATE, TAUGHT_STATE = 2026, 4052
SIZE = (320, 448)
RESAMPLES = 2000


def by_rule(scene: Scene) -> Mask:
    """The parts the rule makes of joints and true outline."""
    return KeypointParts()(scene.image, [scene.hints["keypoints"], scene.hints["outline"]], animals.CLASS_NAMES)


def by_picture(segmenter: Segmenter, scene: Scene) -> Mask:
    """The parts a segmenter sees in the picture alone."""
    return predict_mask(segmenter, scene.image, window=max(SIZE), overlap=0)


def true_parts(scene: Scene) -> Mask:
    assert isinstance(scene.truth, Mask)
    return scene.truth


def write_samples(folder: Path, scenes: Sequence[Scene], labels: Callable[[Scene], Mask]) -> list[Sample]:
    """Pictures and their masks as files."""
    folder.mkdir(parents=True, exist_ok=True)
    samples = []
    for scene in scenes:
        picture, mask = folder / f"{scene.name}.jpg", folder / "masks" / f"{scene.name}.png"
        PIL.Image.fromarray(np.asarray(scene.image.pixels)).save(picture, quality=95)
        write_mask(mask, labels(scene), colors=animals.COLORS)
        samples.append(Sample(scene.name, picture, mask_paths=(mask,)))
    return samples


def tallies_of(said: Callable[[Scene], Mask], scenes: Sequence[Scene]) -> NDArray[np.int64]:
    """Counts of every picture."""
    metric = Overlap(animals.CLASS_NAMES)
    return np.stack([metric.tally(said(scene), true_parts(scene)) for scene in scenes])


def lead(learned: NDArray[np.int64], rule: NDArray[np.int64]) -> dict[str, float]:
    """How much better a segmenter is than the rule, by picture, with an interval."""
    scores = Overlap(animals.CLASS_NAMES).scores
    gains = np.array([scores(a)["mean_iou"] - scores(b)["mean_iou"] for a, b in zip(learned, rule, strict=True)])
    picked = np.random.default_rng(0).integers(len(gains), size=(RESAMPLES, len(gains)))
    low, high = np.quantile(gains[picked].mean(axis=1), (0.025, 0.975))
    return {"value": float(gains.mean()), "low": float(low), "high": float(high)}


def main() -> int:
    parser = argparse.ArgumentParser(description="Score the rule and what was learned on toy animals.")
    for name, default in (("pictures", 60), ("taught", 200), ("steps", 650), ("side", 192), ("width", 16)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--labels", nargs="+", choices=("truth", "rule"), default=("truth", "rule"))
    arguments = parser.parse_args()
    scenes = animals.make(arguments.pictures, random_state=SCORED_STATE, size=SIZE)
    taught = animals.make(arguments.taught, random_state=TAUGHT_STATE, size=SIZE)
    rule = tallies_of(by_rule, scenes)
    rows: list[dict[str, Any]] = [_row("rule, joints and outline given", rule)]
    sources = {"truth": true_parts, "rule": by_rule}
    learner = TrainParts(
        side=arguments.side, width=arguments.width, steps=arguments.steps, class_names=animals.CLASS_NAMES
    )
    for name in arguments.labels:
        with tempfile.TemporaryDirectory() as folder:
            samples = write_samples(Path(folder), taught, sources[name])
            began = time.perf_counter()
            segmenter = learner.learn(samples, report=_show)
        seconds = round(time.perf_counter() - began, 1)
        found = tallies_of(functools.partial(by_picture, segmenter), scenes)
        rows.append(
            {**_row(f"learned from {name}, picture alone", found), "lead": lead(found, rule), "seconds": seconds}
        )
    if arguments.json:
        settings = {key: value for key, value in vars(arguments).items() if key != "json"}
        told = {"rows": rows, "settings": settings, "machine": machine()}
        arguments.json.write_text(json.dumps(told, indent=1) + "\n")
    return 0


def _row(name: str, tallies: NDArray[np.int64]) -> dict[str, Any]:
    found = bootstrap(list(tallies), Overlap(animals.CLASS_NAMES).scores)
    row = {"name": name, **{key: found[key] for key in found if key == "mean_iou" or key.startswith("iou")}}
    print(row, flush=True)
    return row


def _show(step: int, steps: int, line: Any) -> None:
    print(f"  {step}/{steps} loss {line['loss']:.3f} held out {line.get('score', float('nan')):.3f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
