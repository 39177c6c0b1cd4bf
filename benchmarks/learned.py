"""What a network learns from masks of points: `python -m benchmarks.learned DATA [--points 5 20 100] [--most 8] [--only
without] [--set KEY=VALUE ...] [--json FILE]`.

Sets, points, pictures, scores and intervals are those of `benchmarks.points`. Two questions, each with its forest:

- pictures *with* points: `point_forest`, a network learned from all its masks and all points, and both fused
  (`fuse: {how: confidence}`);
- pictures of a group nobody put a point on: `point_forest` that learned from the other groups, and a network learned
  from the masks that this forest made of the other groups, and from their points. Neither saw any of the group.

Groups are videos (animals), columns of the satellite picture (buildings), else every fourth picture. The network, its
settings and the windows it is shown are those of the recipe `points_learned`, the same everywhere. Gains are
differences of mean IoU, with a 95 % interval by picture (animals: by video).
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
import yaml

from benchmarks.machine import machine
from benchmarks.points import NAMES, Labelled, collection
from maskwright.io.images import read_image
from maskwright.io.masks import write_mask
from maskwright.methods.catalogue import make_method
from maskwright.metrics.intervals import bootstrap
from maskwright.metrics.overlap import Overlap
from maskwright.pipelines.chains import Predicted, usual_windows
from maskwright.pipelines.making import fused
from maskwright.pipelines.recipe import Fuse, Predict, read_recipe, shipped_recipe
from maskwright.types import Mask

SIDES = {"nuclei": 320, "herbarium": 320, "animals": 256, "buildings": 256}
FOLDS = 4
GAINS = {"network": "forest", "both": "forest", "unseen network": "unseen forest", "unseen both": "unseen forest"}


def recipe_settings() -> dict[str, Any]:
    """What the shipped recipe says about learning."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recipe.yaml"
        path.write_text(shipped_recipe("points_learned"), encoding="utf-8")
        train = read_recipe(path).train
    assert train is not None
    return dict(train.settings)


def groups_of(name: str, pictures: Sequence[Labelled]) -> list[str]:
    """Which pictures are held out together."""
    if name == "animals":
        return [str(each.sample.site) for each in pictures]
    if name == "buildings":
        return [str(int(each.sample.name.rsplit("-", 1)[1]) % 3) for each in pictures]
    return [str(number % FOLDS) for number in range(len(pictures))]


def labelled(taught: Sequence[Labelled], asked: Sequence[Labelled], *, points: bool) -> list[Mask]:
    """Masks of a forest that learned from `taught`; with or without the points of the pictures asked."""
    label = make_method("point_forest")([each.sample for each in taught])
    return [label(read_image(each.sample.image_path), each.sample.hints if points else (), NAMES) for each in asked]


def learned(
    taught: Sequence[Labelled], masks: Sequence[Mask], asked: Sequence[Labelled], folder: Path, settings: dict[str, Any]
) -> list[Mask]:
    """What a network predicts that learned from masks and points of `taught`."""
    samples = []
    for each, mask in zip(taught, masks, strict=True):
        write_mask(folder / f"{each.sample.name}.png", mask)
        samples.append(dataclasses.replace(each.sample, mask_paths=(folder / f"{each.sample.name}.png",)))
    segmenter = make_method("train_semantic", settings)(samples)
    label = Predicted(segmenter, **dataclasses.asdict(usual_windows(segmenter, Predict())))
    return [label(read_image(each.sample.image_path), (), NAMES) for each in asked]


def with_points(pictures: Sequence[Labelled], folder: Path, settings: dict[str, Any]) -> dict[str, list[Mask]]:
    forest = labelled(pictures, pictures, points=True)
    network = learned(pictures, forest, pictures, folder, settings)
    both = [fused(pair, Fuse(how="confidence"), NAMES) for pair in zip(forest, network, strict=True)]
    return {"forest": forest, "network": network, "both": both}


