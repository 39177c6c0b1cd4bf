"""What a rough region can say to somebody who looks for its true outline: a point in it, one beside it, a box, a mask.

A rough outline is wrong mostly near itself, so what is said comes from far inside and far outside: the point deepest
in the region, the point of its box farthest from it, and a mask that is sure in the middle and unsure at the rim.

Paper: Lin et al. 2025, "SAMRefiner" (ICLR); mode "legacy" gives its prompts to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.raster import raster_geodesic
from maskwright.arrays.regions import areas, boxes, components
from maskwright.arrays.windows import Window, grow

Region = NDArray[np.bool_]
Field = NDArray[np.float32]

NOBODY_NEAR = 1e10
EQUAL_PX = 1e-3
"""Depths that differ by less are equal: float32 sums of square roots are not surer than that."""


@dataclass(frozen=True, eq=False)
class Prompt:
    """What one region says.

    `inside` (row, col) is its deepest pixel, `depth_px` far from the outside; `outside` the pixel of its box farthest
    from it, `clearance_px` away, or None where the box has no pixel outside. `weight` float32 (box height, box width)
    is 1 at the deepest pixel, falls towards the rim and is 0 outside the region.
    """

    inside: tuple[int, int]
    outside: tuple[int, int] | None
    box: Window
    depth_px: float
    clearance_px: float
    weight: Field


def prompt_for(
    region: Region,
    *,
    mode: Literal["safe", "legacy"] = "safe",
    foreground: Region | None = None,
    gamma: float = 4.0,
    pixels: NDArray[Any] | None = None,
    colour_weight: float = 0.0,
) -> Prompt | None:
    """What a region (bool, height x width) says, or None where it says nothing: an empty region, or a full picture.

    Distance is the length of the shortest way over 8 neighbours; `colour_weight` above 0 lets a way over changing
    `pixels` (height, width[, channels]) count as longer. What lies beyond the picture's edge is outside. The outside
    point keeps off `foreground` too, the other pixels of the same kind, as far as it can from both. The weight is
    exp(-(depth - deepest)^2 / (area / `gamma`)). Of equally deep pixels (to a thousandth of a pixel) the first in
    reading order counts.

    In mode "legacy" the picture's edge is not outside, the box has no outside point in its last row and column, ties
    fall as float32 rounds, and an empty or full region gives the pixel (0, 0) twice instead of None.

    >>> region = np.zeros((5, 8), bool)
    >>> region[0:4, 0:5] = region[3, 5:7] = True
    >>> prompt = prompt_for(region)
    >>> prompt.inside, prompt.outside, prompt.box
    ((1, 1), (0, 6), Window(top=0, left=0, bottom=4, right=7))
    >>> prompt_for(region, mode="legacy").inside  # the corner, for only (4, 0) and the right count as outside
    (0, 0)
    >>> prompt_for(np.ones((3, 4), bool)) is None
    True
    """
    if mode == "legacy":
        return _legacy(region, gamma, pixels, colour_weight)
    if not region.any() or region.all():
        return None
    box = bounding_box(region)
    ring = grow(box, 1, Window(-1, -1, region.shape[0] + 1, region.shape[1] + 1))
    around = _cut(region, ring, False)
    colours = None if pixels is None or not colour_weight else _cut(pixels, ring, None)
    depth = _distance(~around, colours, colour_weight, iterations=2 if colour_weight else 1)[1:-1, 1:-1]
    inside, deepest = _farthest(depth, EQUAL_PX)
    taken = region[box.slices] if foreground is None else (region | foreground)[box.slices]
    outside, clearance = None, 0.0
    if not taken.all():
        colours = None if pixels is None or not colour_weight else pixels[box.slices]
        away = _distance(taken, colours, colour_weight, iterations=2 if colour_weight else 1)
        place, clearance = _farthest(away, EQUAL_PX)
        outside = (box.top + place[0], box.left + place[1])
    weight = _weight(depth, deepest, int(np.count_nonzero(region)), gamma)
    return Prompt((box.top + inside[0], box.left + inside[1]), outside, box, deepest, clearance, weight)


def bounding_box(region: Region) -> Window:
    """The smallest window that holds the region; an empty one has the window 0, 0, 0, 0.

    >>> bounding_box(np.array([[False, False, False], [False, True, True]]))
    Window(top=1, left=1, bottom=2, right=3)
    """
    rows, cols = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    if not len(rows):
        return Window(0, 0, 0, 0)
    return Window(int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1)


def soft_mask(
    region: Region,
    prompt: Prompt,
    *,
    strength: float = 30.0,
    resized: tuple[int, int] = (1024, 1024),
    canvas: int = 1024,
    size: int = 256,
) -> Field:
    """The region as float32 (size, size) around 0 for a decoder that takes masks: above 0 inside, `strength` at most.

    The picture is `resized` (height, width) and lies top left in a square of `canvas` pixels, which is then made
    `size`; both bilinearly, without smoothing. Inside the value is `strength` times the prompt's weight, outside and in
    the padding -`strength`.

    >>> region = np.zeros((4, 8), bool)
    >>> region[1:3, 1:5] = True
    >>> soft_mask(region, prompt_for(region), strength=10, resized=(4, 8), canvas=8, size=8)[:3, :6].round(1)
    array([[-10., -10., -10., -10., -10., -10.],
           [-10.,  10.,  10.,  10.,  10., -10.],
           [-10.,  10.,  10.,  10.,  10., -10.]], dtype=float32)
    """
    weight = np.zeros(region.shape, np.float32)
    weight[prompt.box.slices] = prompt.weight
    sign = _onto_canvas(np.where(region, np.float32(1), np.float32(-1)), resized, canvas, size, beyond=-1)
    weight = _onto_canvas(weight, resized, canvas, size, beyond=0)
    strengths = np.where(sign > 0, np.float32(strength), np.float32(-strength))
    return strengths * np.where(weight <= 0, np.float32(1), weight)


def split_regions(region: Region, *, min_area_px: int = 5) -> tuple[NDArray[np.int32], int]:
    """A region in the parts worth asking for one by one: (labels int32 with -1 outside, how many).

    Parts are connected over 8 neighbours; those of fewer than `min_area_px` pixels are left out. A part takes in a
    later one where together they fill their common box well: the box is less than twice both boxes, and is filled
    better than half, or better than the emptier of the two less a tenth. Numbers follow reading order.

    >>> split_regions(np.array([[1, 1, 0, 1, 1, 0, 0, 0, 0, 0, 1], [1, 1, 0, 1, 1, 0, 0, 0, 0, 0, 1]], bool),
    ...               min_area_px=2)[0][0]
    array([ 0,  0, -1,  0,  0, -1, -1, -1, -1, -1,  1], dtype=int32)
    """
    labels, count, class_of = components(region)
    sizes = areas(labels, count)
    kept = np.flatnonzero((class_of != 0) & (sizes >= min_area_px))
    owner = _merged(boxes(labels, count)[kept], sizes[kept])
    number_of = np.full(count + 1, -1, np.int32)
    names, renamed = np.unique(owner, return_inverse=True)
    number_of[kept] = renamed
    return number_of[labels], len(names)


def similarity(features: Field, region: Region) -> Field:
    """How alike each pixel is to the region's mean: the cosine of their features, float32 (height, width) in -1..1.

    `features` (channels, rows, cols) cover the picture on a coarser grid and are read bilinearly. Without a pixel in
    the region, or where a feature is 0, it is 0.

    >>> similarity(np.array([[[1.0, 0.0]], [[0.0, 1.0]]], np.float32), np.array([[True, False, False, False]])).round(3)
    array([[1.   , 0.949, 0.316, 0.   ]], dtype=float32)
    """
    down, across = (_bilinear(n, m) for n, m in zip(region.shape, features.shape[1:], strict=True))
    share = down.T @ region.astype(np.float32) @ across / max(int(np.count_nonzero(region)), 1)
    mean = (features * share).sum(axis=(1, 2))
    along = down @ np.tensordot(mean, features, 1) @ across.T
    square = np.zeros(region.shape, np.float32)
    for channel in features:
        square += (down @ channel @ across.T) ** 2
    length = np.sqrt(square) * np.float32(np.linalg.norm(mean))
    result: Field = np.divide(along, length, out=np.zeros_like(along), where=length > 1e-12).astype(np.float32)
    return result


def elastic_box(box: Window, similar: Region, margin: float) -> Window:
    """A box whose sides are pushed out where what lies behind them is like what it holds.

    Each side moves by a tenth of the box, 10 pixels at most, if more than the fraction `margin` of the strip it would
    take in is `similar` (bool, height x width). Strips end at the picture's edge.

    >>> similar = np.zeros((30, 60), bool)
    >>> similar[5:25, 5:55] = True
    >>> elastic_box(Window(5, 10, 25, 50), similar, 0.5)
    Window(top=5, left=6, bottom=25, right=54)
    """
    height, width = similar.shape
    down, across = min(box.height // 10, 10), min(box.width // 10, 10)
    top, left = max(0, box.top - down), max(0, box.left - across)
    bottom, right = min(height, box.bottom + down), min(width, box.right + across)
    strips = (
        Window(top, box.left, box.top, box.right),
        Window(box.top, left, box.bottom, box.left),
        Window(box.bottom, box.left, bottom, box.right),
        Window(box.top, box.right, box.bottom, right),
    )
    moves = [bool(part.size) and bool(part.mean() > margin) for part in (similar[each.slices] for each in strips)]
    pushed = (top, left, bottom, right)
    return Window(*(new if moved else old for moved, new, old in zip(moves, pushed, box, strict=True)))


def _legacy(region: Region, gamma: float, pixels: NDArray[Any] | None, colour_weight: float) -> Prompt:
    depth = _distance(~region, pixels, colour_weight, iterations=2)
    inside, deepest = _farthest(depth, 0)
    box = bounding_box(region) if region.any() else Window(0, 0, 1, 1)
    away = _distance(region, pixels, colour_weight, iterations=2)
    candidates = np.zeros_like(away)
    half_open = (slice(box.top, box.bottom - 1), slice(box.left, box.right - 1))
    candidates[half_open] = away[half_open]
    outside, clearance = _farthest(candidates, 0)
    weight = _weight(depth[box.slices], deepest, int(np.count_nonzero(region)), gamma)
    return Prompt(inside, outside, box, deepest, clearance, weight)


def _distance(seeds: Region, pixels: NDArray[Any] | None, colour_weight: float, *, iterations: int) -> Field:
    """From the nearest seed, as the published raster scan computes it; without colour one iteration is exact."""
    colours = np.zeros(seeds.shape, np.float32) if pixels is None or not colour_weight else pixels
    return raster_geodesic(
        colours, (~seeds).astype(np.float32), colour_weight=colour_weight, iterations=iterations, unseeded=NOBODY_NEAR
    )


def _farthest(distance: Field, equal_px: float) -> tuple[tuple[int, int], float]:
    most = distance.max()
    row, col = np.divmod(int(np.argmax(distance >= most - np.float32(equal_px))), distance.shape[1])
    return (int(row), int(col)), float(most)


def _weight(depth: Field, deepest: float, area: int, gamma: float) -> Field:
    spread = np.float32(max(area / gamma, 1))
    weight = np.exp(-((depth - np.float32(deepest)) ** 2) / spread)
    return np.where(depth == 0, np.float32(0), weight).astype(np.float32)


def _cut(array: NDArray[Any], ring: Window, beyond: bool | None) -> NDArray[Any]:
    """A window that may reach one pixel beyond the picture; there stands `beyond`, or the nearest pixel with None."""
    height, width = array.shape[:2]
    rows, cols = np.arange(ring.top, ring.bottom), np.arange(ring.left, ring.right)
    cut: NDArray[Any] = array[np.ix_(rows.clip(0, height - 1), cols.clip(0, width - 1))]
    if beyond is not None:
        cut[(rows < 0) | (rows >= height)] = beyond
        cut[:, (cols < 0) | (cols >= width)] = beyond
    return cut


def _onto_canvas(values: Field, resized: tuple[int, int], canvas: int, size: int, *, beyond: float) -> Field:
    import cv2

    height, width = resized
    square = np.full((canvas, canvas), beyond, np.float32)
    square[:height, :width] = cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)
    small: Field = cv2.resize(square, (size, size), interpolation=cv2.INTER_LINEAR)
    return small


def _merged(box: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.intp]:
    """The first part that each part ends up in."""
    box, area, owner = box.copy(), sizes.astype(np.float64), np.arange(len(box))
    for first in range(len(box)):
        while owner[first] == first:
            later = np.flatnonzero(owner[first + 1 :] == np.arange(first + 1, len(box))) + first + 1
            union = np.concatenate(
                [np.minimum(box[first, :2], box[later, :2]), np.maximum(box[first, 2:], box[later, 2:])], 1
            )
            fits = _fill_well(_size(box[first]), area[first], _size(box[later]), area[later], _size(union))
            if not fits.any():
                break
            taken = int(np.argmax(fits))
            owner[owner == later[taken]] = first
            box[first], area[first] = union[taken], area[first] + area[later[taken]]
    return owner


def _fill_well(
    box: NDArray[np.float64],
    area: np.float64,
    boxes: NDArray[np.float64],
    areas: NDArray[np.float64],
    union: NDArray[np.float64],
) -> NDArray[np.bool_]:
    close = box + boxes > 0.5 * union
    dense = (area + areas) / union > np.minimum(0.5, np.minimum(area / box, areas / boxes) - 0.1)
    fits: NDArray[np.bool_] = close & dense
    return fits


def _size(box: NDArray[np.int64]) -> NDArray[np.float64]:
    size: NDArray[np.float64] = ((box[..., 2] - box[..., 0]) * (box[..., 3] - box[..., 1])).astype(np.float64)
    return size


def _bilinear(fine: int, coarse: int) -> Field:
    """Weights (fine, coarse) that read a coarse row at the centres of fine pixels."""
    at = ((np.arange(fine) + 0.5) * coarse / fine - 0.5).clip(0, coarse - 1)
    low = np.floor(at).astype(int)
    high, part = np.minimum(low + 1, coarse - 1), (at - low).astype(np.float32)
    weights = np.zeros((fine, coarse), np.float32)
    rows = np.arange(fine)
    weights[rows, low] += 1 - part
    weights[rows, high] += part
    return weights
