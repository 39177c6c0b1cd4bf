"""Colours for looking: stretches, grey world, underwater correction, palettes and masks laid over pictures.

Pictures are (height, width, channels). Everything here is numpy passes over the picture, a block of rows at a time and
bound by memory; more threads would not help.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskwright.arrays.blocks import blocks, quantiles

UNKNOWN_ID = 255
FIRST_COLOURS = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
    (60, 0, 200),
)
"""Eight colours that stay apart for any colour vision (after Okabe and Ito 2008; indigo for their black)."""
RED_FROM_HUE = np.array([[0.299, 0.701, 0.168], [0.587, -0.587, 0.330], [0.114, -0.114, -0.497]])
"""How much of R, G and B becomes red when hues are turned: constant, cosine and sine parts."""


def palette(count: int) -> NDArray[np.uint8]:
    """`count` colours (count, 3) that are easy to tell apart: the first eight for colour-blind people too.

    Further ones are each as far as can be, in a perceptual space, from those before and from black and white.
    A longer palette begins with the shorter one. Up to 255 colours; 0 gives an empty array.

    >>> palette(2).tolist()
    [[230, 159, 0], [86, 180, 233]]
    """
    if not 0 <= count <= 255:
        raise ValueError(f"a palette has 0 to 255 colours; asked for {count}")
    return np.array(_all_colours()[:count], np.uint8).reshape(-1, 3)


def stretch(
    pixels: NDArray[Any], *, low: float = 2.0, high: float = 98.0, valid: NDArray[np.bool_] | None = None
) -> NDArray[np.uint8]:
    """A picture of any dtype as uint8, each channel from its `low` to its `high` percentile (linear in between).

    Percentiles are taken over finite pixels where `valid` (height, width) holds. Infinite pixels go to the ends, nan
    to 0. A channel of one value has no contrast to stretch and becomes 128; one without any valid pixel becomes 0.

    >>> stretch(np.array([[[0.0], [5.0], [10.0]]]), low=0, high=100)[..., 0].tolist()
    [[0, 128, 255]]
    """
    if not 0 <= low < high <= 100:
        raise ValueError(f"percentiles are 0 <= low < high <= 100; got {low} and {high}")
    out = np.zeros(pixels.shape, np.uint8)
    for channel in range(pixels.shape[2]):
        band = pixels[..., channel]
        used = np.isfinite(band) if valid is None else np.isfinite(band) & valid
        if used.any():
            first, last = quantiles(band[used], (low / 100, high / 100)).tolist()
            for block in blocks(band.shape):
                out[..., channel][block] = _levels(band[block], first, last)
    return out


def _levels(values: NDArray[Any], first: float, last: float) -> NDArray[np.float64]:
    """Levels 0..255 from `first` to `last`, ready to be cut to whole numbers."""
    if not last > first:
        return np.where(np.isnan(values), 0.0, 128.0)
    level = (np.asarray(values, np.float64) - first) / (last - first) * 255
    return np.where(np.isnan(level), 0, np.clip(level, 0, 255) + 0.5)


def as_rgb(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Any picture as one to look at, uint8 (height, width, 3): uint8 as it is, other dtypes stretched.

    One or two channels are shown grey (the second is taken for opacity and left out), of more the first three.

    >>> as_rgb(np.array([[[7]]], np.uint8)).tolist()
    [[[7, 7, 7]]]
    """
    if pixels.ndim != 3 or not pixels.shape[2]:
        raise ValueError(f"a picture is (height, width, channels); got shape {pixels.shape}")
    shown = pixels[..., :3] if pixels.shape[2] >= 3 else pixels[..., :1]
    eight = shown if pixels.dtype == np.uint8 else stretch(shown)
    return np.ascontiguousarray(np.broadcast_to(eight, (*eight.shape[:2], 3)))


