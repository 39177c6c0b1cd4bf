"""Teach a head which tags go with which features: seconds on a laptop, for the backbone has looked already."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits


@dataclass(frozen=True)
class HeadPlan:
    """How a head is taught: the settings of the published DinoVd'eau unless told otherwise."""

    epochs: int = 150
    batch: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    patience: int = 10
    plateau: int = 5
    random_state: int = 0


def teach_head(
    head: nn.Sequential,
    features: NDArray[np.float32],
    truth: NDArray[np.float32],
    held_out: NDArray[np.bool_],
    plan: HeadPlan,
    *,
    views: NDArray[np.float32] | None = None,
) -> list[dict[str, Any]]:
    """Teach `head` in place and leave it at its best: the history, a line per epoch.

    `features` (n, d), `truth` (n, tags) is 1, 0, how likely a tag is, or nan where nobody knows, which counts nowhere.
    `views` (n, views, d) are features of other looks at the same pictures: each epoch learns from one look at each,
    drawn by chance; those of pictures that are held out are never read. The loss of the
    `held_out` pictures (of all, if none is) decides about the learning rate, the end, and what is best; of equally
    good epochs the first. The same on every run with the same number of threads.
    """
    device = next(head.parameters()).device
    looks = features[:, None] if views is None else np.concatenate([features[:, None], views], axis=1)
    given, wanted = (torch.from_numpy(each).to(device) for each in (looks, truth))
    learned = np.flatnonzero(~held_out)
    judged = torch.from_numpy(np.flatnonzero(held_out) if held_out.any() else learned).to(device)
    adam = torch.optim.Adam(head.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay)
    slower = torch.optim.lr_scheduler.ReduceLROnPlateau(adam, factor=0.1, patience=plan.plateau)
    random = np.random.default_rng(plan.random_state)
    history: list[dict[str, Any]] = []
    best, best_state, since = float("inf"), copy.deepcopy(head.state_dict()), 0
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(plan.random_state)
        for epoch in range(plan.epochs):
            order = random.permutation(learned)
            chosen = given[order, 0] if views is None else given[order, random.integers(0, len(looks[0]), len(order))]
            loss = _epoch(head, adam, chosen, wanted[order], plan.batch)
            held = _judge(head, given[judged, 0], wanted[judged])
            history.append(
                {"epoch": epoch + 1, "loss": loss, "held_out_loss": held, "rate": adam.param_groups[0]["lr"]}
            )
            slower.step(held)
            since = 0 if held < best else since + 1
            if held < best:
                best, best_state = held, copy.deepcopy(head.state_dict())
            if since >= plan.patience:
                break
    head.load_state_dict(best_state)
    head.eval()
    return history


def _epoch(head: nn.Module, adam: torch.optim.Optimizer, given: Tensor, wanted: Tensor, batch: int) -> float:
    head.train()
    parts = max(1, len(given) // batch)  # no last batch of one, which cannot be normalised
    losses = []
    for pictures, truth in zip(given.tensor_split(parts), wanted.tensor_split(parts), strict=True):
        adam.zero_grad()
        loss = _loss(head(pictures), truth)
        loss.backward()  # type: ignore[no-untyped-call]
        adam.step()
        losses.append(loss.item())
    return float(np.mean(losses))


def _judge(head: nn.Module, given: Tensor, wanted: Tensor) -> float:
    head.eval()
    with torch.inference_mode():
        return float(_loss(head(given), wanted))


def _loss(logits: Tensor, wanted: Tensor) -> Tensor:
    known = ~wanted.isnan()
    each = binary_cross_entropy_with_logits(logits, wanted.nan_to_num(0.0), reduction="none")
    return (each * known).sum() / known.sum().clamp(min=1)
