"""A coral reef from above: thickets, boulders and plates of coral on rubble and sand, at a centimetre per pixel.

Truth is dense. The hints are class points, and a coarse survey: frames that a boat took along tracks, each with a
place (with the error of a GPS) and one score per class, as an underwater classifier gives them.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.toys.light import Colours, cast_shadow, caustics, develop, over, relief, rgb, tint, uneven
from maskwright.toys.noise import Field, blur, cells, fractal, ramp
from maskwright.toys.places import degrees
from maskwright.toys.scenes import Scene, check_request, stream
from maskwright.types import Grid, Image, Mask, Points

CLASS_NAMES = ("", "branching", "massive", "rubble", "sand", "tabular")
BRANCHING, MASSIVE, RUBBLE, SAND, TABULAR = range(1, 6)
COLORS = ("", "#0077bb", "#ee7733", "#aa3377", "#f0e0a0", "#009988")
CRS = "EPSG:32740"
ZONE = 40
PIXEL_M = 0.01


@dataclass(frozen=True, eq=False)
class Survey:
    """Frames of a boat: where each was taken in the grid's own coordinates, and scores (frames, classes) in [0, 1]
    for `class_names`. Places carry the error of the boat's GPS; latitude and longitude are degrees of WGS 84."""

    frames: tuple[str, ...]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
    scores: NDArray[np.float32]
    class_names: tuple[str, ...]
    crs: str


@dataclass
class _Canvas:
    """What has been painted so far: colours, height in pixels, class ids."""

    colours: Colours
    height: Field
    class_ids: NDArray[np.uint8]

    def lay(self, colours: Colours, height: Field, region: NDArray[np.bool_], class_id: int) -> None:
        self.colours = over(self.colours, colours, blur(region.astype(np.float32), 0.7))
        self.height = np.where(region, height, self.height).astype(np.float32)
        self.class_ids[region] = class_id


def make(
    count: int, *, random_state: int = 0, size: tuple[int, int] = (384, 512), points_per_scene: int = 60
) -> list[Scene]:
    """`count` pieces of reef, `size` (height, width) pixels of one centimetre; hints: "points"."""
    check_request(count, size)
    return [_scene(index, random_state, size, points_per_scene) for index in range(count)]


def survey(
    scene: Scene, *, random_state: int = 0, track_m: float = 0.7, frame_m: float = 0.35, footprint_m: float = 0.6,
    gps_error_m: float = 0.1,
) -> Survey:  # fmt: skip
    """Send a boat over a scene: parallel tracks `track_m` apart, a frame every `frame_m`, each sees `footprint_m`.

    A class's score grows with its share of the footprint and is noisy, and look-alikes leak into each other.
    """
    if not isinstance(scene.truth, Mask):
        raise ValueError("a survey needs a scene whose truth is a mask")
    random = stream(random_state, "survey", scene.name)
    rows, cols = _tracks(scene.image.grid, random, track_m / PIXEL_M, frame_m / PIXEL_M)
    shares = _shares(scene.truth.class_ids, rows, cols, footprint_m / PIXEL_M)
    x, y = scene.image.grid.place(rows, cols)
    x, y = (each + gps_error_m * random.standard_normal(len(each)) for each in (x, y))
    frames = tuple(f"{scene.name}_{index:04d}.jpg" for index in range(len(rows)))
    latitude, longitude = degrees(x, y, zone=ZONE, south=True)
    return Survey(frames, x, y, latitude, longitude, _classifier(shares, random), CLASS_NAMES[1:], CRS)


def _scene(index: int, random_state: int, size: tuple[int, int], points_per_scene: int) -> Scene:
    random = stream(random_state, "reef", index)
    canvas = _floor(size, random)
    _thickets(canvas, random)
    for _ in range(max(2, round(size[0] * size[1] / 22000 * random.uniform(0.6, 1.4)))):
        _boulder(canvas, random)
    for _ in range(max(1, round(size[0] * size[1] / 36000 * random.uniform(0.6, 1.4)))):
        _plate(canvas, random)
    grid = Grid(*size, (PIXEL_M, 0.0, 317400.0 + 20.0 * index, 0.0, -PIXEL_M, 7668200.0), CRS)
    truth = Mask(canvas.class_ids, CLASS_NAMES, grid)
    image = Image(_photograph(canvas, random), grid)
    points = class_points(truth, stream(random_state, "points", index), points_per_scene)
    return Scene(f"reef_{index:03d}", image, truth, {"points": points})


