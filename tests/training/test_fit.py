"""The loop: what it learns, what it remembers, and that being killed makes no difference."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from maskwright.errors import InputError
from maskwright.training.fit import Fitted, Plan, fit


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def _network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Dropout(0.3), nn.Conv2d(4, 1, 1))


def _batch(step: int, rank: int = 0, ranks: int = 1) -> Tensor:
    return torch.from_numpy(np.random.default_rng(step).normal(0, 1, (2, 2, 8, 12)).astype(np.float32))


def _loss(network: nn.Module, batch: Tensor, device: torch.device) -> Tensor:
    batch = batch.to(device)
    return (network(batch)[:, 0] - batch.sum(dim=1)).square().mean()


def _fit(plan: Plan, **more: object) -> Fitted:
    return fit(_network(), _batch, _loss, plan, **more)  # type: ignore[arg-type]


def _plan(**more: object) -> Plan:
    return Plan(24, 0.05, warm_up=4, score_every=6, checkpoint_every=5, device="cpu", precision="float32", **more)  # type: ignore[arg-type]


def _same(one: Fitted, other: Fitted) -> bool:
    return one.state.keys() == other.state.keys() and all(
        torch.equal(one.state[key], other.state[key]) for key in one.state
    )


def test_the_loss_falls_and_the_history_says_so() -> None:
    fitted = _fit(_plan())
    losses = [line["loss"] for line in fitted.history]
    assert [line["step"] for line in fitted.history] == [6, 12, 18, 24]
    assert losses[-1] < 0.6 * losses[0]
    assert (fitted.steps, fitted.device, fitted.precision, fitted.processes) == (24, "cpu", "float32", 1)


def test_the_rate_rises_then_falls() -> None:
    rates = [_plan().rate(step) for step in range(24)]
    assert rates[:5] == pytest.approx([0.0125, 0.025, 0.0375, 0.05, 0.05])
    assert all(later < earlier for earlier, later in pairwise(rates[4:]))
    assert rates[-1] < 0.1 * 0.05


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    assert _same(_fit(_plan()), _fit(_plan()))
    assert not _same(_fit(_plan()), _fit(_plan(random_state=1)))


def test_readers_decide_about_time_only() -> None:
    assert _same(_fit(_plan()), _fit(_plan(readers=3)))


def _interrupted(checkpoint: Path, at: int) -> None:
    """Train until the batch of a step cannot be read."""

    def broken(step: int, rank: int, ranks: int) -> Tensor:
        if step >= at:
            raise OSError("the disk went away")
        return _batch(step)

    with pytest.raises(OSError, match="went away"):
        fit(_network(), broken, _loss, _plan(), checkpoint=checkpoint, key="k")


@pytest.mark.parametrize("at", [3, 11, 20])
def test_a_training_goes_on_from_its_checkpoint_to_the_same_weights(tmp_path: Path, at: int) -> None:
    checkpoint = tmp_path / "checkpoint.pt"
    _interrupted(checkpoint, at)
    assert checkpoint.exists() == (at > 5)
    steps: list[int] = []

    def noted(step: int, rank: int, ranks: int) -> Tensor:
        steps.append(step)
        return _batch(step)

    resumed = fit(_network(), noted, _loss, _plan(), checkpoint=checkpoint, key="k")
    assert min(steps) == at // 5 * 5
    whole = _fit(_plan())
    assert _same(resumed, whole) and resumed.history == whole.history


def test_a_checkpoint_of_another_training_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    checkpoint = tmp_path / "checkpoint.pt"
    _interrupted(checkpoint, 11)
    other = _fit(_plan(), checkpoint=checkpoint, key="other")
    assert "other pictures or settings" in caplog.text
    assert _same(other, _fit(_plan()))


def test_the_best_scored_weights_are_kept_and_learning_ends_when_nothing_comes() -> None:
    given = iter([0.2, 0.9, 0.5, 0.4])
    states: list[dict[str, Tensor]] = []

    def score(network: nn.Module, device: torch.device) -> dict[str, float]:
        states.append({key: each.clone() for key, each in network.state_dict().items()})
        return {"score": next(given)}

    plan = Plan(60, 0.05, score_every=6, patience=2, device="cpu", precision="float32")
    fitted = _fit(plan, score_of=score)
    assert fitted.steps == 24 and fitted.best["score"] == 0.9 and fitted.best["step"] == 12
    assert all(torch.equal(fitted.state[key], states[1][key]) for key in fitted.state)


def test_of_scores_that_differ_by_chance_the_latest_is_kept() -> None:
    given = iter([0.5, 0.9, 0.85, 0.4])
    plan = Plan(24, 0.05, score_every=6, device="cpu", precision="float32")
    fitted = _fit(plan, score_of=lambda network, device: {"score": next(given), "doubt": 0.1})
    assert fitted.best["step"] == 18 and fitted.best["score"] == 0.85


def test_without_average_the_last_weights_come_out() -> None:
    network = _network()
    fitted = fit(network, _batch, _loss, _plan(average=0.0))
    assert all(torch.equal(fitted.state[key], each) for key, each in network.state_dict().items())


def test_a_loss_that_is_no_number_ends_it_with_advice() -> None:
    def nan(network: nn.Module, batch: Tensor, device: torch.device) -> Tensor:
        return _loss(network, batch, device) * float("nan")

    with pytest.raises(InputError, match=r"step 0 is nan; expected a number; lower learning_rate"):
        fit(_network(), _batch, nan, _plan())


SCRIPT = """
import sys, time
from pathlib import Path
import torch
sys.path.insert(0, {folder!r})
import test_fit as t
from maskwright.training.fit import fit

def slowly(step, rank, ranks):
    time.sleep(0.05)
    return t._batch(step)

fitted = fit(t._network(), slowly, t._loss, t._plan(), checkpoint=Path(sys.argv[1]), key="k")
torch.save(fitted.state, sys.argv[2])
"""


@pytest.mark.timeout(500)
def test_killed_in_the_middle_of_a_step_and_started_again(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(SCRIPT.format(folder=str(Path(__file__).parent)))
    checkpoint, out = tmp_path / "checkpoint.pt", tmp_path / "state.pt"
    words = [sys.executable, str(script), str(checkpoint), str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    first = subprocess.Popen(words, env=environment)
    deadline = time.monotonic() + 200
    while not checkpoint.exists():
        assert first.poll() is None and time.monotonic() < deadline, "it ended, or hung, before its first checkpoint"
        time.sleep(0.01)
    time.sleep(0.12)
    first.send_signal(signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL and not out.exists()
    subprocess.run(words, env=environment, check=True, timeout=200)
    resumed = torch.load(out, weights_only=True)
    whole = _fit(_plan()).state
    assert all(torch.equal(resumed[key], whole[key]) for key in whole)
