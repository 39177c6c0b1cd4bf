"""`python -m benchmarks.costs [NAME...]`: what methods need of one core and of memory, for `methods.catalogue.COSTS`.

Each method runs in a process of its own, one thread, default settings, on toy animals of 512 x 704 pixels with their
points, joints and masks. A call with small pictures comes first; memory is the rise of the resident set's peak over the
next one, seconds are processor time of the one after. Networks have their real size and random weights. Learners that
take steps are told by what 24 steps take more than 12.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import PIL.Image

from benchmarks.measure import _status_mb as status_mb
from maskwright.io.images import read_image
from maskwright.io.masks import write_mask
from maskwright.methods.catalogue import METHODS, find_method, stage_of
from maskwright.toys import animals
from maskwright.toys.scenes import Scene
from maskwright.types import Mask, Points, Sample, Tags

SIZE, SMALL, COUNT, POINTS = (512, 704), (96, 128), 4, 60
NOT_HERE = ("survey_scores", "coarse_mask")  # they work on the grids of other sensors


def sample(scene: Scene, folder: Path, name: str) -> Sample:
    """A picture, its mask as a file, and hints of every kind."""
    folder.mkdir(exist_ok=True)
    path, mask_path = folder / f"{scene.name}.png", folder / "masks" / f"{scene.name}.png"
    PIL.Image.fromarray(np.asarray(scene.image.pixels)).save(path)
    assert isinstance(scene.truth, Mask)
    write_mask(mask_path, scene.truth)
    ids = scene.truth.class_ids
    at = np.random.default_rng(0).integers(0, ids.shape, (POINTS, 2))
    points = Points(at[:, 0].astype(float), at[:, 1].astype(float), ids[tuple(at.T)])
    tags = Tags(frozenset({"animal"} if scene.name[-1] in "02" else ()), frozenset({"tree"}))
    hints = {"train_tags": (tags,), "train_parts": (), "train_semantic": ()}.get(name, (points,))
    return Sample(scene.name, path, hints=hints, mask_paths=(mask_path,) if name.startswith("train") else ())


def settings_of(name: str, folder: Path) -> dict[str, Any]:
    """Weights of real size, drawn at random, for the methods that need some."""
    if name == "refine_with_sam":
        import transformers

        transformers.SamModel(transformers.SamConfig()).save_pretrained(folder / "sam")
        return {"model": str(folder / "sam")}
    if name == "train_tags":
        import transformers

        transformers.Dinov2Model(transformers.Dinov2Config(image_size=518)).save_pretrained(folder / "dino")
        return {"backbone": str(folder / "dino"), "epochs": 5}
    return {}


def work_of(name: str, method: Any, scenes: list[Scene], folder: Path) -> tuple[Callable[[], Any], float]:
    """What is timed, and how many megapixels that is."""
    scene = scenes[0]
    assert isinstance(scene.truth, Mask)
    mpx = scene.truth.class_ids.size / 1e6
    rough = Mask(scene.truth.class_ids[::16, ::16].repeat(16, 0).repeat(16, 1), scene.truth.class_names)
    stage = stage_of(type(method))
    if stage == "refiner":
        return lambda: method(scene.image, rough), mpx
    if stage == "labeler":
        own = {"keypoint_parts": ("keypoints", "outline"), "foreground": ("keypoints",)}.get(name, ())
        hints = [scene.hints[each] for each in own] or list(sample(scene, folder, name).hints)
        names = () if name == "foreground" else scene.truth.class_names
        return lambda: method(scene.image, hints, names), mpx
    samples = [sample(each, folder, name) for each in scenes]
    if name == "point_forest":

        def learn_and_label() -> None:
            labeler = method(samples)
            for each in samples:
                labeler(read_image(each.image_path), each.hints, animals.CLASS_NAMES)

        return learn_and_label, mpx * len(samples)
    return lambda: method(samples), mpx * len(samples)


def timed(work: Callable[[], Any]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def measure(name: str) -> None:
    """Print one line of one method."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        small, large = (animals.make(COUNT, random_state=1, size=each) for each in (SMALL, SIZE))
        steps = getattr(find_method(name), "steps", None)
        settings = settings_of(name, folder)
        method = find_method(name)(**settings, **({"steps": 12, "split": "none"} if steps else {}))
        work_of(name, method, small, folder / "small")[0]()
        work, mpx = work_of(name, method, large, folder / "large")
        before = status_mb("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")
        work()
        more, seconds = status_mb("VmHWM") - before, timed(work)
        if steps:
            longer = find_method(name)(steps=24, split="none")
            seconds = (timed(work_of(name, longer, large, folder / "large")[0]) - seconds) / 12
    known = f"{seconds:.3f} s a step" if steps else f"{seconds / mpx:6.2f} s/Mpx"
    print(f"{name:18s} {known}  {more:6.0f} MB  {more / mpx:6.0f} bytes/px of {mpx:.2f} Mpx", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what methods cost.")
    parser.add_argument("names", nargs="*", default=[each for each in METHODS if each not in NOT_HERE])
    parser.add_argument("--here", action="store_true", help="in this process, for one method")
    arguments = parser.parse_args()
    for name in arguments.names:
        if arguments.here:
            measure(name)
        else:
            subprocess.run([sys.executable, "-m", "benchmarks.costs", "--here", name], check=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