def without_points(
    pictures: Sequence[Labelled], groups: Sequence[str], folder: Path, settings: dict[str, Any]
) -> dict[str, list[Mask]]:
    """Masks of pictures of a group that nothing was learned from."""
    found: dict[str, dict[str, Mask]] = {"unseen forest": {}, "unseen network": {}}
    for group in sorted(set(groups)):
        others = [each for each, own in zip(pictures, groups, strict=True) if own != group]
        asked = [each for each, own in zip(pictures, groups, strict=True) if own == group]
        label = make_method("point_forest")([each.sample for each in others])
        masks = [label(read_image(each.sample.image_path), each.sample.hints, NAMES) for each in others]
        names = [each.sample.name for each in asked]
        blind = [label(read_image(each.sample.image_path), (), NAMES) for each in asked]
        found["unseen forest"].update(zip(names, blind, strict=True))
        found["unseen network"].update(zip(names, learned(others, masks, asked, folder, settings), strict=True))
    made = {kind: [of[each.sample.name] for each in pictures] for kind, of in found.items()}
    pairs = zip(made["unseen forest"], made["unseen network"], strict=True)
    return made | {"unseen both": [fused(pair, Fuse(how="confidence"), NAMES) for pair in pairs]}


def scored(masks: dict[str, list[Mask]], pictures: Sequence[Labelled], gains: dict[str, str]) -> dict[str, Any]:
    """Mean IoU of each kind of masks, and of how much more one has than another."""
    metric, sites = Overlap(NAMES), [each.sample.site for each in pictures]
    tallies = {
        kind: [metric.tally(mask, each.truth) for mask, each in zip(made, pictures, strict=True)]
        for kind, made in masks.items()
    }

    def gain(pair: Any) -> dict[str, float]:
        after, before = (float(metric.scores(each)["mean_iou"]) for each in pair)
        return {"mean_iou": after - before}

    result = {kind: bootstrap(each, metric.scores, sites=sites)["mean_iou"] for kind, each in tallies.items()}
    for kind, other in gains.items():
        pairs = [np.stack(pair) for pair in zip(tallies[kind], tallies[other], strict=True)]
        result[f"{kind} - {other}"] = bootstrap(pairs, gain, sites=sites)["mean_iou"]
    return result


def measured(
    name: str, pictures: Sequence[Labelled], folder: Path, settings: dict[str, Any], only: str | None
) -> dict[str, Any]:
    """Scores of pictures "with" points, of groups "without", or of both."""
    made: dict[str, list[Mask]] = {}
    if only != "without":
        made |= with_points(pictures, folder / "with", settings)
    if only != "with":
        made |= without_points(pictures, groups_of(name, pictures), folder / "without", settings)
    return scored(made, pictures, {kind: other for kind, other in GAINS.items() if kind in made})


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learned", description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="+", default=list(SIDES))
    parser.add_argument("--points", nargs="+", type=int, default=[5, 20, 100])
    parser.add_argument("--most", type=int, default=8)
    parser.add_argument("--only", choices=["with", "without"], help="pictures with points, or groups without, only")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="settings other than the recipe's")
    parser.add_argument("--random-state", type=int, default=0)
    parser.add_argument("--json", type=Path, help="written after every row")
    arguments = parser.parse_args()
    other = {key: yaml.safe_load(value) for key, value in (each.split("=", 1) for each in arguments.set)}
    settings = {**recipe_settings(), **other, "class_names": NAMES, "random_state": arguments.random_state}
    rows: list[dict[str, Any]] = []
    for count in arguments.points:
        for name in arguments.sets:
            began = time.perf_counter()
            with tempfile.TemporaryDirectory() as folder:
                pictures = collection(arguments.data, name, count, arguments.most, SIDES[name], Path(folder))
                scores = measured(name, pictures, Path(folder), settings, arguments.only)
            seconds = time.perf_counter() - began
            rows.append({"set": name, "points": count, "pictures": len(pictures), "scores": scores, "seconds": seconds})
            cells = [
                f"{key} {each['value']:.3f} ({each['low']:.2f}-{each['high']:.2f})" for key, each in scores.items()
            ]
            print(f"{name} {count}: {', '.join(cells)}; {seconds:.0f} s at load {os.getloadavg()[0]:.1f}", flush=True)
            if arguments.json:
                told = {"rows": rows, "settings": settings, "machine": machine()}
                arguments.json.write_text(json.dumps(told, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
