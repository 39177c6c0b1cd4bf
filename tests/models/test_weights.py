"""Model folders: written, read, verified, exported; segmenters that keep their promises."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from maskwright.contracts import check_segmenter
from maskwright.errors import FormatError, InputError, MissingPartError
from maskwright.models.networks import new_network
from maskwright.models.weights import (
    ModelRecord,
    TrainedSegmenter,
    export_onnx,
    read_model,
    read_record,
    write_model,
)

Make = Callable[..., Path]
NAMES = ("", "coral", "", "sand")


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A model folder with random weights; its normalisations have seen something, so that folding them shows."""

    def made(kind: str = "unet", bands: int = 3, name: str = "model", **more: object) -> Path:
        torch.manual_seed(0)
        backbone = new_network(kind, bands, 2, **({"width": 8} if kind == "unet" else {}), **more)  # type: ignore[arg-type]
        with torch.no_grad():
            backbone.network.train()(torch.randn(2, bands, 64, 64))
        record = ModelRecord(
            backbone.architecture, NAMES, (100.0,) * bands, (40.0,) * bands, 0.01,
            training={"method": "by hand", "steps": 7, "history": [{"step": 7, "loss": 0.5}]},
            scores={"mean_iou": 0.7, "iou": {"coral": 0.6, "sand": 0.8}},
        )  # fmt: skip
        write_model(tmp_path / name, record, backbone.network.state_dict())
        return tmp_path / name

    return made


def _pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_segmenter_keeps_the_promises_of_segmenters(make: Make, precision: str) -> None:
    check_segmenter(read_model(make(), "cpu", precision=precision))  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "more"), [("segformer", {"backbone": "tiny"}), ("smp", {"backbone": "resnet18"})])
def test_other_networks_are_rebuilt_from_their_record(make: Make, kind: str, more: dict[str, str]) -> None:
    folder = make(kind, **more)
    model = read_model(folder, "cpu", precision="float32")
    scores = model(_pixels(2, 40, 50, 3))
    assert scores.shape == (2, 4, 40, 50) and not scores[:, [0, 2]].any()
    assert np.allclose(scores.sum(axis=1), 1, atol=1e-5)
    assert np.array_equal(scores, read_model(folder, "cpu", precision="float32")(_pixels(2, 40, 50, 3)))


def test_any_size_of_picture_will_do(make: Make) -> None:
    model = read_model(make(), "cpu", precision="float32")
    for height, width in ((1, 1), (1, 9), (17, 33), (64, 20)):
        assert model(_pixels(1, height, width, 3)).shape == (1, 4, height, width)


def test_bands_of_any_number_and_kind(make: Make) -> None:
    model = read_model(make(bands=5), "cpu", precision="float32")
    floats = np.random.default_rng(0).normal(100, 40, (1, 16, 20, 5)).astype(np.float32)
    floats[0, 3, 4] = np.nan
    assert np.isfinite(model(floats)).all()
    assert (
        np.isfinite(model(floats.astype(np.float64))).all()
        and np.isfinite(model(_pixels(1, 9, 9, 5).astype("u2"))).all()
    )
    with pytest.raises(InputError, match="have 3 bands; the model was trained on 5"):
        model(_pixels(1, 16, 16, 3))


def test_grey_is_a_colour_whose_bands_are_equal(make: Make) -> None:
    model, grey = read_model(make(), "cpu", precision="float32"), _pixels(1, 16, 20, 1)
    assert np.array_equal(model(grey), model(grey.repeat(3, axis=3)))


def test_half_precision_says_nearly_the_same(make: Make) -> None:
    folder, pixels = make(), _pixels(1, 64, 96, 3)
    full, half = (read_model(folder, "cpu", precision=each)(pixels) for each in ("float32", "bfloat16"))  # type: ignore[arg-type]
    assert 0 < np.abs(full - half).max() < 0.05


