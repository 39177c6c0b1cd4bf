"""Pinned insects: one species per set, each animal with its own pose, size, wear and colour, on pale card.

Truth is a mask of body parts; the view "left_right" tells the animal's left from its right. The animal is seen from
above, so with the head up its left is left in the picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.toys.light import Colours, develop, moved, over, relief, rgb, tint, uneven
from maskwright.toys.noise import Field, blur, fractal, ramp
from maskwright.toys.scenes import Scene, check_request, stream
from maskwright.types import Image, Mask

CLASS_NAMES = ("background", "abdomen", "antenna", "forewing", "head", "hindwing", "thorax")
BACKGROUND, ABDOMEN, ANTENNA, FOREWING, HEAD, HINDWING, THORAX = range(7)
COLORS = ("#000000", "#ee7733", "#cc3311", "#0077bb", "#ee3377", "#33bbee", "#009988")
SIDED_NAMES = (
    "background", "abdomen", "head", "thorax", "left antenna", "left forewing", "left hindwing",
    "right antenna", "right forewing", "right hindwing",
)  # fmt: skip
_SIDED = {ANTENNA: 4, FOREWING: 5, HINDWING: 6, ABDOMEN: 1, HEAD: 2, THORAX: 3, BACKGROUND: 0}

# Outlines of the right half in body lengths: (to the animal's right, towards its head), from the wing's root round.
_FOREWING = [(0.07, 0.12), (0.32, 0.40), (0.68, 0.66), (0.98, 0.80), (1.05, 0.72), (0.98, 0.45), (0.86, 0.18),
             (0.60, 0.02), (0.30, -0.03), (0.08, 0.0)]  # fmt: skip
_HINDWING = [(0.07, 0.04), (0.35, 0.04), (0.62, 0.02), (0.76, -0.14), (0.76, -0.36), (0.66, -0.54), (0.52, -0.64),
             (0.34, -0.58), (0.19, -0.40), (0.08, -0.12)]  # fmt: skip

Paint = tuple[float, float, float]
Place = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class _Species:
    """What all animals of a set share."""

    ground: Paint
    margin: Paint
    spot: Paint
    body: Paint
    bands: float
    spots: tuple[tuple[float, float, float], ...]
    tail: float
    forewing: NDArray[np.float64]
    hindwing: NDArray[np.float64]


@dataclass
class _Plate:
    """The picture while it is drawn."""

    colours: Colours
    height: Field
    class_ids: NDArray[np.uint8]
    sided: NDArray[np.uint8]


def make(count: int, *, random_state: int = 0, size: tuple[int, int] = (384, 448)) -> list[Scene]:
    """`count` animals of one species, `size` (height, width); truth by part, view "left_right"."""
    check_request(count, size, smallest=96)
    species = _species(stream(random_state, "species"))
    return [_scene(index, species, random_state, size) for index in range(count)]


def _species(random: np.random.Generator) -> _Species:
    palettes: list[tuple[Paint, Paint, Paint, Paint]] = [
        ((0.86, 0.47, 0.14), (0.13, 0.09, 0.08), (0.97, 0.90, 0.74), (0.20, 0.14, 0.10)),
        ((0.30, 0.44, 0.72), (0.10, 0.11, 0.20), (0.92, 0.94, 0.96), (0.16, 0.15, 0.20)),
        ((0.55, 0.40, 0.26), (0.27, 0.17, 0.10), (0.90, 0.76, 0.42), (0.34, 0.24, 0.16)),
        ((0.88, 0.84, 0.66), (0.30, 0.26, 0.22), (0.72, 0.22, 0.16), (0.28, 0.24, 0.21)),
    ]
    ground, margin, spot, body = palettes[random.integers(len(palettes))]
    spots = tuple(
        (random.uniform(0.35, 0.85), random.uniform(0.15, 0.85), random.uniform(0.05, 0.11)) for _ in range(4)
    )
    shake = 0.035
    forewing, hindwing = (np.array(each) + shake * random.standard_normal((10, 2)) for each in (_FOREWING, _HINDWING))
    return _Species(ground, margin, spot, body, random.uniform(0, 3), spots, random.uniform(0, 0.3), forewing, hindwing)


def _scene(index: int, species: _Species, random_state: int, size: tuple[int, int]) -> Scene:
    random = stream(random_state, "specimens", index)
    plate = _card(size, random)
    card = plate.colours
    _animal(plate, species, random)
    animal = plate.class_ids > 0
    shadow = moved(animal.astype(np.float32), 7, 5)
    light = relief(plate.height, strength=0.5) * 0.6 + 0.4
    lit = over(card * (1 - 0.34 * blur(shadow, 4.5))[..., None], plate.colours * light[..., None],
               blur(animal.astype(np.float32), 0.6))  # fmt: skip
    pixels = develop(lit * uneven(size, random, 0.10)[..., None], random, noise=0.014, soft_px=0.55)
    views = {"left_right": Mask(plate.sided, SIDED_NAMES)}
    return Scene(f"specimen_{index:03d}", Image(pixels), Mask(plate.class_ids, CLASS_NAMES), views=views)


def _card(size: tuple[int, int], random: np.random.Generator) -> _Plate:
    """Pale card with a label, a scale bar and a little dirt."""
    paper = fractal(size, random, 60, octaves=6, roughness=0.6)
    warm = random.uniform(-0.03, 0.03)
    colours = tint((0.90 + warm, 0.885, 0.85 - warm), 0.5 + 0.2 * paper, (0.86 + warm, 0.84, 0.79 - warm))
    _label(colours, random)
    _scale_bar(colours, random)
    return _Plate(colours, np.zeros(size, np.float32), np.zeros(size, np.uint8), np.zeros(size, np.uint8))


def _label(colours: Colours, random: np.random.Generator) -> None:
    height, width = colours.shape[:2]
    wide, tall = int(width * 0.22), int(height * 0.11)
    left = int(random.choice([0.03, 0.74]) * width)
    top = int(height * random.uniform(0.84, 0.87))
    cv2.rectangle(colours, (left + 2, top + 3), (left + wide + 2, top + tall + 3), (0.70, 0.68, 0.65), -1)
    cv2.rectangle(colours, (left, top), (left + wide, top + tall), (0.96, 0.95, 0.90), -1)
    for line in range(3):
        row = top + round(tall * (line + 0.8) / 3.4)
        col = left + 4
        while col < left + wide * random.uniform(0.7, 0.92):
            step = int(random.integers(2, 6))
            cv2.line(
                colours, (col, row), (col + step, row - int(random.integers(0, 3))), (0.30, 0.29, 0.30), 1, cv2.LINE_AA
            )
            col += step + int(random.integers(2, 4))


def _scale_bar(colours: Colours, random: np.random.Generator) -> None:
    height, width = colours.shape[:2]
    row, col = int(height * 0.045), int(width * random.uniform(0.04, 0.66))
    step = max(width // 60, 4)
    for tick in range(16):
        shade = (0.10, 0.10, 0.10) if tick % 2 == 0 else (0.97, 0.97, 0.96)
        cv2.rectangle(colours, (col + tick * step, row), (col + (tick + 1) * step, row + 5), shade, -1)
    cv2.rectangle(colours, (col, row), (col + 16 * step, row + 5), (0.1, 0.1, 0.1), 1)


def _animal(plate: _Plate, species: _Species, random: np.random.Generator) -> None:
    place = _pose(plate.class_ids.shape, random)
    wear = float(random.uniform(0, 1))
    hue = rgb(1 + 0.04 * random.standard_normal(3))
    lift = random.normal(0, 0.16)
    for side in (1, -1):
        swing = lift + random.normal(0, 0.04)
        _antenna(plate, place, side, random)
        _wing(plate, species, place, side, swing * 0.8 - 0.05, HINDWING, wear, hue, random)
        _wing(plate, species, place, side, swing, FOREWING, wear, hue, random)
    _body(plate, species, place, hue, random)
    _pin(plate, place)


def _pose(size: tuple[int, ...], random: np.random.Generator) -> Place:
    """From body coordinates (to the right, to the head) to (col, row)."""
    scale = min(size[0] / 1.9, size[1] / 2.5) * random.uniform(0.72, 0.98)
    angle = random.normal(0, 0.22)
    middle = np.array([size[1] * random.uniform(0.46, 0.54), size[0] * random.uniform(0.46, 0.51)])
    turn = np.array([[np.cos(angle), np.sin(angle)], [np.sin(angle), -np.cos(angle)]]) * scale
    return lambda body: np.asarray(body, float) @ turn.T + middle


def _wing(
    plate: _Plate, species: _Species, place: Place, side: int, swing: float, part: int, wear: float, hue: Colours,
    random: np.random.Generator,
) -> None:  # fmt: skip
    outline = (species.forewing if part == FOREWING else species.hindwing).copy()
    if part == HINDWING:
        outline[6] += (0.02, -species.tail)
    outline += 0.010 * random.standard_normal(outline.shape)
    root = outline[[0, -1]].mean(axis=0)
    turn = np.array([[np.cos(swing), -np.sin(swing)], [np.sin(swing), np.cos(swing)]])
    curve = (_round(outline) - root) @ turn.T + root
    region = _fill(plate.class_ids.shape, place(curve * (side, 1)))
    if wear > 0.55:
        region &= ~_tear(plate.class_ids.shape, place(curve[[random.integers(90, 170)]] * (side, 1)), random)
    colours, height = _scales(
        region, species, place(root[None] * (side, 1))[0], place(curve * (side, 1)), part, wear, random
    )
    _lay(plate, colours * hue, height + (3 if part == FOREWING else 0), region, part, side)


def _scales(
    region: NDArray[np.bool_], species: _Species, root: NDArray[np.float64], curve: NDArray[np.float64], part: int,
    wear: float, random: np.random.Generator,
) -> tuple[Colours, Field]:  # fmt: skip
    """Colour and relief of a wing: a ground that darkens to the margin, bands, spots, veins from the root."""
    size = region.shape
    rows, cols = np.mgrid[: size[0], : size[1]].astype(np.float32)
    length = float(np.linalg.norm(curve - root, axis=1).max())
    tip = curve[np.argmax(np.linalg.norm(curve - root, axis=1))] - root
    far = np.hypot(rows - root[1], cols - root[0]) / length
    angle = np.arctan2(rows - root[1], cols - root[0]) - np.arctan2(tip[1], tip[0])
    angle = np.abs((angle + np.pi) % (2 * np.pi) - np.pi)
    depth = cv2.distanceTransform(region.astype(np.uint8), cv2.DIST_L2, 5) / length
    cloud = fractal(size, random, length / 3, octaves=5)
    ground = rgb(species.ground) * (0.92 if part == FOREWING else 1.06)
    colours = tint(ground, 0.35 * far + 0.10 * cloud, ground * 0.72)
    bands = ramp(np.sin(far * (9 + species.bands * 4) + 0.5 * cloud), 0.55, 0.95) * (species.bands > 1)
    colours = over(colours, np.broadcast_to(rgb(species.margin), colours.shape), 0.7 * bands)
    edge = 1 - ramp(depth + 0.012 * cloud, 0.035, 0.085)
    colours = over(colours, np.broadcast_to(rgb(species.margin), colours.shape), edge * ramp(far, 0.35, 0.6))
    for near, where, radius in species.spots:
        ring = np.hypot(far - near, (angle - where * 0.8) * near) / (radius * (1 + 0.12 * random.standard_normal()))
        colours = over(colours, np.broadcast_to(rgb(species.margin), colours.shape), 1 - ramp(ring, 0.95, 1.15))
        colours = over(colours, np.broadcast_to(rgb(species.spot), colours.shape), 1 - ramp(ring, 0.5, 0.7))
    veins = np.exp(-(((angle * 9.5) % 1 - 0.5) ** 2) * 900 * np.clip(far, 0.25, 1) ** 2) * ramp(far, 0.04, 0.2)
    dust = fractal(size, random, 2.5, octaves=2)
    colours = colours * (1 - 0.42 * veins + 0.045 * dust)[..., None]
    colours = over(colours, np.float32(0.25) + 0.7 * colours, 0.5 * wear * ramp(cloud, 0.4, 1.6))
    return colours, (1.2 * veins + 1.5 * blur(region.astype(np.float32), 3) + 0.25 * dust).astype(np.float32)


def _tear(size: tuple[int, ...], at: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.bool_]:
    rows, cols = np.mgrid[: size[0], : size[1]]
    edge = random.uniform(6, 13) * (1 + 0.25 * fractal((size[0], size[1]), random, 9, octaves=3))
    return np.asarray(np.hypot(rows - at[0, 1], cols - at[0, 0]) < edge)


def _antenna(plate: _Plate, place: Place, side: int, random: np.random.Generator) -> None:
    spread = 0.30 + 0.06 * random.standard_normal()
    path = np.array(
        [(0.02, 0.34), (0.08, 0.46), (spread * 0.7, 0.62), (spread, 0.78 + 0.04 * random.standard_normal())]
    )
    points = place(_round(path, closed=False) * (side, 1))
    region = np.zeros(plate.class_ids.shape, np.uint8)
    cv2.polylines(region, [np.rint(points * 16).astype(np.int32)], False, 1, 3, cv2.LINE_8, 4)
    cv2.circle(region, tuple(np.rint(points[-1] * 16).astype(int).tolist()), 48, 1, -1, cv2.LINE_8, 4)
    colours = np.broadcast_to(rgb((0.20, 0.15, 0.12)), plate.colours.shape)
    _lay(plate, colours, 2 + 2 * blur(region.astype(np.float32), 1), region.astype(bool), ANTENNA, side)


def _body(plate: _Plate, species: _Species, place: Place, hue: Colours, random: np.random.Generator) -> None:
    bend = 0.05 * random.standard_normal()
    long = 0.60 * (1 + 0.06 * random.standard_normal())
    for part, middle, half in (
        (ABDOMEN, (bend, -0.06 - long / 2), (0.075, long / 2 + 0.03)),
        (THORAX, (0.0, 0.08), (0.105, 0.17)),
        (HEAD, (0.0, 0.285), (0.072, 0.066)),
    ):
        _segment(plate, species, place, part, middle, half, bend, hue, random)


def _segment(
    plate: _Plate, species: _Species, place: Place, part: int, middle: tuple[float, float], half: tuple[float, float],
    bend: float, hue: Colours, random: np.random.Generator,
) -> None:  # fmt: skip
    turn = np.linspace(0, 2 * np.pi, 80, endpoint=False)
    taper = 1 - 0.35 * np.clip(-np.sin(turn), 0, 1) * (part == ABDOMEN)
    outline = np.stack([middle[0] + half[0] * np.cos(turn) * taper, middle[1] + half[1] * np.sin(turn)], axis=1)
    outline[:, 0] += bend * 1.4 * np.clip(-outline[:, 1], 0, 1) * (part == ABDOMEN) - bend * (part == ABDOMEN)
    region = _fill(plate.class_ids.shape, place(outline))
    size = region.shape
    fur = fractal(size, random, 3, octaves=2)
    top, bottom = place(np.array([[middle[0], middle[1] + half[1]], [middle[0], middle[1] - half[1]]]))
    rows, cols = np.mgrid[: size[0], : size[1]].astype(np.float32)
    axis = bottom - top
    along = ((cols - top[0]) * axis[0] + (rows - top[1]) * axis[1]) / float(axis @ axis)
    rings = ramp(np.sin(along * 2 * np.pi * 7), 0.2, 0.8) * (part == ABDOMEN)
    base = rgb(species.body) * hue
    colours = tint(base, 0.35 * rings + 0.3 + 0.15 * fur, 0.5 * base + 0.42 * rgb(species.ground))
    depth = cv2.distanceTransform(region.astype(np.uint8), cv2.DIST_L2, 5)
    dome = np.sqrt(np.clip(depth * (2 * depth.max() - depth), 0, None))
    _lay(plate, colours, (6 + dome + 0.5 * fur + 0.6 * rings).astype(np.float32), region, part, 1)


def _pin(plate: _Plate, place: Place) -> None:
    """A steel pin through the thorax; it belongs to the thorax in the truth, as annotators do it."""
    col, row = np.rint(place(np.array([[0.01, 0.10]]))[0] * 8).astype(int).tolist()
    cv2.circle(plate.colours, (col, row), 22, (0.16, 0.16, 0.17), -1, cv2.LINE_AA, 3)
    cv2.circle(plate.colours, (col - 6, row - 7), 8, (0.92, 0.93, 0.95), -1, cv2.LINE_AA, 3)


def _lay(plate: _Plate, colours: Colours, height: Field, region: NDArray[np.bool_], part: int, side: int) -> None:
    plate.colours = over(plate.colours, colours, blur(region.astype(np.float32), 0.5))
    plate.height = np.where(region, height, plate.height).astype(np.float32)
    plate.class_ids[region] = part
    plate.sided[region] = _SIDED[part] + (3 if side > 0 and part in (ANTENNA, FOREWING, HINDWING) else 0)


def _fill(size: tuple[int, ...], curve: NDArray[np.float64]) -> NDArray[np.bool_]:
    region = np.zeros(size, np.uint8)
    cv2.fillPoly(region, [np.rint(curve * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
    return region.astype(bool)


def _round(corners: NDArray[np.float64], *, closed: bool = True, steps: int = 24) -> NDArray[np.float64]:
    """A smooth curve through all corners (Catmull-Rom), `steps` places between two of them."""
    ends = (corners[-1:], corners[:2]) if closed else (corners[:1], corners[-1:])
    known = np.concatenate([ends[0], corners, ends[1]])
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    before, start, end, after = (known[shift : len(known) - 3 + shift, None, :] for shift in range(4))
    curve = 0.5 * (
        2 * start + (end - before) * t + (2 * before - 5 * start + 4 * end - after) * t**2
        + (3 * start - before - 3 * end + after) * t**3
    )  # fmt: skip
    return np.asarray(curve.reshape(-1, 2))
