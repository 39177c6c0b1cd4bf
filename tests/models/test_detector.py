"""Detectors of transformers: tiny ones with random weights, against transformers' own reading of their answers."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from maskwright.errors import FormatError, InputError, MissingWeightsError, UnknownNameError
from maskwright.models.detector import KINDS, Detector, Finding
from maskwright.models.pretrained import load_pretrained
from tests.tiny_networks import LABELS, save_detector

transformers = pytest.importorskip("transformers")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def picture() -> Any:
    return np.random.default_rng(1).integers(0, 255, (40, 90, 3), np.uint8)


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_boxes_transformers_reads(tmp_path: Path, kind: str) -> None:
    found = Detector.of(save_detector(tmp_path / kind, kind), Finding("all", least_score=0), device="cpu")
    (boxes,) = found([picture()])
    logits, shares = found._ask(found._prepared(picture()))
    processor = transformers.RTDetrImageProcessor()
    told = SimpleNamespace(logits=torch.from_numpy(logits), pred_boxes=torch.from_numpy(shares))
    (peer,) = processor.post_process_object_detection(told, threshold=0, target_sizes=[(40, 90)])
    first = peer["boxes"][0].clamp(min=0).minimum(torch.tensor([90.0, 40, 90, 40])).numpy()[[1, 0, 3, 2]]
    np.testing.assert_allclose(boxes.boxes[0], first, atol=1e-4)
    assert boxes.scores[0] == pytest.approx(float(peer["scores"][0]), abs=1e-6)
    assert boxes.names[0] == LABELS[int(peer["labels"][0])]
    assert (np.diff(boxes.scores) <= 0).all()
    assert boxes.boxes.min() >= 0
    assert (boxes.boxes.max(axis=0) <= (40, 90, 40, 90)).all()


def test_pictures_are_prepared_as_transformers_does(tmp_path: Path) -> None:
    found = Detector.of(save_detector(tmp_path / "one"), Finding(), device="cpu")
    processor = transformers.RTDetrImageProcessor(size={"height": 64, "width": 96})
    peer = processor(picture(), return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(found._prepared(picture()), peer, atol=1.5 / 255, rtol=0)


class Told:
    """A network that always finds a big unsure horse, a small sure zebra, and a person surer than both."""

    def to(self, device: Any) -> Told:
        return self

    def __call__(self, pixels: Any) -> Any:
        logits = torch.full((len(pixels), 4, 4), -9.0)
        logits[:, 0, 1], logits[:, 1, 2], logits[:, 2, 0] = 0.0, 2.0, 4.0
        boxes = torch.tensor([[0.5, 0.5, 0.8, 0.6], [0.25, 0.5, 0.1, 0.2], [0.5, 0.5, 1.0, 1.0], [0.0, 0.0, 1.0, 0.5]])
        return SimpleNamespace(logits=logits, pred_boxes=boxes.expand(len(pixels), 4, 4))


def told(things: str = "animals", least_score: float = 0.3) -> Detector:
    colours = np.zeros(3, np.float32), np.ones(3, np.float32)
    return Detector(Told(), LABELS, (64, 64), colours, "", Path("x"), Finding(things, least_score, batch=2), "cpu")


def test_what_is_looked_for_and_how_sure() -> None:
    pictures = [np.zeros((20, 60, 3), np.uint8), np.zeros((40, 50, 3), np.uint8), np.zeros((10, 10, 3), np.uint8)]
    first, second, third = told()(pictures)
    assert first.names == second.names == third.names == ("zebra", "horse")
    np.testing.assert_allclose(first.boxes, [[8, 12, 12, 18], [4, 6, 16, 54]], atol=1e-5)
    np.testing.assert_allclose(second.boxes[1], [8, 5, 32, 45], atol=1e-5)
    assert told("all")(pictures)[0].names == ("person", "zebra", "horse")
    assert told("horse, person")(pictures)[0].names == ("person", "horse")
    assert told(least_score=0.6)(pictures)[0].names == ("zebra",)
    none = told("chair")(pictures)[0]
    assert (none.boxes.shape, none.names) == ((0, 4), ())
    edge = told("chair", least_score=0)(pictures[:1])[0].boxes
    assert [0.0, 0.0, 5.0, 30.0] in edge.tolist()  # cut off at the border of the picture


def test_wrong_folders_names_and_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = save_detector(tmp_path / "one")
    with pytest.raises(UnknownNameError, match="did you mean 'horse'"):
        Detector.of(folder, Finding("hrose"))
    with pytest.raises(InputError, match=r"holds no config\.json"):
        Detector.of(tmp_path, Finding())
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_queries": 20, "d_model": 32}))
    with pytest.raises(FormatError, match="one"):
        Detector.of(folder, Finding())
    (folder / "config.json").write_text(json.dumps({"model_type": "yolos"}))
    with pytest.raises(FormatError, match="is of a yolos; expected rt_detr or rt_detr_v2 or d_fine"):
        Detector.of(folder, Finding())
    for name in ("MASKWRIGHT_MODELS", "HOME", "HF_HUB_CACHE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    with pytest.raises(MissingWeightsError, match=r"dfine-small.*hf download"):
        Detector.of("dfine-small", Finding())


def test_weights_that_lack_tensors_are_not_made_up(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = save_detector(tmp_path / "one")
    tensors = load_file(folder / "model.safetensors")
    lost = sorted(tensors)[3]
    save_file(
        {key: each for key, each in tensors.items() if key != lost}, folder / "model.safetensors", {"format": "pt"}
    )
    with pytest.raises(FormatError, match="1 weights are missing"):
        load_pretrained(folder, KINDS)


def test_no_animal_among_the_classes(tmp_path: Path) -> None:
    folder = save_detector(tmp_path / "one")
    network = load_pretrained(folder, KINDS)
    assert network.labels == LABELS
    boats = dataclasses.replace(told(), labels=("boat", "car", "tree", "sky"))
    with pytest.raises(InputError, match="knows none of the animals"):
        boats([np.zeros((9, 9, 3), np.uint8)])
