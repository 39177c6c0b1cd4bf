"""Nearest seed of many, inside a region: against a k-d tree, and against OpenCV's labelled distance transform."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.case import Case
from maskwright.arrays.seeds import nearest_seed

SHAPE = (1024, 1024)


def make() -> dict[str, Any]:
    """67 seeds and a disc-shaped region of about 472,000 pixels."""
    random = np.random.default_rng(7)
    flat = random.choice(SHAPE[0] * SHAPE[1], 67, replace=False)
    rows, cols = np.divmod(flat, SHAPE[1])
    r, c = np.indices(SHAPE)
    region = (r - 512.0) ** 2 + (c - 512.0) ** 2 < 387.6**2
    return {"rows": rows.astype(float), "cols": cols.astype(float), "region": region}


def ours(inputs: dict[str, Any]) -> Any:
    return nearest_seed(SHAPE, inputs["rows"], inputs["cols"], region=inputs["region"])


def tree(inputs: dict[str, Any]) -> Any:
    from scipy.spatial import cKDTree

    index = np.full(SHAPE, -1, np.int32)
    distance = np.full(SHAPE, np.inf)
    seeds = np.column_stack([inputs["rows"], inputs["cols"]])
    distance[inputs["region"]], index[inputs["region"]] = cKDTree(seeds).query(np.argwhere(inputs["region"]))
    return index, distance


def transform(inputs: dict[str, Any]) -> Any:
    import cv2

    free = np.ones(SHAPE, np.uint8)
    free[inputs["rows"].astype(int), inputs["cols"].astype(int)] = 0
    distance, labels = cv2.distanceTransformWithLabels(free, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    seed_of = np.zeros(len(inputs["rows"]) + 1, np.int32)
    seed_of[labels[inputs["rows"].astype(int), inputs["cols"].astype(int)]] = np.arange(len(inputs["rows"]))
    return np.where(inputs["region"], seed_of[labels], -1), np.where(inputs["region"], distance, np.inf)


def farther(ours: Any, theirs: Any) -> str:
    """In how many pixels the peer's seed is strictly farther than the nearest one."""
    inputs, (row, col) = make(), np.indices(SHAPE)
    chosen = np.maximum(theirs[0], 0)
    distance = np.hypot(row - inputs["rows"][chosen], col - inputs["cols"][chosen])
    worse = inputs["region"] & (distance > ours[1] + 1e-9)
    return f"peer wrong in {int(worse.sum()):,} pixels" if worse.any() else ""


def make_big() -> dict[str, Any]:
    random = np.random.default_rng(8)
    return {"rows": random.random(5000) * 4096, "cols": random.random(5000) * 4096}


def big(threads: int) -> Callable[[dict[str, Any]], Any]:
    return lambda inputs: nearest_seed((4096, 4096), inputs["rows"], inputs["cols"], threads=threads)


SIZE = "1024x1024, 67 seeds, 472k pixels"
CASES = [
    Case("nearest seed", SIZE, make, ours, "scipy cKDTree", tree, 3.0, ("scipy",), farther),
    Case("nearest seed", SIZE, make, ours, "cv2 distanceTransformWithLabels", transform, None, ("cv2",), farther),
    Case(
        "nearest seed, 2 threads",
        "4096x4096, 5,000 seeds",
        make_big,
        big(2),
        "ours on 1 thread",
        big(1),
        1.6,
        threads=2,
    ),
]
