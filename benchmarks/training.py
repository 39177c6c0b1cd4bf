"""`python -m benchmarks.training [--steps 250] [--json FILE]`: what the default network learns of the toy reef.

Seven pictures to learn from, three others to be measured on; full masks, and 60 points a picture with and without the
agreement of look-alikes.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import machine
from maskwright.io.rasters import write_raster
from maskwright.methods.train_semantic import TrainSemantic
from maskwright.metrics.overlap import Overlap
from maskwright.tiled import predict_mask
from maskwright.toys import reef
from maskwright.toys.scenes import Scene
from maskwright.types import UNKNOWN, Mask, Points, Sample

TAUGHT = 7
CASES: dict[str, dict[str, Any]] = {
    "full masks": {},
    "points, affinity 0": {"affinity": 0.0},
    "points, affinity 1": {"affinity": 1.0},
    "points, affinity 3": {"affinity": 3.0},
}


def samples(scenes: list[Scene], folder: Path, *, points: bool) -> list[Sample]:
    """Scenes on disk, with their truth as masks or with their points."""
    from maskwright.io.masks import write_mask

    made = []
    for scene in scenes:
        path, mask_path = folder / "pics" / f"{scene.name}.tif", folder / "masks" / f"{scene.name}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_raster(path, np.asarray(scene.image.pixels), scene.image.grid)
        assert isinstance(scene.truth, Mask)
        write_mask(mask_path, scene.truth)
        hints = (scene.hints["points"],) if points else ()
        assert all(isinstance(each, Points) for each in hints)
        made.append(Sample(scene.name, path, hints=hints, mask_paths=() if points else (mask_path,)))
    return made


def measure(case: str, settings: dict[str, Any], scenes: list[Scene], folder: Path) -> dict[str, Any]:
    """Train, predict the unseen scenes, and say how well and how fast."""
    method = TrainSemantic(**settings, spread=False, class_names=reef.CLASS_NAMES)
    taught = samples(scenes[:TAUGHT], folder, points=case.startswith("points"))
    began = time.perf_counter()
    segmenter = method(taught)
    learned = time.perf_counter()
    metric, pixels, counts = Overlap(segmenter.class_names), 0, np.zeros((6, 7), np.int64)
    for scene in scenes[TAUGHT:]:
        assert isinstance(scene.truth, Mask)
        counts += metric.tally(predict_mask(segmenter, scene.image), scene.truth)
        pixels += int((scene.truth.class_ids != UNKNOWN).sum())
    seconds = time.perf_counter() - learned
    score = float(metric.scores(counts)["mean_iou"])
    return {"case": case, "mean_iou": score, "train_s": learned - began, "predict_mpx_s": pixels / seconds / 1e6}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--random-state", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    scenes, rows = reef.make(TAUGHT + 3, random_state=3), []
    for case, more in CASES.items():
        settings = {"steps": arguments.steps, "crop": 128, "random_state": arguments.random_state, **more}
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measure(case, settings, scenes, Path(folder)))
        print("{case:20} mean IoU {mean_iou:.3f}  {train_s:.0f} s  {predict_mpx_s:.2f} Mpx/s".format(**rows[-1]))
    if arguments.json:
        arguments.json.write_text(json.dumps({"rows": rows, "machine": machine()}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
