"""A way along a tail and parts by nearest joints: against scikit-image's paths and scipy's distances."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.case import Case
from maskwright.arrays.paths import nearest_inside, route
from maskwright.arrays.starts import starts_of

SHAPE = (1080, 1920)
TAIL = ((300, 560), (760, 350))


def make() -> dict[str, Any]:
    """An animal's body of about 340,000 pixels with a curved tail, 40 joints and 160 points between them."""
    rows, cols = np.indices(SHAPE)
    region = ((rows - 430) / 240) ** 2 + ((cols - 980) / 450) ** 2 < 1
    turns = np.linspace(0, 1, 400)
    for row, col in zip(300 + 460 * turns**1.2, 560 - 210 * np.sin(turns * 1.7) * turns**0.3, strict=True):
        region |= (rows - row) ** 2 + (cols - col) ** 2 < 19**2
    inside, random = np.argwhere(region), np.random.default_rng(3)
    places = inside[random.choice(len(inside), 200, replace=False)]
    goal = inside[np.argmin(((inside - TAIL[1]) ** 2).sum(axis=1))]
    return {"region": region, "places": places, "labels": random.integers(0, 5, 200), "goal": tuple(map(int, goal))}


def way(inputs: dict[str, Any]) -> Any:
    return route(inputs["region"], TAIL[0], inputs["goal"])


def minimum_cost_path(inputs: dict[str, Any]) -> Any:
    from skimage.graph import route_through_array

    costs = np.where(inputs["region"], 1.0, -1.0)
    return np.array(route_through_array(costs, TAIL[0], inputs["goal"], fully_connected=True, geometric=True)[0])


def lengths(ours: Any, theirs: Any) -> str:
    """How long both ways are; there are many shortest ones."""
    one, other = (float(np.hypot(*np.diff(each, axis=0).T).sum()) for each in (ours, theirs))
    return f"{one:.3f} px" if abs(one - other) < 1e-6 else f"{one:.3f} px against {other:.3f}"


def parts(inputs: dict[str, Any]) -> Any:
    rows, cols = inputs["places"].T
    return nearest_inside(inputs["region"], starts_of(inputs["region"], rows, cols, inputs["labels"])[0])


def by_dijkstra(inputs: dict[str, Any]) -> Any:
    """The two nearest labels by one search per label over a graph of the region."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra

    region, (height, width) = inputs["region"], SHAPE
    ids = np.full(SHAPE, -1)
    ids[region] = np.arange(region.sum())
    pairs, costs = [], []
    for down, across in ((0, 1), (1, 0), (1, 1), (1, -1)):
        left, right = max(0, -across), width - max(0, across)
        one, other = ids[: height - down, left:right].ravel(), ids[down:, left + across : right + across].ravel()
        both = (one >= 0) & (other >= 0)
        pairs.append(np.stack([one[both], other[both]]))
        costs.append(np.full(both.sum(), np.hypot(down, across)))
    rows, cols = np.concatenate(pairs, axis=1)
    graph = coo_array((np.concatenate(costs), (rows, cols)), shape=(region.sum(), region.sum())).tocsr()
    at = ids[tuple(inputs["places"].T)]
    fields = [
        dijkstra(graph, directed=False, indices=at[inputs["labels"] == label], min_only=True) for label in range(5)
    ]
    return np.sort(fields, axis=0)[:2]


def distances(ours: Any, theirs: Any) -> str:
    """How far both distances differ; ours are counted in 1/16384 pixel."""
    region = make()["region"]
    worst = max(float(np.abs(a[region] - b).max()) for a, b in zip(ours[1:], theirs, strict=True))
    return f"differ by at most {worst:.4f} px"


CASES = [
    Case("way along a tail", "1080x1920", make, way, "scikit-image route_through_array", minimum_cost_path, 2.0,
         ("skimage",), lengths),
    Case("two nearest of 5 regions", "1080x1920, 200 seeds", make, parts, "scipy dijkstra per region", by_dijkstra,
         5.0, ("scipy",), distances),
]  # fmt: skip
