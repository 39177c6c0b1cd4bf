"""Sliced Wasserstein distance of two clouds: against POT with the same directions."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.case import Case
from maskwright.arrays.wasserstein import directions, sliced_wasserstein


def make(more: int = 0, count: int = 1000) -> dict[str, Any]:
    random = np.random.default_rng(12)
    x, y = random.standard_normal((count, 64)), random.standard_normal((count + more, 64)) + 0.1
    return {"x": x, "y": y, "views": directions(64, 512)}


def ours(inputs: dict[str, Any]) -> float:
    return sliced_wasserstein(inputs["x"], inputs["y"], views=inputs["views"])


def ours_on_two(inputs: dict[str, Any]) -> float:
    return sliced_wasserstein(inputs["x"], inputs["y"], views=inputs["views"], threads=2)


def pot(inputs: dict[str, Any]) -> float:
    import ot

    return float(ot.sliced_wasserstein_distance(inputs["x"], inputs["y"], projections=inputs["views"].T))


def difference(mine: float, theirs: float) -> str:
    return f"difference {abs(mine - theirs):.1e}"


CASES = [
    Case("sliced Wasserstein", "1000 + 1000 x 64, 512 slices", make, ours, "POT", pot, 3.0, ("ot",), difference),
    Case(
        "sliced Wasserstein, sizes differ",
        "1000 + 1300 x 64, 512 slices",
        lambda: make(300),
        ours,
        "POT",
        pot,
        3.0,
        ("ot",),
        difference,
    ),
    Case(
        "sliced Wasserstein, 2 threads",
        "4000 + 4000 x 64, 512 slices",
        lambda: make(count=4000),
        ours_on_two,
        "ours on 1 thread",
        ours,
        1.6,
        threads=2,
    ),
]
