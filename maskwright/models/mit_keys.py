"""MiT encoders and SegFormers as NVIDIA published them (.pth, names as mmseg's): their weights in transformers' words.

Every name is checked against the list that the file's own shapes ask for, so that nothing is lost without a word. The
classifier of the ImageNet files (`head.*`) and mmseg's unused `decode_head.conv_seg.*` are left behind.
"""

from __future__ import annotations

import pickle
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from maskwright.errors import FormatError, InputError

STAGES = range(1, 5)
HEADS = (1, 2, 5, 8)
"""Heads of attention by stage; no shape tells them, and all published encoders have these."""

_UNUSED = re.compile(r"head\.|decode_head\.conv_seg\.")
_EXPECTED = "the state dict of a MiT or SegFormer by NVIDIA's names (patch_embed1.proj, block1.0.attn.q, norm1)"
_NO_CHECKPOINT = (RuntimeError, EOFError, OSError, struct.error, LookupError, ValueError, TypeError, AttributeError)


@dataclass(frozen=True, eq=False)
class MitWeights:
    """Weights by transformers' published names, and what the file's shapes say of the network's shape."""

    state: Mapping[str, Tensor]
    shape: Mapping[str, Any]


def read_mit(path: Path) -> MitWeights:
    """The encoder of a file, and its decoder where it has one; only tensors are read, no code is run."""
    state = _own(_read(path))
    shape = _shape(path, state)
    has_decoder = any(key.startswith("decode_head.") for key in state)
    wanted = {*encoder_keys(shape["depths"], shape["sr_ratios"]), *(decoder_keys() if has_decoder else ())}
    missing, unexpected = sorted(wanted - set(state)), sorted(set(state) - wanted)
    if missing or unexpected:
        found = f"lacks {len(missing)} weights of a MiT and has {len(unexpected)} others"
        first = (missing + unexpected)[0]
        raise FormatError(f"{path}: {found}, first {first}; expected {_EXPECTED}; get it again, or name another file")
    told: dict[str, Tensor] = {}
    for key, value in state.items():
        told.update(renamed(key, value))
    return MitWeights(told, shape)


def encoder_keys(depths: Sequence[int], sr_ratios: Sequence[int]) -> Iterator[str]:
    """The names NVIDIA gives the weights of an encoder.

    >>> names = list(encoder_keys((2, 2, 2, 2), (8, 4, 2, 1)))
    >>> len(names), names[0], names[-1]
    (176, 'patch_embed1.proj.weight', 'norm4.bias')
    """
    block = ("norm1", "attn.q", "attn.kv", "attn.proj", "norm2", "mlp.fc1", "mlp.dwconv.dwconv", "mlp.fc2")
    for stage, depth, sr_ratio in zip(STAGES, depths, sr_ratios, strict=True):
        layers = [f"patch_embed{stage}.proj", f"patch_embed{stage}.norm"]
        names = (*block, "attn.sr", "attn.norm") if sr_ratio > 1 else block
        layers += [f"block{stage}.{index}.{name}" for index in range(depth) for name in names]
        for layer in (*layers, f"norm{stage}"):
            yield from (f"{layer}.weight", f"{layer}.bias")


def decoder_keys() -> Iterator[str]:
    """The names of the weights of the decoder."""
    for stage in reversed(STAGES):
        yield from (f"decode_head.linear_c{stage}.proj.weight", f"decode_head.linear_c{stage}.proj.bias")
    yield "decode_head.linear_fuse.conv.weight"
    for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
        yield f"decode_head.linear_fuse.bn.{name}"
    yield from ("decode_head.linear_pred.weight", "decode_head.linear_pred.bias")


_RENAMED = (
    (r"^patch_embed(\d)\.proj", "patch_embeddings.{}.proj"),
    (r"^patch_embed(\d)\.norm", "patch_embeddings.{}.layer_norm"),
    (r"^norm(\d)", "layer_norm.{}"),
    (r"^block(\d)", "block.{}"),
    (r"^decode_head\.linear_c(\d)", "decode_head.linear_c.{}"),
)
_WITHIN = (
    (".norm1.", ".layer_norm_1."),
    (".norm2.", ".layer_norm_2."),
    (".attn.q.", ".attention.self.query."),
    (".attn.proj.", ".attention.output.dense."),
    (".attn.sr.", ".attention.self.sr."),
    (".attn.norm.", ".attention.self.layer_norm."),
    (".mlp.fc1.", ".mlp.dense1."),
    (".mlp.fc2.", ".mlp.dense2."),
    ("linear_fuse.conv.", "linear_fuse."),
    ("linear_fuse.bn.", "batch_norm."),
    ("linear_pred.", "classifier."),
)


