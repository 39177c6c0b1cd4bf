"""Joints in boxes, by a stand-in whose joints are colours, and by small networks with random weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from maskwright.errors import InputError, MissingPartError, MissingWeightsError
from maskwright.models.hrnet import HRNetPose
from maskwright.models.pose import MEAN, STD, PoseEstimator, TopDown
from maskwright.models.pose_networks import PoseNetwork, open_pose_network
from maskwright.models.vocabularies import Vocabulary, find_vocabulary

COLOURS = ("red_blob", "green_blob", "blue_blob")
PLACES = [(40, 61), (70, 120), (52, 148)]  # row and column of each blob in a picture of 120 x 200
BOX = (20.0, 30.0, 100.0, 170.0)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Colours(nn.Module):
    """A pose network in one line: each joint's heat-map is a colour, sampled at every fourth pixel."""

    def __init__(self, step: int = 4, first: int = 0) -> None:
        super().__init__()
        self.step, self.first = step, first
        self.seen: list[Tensor] = []

    def forward(self, pixels: Tensor) -> Tensor:
        self.seen.append(pixels)
        shown = pixels * torch.tensor(STD)[:, None, None] + torch.tensor(MEAN)[:, None, None]
        return (shown / 255)[:, :, self.first :: self.step, self.first :: self.step]


def network(module: nn.Module, names: tuple[str, ...] = COLOURS, **more: Any) -> PoseNetwork:
    return PoseNetwork(module, Vocabulary("test", names), (256, 256), "0" * 64, Path("test.pth"), **more)


def blobs(places: list[tuple[int, int]] = PLACES) -> NDArray[np.uint8]:
    rows, cols = np.mgrid[:120, :200]
    return np.stack(
        [255 * np.exp(-((rows - r) ** 2 + (cols - c) ** 2) / (2 * 4.0**2)) for r, c in places], axis=2
    ).astype(np.uint8)


def distance(found: Any, places: list[tuple[int, int]] = PLACES) -> float:
    return float(np.hypot(*(np.array([found.rows, found.cols]) - np.array(places).T)).max())


@pytest.mark.parametrize("context", [True, False])
@pytest.mark.parametrize("flip", [True, False])
@pytest.mark.parametrize("refine", ["quarter", "dark"])
def test_joints_come_back_where_they_are(context: bool, flip: bool, refine: Any) -> None:
    how = TopDown(context=context, flip=flip, refine=refine)
    (found,) = PoseEstimator(network(Colours()), how, "cpu")([blobs()], [BOX])
    assert found.names == COLOURS
    assert distance(found) < 1.0  # a heat-map pixel is 2.7 picture pixels here
    assert found.scores.min() > 0.8


def test_networks_that_count_otherwise_are_read_as_they_count() -> None:
    half = network(Colours(first=2), offset=0.5)
    (found,) = PoseEstimator(half, TopDown(flip=False, refine="dark"), "cpu")([blobs()], [BOX])
    assert distance(found) < 0.2
    steps = network(Colours(step=5), unbiased=True)  # 52 samples from pixel 0 to pixel 255
    (found,) = PoseEstimator(steps, TopDown(refine="dark"), "cpu")([blobs()], [BOX])
    assert distance(found) < 0.2


def test_context_shows_what_lies_around_the_box() -> None:
    for context, expected in ((True, 1), (False, 0)):
        module = Colours()
        bright = np.full((120, 200, 3), 255, np.uint8)
        PoseEstimator(network(module), TopDown(context=context, flip=False), "cpu")(
            [bright], [(40.0, 60.0, 80.0, 140.0)]
        )
        above = module.seen[0][0, :, 20, 128] * torch.tensor(STD) + torch.tensor(MEAN)  # crop row 20: above the box
        torch.testing.assert_close(above / 255, torch.full((3,), float(expected)), atol=1e-4, rtol=0)


def test_joints_do_not_leave_the_picture_or_the_box_cut_out() -> None:
    picture = blobs([(0, 0), (119, 199), (5, 100)])
    (found,) = PoseEstimator(network(Colours()), TopDown(), "cpu")([picture], [(0.0, 0.0, 120.0, 200.0)])
    assert found.rows.min() >= 0
    assert found.rows.max() <= 119
    assert found.cols.max() <= 199


def test_swapped_colours_swap_red_and_blue() -> None:
    (found,) = PoseEstimator(network(Colours()), TopDown(swap_colours=True), "cpu")([blobs()], [BOX])
    assert distance(found, PLACES[::-1]) < 1.0


class Sides(nn.Module):
    """Two equal blobs; the one further left in the crop is the animal's left one."""

    def forward(self, pixels: Tensor) -> Tensor:
        shown = Colours()(pixels)[:, :1]
        slope = torch.linspace(1, 0.2, shown.shape[-1])
        return torch.cat([shown * slope, shown * slope.flip(0)], dim=1)


