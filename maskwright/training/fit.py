"""One plain loop that turns batches into weights: any network, any loss, one processor or many through accelerate.

All that is chance in a step follows from (random_state, step), so a training that was killed goes on from its last
checkpoint to the same weights, bit by bit, as one that never stopped: on a CPU, with the same number of threads and
the same precision. Graphics cards add up in no fixed order and come close only.

Started by `torchrun` or `accelerate launch`, each process takes its share of every batch; nothing else changes.
"""

from __future__ import annotations

import copy
import logging
import math
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from maskwright.errors import InputError
from maskwright.io.outputs import write_atomically
from maskwright.models.processors import (
    Precision,
    autocast,
    choose_device,
    choose_precision,
    cores,
    placed,
    torch_threads,
)

Batch = TypeVar("Batch")
Scores = dict[str, Any]
Report = Callable[[int, int, Mapping[str, Any]], None]
"""Called with the step, the number of steps, and the newest line of the history."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """How long and how fast is learned.

    The rate rises over `warm_up` steps to `learning_rate` and falls as a cosine to 1 % of it. Every `score_every` steps
    the averaged weights are scored; after `patience` scores without a better one it ends. `average` is how much of the
    old average stays in each step (0: none). `readers` threads prepare batches ahead.
    """

    steps: int
    learning_rate: float
    warm_up: int = 20
    weight_decay: float = 0.01
    clip: float = 1.0
    average: float = 0.98
    score_every: int = 50
    patience: int = 8
    checkpoint_every: int = 50
    random_state: int = 0
    device: str = "auto"
    precision: Precision = "auto"
    readers: int = 1

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        if step < self.warm_up:
            return self.learning_rate * (step + 1) / self.warm_up
        part = (step - self.warm_up) / max(self.steps - self.warm_up, 1)
        return self.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * min(part, 1))) / 2)


@dataclass(frozen=True, eq=False)
class Fitted:
    """The best averaged weights, the line of the history they come from, and how it went."""

    state: dict[str, Tensor]
    best: Scores
    history: tuple[Scores, ...]
    steps: int
    device: str
    precision: str
    processes: int


@dataclass
class _Progress:
    """What a checkpoint holds besides weights."""

    step: int = 0
    history: list[Scores] = field(default_factory=list)
    best: Scores = field(default_factory=dict)
    best_state: dict[str, Tensor] = field(default_factory=dict)
    top: float = -math.inf
    worse: int = 0
    loss_sum: float = 0.0
    loss_count: int = 0


def fit(
    network: nn.Module,
    batch_of: Callable[[int, int, int], Batch],
    loss_of: Callable[[nn.Module, Batch, torch.device], Tensor],
    plan: Plan,
    *,
    score_of: Callable[[nn.Module, torch.device], Scores] | None = None,
    checkpoint: Path | None = None,
    key: str = "",
    report: Report | None = None,
) -> Fitted:
    """Train `network`, in place, and give the best weights.

    `batch_of(step, rank, ranks)` makes a batch and runs in other threads; `loss_of(network, batch, device)` its loss;
    `score_of(network, device)` scores the averaged network: "score" should rise, and "doubt", if it is there, says
    which differences are chance. The latest weights whose score is the best but for chance are kept; without `score_of`
    the last. `checkpoint` is a file to go on from, if it was written with the same `key`; whoever keeps the result
    removes it.
    """
    with _accelerator(plan.device) as accelerator, torch_threads(max(1, cores() - plan.readers)):
        device = accelerator.device
        precision = choose_precision(plan.precision, device)
        placed(network, device)
        averaged = copy.deepcopy(network).eval().requires_grad_(False)
        optimiser = torch.optim.AdamW(_groups(network, plan), lr=plan.learning_rate)
        model, optimiser = accelerator.prepare(network, optimiser)
        state = _State(network, averaged, optimiser)
        progress = _read(checkpoint, key, state, device) if checkpoint is not None else _Progress()
        ranks, rank = accelerator.num_processes, accelerator.process_index
        with _ahead(lambda step: batch_of(step, rank, ranks), plan) as batches:
            while progress.step < plan.steps and progress.worse < plan.patience:
                batch = batches(progress.step)
                _step(model, batch, loss_of, plan, progress, accelerator, optimiser, precision)
                _average(averaged, network, plan.average, progress.step)
                progress.step += 1
                if progress.step % plan.score_every == 0 or progress.step == plan.steps:
                    _score(averaged, score_of, plan, progress, device, precision)
                    if report is not None and accelerator.is_main_process:
                        report(progress.step, plan.steps, progress.history[-1])
                if (
                    checkpoint is not None
                    and progress.step % plan.checkpoint_every == 0
                    and accelerator.is_main_process
                ):
                    _write(checkpoint, key, state, progress)
        return Fitted(
            {name: each.cpu() for name, each in (progress.best_state or averaged.state_dict()).items()},
            progress.best, tuple(progress.history), progress.step, str(device), precision, ranks,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _State:
    """All that learns, to be written and read together."""

    network: nn.Module
    averaged: nn.Module
    optimiser: Any

    def told(self) -> dict[str, Any]:
        parts = {"network": self.network, "averaged": self.averaged, "optimiser": self.optimiser}
        return {name: part.state_dict() for name, part in parts.items()}

    def load(self, told: Mapping[str, Any]) -> None:
        self.network.load_state_dict(told["network"])
        self.averaged.load_state_dict(told["averaged"])
        self.optimiser.load_state_dict(told["optimiser"])


class NoNumberError(InputError, ArithmeticError):
    """Learning came to a loss that is no number, most often by steps that are too large."""


def _step(
    model: nn.Module, batch: Batch, loss_of: Callable[[nn.Module, Batch, torch.device], Tensor], plan: Plan,
    progress: _Progress, accelerator: Any, optimiser: Any, precision: str,
) -> None:  # fmt: skip
    torch.manual_seed((plan.random_state * 1_000_003 + progress.step) % 2**63)  # dropout draws from here
    model.train()
    for group in optimiser.param_groups:
        group["lr"] = plan.rate(progress.step)
    with autocast(accelerator.device, precision):
        loss = loss_of(model, batch, accelerator.device)
    if not torch.isfinite(loss):
        raise NoNumberError(
            f"the loss of step {progress.step} is {float(loss.detach())}; expected a number; "
            "lower learning_rate or set precision=float32"
        )
    accelerator.backward(loss)
    accelerator.clip_grad_norm_(model.parameters(), plan.clip)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    progress.loss_sum += float(loss.detach())
    progress.loss_count += 1


def _average(averaged: nn.Module, network: nn.Module, keep: float, step: int) -> None:
    """Move the average towards the network; in the first steps faster, as there is little to remember."""
    keep = min(keep, (1 + step) / (10 + step))
    with torch.no_grad():
        for old, new in zip(averaged.state_dict().values(), network.state_dict().values(), strict=True):
            if old.is_floating_point():
                old.lerp_(new, 1 - keep)
            else:
                old.copy_(new)


def _score(
    averaged: nn.Module, score_of: Callable[[nn.Module, torch.device], Scores] | None, plan: Plan,
    progress: _Progress, device: torch.device, precision: str,
) -> None:  # fmt: skip
    line: Scores = {
        "step": progress.step,
        "loss": progress.loss_sum / max(progress.loss_count, 1),
        "learning_rate": plan.rate(progress.step - 1),
    }
    progress.loss_sum, progress.loss_count = 0.0, 0
    if score_of is not None:
        with torch.inference_mode(), autocast(device, precision):
            line.update(score_of(averaged, device))
        progress.top = max(progress.top, line["score"])
        if line["score"] >= progress.top - line.get("doubt", 0.0):
            progress.best, progress.worse = line, 0
            progress.best_state = {name: each.clone() for name, each in averaged.state_dict().items()}
        else:
            progress.worse += 1
    progress.history.append(line)


def _groups(network: nn.Module, plan: Plan) -> list[dict[str, Any]]:
    """Weights that decay, and biases and normalisations, which do not."""
    learned = [each for each in network.parameters() if each.requires_grad]
    return [
        {"params": [each for each in learned if each.ndim > 1], "weight_decay": plan.weight_decay},
        {"params": [each for each in learned if each.ndim <= 1], "weight_decay": 0.0},
    ]


@contextmanager
def _ahead(make: Callable[[int], Batch], plan: Plan) -> Iterator[Callable[[int], Batch]]:
    """A function that gives the batch of a step while threads make those of the next steps."""
    waiting: dict[int, Future[Batch]] = {}
    with ThreadPoolExecutor(plan.readers) as pool:

        def batch_of(step: int) -> Batch:
            for later in range(step, min(step + 1 + 2 * plan.readers, plan.steps)):
                if later not in waiting:
                    waiting[later] = pool.submit(make, later)
            return waiting.pop(step).result()

        try:
            yield batch_of
        finally:
            for each in waiting.values():
                each.cancel()


@contextmanager
def _accelerator(device: str) -> Iterator[Any]:
    """accelerate for the device; alone in this process it starts anew each time, so trainings may differ in device."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    chosen = choose_device(device)
    if "WORLD_SIZE" not in os.environ:
        AcceleratorState._reset_state(reset_partial_state=True)
    accelerator = Accelerator(cpu=chosen.type == "cpu")
    if chosen.index is not None and accelerator.num_processes == 1:
        accelerator.state.device = chosen
    yield accelerator


def _write(path: Path, key: str, state: _State, progress: _Progress) -> None:
    told = {"key": key, "progress": vars(progress), **state.told()}
    write_atomically(path, lambda temporary: torch.save(told, temporary))


def _read(path: Path, key: str, state: _State, device: torch.device) -> _Progress:
    """Where the training stood that wrote the checkpoint; a start where there is none, or one of another training."""
    if not path.is_file():
        return _Progress()
    told = torch.load(path, map_location=device, weights_only=True)
    if told["key"] != key:
        _log.warning("%s belongs to other pictures or settings; training starts anew", path)
        return _Progress()
    state.load(told)
    return _Progress(**told["progress"])
