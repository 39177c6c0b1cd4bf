"""The loss that teaches attention masks: exponential-logarithmic, on logits, without classes that are not there."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

EPSILON = 1e-6


def exponential_logarithmic(
    logits: Tensor, shares: Tensor, weights: Tensor | None = None, *, gamma: float = 1.2, dice: float = 0.5
) -> Tensor:
    """`dice` times mean (-ln Dice)^gamma, and the rest times mean sum_c w_c y_c (-ln p_c)^gamma; p = softmax of logits.

    `logits` and `shares`, the target, are (n, classes, height, width), `weights` (n, height, width), 0 where nobody
    knows. Dice is of one picture and class, of those whose class has a share in the picture at all: a hidden tail costs
    nothing, so a perfect prediction costs 0 whatever is hidden. w_c is 1 / sqrt of the class's share of the batch.
    0 where nothing is known.

    Paper: Wong et al. 2018, "3D Segmentation with Exponential Logarithmic Loss"; gamma 1.2 and 0.5 as in PAW-ViT.
    """
    known = torch.ones_like(shares[:, 0]) if weights is None else weights
    log_p = log_softmax(logits.float(), dim=1)
    truth = shares * known[:, None]
    here = truth.sum(dim=(2, 3))
    p = log_p.exp() * known[:, None]
    overlap = (2 * (p * shares).sum(dim=(2, 3)) + EPSILON) / (p.sum(dim=(2, 3)) + here + EPSILON)
    is_there = here > EPSILON
    of_dice = (_powered(overlap.clamp(max=1).log(), gamma) * is_there).sum() / is_there.sum().clamp(min=1)
    by_class = here.sum(dim=0)
    rarity = torch.where(by_class > EPSILON, (by_class.sum() / by_class.clamp(min=EPSILON)).sqrt(), 0.0)
    of_pixels = (truth * rarity[:, None, None] * _powered(log_p, gamma)).sum() / known.sum().clamp(min=EPSILON)
    return dice * of_dice + (1 - dice) * of_pixels


def _powered(log_p: Tensor, gamma: float) -> Tensor:
    """(-ln p)^gamma; a tiny amount keeps the slope finite where p is 1."""
    return (-log_p).clamp(min=1e-7).pow(gamma)
