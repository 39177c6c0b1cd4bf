"""Part masks on a small grid of shares, as networks with one token per body part are taught by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.resample import resample

NOBODY = 255
VISIBLE_SHARE = 0.4
"""A part counts as visible where some cell has at least this share of it, as PAW-ViT counts it."""


def part_shares(
    class_ids: NDArray[np.uint8], parts: Sequence[int], background: int, *, grid: tuple[int, int] = (64, 64)
) -> NDArray[np.float32]:
    """The share of each part, and of the background last, in each cell: float32 (parts + 1, *grid), sum 1 everywhere.

    The picture, `class_ids` uint8 (height, width), is squashed onto the grid, cells average what they cover. The
    background's share is all that is background; the rest of a cell is divided as its known parts are, and evenly where
    it has none: of three parts or more none is then visible. What is neither a part nor background (255, or another
    class) counts as animal of unknown part.

    >>> part_shares(np.array([[0, 1, 255, 255]], np.uint8), [1, 2], 0, grid=(1, 2))[:, 0].tolist()
    [[0.5, 0.5], [0.0, 0.5], [0.5, 0.0]]
    """
    if not parts:
        raise ValueError("there are no parts; at least one is needed")
    planes = np.stack([class_ids == each for each in (*parts, background)], axis=-1)
    shares = resample(planes, grid).astype(np.float64).transpose(2, 0, 1)
    known, outside = shares[:-1], np.clip(shares[-1], 0, 1)
    total = known.sum(axis=0)
    divided = np.where(total > 1e-6, known / np.maximum(total, 1e-6), 1 / len(parts))
    return np.concatenate([divided * (1 - outside), outside[None]]).astype(np.float32)


def visible_parts(shares: NDArray[np.floating], *, least: float = VISIBLE_SHARE) -> NDArray[np.bool_]:
    """Which parts some cell has a share of at least `least` of: bool (parts,), the last channel is the background.

    >>> visible_parts(np.array([[[0.5]], [[0.3]], [[0.2]]]))
    array([ True, False])
    """
    return np.asarray((shares[:-1] >= least).any(axis=(1, 2)), bool)
