"""One draw of chance for one window: turned, mirrored, scaled, and with other light. Works for any number of bands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Turns = Literal["none", "small", "right", "any"]
"""How far pictures may be turned: not at all, up to 15 degrees, by quarters, or by any angle.

Anything but "none" and "small" also mirrors top and bottom: right for pictures from above, wrong where up matters."""

SMALL_TURN = np.pi / 12


@dataclass(frozen=True)
class Draw:
    """How one window is cut: `matrix` (2, 2) leads from pixels of the window to pixels of the picture, both counted
    from their centres; `gain` and `offset` (bands,) change the normalised pixels.
    """

    matrix: NDArray[np.float64]
    gain: NDArray[np.float32]
    offset: NDArray[np.float32]


def draw(
    random: np.random.Generator, bands: int, *, turns: Turns, scale: float, colour: float, step: float = 1.0
) -> Draw:
    """Chance for one window. `scale` 0.25 makes things from 0.8 to 1.25 times as large; `colour` 0.25 changes light
    and contrast by up to a quarter of the pictures' deviation, and each band by a third of that. `step` is how many
    pixels of the picture one pixel of the window is without chance.
    """
    angle = _angle(random, turns)
    sideways = random.choice((1, -1)) if turns != "none" else 1
    upside = random.choice((1, -1)) if turns in ("right", "any") else 1
    size = np.exp(random.uniform(-1, 1) * np.log1p(scale))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    light, contrast = random.uniform(-colour, colour, 2)
    tint_gain, tint = random.uniform(-colour / 3, colour / 3, (2, bands))
    gain, offset = (1 + contrast) * (1 + tint_gain), light + tint
    return Draw(turn * (upside, sideways) * (step / size), gain.astype(np.float32), offset.astype(np.float32))


def plain(bands: int, step: float = 1.0) -> Draw:
    """No chance: `step` pixels of the picture for each of the window."""
    return Draw(np.eye(2) * step, np.ones(bands, np.float32), np.zeros(bands, np.float32))


def _angle(random: np.random.Generator, turns: Turns) -> float:
    if turns == "any":
        return float(random.uniform(0, 2 * np.pi))
    if turns == "right":
        return float(random.integers(4) * np.pi / 2)
    return float(random.uniform(-SMALL_TURN, SMALL_TURN)) if turns == "small" else 0.0