def test_precision_says_what_auto_came_to(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    model = read_model(make(), "cpu")
    monkeypatch.setattr("maskwright.models.processors.has_bfloat16", lambda device: True)
    assert model.precision == "bfloat16"
    monkeypatch.setattr("maskwright.models.processors.has_bfloat16", lambda device: False)
    assert model.precision == "float32"


def test_a_stored_model_travels_as_its_path(make: Make) -> None:
    model = read_model(make(), "cpu", precision="float32")
    pixels = _pixels(1, 16, 32, 3)
    before = model(pixels)
    packed = pickle.dumps(model)
    assert len(packed) < 500
    assert np.array_equal(pickle.loads(packed)(pixels), before)


def test_one_that_was_never_saved_travels_with_its_weights(make: Make) -> None:
    stored = read_model(make(), "cpu", precision="float32")
    model = TrainedSegmenter(stored.record, stored.state, device="cpu", precision="float32")
    pixels = _pixels(1, 16, 32, 3)
    assert np.array_equal(pickle.loads(pickle.dumps(model))(pixels), stored(pixels))


def test_written_twice_gives_the_same_bytes(make: Make, tmp_path: Path) -> None:
    first = make(name="first")
    read_model(first).save(tmp_path / "second")
    for name in ("model.safetensors", "model.json", "README.md"):
        assert (first / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_the_record_comes_back(make: Make) -> None:
    record = read_record(make())
    assert record.class_names == NAMES and record.class_ids == (1, 3) and record.bands == 3
    assert (record.pixel_m, record.scores["mean_iou"]) == (0.01, 0.7)


def test_changed_weights_are_refused(make: Make) -> None:
    folder = make()
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(FormatError, match=r"its sha256 is .* expects"):
        read_model(folder)(_pixels(1, 16, 16, 3))


def test_records_of_other_versions_or_shapes_are_refused(make: Make) -> None:
    folder = make()
    told = json.loads((folder / "model.json").read_text())
    for change, message in (
        ({"format": 99}, "format 99; expected 1"),
        ({"std": [0.0, 1.0, 1.0]}, "std above 0"),
        ({"class_names": ["", ""]}, "name no class"),
    ):
        (folder / "model.json").write_text(json.dumps({**told, **change}))
        with pytest.raises(FormatError, match=message):
            read_model(folder)
    (folder / "model.json").write_text(json.dumps({**told, "architecture": {**told["architecture"], "width": 4}}))
    with pytest.raises(FormatError, match="do not fit"):
        read_model(folder)(_pixels(1, 16, 16, 3))


def test_folders_that_hold_no_model(tmp_path: Path, make: Make) -> None:
    with pytest.raises(InputError, match=r"holds no model\.json"):
        read_model(tmp_path)
    folder = make()
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"model\.safetensors: is not there"):
        read_model(folder)
    with pytest.raises(MissingPartError, match="no device is called 'gpu'"):
        read_model(make(), "gpu")


def test_the_card_says_what_is_in_the_record_and_no_more(make: Make) -> None:
    card = (make() / "README.md").read_text()
    for words in (
        "| mean_iou | 0.7 |",
        "iou of coral | 0.6",
        "1 coral, 3 sand",
        "random weights",
        "kind unet",
        "0.01 m",
    ):
        assert words in card
    assert "license" not in card


def test_the_card_warns_of_a_licence_and_of_missing_scores(tmp_path: Path) -> None:
    made = new_network("unet", 3, 1, width=4)
    record = ModelRecord(made.architecture, ("a",), (0.0,) * 3, (1.0,) * 3, licence="non-commercial", origin="mit-b0")
    write_model(tmp_path, record, made.network.state_dict())
    card = (tmp_path / "README.md").read_text()
    assert "license: other" in card and "non-commercial" in card and "None: nothing was held out." in card


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("unet", {}),
        ("unet", {"light": "both"}),
        ("segformer", {"backbone": "tiny", "light": "relative"}),
        ("segformer", {"backbone": "tiny"}),
        ("smp", {"backbone": "resnet18"}),
    ],
)
def test_onnx_says_the_same(make: Make, kind: str, more: dict[str, str]) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    folder = make(kind, **more)
    path = export_onnx(folder, window=64)
    pixels = _pixels(2, 64, 64, 3)
    session = onnxruntime.InferenceSession(str(path))
    (scores,) = session.run(None, {"pixels": pixels.transpose(0, 3, 1, 2).astype(np.float32)})
    ours = read_model(folder, "cpu", precision="float32")(pixels)[:, [1, 3]]
    assert np.abs(scores - ours).max() < 1e-4
