"""Regions of multi-class masks: against scipy, class by class."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.case import Case
from maskwright.arrays.depths import inner_points
from maskwright.arrays.regions import components, fill_holes, outlines, remove_islands

CLASSES = 8
SIZE = f"1024x1024, {CLASSES} classes"


def make_mask(blur: float = 12, size: int = 1024, classes: int = CLASSES, random_state: int = 7) -> NDArray[np.uint8]:
    """Patches as they grow in nature: the largest of several blurred noises."""
    import cv2

    random = np.random.default_rng(random_state)
    fields = [cv2.GaussianBlur(random.normal(size=(size, size)), (0, 0), blur) for _ in range(classes)]
    return np.argmax(fields, axis=0).astype(np.uint8)


def make() -> dict[str, Any]:
    mask = make_mask()
    return {"mask": mask, "labels": components(mask).labels}


def label(inputs: dict[str, Any]) -> int:
    from scipy import ndimage

    return sum(int(ndimage.label(inputs["mask"] == each, np.ones((3, 3)))[1]) for each in range(CLASSES))


def holes(inputs: dict[str, Any]) -> list[NDArray[np.bool_]]:
    from scipy import ndimage

    return [ndimage.binary_fill_holes(inputs["mask"] == each) for each in range(CLASSES)]


def islands(inputs: dict[str, Any]) -> list[NDArray[np.bool_]]:
    from scipy import ndimage

    found = []
    for each in range(CLASSES):
        labels, count = ndimage.label(inputs["mask"] == each, np.ones((3, 3)))
        small = np.bincount(labels.ravel(), minlength=count + 1) < 50
        small[0] = False
        found.append(small[labels])
    return found


def rims(inputs: dict[str, Any]) -> NDArray[np.bool_]:
    from scipy import ndimage

    found = np.zeros(inputs["mask"].shape, bool)
    for each in range(CLASSES):
        own = inputs["mask"] == each
        found |= own & ~ndimage.binary_erosion(own, border_value=1)
    return found


def deepest(inputs: dict[str, Any]) -> list[Any]:
    from scipy import ndimage

    found = []
    for each in range(CLASSES):
        own = np.pad(inputs["mask"] == each, 1)
        depth = ndimage.distance_transform_edt(own)[1:-1, 1:-1]
        labels, count = ndimage.label(inputs["mask"] == each, np.ones((3, 3)))
        found.extend(ndimage.maximum_position(depth, labels, range(1, count + 1)))
    return found


CASES = [
    Case(
        "components",
        SIZE,
        make,
        lambda inputs: components(inputs["mask"]),
        "scipy label per class",
        label,
        5.0,
        ("scipy",),
        lambda ours, theirs: "" if ours.count == theirs else f"{ours.count} regions, peer {theirs}",
        reads=itemgetter("mask"),
    ),
    Case(
        "holes",
        SIZE,
        make,
        lambda inputs: fill_holes(inputs["mask"]),
        "scipy binary_fill_holes per class",
        holes,
        5.0,
        ("scipy",),
        reads=itemgetter("mask"),
    ),
    Case(
        "small islands",
        SIZE,
        make,
        lambda inputs: remove_islands(inputs["mask"], 50),
        "scipy label and count per class",
        islands,
        5.0,
        ("scipy",),
        reads=itemgetter("mask"),
    ),
    Case(
        "outlines",
        SIZE,
        make,
        lambda inputs: outlines(inputs["mask"]),
        "scipy binary_erosion per class",
        rims,
        5.0,
        ("scipy",),
        lambda ours, theirs: "" if np.array_equal(ours, theirs) else "differs",
        reads=itemgetter("mask"),
    ),
    Case(
        "inner points",
        SIZE,
        make,
        lambda inputs: inner_points(inputs["labels"]),
        "scipy distance transform per class",
        deepest,
        5.0,
        ("scipy",),
        lambda ours, theirs: "" if len(ours) == len(theirs) else "differs",
        reads=itemgetter("labels"),
    ),
]
