"""A DINOv2 with few random weights, saved as transformers saves the published ones."""

from __future__ import annotations

from pathlib import Path

SIZE = 56


def save_tiny_dinov2(folder: Path) -> Path:
    import torch
    from transformers import Dinov2Config, Dinov2Model

    torch.manual_seed(0)
    model = Dinov2Model(
        Dinov2Config(
            hidden_size=16, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2, image_size=SIZE, patch_size=14
        )
    )
    with torch.no_grad():
        for each in model.parameters():
            if each.ndim > 1:
                each.normal_(0, 1 / each[0].numel() ** 0.5)
    model.save_pretrained(folder)
    return folder
