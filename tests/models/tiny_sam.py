"""SAM, SAM 2 and EdgeTAM with few random weights, saved as transformers saves the published ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

CANVAS = 128


def tiny_sam() -> Any:
    import torch
    from transformers import SamConfig, SamMaskDecoderConfig, SamModel, SamPromptEncoderConfig, SamVisionConfig

    vision = SamVisionConfig(
        hidden_size=16, output_channels=16, num_hidden_layers=2, num_attention_heads=2, image_size=CANVAS,
        patch_size=16, mlp_dim=32, num_pos_feats=8, window_size=4, global_attn_indexes=[1],
    )  # fmt: skip
    prompts = SamPromptEncoderConfig(hidden_size=16, image_size=CANVAS, patch_size=16, mask_input_channels=4)
    decoder = SamMaskDecoderConfig(hidden_size=16, mlp_dim=16, num_attention_heads=8, iou_head_hidden_dim=16)
    torch.manual_seed(0)
    return _lively(
        SamModel(SamConfig(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=decoder))
    )


def tiny_sam2() -> Any:
    import torch
    from transformers import (
        Sam2Config,
        Sam2HieraDetConfig,
        Sam2MaskDecoderConfig,
        Sam2Model,
        Sam2PromptEncoderConfig,
        Sam2VisionConfig,
    )

    backbone = Sam2HieraDetConfig(
        hidden_size=8, image_size=[CANVAS, CANVAS], blocks_per_stage=[1, 1, 2, 1], embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 1, 2, 2], window_size_per_stage=[4, 4, 4, 4], global_attention_blocks=[3],
        window_positional_embedding_background_size=[4, 4],
    )  # fmt: skip
    vision = Sam2VisionConfig(
        backbone_config=backbone, backbone_channel_list=[64, 32, 16, 8],
        backbone_feature_sizes=[[32, 32], [16, 16], [8, 8]], fpn_hidden_size=64,
    )  # fmt: skip
    prompts = Sam2PromptEncoderConfig(hidden_size=64, image_size=CANVAS, patch_size=16, mask_input_channels=4)
    decoder = Sam2MaskDecoderConfig(hidden_size=64, mlp_dim=16, num_attention_heads=4, iou_head_hidden_dim=16)
    torch.manual_seed(0)
    return _lively(
        Sam2Model(Sam2Config(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=decoder))
    )


def tiny_edgetam() -> Any:
    import torch
    from transformers import EdgeTamConfig, EdgeTamModel

    side = CANVAS
    torch.manual_seed(0)
    config = EdgeTamConfig(
        vision_config={
            "backbone_config": {
                "model_type": "timm_wrapper", "architecture": "repvit_m0_9", "do_pooling": False, "num_classes": 2,
                "label_names": ["a", "b"],
                "model_args": {"in_chans": 3, "features_only": True, "out_indices": [0, 1, 2, 3]},
            },
            "backbone_channel_list": [384, 192, 96, 48],
            "backbone_feature_sizes": [[side // 4] * 2, [side // 8] * 2, [side // 16] * 2], "fpn_hidden_size": 64,
        },
        prompt_encoder_config={"hidden_size": 64, "image_size": side, "patch_size": 16, "mask_input_channels": 4},
        mask_decoder_config={"hidden_size": 64, "mlp_dim": 16, "num_attention_heads": 4, "iou_head_hidden_dim": 16},
    )  # fmt: skip
    return _lively(EdgeTamModel(config), gain=0.5)


MAKERS = {"sam": tiny_sam, "sam2": tiny_sam2, "edgetam": tiny_edgetam}


def save_tiny(family: str, folder: Path) -> Path:
    MAKERS[family]().save_pretrained(folder)
    return folder


def _lively(model: Any, gain: float = 1.5) -> Any:
    """Weights far enough from zero that a wrong prompt shows in the answer."""
    import torch

    with torch.no_grad():
        for name, each in model.named_parameters():
            if each.ndim > 1 and "positional_embedding" not in name:
                each.normal_(0, gain / each[0].numel() ** 0.5)
    return model.eval()
