"""Rough masks to better ones on real photographs: `python -m benchmarks.refine DATA [--most 8] [--side 320]`.

Pictures as in `benchmarks.points`. Their truth is made rough in four ways: "blocks" (8-pixel squares with the class
most of them have, on a shifted grid), "grown" and "shrunk" by 4 pixels, and "shifted" by 4 down and 3 to the right. The
score is the mean IoU of each rough mask, and after `refine_with_edges` with its defaults, with 95 % intervals by
picture or site.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.points import NAMES, collection
from maskwright.io.images import read_image
from maskwright.methods.refine_with_edges import RefineWithEdges
from maskwright.metrics.intervals import bootstrap
from maskwright.metrics.overlap import Overlap
from maskwright.types import Mask

Ids = NDArray[np.uint8]
BLOCK_PX = 8


def in_blocks(truth: Ids) -> Ids:
    """Squares of BLOCK_PX, on a grid shifted by 3, with the class that more than half of each has."""
    padded = np.pad(truth, ((3, 2 * BLOCK_PX), (3, 2 * BLOCK_PX)), mode="edge")
    height, width = (size // BLOCK_PX * BLOCK_PX for size in padded.shape)
    squares = padded[:height, :width].reshape(height // BLOCK_PX, BLOCK_PX, width // BLOCK_PX, BLOCK_PX)
    coarse = (squares.mean(axis=(1, 3)) > 0.5).astype(np.uint8)
    return coarse.repeat(BLOCK_PX, 0).repeat(BLOCK_PX, 1)[3 : 3 + truth.shape[0], 3 : 3 + truth.shape[1]]


def shifted(truth: Ids) -> Ids:
    return np.pad(truth, ((4, 0), (3, 0)), mode="edge")[: truth.shape[0], : truth.shape[1]]


DISC = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
WAYS: dict[str, Callable[[Ids], Any]] = {
    "blocks": in_blocks,
    "grown": lambda truth: cv2.dilate(truth, DISC),
    "shrunk": lambda truth: cv2.erode(truth, DISC),
    "shifted": shifted,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.refine", description="Rough masks, refined.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="+", default=["nuclei", "herbarium", "buildings", "animals"])
    parser.add_argument("--most", type=int, default=8)
    parser.add_argument("--side", type=int, default=320)
    arguments = parser.parse_args()
    metric, refiner = Overlap(NAMES), RefineWithEdges()
    for name in arguments.sets:
        with tempfile.TemporaryDirectory() as folder:
            pictures = collection(arguments.data, name, 1, arguments.most, arguments.side, Path(folder))
            images = [read_image(each.sample.image_path) for each in pictures]
        for way, spoil in WAYS.items():
            rough = [Mask(spoil(each.truth.class_ids), NAMES) for each in pictures]
            refined = [refiner(image, mask) for image, mask in zip(images, rough, strict=True)]
            cells = []
            for masks in (rough, refined):
                tallies = [metric.tally(mask, each.truth) for mask, each in zip(masks, pictures, strict=True)]
                sites = [each.sample.site for each in pictures]
                found = bootstrap(tallies, metric.scores, sites=sites)["mean_iou"]
                cells.append(f"{found['value']:.3f} ({found['low']:.2f}-{found['high']:.2f})")
            print(f"| {name} | {way} | {' | '.join(cells)} |", flush=True)
    print(f"load {os.getloadavg()[0]:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