def renamed(key: str, value: Tensor) -> dict[str, Tensor]:
    """One weight by the names transformers publishes it under: keys and values of attention are two there.

    >>> list(renamed("block2.0.attn.kv.bias", torch.zeros(4)))
    ['segformer.encoder.block.1.0.attention.self.key.bias', 'segformer.encoder.block.1.0.attention.self.value.bias']
    """
    for pattern, word in _RENAMED:
        if match := re.match(pattern, key):
            key = word.format(int(match[1]) - 1) + key[match.end() :]
            break
    for part, word in _WITHIN:
        key = key.replace(part, word)
    key = key if key.startswith("decode_head.") else f"segformer.encoder.{key}"
    if ".attn.kv." not in key:
        return {key: value}
    halves = zip(("key", "value"), value.chunk(2), strict=True)
    return {key.replace(".attn.kv.", f".attention.self.{name}."): half for name, half in halves}


def _shape(path: Path, state: Mapping[str, Tensor]) -> dict[str, Any]:
    """The settings of transformers' config that decide about shapes, read off the weights."""
    try:
        depths = [_depth(state, stage) for stage in STAGES]
        first = [{name: state[f"block{stage}.0.{name}.weight"] for name in ("attn.q", "mlp.fc1")} for stage in STAGES]
        sizes = [len(each["attn.q"]) for each in first]
        reduction = [state.get(f"block{stage}.0.attn.sr.weight") for stage in STAGES]
        patches = [state[f"patch_embed{stage}.proj.weight"].shape[-1] for stage in STAGES]
        decoder = state.get("decode_head.linear_fuse.conv.weight")
    except (KeyError, ValueError) as error:
        raise FormatError(f"{path}: has no {error}; expected {_EXPECTED}; name another file") from error
    if any(size % heads for size, heads in zip(sizes, HEADS, strict=True)):
        found = f"its stages have {', '.join(map(str, sizes))} channels"
        raise FormatError(f"{path}: {found}; expected multiples of {HEADS}, the heads of a MiT; name another file")
    return {
        "hidden_sizes": sizes, "depths": depths, "patch_sizes": patches, "num_attention_heads": list(HEADS),
        "mlp_ratios": [len(each["mlp.fc1"]) // size for each, size in zip(first, sizes, strict=True)],
        "sr_ratios": [1 if each is None else int(each.shape[-1]) for each in reduction],
        "decoder_hidden_size": len(decoder) if decoder is not None else 768 if sum(depths) > 8 else 256,
    }  # fmt: skip


def _depth(state: Mapping[str, Tensor], stage: int) -> int:
    found = [int(match[1]) for key in state if (match := re.match(rf"block{stage}\.(\d+)\.", key))]
    if not found:
        raise KeyError(f"block{stage}.0")
    return 1 + max(found)


def _own(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without the `backbone.` of mmseg's files, and without what no SegFormer uses."""
    return {key.removeprefix("backbone."): value for key, value in state.items() if not _UNUSED.match(key)}


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; expected {_EXPECTED}; check the path")
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise FormatError(
            f"{path}: holds more than tensors, and reading that could run code; expected tensors only; save its "
            "state_dict alone, where you trust it"
        ) from error
    except _NO_CHECKPOINT as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise FormatError(
            f"{path}: cannot be read ({reason}); expected weights saved by torch; get it again"
        ) from error
    for name in ("state_dict", "model"):
        held = held[name] if isinstance(held, dict) and isinstance(held.get(name), dict) else held
    if not isinstance(held, dict) or not held or not all(isinstance(each, Tensor) for each in held.values()):
        raise FormatError(f"{path}: holds no weights by name; expected {_EXPECTED}; name another file")
    return held
