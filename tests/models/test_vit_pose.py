"""ViTPose through transformers: tiny ones with random weights, and the trap of heads that are not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from maskwright.errors import FormatError, InputError
from maskwright.models.pose import PoseEstimator, TopDown
from maskwright.models.pose_networks import open_pose_network
from maskwright.models.quiet import quiet

transformers = pytest.importorskip("transformers")

COCO = ["Nose", "L_Eye", "R_Eye", "L_Ear", "R_Ear", "L_Shoulder", "R_Shoulder", "L_Elbow", "R_Elbow", "L_Wrist",
        "R_Wrist", "L_Hip", "R_Hip", "L_Knee", "R_Knee", "L_Ankle", "R_Ankle"]  # fmt: skip


def save(folder: Path, labels: list[str], experts: int = 1) -> Path:
    torch.manual_seed(3)
    backbone = transformers.VitPoseBackboneConfig(
        image_size=[64, 48], patch_size=[16, 16], hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        num_experts=experts, part_features=8, out_indices=[1],
    )  # fmt: skip
    names = dict(enumerate(labels))
    config = transformers.VitPoseConfig(backbone_config=backbone, id2label=names, label2id={})
    with quiet():
        transformers.VitPoseForPoseEstimation(config).save_pretrained(folder)
    return folder


def test_heatmaps_and_joints(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    found = open_pose_network(save(tmp_path / "vit", COCO))
    assert (found.vocabulary.name, found.size, found.unbiased, found.refine) == ("human17", (64, 48), True, "dark")
    rng = np.random.default_rng(2)
    picture = rng.integers(0, 255, (40, 90, 3), np.uint8)
    (joints,) = PoseEstimator(found, TopDown(), "cpu")([picture], [(5.0, 10.0, 35.0, 80.0)])
    assert joints.names[:2] == ("nose", "left_eye")
    assert len(joints.rows) == 17
    straight = PoseEstimator(found, TopDown(flip=False), "cpu")._ask(np.zeros((2, 64, 48, 3), np.uint8))
    assert straight.shape == (2, 17, 16, 12)
    torch.set_num_threads(before)


@pytest.mark.parametrize(("labels", "experts"), [(COCO, 6), (COCO, 1), ([f"LABEL_{n}" for n in range(17)], 6)])
def test_a_head_for_people_gives_no_joints_of_animals(tmp_path: Path, labels: list[str], experts: int) -> None:
    folder = save(tmp_path / "vitpose-plus", labels, experts)
    with pytest.raises(InputError, match=r"only the head for people.*HRNet"):
        open_pose_network(folder, "ap10k")
    assert open_pose_network(folder, "human17").vocabulary.name == "human17"
    if experts > 1:
        pixels = torch.zeros(1, 3, 64, 48)
        with torch.inference_mode():
            assert open_pose_network(folder, "human17").module(pixels).shape == (1, 17, 16, 12)


def test_channels_without_names_need_a_vocabulary_that_fits(tmp_path: Path) -> None:
    folder = save(tmp_path / "vit", [f"LABEL_{n}" for n in range(17)])
    assert open_pose_network(folder, "ap10k").vocabulary.name == "ap10k"
    with pytest.raises(InputError, match="ap10k or human17"):
        open_pose_network(folder)
    with pytest.raises(InputError, match="17 channels, the vocabulary superanimal 39"):
        open_pose_network(folder, "superanimal")
    own = open_pose_network(save(tmp_path / "own", ["left_wing", "right_wing", "beak"])).vocabulary
    assert (own.names, own.partners) == (("left_wing", "right_wing", "beak"), (1, 0, 2))


@pytest.mark.parametrize("content", ['{"model_type": "bert"}', "[]"])
def test_other_folders_are_refused(tmp_path: Path, content: Any) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(FormatError, match="expected vitpose"):
        open_pose_network(tmp_path)
