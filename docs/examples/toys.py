"""The toy data sets: one scene of each beside its truth, drawn from a seed.

Run it: python docs/examples/toys.py [FOLDER FOR THE PICTURE]
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as Picture

from maskwright.arrays.colour import overlay
from maskwright.io.classes import Classes
from maskwright.pipelines.toy_sets import SETS, flat_truth


def main(folder: Path, *, height: int = 220) -> list[str]:
    """Draw toys.jpg into `folder`; gives the names of the scenes in it."""
    columns, names = [], []
    for name in SETS:
        toy = importlib.import_module(f"maskwright.toys.{name}")
        scene = toy.make(1, random_state=3)[0]
        pixels = np.asarray(scene.image.pixels)
        colours = Classes(toy.CLASS_NAMES, toy.COLORS).palette()[:255]
        truth = overlay(pixels, flat_truth(scene).class_ids, colours, opacity=0.62)
        size = (round(height * 4 / 3), height)
        columns.append(np.vstack([cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in (pixels, truth)]))
        names.append(scene.name)
    folder.mkdir(parents=True, exist_ok=True)
    Picture.fromarray(np.hstack(columns)).save(folder / "toys.jpg", quality=85)
    return names


if __name__ == "__main__":
    print("drawn:", ", ".join(main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/pictures"))))
