"""The pretrained weights Maskwright knows, as plain data: nothing here imports torch or reaches a network.

A hash is written down only where its publisher states it: a full one in `sha256`, or its first digits in
`sha256_start` where they are part of the file's name. Where neither is known both are None, and `verify` says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from maskwright.errors import UnknownNameError


@dataclass(frozen=True)
class KnownWeights:
    """Weights somebody published. `files` holds the alternatives for the weights; `beside` what must lie with them."""

    name: str
    role: str
    files: tuple[str, ...]
    licence: str
    source: str | None = None
    beside: tuple[str, ...] = ()
    sha256: str | None = None
    sha256_start: str | None = None
    note: str = ""

    @property
    def how_to_get(self) -> str:
        """The command, or the words, that bring these weights to a machine with a network."""
        folder = f"$MASKWRIGHT_MODELS/{self.name}"
        if self.source is None:
            return f"get {self.files[0]} from its publisher ({self.note or self.role}) and put it into {folder}/"
        return f"hf download {self.source} --local-dir {folder}"


APACHE = "Apache-2.0"
HUB = ("model.safetensors", "pytorch_model.bin")
CONFIG = ("config.json", "preprocessor_config.json")


def _hub(name: str, role: str, source: str, licence: str = APACHE, **more: str) -> KnownWeights:
    return KnownWeights(name, role, HUB, licence, source, CONFIG, **more)


def _pose(name: str, file: str, start: str) -> KnownWeights:
    return KnownWeights(
        name, "body points of quadrupeds", (file,), APACHE, sha256_start=start, note="the mmpose model zoo"
    )


_ENTRIES = (
    *(
        _hub(
            f"mit-b{size}",
            "encoder of a SegFormer, trained on ImageNet",
            f"nvidia/mit-b{size}",
            "NVIDIA source code licence (non-commercial)",
            note="swap the encoder where a non-commercial licence does not fit",
        )
        for size in range(6)
    ),
    *(
        _hub(f"sam-vit-{size}", "masks from points, boxes and masks (SAM)", f"facebook/sam-vit-{size}")
        for size in ("base", "large", "huge")
    ),
    *(
        _hub(
            f"sam2.1-hiera-{size}",
            "masks from prompts, and one example followed through others (SAM 2.1)",
            f"facebook/sam2.1-hiera-{size}",
        )
        for size in ("tiny", "small", "base-plus", "large")
    ),
    _hub("edgetam", "one example followed through others, on small machines", "yonigozlan/EdgeTAM-hf"),
    _hub("seggpt-vit-large", "masks from an example picture and its mask", "BAAI/seggpt-vit-large"),
    *(
        _hub(f"dinov2-{size}", "features that tell parts apart", f"facebook/dinov2-{size}")
        for size in ("small", "base", "large")
    ),
    KnownWeights(
        "dinovdeau-large",
        "reef classes of an underwater picture",
        HUB,
        "CC0-1.0 (its model card); the DINOv2 it grew from is Apache-2.0",
        "lombardata/DinoVdeau-large-2024_04_03-with_data_aug_batch-size32_epochs150_freeze",
        (*CONFIG, "threshold.json"),
    ),
    _hub("rtdetr-r50", "boxes of common animals and things", "PekingU/rtdetr_r50vd"),
    _hub("rtdetr-v2-r50", "boxes of common animals and things", "PekingU/rtdetr_v2_r50vd"),
    _hub("dfine-small", "boxes of common animals and things", "ustc-community/dfine-small-coco"),
    _hub("grounding-dino-tiny", "boxes of what a text names", "IDEA-Research/grounding-dino-tiny"),
    _hub(
        "birefnet",
        "the foreground of a picture",
        "ZhengPeng7/BiRefNet",
        "MIT",
        note="runs code that comes with the weights; read it first",
    ),
    KnownWeights(
        "resnet101",
        "encoder of an instance segmenter, trained on ImageNet",
        HUB,
        "BSD-3-Clause",
        "timm/resnet101.tv_in1k",
        ("config.json",),
    ),
    _hub(
        "vitpose-base",
        "body points of people",
        "usyd-community/vitpose-base-simple",
        note="conversions of ViTPose+ for animals lack their heads: take an HRNet for those",
    ),
    _pose("hrnet-w48-ap10k", "hrnet_w48_ap10k_256x256-d95ab412_20211029.pth", "d95ab412"),
    _pose("hrnet-w32-ap10k", "hrnet_w32_ap10k_256x256-18aac840_20211029.pth", "18aac840"),
    _pose("hrnet-w48-animalpose", "hrnet_w48_animalpose_256x256-34644726_20210426.pth", "34644726"),
    _pose("hrnet-w32-animalpose", "hrnet_w32_animalpose_256x256-1aa7f075_20210426.pth", "1aa7f075"),
    KnownWeights(
        "hrnet-w32-quadruped",
        "body points of quadrupeds, 39 of them (SuperAnimal)",
        ("hrnet_w32_quadruped80k.pth", "pose_model.pth", "superanimal_quadruped_hrnet_w32.pt"),
        "unclear: cards said CC BY-NC 4.0, later Apache-2.0 with a condition; research only until its owner confirms",
        "mwmathis/DeepLabCutModelZoo-SuperAnimal-Quadruped",
    ),
)

KNOWN: dict[str, KnownWeights] = {each.name: each for each in _ENTRIES}
"""Every known entry by name."""


def known_weights(name: str, *, where: str = "") -> KnownWeights:
    """One entry; an unknown name is an error that says the nearest known one.

    >>> known_weights("sam-vit-base").licence
    'Apache-2.0'
    """
    if name not in KNOWN:
        raise UnknownNameError("pretrained model", name, KNOWN, where=where)
    return KNOWN[name]
