"""What the classes of one picture look like, learned from a rough mask of it that may be wrong near its borders."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.calibrate import temperature
from maskwright.arrays.forest import Forest, grow_forest

Scores = NDArray[np.float32]
BLOCK_PX = 32
"""Side of the squares in which pixels are learned from or judged, never both."""
LEAST = 1e-3


def appearance_scores(
    features: NDArray[np.float32],
    class_ids: NDArray[np.integer[Any]],
    class_count: int,
    *,
    weights: NDArray[np.float32] | None = None,
    most_pixels: int = 500,
    trees: int = 30,
    random_state: int = 0,
) -> Scores:
    """How likely each class is by its looks alone, float32 (classes, height, width), sums to 1; classes weigh equally.

    `features` (height, width, count); `class_ids` (height, width) 0..class_count-1, negative where unknown. The picture
    is a chessboard of 32-pixel squares: what is learned on the black ones is said of the white ones and the other way
    round, so that no pixel's own, maybe wrong, class is repeated to it. Up to `most_pixels` of a class are learned from
    on either side, drawn by `weights` (height, width). Where a side has no pixel of some class both sides learn from
    all. A temperature keeps scores as sure as they are right on the other side. One class only is certain.

    >>> features = np.zeros((64, 64, 1), np.float32)
    >>> features[:, 20:] = 5
    >>> rough = (np.arange(64) >= 23).astype(int) * np.ones((64, 1), int)
    >>> appearance_scores(features, rough, 2).argmax(axis=0)[0, 17:25]
    array([0, 0, 0, 1, 1, 1, 1, 1])
    """
    shape, random = class_ids.shape, np.random.default_rng(random_state)
    rows, cols = np.indices(shape, np.int32) // BLOCK_PX
    side = ((rows + cols) % 2).astype(np.int8)
    present = np.unique(class_ids[class_ids >= 0])
    scores = np.zeros((class_count, *shape), np.float32)
    if len(present) < 2:
        scores[present] = 1
        return scores
    weight = np.ones(shape, np.float32) if weights is None else weights
    drawn = [_drawn(class_ids, present, weight, side == each, most_pixels, random) for each in (0, 1)]
    apart = all(len(np.unique(class_ids.ravel()[each])) == len(present) for each in drawn)
    if not apart:
        drawn = [np.concatenate(drawn)] * 2
    flat, ids = features.reshape(-1, features.shape[2]), class_ids.ravel()
    forests = [_grown(flat, ids, weight.ravel(), each, class_count, trees, random_state) for each in drawn]
    sharpness = 1 / _degree(forests, flat, ids, weight.ravel(), drawn) if apart else 0.5
    for number, forest in enumerate(forests[::-1]):
        here = side == number
        said = np.log(np.maximum(forest(features[here]), LEAST)) * np.float32(sharpness)
        powers = np.exp(said - said.max(axis=1, keepdims=True))
        powers[:, np.setdiff1d(np.arange(class_count), present)] = 0
        scores[:, here] = (powers / powers.sum(axis=1, keepdims=True)).T
    return scores


def told_apart(
    looks: Scores, class_ids: NDArray[np.integer[Any]], weights: NDArray[np.float32]
) -> tuple[Scores, float]:
    """Looks that favour no class, and how well they tell classes apart: 0 as chance would, 1 without fail.

    `looks` (classes, height, width) sum to 1; `class_ids` (height, width), negative where unknown; `weights` (height,
    width) say how far each id is trusted. The mean looks of each class's own pixels make a table; its diagonal, less
    what chance would give, is the second answer. Looks are divided by what each class gets on average over the classes,
    so that one that is named too readily everywhere is not. Classes without pixels do not count; of fewer than two
    nothing can be told (0).

    >>> looks = np.float32([[[0.9, 0.5]], [[0.1, 0.5]]])
    >>> even, apart = told_apart(looks, np.array([[0, 1]]), np.ones((1, 2), np.float32))
    >>> round(apart, 2), even[:, 0, 1].round(2)
    (0.4, array([0.71, 1.67], dtype=float32))
    """
    trusted = weights * (class_ids >= 0)
    shares = [trusted * (class_ids == each) for each in range(len(looks))]
    present = [number for number, share in enumerate(shares) if share.any()]
    if len(present) < 2:
        return looks, 0.0
    table = np.array(
        [[float((looks[said] * shares[true]).sum() / shares[true].sum()) for said in present] for true in present]
    )
    even = looks.copy()
    even[present] /= np.maximum(table.mean(axis=0), LEAST).astype(np.float32)[:, None, None]
    chance = 1 / len(present)
    return even, max(0.0, (float(np.trace(table)) * chance - chance) / (1 - chance))


def _drawn(
    class_ids: NDArray[Any],
    present: NDArray[Any],
    weight: NDArray[Any],
    here: NDArray[np.bool_],
    most: int,
    random: Any,
) -> NDArray[np.intp]:
    """Places (flat) of pixels to learn from: of each class up to `most`, the heavier the likelier."""
    places = []
    for class_id in present:
        found = np.flatnonzero((class_ids == class_id) & here & (weight > 0))
        if len(found) > most:
            share = weight.ravel()[found].astype(np.float64)
            found = random.choice(found, most, replace=False, p=share / share.sum())
        places.append(np.sort(found))
    return np.concatenate(places)


def _grown(
    flat: NDArray[Any], ids: NDArray[Any], weight: NDArray[Any], drawn: NDArray[np.intp], count: int, trees: int,
    random_state: int,
) -> Forest:  # fmt: skip
    balanced = _balanced(ids[drawn], weight[drawn])
    return grow_forest(
        flat[drawn], ids[drawn], count, weights=balanced, trees=trees, leaf_size=5, random_state=random_state
    )


def _balanced(ids: NDArray[Any], weight: NDArray[Any]) -> NDArray[np.float64]:
    """Weights that add up to the same for every class."""
    total = np.bincount(ids, weight)
    shares: NDArray[np.float64] = weight / total[ids]
    return shares * (len(ids) / max(len(np.unique(ids)), 1))


def _degree(
    forests: list[Forest], flat: NDArray[Any], ids: NDArray[Any], weight: NDArray[Any], drawn: list[NDArray[np.intp]]
) -> float:
    """The temperature at which each forest is as sure as it is right about what the other one learned from."""
    said = [np.log(np.maximum(forest(flat[each]), LEAST)) for forest, each in zip(forests, drawn[::-1], strict=True)]
    places = np.concatenate(drawn[::-1])
    logits, truth = np.concatenate(said), ids[places]
    random = np.random.default_rng(0)
    share = _balanced(truth, weight[places])
    picked = random.choice(len(truth), 2000, p=share / share.sum())
    return temperature(logits[picked], truth[picked], coldest=0.5, hottest=20.0)
