"""How well outlines of real animals are found from their joints alone, without weights, by video.

    python -m benchmarks.foreground PICTURES --keypoints FILE --masks DIR [--every N] [--unnamed]
                                    [--json FILE] [--sheet FILE]

Prints a table by video (the first word of a picture's name): mean and least intersection over union, a 95 % interval of
the mean by drawing pictures again, seconds per picture, and how often a stated confidence was right. `--sheet` writes
all pictures with what was found (red) and the true outline (yellow) on one sheet.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import machine
from maskwright.io.images import read_image
from maskwright.io.keypoints import read_keypoints
from maskwright.io.samples import find_pictures
from maskwright.methods.foreground import Foreground
from maskwright.types import Keypoints

LEVELS = (0.5, 0.7, 0.9, 0.97, 1.0)


@dataclasses.dataclass(frozen=True, eq=False)
class Found:
    """One picture: its name, how much of what was found and of the truth is shared, seconds, right and all by level."""

    name: str
    overlap: float
    seconds: float
    right: NDArray[np.int64]
    all: NDArray[np.int64]


def main(words: Sequence[str] | None = None) -> int:
    """Measure every picture that has joints and a mask."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--keypoints", type=Path, required=True)
    parser.add_argument("--masks", type=Path, required=True)
    parser.add_argument("--every", type=int, default=1, help="take every Nth picture")
    parser.add_argument("--unnamed", action="store_true", help="as if nobody had named the joints")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sheet", type=Path)
    asked = parser.parse_args(words)
    pictures = find_pictures(asked.pictures)
    animals = read_keypoints(asked.keypoints, pictures=pictures)
    names = sorted(animals)[:: asked.every]
    found, tiles = [], []
    for name in names:
        joints = [_nameless(each) if asked.unnamed else each for each in animals[name]]
        one, tile = measure(name, pictures[name], joints, asked.masks / f"{name}.png")
        found.append(one)
        tiles.append(tile)
    rows = table(found)
    for row in rows:
        print("  ".join(f"{cell:>14}" if isinstance(cell, str) else f"{cell:14.3f}" for cell in row.values()))
    print("stated confidence and share that was right:", calibration(found))
    if asked.sheet:
        cv2.imwrite(str(asked.sheet), sheet(tiles))
    if asked.json:
        content = {"rows": rows, "calibration": calibration(found), "machine": machine()}
        asked.json.write_text(json.dumps(content, indent=2) + "\n")
    return 0


def measure(name: str, path: Path, joints: list[Keypoints], truth_path: Path) -> tuple[Found, NDArray[np.uint8]]:
    """What is found in one picture against its truth, and both drawn over it at half its size."""
    image = read_image(path)
    truth = np.asarray(read_image(truth_path).pixels)[..., 0] > 127
    method = Foreground()
    began = time.perf_counter()
    mask = method(image, joints, ())
    seconds = time.perf_counter() - began
    region = mask.class_ids == 1
    overlap = float((region & truth).sum() / max(1, (region | truth).sum()))
    assert mask.confidence is not None
    level = np.digitize(mask.confidence, LEVELS[1:-1]).ravel()
    near = cv2.dilate((region | truth).astype(np.uint8), np.ones((61, 61), np.uint8)).ravel() > 0
    right = np.bincount(level[near], (region == truth).ravel()[near], len(LEVELS) - 1).astype(np.int64)
    total = np.bincount(level[near], minlength=len(LEVELS) - 1)
    return Found(name, overlap, seconds, right, total), _drawn(np.asarray(image.pixels), region, truth, overlap)


def table(found: Sequence[Found]) -> list[dict[str, Any]]:
    """One row per video and one for all pictures."""
    random = np.random.default_rng(0)
    videos = sorted({each.name.split("_")[0] for each in found})
    rows = []
    for video in [*videos, "all"]:
        own = [each for each in found if video in (each.name.split("_")[0], "all")]
        values = np.array([each.overlap for each in own])
        means = values[random.integers(len(values), size=(2000, len(values)))].mean(axis=1)
        low, high = np.percentile(means, (2.5, 97.5))
        rows.append(
            {"video": video, "pictures": str(len(own)), "iou": float(values.mean()), "low": float(low),
             "high": float(high), "least": float(values.min()),
             "seconds": float(np.median([each.seconds for each in own]))}
        )  # fmt: skip
    return rows


def calibration(found: Sequence[Found]) -> list[dict[str, float]]:
    """Share of pixels within 30 px of the animal that were right, by the confidence that was stated."""
    right, total = (sum(getattr(each, name) for each in found) for name in ("right", "all"))
    return [
        {"from": LEVELS[index], "to": LEVELS[index + 1], "right": round(float(right[index] / total[index]), 3)}
        for index in range(len(LEVELS) - 1)
        if total[index]
    ]


def sheet(tiles: Sequence[NDArray[np.uint8]], columns: int = 5) -> NDArray[np.uint8]:
    """Tiles side by side, `columns` in a row, on white."""
    height, width = (max(each.shape[axis] for each in tiles) for axis in (0, 1))
    rows = -(-len(tiles) // columns)
    whole = np.full((rows * height, columns * width, 3), 255, np.uint8)
    for index, tile in enumerate(tiles):
        top, left = index // columns * height, index % columns * width
        whole[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return whole


def _nameless(animal: Keypoints) -> Keypoints:
    return dataclasses.replace(animal, names=tuple(f"p{index}" for index in range(len(animal.names))))


def _drawn(
    pixels: NDArray[np.uint8], region: NDArray[np.bool_], truth: NDArray[np.bool_], overlap: float
) -> NDArray[np.uint8]:
    shown = np.ascontiguousarray(pixels[..., 2::-1])
    shown[region] = (shown[region] * 0.55 + np.array([0, 0, 255]) * 0.45).astype(np.uint8)
    outlines, _ = cv2.findContours(truth.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(shown, outlines, -1, (0, 255, 255), 2)
    cv2.putText(shown, f"{overlap:.3f}", (12, 36), cv2.FONT_HERSHEY_SIMPLEX, 1.1, (255, 255, 255), 3)
    small = cv2.resize(shown, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    raise SystemExit(main())
