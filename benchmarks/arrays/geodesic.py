"""Geodesic distance and labels from 5 seeds in an RGB picture: against scikit-image's paths and FastGeodis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.case import Case
from maskwright.arrays.seeds import geodesic_distance, geodesic_nearest

WEIGHT = 0.9


def make(size: int) -> Callable[[], dict[str, Any]]:
    """A cloudy RGB picture in 0..255 and 5 seeds with a class each."""

    def inputs() -> dict[str, Any]:
        from scipy import ndimage

        random = np.random.default_rng(3)
        clouds = sum(s * ndimage.gaussian_filter(random.normal(size=(size, size, 3)), (s, s, 0)) for s in (1, 4, 16))
        clouds -= clouds.min()
        labels = np.full((size, size), -1, np.int32)
        labels.ravel()[random.choice(size * size, 5, replace=False)] = range(5)
        return {"pixels": (clouds * (255 / clouds.max())).astype(np.float32), "labels": labels}

    return inputs


def distance(inputs: dict[str, Any]) -> Any:
    return geodesic_distance(inputs["pixels"], inputs["labels"] >= 0, colour_weight=WEIGHT)


def nearest(inputs: dict[str, Any]) -> Any:
    return geodesic_nearest(inputs["pixels"], inputs["labels"], colour_weight=WEIGHT)


def paths(inputs: dict[str, Any]) -> Any:
    """Another metric (the mean cost of the two pixels, grey only), which is what the library offers."""
    from skimage.graph import MCP_Geometric

    grey = inputs["pixels"].mean(axis=2) + 1.0
    return MCP_Geometric(grey).find_costs(np.argwhere(inputs["labels"] >= 0))[0]


def raster(inputs: dict[str, Any]) -> Any:
    """4 iterations, which is not converged."""
    import FastGeodis
    import torch

    picture = torch.from_numpy(inputs["pixels"]).permute(2, 0, 1)[None].contiguous()
    soft = torch.from_numpy((inputs["labels"] < 0).astype(np.float32))[None, None]
    return FastGeodis.generalised_geodesic2d(picture, soft, 1e10, WEIGHT, 4).numpy()[0, 0]


CASES = [
    case
    for size in (512, 1024)
    for case in (
        Case(
            "geodesic distance",
            f"{size}x{size} RGB",
            make(size),
            distance,
            "scikit-image MCP",
            paths,
            2.0,
            ("skimage",),
        ),
        Case(
            "geodesic labels", f"{size}x{size} RGB", make(size), nearest, "scikit-image MCP", paths, 2.0, ("skimage",)
        ),
        Case(
            "geodesic distance",
            f"{size}x{size} RGB",
            make(size),
            distance,
            "FastGeodis x4",
            raster,
            2.0,
            ("FastGeodis", "torch"),
        ),
    )
]
