"""Pose weights from the layouts they are published in, and refusals that name what is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from maskwright.errors import FormatError, InputError
from maskwright.models.hrnet import HRNetPose
from maskwright.models.pose_files import convert_pose_file, read_pose_file

WIDTH, JOINTS = 4, 17


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    torch.manual_seed(5)
    return {key: torch.rand_like(each) if each.is_floating_point() else each
            for key, each in HRNetPose(WIDTH, JOINTS).state_dict().items()}  # fmt: skip


def mmpose_old(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """As files before mmpose 1.0 look, after training on several devices, without counters, with an optimizer."""
    named = {re.sub(r"^head\.", "keypoint_head.", key): each for key, each in state.items()}
    named = {f"module.{key}": each for key, each in named.items() if "num_batches" not in key}
    return {"meta": {"epoch": 210}, "state_dict": named, "optimizer": {"state": {0: {"step": 3}}}}


def mmpose_new(state: Mapping[str, Tensor]) -> dict[str, Any]:
    names = {index: f"joint_{index}" for index in range(JOINTS)}
    extra = {"data_preprocessor.mean": torch.zeros(3, 1, 1), "data_preprocessor.std": torch.ones(3, 1, 1)}
    return {"meta": {"dataset_meta": {"keypoint_id2name": names}}, "state_dict": {**state, **extra}}


def deeplabcut(state: Mapping[str, Tensor]) -> dict[str, Any]:
    named = {re.sub(r"^backbone\.", "backbone.model.", key): each for key, each in state.items() if "head" not in key}
    head = "heads.bodypart.heatmap_head.deconv_layers.0"
    named |= {
        f"{head}.weight": state["head.final_layer.weight"].transpose(0, 1),
        f"{head}.bias": state["head.final_layer.bias"],
    }
    named["backbone.model.stage4.2.fuse_layers.1.0.0.0.weight"] = torch.zeros(2 * WIDTH, WIDTH, 3, 3)
    return {"model": named, "metadata": {"epoch": 200}}


def write(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


@pytest.mark.parametrize(
    ("make", "layout"), [(mmpose_old, "mmpose"), (mmpose_new, "mmpose"), (deeplabcut, "deeplabcut"), (dict, "mmpose")]
)
def test_every_layout_gives_the_same_tensors(tmp_path: Path, state: dict[str, Tensor], make: Any, layout: str) -> None:
    found = read_pose_file(write(tmp_path / "pose.pth", make(state)))
    assert (found.width, found.joints, found.layout) == (WIDTH, JOINTS, layout)
    assert set(found.state) == set(state)
    assert all(torch.equal(found.state[key], state[key]) for key in state)
    assert (found.names is None) == (make is not mmpose_new)
    assert found.network()(torch.zeros(1, 3, 32, 64)).shape == (1, JOINTS, 8, 16)


def test_a_head_in_a_row_of_layers_and_half_precision(tmp_path: Path, state: dict[str, Tensor]) -> None:
    row = {re.sub(r"^head\.final_layer\.", "keypoint_head.final_layer.0.", key): each.half() if each.is_floating_point()
           else each for key, each in state.items()}  # fmt: skip
    found = read_pose_file(write(tmp_path / "pose.pth", {"state_dict": row}))
    assert all(each.dtype in (torch.float32, torch.int64) for each in found.state.values())
    torch.testing.assert_close(found.state["head.final_layer.bias"], state["head.final_layer.bias"], atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda each: each.pop("backbone.layer1.2.bn3.bias"), "1 missing: backbone.layer1.2.bn3.bias"),
        (lambda each: each.update({"backbone.extra": torch.zeros(1)}), "1 unexpected: backbone.extra"),
        (
            lambda each: each.update({"backbone.conv1.weight": torch.zeros(64, 3, 7, 7)}),
            r"1 of another shape: backbone.conv1.weight \(64, 3, 7, 7\) instead of \(64, 3, 3, 3\)",
        ),
        (lambda each: each.pop("head.final_layer.weight"), "has no tensor head.final_layer.weight"),
        (lambda each: each.update({"head.final_layer.0.weight": torch.zeros(8, 4, 3, 3)}), "unexpected|shape"),
        (dict.clear, "no named tensors"),
    ],
)
def test_anything_else_is_refused_by_name(tmp_path: Path, state: dict[str, Tensor], change: Any, expected: str) -> None:
    changed = dict(state)
    change(changed)
    with pytest.raises(FormatError, match=expected) as caught:
        read_pose_file(write(tmp_path / "pose.pth", {"state_dict": changed}))
    assert "pose.pth" in str(caught.value)


def test_foreign_objects_are_refused_and_left_out_by_converting(tmp_path: Path, state: dict[str, Tensor]) -> None:
    content = {**mmpose_old(state), "meta": {"sigmas": np.ones(3), "path": Path("x"), "mean": np.float64(2.5)}}
    source = write(tmp_path / "pose.pth", content)
    with pytest.raises(FormatError, match=r"Python objects beside its tensors.*maskwright models convert"):
        read_pose_file(source)
    found = convert_pose_file(source, tmp_path / "pose")
    assert all(torch.equal(found.state[key], state[key]) for key in state)
    told = json.loads((tmp_path / "pose" / "model.json").read_text())
    assert (told["width"], told["joints"], told["source"]["file"]) == (WIDTH, JOINTS, "pose.pth")
    with pytest.raises(InputError, match="is there already"):
        convert_pose_file(source, tmp_path / "pose")


class Trap:
    """Reading it by ordinary means makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.mkdir, (self.path,)


@pytest.mark.parametrize("is_zip", [True, False])
def test_converting_runs_nothing_of_the_file(tmp_path: Path, state: dict[str, Tensor], is_zip: bool) -> None:
    source, sprung = tmp_path / "pose.pth", tmp_path / "sprung"
    torch.save({"meta": Trap(sprung), "state_dict": state}, source, _use_new_zipfile_serialization=is_zip)
    found = convert_pose_file(source, tmp_path / "pose")
    assert not sprung.exists()
    assert torch.equal(found.state["backbone.conv1.weight"], state["backbone.conv1.weight"])


def test_converted_weights_keep_layout_and_names_and_notice_changes(tmp_path: Path, state: dict[str, Tensor]) -> None:
    assert convert_pose_file(write(tmp_path / "a.pth", deeplabcut(state)), tmp_path / "a").layout == "deeplabcut"
    named = convert_pose_file(write(tmp_path / "b.pth", mmpose_new(state)), tmp_path / "b")
    assert named.names is not None
    assert named.names[3] == "joint_3"
    weights = tmp_path / "b" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    with pytest.raises(FormatError, match="sha256"):
        read_pose_file(tmp_path / "b")


def test_files_that_are_no_weights(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_pose_file(tmp_path / "none.pth")
    for name, content in (
        ("text.pth", b"hello, this is no file of weights"),
        ("empty.pth", b""),
        ("a.safetensors", b"x"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FormatError, match=name):
            read_pose_file(tmp_path / name)
        with pytest.raises(FormatError, match=name):
            convert_pose_file(tmp_path / name, tmp_path / "out")
    with pytest.raises(FormatError, match="no named tensors"):
        read_pose_file(write(tmp_path / "list.pth", [1, 2]))
    with pytest.raises(InputError, match="lacks"):
        read_pose_file(tmp_path)
