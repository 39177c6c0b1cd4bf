"""Forests: as scikit-learn says, with and without numba the same bits, and every class in its place."""

from __future__ import annotations

import numpy as np
import pytest

from maskwright.arrays import forest as forests
from maskwright.arrays.forest import grow_forest


def cloud(count: int = 300) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    rows = random.normal(size=(count, 6)).astype(np.float32)
    return rows, np.where(rows[:, 0] > 0.3, 4, np.where(rows[:, 1] > 0, 1, 0))


def test_shares_are_those_of_scikit_learn() -> None:
    from sklearn.ensemble import ExtraTreesClassifier

    rows, ids = cloud()
    peer = ExtraTreesClassifier(20, min_samples_leaf=2, max_leaf_nodes=512, max_features=0.3, random_state=3).fit(
        rows, ids
    )
    ours = grow_forest(rows, ids, 6, trees=20, random_state=3)(rows)
    np.testing.assert_allclose(ours[:, [0, 1, 4]], peer.predict_proba(rows), atol=1e-6)
    assert not ours[:, [2, 3, 5]].any()


def test_plain_and_compiled_walks_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, ids = cloud()
    forest = grow_forest(rows, ids, 5, trees=15)
    other = np.random.default_rng(1).normal(size=(5000, 6)).astype(np.float32)
    other[::7] = rows[: len(other[::7])][: len(other[::7])].repeat(3, axis=0)[: len(other[::7])]
    compiled = forest(other)
    monkeypatch.setattr(forests, "HAS_NUMBA", False)
    assert forest(other).tobytes() == compiled.tobytes()
    assert forest(other[:0]).shape == (0, 5)


def test_weights_decide_where_rows_contradict() -> None:
    rows, ids = np.zeros((10, 1)), np.array([0] * 5 + [1] * 5)
    forest = grow_forest(rows, ids, 2, weights=np.array([3.0] * 5 + [1.0] * 5))
    np.testing.assert_allclose(forest(rows[:1]), [[0.75, 0.25]])


def test_no_rows_say_so() -> None:
    with pytest.raises(ValueError, match="n at least 1"):
        grow_forest(np.zeros((0, 3)), np.zeros(0, int), 2)
