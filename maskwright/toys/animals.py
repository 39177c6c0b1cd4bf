"""Four-legged animals in the open: articulated, furred, from either side, with joints, outline and body parts.

Each animal is a jointed body of tapering limbs in space, turned, posed and projected, so that near legs hide far
ones. Truth is a mask of five parts; the view "left_right" tells every limb apart and the view "outline" is the whole
animal. Hints: "keypoints", the 39 joints of the SuperAnimal quadruped vocabulary (score 1 where seen, 0.3 where the
animal hides them, nan places and score 0 for the antlers it has not), and "outline".
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.toys.anatomy import JOINTS, PARTS, Body, grow
from maskwright.toys.landscape import grass, open_land
from maskwright.toys.light import Colours, develop, over, relief, rgb, tint
from maskwright.toys.noise import Field, blur, cells, fractal, ramp
from maskwright.toys.scenes import Scene, check_request, stream
from maskwright.types import Hint, Image, Keypoints, Mask

CLASS_NAMES = ("background", "b_leg", "body", "f_leg", "face", "tail")
COLORS = ("#000000", "#0077bb", "#009988", "#ee7733", "#ee3377", "#f0e0a0")
OUTLINE_NAMES = ("background", "animal")
SIDED_NAMES = ("background", *PARTS)
_FIVE = {
    "back_left_leg": 1, "back_right_leg": 1, "body": 2, "neck": 2, "front_left_leg": 3, "front_right_leg": 3,
    "head": 4, "muzzle": 4, "left_ear": 4, "right_ear": 4, "tail": 5,
}  # fmt: skip
HIDDEN_SCORE = 0.3


@dataclass
class _View:
    """What a camera sees: the part in front (-1 for none), its nearness and how far along its limb, in pixels."""

    part: NDArray[np.int8]
    near: Field
    along: Field


def make(count: int, *, random_state: int = 0, size: tuple[int, int] = (320, 448)) -> list[Scene]:
    """`count` animals, one per picture of `size` (height, width)."""
    check_request(count, size, smallest=64)
    return [_scene(index, random_state, size) for index in range(count)]


def _scene(index: int, random_state: int, size: tuple[int, int]) -> Scene:
    random = stream(random_state, "animals", index)
    body = _stand(grow(random), size, random)
    view = _look(body, size)
    land, ground = open_land(size, random, horizon=float(body.joints["back_middle"][0]) / size[0])
    feet = _feet(body)
    keypoints = _keypoints(body, view)
    pixels = _photograph(view, land, ground, feet, _features(keypoints), float(body.scale), random)
    sided = (view.part + 1).astype(np.uint8)
    five = np.array([0, *(_FIVE[part] for part in PARTS)], np.uint8)[sided]
    outline = Mask((sided > 0).astype(np.uint8), OUTLINE_NAMES)
    hints: dict[str, Hint] = {"keypoints": keypoints, "outline": outline}
    views = {"outline": outline, "left_right": Mask(sided, SIDED_NAMES)}
    return Scene(f"animal_{index:03d}", Image(pixels), Mask(five, CLASS_NAMES), hints, views)


def _stand(body: Body, size: tuple[int, int], random: np.random.Generator) -> Body:
    """Turn the animal, fit it into the picture and put it on the ground: (row, col, towards us) in pixels."""
    yaw = random.uniform(-0.6, 0.6) + (np.pi if random.random() < 0.5 else 0.0)
    tilt = random.uniform(0.04, 0.22)
    seen = body.turned(yaw, tilt)
    places = np.concatenate([limb.places for limb in seen.limbs])
    low, high = places[:, :2].min(axis=0) - 0.2, places[:, :2].max(axis=0) + 0.1
    scale = float(np.min(np.array(size) / (high - low))) * random.uniform(0.72, 0.95)
    spare = np.array(size) - (high - low) * scale
    corner = spare * (random.uniform(0.5, 0.9), random.uniform(0.15, 0.85))
    return seen.moved(scale, corner - low * scale)


def _look(body: Body, size: tuple[int, int]) -> _View:
    view = _View(np.full(size, -1, np.int8), np.full(size, -np.inf, np.float32), np.zeros(size, np.float32))
    for limb in body.limbs:
        start = 0.0
        for number in range(len(limb.places) - 1):
            ends, radii = limb.places[number : number + 2], limb.radii[number : number + 2]
            _capsule(view, PARTS.index(limb.part), ends, radii, start)
            start += float(np.linalg.norm(ends[1] - ends[0]))
    return view


def _capsule(view: _View, part: int, ends: NDArray[np.float64], radii: NDArray[np.float64], start: float) -> None:
    """Draw one tapering limb segment where it is nearer than what is there."""
    reach = float(radii.max()) + 1
    top, left = np.maximum(np.floor(ends[:, :2].min(axis=0) - reach).astype(int), 0)
    bottom, right = np.minimum(np.ceil(ends[:, :2].max(axis=0) + reach).astype(int) + 1, view.part.shape)
    if top >= bottom or left >= right:
        return
    rows, cols = np.mgrid[top:bottom, left:right].astype(np.float64)
    axis = ends[1] - ends[0]
    length = max(float(axis[:2] @ axis[:2]), 1e-9)
    share = np.clip(((rows - ends[0, 0]) * axis[0] + (cols - ends[0, 1]) * axis[1]) / length, 0, 1)
    radius = radii[0] + (radii[1] - radii[0]) * share
    off = (rows - ends[0, 0] - share * axis[0]) ** 2 + (cols - ends[0, 1] - share * axis[1]) ** 2
    near = ends[0, 2] + share * axis[2] + np.sqrt(np.clip(radius**2 - off, 0, None))
    here = np.s_[top:bottom, left:right]
    wins = (off <= radius**2) & (near > view.near[here])
    view.part[here][wins] = part
    view.near[here][wins] = near[wins]
    view.along[here][wins] = (start + share * np.linalg.norm(axis))[wins]


def _keypoints(body: Body, view: _View) -> Keypoints:
    places = np.array([body.joints.get(name, np.full(3, np.nan)) for name in JOINTS])
    scores = [_score(place, view, 0.16 * body.scale) for place in places]
    return Keypoints(JOINTS, places[:, 0], places[:, 1], np.array(scores))


def _score(place: NDArray[np.float64], view: _View, slack_px: float) -> float:
    """1 where the joint lies at, or not deep below, the surface we see; 0.3 behind it; 0 where there is none."""
    if np.isnan(place).any():
        return 0.0
    row, col = np.rint(place[:2]).astype(int)
    inside = 0 <= row < view.part.shape[0] and 0 <= col < view.part.shape[1]
    return 1.0 if inside and view.near[row, col] - place[2] <= slack_px else HIDDEN_SCORE


def _features(keypoints: Keypoints) -> NDArray[np.float64]:
    """Row and column of the eyes and the nose, where they can be seen."""
    seen = np.isin(keypoints.names, ("left_eye", "right_eye", "nose")) & (keypoints.scores == 1)
    return np.asarray(np.stack([keypoints.rows, keypoints.cols], axis=1)[seen], np.float64)


def _feet(body: Body) -> NDArray[np.float64]:
    return np.array([place for name, place in body.joints.items() if name.endswith("paw")])


def _photograph(
    view: _View, land: Colours, ground: Colours, feet: NDArray[np.float64], features: NDArray[np.float64], scale: float,
    random: np.random.Generator,
) -> NDArray[np.uint8]:  # fmt: skip
    size = view.part.shape[0], view.part.shape[1]
    region = view.part >= 0
    near = np.where(region, view.near, view.near[region].min()).astype(np.float32)
    light = relief(blur(near, 0.012 * scale), sun=(-0.75, random.uniform(-0.4, 0.4), 0.6), strength=0.55)
    light = np.clip(0.38 + 0.62 * light, 0.25, 1.5) * (1 - 0.25 * _crease(near, region, scale))
    fur = _coat(view, scale, random) * light[..., None]
    for row, col in np.rint(features * 8).astype(int):
        cv2.circle(fur, (int(col), int(row)), int(0.022 * scale * 8), (0.06, 0.05, 0.05), -1, cv2.LINE_AA, 3)
    floor = land * (1 - 0.5 * _shadow(size, feet, scale))[..., None]
    colours = over(floor, fur, blur(region.astype(np.float32), 0.7))
    blades = grass(size, random, feet[:, :2], 0.13 * scale, ground)
    colours = over(colours, blades.colours, blades.opacity)
    return develop(colours, random, noise=0.022, soft_px=0.6)


def _crease(near: Field, region: NDArray[np.bool_], scale: float) -> Field:
    """Darker where something just behind the pixel's neighbours stands out: where limbs meet the trunk."""
    bulge = blur(near, 0.07 * scale) - near
    return np.asarray(np.clip(bulge / (0.08 * scale), 0, 1) * region, np.float32)


