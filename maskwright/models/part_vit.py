"""A vision transformer with one token per body part, whose attention is taught by part masks: PAW-ViT's idea.

Masks are needed while it learns only. Its descriptor tells individuals apart; its mask logits say where it looked.

Paper: Ribeiro Neto et al., An improved architecture for part-based animal re-identification through semantic
segmentation distillation, WACV 2026. Different here: masks are logits and not means of sigmoids, which cap the softmax
of six parts at 0.35, and the aggregation keeps no weights of a class token.

Not covered: identity and direction heads, pretrained weights.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, interpolate, scaled_dot_product_attention


class PartView(NamedTuple):
    """What a PartViT makes of pictures: mask logits (n, parts + 1, grid, grid), background last; part features
    (n, parts, width); one descriptor (n, width)."""

    masks: Tensor
    parts: Tensor
    descriptor: Tensor


class PartViT(nn.Module):
    """Mask logits, part features and descriptors of normalised square pictures (n, 3, side, side).

    `parts` counts body parts without the background. The defaults are ViT-B/16 on 256 pixels with masks of 64 x 64, the
    size `convert --to part-tokens` writes.
    """

    def __init__(
        self, parts: int, *, side: int = 256, patch: int = 16, width: int = 768, depth: int = 12, heads: int = 12,
        grid: int = 64,
    ) -> None:  # fmt: skip
        super().__init__()
        if side % patch or width % heads:
            raise ValueError(f"side {side} is no multiple of patch {patch}, or width {width} none of heads {heads}")
        self.cells, self.grid = side // patch, grid
        self.patches = nn.Conv2d(3, width, patch, stride=patch)
        self.tokens = nn.Parameter(torch.empty(parts + 1, width))
        self.places = nn.Parameter(torch.empty(self.cells**2, width))
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.to_masks = AttentionMasks(width, heads)
        self.gather = Gather(width, heads)
        for each in (self.tokens, self.places):
            nn.init.trunc_normal_(each, std=0.02)

    def forward(self, pixels: Tensor) -> PartView:
        patches = self.patches(pixels).flatten(2).transpose(1, 2) + self.places
        tokens = self.tokens.expand(len(pixels), -1, -1)
        seen = self.norm(self.blocks(torch.cat([tokens, patches], dim=1)))
        parts, patches = seen[:, : len(self.tokens)], seen[:, len(self.tokens) :]
        coarse = self.to_masks(parts, patches).unflatten(2, (self.cells, self.cells))
        masks = interpolate(coarse, size=(self.grid, self.grid), mode="bilinear", align_corners=False)
        return PartView(masks, parts[:, :-1], self.gather(parts[:, :-1]))


class Block(nn.Module):
    """Attention and a small network, each added to what it was given."""

    def __init__(self, width: int, heads: int, *, ratio: int = 4) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.network = Network(width, ratio)

    def forward(self, tokens: Tensor) -> Tensor:
        given = self.before(tokens)
        tokens = tokens + self.attention(given, given)
        added: Tensor = self.network(self.between(tokens))
        return tokens + added


class Attention(nn.Module):
    """Tokens (n, a, width) look at others (n, b, width)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.asked, self.given = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(self, tokens: Tensor, others: Tensor) -> Tensor:
        asked = self.asked(tokens).unflatten(2, (self.heads, -1)).transpose(1, 2)
        keys, values = self.given(others).unflatten(2, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        found = scaled_dot_product_attention(asked, keys, values)
        looked: Tensor = self.out(found.transpose(1, 2).flatten(2))
        return looked


class Network(nn.Module):
    """Two layers with a bend between."""

    def __init__(self, width: int, ratio: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(width, ratio * width), nn.Linear(ratio * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        bent: Tensor = self.second(gelu(self.first(tokens)))
        return bent


class AttentionMasks(nn.Module):
    """How much each part token looks at each patch: logits (n, parts, patches), means of q.k / sqrt(d) over heads."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.asked, self.given = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, parts: Tensor, patches: Tensor) -> Tensor:
        # The mean over heads of products of slices is one product of the whole, divided by the number of heads.
        asked, given = self.asked(parts), self.given(patches)
        size = asked.shape[2] // self.heads
        logits: Tensor = asked @ given.transpose(1, 2) / (self.heads * size**0.5)
        return logits


class Gather(nn.Module):
    """One learned token looks at the parts (n, parts, width) and becomes the descriptor (n, width)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.empty(1, width))
        nn.init.trunc_normal_(self.token, std=0.02)
        self.before, self.between, self.after = (nn.LayerNorm(width) for _ in range(3))
        self.attention = Attention(width, heads)
        self.network = Network(width, 4)

    def forward(self, parts: Tensor) -> Tensor:
        looked = self.attention(self.token.expand(len(parts), -1, -1), self.before(parts))
        descriptor: Tensor = self.after(self.network(self.between(looked)))[:, 0]
        return descriptor
