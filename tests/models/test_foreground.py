"""Salient-object networks as ONNX: prepared and read as published, whatever their size and number of answers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper  # noqa: E402

from maskwright.errors import FormatError, InputError, MissingWeightsError  # noqa: E402
from maskwright.methods.foreground import Foreground  # noqa: E402
from maskwright.models.foreground import MEAN, STD, load_salient  # noqa: E402
from maskwright.types import Image, Keypoints  # noqa: E402

RED = (0.9, 0.1, 0.1)


def save_network(path: Path, *, side: int | str = 64, sigmoid: bool = False, answers: Sequence[float] = (0.0,)) -> Path:
    """Redness as a 1 x 1 convolution of the normalised picture: (red - green) * 20, plus an offset per answer."""
    weights = np.array([20 * STD[0], -20 * STD[1], 0], np.float32).reshape(1, 3, 1, 1)
    middle = 20 * (MEAN[0] - MEAN[1])
    nodes, outputs, values = [], [], [helper.make_tensor("w", TensorProto.FLOAT, weights.shape, weights.ravel())]
    for index, offset in enumerate(answers):
        values.append(helper.make_tensor(f"b{index}", TensorProto.FLOAT, [1], [middle - 8 + offset]))
        inner, outer = (f"logits{index}", f"out{index}") if sigmoid else (f"out{index}", "")
        nodes.append(helper.make_node("Conv", ["picture", "w", f"b{index}"], [inner]))
        if sigmoid:
            nodes.append(helper.make_node("Sigmoid", [inner], [outer]))
        outputs.append(helper.make_tensor_value_info(f"out{index}", TensorProto.FLOAT, [1, 1, side, side]))
    given = [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, side, side])]
    graph = helper.make_graph(nodes, "redness", given, outputs, values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(path))
    return path


def meadow() -> np.ndarray:
    """Two red things on green, 40 x 120."""
    pixels = np.full((40, 120, 3), (40, 140, 40), np.uint8)
    pixels[10:30, 10:50] = pixels[10:30, 70:110] = (220, 30, 30)
    return pixels


@pytest.mark.parametrize("sigmoid", [False, True])
@pytest.mark.parametrize("side", [64, "side"])
def test_what_is_red_is_found_with_logits_and_with_probabilities(
    tmp_path: Path, sigmoid: bool, side: int | str
) -> None:
    path = save_network(tmp_path / "u2net.onnx", side=side, sigmoid=sigmoid)
    network = load_salient(str(path), "cpu")
    assert network.side == (64 if side == 64 else 1024)
    scores = network(meadow())
    truth = meadow()[..., 0] > 100
    assert scores.dtype == np.float32
    assert ((scores > 0.5) != truth).mean() < 0.03
    assert scores[20, 30] == pytest.approx(1 / (1 + np.exp(-(20 * 190 / 255 - 8))), abs=2e-3)


def test_of_several_answers_of_one_size_the_first_counts(tmp_path: Path) -> None:
    path = save_network(tmp_path / "many.onnx", answers=(-100.0, 0.0, 100.0))
    assert load_salient(str(path), "cpu")(meadow()).max() < 0.01


def test_licences_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        load_salient(str(save_network(tmp_path / "RMBG-2.0.onnx")), "cpu")
        load_salient(str(save_network(tmp_path / "mine.onnx")), "cpu")
    assert "CC BY-NC 4.0" in caplog.text
    assert "not known to Maskwright" in caplog.text


def test_files_that_are_no_networks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingWeightsError, match="no such file"):
        load_salient(str(tmp_path / "none.onnx"))
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"this is no network")
    with pytest.raises(FormatError, match="no ONNX network"):
        load_salient(str(broken), "cpu")


def test_foreground_takes_all_or_what_touches_joints(tmp_path: Path) -> None:
    method = Foreground(model=str(save_network(tmp_path / "u2net.onnx")))
    both = method(Image(meadow()), [], ())
    assert both.class_ids[20, 30] == both.class_ids[20, 90] == 1
    assert both.history[0].weights == load_salient(method.model, "auto").sha256
    joints = Keypoints(("neck", "hip"), np.array([20.0, 20.0]), np.array([20.0, 40.0]), np.ones(2))
    one = method(Image(meadow()), [joints], ())
    assert one.class_ids[20, 30] == 1
    assert not one.class_ids[:, 60:].any()
    with pytest.raises(InputError, match="expected"):
        Foreground()(Image(meadow()), [], ())
