"""Overlapping paper cut-outs on a patterned table: objects of four kinds whose colours say nothing about their kind.

Truth is `Instances` of what is seen of each object, later ones lying on earlier ones. Hints: "points",
one per object with its `object_ids`; "clicks", the same places and twice as many
on the background, without object ids. The view "classes" is the same truth, flat.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.encode import encode
from maskwright.toys.light import Colours, develop, moved, over, tint, uneven
from maskwright.toys.noise import blur, fractal
from maskwright.toys.scenes import Scene, check_request, stream
from maskwright.types import Grid, Image, Instances, Mask, Points

CLASS_NAMES = ("background", "disc", "square", "star", "triangle")
COLORS = ("#000000", "#0077bb", "#ee7733", "#ee3377", "#009988")
LEAST_SEEN_FRACTION = 0.35


def make(
    count: int, *, random_state: int = 0, size: tuple[int, int] = (256, 320), objects: tuple[int, int] = (6, 14)
) -> list[Scene]:
    """`count` tables with between `objects[0]` and `objects[1]` things on each, fewer where they do not fit.

    Of every thing at least 35 % stays in sight.
    """
    check_request(count, size)
    return [_scene(index, random_state, size, objects) for index in range(count)]


def _scene(index: int, random_state: int, size: tuple[int, int], objects: tuple[int, int]) -> Scene:
    random = stream(random_state, "shapes", index)
    colours = _table(size, random)
    owner = np.full(size, -1, np.int32)
    kinds: list[int] = []
    whole: list[int] = []
    wanted = int(random.integers(objects[0], objects[1] + 1))
    for _ in range(6 * wanted):
        kind = int(random.integers(1, len(CLASS_NAMES)))
        region = _cut_out(kind, size, random)
        if len(kinds) < wanted and _fits(region, owner, whole):
            colours = _lay(colours, region, random)
            owner[region] = len(kinds)
            kinds.append(kind)
            whole.append(int(region.sum()))
    pixels = develop(colours * uneven(size, random, 0.30)[..., None], random, noise=0.03, soft_px=0.7)
    return _finish(f"shapes_{index:03d}", Image(pixels), owner, np.array(kinds, np.uint8), random)


def _finish(
    name: str, image: Image, owner: NDArray[np.int32], kinds: NDArray[np.uint8], random: np.random.Generator
) -> Scene:
    regions = tuple(encode(owner == number) for number in range(len(kinds)))
    truth = Instances(regions, kinds, np.ones(len(kinds), np.float32), CLASS_NAMES, Grid(*owner.shape))
    places = [_inner_place(owner == number, random) for number in range(len(kinds))]
    rows, cols = np.array(places, np.float64).reshape(-1, 2).T
    points = Points(rows, cols, kinds, np.arange(len(kinds)))
    empty = np.argwhere(owner < 0)
    empty = empty[random.choice(len(empty), 2 * len(kinds))].astype(np.float64)
    clicks = Points(
        np.append(rows, empty[:, 0]), np.append(cols, empty[:, 1]), np.append(kinds, np.zeros(len(empty), np.uint8))
    )
    flat = np.append(kinds, np.uint8(0))[owner]  # owner -1 is the last entry: background
    return Scene(name, image, truth, {"points": points, "clicks": clicks}, {"classes": Mask(flat, CLASS_NAMES)})


def _inner_place(region: NDArray[np.bool_], random: np.random.Generator) -> tuple[int, int]:
    """Where somebody would click: well inside, but not always in the same place."""
    depth = cv2.distanceTransform(np.pad(region, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    rows, cols = np.nonzero(depth >= 0.5 * depth.max())
    pick = random.integers(len(rows))
    return int(rows[pick]), int(cols[pick])


def _table(size: tuple[int, int], random: np.random.Generator) -> Colours:
    """A table cloth: clouds of two colours, a weave, and stains of the colours that the cut-outs have."""
    first, second = (random.uniform(0.32, 0.62, 3) for _ in range(2))
    rows, cols = np.mgrid[: size[0], : size[1]].astype(np.float32)
    weave = np.sin(rows * random.uniform(0.7, 1.3)) * np.sin(cols * random.uniform(0.7, 1.3))
    share = 0.5 + 0.28 * fractal(size, random, max(size) / 3) + 0.08 * weave
    return tint(_paint(first), share.astype(np.float32), _paint(second))


def _paint(values: NDArray[np.float64]) -> tuple[float, float, float]:
    red, green, blue = values.tolist()
    return red, green, blue


def _cut_out(kind: int, size: tuple[int, int], random: np.random.Generator) -> NDArray[np.bool_]:
    """The region of one new object, its middle anywhere in the picture; part of it may lie outside."""
    radius = min(size) * random.uniform(0.07, 0.21)
    turn, squeeze = random.uniform(0, 2 * np.pi), random.uniform(0.75, 1.0)
    middle = random.uniform(0, 1, 2) * (size[1], size[0])
    corners = {1: 64, 2: 4, 3: 10, 4: 3}[kind]
    angles = np.arange(corners) / corners * 2 * np.pi
    far = np.where(np.arange(corners) % 2, random.uniform(0.42, 0.55), 1.0) if kind == 3 else np.ones(corners)
    flat = np.stack([np.cos(angles) * far, np.sin(angles) * far * squeeze], axis=1) * radius
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    region = np.zeros(size, np.uint8)
    cv2.fillPoly(region, [np.rint((flat @ spin.T + middle) * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
    return region.astype(bool)


def _fits(region: NDArray[np.bool_], owner: NDArray[np.int32], whole: list[int]) -> bool:
    """Whether enough of it is in the picture, and enough of everything below stays in sight."""
    if region.sum() < 80:
        return False
    seen = np.bincount(owner[~region & (owner >= 0)], minlength=len(whole))
    return bool(np.all(seen >= LEAST_SEEN_FRACTION * np.array(whole)))


def _lay(colours: Colours, region: NDArray[np.bool_], random: np.random.Generator) -> Colours:
    size = region.shape
    cut = region.astype(np.float32)
    shadow = blur(moved(cut, 4, 3), 2.5)
    rows, cols = np.mgrid[: size[0], : size[1]].astype(np.float32)
    turn, wave = random.uniform(0, np.pi), random.uniform(0.25, 0.7)
    stripes = np.sin((rows * np.cos(turn) + cols * np.sin(turn)) * wave) * (random.random() < 0.5)
    first = random.uniform(0.2, 0.9, 3)
    second = np.clip(first + random.normal(0, 0.16, 3), 0, 1)
    share = 0.5 + 0.25 * fractal((size[0], size[1]), random, 30) + 0.35 * stripes
    paper = tint(_paint(first), share.astype(np.float32), _paint(second))
    return over(colours * (1 - 0.40 * shadow)[..., None], paper, blur(cut, 0.5))
