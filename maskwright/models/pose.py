"""Joints of animals in boxes, by a pose network: crops in batches, mirrored ones too, heat-maps back into pictures."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray

from maskwright.arrays.crops import Box, Fit, cut, fit_box, whole_pixels
from maskwright.arrays.heatmaps import find_peaks, unmirror
from maskwright.errors import InputError
from maskwright.models.pose_networks import PoseNetwork, open_pose_network
from maskwright.models.processors import Precision, autocast, choose_device, choose_precision
from maskwright.models.vocabularies import AS_RELEASED
from maskwright.types import Keypoints

MEAN = np.array([123.675, 116.28, 103.53], np.float32)
STD = np.array([58.395, 57.12, 57.375], np.float32)
"""Of pictures in ImageNet, in red, green and blue: what all these networks were trained with."""


@dataclass(frozen=True)
class TopDown:
    """How boxes are cut, how the network is asked and how heat-maps are read.

    Each crop is `padding` times its box. With `flip` the mirrored crop is asked too and both answers are averaged.
    `refine` is "quarter", "dark" or "none"; "auto" is what the network was published with. The last three are how
    PAW-ViT's masks were made: `context=False` cuts the box out first, so that its margin is black; `swap_colours`
    exchanges red and blue; `mirror="as_released"` averages some of 39 joints with wrong partners.
    """

    padding: float = 1.25
    flip: bool = True
    refine: Literal["auto", "quarter", "dark", "none"] = "auto"
    batch: int = 16
    precision: Precision = "float32"
    context: bool = True
    swap_colours: bool = False
    mirror: Literal["by_name", "as_released"] = "by_name"

    def __post_init__(self) -> None:
        if not (self.padding > 0 and self.batch > 0):
            raise InputError(f"padding is {self.padding} and batch {self.batch}; expected both above 0; set them so")


@dataclass(frozen=True, eq=False)
class PoseEstimator:
    """Ask it with pictures and one box each; it gives the joints of one animal each."""

    network: PoseNetwork
    how: TopDown = TopDown()
    device: str = "auto"

    @classmethod
    def of(cls, model: str | Path, how: TopDown, *, vocabulary: str = "auto", device: str = "auto") -> PoseEstimator:
        """The estimator of known weights, a file or a folder, as `open_pose_network` takes them."""
        choose_device(device)
        network = open_pose_network(model, vocabulary)
        if how.mirror == "as_released" and len(network.vocabulary.names) != len(AS_RELEASED):
            how = replace(how, mirror="by_name")  # only the list of 39 joints was released wrong
        return cls(network, how, device)

    def __call__(self, pictures: Sequence[NDArray[np.uint8]], boxes: Sequence[Box]) -> list[Keypoints]:
        """Joints in the pixels of each picture (height, width, 3), red first, whose box is given at the same place.

        Scores are raw peaks of heat-maps. A joint without any peak is nan with score 0. Places never lie outside
        the picture.
        """
        if len(pictures) != len(boxes):
            raise ValueError(f"one box is needed for each picture; got {len(pictures)} pictures, {len(boxes)} boxes")
        found: list[Keypoints] = []
        for start in range(0, len(boxes), self.how.batch):
            some = slice(start, start + self.how.batch)
            found += self._batch(pictures[some], boxes[some])
        return found

    def _batch(self, pictures: Sequence[NDArray[np.uint8]], boxes: Sequence[Box]) -> list[Keypoints]:
        views = [_View.of(pixels, box, self.how, self.network) for pixels, box in zip(pictures, boxes, strict=True)]
        heatmaps = self._heatmaps(np.stack([each.crop for each in views]))
        peaks = find_peaks(heatmaps, self.network.refine if self.how.refine == "auto" else self.how.refine)
        down, right = self._crop_pixels(heatmaps.shape[2], 0), self._crop_pixels(heatmaps.shape[3], 1)
        names = self.network.vocabulary.names
        return [
            _joints(view, names, down(rows), right(cols), scores)
            for view, rows, cols, scores in zip(views, *peaks, strict=True)
        ]

    def _crop_pixels(self, length: int, axis: int) -> Any:
        """From places along an axis of heat-maps to places in the crop."""
        side = self.network.size[axis]
        ratio = (side - 1) / (length - 1) if self.network.unbiased else side / length
        return lambda places: (places + self.network.offset) * ratio

    def _heatmaps(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        if self.how.swap_colours:
            crops = crops[..., ::-1]
        if not self.how.flip:
            return self._ask(crops)
        both = self._ask(np.concatenate([crops, crops[:, :, ::-1]]))
        straight, mirrored = both[: len(crops)], both[len(crops) :]
        partners = AS_RELEASED if self.how.mirror == "as_released" else self.network.vocabulary.partners
        shift = 0 if self.network.unbiased or self.network.offset else 1
        back = unmirror(mirrored, partners, shift)
        return cast("NDArray[np.float32]", (straight + back) * np.float32(0.5))

    def _ask(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Heat-maps of crops (n, height, width, 3)."""
        device = choose_device(self.device)
        values = (crops.astype(np.float32) - MEAN) / STD
        given = torch.from_numpy(values).permute(0, 3, 1, 2).to(device, memory_format=torch.channels_last)
        with torch.inference_mode(), autocast(device, choose_precision(self.how.precision, device)):
            heatmaps = self._module(given)
        return cast("NDArray[np.float32]", heatmaps.float().cpu().numpy())

    @functools.cached_property
    def _module(self) -> Any:
        return self.network.module.to(choose_device(self.device)).to(memory_format=torch.channels_last)


@dataclass(frozen=True, eq=False)
class _View:
    """A crop, how it lies in the picture, and the rows and columns (first, last) that joints may lie in."""

    crop: NDArray[np.uint8]
    fit: Fit
    rows: tuple[int, int]
    cols: tuple[int, int]

    @classmethod
    def of(cls, pixels: NDArray[np.uint8], box: Box, how: TopDown, network: PoseNetwork) -> _View:
        height, width = pixels.shape[:2]
        top, left, bottom, right = whole_pixels(box, (height, width))
        if bottom <= top or right <= left:
            raise InputError(f"the box {box} holds no pixel of {height} x {width}; expected one inside; correct it")
        if how.context:
            fit = fit_box(box, network.size, padding=how.padding, unbiased=network.unbiased)
            return cls(cut(pixels, fit, network.size), fit, (0, height - 1), (0, width - 1))
        own = (0, 0, bottom - top, right - left)
        inside = fit_box(own, network.size, padding=how.padding, unbiased=network.unbiased)
        crop = cut(pixels[top:bottom, left:right], inside, network.size)
        down, across = inside.row_shift - inside.row_scale * top, inside.col_shift - inside.col_scale * left
        fit = inside._replace(row_shift=down, col_shift=across)
        return cls(crop, fit, (top, bottom - 1), (left, right - 1))


def _joints(view: _View, names: tuple[str, ...], rows: Any, cols: Any, scores: Any) -> Keypoints:
    rows, cols = view.fit.back(rows, cols)
    found = scores > 0
    rows = np.where(found, np.clip(rows, *view.rows), np.nan)
    cols = np.where(found, np.clip(cols, *view.cols), np.nan)
    return Keypoints(names, rows, cols, np.where(found, scores, 0.0))
