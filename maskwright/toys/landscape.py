"""Open land behind an animal: sky, hills in haze, and grass that grows towards the viewer."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.toys.light import Colours, over, rgb, tint
from maskwright.toys.noise import Field, blur, fractal, ramp

Paint = tuple[float, float, float]

_MEADOWS: list[tuple[Paint, Paint, Paint]] = [
    ((0.62, 0.53, 0.31), (0.46, 0.40, 0.22), (0.58, 0.72, 0.86)),
    ((0.38, 0.46, 0.21), (0.27, 0.35, 0.15), (0.70, 0.77, 0.83)),
    ((0.56, 0.47, 0.36), (0.42, 0.35, 0.27), (0.80, 0.78, 0.74)),
    ((0.44, 0.45, 0.29), (0.33, 0.33, 0.21), (0.62, 0.70, 0.80)),
]


@dataclass(frozen=True, eq=False)
class Blades:
    """Grass to lay over something: colours (height, width, 3) and opacity (height, width) in [0, 1]."""

    colours: Colours
    opacity: Field


def open_land(size: tuple[int, int], random: np.random.Generator, horizon: float) -> tuple[Colours, Colours]:
    """A landscape, and the colour of its grass (2, 3) from light to dark; `horizon` is a share of the height."""
    light, dark, sky = _MEADOWS[random.integers(len(_MEADOWS))]
    top = float(np.clip(horizon + random.uniform(-0.18, 0.12), 0.12, 0.6)) * size[0]
    rows = np.broadcast_to(np.arange(size[0], dtype=np.float32)[:, None], size)
    cloud = ramp(fractal(size, random, size[1] / 3, octaves=5), 0.1, 2.0)
    colours = tint(sky, (0.5 * rows / top).astype(np.float32), (0.90, 0.90, 0.88))
    colours = over(colours, np.full_like(colours, 0.95), 0.7 * cloud)
    for distance in (0.75, 0.45):
        colours = _hills(colours, random, top, distance, dark, sky)
    meadow = _meadow(size, random, top, light, dark)
    return over(colours, meadow, ramp(rows, top - 1, top + 3)), rgb([light, dark])


def _hills(colours: Colours, random: np.random.Generator, top: float, haze: float, dark: Paint, sky: Paint) -> Colours:
    size = colours.shape[0], colours.shape[1]
    ridge = fractal((1, size[1]), random, size[1] / 4, octaves=5)[0]
    crest = top - size[0] * (0.03 + 0.09 * haze) + ridge * size[0] * 0.025 * (1 + haze)
    rows = np.arange(size[0], dtype=np.float32)[:, None]
    trees = fractal(size, random, 8, octaves=3)
    paint = tint(dark, haze + 0.06 * trees, sky) * np.float32(0.9)
    return over(colours, paint, ramp(rows - crest[None] + 1.2 * trees, -1, 2))


def _meadow(size: tuple[int, int], random: np.random.Generator, top: float, light: Paint, dark: Paint) -> Colours:
    patches = fractal(size, random, size[1] / 6, octaves=5)
    squeezed = cv2.resize(
        fractal((size[0] * 3, size[1]), random, 40, octaves=5), size[::-1], interpolation=cv2.INTER_AREA
    )
    colours = tint(light, 0.5 + 0.20 * patches + 0.14 * squeezed, dark)
    count = size[0] * size[1] // 26
    nearness = np.sort(random.random(count))
    for near, col, shade in zip(nearness, random.uniform(0, size[1], count), random.normal(1, 0.2, count), strict=True):
        paint = rgb((rgb(light) + rgb(dark)) / 2 * shade)
        _blade(colours, (float(col), top + 2 + near**1.5 * (size[0] * 1.06 - top)), 2 + 13 * near**1.5, paint, random)
    return blur(colours, 0.5)


def _blade(
    canvas: NDArray[np.float32], foot: tuple[float, float], length: float, paint: Colours | float,
    random: np.random.Generator,
) -> None:  # fmt: skip
    lean = random.normal(0, 0.35)
    tip = (foot[0] + length * float(np.sin(lean)), foot[1] - length * float(np.cos(lean)))
    ends = [tuple(np.rint(np.array(end) * 8).astype(int).tolist()) for end in (foot, tip)]
    value = paint if isinstance(paint, float) else tuple(map(float, paint))
    cv2.line(canvas, ends[0], ends[1], value, 1, cv2.LINE_AA, 3)


def grass(
    size: tuple[int, int], random: np.random.Generator, feet: NDArray[np.float64], length: float, paints: Colours
) -> Blades:
    """Short blades that grow in front of the feet (row, col); thin enough that a mask rightly ignores them."""
    colours, opacity = np.zeros((*size, 3), np.float32), np.zeros(size, np.float32)
    for row, col in feet:
        for _ in range(16):
            foot = (col + random.normal(0, 0.9 * length), row + random.uniform(0.25, 0.9) * length)
            long, seed = length * random.uniform(0.5, 1.1), int(random.integers(2**31))
            paint = rgb(paints[int(random.integers(2))] * random.uniform(0.8, 1.25))
            _blade(colours, foot, long, paint, np.random.default_rng(seed))
            _blade(opacity, foot, long, 1.0, np.random.default_rng(seed))
    shares = np.maximum(opacity, np.float32(1e-3))[..., None]
    return Blades(rgb(colours / shares), 0.85 * opacity)
