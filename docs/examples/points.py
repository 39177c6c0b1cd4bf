"""Points to a mask, in memory: a toy reef, sixty named pixels, three methods, and how good each is.

Run it: python docs/examples/points.py [FOLDER FOR THE PICTURE]
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as Picture

import maskwright as mw
from maskwright.arrays.colour import overlay
from maskwright.io.classes import Classes
from maskwright.metrics.overlap import Overlap
from maskwright.toys import reef


def main(folder: Path) -> dict[str, float]:
    """Draw points.jpg into `folder`; gives the mean IoU of each method on this one scene."""
    scene = reef.make(1, random_state=0)[0]
    points = scene.hints["points"]
    assert isinstance(scene.truth, mw.Mask) and isinstance(points, mw.Points)

    metric = Overlap(reef.CLASS_NAMES)
    masks, scores = {}, {}
    for method in (mw.NearestPoint(), mw.GeodesicPoint(), mw.RandomWalk()):
        mask = method(scene.image, [points], reef.CLASS_NAMES)
        name = mask.history[-1].name
        masks[name], scores[name] = mask, metric.scores(metric.tally(mask, scene.truth))["mean_iou"]

    pixels = np.asarray(scene.image.pixels)
    colours = Classes(reef.CLASS_NAMES, reef.COLORS).palette()[:255]
    shown = [pixels, dotted(pixels, points, colours)]
    shown += [overlay(pixels, each.class_ids, colours, opacity=0.62) for each in (masks["geodesic_point"], scene.truth)]
    gap = np.full((pixels.shape[0], 8, 3), 255, np.uint8)
    strip = np.hstack([part for picture in shown for part in (picture, gap)][:-1])
    folder.mkdir(parents=True, exist_ok=True)
    half = cv2.resize(strip, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    Picture.fromarray(half).save(folder / "points.jpg", quality=88)
    return scores


def dotted(pixels: np.ndarray, points: mw.Points, colours: np.ndarray) -> np.ndarray:
    """The picture, grey and pale, with the points in the colours of their classes."""
    grey = np.repeat(120 + 0.5 * pixels.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    canvas = np.ascontiguousarray(grey)
    for row, col, class_id in zip(points.rows, points.cols, points.class_ids, strict=True):
        cv2.circle(canvas, (int(col), int(row)), 8, (255, 255, 255), -1, cv2.LINE_AA)
        cv2.circle(canvas, (int(col), int(row)), 6, colours[class_id].tolist(), -1, cv2.LINE_AA)
    return canvas


if __name__ == "__main__":
    for name, score in main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/pictures")).items():
        print(f"{name}: mean IoU {score:.3f}")
