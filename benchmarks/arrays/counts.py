"""Confusion counts over a folder: against numpy, torchmetrics and scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.arrays.regions import make_mask
from benchmarks.case import Case
from maskwright.arrays.counts import confusion

CLASSES = 21
SIZE = f"100 masks of 512x512, {CLASSES} classes, ignore"


def make() -> list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Predictions that are the truth moved by three pixels; a tenth of the truth is unknown."""
    random = np.random.default_rng(0)
    pairs = []
    for number in range(10):
        truth = make_mask(10, 512, CLASSES, number)
        predicted = np.roll(truth, 3, axis=1)
        truth[:51] = 255
        predicted[random.random(predicted.shape) < 0.01] = number
        pairs.append((predicted, truth))
    return pairs * 10


def folder(pairs: Any) -> NDArray[np.int64]:
    total = np.zeros((CLASSES, CLASSES + 1), np.int64)
    for predicted, truth in pairs:
        confusion(predicted, truth, CLASSES, into=total)
    return total[:, :CLASSES]


def bincount(pairs: Any) -> NDArray[np.int64]:
    total = np.zeros(CLASSES * CLASSES, np.int64)
    for predicted, truth in pairs:
        known = truth != 255
        total += np.bincount(truth[known].astype(np.uint16) * CLASSES + predicted[known], minlength=len(total))
    return total.reshape(CLASSES, CLASSES)


def by_torchmetrics(pairs: Any) -> NDArray[np.int64]:
    import torch
    from torchmetrics.classification import MulticlassConfusionMatrix

    metric = MulticlassConfusionMatrix(CLASSES, ignore_index=255)
    for predicted, truth in pairs:
        metric.update(torch.from_numpy(predicted), torch.from_numpy(truth))
    return metric.compute().numpy()


def by_sklearn(pairs: Any) -> NDArray[np.int64]:
    from sklearn.metrics import confusion_matrix

    total = np.zeros((CLASSES, CLASSES), np.int64)
    for predicted, truth in pairs[:10]:
        known = truth != 255
        total += confusion_matrix(truth[known], predicted[known], labels=range(CLASSES))
    return total


def make_big() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """One large mask of noise, which no run of equal pixels makes quick, and one like it."""
    random = np.random.default_rng(1)
    truth = random.integers(0, CLASSES, (6000, 8000)).astype(np.uint8)
    return truth[::-1].copy(), truth


def differs(ours: Any, theirs: Any) -> str:
    return "" if np.array_equal(ours, theirs) else "differs"


CASES = [
    Case("confusion", SIZE, make, folder, "numpy bincount", bincount, 1.0, (), differs),
    Case("confusion", SIZE, make, folder, "torchmetrics", by_torchmetrics, 20.0, ("torchmetrics",), differs),
    Case(
        "confusion",
        SIZE.replace("100", "10"),
        make,
        lambda pairs: folder(pairs[:10]),
        "scikit-learn",
        by_sklearn,
        3.0,
        ("sklearn",),
        differs,
    ),
    Case(
        "confusion, 2 threads",
        "6000x8000, 21 classes, noise",
        make_big,
        lambda pair: confusion(*pair, CLASSES, threads=2),
        "ours on 1 thread",
        lambda pair: confusion(*pair, CLASSES),
        1.6,
        (),
        differs,
        threads=2,
    ),
]