def grey_world(pixels: NDArray[Any], *, valid: NDArray[np.bool_] | None = None) -> NDArray[Any]:
    """A picture without a colour cast: every channel scaled to the mean of all, in the dtype it came in.

    Means are over pixels that are finite in every channel where `valid` (height, width) holds. A channel that is 0
    everywhere stays so. Whole-number results are rounded and kept in range of their dtype.

    >>> grey_world(np.array([[[10, 20], [30, 60]]], np.uint8)).tolist()
    [[[15, 15], [45, 45]]]
    """
    total, count = np.zeros(pixels.shape[2]), 0
    for block in blocks(pixels.shape[:2]):
        used = np.isfinite(pixels[block]).all(axis=-1)
        values = pixels[block][used if valid is None else used & valid[block]]
        total, count = total + values.sum(axis=0, dtype=np.float64), count + len(values)
    if not count:
        return pixels.copy()
    means = total / count
    gains = np.divide(means.mean(), means, where=means > 0, out=np.ones_like(means))
    balanced = np.empty_like(pixels)
    for block in blocks(pixels.shape[:2]):
        values = pixels[block] * gains
        if np.issubdtype(pixels.dtype, np.integer):
            limits = np.iinfo(pixels.dtype)
            values = np.clip(np.rint(values), limits.min, limits.max)
        balanced[block] = values
    return balanced


def underwater(pixels: NDArray[np.uint8], *, least_range: int = 16) -> NDArray[np.uint8]:
    """A picture taken under water with its red brought back: hues turned until red is there, channels stretched.

    uint8 (height, width, 3) in and out. Hues are turned degree by degree, to 120 at most, until the mean of red is
    60; then each channel's longest run of well-filled levels is stretched to the full range. A channel whose run is
    shorter than `least_range` levels (a flat picture) keeps its levels instead of being blown up to noise; 0 switches
    this guard off and gives the published formula as it is. A picture without pixels comes back empty.

    >>> underwater(np.full((2, 2, 3), 90, np.uint8)).ravel().tolist() == [90] * 12
    True
    >>> underwater(np.full((50, 50, 3), 90, np.uint8), least_range=0)[0, 0].tolist()
    [172, 172, 172]
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"the picture is uint8 (height, width, 3); got {pixels.dtype} {pixels.shape}")
    if not pixels.size:
        return pixels.copy()
    to_red = _red_weights(_hue_turn(pixels.mean(axis=(0, 1), dtype=np.float64)))
    counts = np.zeros((3, 256), np.int64)
    for block in blocks(pixels.shape[:2]):
        red = np.clip((pixels[block].astype(np.float64) * to_red).sum(axis=-1), 0, 255)
        for count, levels in zip(
            counts, (red.astype(np.uint8), pixels[block][..., 1], pixels[block][..., 2]), strict=True
        ):
            count += np.bincount(levels.ravel(), minlength=256)
    gains = [_gain_and_offset(each, least_range) for each in counts]
    out = np.empty_like(pixels)
    for block in blocks(pixels.shape[:2]):
        values = pixels[block].astype(np.float64)
        # The published formula leaves the blue part out of the red that it writes, though not of the one it measures.
        values[..., 0] = values[..., 0] * to_red[0] + values[..., 1] * to_red[1]
        for channel, (gain, offset) in enumerate(gains):
            out[block][..., channel] = np.clip(values[..., channel] * gain + 255 * offset, 0, 255)
    return out


def blend(below: NDArray[np.uint8], above: NDArray[np.uint8], opacity: ArrayLike) -> NDArray[np.uint8]:
    """One picture laid over another: uint8 (height, width, 3) each; `opacity` 0..1, one number or (height, width).

    >>> blend(np.zeros((1, 1, 3), np.uint8), np.full((1, 1, 3), 200, np.uint8), 0.25).tolist()
    [[[50, 50, 50]]]
    """
    share = np.asarray(opacity, np.float32)
    out = np.empty(below.shape, np.uint8)
    for block in blocks(below.shape[:2]):
        part = share[block][..., None] if share.ndim == 2 else share
        out[block] = below[block] * (1 - part) + above[block] * part + 0.5
    return out


def overlay(
    pixels: NDArray[Any],
    class_ids: NDArray[np.uint8],
    colours: NDArray[np.uint8],
    *,
    opacity: float = 0.5,
    confidence: NDArray[np.floating[Any]] | None = None,
    outlines: bool = True,
) -> NDArray[np.uint8]:
    """A mask laid over its picture: uint8 (height, width, 3).

    `pixels` (height, width, channels) of any dtype, `class_ids` (height, width), `colours` (classes, 3) by class id.
    UNKNOWN pixels show the picture untouched. With `confidence` (height, width) 0..1 the doubtful is paler, nan counts
    as 0. With `outlines` the pixels on both sides of a border between classes are drawn in full colour. An id without
    a colour is a ValueError.

    >>> ids = np.array([[0, 0, 0, 1, 255, 255]], np.uint8)
    >>> overlay(np.zeros((1, 6, 1), np.uint8), ids, np.array([[200, 0, 0], [0, 200, 0]], np.uint8))[0].max(axis=1)
    array([100, 100, 200, 200,   0,   0], dtype=uint8)
    """
    known = class_ids != UNKNOWN_ID
    if known.any() and int(class_ids[known].max()) >= len(colours):
        raise ValueError(f"class {int(class_ids[known].max())} has no colour; there are {len(colours)}")
    table = np.zeros((256, 3), np.uint8)
    table[: min(len(colours), 256)] = colours[:256]
    rgb, edges = as_rgb(pixels), borders(class_ids) if outlines else None
    out = np.empty(rgb.shape, np.uint8)
    for block in blocks(class_ids.shape):
        shade = known[block] * np.float32(opacity)
        if confidence is not None:
            shade *= np.clip(np.nan_to_num(confidence[block], nan=0.0), 0, 1)
        if edges is not None:
            shade[edges[block] & known[block]] = 1
        out[block] = blend(rgb[block], table[class_ids[block]], shade)
    return out


def borders(class_ids: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Pixels (height, width) with a neighbour above, below, left or right of another known class.

    UNKNOWN is no class: a border to the unknown, and the edge of the picture, are not drawn.

    >>> borders(np.array([[1, 1, 2, 255]], np.uint8)).tolist()
    [[False, True, True, False]]
    """
    drawn = np.zeros(class_ids.shape, bool)
    for one, other in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        here, there = class_ids[one], class_ids[other]
        differ = here != there
        differ &= here != UNKNOWN_ID
        differ &= there != UNKNOWN_ID
        drawn[one] |= differ
        drawn[other] |= differ
    return drawn


