"""From pictures and masks to a segmenter: it learns, in whatever way its settings ask for, and repeats itself."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskwright.contracts import check_learner
from maskwright.errors import EmptyResultError, InputError
from maskwright.io.images import file_sha256, read_image
from maskwright.io.masks import read_mask, write_mask
from maskwright.methods.train_semantic import TrainSemantic
from maskwright.models.weights import read_model
from maskwright.tiled import predict_mask
from maskwright.types import Points, Sample
from tests.training_scenes import CLASS_NAMES, make_samples, pointed

torch = pytest.importorskip("torch")
QUICK: dict[str, Any] = {"width": 6, "steps": 40, "crop": 32, "batch": 4, "score_every": 20, "device": "cpu",
                         "precision": "float32", "learning_rate": 0.01, "average": 0.9}  # fmt: skip


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    return make_samples(tmp_path, 5)


def _accuracy(segmenter: Any, folder: Path) -> float:
    """On pictures it never saw."""
    hits = []
    for sample in make_samples(folder, 8)[5:]:
        truth = read_mask(sample.mask_paths[0]).class_ids
        hits.append(
            (predict_mask(segmenter, read_image(sample.image_path), window=64, overlap=16).class_ids == truth).mean()
        )
    return float(np.mean(hits))


def test_it_keeps_the_promises_of_learners() -> None:
    check_learner(TrainSemantic(**{**QUICK, "steps": 4, "width": 4}))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"loss": "focal_dice", "class_weights": "balanced", "split": "none"},
        {"loss": "dice", "confidence": "soft", "affinity": 0.0, "turns": "any"},
        {"loss": "ce", "confidence": "ignore", "split": "block", "block_px": 32},
    ],
    ids=["as it is", "focal", "dice alone", "by blocks"],
)
def test_it_learns(samples: list[Sample], tmp_path: Path, settings: dict[str, Any]) -> None:
    segmenter = TrainSemantic(**{**QUICK, **settings})(samples)
    assert segmenter.class_names == CLASS_NAMES
    assert _accuracy(segmenter, tmp_path / "new") > 0.93
    losses = [line["loss"] for line in segmenter.record.training["history"]]
    assert losses[-1] < losses[0]


def test_points_are_enough(samples: list[Sample], tmp_path: Path) -> None:
    """Six points a picture and no mask; without the agreement of look-alikes they are not enough."""
    taught = pointed(samples, count=3)
    method = TrainSemantic(**{**QUICK, "steps": 100}, class_names=CLASS_NAMES, split="none", affinity=3.0,
                           spread=False)  # fmt: skip
    segmenter, alone = method(taught), dataclasses.replace(method, affinity=0.0)(taught)
    assert segmenter.class_names == CLASS_NAMES and _accuracy(segmenter, tmp_path / "new") > 0.93
    assert _accuracy(segmenter, tmp_path / "new") > _accuracy(alone, tmp_path / "newer") + 0.03
    assert TrainSemantic(**{**QUICK, "steps": 1}, split="none")(taught).class_names == ("", "1", "2")
    spread = dataclasses.replace(method, affinity=0.0, spread=True)(taught)
    assert _accuracy(spread, tmp_path / "newest") > _accuracy(alone, tmp_path / "newer") + 0.03


def test_unless_told_otherwise_few_points_are_spread_and_many_are_not(samples: list[Sample]) -> None:
    method = TrainSemantic(**{**QUICK, "steps": 2}, split="none")
    for count, spread in ((3, True), (40, False)):
        taught = pointed(samples[:2], count)
        found, same = (each(taught).state for each in (method, dataclasses.replace(method, spread=spread)))
        other = dataclasses.replace(method, spread=not spread)(taught).state
        assert all(torch.equal(found[key], same[key]) for key in found)
        assert not all(torch.equal(found[key], other[key]) for key in found)


def test_a_network_shown_relative_light_knows_pictures_of_another_light(samples: list[Sample], tmp_path: Path) -> None:
    dim, found = make_samples(tmp_path / "dim", 8)[5:], {}
    for light in ("as_it_is", "relative"):
        segmenter = TrainSemantic(**QUICK, light=light, scale=0.0, colour=0.0)(samples)
        hits = []
        for sample in dim:
            image, truth = read_image(sample.image_path), read_mask(sample.mask_paths[0]).class_ids
            darker = dataclasses.replace(image, pixels=(np.asarray(image.pixels) * 0.4 + 5).astype(np.uint8))
            hits.append((predict_mask(segmenter, darker, window=48, overlap=8).class_ids == truth).mean())
        found[light] = np.mean(hits)
        assert segmenter.window_px == (QUICK["crop"] if light == "relative" else None)
    assert found["relative"] > found["as_it_is"] + 0.03 and found["relative"] > 0.9


def test_a_network_that_goes_on_with_other_windows_is_shown_those(samples: list[Sample], tmp_path: Path) -> None:
    quick: dict[str, Any] = {**QUICK, "steps": 2, "light": "both"}
    TrainSemantic(**quick)(samples).save(tmp_path / "model")
    later = TrainSemantic(**{**quick, "crop": 24}, start=tmp_path / "model")(samples)
    assert read_model(tmp_path / "model").window_px == QUICK["crop"] and later.window_px == 24


def _wrong_masks_and_points(samples: list[Sample]) -> list[Sample]:
    """Masks that call everything sand, and twelve points of coral a picture that know better."""
    taught = []
    for number, sample in enumerate(samples):
        mask = read_mask(sample.mask_paths[0])
        places = np.random.default_rng(number).permutation(np.argwhere(mask.class_ids == 1))[:12].astype(float)
        write_mask(sample.mask_paths[0], dataclasses.replace(mask, class_ids=np.full_like(mask.class_ids, 2)))
        points = Points(places[:, 0], places[:, 1], np.ones(len(places), np.uint8))
        taught.append(dataclasses.replace(sample, hints=(points,)))
    return taught


def test_points_are_not_lost_among_the_pixels_of_masks(samples: list[Sample], tmp_path: Path) -> None:
    truths = [read_mask(each.mask_paths[0]).class_ids == 1 for each in samples]
    taught = _wrong_masks_and_points(samples)
    found = {}
    for weight in (0.0, 4.0):
        method = TrainSemantic(**{**QUICK, "loss": "ce"}, split="none", balance=0.0, affinity=0.0, point_weight=weight)
        segmenter = method(taught)
        masks = [predict_mask(segmenter, read_image(each.image_path)).class_ids for each in samples]
        found[weight] = np.mean([(mask == 1)[truth].mean() for mask, truth in zip(masks, truths, strict=True)])
    assert found[0.0] < 0.1 and found[4.0] > 0.5


def test_pixels_nobody_trusts_are_not_learned(samples: list[Sample]) -> None:
    for sample in samples:
        mask = read_mask(sample.mask_paths[0])
        wrong = dataclasses.replace(mask, confidence=np.full(mask.class_ids.shape, 0.2, np.float32))
        write_mask(sample.mask_paths[0], wrong)
    with pytest.raises(EmptyResultError, match="no pixel is left to learn from in 5 pictures"):
        TrainSemantic(**QUICK, least_confidence=0.5)(samples)


def test_the_same_again_and_another_with_another_seed(samples: list[Sample]) -> None:
    method = TrainSemantic(**{**QUICK, "steps": 6})
    first, second = method(samples), method(list(reversed(samples)))
    assert all(torch.equal(first.state[key], second.state[key]) for key in first.state)
    other = dataclasses.replace(method, random_state=1)(samples)
    assert not all(torch.equal(first.state[key], other.state[key]) for key in first.state)


def test_a_checkpoint_is_taken_up_only_by_the_same_training(samples: list[Sample], tmp_path: Path) -> None:
    method = TrainSemantic(**{**QUICK, "steps": 12, "score_every": 4}, spread=True, light="both")
    samples = [*pointed(samples[:3]), *samples[3:]]
    checkpoint = tmp_path / "checkpoint.pt"

    class KilledError(Exception):
        pass

    def kill(step: int, steps: int, line: Any) -> None:
        if step == 8:
            raise KilledError

    with pytest.raises(KilledError):
        method.learn(samples, checkpoint=checkpoint, report=kill)
    told: list[int] = []
    resumed = method.learn(samples, checkpoint=checkpoint, report=lambda step, steps, line: told.append(step))
    assert told == [8, 12]
    whole = method(samples)
    assert all(torch.equal(resumed.state[key], whole.state[key]) for key in whole.state)
    told.clear()
    method.learn(samples[:4], checkpoint=checkpoint, report=lambda step, steps, line: told.append(step))
    assert told == [4, 8, 12]


def test_the_story_is_told(samples: list[Sample]) -> None:
    record = TrainSemantic(**{**QUICK, "steps": 20})(samples).record
    training = record.training
    assert training["pictures"] == 5 and training["steps"] == 20 and training["precision"] == "float32"
    assert training["settings"]["width"] == 6 and len(training["held_out"]["pictures"]) == 1
    assert 0 < record.scores["mean_iou"] <= 1 and set(record.scores["iou"]) == {"coral", "sand"}
    assert record.pixel_m is None and record.origin is None and record.licence is None


def test_it_goes_on_from_a_model(samples: list[Sample], tmp_path: Path) -> None:
    TrainSemantic(**QUICK)(samples).save(tmp_path / "first")
    warm = TrainSemantic(**{**QUICK, "steps": 2, "learning_rate": 1e-5}, start=tmp_path / "first")(samples)
    assert _accuracy(warm, tmp_path / "new") > 0.9 and warm.record.origin == "first"
    told = warm.record.training["settings"]["start"]
    assert told == {"name": "first", "sha256": file_sha256(tmp_path / "first" / "model.safetensors")}
    warm.save(tmp_path / "warm")
    assert not any(str(tmp_path) in (tmp_path / "warm" / each).read_text() for each in ("README.md", "model.json"))
    with pytest.raises(InputError, match="leave start out to learn from scratch"):
        TrainSemantic(**QUICK, start=tmp_path / "first", class_names=("", "coral", "sand", "rock"))(samples)


@pytest.mark.parametrize(
    "network", [{"network": "segformer", "backbone": "tiny"}, {"network": "smp", "backbone": "mobilenet_v2"}]
)
def test_other_networks_learn_too(samples: list[Sample], network: dict[str, Any]) -> None:
    more = {**QUICK, "steps": 8, "score_every": 4, "batch": 2, "learning_rate": 0.002, "crop": 64}
    segmenter = TrainSemantic(**{**more, **network})(samples)
    losses = [line["loss"] for line in segmenter.record.training["history"]]
    assert losses[1] < losses[0] and segmenter.record.architecture["kind"] == network["network"]


@pytest.mark.parametrize(
    "settings", [{"steps": 0}, {"held_out": 1.5}, {"affinity": -1.0}, {"learning_rate": -1.0}, {"learning_rate": 0.0}]
)
def test_settings_out_of_bounds_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"it is"):
        TrainSemantic(**settings)
