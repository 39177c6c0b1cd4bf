"""Losses of segmentation that know what nobody knows: pixels that are UNKNOWN, or weigh 0, change nothing.

Logits are (n, classes, height, width). Targets are shares (n, classes, height, width), which sum to 1 over the classes,
and weights (n, height, width) from 0 (unknown) to 1; `shares_of` makes both from class ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, log_softmax, one_hot, softmax

UNKNOWN = 255
EPSILON = 1e-5


def shares_of(
    class_ids: Tensor, classes: int, confidence: Tensor | None = None, *, soft: bool = False
) -> tuple[Tensor, Tensor]:
    """Shares and weights of class ids (n, height, width), 255 where nobody knows.

    `confidence` in [0, 1] becomes the weight of a pixel; with `soft` it becomes its share instead: the named class
    gets `confidence`, but never less than the others, which divide the rest evenly.
    """
    known = class_ids != UNKNOWN
    shares = one_hot(torch.where(known, class_ids, 0).long(), classes).movedim(-1, 1).float()
    weights = known.float()
    if confidence is None:
        return shares, weights
    if not soft or classes == 1:
        return shares, weights * confidence
    sure = confidence.clamp(min=1 / classes)[:, None]
    return shares * sure + (1 - shares) * (1 - sure) / (classes - 1), weights


def cross_entropy(logits: Tensor, shares: Tensor, weights: Tensor, class_weights: Tensor | None = None) -> Tensor:
    """Mean over known pixels of -sum(share * log p); 0 where nothing is known."""
    return _mean(-(_weighted(shares, class_weights) * log_softmax(logits, dim=1)).sum(dim=1), weights)


def focal(
    logits: Tensor, shares: Tensor, weights: Tensor, class_weights: Tensor | None = None, *, gamma: float = 2.0
) -> Tensor:
    """Cross entropy in which each term counts (1 - p)^gamma: pixels that are right already count little.

    Paper: Lin et al. 2017, "Focal loss for dense object detection".
    """
    log_p = log_softmax(logits, dim=1)
    terms = (1 - log_p.exp()).clamp(min=0).pow(gamma) * log_p
    return _mean(-(_weighted(shares, class_weights) * terms).sum(dim=1), weights)


def soft_dice(
    logits: Tensor,
    shares: Tensor,
    weights: Tensor,
    *,
    over: Literal["picture", "batch"] = "batch",
    absent: Literal["skip", "count"] = "skip",
) -> Tensor:
    """1 - mean Dice of the classes, with Dice = (2 sum p y + e) / (sum p + sum y + e) over known pixels, e = 1e-5.

    `over="picture"` takes the sums of each picture by itself. With `absent="count"` classes that are not in the truth
    count too, as the published reef system does it; by default they are left out, since on small windows they would
    outvote all others. 0 where no class is left.
    """
    known = weights[:, None]
    p = softmax(logits, dim=1)
    axes = (2, 3) if over == "picture" else (0, 2, 3)
    both, predicted, true = ((each * known).sum(dim=axes) for each in (p * shares, p, shares))
    dice = (2 * both + EPSILON) / (predicted + true + EPSILON)
    counts = (true > 0) if absent == "skip" else torch.ones_like(true, dtype=torch.bool)
    return ((1 - dice) * counts).sum() / counts.sum().clamp(min=1)


def affinity(
    logits: Tensor,
    pixels: Tensor,
    *,
    valid: Tensor | None = None,
    known: Tensor | None = None,
    sigma: float = 0.5,
    reaches: Sequence[int] = (1, 3),
) -> Tensor:
    """How much neighbours that look alike disagree; needs no labels (docs/training.md: where it helps).

    For pairs of pixels `reaches` apart in eight directions (at half resolution, where camera noise is softened), the
    chance that they are of two classes, 1 - sum p_i p_j, counts exp(-d^2 / (2 sigma^2)), d the root mean square
    difference of their normalised bands. Divided by the number of pairs. Pairs with a pixel that is not `valid`, and
    pairs of which both are `known` (n, height, width), count 0: there labels say more.

    Paper: Obukhov et al. 2019, "Gated CRF loss for weakly supervised semantic image segmentation"; here without the
    distance term, at fixed offsets.
    """
    p, looks = avg_pool2d(softmax(logits, dim=1), 2), avg_pool2d(pixels, 2)
    seen = None if valid is None else _all_of(valid)
    sure = None if known is None else _all_of(known)
    total, pairs = logits.new_zeros(()), 0.0
    for reach in reaches:
        for down, right in ((0, reach), (reach, 0), (reach, reach), (reach, -reach)):
            here, there = _pair(down, right, *p.shape[-2:])
            apart = (looks[here] - looks[there]).square().mean(dim=1)
            alike = torch.exp(-apart / (2 * sigma**2))
            one, other = (here[0], *here[2:]), (there[0], *there[2:])
            if seen is not None:
                alike = alike * (seen[one] & seen[other])
            if sure is not None:
                alike = alike * ~(sure[one] & sure[other])
            total = total + (alike * (1 - (p[here] * p[there]).sum(dim=1))).sum()
            pairs += alike.numel()
    return total / max(pairs, 1)


def _all_of(pixels: Tensor) -> Tensor:
    """At half resolution, where all four of (n, height, width) are true."""
    return avg_pool2d(pixels[:, None].float(), 2)[:, 0] == 1


def _pair(down: int, right: int, height: int, width: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Where to find all pixels that have a neighbour (down, right) away, and those neighbours."""
    rows = slice(0, max(height - down, 0)), slice(down, height)
    near, far = slice(max(-right, 0), width - max(right, 0)), slice(max(right, 0), width + min(right, 0))
    return (slice(None), slice(None), rows[0], near), (slice(None), slice(None), rows[1], far)


def _weighted(shares: Tensor, class_weights: Tensor | None) -> Tensor:
    return shares if class_weights is None else shares * class_weights[:, None, None]


def _mean(losses: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean; a pixel that weighs 0 has no influence even where its loss is not finite."""
    total = torch.where(weights > 0, losses * weights, 0.0).sum()
    return total / weights.sum().clamp(min=EPSILON)