def class_points(truth: Mask, random: np.random.Generator, count: int) -> Points:
    """`count` random pixels and their class, and one more of each class the dice left out."""
    class_ids = truth.class_ids
    rows, cols = (random.integers(0, side, count) for side in class_ids.shape)
    for class_id in np.setdiff1d(np.unique(class_ids), class_ids[rows, cols]):
        places = np.argwhere(class_ids == class_id)
        row, col = places[random.integers(len(places))]
        rows, cols = np.append(rows, row), np.append(cols, col)
    return Points(rows.astype(np.float64), cols.astype(np.float64), class_ids[rows, cols])


def _floor(size: tuple[int, int], random: np.random.Generator) -> _Canvas:
    """Sand with ripples, and rubble lying in broad banks."""
    canvas = _Canvas(*_sand(size, random), np.full(size, SAND, np.uint8))
    banks = fractal(size, random, max(size) / 4, octaves=5, roughness=0.55)
    bank = banks > random.uniform(0.2, 0.7)
    canvas.lay(*_rubble(size, random), bank, RUBBLE)
    return canvas


def _sand(size: tuple[int, int], random: np.random.Generator) -> tuple[Colours, Field]:
    rows, cols = np.mgrid[: size[0], : size[1]].astype(np.float32)
    angle = random.uniform(-0.6, 0.6)
    warp = fractal(size, random, 90, octaves=3)
    phase = (rows * np.cos(angle) + cols * np.sin(angle)) / random.uniform(15, 22) * 2 * np.pi + 1.6 * warp
    ripples = np.sin(phase) * ramp(fractal(size, random, 160, octaves=2), -0.8, 0.9)
    grain = fractal(size, random, 3, octaves=2)
    colours = tint((0.80, 0.76, 0.63), 0.5 + 0.18 * warp + 0.06 * grain, (0.67, 0.66, 0.57))
    specks = grain > 2.3
    return over(colours, colours * np.float32(0.62), blur(specks.astype(np.float32), 0.6)), 1.3 * ripples + 0.35 * grain


def _rubble(size: tuple[int, int], random: np.random.Generator) -> tuple[Colours, Field]:
    which, depth = cells(size, random, random.uniform(6.5, 8.5))
    tone = random.random(which.max() + 1).astype(np.float32)[which]
    pale = (random.random(which.max() + 1) > 0.85).astype(np.float32)[which]
    colours = tint((0.37, 0.35, 0.29), tone, (0.63, 0.57, 0.46))
    colours = over(colours, tint((0.80, 0.77, 0.70), tone, (0.72, 0.62, 0.60)), 0.8 * pale)
    turf = ramp(fractal(size, random, 50), 0.2, 1.6)
    colours = over(colours, tint((0.36, 0.40, 0.24), tone, (0.45, 0.44, 0.28)), 0.6 * turf)
    gravel = fractal(size, random, 3.5, octaves=2)
    buried = ramp(fractal(size, random, 26, octaves=3), 0.2, 1.1)
    colours = over(colours, tint((0.44, 0.41, 0.34), 0.5 + 0.4 * gravel, (0.66, 0.62, 0.52)), 0.85 * buried)
    gaps = ramp(depth, 0.0, 1.6) * (1 - buried) + buried
    stones = 2.6 * np.sqrt(np.clip(depth, 0, 6)) * (1 - 0.8 * buried)
    return colours * (0.45 + 0.55 * gaps)[..., None], stones + 0.9 * gravel


def _thickets(canvas: _Canvas, random: np.random.Generator) -> None:
    """Stands of branching coral: thousands of little branches, dark below, pale at their tips."""
    size = canvas.class_ids.shape
    stand = fractal(size, random, max(size) / 3.2, octaves=6, roughness=0.52) > random.uniform(0.45, 0.8)
    stand = cv2.morphologyEx(
        stand.astype(np.uint8), cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    ).astype(bool)
    if not stand.any():
        return
    palette = [((0.22, 0.17, 0.10), (0.62, 0.47, 0.26)), ((0.16, 0.16, 0.20), (0.46, 0.45, 0.58)),
               ((0.20, 0.20, 0.10), (0.58, 0.55, 0.30))]  # fmt: skip
    dark, bright = palette[random.integers(len(palette))]
    colours, height = _branches(stand, random, rgb(dark), rgb(bright))
    canvas.lay(colours, height, stand, BRANCHING)


