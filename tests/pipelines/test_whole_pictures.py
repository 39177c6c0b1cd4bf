"""A model that has to see pictures as a whole does: without a window, and never with one that is too small."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from maskwright.cli.main import main
from maskwright.errors import InputError
from maskwright.io.images import read_image
from maskwright.io.masks import read_mask
from maskwright.methods.train_parts import TrainParts
from maskwright.pipelines.chains import Predicted, StoredModel, predicting_chain
from maskwright.pipelines.commands import predict
from maskwright.pipelines.explain import replay
from maskwright.pipelines.recipe import Predict
from maskwright.tiled import predict_mask
from maskwright.types import Image
from tests.training_scenes import make_samples

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of train_parts that has hardly learned."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("whole")
    method = TrainParts(side=48, width=4, steps=6, batch=2, device="cpu", precision="float32", split="none")
    method(make_samples(folder, 3)).save(folder / "model")
    return folder / "model"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A picture wider than the usual window."""
    (tmp_path / "pics").mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (60, 700, 3)).astype(np.uint8)
    Pillow.fromarray(pixels).save(tmp_path / "pics" / "wide.png")
    return tmp_path / "pics"


def test_without_a_window_the_picture_is_seen_as_a_whole(model: Path, pictures: Path, tmp_path: Path) -> None:
    assert main(["predict", str(model), str(pictures), "--out", str(tmp_path / "out"), "--quiet"]) == 0
    mask = read_mask(tmp_path / "out" / "wide.png")
    whole = predict_mask(StoredModel(model), read_image(pictures / "wide.png"), window=700, overlap=0)
    np.testing.assert_array_equal(mask.class_ids, whole.class_ids)
    told = json.loads((tmp_path / "out" / "wide.json").read_text())["steps"][-1]["settings"]
    assert told["window"] is None
    assert replay(tmp_path / "out" / "wide.png", tmp_path / "again").identical


def test_a_window_that_is_too_small_is_told_with_one_that_is_not(
    model: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Pillow.fromarray(np.zeros((60, 90, 3), np.uint8)).save(pictures / "narrow.png")
    code = main(["predict", str(model), str(pictures), "--out", str(tmp_path / "out"), "--window", "128"])
    assert code == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "windows of 128 px for a picture of 60 x 700 pixels; this model has to see a picture as a whole" in said
    assert "choose windows of at least 700 px" in said
    assert (tmp_path / "out" / "narrow.png").is_file() and not (tmp_path / "out" / "wide.png").exists()
    outcome = predict(model, pictures, out=tmp_path / "out", window=700, overlap=0)
    assert outcome.failed == ()


def test_other_models_keep_their_usual_window(pictures: Path) -> None:

    class Plain:
        class_names = ("", "a")

    told = {"path": "x", "sha256": "y"}
    assert predicting_chain(Plain(), told, Predict(), ()).labelers[0].settings["window"] == 512  # type: ignore[index]
    assert predicting_chain(Plain(), told, Predict(96), ()).labelers[0].settings["window"] == 96  # type: ignore[index]


def test_a_model_that_says_its_window_is_shown_that() -> None:
    class Small:
        class_names = ("", "a")
        window_px = 48

    told = {"path": "x", "sha256": "y"}

    def settings(predict: Predict) -> object:
        return predicting_chain(Small(), told, predict, ()).labelers[0].settings

    assert settings(Predict()) == {"window": 48, "overlap": 24, "batch": 1}
    assert settings(Predict(overlap=8)) == {"window": 48, "overlap": 8, "batch": 1}
    assert settings(Predict(96)) == {"window": 96, "overlap": 64, "batch": 1}


@pytest.mark.parametrize(("written", "own"), [({"window_px": 48}, 48), ({"window_px": None}, None), ({}, None)])
def test_a_stored_model_tells_its_window_without_its_weights(
    written: dict[str, int | None], own: int | None, tmp_path: Path
) -> None:
    (tmp_path / "model.json").write_text(json.dumps(written))
    assert StoredModel(tmp_path).window_px == own


class _Whole:
    """Sees whole pictures, and must not be asked."""

    class_names = ("", "a")
    sees_whole = True


def test_a_picture_too_large_to_hold_is_refused() -> None:
    pixels = np.broadcast_to(np.uint8(0), (20000, 20000, 3))
    with pytest.raises(InputError, match="expected at most 100 million pixels; make it smaller"):
        next(iter(Predicted(_Whole(), window=None).predict_pieces(Image(pixels), None, 64)))


def test_the_onnx_file_says_the_same(model: Path) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="the exported file is run by onnxruntime")
    from maskwright.models.weights import export_onnx, read_model

    path = export_onnx(model, window=160)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    pixels = np.random.default_rng(1).integers(0, 255, (2, 160, 160, 3)).astype(np.uint8)
    (said,) = session.run(None, {"pixels": pixels.transpose(0, 3, 1, 2).astype(np.float32)})
    expected = read_model(model, "cpu", precision="float32")(pixels)
    np.testing.assert_allclose(said, expected[:, list(read_model(model).record.class_ids)], atol=2e-4)
