"""Losses: values known by hand, pixels nobody knows, gradients."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from maskwright.models.weights import ModelRecord
from maskwright.training.losses import affinity, cross_entropy, focal, shares_of, soft_dice
from maskwright.training.pictures import MASK, POINT, SPREAD
from maskwright.training.semantic import Objective
from maskwright.training.windows import Batch

Loss = Callable[..., Tensor]
LOSSES = (cross_entropy, focal, soft_dice)


def _stripes(classes: int = 5, height: int = 4, width: int = 15) -> Tensor:
    """Class ids (1, height, width): equally wide stripes of every class."""
    return (torch.arange(width) * classes // width).expand(1, height, width)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_perfect_answer_costs_nothing(loss: Loss) -> None:
    shares, weights = shares_of(_stripes(), 5)
    assert float(loss((shares * 2 - 1) * 50, shares, weights)) < 1e-4


def test_dice_of_an_answer_that_says_nothing_is_a_fifth_for_five_even_classes() -> None:
    shares, weights = shares_of(_stripes(), 5)
    pixels = 60
    dice = (2 * pixels / 25 + 1e-5) / (2 * pixels / 5 + 1e-5)
    assert float(soft_dice(torch.zeros(1, 5, 4, 15), shares, weights)) == pytest.approx(1 - dice, abs=1e-6)
    assert 1 - dice == pytest.approx(0.8, abs=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_unknown_pixels_change_nothing(loss: Loss) -> None:
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(1, 5, 4, 15, generator=random)
    ids = _stripes().clone()
    wider = torch.cat([ids, torch.full((1, 4, 6), 255)], dim=2)
    noisy = torch.cat([logits, 100 * torch.randn(1, 5, 4, 6, generator=random)], dim=3).requires_grad_()
    answer = loss(noisy, *shares_of(wider, 5))
    assert float(answer.detach()) == pytest.approx(float(loss(logits, *shares_of(ids, 5))), rel=1e-5)
    answer.backward()
    assert noisy.grad is not None and not noisy.grad[..., 15:].any() and noisy.grad[..., :15].any()


@pytest.mark.parametrize("loss", LOSSES)
def test_nothing_known_costs_nothing_and_moves_nothing(loss: Loss) -> None:
    logits = torch.randn(1, 5, 4, 15, requires_grad=True)
    answer = loss(logits, *shares_of(torch.full((1, 4, 15), 255), 5))
    answer.backward()
    assert float(answer.detach()) == 0 and logits.grad is not None and not logits.grad.any()


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_are_those_of_finite_differences(loss: Loss) -> None:
    ids = _stripes(3, 2, 6).clone()
    ids[0, 0, 0] = 255
    shares, weights = shares_of(ids, 3, torch.linspace(0.2, 1, 12).reshape(1, 2, 6))
    logits = torch.randn(1, 3, 2, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda given: loss(given, shares.double(), weights.double()), (logits,))


def test_affinity_gradient() -> None:
    logits = torch.randn(1, 2, 8, 8, dtype=torch.float64, requires_grad=True)
    pixels = torch.randn(1, 3, 8, 8, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda given: affinity(given, pixels), (logits,))


def test_dice_leaves_absent_classes_out_unless_told() -> None:
    ids = torch.zeros(1, 4, 6, dtype=torch.int64)
    shares, weights = shares_of(ids, 3)
    certain = (shares * 2 - 1) * 50
    certain[:, 1] = 0  # one class of three is wrongly half believed nowhere near the truth
    assert float(soft_dice(certain, shares, weights)) < 1e-4
    sure_of_absent = torch.zeros(1, 3, 4, 6)
    assert float(soft_dice(sure_of_absent, shares, weights)) == pytest.approx(0.5, abs=1e-4)
    assert float(soft_dice(sure_of_absent, shares, weights, absent="count")) == pytest.approx(2.5 / 3, abs=1e-4)


def test_dice_of_each_picture_or_of_all_together() -> None:
    ids = torch.stack([torch.zeros(4, 6, dtype=torch.int64), torch.ones(4, 6, dtype=torch.int64)])
    logits = torch.zeros(2, 2, 4, 6)
    logits[0, 0] = 50.0
    logits[1, 0] = 50.0  # all is said to be class 0
    shares, weights = shares_of(ids, 2)
    assert float(soft_dice(logits, shares, weights, over="picture")) == pytest.approx(0.5, abs=1e-4)
    assert float(soft_dice(logits, shares, weights, over="batch")) == pytest.approx((1 / 3 + 1) / 2, abs=1e-4)


def test_confidence_weighs_or_softens() -> None:
    ids = torch.tensor([[[0, 1, 255]]])
    sure = torch.tensor([[[1.0, 0.25, 1.0]]])
    shares, weights = shares_of(ids, 2, sure)
    assert weights.tolist() == [[[1.0, 0.25, 0.0]]] and shares[0, :, 0, 1].tolist() == [0.0, 1.0]
    shares, weights = shares_of(ids, 2, sure, soft=True)
    assert weights.tolist() == [[[1.0, 1.0, 0.0]]]
    assert shares[0, :, 0, 0].tolist() == [1.0, 0.0] and shares[0, :, 0, 1].tolist() == [0.5, 0.5]


def test_focal_forgives_what_is_nearly_right() -> None:
    shares, weights = shares_of(torch.tensor([[[0, 0]]]), 2)
    easy, hard = torch.tensor([[[[2.0, 2.0]], [[0.0, 0.0]]]]), torch.tensor([[[[0.0, 0.0]], [[2.0, 2.0]]]])
    plain = cross_entropy(easy, shares, weights) / cross_entropy(hard, shares, weights)
    assert focal(easy, shares, weights) / focal(hard, shares, weights) < plain / 10


def test_class_weights_count_a_class_more() -> None:
    shares, weights = shares_of(torch.tensor([[[0, 1]]]), 2)
    logits = torch.zeros(1, 2, 1, 2)
    doubled = cross_entropy(logits, shares, weights, torch.tensor([1.0, 3.0]))
    assert float(doubled) == pytest.approx(2 * float(cross_entropy(logits, shares, weights)))


def test_affinity_asks_look_alikes_to_agree_and_nobody_else() -> None:
    pixels = torch.zeros(1, 1, 8, 16)
    pixels[..., 8:] = 9.0
    along, across = torch.zeros(1, 2, 8, 16), torch.zeros(1, 2, 8, 16)
    along[:, 0, :, :8], along[:, 1, :, 8:] = 50.0, 50.0  # classes change where colours change
    across[:, 0, :4], across[:, 1, 4:] = 50.0, 50.0
    assert float(affinity(along, pixels)) == pytest.approx(0, abs=1e-6)
    assert float(affinity(across, pixels)) > 0.05
    assert float(affinity(across, pixels, known=torch.ones(1, 8, 16, dtype=torch.bool))) == 0
    hidden = torch.ones(1, 8, 16, dtype=torch.bool)
    hidden[:, 2:6] = False
    assert float(affinity(across, pixels, valid=hidden, reaches=(1,))) == pytest.approx(0, abs=1e-6)


def _batch(told_by: list[int]) -> Batch:
    """Four pixels in a row: a mask says 0 and 0, a point says 1; of the last pixel nobody knows anything."""
    ids, sure = np.array([[[0, 0, 1, 255]]], np.uint8), np.array([[[0.8, 0.8, 1.0, 0.0]]], np.float32)
    told = np.array([[told_by]], np.uint8)
    return Batch(
        np.zeros((1, 1, 4, 1), np.float32), np.ones((1, 1), np.float32), np.zeros((1, 1), np.float32),
        np.ones((1, 1, 4), bool), ids, sure, told,
    )  # fmt: skip


def _loss(batch: Batch, **settings: Any) -> tuple[float, Tensor]:
    """The loss of a network that gives class 0 three quarters everywhere, and its slope in each pixel."""
    logits = torch.tensor([3.0, 1.0]).log()[None, :, None, None].expand(1, 2, 1, 4).clone().requires_grad_()
    record = ModelRecord({}, ("a", "b"), (0.0,), (1.0,))
    answer = Objective(record, "ce", **settings)(cast("nn.Module", lambda pixels: logits), batch, torch.device("cpu"))
    answer.backward()
    assert logits.grad is not None
    return float(answer.detach()), logits.grad[0, 0, 0]


def test_points_beside_masks_have_a_mean_of_their_own() -> None:
    masks, point = -math.log(0.75), -math.log(0.25)
    batch = _batch([MASK, MASK, POINT, MASK])
    assert _loss(batch, point_weight=2.0)[0] == pytest.approx(masks + 2 * point, rel=1e-5)
    assert _loss(batch)[0] == pytest.approx((1.6 * masks + point) / 2.6, rel=1e-5)
    assert _loss(_batch([POINT] * 4), point_weight=2.0)[0] == pytest.approx((1.6 * masks + point) / 2.6, rel=1e-5)


@pytest.mark.parametrize("confidence", ["weight", "ignore", "soft"])
def test_labels_spread_from_points_are_soft_and_unknown_ones_pull_nowhere(confidence: str) -> None:
    answer, slope = _loss(_batch([SPREAD, SPREAD, POINT, SPREAD]), confidence=confidence)
    soft = -(0.8 * math.log(0.75) + 0.2 * math.log(0.25))
    assert answer == pytest.approx(soft - math.log(0.25), rel=1e-5)
    assert slope.tolist() == pytest.approx([(0.75 - 0.8) / 2, (0.75 - 0.8) / 2, 0.75, 0.0], abs=1e-6)
