"""Random-walk probabilities of 5 classes: against scikit-image, solved directly and by conjugate gradients."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.case import Case
from maskwright.arrays.seeds import random_walk


def make(size: int) -> dict[str, Any]:
    """A cloudy RGB picture, uint8, and 20 seeds of 5 x 5 pixels."""
    from scipy import ndimage

    random = np.random.default_rng(3)
    clouds = sum(s * ndimage.gaussian_filter(random.normal(size=(size, size, 3)), (s, s, 0)) for s in (1, 4, 16))
    clouds -= clouds.min()
    labels = np.full((size, size), -1, np.int32)
    for seed in range(20):
        row, col = random.integers(0, size - 5, 2)
        labels[row : row + 5, col : col + 5] = seed % 5
    return {"pixels": (clouds * (255 / clouds.max())).astype(np.uint8), "labels": labels}


def ours(inputs: dict[str, Any]) -> Any:
    return random_walk(inputs["pixels"], inputs["labels"], 5)


def walker(mode: str) -> Callable[[dict[str, Any]], Any]:
    def run(inputs: dict[str, Any]) -> Any:
        from skimage.segmentation import random_walker

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # without pyamg it says that "cg_mg" becomes "cg_j"
            return random_walker(
                inputs["pixels"], inputs["labels"] + 1, mode=mode, return_full_prob=True, channel_axis=-1
            )

    return run


def difference(ours: Any, theirs: Any) -> str:
    return f"largest difference {float(np.abs(ours - theirs).max()):.0e}"


CASES = [
    Case("random walk", f"{size}x{size} RGB, 5 classes", partial(make, size), ours, f"scikit-image {mode}",
         walker(mode), 3.0, ("skimage",), difference)
    for size, mode in ((512, "bf"), (256, "cg_mg"))  # cg_mg takes half a minute at 512
]  # fmt: skip
