"""Other looks at one picture: mirrored, in other light, aslant. Only picture, number and random_state decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

CHANCE = 0.25
"""How likely each change is: two mirrors, light, and slant, as in the published training of DinoVd'eau."""
LIGHT, HUE_DEG, SLANT = 0.2, 18.0, 0.25
VERSION = 1

_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


@dataclass(frozen=True)
class View:
    """One look of several at each picture, the `number`-th; the same picture gets the same look again."""

    number: int
    random_state: int = 0

    @property
    def told(self) -> dict[str, Any]:
        """What its features are made of, besides the picture."""
        return {"version": VERSION, "number": self.number, "random_state": self.random_state}

    def __call__(self, pixels: NDArray[np.uint8], picture: str) -> NDArray[np.uint8]:
        """The look at `pixels` (height, width, 3); `picture` is the hexadecimal hash of the picture they are of."""
        return varied(pixels, np.random.default_rng([self.random_state, self.number, int(picture[:16], 16)]))


def varied(pixels: NDArray[np.uint8], random: np.random.Generator, *, chance: float = CHANCE) -> NDArray[np.uint8]:
    """A picture uint8 (height, width, 3), each change made with `chance`: left and right mirrored, top and bottom
    mirrored, other light, and another slant. All chance is drawn whether it is used or not.

    >>> picture = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    >>> bool((varied(picture, np.random.default_rng(0), chance=0) == picture).all())
    True
    """
    sideways, upside, lit, slanted = random.random(4) < chance
    light, contrast, saturation, hue = random.uniform(-1, 1, 4)
    inward = random.random((4, 2))
    pixels = pixels[:, ::-1] if sideways else pixels
    pixels = pixels[::-1] if upside else pixels
    if lit:
        pixels = in_light(pixels, LIGHT * light, 1 + LIGHT * contrast, 1 + LIGHT * saturation, HUE_DEG * hue)
    return aslant(pixels, SLANT * inward) if slanted else np.ascontiguousarray(pixels)


def in_light(
    pixels: NDArray[np.uint8], brightness: float, contrast: float, saturation: float, hue_deg: float
) -> NDArray[np.uint8]:
    """A picture in other light: `brightness` is added as a share of 255, contrast is around the picture's mean grey,
    and colours are turned around grey by `hue_deg` and stretched by `saturation`. Grey stays grey.
    """
    angle = np.deg2rad(hue_deg)
    turn = saturation * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    colours = np.eye(3)
    colours[1:, 1:] = turn
    matrix = np.linalg.inv(_TO_YIQ) @ colours @ _TO_YIQ
    values = pixels.astype(np.float32) @ matrix.T.astype(np.float32)
    grey = np.float32((values @ _TO_YIQ[0].astype(np.float32)).mean())
    values = (values - grey) * np.float32(contrast) + grey + np.float32(255 * brightness)
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def aslant(pixels: NDArray[np.uint8], inward: NDArray[np.float64]) -> NDArray[np.uint8]:
    """A picture whose corners are pulled in, by shares `inward` (4, 2) of height and width each; black around it.

    Corners go clockwise from the top left.
    """
    height, width = pixels.shape[:2]
    corners = np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], np.float32)
    towards = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
    pulled = corners + towards * inward[:, ::-1] * (width - 1, height - 1)
    matrix = cv2.getPerspectiveTransform(corners, pulled.astype(np.float32))
    return np.asarray(cv2.warpPerspective(np.ascontiguousarray(pixels), matrix, (width, height)), np.uint8)