def _shadow(size: tuple[int, int], feet: NDArray[np.float64], scale: float) -> Field:
    shade = np.zeros(size, np.float32)
    middle, spread = feet[:, :2].mean(axis=0), np.ptp(feet[:, 1]) / 2 + 0.2 * scale
    centre = (int(middle[1]), int(feet[:, 0].max() - 0.02 * scale))
    cv2.ellipse(shade, centre, (int(spread) + 1, int(0.10 * scale) + 1), 0, 0, 360, 1.0, -1, cv2.LINE_AA)
    return blur(shade, 0.06 * scale)


def _coat(view: _View, scale: float, random: np.random.Generator) -> Colours:
    """Fur: a ground colour, pale below, dark legs on some, and plain, striped, spotted or patched."""
    size = view.part.shape[0], view.part.shape[1]
    grounds = [(0.55, 0.40, 0.24), (0.45, 0.36, 0.28), (0.62, 0.54, 0.42), (0.33, 0.26, 0.21), (0.50, 0.50, 0.46)]
    base = rgb(grounds[random.integers(len(grounds))]) * random.uniform(0.85, 1.15)
    hair = fractal((size[0], size[1]), random, 3, octaves=2)
    clouds = fractal(size, random, 0.4 * scale, octaves=4)
    colours = tint(base, 0.35 + 0.12 * clouds + 0.08 * hair, base * 1.5)
    marks = _marks(view, scale, random)
    dark = np.broadcast_to(base * rgb(random.uniform(0.22, 0.45)), colours.shape)
    colours = over(colours, dark, 0.85 * marks)
    colours = over(colours, dark, 0.6 * random.random() * _limbs(view, scale))
    return colours * (1 + 0.05 * hair)[..., None]


def _marks(view: _View, scale: float, random: np.random.Generator) -> Field:
    size = view.part.shape[0], view.part.shape[1]
    warp = fractal(size, random, 0.25 * scale, octaves=3)
    kind = random.integers(4)
    if kind == 0:
        return np.zeros(size, np.float32)
    if kind == 1:
        waves = np.sin(view.along * (2 * np.pi / (random.uniform(0.09, 0.14) * scale)) + 1.3 * warp)
        return ramp(waves.astype(np.float32), 0.0, 0.5)
    if kind == 2:
        _, depth = cells(size, random, random.uniform(0.08, 0.12) * scale)
        return ramp(depth + 0.006 * scale * warp, 0.035 * scale, 0.055 * scale)
    return ramp(fractal(size, random, 0.45 * scale, octaves=4), 0.25, 0.40)


def _limbs(view: _View, scale: float) -> Field:
    legs = np.isin(view.part, [PARTS.index(part) for part in PARTS if part.endswith("leg")])
    return np.asarray(legs * ramp(view.along, 0.25 * scale, 0.6 * scale), np.float32)
