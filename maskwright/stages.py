"""The few shapes a part can have. A part is anything callable that fits one of them; there is nothing to inherit.

A labeler may give a Mask or Instances; a learner may give a labeler or a segmenter. `contracts` holds the checks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from maskwright.types import Hint, Image, Instances, Mask, Sample

Out_co = TypeVar("Out_co", Mask, Instances, covariant=True)
Out = TypeVar("Out", Mask, Instances)
Tally = TypeVar("Tally")


class Labeler(Protocol[Out_co]):
    """Hints about one picture become a mask or objects."""

    def __call__(self, image: Image, hints: Sequence[Hint], class_names: tuple[str, ...]) -> Out_co: ...


class Refiner(Protocol[Out]):
    """A mask or objects become better ones of the same kind."""

    def __call__(self, image: Image, mask: Out) -> Out: ...


class Segmenter(Protocol):
    """Pixels become class scores: (n, height, width, channels) -> float32 (n, classes, height, width), sums to 1.

    Plain arrays in batches, so a stand-in is five lines and a device is kept busy. `class_names[k]` names channel k.
    """

    @property
    def class_names(self) -> tuple[str, ...]: ...

    def __call__(self, pixels: NDArray[np.generic]) -> NDArray[np.float32]: ...


class Learner(Protocol):
    """Call it with labelled samples, get back something you call with pictures."""

    def __call__(self, samples: Sequence[Sample]) -> Labeler[Mask] | Segmenter: ...


class Metric(Protocol[Tally]):
    """Tallies add up over pictures and machines; scores are functions of tallies."""

    def tally(self, predicted: Mask, truth: Mask) -> Tally: ...

    def scores(self, tally: Tally) -> dict[str, float]: ...
