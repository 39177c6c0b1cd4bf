"""The transformer with part tokens: shapes, what its loss forgives, and that it learns parts of toy animals."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from maskwright.arrays.part_tokens import part_shares
from maskwright.toys import animals
from maskwright.types import Mask

torch = pytest.importorskip("torch")

from maskwright.models.part_vit import AttentionMasks, PartViT  # noqa: E402  # after the check that torch is there
from maskwright.training.mask_losses import exponential_logarithmic  # noqa: E402


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _stripes() -> torch.Tensor:
    """Six classes side by side, (1, 6, 4, 12)."""
    ids = torch.arange(12).repeat(4, 1) // 2
    return torch.nn.functional.one_hot(ids, 6).permute(2, 0, 1)[None].float()


def test_it_gives_masks_parts_and_one_descriptor() -> None:
    network = PartViT(5, side=32, patch=8, width=24, depth=2, heads=3, grid=16)
    masks, parts, descriptor = network(torch.rand(2, 3, 32, 32))
    assert masks.shape == (2, 6, 16, 16)
    assert parts.shape == (2, 5, 24)
    assert descriptor.shape == (2, 24)
    (masks.mean() + descriptor.square().sum()).backward()
    assert all(each.grad is not None and torch.isfinite(each.grad).all() for each in network.parameters())


def test_the_default_is_vit_b_16() -> None:
    with torch.device("meta"):
        network = PartViT(5)
    block = sum(each.numel() for each in network.blocks[0].parameters())
    assert block == 7_087_872  # one block of ViT-B
    assert network.cells == 16 and network.grid == 64


def test_masks_are_means_over_heads() -> None:
    torch.manual_seed(0)
    block = AttentionMasks(12, 3)
    parts, patches = torch.randn(2, 4, 12), torch.randn(2, 9, 12)
    asked, given = (each.unflatten(2, (3, 4)).transpose(1, 2) for each in (block.asked(parts), block.given(patches)))
    by_heads = (asked @ given.transpose(2, 3) / 4**0.5).mean(dim=1)
    torch.testing.assert_close(block(parts, patches), by_heads)


def test_a_perfect_answer_costs_nothing_even_where_the_tail_is_hidden() -> None:
    shares = _stripes()
    assert exponential_logarithmic(40 * shares, shares).item() == pytest.approx(0, abs=1e-5)
    hidden = shares.clone()
    hidden[:, 0] += hidden[:, 4]
    hidden[:, 4] = 0
    assert exponential_logarithmic(10 * hidden, hidden).item() == pytest.approx(0, abs=1e-3)


def test_no_idea_costs_what_can_be_reckoned_by_hand() -> None:
    shares = _stripes()
    log = np.log(6)
    expected = 0.5 * log**1.2 + 0.5 * np.sqrt(6) * log**1.2  # Dice is 2/6 / (1/6 * 6 + 1) = 1/6 for every class
    assert exponential_logarithmic(torch.zeros(1, 6, 4, 12), shares).item() == pytest.approx(expected, rel=1e-4)


def test_pixels_nobody_knows_change_nothing() -> None:
    shares, weights = _stripes(), torch.ones(1, 4, 12)
    weights[:, 0] = 0
    logits = torch.randn(1, 6, 4, 12, generator=torch.Generator().manual_seed(0))
    other = logits.clone()
    other[:, :, 0] = 9.0
    changed = shares.clone()
    changed[:, :, 0] = changed[:, :, 0].flip(1)
    first = exponential_logarithmic(logits, shares, weights)
    torch.testing.assert_close(exponential_logarithmic(other, changed, weights), first)
    assert exponential_logarithmic(logits, shares, torch.zeros(1, 4, 12)).item() == 0


def test_its_slope_is_finite_where_the_answer_is_perfect() -> None:
    logits = (200 * _stripes()).requires_grad_()
    exponential_logarithmic(logits, _stripes()).backward()
    assert torch.isfinite(logits.grad).all()


def test_it_learns_the_parts_of_toy_animals() -> None:
    scenes = animals.make(8, random_state=1, size=(64, 96))
    pixels = np.stack(
        [cv2.resize(np.asarray(each.image.pixels), (64, 64), interpolation=cv2.INTER_AREA) for each in scenes]
    )
    truths = [each.truth for each in scenes if isinstance(each.truth, Mask)]
    shares = torch.from_numpy(
        np.stack([part_shares(each.class_ids, [1, 2, 3, 4, 5], 0, grid=(16, 16)) for each in truths])
    )
    given = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
    torch.manual_seed(0)
    network = PartViT(5, side=64, patch=8, width=48, depth=2, heads=4, grid=16)
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    losses = []
    for _ in range(70):
        loss = exponential_logarithmic(network(given).masks, shares)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    said, truth = network(given).masks.argmax(dim=1), shares.argmax(dim=1)
    there = [k for k in range(6) if (truth == k).any()]
    iou = [((said == k) & (truth == k)).sum() / ((said == k) | (truth == k)).sum() for k in there]
    by_chance = (truth == 5).float().mean() / len(there)  # background everywhere
    assert losses[-1] < 0.5 * losses[0]
    assert sum(iou) / len(iou) > 2 * by_chance
