"""`python -m benchmarks.anatomy_speed [--pictures 200] [--json FILE]`: joints and outlines to parts, file to file.

Toy animals of 1024 x 1024 with 39 joints and outlines as COCO run lengths are written as JPEG photographs; `label` then
makes parts of them: read, assign, write mask, confidence and story, note in the ledger. Pictures per second of CPU
time of one process are per core, whatever else the machine does. Memory is looked at after a quarter and at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from benchmarks.machine import machine
from benchmarks.measure import _status_mb as status_mb
from maskwright.arrays.encode import encode
from maskwright.io.images import checked_image
from maskwright.io.keypoints import write_keypoints
from maskwright.io.masks import write_mask
from maskwright.methods.keypoint_parts import KeypointParts
from maskwright.pipelines.commands import label
from maskwright.pipelines.outcome import Progress
from maskwright.toys import animals
from maskwright.types import Grid, Instances, Keypoints, Mask

SIZE = (1024, 1024)
DIFFERENT = 10


def write_pictures(folder: Path, count: int) -> Path:
    """`count` pictures, of which DIFFERENT differ, and their joints with outlines."""
    from PIL import Image

    pictures = folder / "pictures"
    pictures.mkdir()
    keypoints: dict[str, list[Keypoints]] = {}
    instances: dict[str, Instances] = {}
    for number, scene in enumerate(animals.make(min(DIFFERENT, count), random_state=5, size=SIZE)):
        first = pictures / f"animal_{number:04d}.jpg"
        Image.fromarray(np.asarray(scene.image.pixels)).save(first, quality=92)
        joints, outline = scene.hints["keypoints"], scene.hints["outline"]
        assert isinstance(joints, Keypoints)
        assert isinstance(outline, Mask)
        joints = Keypoints(joints.names, joints.rows, joints.cols, joints.scores, 0)
        region = Instances((encode(outline.class_ids),), np.ones(1, np.uint8), np.ones(1), ("", "animal"), Grid(*SIZE))
        for copy in range(number, count, DIFFERENT):
            name = f"animal_{copy:04d}"
            keypoints[name], instances[name] = [joints], region
            if copy != number:
                shutil.copyfile(first, pictures / f"{name}.jpg")
    write_keypoints(folder / "joints.json", keypoints, instances=instances)
    return pictures


def by_command(folder: Path, pictures: Path, count: int) -> dict[str, Any]:
    """CPU seconds and memory of `label` over all pictures."""
    memory: dict[int, float] = {}

    def note(progress: Progress) -> None:
        memory[progress.done] = status_mb("VmHWM")

    label("keypoint_parts", pictures / "animal_0000.jpg", hints=folder / "joints.json", out=folder / "first")
    start = time.process_time()
    outcome = label("keypoint_parts", pictures, hints=folder / "joints.json", out=folder / "parts", progress=note)
    seconds = time.process_time() - start
    assert outcome.done == count, outcome.failed
    quarter = memory[min(memory, key=lambda done: abs(done - count // 4))]
    return {"pictures_per_second": count / seconds, "peak_mb_quarter": quarter, "peak_mb": status_mb("VmHWM")}


def by_hand(folder: Path, pictures: Path) -> dict[str, float]:
    """CPU milliseconds per picture of its three steps, without a ledger."""
    from maskwright.io.keypoints import read_keypoint_instances, read_keypoints

    paths = sorted(pictures.glob("*.jpg"))[:DIFFERENT]
    animals_of, outlines = read_keypoints(folder / "joints.json"), read_keypoint_instances(folder / "joints.json")
    method, spent = KeypointParts(), dict.fromkeys(("read", "assign", "write"), 0.0)
    for path in paths:
        times = [time.process_time()]
        image = checked_image(path)
        times.append(time.process_time())
        mask = method(image, [*animals_of[path.stem], outlines[path.stem]], ())
        times.append(time.process_time())
        write_mask(folder / f"{path.stem}.png", mask)
        times.append(time.process_time())
        for step, seconds in zip(spent, np.diff(times), strict=True):
            spent[step] += float(seconds)
    return {f"{step}_ms": 1000 * seconds / len(paths) for step, seconds in spent.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure joints to parts from file to file.")
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, where = Path(name), machine()
        pictures = write_pictures(folder, arguments.pictures)
        by_hand(folder, pictures)
        row = {"pictures": arguments.pictures, **by_hand(folder, pictures)}
        row |= by_command(folder, pictures, arguments.pictures)
    row = {key: round(value, 2) for key, value in row.items()}
    print("  ".join(f"{key} {value}" for key, value in row.items()))
    print(f"{where['processor']}, {where['cores']} cores, load {where['load_average'][0]}, commit {where['commit']}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"rows": [row], "machine": where}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