def _hue_turn(means: NDArray[np.float64]) -> int:
    """Degrees to turn hues by: the published loop, which ends one past the degree that sufficed."""
    degrees, red = 0, float(means[0])
    while red < 60 and degrees <= 120:
        red = float(means @ _red_weights(degrees))
        degrees += 1
    return degrees


def _red_weights(degrees: int) -> NDArray[np.float64]:
    """How much R, G and B give to red when hues are turned by so many degrees."""
    angle = np.deg2rad(degrees)
    weights: NDArray[np.float64] = RED_FROM_HUE @ np.array([1.0, np.cos(angle), np.sin(angle)])
    return weights


def _gain_and_offset(counts: NDArray[np.int64], least_range: int) -> tuple[float, float]:
    """What stretches the longest run of well-filled levels (256,) to 0..255; (1, 0) where the run is too short."""
    sparse = np.flatnonzero(counts < counts.sum() / 2000 + 2)
    stops = np.concatenate([[0], sparse, [255]])
    first = int(np.argmax(np.diff(stops)))
    low, high = int(stops[first]), int(stops[first + 1])
    if high - low < least_range:
        return 1.0, 0.0
    gain = 256 / (high - low)
    return gain, -low / 256 * gain


@lru_cache(maxsize=1)
def _all_colours() -> tuple[tuple[int, int, int], ...]:
    """255 colours: the first eight, then greedily the candidate farthest from all taken."""
    steps = np.linspace(0, 255, 11).round().astype(np.uint8)
    candidates = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    places = perceptual(candidates)
    colours = list(FIRST_COLOURS)
    taken = perceptual(np.array([*colours, (0, 0, 0), (255, 255, 255)], np.uint8))
    nearest = np.linalg.norm(places[:, None] - taken, axis=2).min(axis=1)
    while len(colours) < 255:
        best = int(np.argmax(nearest))
        colours.append((int(candidates[best, 0]), int(candidates[best, 1]), int(candidates[best, 2])))
        nearest = np.minimum(nearest, np.linalg.norm(places - places[best], axis=1))
    return tuple(colours)


def perceptual(colours: NDArray[Any]) -> NDArray[np.float64]:
    """sRGB colours (..., 3) of 0..255 in Oklab (Ottosson 2020), where distance is about what eyes see."""
    share = colours / 255
    light = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    cones = light @ np.array(
        [
            [0.4122214708, 0.2119034982, 0.0883024619],
            [0.5363325363, 0.6806995451, 0.2817188376],
            [0.0514459929, 0.1073969566, 0.6299787005],
        ]
    )
    result: NDArray[np.float64] = np.cbrt(cones) @ np.array(
        [
            [0.2104542553, 1.9779984951, 0.0259040371],
            [0.7936177850, -2.4285922050, 0.7827717662],
            [-0.0040720468, 0.4505937099, -0.8086757660],
        ]
    )
    return result
