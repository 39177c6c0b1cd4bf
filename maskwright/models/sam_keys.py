"""SAM checkpoints as they were first published (.pth): their names of weights in transformers' words."""

from __future__ import annotations

import pickle
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from maskwright.errors import FormatError

GRID = "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"
_RENAMED = (
    (r"^image_encoder\.patch_embed\.proj", "vision_encoder.patch_embed.projection"),
    (r"^image_encoder\.blocks\.", "vision_encoder.layers."),
    (r"^image_encoder\.neck\.0\.", "vision_encoder.neck.conv1."),
    (r"^image_encoder\.neck\.1\.", "vision_encoder.neck.layer_norm1."),
    (r"^image_encoder\.neck\.2\.", "vision_encoder.neck.conv2."),
    (r"^image_encoder\.neck\.3\.", "vision_encoder.neck.layer_norm2."),
    (r"^image_encoder\.", "vision_encoder."),
    (r"^prompt_encoder\.mask_downscaling\.0\.", "prompt_encoder.mask_embed.conv1."),
    (r"^prompt_encoder\.mask_downscaling\.1\.", "prompt_encoder.mask_embed.layer_norm1."),
    (r"^prompt_encoder\.mask_downscaling\.3\.", "prompt_encoder.mask_embed.conv2."),
    (r"^prompt_encoder\.mask_downscaling\.4\.", "prompt_encoder.mask_embed.layer_norm2."),
    (r"^prompt_encoder\.mask_downscaling\.6\.", "prompt_encoder.mask_embed.conv3."),
    (r"^prompt_encoder\.point_embeddings\.", "prompt_encoder.point_embed."),
    (r"^mask_decoder\.output_upscaling\.0\.", "mask_decoder.upscale_conv1."),
    (r"^mask_decoder\.output_upscaling\.1\.", "mask_decoder.upscale_layer_norm."),
    (r"^mask_decoder\.output_upscaling\.3\.", "mask_decoder.upscale_conv2."),
    (r"\.norm(\d?)\.", r".layer_norm\1."),
    (r"\.norm_final_attn\.", ".layer_norm_final_attn."),
)
_NO_CHECKPOINT = (
    pickle.UnpicklingError, RuntimeError, EOFError, OSError, struct.error, LookupError, ValueError, TypeError,
    AttributeError,
)  # fmt: skip
_HEAD = re.compile(r"^(mask_decoder\.(?:output_hypernetworks_mlps\.\d+|iou_prediction_head))\.layers\.(\d+)\.")


def read_checkpoint(path: Path) -> nn.Module:
    """SAM from the file its makers published, whatever its size: everything is read off the shapes of the weights."""
    from transformers import SamModel

    state = _state(path)
    try:
        network: nn.Module = SamModel(_config(state))
        network.load_state_dict(renamed(state), strict=True)
    except (KeyError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise FormatError(f"{path}: is no whole SAM ({reason}); expected sam_vit_*.pth; get it again") from error
    return network


def renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights by transformers' names.

    >>> list(renamed({"image_encoder.blocks.3.norm1.weight": torch.zeros(1)}))
    ['vision_encoder.layers.3.layer_norm1.weight']
    """
    layers = [(match[1], int(match[2])) for key in state if (match := _HEAD.match(key))]
    last = {head: max(layer for each, layer in layers if each == head) for head, _ in layers}
    told = {_renamed(key, last): value for key, value in state.items() if key != GRID}
    if GRID in state:
        told["shared_image_embedding.positional_embedding"] = state[GRID]
        told["prompt_encoder.shared_embedding.positional_embedding"] = state[GRID]
    return told


def _renamed(key: str, last: Mapping[str, int]) -> str:
    if match := _HEAD.match(key):
        layer = int(match[2])
        word = "proj_in" if layer == 0 else "proj_out" if layer == last[match[1]] else f"layers.{layer - 1}"
        return f"{match[1]}.{word}.{key[match.end() :]}"
    for pattern, word in _RENAMED:
        key = re.sub(pattern, word, key)
    return key


def _config(state: Mapping[str, Tensor]) -> Any:
    from transformers import SamConfig, SamMaskDecoderConfig, SamPromptEncoderConfig, SamVisionConfig

    grid, hidden = state["image_encoder.pos_embed"].shape[2:]
    patch = state["image_encoder.patch_embed.proj.weight"].shape[-1]
    depth = 1 + max(int(key.split(".")[2]) for key in state if key.startswith("image_encoder.blocks."))
    reach = [state[f"image_encoder.blocks.{index}.attn.rel_pos_h"].shape for index in range(depth)]
    windowed = [length for length, _ in reach if length != 2 * grid - 1]
    out = state["image_encoder.neck.0.weight"].shape[0]
    vision = SamVisionConfig(
        hidden_size=hidden,
        output_channels=out,
        num_hidden_layers=depth,
        num_attention_heads=hidden // reach[0][1],
        image_size=grid * patch,
        patch_size=patch,
        mlp_dim=state["image_encoder.blocks.0.mlp.lin1.weight"].shape[0],
        num_pos_feats=state[GRID].shape[1],
        window_size=(windowed[0] + 1) // 2 if windowed else 0,
        global_attn_indexes=[index for index, (length, _) in enumerate(reach) if length == 2 * grid - 1],
    )
    prompts = SamPromptEncoderConfig(
        hidden_size=out,
        image_size=grid * patch,
        patch_size=patch,
        mask_input_channels=state["prompt_encoder.mask_downscaling.3.weight"].shape[0],
    )
    decoder = SamMaskDecoderConfig(
        hidden_size=out,
        mlp_dim=state["mask_decoder.transformer.layers.0.mlp.lin1.weight"].shape[0],
        iou_head_hidden_dim=state["mask_decoder.iou_prediction_head.layers.0.weight"].shape[0],
    )
    return SamConfig(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=decoder)


def _state(path: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except _NO_CHECKPOINT as error:
        reason = " ".join(str(error).split())[:120]
        raise FormatError(
            f"{path}: is no checkpoint of weights ({reason}); expected sam_vit_*.pth; get it again"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(each, Tensor) for each in state.values()):
        raise FormatError(f"{path}: holds no weights by name; expected sam_vit_*.pth; get it again")
    return state
