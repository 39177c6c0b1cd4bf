"""A four-legged body in space: limbs as chains of tapering segments, and 39 named joints.

Before it is turned the animal stands at the origin: x towards its head, y to its own left, z up; the distance from
shoulder to hip is 1. After `turned` and `moved` places are (row, col, towards the viewer).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Place = NDArray[np.float64]

PARTS = (
    "back_left_leg", "back_right_leg", "body", "front_left_leg", "front_right_leg", "head", "left_ear", "muzzle",
    "neck", "right_ear", "tail",
)  # fmt: skip

JOINTS = (
    "nose", "upper_jaw", "lower_jaw", "mouth_end_right", "mouth_end_left", "right_eye", "right_earbase",
    "right_earend", "right_antler_base", "right_antler_end", "left_eye", "left_earbase", "left_earend",
    "left_antler_base", "left_antler_end", "neck_base", "neck_end", "throat_base", "throat_end", "back_base",
    "back_end", "back_middle", "tail_base", "tail_end", "front_left_thigh", "front_left_knee", "front_left_paw",
    "front_right_thigh", "front_right_knee", "front_right_paw", "back_left_paw", "back_left_thigh",
    "back_right_thigh", "back_left_knee", "back_right_knee", "back_right_paw", "belly_bottom", "body_middle_right",
    "body_middle_left",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Limb:
    """A chain of places (n, 3) with a radius at each, all of one part."""

    part: str
    places: Place
    radii: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Body:
    """Limbs, joints by name, and how many pixels shoulder to hip are (1 before it is moved)."""

    limbs: tuple[Limb, ...]
    joints: dict[str, Place]
    scale: float = 1.0

    def turned(self, yaw: float, tilt: float) -> Body:
        """As (row, col, towards us), still in body lengths; at yaw 0 it looks left and shows its left side."""

        def turn(places: Place) -> Place:
            x, y, z = places[..., 0], places[..., 1], places[..., 2]
            ahead, aside = x * np.cos(yaw) - y * np.sin(yaw), x * np.sin(yaw) + y * np.cos(yaw)
            row = aside * np.sin(tilt) - z * np.cos(tilt)
            return np.stack([row, -ahead, aside * np.cos(tilt) + z * np.sin(tilt)], axis=-1)

        limbs = tuple(Limb(limb.part, turn(limb.places), limb.radii) for limb in self.limbs)
        return Body(limbs, {name: turn(place) for name, place in self.joints.items()}, self.scale)

    def moved(self, scale: float, corner: Place) -> Body:
        """In pixels: everything times `scale`, then shifted by `corner` (rows, cols)."""
        shift = np.array([*corner, 0.0])
        limbs = tuple(Limb(limb.part, limb.places * scale + shift, limb.radii * scale) for limb in self.limbs)
        return Body(limbs, {name: place * scale + shift for name, place in self.joints.items()}, self.scale * scale)


@dataclass(frozen=True)
class _Build:
    """The proportions of one animal."""

    girth: float
    leg: float
    thick: float
    neck: float
    neck_angle: float
    head: float
    head_angle: float
    ear: float
    tail: float
    droop: float


def grow(random: np.random.Generator) -> Body:
    """One animal: proportions between cat, dog, cow and horse, standing or walking."""
    build = _Build(
        girth=random.uniform(0.20, 0.29), leg=random.uniform(0.62, 0.95), thick=random.uniform(0.8, 1.15),
        neck=random.uniform(0.28, 0.55), neck_angle=random.uniform(-0.1, 1.0), head=random.uniform(0.26, 0.38),
        head_angle=random.uniform(-0.9, -0.1), ear=random.uniform(0.10, 0.20), tail=random.uniform(0.45, 0.85),
        droop=random.uniform(-0.5, 1.3),
    )  # fmt: skip
    limbs: list[Limb] = []
    joints: dict[str, Place] = {}
    _trunk(build, limbs, joints)
    stride, phase = random.uniform(0.05, 0.5), random.uniform(0, 2 * np.pi)
    for side, left in ((1, True), (-1, False)):
        swing = stride * np.sin(phase + (0 if left else np.pi) + random.normal(0, 0.3))
        _front_leg(build, limbs, joints, side, swing)
        _back_leg(build, limbs, joints, side, stride * np.sin(phase + (np.pi / 2 if left else -np.pi / 2)))
    _neck_and_head(build, limbs, joints, random.normal(0, 0.25))
    _tail(build, limbs, joints, random.normal(0, 0.3))
    return Body(tuple(limbs), joints)


def _at(*values: float) -> Place:
    return np.array(values, np.float64)


def _limb(part: str, places: Sequence[Place], radii: Sequence[float]) -> Limb:
    """A limb through some places, with smooth places and radii between them."""
    known, widths = np.array(places), np.array(radii)
    at = np.linspace(0, len(known) - 1, 6 * (len(known) - 1) + 1)
    index = np.minimum(at.astype(int), len(known) - 2)
    share = at - index
    smooth = share * share * (3 - 2 * share)
    path = np.stack([np.interp(at, np.arange(len(known)), known[:, axis]) for axis in range(3)], axis=1)
    width = widths[index] + (widths[index + 1] - widths[index]) * smooth
    return Limb(part, path, width)


def _trunk(build: _Build, limbs: list[Limb], joints: dict[str, Place]) -> None:
    girth = build.girth
    spine = [_at(-0.60, 0, 0.03), _at(-0.42, 0, 0.02), _at(-0.1, 0, -0.03), _at(0.25, 0, -0.04), _at(0.50, 0, 0.0)]
    limbs.append(_limb("body", spine, [0.55 * girth, 0.95 * girth, 0.92 * girth, 1.08 * girth, 0.80 * girth]))
    joints.update(
        back_base=_at(0.33, 0, 0.92 * girth),
        back_middle=_at(0.0, 0, 0.85 * girth), back_end=_at(-0.38, 0, 0.93 * girth),
        tail_base=_at(-0.66, 0, 0.35 * girth), belly_bottom=_at(0.05, 0, -0.95 * girth - 0.03),
        body_middle_left=_at(0, 0.9 * girth, -0.02), body_middle_right=_at(0, -0.9 * girth, -0.02),
        throat_base=_at(0.58, 0, -0.45 * girth), neck_base=_at(0.46, 0, 0.85 * girth),
    )  # fmt: skip


def _down(start: Place, angle: float, length: float) -> Place:
    """`length` below a place, swung forward by `angle`."""
    return start + _at(length * np.sin(angle), 0, -length * np.cos(angle))


def _front_leg(build: _Build, limbs: list[Limb], joints: dict[str, Place], side: int, swing: float) -> None:
    name, thick, drop = ("left" if side > 0 else "right"), build.thick, build.leg + 0.8 * build.girth
    top = _at(0.42, side * 0.62 * build.girth, -0.25 * build.girth)
    elbow = _down(top, -0.15 + 0.5 * swing, 0.28 * drop)
    knee = _down(elbow, 0.12 + swing, 0.36 * drop)
    fetlock = _down(knee, swing - max(-swing, 0) * 1.1, 0.30 * drop)
    paw = fetlock + _at(0.05, 0, -0.05 * drop)
    radii = [0.115 * thick, 0.085 * thick, 0.050 * thick, 0.036 * thick, 0.045 * thick]
    limbs.append(_limb(f"front_{name}_leg", [top, elbow, knee, fetlock, paw], radii))
    joints |= {f"front_{name}_thigh": elbow, f"front_{name}_knee": knee, f"front_{name}_paw": paw}


def _back_leg(build: _Build, limbs: list[Limb], joints: dict[str, Place], side: int, swing: float) -> None:
    name, thick, drop = ("left" if side > 0 else "right"), build.thick, build.leg + 0.8 * build.girth
    top = _at(-0.46, side * 0.55 * build.girth, 0.05 * build.girth)
    stifle = _down(top, 0.28 + 0.5 * swing, 0.36 * drop)
    hock = _down(stifle, -0.55 + swing, 0.34 * drop)
    fetlock = _down(hock, 0.12 + swing - max(swing, 0) * 0.4, 0.30 * drop)
    paw = fetlock + _at(0.06, 0, -0.05 * drop)
    radii = [0.165 * thick, 0.125 * thick, 0.055 * thick, 0.038 * thick, 0.046 * thick]
    limbs.append(_limb(f"back_{name}_leg", [top, stifle, hock, fetlock, paw], radii))
    joints |= {f"back_{name}_thigh": stifle, f"back_{name}_knee": hock, f"back_{name}_paw": paw}


def _neck_and_head(build: _Build, limbs: list[Limb], joints: dict[str, Place], look: float) -> None:
    start = _at(0.47, 0, 0.25 * build.girth)
    rise = _at(
        np.cos(build.neck_angle) * np.cos(look), np.cos(build.neck_angle) * np.sin(look), np.sin(build.neck_angle)
    )
    poll = start + (build.neck + 0.12) * rise
    limbs.append(_limb("neck", [start, (start + poll) / 2, poll], [0.80 * build.girth, 0.58 * build.girth, 0.105]))
    ahead = _at(
        np.cos(build.head_angle) * np.cos(look), np.cos(build.head_angle) * np.sin(look), np.sin(build.head_angle)
    )
    left = _at(-np.sin(look), np.cos(look), 0)
    crown = np.cross(ahead, left)
    stop, nose = poll + 0.42 * build.head * ahead, poll + build.head * ahead
    limbs.append(_limb("head", [poll, stop], [0.125, 0.115]))
    limbs.append(_limb("muzzle", [stop + 0.1 * build.head * ahead, nose], [0.092, 0.062]))
    joints.update(
        neck_end=poll + 0.10 * crown - 0.06 * ahead, throat_end=poll - 0.10 * crown + 0.02 * ahead,
        nose=nose + 0.055 * ahead, upper_jaw=nose + 0.045 * crown, lower_jaw=nose - 0.05 * crown,
        mouth_end_left=stop + 0.15 * build.head * ahead + 0.07 * left - 0.04 * crown,
        mouth_end_right=stop + 0.15 * build.head * ahead - 0.07 * left - 0.04 * crown,
    )  # fmt: skip
    for side, name in ((1, "left"), (-1, "right")):
        base = poll + side * 0.085 * left + 0.085 * crown
        tip = base + build.ear * (0.8 * crown + side * 0.45 * left - 0.35 * ahead)
        limbs.append(_limb(f"{name}_ear", [base, (base + tip) / 2, tip], [0.045, 0.042, 0.012]))
        eye = poll + 0.30 * build.head * ahead + side * 0.10 * left + 0.05 * crown
        joints |= {f"{name}_earbase": base, f"{name}_earend": tip, f"{name}_eye": eye}


def _tail(build: _Build, limbs: list[Limb], joints: dict[str, Place], sway: float) -> None:
    path = [_at(-0.62, 0, 0.38 * build.girth)]
    for step in range(5):
        angle = 0.5 + build.droop * (0.35 + 0.18 * step)
        move = _at(-np.cos(angle) * np.cos(sway), np.cos(angle) * np.sin(sway), -np.sin(angle))
        path.append(path[-1] + build.tail / 5 * move)
    limbs.append(_limb("tail", path, [0.055, 0.045, 0.036, 0.032, 0.034, 0.022]))
    joints["tail_end"] = path[-1]
