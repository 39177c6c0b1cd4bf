"""Networks as small as they come, with random weights, saved as their publishers save them."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import nn

from maskwright.models.detector import KINDS
from maskwright.models.hrnet import HRNetPose
from maskwright.models.quiet import quiet

LABELS = ("person", "horse", "zebra", "chair")


def save_pose(path: Path, joints: int = 17, *, seed: int = 11) -> Path:
    """An HRNet of width 4, as mmpose writes it."""
    torch.manual_seed(seed)
    network = HRNetPose(4, joints)
    for each in network.parameters():
        nn.init.normal_(each, std=0.2)
    torch.save({"meta": {}, "state_dict": network.state_dict()}, path)
    return path


def save_detector(folder: Path, kind: str = "rt_detr") -> Path:
    """A detector of a few thousand weights for pictures of 64 x 96."""
    import transformers

    torch.manual_seed(9)
    residual = transformers.RTDetrResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16, 16, 16], depths=[1, 1, 1, 1], layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    graph = transformers.HGNetV2Config(
        embedding_size=8, stem_channels=[3, 8, 8], hidden_sizes=[8, 16, 16, 16], depths=[1, 1, 1, 1],
        stage_in_channels=[8, 8, 16, 16], stage_mid_channels=[8] * 4, stage_out_channels=[8, 16, 16, 16],
        stage_num_blocks=[1] * 4, stage_downsample=[False, True, True, True], stage_light_block=[False] * 4,
        stage_kernel_size=[3] * 4, stage_numb_of_layers=[1] * 4, out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    prefix = {"rt_detr": "RTDetr", "rt_detr_v2": "RTDetrV2", "d_fine": "DFine"}[kind]
    config = getattr(transformers, f"{prefix}Config")(
        backbone_config=graph if kind == "d_fine" else residual, encoder_hidden_dim=16,
        encoder_in_channels=[16, 16, 16], feat_strides=[8, 16, 32], encoder_layers=1, encoder_ffn_dim=16,
        encoder_attention_heads=2, num_feature_levels=3, d_model=16, num_queries=20,
        decoder_in_channels=[16, 16, 16], decoder_ffn_dim=16, decoder_layers=2, decoder_attention_heads=2,
        num_denoising=0, id2label=dict(enumerate(LABELS)), label2id={name: n for n, name in enumerate(LABELS)},
    )  # fmt: skip
    network = getattr(transformers, KINDS[kind])(config)
    with quiet():
        network.save_pretrained(folder)
    said = {"size": {"height": 64, "width": 96}, "do_normalize": False}
    (folder / "preprocessor_config.json").write_text(json.dumps(said))
    return folder
