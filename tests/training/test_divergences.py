"""Divergences as losses: the values of the array kernels, gradients by finite differences."""

from __future__ import annotations

import numpy as np
import pytest

from maskwright.arrays import wasserstein as arrays

torch = pytest.importorskip("torch", reason="gradients need the extra torch")

from maskwright.training import divergences  # noqa: E402


def clouds(n: int, m: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(size, 3, generator=generator, dtype=torch.float64) for size in (n, m))
    views = divergences.random_directions(3, 8, like=x, generator=generator)
    return x.requires_grad_(), (y + 0.4).requires_grad_(), views


@pytest.mark.parametrize(("n", "m"), [(7, 7), (5, 8)])
@pytest.mark.parametrize("order", [1.5, 2.0])
def test_values_are_those_of_the_array_kernels(n: int, m: int, order: float) -> None:
    x, y, views = clouds(n, m)
    plain = [each.detach().numpy() for each in (x, y)]
    options = {"views": views.numpy(), "order": order}
    expected = arrays.sliced_wasserstein(*plain, **options)
    assert divergences.sliced_wasserstein(x, y, views, order=order).item() == pytest.approx(expected)
    for over in ("sum", "mean"):
        expected = arrays.energy_sliced_wasserstein(*plain, over=over, **options)
        assert divergences.energy_sliced_wasserstein(x, y, views, order=order, over=over).item() == pytest.approx(
            expected
        )
    powers = arrays.slice_distances(*plain, options["views"], order=order)
    expected = powers.max() ** (1 / order)
    assert divergences.max_sliced_wasserstein(x, y, views, order=order).item() == pytest.approx(expected)


@pytest.mark.parametrize(("n", "m"), [(6, 6), (4, 7)])
@pytest.mark.parametrize(
    "loss",
    [divergences.sliced_wasserstein, divergences.energy_sliced_wasserstein, divergences.max_sliced_wasserstein],
)
def test_gradients_equal_finite_differences(loss: object, n: int, m: int) -> None:
    x, y, views = clouds(n, m)
    assert torch.autograd.gradcheck(loss, (x, y, views.requires_grad_()), eps=1e-7, atol=1e-5)


def test_equal_clouds_have_a_gradient_of_zero() -> None:
    x, _, views = clouds(5, 5)
    loss = divergences.energy_sliced_wasserstein(x, x.detach().clone(), views)
    loss.backward()
    assert loss.item() == 0
    assert x.grad is not None and torch.equal(x.grad, torch.zeros_like(x))


def test_the_loss_pulls_one_cloud_onto_the_other() -> None:
    x, y, views = clouds(20, 20)
    before = divergences.sliced_wasserstein(x, y, views).item()
    optimizer = torch.optim.Adam([x], lr=0.05)
    for _ in range(100):
        optimizer.zero_grad()
        loss = divergences.energy_sliced_wasserstein(x, y.detach(), views, over="mean")
        loss.backward()
        optimizer.step()
    assert divergences.sliced_wasserstein(x, y, views).item() < 0.2 * before


def test_directions_are_fresh_unit_vectors_and_repeatable() -> None:
    like = torch.zeros(1, dtype=torch.float32)
    drawn = [divergences.random_directions(5, 4, like=like, generator=torch.Generator().manual_seed(3)) for _ in "ab"]
    assert torch.equal(*drawn) and drawn[0].dtype == torch.float32
    np.testing.assert_allclose(drawn[0].norm(dim=1), 1, rtol=1e-6)
    generator = torch.Generator().manual_seed(3)
    first, second = (divergences.random_directions(5, 4, like=like, generator=generator) for _ in "ab")
    assert not torch.equal(first, second)


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="one d"):
        divergences.sliced_wasserstein(torch.zeros(2, 3), torch.zeros(2, 4), torch.zeros(1, 3))
    with pytest.raises(ValueError, match="both sides"):
        divergences.sliced_wasserstein(torch.zeros(0, 3), torch.zeros(2, 3), torch.zeros(1, 3))
