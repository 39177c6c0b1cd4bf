"""`python -m benchmarks.anatomy_quality [--pictures 60] [--json FILE]`: body parts of toy animals against their truth.

The rule alone: joints and the true outline, or joints and the figure found around them. Mean IoU over all classes with
95 % intervals by picture, and the IoU of each part. The rule's few numbers were chosen on animals of seed 7, not these.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from benchmarks.machine import machine
from maskwright.io.profiles import read_profile
from maskwright.methods.keypoint_parts import KeypointParts
from maskwright.metrics.intervals import bootstrap
from maskwright.metrics.overlap import Overlap
from maskwright.toys import animals
from maskwright.toys.scenes import Scene
from maskwright.types import Hint, Keypoints, Mask

RANDOM_STATE = 2026
SIZE = (320, 448)
AP10K = read_profile("quadruped5").replace[1] + ("left_eye", "right_eye", "nose")


class Case(NamedTuple):
    """A rule, the truth it is held against, whether it is given the outline, and the joints it is given (none: all)."""

    rule: KeypointParts
    view: str = ""
    has_outline: bool = True
    joints: tuple[str, ...] = ()


CASES = {
    "rule": Case(KeypointParts()),
    "without unknown band": Case(KeypointParts(band_px=0)),
    "straight distances": Case(KeypointParts(distance="euclidean")),
    "AP-10K's 17 joints": Case(KeypointParts(), joints=AP10K),
    "AP-10K's 17 joints, nothing derived": Case(KeypointParts(derive=False), joints=AP10K),
    "outline found, not given": Case(KeypointParts(), has_outline=False),
    "PAW-ViT, grid of the picture": Case(KeypointParts(mode="parity", grid=SIZE)),
    "PAW-ViT, 64 x 64": Case(KeypointParts(mode="parity")),
    "eleven regions": Case(KeypointParts(profile="quadruped_fine"), view="left_right"),
}


def score(case: Case, scenes: Sequence[Scene]) -> dict[str, Any]:
    """Mean IoU with its interval, and the IoU of every class."""
    metric, tallies = None, []
    for scene in scenes:
        truth, animal = scene.views[case.view] if case.view else scene.truth, scene.hints["keypoints"]
        assert isinstance(truth, Mask)
        assert isinstance(animal, Keypoints)
        kept = [k for k, name in enumerate(animal.names) if name in case.joints or not case.joints]
        names = tuple(animal.names[k] for k in kept)
        hints: list[Hint] = [Keypoints(names, animal.rows[kept], animal.cols[kept], animal.scores[kept])]
        hints += [scene.hints["outline"]] if case.has_outline else []
        metric = metric or Overlap(truth.class_names)
        tallies.append(metric.tally(case.rule(scene.image, hints, truth.class_names), truth))
    assert metric is not None
    found = bootstrap(np.stack(tallies), metric.scores)
    return {key: found[key] for key in found if key == "mean_iou" or key.startswith("iou")}


def main() -> int:
    parser = argparse.ArgumentParser(description="Score body parts of toy animals.")
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    scenes, rows = animals.make(arguments.pictures, random_state=RANDOM_STATE, size=SIZE), []
    for name, case in CASES.items():
        rows.append({"rule": name, "pictures": len(scenes), **score(case, scenes)})
        print(rows[-1], flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps({"rows": rows, "machine": machine()}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
