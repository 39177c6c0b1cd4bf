"""Random trees that tell classes apart by features: grown by scikit-learn, kept as plain arrays, read without it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.compiled import HAS_NUMBA, compiled

Features = NDArray[np.float32]
BLOCK = 1 << 15  # rows that the plain path walks down the trees at once


class Forest(NamedTuple):
    """Trees in one table of nodes: a leaf has feature -1 and its shares of the classes in row `child` of `shares`.

    `feature` int32, `threshold` float32 and `child` int32 are (nodes,): a value up to the threshold goes to node
    `child`, a greater one to `child + 1`. `roots` int32 (trees,), `shares` float32 (leaves, classes).
    """

    feature: NDArray[np.int32]
    threshold: NDArray[np.float32]
    child: NDArray[np.int32]
    roots: NDArray[np.int32]
    shares: NDArray[np.float32]

    def __call__(self, features: NDArray[Any]) -> NDArray[np.float32]:
        """How likely each class is for every row of features (n, count): float32 (n, classes), sums to 1.

        Compiled and plain code add the trees in one order, so both give the same bits.
        """
        rows = np.ascontiguousarray(features, np.float32)
        if HAS_NUMBA:
            result: NDArray[np.float32] = _walk(rows, *self)
            return result
        return np.concatenate([_walk_plainly(rows[at : at + BLOCK], self) for at in range(0, len(rows), BLOCK)] or
                              [np.zeros((0, self.shares.shape[1]), np.float32)])  # fmt: skip


def grow_forest(
    features: NDArray[Any],
    class_ids: NDArray[np.integer[Any]],
    class_count: int,
    *,
    weights: NDArray[Any] | None = None,
    trees: int = 100,
    leaf_size: int = 2,
    most_leaves: int = 512,
    features_fraction: float = 0.3,
    random_state: int = 0,
) -> Forest:
    """Extremely randomised trees (Geurts et al. 2006) that tell `class_ids` (n,) apart by `features` (n, count).

    Each tree sees all rows, looks at `features_fraction` of the features for a split and cuts each at random, so they
    differ and their mean is smooth. A leaf keeps at least `leaf_size` rows. `weights` (n,) say how much a row counts.
    A class without a row is never likely. The same input gives the same trees. No row at all is a ValueError.

    >>> forest = grow_forest([[0.0], [1.0], [9.0], [10.0]], np.array([0, 0, 1, 1]), 2, leaf_size=1)
    >>> forest(np.array([[0.5], [9.5]])).round(1).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    from sklearn.ensemble import ExtraTreesClassifier

    rows = np.asarray(features, np.float32)
    if rows.ndim != 2 or not len(rows) or len(rows) != len(class_ids):
        raise ValueError(f"features are (n, count), n at least 1, with n class ids; got {rows.shape}")
    grower = ExtraTreesClassifier(
        trees, min_samples_leaf=leaf_size, max_leaf_nodes=most_leaves, max_features=features_fraction,
        random_state=random_state, n_jobs=1,
    )  # fmt: skip
    grower.fit(rows, np.asarray(class_ids), sample_weight=weights)
    return _table([each.tree_ for each in grower.estimators_], np.asarray(grower.classes_, np.intp), class_count)


def _table(trees: list[Any], known: NDArray[np.intp], class_count: int) -> Forest:
    parts = [_renumbered(each) for each in trees]
    nodes = np.cumsum([0, *(len(part[0]) for part in parts)])
    leaves = np.cumsum([0, *(len(part[3]) for part in parts)])
    child = [np.where(part[0] < 0, part[2] + leaf, part[2] + node)
             for part, node, leaf in zip(parts, nodes, leaves, strict=False)]  # fmt: skip
    shares = np.zeros((leaves[-1], class_count), np.float32)
    shares[:, known] = np.concatenate([part[3] for part in parts])
    return Forest(
        np.concatenate([part[0] for part in parts]),
        np.concatenate([part[1] for part in parts]),
        np.concatenate(child).astype(np.int32),
        nodes[:-1].astype(np.int32),
        shares,
    )


def _renumbered(tree: Any) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int64], NDArray[np.float64]]:
    """A tree with both children side by side: features, thresholds, children (or leaf numbers) and shares of leaves."""
    left, right = tree.children_left, tree.children_right
    order, place = [0], {0: 0}
    for node in order:  # grows while it is walked
        if left[node] >= 0:
            for each in (int(left[node]), int(right[node])):
                place[each] = len(order)
                order.append(each)
    is_leaf = left[order] < 0
    children = np.array([place.get(int(left[node]), 0) for node in order], np.int64)
    children[is_leaf] = np.arange(int(is_leaf.sum()))
    value = np.asarray(tree.value)[order, 0][is_leaf]
    shares = value / value.sum(axis=1, keepdims=True)
    feature = np.where(is_leaf, -1, tree.feature[order]).astype(np.int32)
    return feature, _rounded_down(tree.threshold[order]), children, shares


def _rounded_down(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """The greatest float32 not above each value: for float32 x, x <= value and x <= rounded are the same."""
    near = values.astype(np.float32)
    return np.where(near > values, np.nextafter(near, np.float32(-np.inf)), near)


def _walk_plainly(rows: Features, forest: Forest) -> NDArray[np.float32]:
    total = np.zeros((len(rows), forest.shares.shape[1]), np.float32)
    for root in forest.roots:
        node = np.full(len(rows), root, np.int32)
        walking = np.flatnonzero(forest.feature[node] >= 0)
        while len(walking):
            here = node[walking]
            right = rows[walking, forest.feature[here]] > forest.threshold[here]
            node[walking] = forest.child[here] + right
            walking = walking[forest.feature[node[walking]] >= 0]
        total += forest.shares[forest.child[node]]
    return total / np.float32(len(forest.roots))


@compiled
def _walk(rows: Any, feature: Any, threshold: Any, child: Any, roots: Any, shares: Any) -> Any:  # pragma: no cover
    total = np.zeros((len(rows), shares.shape[1]), np.float32)
    for at in range(0, len(rows), 256):  # so many rows stay in the cache while all trees are walked
        for tree in range(len(roots)):
            for row in range(at, min(at + 256, len(rows))):
                node = roots[tree]
                while feature[node] >= 0:
                    node = child[node] + (1 if rows[row, feature[node]] > threshold[node] else 0)
                leaf = child[node]
                for k in range(shares.shape[1]):
                    total[row, k] += shares[leaf, k]
    count = np.float32(len(roots))
    for row in range(len(rows)):
        for k in range(shares.shape[1]):
            total[row, k] /= count
    return total
