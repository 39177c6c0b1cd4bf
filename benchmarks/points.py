"""Points to masks on real photographs: `python -m benchmarks.points DATA [--most 12] [--side 384] [--json FILE]`.

DATA holds the sets of `docs/points.md`. Of every set up to `--most` pictures, evenly through its sorted names, are
taken at no more than `--side` pixels on their longer side. From the truth of each, N points per class are drawn at
random without replacement (all pixels of a class that has fewer), seeded by picture and N alone; 5, 20 and 100 unless
said otherwise. Each method gets the pictures and the points, nothing else. The score is the mean IoU over the classes
of all pictures together (`metrics.overlap`), with a 95 % bootstrap interval by picture, by site where a set has several
(the four videos of animals).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import machine
from maskwright.io.images import read_image
from maskwright.methods.catalogue import make_method
from maskwright.metrics.intervals import bootstrap
from maskwright.metrics.overlap import Overlap
from maskwright.types import UNKNOWN, Mask, Points, Sample

NAMES = ("background", "thing")
METHODS = ("nearest_point", "geodesic_point", "random_walk", "point_forest")


@dataclass(frozen=True, eq=False)
class Labelled:
    """A picture with its truth."""

    sample: Sample
    truth: Mask


def pairs(data: Path, name: str) -> Iterator[tuple[str, NDArray[Any], NDArray[np.uint8]]]:
    """Name, pixels and truth of every picture of a set, in order of names."""
    if name == "buildings":
        pixels = np.asarray(read_image(data / name / "sample_geotiff.tif").pixels)
        truth = np.asarray(read_image(data / name / "sample_fp_mask_from_geojson.tif").pixels)[..., 0] > 0
        for number in range(9):  # one picture of 900 x 900: nine of 300 x 300
            part = tuple(slice(300 * each, 300 * each + 300) for each in divmod(number, 3))
            yield f"part-{number}", pixels[part], truth[part].astype(np.uint8)
        return
    truths = data / name / ("instances" if name == "nuclei" else "masks")
    for path in sorted((data / name / "images").iterdir()):
        mask = cv2.imread(str(truths / f"{path.stem}.png"), cv2.IMREAD_UNCHANGED)
        mask = mask if mask.ndim == 2 else mask[..., 0]
        yield (
            path.stem,
            np.asarray(read_image(path).pixels),
            (mask > (127 if name == "herbarium" else 0)).astype(np.uint8),
        )


def shrunk(pixels: NDArray[Any], truth: NDArray[np.uint8], side: int) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Both at no more than `side` pixels: averages of pixels, the nearest class."""
    height, width = truth.shape
    share = side / max(height, width)
    if share >= 1:
        return pixels, truth
    size = (round(width * share), round(height * share))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    nearest: NDArray[np.uint8] = cv2.resize(truth, size, interpolation=cv2.INTER_NEAREST).astype(np.uint8)
    return small if small.ndim == 3 else small[..., None], nearest


def drawn(truth: NDArray[np.uint8], count: int, random: np.random.Generator) -> Points:
    """`count` pixels of each class, or all it has."""
    places = []
    for class_id in np.unique(truth[truth != UNKNOWN]):
        found = np.flatnonzero(truth == class_id)
        places.append(random.choice(found, min(count, len(found)), replace=False))
    flat = np.concatenate(places)
    rows, cols = np.divmod(flat, truth.shape[1])
    return Points(rows.astype(float), cols.astype(float), truth.ravel()[flat])


def collection(data: Path, name: str, count: int, most: int, side: int, folder: Path) -> list[Labelled]:
    """The pictures of a set as files in a folder of their own, with their points."""
    every = list(pairs(data, name))
    chosen = [every[round(each)] for each in np.linspace(0, len(every) - 1, min(most, len(every)))]
    result = []
    for number, (stem, pixels, truth) in enumerate(chosen):
        pixels, truth = shrunk(pixels, truth, side)
        path = folder / name / f"{stem}.png"
        path.parent.mkdir(exist_ok=True, parents=True)
        cv2.imwrite(str(path), pixels[..., ::-1] if pixels.shape[2] == 3 else pixels)
        site = stem.rsplit("_", 1)[0] if name == "animals" else None
        points = drawn(truth, count, np.random.default_rng([count, number]))
        result.append(Labelled(Sample(stem, path, hints=(points,), site=site), Mask(truth, NAMES)))
    return result


def labeler(method: str, pictures: Sequence[Labelled]) -> Callable[..., Mask]:
    made = make_method(method)
    return made([each.sample for each in pictures]) if method == "point_forest" else made


def measured(method: str, pictures: Sequence[Labelled]) -> dict[str, Any]:
    """Mean IoU with its interval, and seconds per picture (learning included)."""
    metric, began = Overlap(NAMES), time.perf_counter()
    label = labeler(method, pictures)
    masks = [label(read_image(each.sample.image_path), each.sample.hints, NAMES) for each in pictures]
    seconds = (time.perf_counter() - began) / len(pictures)
    tallies = [metric.tally(mask, each.truth) for mask, each in zip(masks, pictures, strict=True)]
    found = bootstrap(tallies, metric.scores, sites=[each.sample.site for each in pictures])["mean_iou"]
    sure = [np.asarray(mask.confidence) for mask in masks if mask.confidence is not None]
    right = [mask.class_ids == each.truth.class_ids for mask, each in zip(masks, pictures, strict=True)]
    claimed, was = (float(np.mean([part.mean() for part in each])) for each in (sure, right))
    return {**found, "seconds": seconds, "claimed": claimed, "right": was}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.points", description="Points to masks on photographs.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="+", default=["nuclei", "herbarium", "buildings", "animals"])
    parser.add_argument("--points", nargs="+", type=int, default=[5, 20, 100])
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--most", type=int, default=12)
    parser.add_argument("--side", type=int, default=384)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = []
    for name in arguments.sets:
        for count in arguments.points:
            with tempfile.TemporaryDirectory() as folder:
                pictures = collection(arguments.data, name, count, arguments.most, arguments.side, Path(folder))
                scores = {method: measured(method, pictures) for method in arguments.methods}
            rows.append({"set": name, "points": count, "pictures": len(pictures), "scores": scores})
            cells = [f"{each['value']:.3f} ({each['low']:.2f}-{each['high']:.2f})" for each in scores.values()]
            print(f"| {name} | {count} | {' | '.join(cells)} |", flush=True)
    seconds = {each: np.mean([row["scores"][each]["seconds"] for row in rows]) for each in arguments.methods}
    told = ", ".join(f"{each} {value:.1f}" for each, value in seconds.items())
    print(f"seconds per picture at load {os.getloadavg()[0]:.1f}: {told}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"rows": rows, "machine": machine()}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