def _branches(
    stand: NDArray[np.bool_], random: np.random.Generator, dark: Colours, bright: Colours
) -> tuple[Colours, Field]:
    places = np.argwhere(stand)
    places = places[random.integers(0, len(places), len(places) // 34)]
    levels = np.sort(random.random(len(places)))
    colours = np.empty((*stand.shape, 3), np.float32)
    colours[:] = dark * 0.6
    height = np.full(stand.shape, 5.0, np.float32)
    turn = 2.2 * fractal((*stand.shape,), random, 60, octaves=2)
    for (row, col), level in zip(places, levels, strict=True):
        angle = turn[row, col] + random.normal(0, 0.8)
        length = random.uniform(6, 13)
        _branch(colours, height, (col, row), angle, length, level, dark + (bright - dark) * level, random)
    return colours, height + 3 * blur(stand.astype(np.float32), 6)


def _branch(
    colours: Colours, height: Field, foot: tuple[int, int], angle: float, length: float, level: float, colour: Colours,
    random: np.random.Generator,
) -> None:  # fmt: skip
    for side in (-0.55, 0.5):
        bend = angle + side * random.uniform(0.5, 1.2)
        middle = _along(foot, angle, length * 0.55)
        tip = _along(middle, bend, length * 0.6)
        path = np.rint(np.array([foot, middle, tip]) * 8).astype(np.int32)[None]
        cv2.polylines(colours, path, False, tuple(map(float, colour * 0.55)), 5, cv2.LINE_AA, 3)
        cv2.polylines(colours, path, False, tuple(map(float, colour)), 3, cv2.LINE_AA, 3)
        cv2.polylines(height, path, False, 6.0 + 8.0 * level, 3, cv2.LINE_AA, 3)
        pale = tuple(map(float, np.clip(colour * 1.25 + 0.16, 0, 1)))
        cv2.circle(colours, tuple(path[0, 2].tolist()), 10, pale, -1, cv2.LINE_AA, 3)


def _along(start: tuple[float, float], angle: float, length: float) -> tuple[float, float]:
    return start[0] + length * float(np.cos(angle)), start[1] + length * float(np.sin(angle))


def _lump(
    size: tuple[int, int], random: np.random.Generator, radius: float, *, raggedness: float, stretch: float
) -> tuple[Field, Field]:
    """An irregular round thing: (distance from its centre, 1 on its edge; direction)."""
    centre = random.uniform((-0.1 * radius,) * 2, (size[0] + 0.1 * radius, size[1] + 0.1 * radius))
    rows, cols = np.mgrid[: size[0], : size[1]].astype(np.float32)
    angle = random.uniform(0, np.pi)
    down, right = rows - centre[0], cols - centre[1]
    along = down * np.cos(angle) + right * np.sin(angle)
    across = (right * np.cos(angle) - down * np.sin(angle)) * stretch
    edge = 1 + raggedness * fractal(size, random, radius * 0.9, octaves=4)
    return (np.hypot(along, across) / (radius * edge)).astype(np.float32), np.arctan2(across, along)


def _boulder(canvas: _Canvas, random: np.random.Generator) -> None:
    """A massive coral: a dome of fine polyps, sometimes with a dead, pale top."""
    size = canvas.class_ids.shape
    radius = float(random.gamma(4.0, 7.0) + 10)
    far, _ = _lump(size, random, radius, raggedness=0.13, stretch=random.uniform(1, 1.4))
    region = far < 1
    if not region.any():
        return
    dome = np.sqrt(np.clip(1 - far**2, 0, 1)) * radius * 0.55
    knobs = fractal(size, random, radius * 0.5, octaves=3)
    polyps = fractal(size, random, 3.2, octaves=2, roughness=0.6)
    palette = [(0.56, 0.46, 0.22), (0.45, 0.47, 0.30), (0.55, 0.42, 0.42), (0.66, 0.56, 0.36)]
    base = palette[random.integers(len(palette))]
    colours = tint(base, 0.5 + 0.25 * knobs + 0.16 * polyps, rgb(base) * 0.62)
    if random.random() < 0.35:
        dead = ramp(0.55 - far + 0.15 * knobs, 0.0, 0.2)
        colours = over(colours, tint((0.70, 0.68, 0.60), polyps, (0.52, 0.52, 0.42)), 0.85 * dead)
    canvas.lay(colours, dome + 1.6 * knobs * (dome > 0) + 0.7 * polyps + 4, region, MASSIVE)


def _plate(canvas: _Canvas, random: np.random.Generator) -> None:
    """A tabular coral: a flat table on a foot, fine ribs running outwards, a pale growing rim, a hard shadow."""
    size = canvas.class_ids.shape
    radius = float(random.gamma(5.0, 7.0) + 14)
    far, direction = _lump(size, random, radius, raggedness=0.09, stretch=random.uniform(1, 1.5))
    region = far < 1
    if not region.any():
        return
    ribs = np.sin(direction * round(radius * 1.1) + 2.0 * fractal(size, random, 14, octaves=3))
    rings = np.sin(far * random.uniform(9, 16) + fractal(size, random, 40, octaves=3))
    palette = [(0.40, 0.42, 0.33), (0.50, 0.42, 0.27), (0.36, 0.40, 0.44)]
    base = palette[random.integers(len(palette))]
    colours = tint(base, 0.5 + 0.14 * ribs + 0.12 * rings, rgb(base) * 1.45)
    colours = over(colours, tint((0.76, 0.73, 0.62), ribs, (0.66, 0.62, 0.50)), 0.75 * ramp(far, 0.88, 0.98))
    canvas.lay(colours, 15 + 3 * (1 - far) + 0.7 * ribs + 0.6 * rings, region, TABULAR)


def _photograph(canvas: _Canvas, random: np.random.Generator) -> NDArray[np.uint8]:
    size = canvas.class_ids.shape
    light = relief(canvas.height, strength=0.55) * 0.75 + 0.25
    light *= cast_shadow(canvas.height) * uneven(size, random)
    light += 0.22 * caustics(size, random, 46) * light
    water = rgb((0.80, 1.02, 1.04)) + rgb((0.12, 0.0, -0.04)) * uneven(size, random, 0.5)[..., None]
    veil = rgb((0.02, 0.09, 0.12)) * rgb(random.uniform(0.5, 1.2))
    return develop(canvas.colours * light[..., None] * water * 0.9 + veil, random, noise=0.018, soft_px=0.55)


def _tracks(
    grid: Grid, random: np.random.Generator, track_px: float, frame_px: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Row and column of each frame: there and back along parallel tracks that sway a little."""
    rows, cols = [], []
    for number, row in enumerate(np.arange(track_px / 2 * random.uniform(0.6, 1.0), grid.height, track_px)):
        along = np.arange(frame_px / 2, grid.width, frame_px)[:: -1 if number % 2 else 1]
        sway = 0.2 * track_px * np.sin(along / grid.width * random.uniform(2, 6) + random.uniform(0, 6))
        rows.append(np.clip(row + sway, 0, grid.height - 1))
        cols.append(along)
    return np.concatenate(rows), np.concatenate(cols)


def _shares(
    class_ids: NDArray[np.uint8], rows: NDArray[np.float64], cols: NDArray[np.float64], footprint_px: float
) -> NDArray[np.float64]:
    """What share of each frame's footprint each class covers, (frames, classes)."""
    half = footprint_px / 2
    shares = []
    for row, col in zip(rows, cols, strict=True):
        top, left = max(int(row - half), 0), max(int(col - half), 0)
        seen = class_ids[top : int(row + half) + 1, left : int(col + half) + 1]
        shares.append(np.bincount(seen.ravel(), minlength=len(CLASS_NAMES))[1:] / seen.size)
    return np.array(shares)


def _classifier(shares: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float32]:
    """Scores as a network gives them: sure of what fills the frame, unsure of the rest, with confusions."""
    leak = np.eye(5) * 0.86 + 0.02
    for first, second in ((BRANCHING, TABULAR), (BRANCHING, RUBBLE), (MASSIVE, RUBBLE)):
        leak[first - 1, second - 1] = leak[second - 1, first - 1] = 0.08
    logits = 7.0 * (shares @ leak - 0.28) + 0.8 * random.standard_normal(shares.shape)
    return (1 / (1 + np.exp(-logits))).astype(np.float32)
