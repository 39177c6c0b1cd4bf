"""What soft labels around points bring: `python -m benchmarks.sparse DATA [--points 5 20] [--json FILE]`.

Nuclei, animals, herbarium and the toy reef; N points per class and picture, as in `benchmarks.points`. Half of 16
pictures (of the reef 6 of 9), drawn at random, are learned from; all are predicted. Each set and number is learned
several times, with and without `spread`; all else is the same, network, steps and windows. Scores are the mean IoU of
all repetitions together; gains have a 95 % interval by picture.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import machine
from benchmarks.points import NAMES, Labelled, collection, drawn
from benchmarks.training import samples
from maskwright.io.images import read_image
from maskwright.methods.train_semantic import TrainSemantic
from maskwright.metrics.intervals import bootstrap
from maskwright.metrics.overlap import Overlap
from maskwright.tiled import predict_mask
from maskwright.toys import reef
from maskwright.types import Mask

SETTINGS: dict[str, Any] = {
    "width": 12, "crop": 96, "batch": 4, "steps": 200, "affinity": 0.0, "split": "none", "score_every": 200,
}  # fmt: skip
LIGHT = {"reef": "as_it_is"}
SETS = ("nuclei", "animals", "herbarium", "reef")


def pictures_of(data: Path, name: str, count: int, folder: Path) -> tuple[list[Labelled], tuple[str, ...]]:
    """All pictures of a set with `count` points of each class, and the class names."""
    if name != "reef":
        return collection(data, name, count, 16, 288, folder), NAMES
    scenes, made = reef.make(9, random_state=3), []
    for number, (scene, sample) in enumerate(zip(scenes, samples(scenes, folder, points=True), strict=True)):
        assert isinstance(scene.truth, Mask)
        points = drawn(scene.truth.class_ids, count, np.random.default_rng([count, number]))
        made.append(Labelled(dataclasses.replace(sample, hints=(points,)), scene.truth))
    return made, reef.CLASS_NAMES


def tallies(method: TrainSemantic, taught: Sequence[Labelled], asked: Sequence[Labelled]) -> list[Any]:
    """What is right and wrong in each of the pictures asked."""
    segmenter = method([each.sample for each in taught])
    metric = Overlap(segmenter.class_names)
    return [metric.tally(predict_mask(segmenter, read_image(each.sample.image_path)), each.truth) for each in asked]


def measured(pictures: Sequence[Labelled], names: tuple[str, ...], light: str, seeds: int) -> dict[str, Any]:
    """Scores of pictures learned from and of others, with and without labels spread from points."""
    order = np.random.default_rng(0).permutation(len(pictures))
    taught = [pictures[each] for each in sorted(order[: len(order) // 2 if len(order) == 16 else 6])]
    metric, found, each_seed = Overlap(names), {}, {}
    for spread in (False, True):
        method = TrainSemantic(**SETTINGS, class_names=names, light=light, spread=spread)  # type: ignore[arg-type]
        runs = [tallies(dataclasses.replace(method, random_state=seed), taught, pictures) for seed in range(seeds)]
        found[spread] = [sum(each) for each in zip(*runs, strict=True)]
        each_seed[spread] = [round(float(metric.scores(sum(run))["mean_iou"]), 4) for run in runs]
    learned = [any(each is other for other in taught) for each in pictures]

    def gain(pair: Any) -> dict[str, float]:
        without, with_spread = (float(metric.scores(each)["mean_iou"]) for each in pair)
        return {"without": without, "with": with_spread, "gain": with_spread - without}

    result: dict[str, Any] = {"each_seed": {"without": each_seed[False], "with": each_seed[True]}}
    for which in (True, False):
        some = [np.stack([found[False][k], found[True][k]]) for k, known in enumerate(learned) if known == which]
        result["learned from" if which else "unseen"] = bootstrap(some, gain)
    return result


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sparse", description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    parser.add_argument("--points", nargs="+", type=int, default=[5, 20])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="written after every row")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for count in arguments.points:
        for name in arguments.sets:
            began = time.perf_counter()
            with tempfile.TemporaryDirectory() as folder:
                pictures, names = pictures_of(arguments.data, name, count, Path(folder))
                scores = measured(pictures, names, LIGHT.get(name, "both"), arguments.seeds)
            rows.append({"set": name, "points": count, "seconds": time.perf_counter() - began, "scores": scores})
            print(row_of(name, count, scores), f"load {os.getloadavg()[0]:.1f}", flush=True)
            if arguments.json:
                told = {"rows": rows, "settings": SETTINGS, "seeds": arguments.seeds, "machine": machine()}
                arguments.json.write_text(json.dumps(told, indent=1) + "\n")
    return 0


def row_of(name: str, count: int, scores: dict[str, Any]) -> str:
    cells = []
    for which in ("learned from", "unseen"):
        without, with_spread, gain = (scores[which][key] for key in ("without", "with", "gain"))
        interval = f"{gain['value']:+.3f} ({gain['low']:+.2f} to {gain['high']:+.2f})"
        cells.append(f"{without['value']:.3f} | {with_spread['value']:.3f} | {interval}")
    return f"| {name} | {count} | {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