def test_mirrored_answers_are_averaged_with_the_right_partner() -> None:
    picture = np.repeat(blobs([(60, 70), (60, 70), (60, 70)]).max(axis=2, keepdims=True), 3, axis=2)
    picture = np.maximum(picture, picture[:, ::-1])  # blobs at columns 70 and 129
    sides = {}
    for names in (("left_eye", "right_eye"), ("one", "two")):
        (sides[names[0]],) = PoseEstimator(network(Sides(), names), TopDown(), "cpu")([picture], [BOX])
    right, wrong = sides["left_eye"], sides["one"]
    assert right.cols[0] == pytest.approx(70, abs=2)
    assert right.cols[1] == pytest.approx(129, abs=2)
    assert right.scores.min() > wrong.scores.max() + 0.05


class Numbers(nn.Module):
    """Heat-map k of 39 is k everywhere."""

    def forward(self, pixels: Tensor) -> Tensor:
        return torch.arange(39.0)[:, None, None].expand(len(pixels), 39, 64, 64)


@pytest.mark.parametrize(("mirror", "index", "expected"), [("by_name", 20, 20), ("as_released", 20, 20.5)])
def test_the_released_mirror_list_is_a_switch(mirror: Any, index: int, expected: float, tmp_path: Path) -> None:
    quadruped = find_vocabulary("superanimal")
    asked = PoseEstimator(network(Numbers(), quadruped.names), TopDown(mirror=mirror), "cpu")
    heatmaps = asked._heatmaps(np.zeros((2, 256, 256, 3), np.uint8))
    assert heatmaps[1, index, 5, 5] == expected
    assert heatmaps[1, 5, 5, 5] == 7.5  # right and left eye, in both lists
    path = tmp_path / "ap10k.pth"
    torch.save({"state_dict": small().state_dict()}, path)
    assert PoseEstimator.of(path, TopDown(mirror=mirror), device="cpu").how.mirror == "by_name"


def small(joints: int = 17) -> HRNetPose:
    torch.manual_seed(11)
    made = HRNetPose(4, joints)
    for each in made.parameters():
        nn.init.normal_(each, std=0.2)
    return made.eval()


def test_batched_equals_one_by_one() -> None:
    rng = np.random.default_rng(4)
    pictures = [rng.integers(0, 255, (60, 90, 3), np.uint8) for _ in range(5)]
    boxes = [(0.0, 5.0 * n, 60.0, 60.0 + 5 * n) for n in range(5)]
    names = tuple(f"joint_{n}" for n in range(17))
    asked = dataclasses.replace(network(small(), names), size=(64, 64))
    many = PoseEstimator(asked, TopDown(batch=4), "cpu")(pictures, boxes)
    for picture, box, found in zip(pictures, boxes, many, strict=True):
        (alone,) = PoseEstimator(asked, TopDown(batch=1), "cpu")([picture], [box])
        np.testing.assert_allclose(found.rows, alone.rows, atol=1e-3)
        np.testing.assert_allclose(found.cols, alone.cols, atol=1e-3)
        np.testing.assert_allclose(found.scores, alone.scores, rtol=1e-3, atol=1e-5)


def test_boxes_of_one_pixel_work_and_those_outside_are_refused() -> None:
    ask = PoseEstimator(network(Colours()), TopDown(), "cpu")
    (found,) = ask([blobs()], [(40.0, 61.0, 41.0, 62.0)])
    assert found.rows[0] == pytest.approx(40, abs=1)
    with pytest.raises(InputError, match="holds no pixel of 120 x 200"):
        ask([blobs()], [(130.0, 0.0, 140.0, 9.0)])
    (dark,) = ask([np.zeros((30, 50, 3), np.uint8)], [(0.0, 0.0, 30.0, 50.0)])
    assert np.isnan(dark.rows).all()
    assert dark.scores.tolist() == [0, 0, 0]
    assert ask([], []) == []


def test_published_files_say_size_and_offset(tmp_path: Path) -> None:
    path = tmp_path / "hrnet_w4_coco_128x96-1234abcd_20200101.pth"
    torch.save({"state_dict": small().state_dict()}, path)
    found = open_pose_network(path)
    assert (found.vocabulary.name, found.size, found.offset, found.unbiased) == ("human17", (128, 96), 0, False)
    assert open_pose_network(path, "ap10k").vocabulary.name == "ap10k"


def test_missing_weights_and_devices_say_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("MASKWRIGHT_MODELS", "HOME", "HF_HUB_CACHE"):
        monkeypatch.setenv(name, str(tmp_path))
    with pytest.raises(MissingWeightsError, match=r"hrnet_w48_ap10k_256x256-d95ab412_20211029\.pth.*licence Apache"):
        PoseEstimator.of("hrnet-w48-ap10k", TopDown())
    with pytest.raises(MissingPartError, match="cuda:99"):
        PoseEstimator.of("hrnet-w48-ap10k", TopDown(), device="cuda:99")
    with pytest.raises(InputError, match="padding"):
        TopDown(padding=0)
