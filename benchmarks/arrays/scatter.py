"""Scattered scores to a grid: against scipy's linear interpolation and k-nearest inverse distance on a k-d tree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.case import Case
from maskwright.arrays.scatter import interpolate_inverse_distance, interpolate_linear, interpolate_nearest

SHAPE = (2000, 2000)
NEIGHBOURS = 12


def make() -> dict[str, Any]:
    """5,000 places in and a little beyond the picture, with 4 channels, and the pixel centres peers ask for."""
    random = np.random.default_rng(11)
    places = random.random((5000, 2)) * 2040 - 20
    centres = np.indices(SHAPE).reshape(2, -1).T.astype(float)
    return {"places": places, "values": random.random((5000, 4)), "centres": centres}


def ours(kernel: Callable[..., Any], threads: int = 1) -> Callable[[dict[str, Any]], Any]:
    return lambda inputs: kernel(*inputs["places"].T, inputs["values"], SHAPE, threads=threads)


def read(inputs: dict[str, Any]) -> Any:
    return inputs["places"], inputs["values"]


def linear(inputs: dict[str, Any]) -> Any:
    from scipy.interpolate import griddata

    return griddata(inputs["places"], inputs["values"], inputs["centres"], "linear").T.reshape(4, *SHAPE)


def inverse_distance(inputs: dict[str, Any]) -> Any:
    """Row by row, so that the peer is not slowed down by its memory."""
    from scipy.spatial import cKDTree

    tree, values = cKDTree(inputs["places"]), inputs["values"]
    out = np.empty((4, *SHAPE))
    for row, centres in enumerate(inputs["centres"].reshape(*SHAPE, 2)):
        distance, index = tree.query(centres, NEIGHBOURS)
        weights = 1 / np.maximum(distance, 1e-12) ** 2
        out[:, row] = np.einsum("pk,pkc->cp", weights / weights.sum(axis=1, keepdims=True), values[index])
    return out


def nearest(inputs: dict[str, Any]) -> Any:
    from scipy.interpolate import griddata

    return griddata(inputs["places"], inputs["values"], inputs["centres"], "nearest").T.reshape(4, *SHAPE)


def difference(mine: Any, theirs: Any) -> str:
    """The largest difference, and where only one of both has a value."""
    worst = float(np.nanmax(np.abs(mine - theirs)))
    holes = int((np.isnan(mine) != np.isnan(theirs)).sum())
    return f"largest difference {worst:.1e}" + (f", {holes} pixels only one of both knows" if holes else "")


SIZE = "5,000 points x 4 onto 2000x2000"
KERNELS = (
    ("scatter linear", interpolate_linear, "scipy griddata linear", linear, 2.0),
    ("scatter inverse distance, 12 nearest", interpolate_inverse_distance, "scipy cKDTree", inverse_distance, 10.0),
    ("scatter nearest", interpolate_nearest, "scipy griddata nearest", nearest, None),
)
ONE_THREAD = "ours on 1 thread"
CASES = [
    *(
        Case(name, SIZE, make, ours(kernel), peer, theirs, goal, ("scipy",), difference, reads=read)
        for name, kernel, peer, theirs, goal in KERNELS
    ),
    *(
        Case(
            f"{name}, 2 threads",
            SIZE,
            make,
            ours(kernel, 2),
            "ours on 1 thread",
            ours(kernel),
            goal,
            threads=2,
            reads=read,
        )
        for name, kernel, goal in (
            ("scatter linear", interpolate_linear, None),
            ("scatter inverse distance", interpolate_inverse_distance, 1.6),
        )
    ),
]
