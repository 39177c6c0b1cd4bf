"""What every toy gives: a picture, the truth about it, and the cheap hints somebody might have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from maskwright.types import Hint, Image, Instances, Mask


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture with its truth. `hints` are by kind ("points", "tags", "keypoints", ...); `views` are other truths
    of the same picture by name ("outline", "left_right", ...)."""

    name: str
    image: Image
    truth: Mask | Instances
    hints: Mapping[str, Hint] = field(default_factory=dict)
    views: Mapping[str, Mask] = field(default_factory=dict)


def stream(random_state: int, *keys: int | str) -> np.random.Generator:
    """The random numbers that belong to one thing of one set, and to nothing else.

    >>> bool(stream(0, "reef", 3).integers(1000) == stream(0, "reef", 3).integers(1000))
    True
    >>> bool(stream(0, "reef", 3).integers(1000) == stream(0, "reef", 4).integers(1000))
    False
    """
    words = [word for key in keys for word in (key.encode() if isinstance(key, str) else (key,))]
    return np.random.default_rng([random_state, *words])


def check_request(count: int, size: tuple[int, int], smallest: int = 32) -> None:
    """Say at once that a toy cannot be made, instead of failing deep inside a brush stroke."""
    if count < 0:
        raise ValueError(f"count is how many scenes to make, 0 or more; got {count}")
    if min(size) < smallest:
        raise ValueError(f"size is (height, width) of at least {smallest} pixels each; got {size}")
