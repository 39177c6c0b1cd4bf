"""A picture as trees see it: features as they are, relative to their picture, and where in it a pixel lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.colour_scale import to_bytes_scale
from maskwright.arrays.features import pixel_features

Rows = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Seen:
    """One window of a picture: pixels on a scale of 0..255, `valid`, `labels` (-1: none), and where the window lies.

    `corner` is the row and column of its first pixel in the picture, `whole` the height and width of that.
    """

    pixels: NDArray[np.float32]
    valid: NDArray[np.bool_]
    labels: NDArray[np.int32]
    corner: tuple[int, int]
    whole: tuple[int, int]

    @cached_property
    def features(self) -> Rows:
        """`pixel_features` of the window, (height, width, count)."""
        return pixel_features(self.pixels, valid=self.valid)

    @cached_property
    def _middle_and_spread(self) -> tuple[Rows, Rows]:
        known = self.features.reshape(-1, self.features.shape[2])[self.some_places(20_000)]
        if not len(known):
            known = np.zeros((1, self.features.shape[2]), np.float32)
        return np.median(known, axis=0), known.std(axis=0) + np.float32(1e-3)

    def some_places(self, most: int) -> NDArray[np.intp]:
        """Flat places of valid pixels, evenly through the window: about `most` of them, all of them if fewer."""
        known = np.flatnonzero(self.valid.ravel())
        step = max(1, len(known) // max(most, 1)) | 1  # odd, so that even widths are not walked down one column
        return known[::step]

    def rows(self, where: NDArray[np.intp] | None = None) -> Rows:
        """What trees are given for the pixels at flat places `where` (all when left out): float32 (n, features)."""
        flat = np.arange(self.valid.size) if where is None else where
        own = self.features.reshape(-1, self.features.shape[2])[flat]
        middle, spread = self._middle_and_spread
        row, col = np.divmod(flat, self.valid.shape[1])
        place = [(row + self.corner[0]) / self.whole[0], (col + self.corner[1]) / self.whole[1]]
        return np.concatenate([own, (own - middle) / spread, np.stack(place, axis=1)], axis=1, dtype=np.float32)


def see(
    pixels: NDArray[Any],
    valid: NDArray[np.bool_],
    labels: NDArray[np.int32],
    bands: int,
    *,
    corner: tuple[int, int] = (0, 0),
    whole: tuple[int, int] | None = None,
) -> Seen:
    """A window of a picture (height, width, channels), ready to be looked at; labels on invalid pixels are dropped.

    Colours of 8 bit stay as they are; of others, whose range says little, the darkest half percent becomes 0 and the
    brightest 255. Grey pictures get `bands` equal channels, and a channel more than `bands` is taken for opacity.
    """
    known = valid & np.isfinite(pixels).all(axis=2)
    shown = same_bands(_on_bytes_scale(pixels, known), bands)
    return Seen(
        shown, known, np.where(known, labels, -1).astype(np.int32), corner, whole or (valid.shape[0], valid.shape[1])
    )


def bands_for(counts: Sequence[int]) -> int:
    """How many channels a collection is looked at with: grey ones and those with opacity fit in; others don't.

    >>> bands_for([1, 3, 3, 4]), bands_for([1, 2]), bands_for([7, 7])
    (3, 1, 7)
    """
    kinds = {{2: 1}.get(each, each) for each in counts}
    if kinds <= {1, 3, 4} and len(kinds) > 1:
        return 3
    if len(kinds) > 1:
        raise ValueError(f"pictures with {' and '.join(map(str, sorted(kinds)))} channels do not go together")
    return kinds.pop() if kinds else 0


def same_bands(pixels: NDArray[Any], bands: int) -> NDArray[Any]:
    """Pixels with `bands` channels: grey ones repeated, opacity left out, anything else a ValueError.

    >>> same_bands(np.array([[[7]]]), 3).tolist(), same_bands(np.array([[[1, 2, 3, 255]]]), 3).tolist()
    ([[[7, 7, 7]]], [[[1, 2, 3]]])
    """
    count = pixels.shape[2]
    if count == bands:
        return pixels
    if count in (1, 2):
        return np.repeat(pixels[..., :1], bands, axis=2)
    if count == 3 and bands == 1:
        return np.asarray(pixels.mean(axis=2, keepdims=True))
    if count == bands + 1:
        return pixels[..., :bands]
    if count == 4 and bands == 1:
        return np.asarray(pixels[..., :3].mean(axis=2, keepdims=True))
    raise ValueError(f"a picture has {count} channels; those learned from have {bands}")


def _on_bytes_scale(pixels: NDArray[Any], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    shown = to_bytes_scale(pixels, known).astype(np.float32)
    if pixels.dtype in (np.uint8, np.bool_) or not known.any():
        return np.where(known[..., None], shown, np.float32(0))
    low, high = np.percentile(shown[known], (0.5, 99.5))
    stretched = (shown - np.float32(low)) * np.float32(255 / max(high - low, 1e-6))
    return np.where(known[..., None], np.clip(stretched, -64, 320), np.float32(0)).astype(np.float32)
