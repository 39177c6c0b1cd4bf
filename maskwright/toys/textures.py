"""Textured grounds with or without an object: for learning where things are from "present" and "absent" alone.

Half of the scenes hold an object. Truth is a mask of it, the hint "tags" says only whether it is there, and the
grounds come in `KINDS` with the object no likelier on one than on another. Brightness gives nothing away.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.toys.light import develop, moved, over, relief, tint, uneven
from maskwright.toys.noise import Field, blur, cells, fractal, ramp
from maskwright.toys.scenes import Scene, check_request, stream
from maskwright.types import Image, Mask, Tags

CLASS_NAMES = ("background", "object")
COLORS = ("#000000", "#ee7733")


def make(count: int, *, random_state: int = 0, size: tuple[int, int] = (128, 160)) -> list[Scene]:
    """`count` scenes, every other one with an object; hints: "tags"."""
    check_request(count, size)
    return [_scene(index, random_state, size) for index in range(count)]


def _scene(index: int, random_state: int, size: tuple[int, int]) -> Scene:
    random = stream(random_state, "textures", index)
    name = sorted(KINDS)[int(random.integers(len(KINDS)))]
    surface = KINDS[name](size, random)
    there = index % 2 == 0
    region = _silhouette(size, random) if there else np.zeros(size, bool)
    pixels = _photograph(surface, region, random)
    tags = Tags(frozenset({"object"} if there else ()), frozenset(() if there else {"object"}))
    truth = Mask(region.astype(np.uint8), CLASS_NAMES)
    return Scene(f"{name}_{index:03d}", Image(pixels), truth, {"tags": tags})


def _photograph(surface: Field, region: NDArray[np.bool_], random: np.random.Generator) -> NDArray[np.uint8]:
    """Light falls on ground and object alike; the object has a skin of its own and a soft shadow."""
    size = surface.shape[0], surface.shape[1]
    base, other = _colour(random), _colour(random)
    ground = tint(base, 0.5 + 0.22 * surface, other)
    cut = region.astype(np.float32)
    shadow = moved(cut, 3, 2)
    ground = ground * (1 - 0.35 * blur(shadow, 2))[..., None] * relief(surface * 1.5, strength=0.25)[..., None]
    depth = np.sqrt(cv2.distanceTransform(region.astype(np.uint8), cv2.DIST_L2, 5))
    skin = fractal(size, random, 7, octaves=3)
    belly = tint(_colour(random), 0.5 + 0.2 * skin, _colour(random))
    belly = belly * relief(3.0 * depth + 0.3 * skin, strength=0.6)[..., None]
    return develop(over(ground, belly, blur(cut, 0.5)) * uneven(size, random, 0.25)[..., None], random, noise=0.035)


def _colour(random: np.random.Generator) -> tuple[float, float, float]:
    red, green, blue = np.clip(random.uniform(0.35, 0.65) + 0.13 * random.standard_normal(3), 0.05, 0.95).tolist()
    return red, green, blue


def _silhouette(size: tuple[int, int], random: np.random.Generator) -> NDArray[np.bool_]:
    """A fish-like body with a tail fin and a back fin, somewhere, turned anyhow, 2 to 10 % of the picture."""
    long = min(size) * random.uniform(0.20, 0.34)
    t = np.linspace(0, 1, 40)
    half = 0.36 * np.sin(np.pi * t**0.8) * (1 - 0.35 * t) + 0.03
    top = half + 0.16 * np.exp(-(((t - random.uniform(0.35, 0.55)) / 0.10) ** 2))
    tail = [(1.32, random.uniform(0.22, 0.34)), (1.2, 0.0), (1.32, -random.uniform(0.22, 0.34))]
    outline = np.concatenate([np.stack([t, top], 1), tail, np.stack([t, -half], 1)[::-1]]) - (0.6, 0)
    outline[:, 1] += random.uniform(-0.25, 0.25) * outline[:, 0] ** 2
    turn, mirror = random.uniform(0, 2 * np.pi), random.choice([-1, 1])
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    reach = 0.85 * long
    middle = random.uniform((reach, reach), (size[1] - reach, size[0] - reach))
    region = np.zeros(size, np.uint8)
    curve = (outline * (1, mirror)) @ spin.T * long + middle
    cv2.fillPoly(region, [np.rint(curve * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
    return region.astype(bool)


def _ripples(size: tuple[int, int], random: np.random.Generator) -> Field:
    rows, cols = np.mgrid[: size[0], : size[1]].astype(np.float32)
    turn = random.uniform(0, np.pi)
    phase = (rows * np.cos(turn) + cols * np.sin(turn)) / random.uniform(7, 12) * 2 * np.pi
    waves = np.sin(phase + 1.8 * fractal(size, random, 50, octaves=3))
    return np.asarray(1.1 * waves + 0.35 * fractal(size, random, 4, octaves=2), np.float32)


def _pebbles(size: tuple[int, int], random: np.random.Generator) -> Field:
    which, depth = cells(size, random, random.uniform(8, 13))
    tone = random.standard_normal(which.max() + 1).astype(np.float32)[which]
    return np.asarray(0.7 * tone + 1.6 * ramp(depth, 0, 4) - 0.8, np.float32)


def _grass(size: tuple[int, int], random: np.random.Generator) -> Field:
    blades = np.zeros(size, np.float32)
    lean = random.uniform(-0.8, 0.8)
    for row, col, level in random.uniform((0, 0, -1.6), (*size, 1.6), (size[0] * size[1] // 16, 3)):
        angle, long = lean + random.normal(0, 0.35), random.uniform(6, 14)
        end = (col + long * np.sin(angle), row - long * np.cos(angle))
        path = np.rint(np.array([(col, row), end]) * 8).astype(int)
        cv2.line(blades, tuple(path[0].tolist()), tuple(path[1].tolist()), float(level), 1, cv2.LINE_AA, 3)
    return blades


def _woven(size: tuple[int, int], random: np.random.Generator) -> Field:
    rows, cols = np.mgrid[: size[0], : size[1]].astype(np.float32)
    step, warp = random.uniform(5, 8), 0.7 * fractal(size, random, 40, octaves=2)
    over_under = np.sign(np.sin(rows / step * np.pi + warp) * np.sin(cols / step * np.pi + warp))
    threads = np.where(over_under > 0, np.sin(rows / step * 2 * np.pi), np.sin(cols / step * 2 * np.pi))
    return np.asarray(threads + 0.6 * over_under + 0.3 * fractal(size, random, 6), np.float32)


def _clouds(size: tuple[int, int], random: np.random.Generator) -> Field:
    return fractal(size, random, 24, octaves=6, roughness=0.75)


KINDS: dict[str, Callable[[tuple[int, int], np.random.Generator], Field]] = {
    "clouds": _clouds, "grass": _grass, "pebbles": _pebbles, "ripples": _ripples, "woven": _woven,
}  # fmt: skip
