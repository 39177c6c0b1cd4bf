"""A pose network as its files say it: its module, what its channels mean, how pictures and heat-maps are counted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from torch import Tensor, nn

from maskwright.arrays.heatmaps import Refinement
from maskwright.errors import InputError
from maskwright.io.profiles import plain
from maskwright.models.known import KNOWN, KnownWeights
from maskwright.models.pose_files import PoseWeights, read_pose_file
from maskwright.models.pretrained import find_model, load_pretrained
from maskwright.models.vocabularies import Vocabulary, find_vocabulary, vocabulary_of


@dataclass(frozen=True, eq=False)
class PoseNetwork:
    """A module from float pictures (n, 3, *size) to heat-maps (n, joints, ...), and how they are to be read.

    `unbiased` networks count steps between pixel centres (UDP) and need no shift of mirrored heat-maps. A heat-map's
    pixel k stands for the crop's pixel (k + `offset`) times their ratio: 0 for mmpose, half a pixel for DeepLabCut.
    """

    module: nn.Module
    vocabulary: Vocabulary
    size: tuple[int, int]
    sha256: str
    path: Path
    unbiased: bool = False
    offset: float = 0.0
    refine: Refinement = "quarter"

    @property
    def known(self) -> KnownWeights | None:
        """The entry of published weights that this file is one of, by its name."""
        return next(
            (each for each in KNOWN.values() if self.path.name in each.files and each.files[0].endswith(".pth")), None
        )


def open_pose_network(model: str | Path, vocabulary: str = "auto") -> PoseNetwork:
    """The network of known weights, of a file as `read_pose_file` reads it, or of a folder with a ViTPose.

    `vocabulary` says what its channels mean where the weights do not: "superanimal", "ap10k", "animal_pose", "human17".
    """
    path = find_model(model)
    if (path / "config.json").is_file():
        return _vit_pose(path, vocabulary)
    return _hrnet(read_pose_file(path), vocabulary)


def _hrnet(weights: PoseWeights, vocabulary: str) -> PoseNetwork:
    named = vocabulary_of(weights.joints, weights.called, stated=weights.names, chosen=vocabulary)
    offset = 0.5 if weights.layout == "deeplabcut" else 0.0
    size = _size_in(weights.called)
    return PoseNetwork(weights.network(), named, size, weights.sha256, weights.path, offset=offset)


def _size_in(name: str) -> tuple[int, int]:
    """Height and width of the crops a published file was trained on, from its name; 256 x 256 where it says none."""
    found = re.search(r"_(\d{2,4})x(\d{2,4})(?=\D|$)", name)
    return (int(found[1]), int(found[2])) if found else (256, 256)


class _VitPose(nn.Module):
    """ViTPose of transformers, from pictures to heat-maps; of several experts the first, whose head it has."""

    def __init__(self, network: Any, experts: int) -> None:
        super().__init__()
        self.network, self.experts = network, experts

    def forward(self, pixels: Tensor) -> Tensor:
        expert = {"dataset_index": pixels.new_zeros(len(pixels)).long()} if self.experts > 1 else {}
        return cast(Tensor, self.network(pixels, **expert).heatmaps)


def _vit_pose(folder: Path, vocabulary: str) -> PoseNetwork:
    found = load_pretrained(folder, {"vitpose": "VitPoseForPoseEstimation"})
    backbone = found.network.config.backbone_config
    experts = int(getattr(backbone, "num_experts", 1) or 1)
    named = _vit_vocabulary(found.labels, experts, folder, vocabulary)
    size = int(backbone.image_size[0]), int(backbone.image_size[1])
    module = _VitPose(found.network, experts)
    return PoseNetwork(module, named, size, found.sha256, folder, unbiased=True, refine="dark")


def _vit_vocabulary(labels: tuple[str, ...], experts: int, folder: Path, chosen: str) -> Vocabulary:
    """What a ViTPose's head was trained for, by its own labels. What was chosen may not contradict them."""
    stated = None if all(each.startswith("LABEL_") for each in labels) else _known_names(labels)
    if chosen == "auto" and stated is not None:
        return stated
    if chosen == "auto" or (stated is None and experts == 1):
        return vocabulary_of(len(labels), str(folder), chosen=chosen)
    if chosen != "human17" and (experts > 1 or (stated and stated.name != chosen)):
        what = f"a head for {stated.name}" if stated and stated.name != "stated" else f"{len(labels)} channels"
        raise InputError(
            f"{folder}: has {what}, not for {chosen}; expected a head of that vocabulary: published conversions of "
            "ViTPose+ keep the experts of all data sets but only the head for people, so joints of animals do not come "
            "out; use an HRNet of `maskwright models list`"
        )
    return vocabulary_of(len(labels), str(folder), chosen=chosen)


def _known_names(labels: tuple[str, ...]) -> Vocabulary:
    """The vocabulary whose joints these labels spell, else one of their own."""
    for name in ("human17", "ap10k", "animal_pose", "superanimal"):
        known = find_vocabulary(name)
        if [_spelled(each) for each in known.names] == [_spelled(each) for each in labels]:
            return known
    return Vocabulary("stated", labels)


def _spelled(name: str) -> str:
    return plain(re.sub(r"^[Rr]_", "right_", re.sub(r"^[Ll]_", "left_", name)))
