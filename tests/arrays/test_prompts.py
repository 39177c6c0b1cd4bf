"""What a region says: the published values to the last digit, and what the safe mode does better."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from maskwright.arrays.prompts import bounding_box, elastic_box, prompt_for, similarity, soft_mask, split_regions
from maskwright.arrays.windows import Window

SAND = 5


def ell() -> np.ndarray:
    region = np.zeros((12, 16), bool)
    region[2:10, 3:7] = region[7:10, 3:13] = True
    return region


def disc(centre: float, size: int = 64, radius: float = 20) -> np.ndarray:
    rows, cols = np.indices((size, size))
    return (rows - centre) ** 2 + (cols - centre) ** 2 <= radius**2


def test_the_published_prompts_of_an_ell() -> None:
    prompt = prompt_for(ell(), mode="legacy")
    assert prompt is not None
    assert (prompt.inside, prompt.outside, prompt.box) == ((7, 5), (2, 11), Window(2, 3, 10, 13))
    assert prompt.depth_px == pytest.approx(2.41421, abs=1e-5)
    assert prompt.clearance_px == 5
    assert prompt.weight[0, 0] == pytest.approx(0.8521, abs=5e-5)
    assert prompt.weight[1, 1] == pytest.approx(0.9864, abs=5e-5)
    assert prompt.weight[0, 4] == 0


def test_the_published_prompts_of_a_disc() -> None:
    region = disc(31)
    prompt = prompt_for(region, mode="legacy")
    assert prompt is not None
    assert region.sum() == 1257
    assert (prompt.inside, prompt.outside, prompt.box) == ((31, 31), (11, 11), Window(11, 11, 52, 52))
    assert prompt.depth_px == pytest.approx(20.4142, abs=1e-4)
    assert prompt.weight[20, 0] == pytest.approx(0.30137, abs=1e-5)


@pytest.mark.parametrize("region", [np.zeros((5, 9), bool), np.ones((5, 9), bool)], ids=["empty", "full"])
def test_nothing_to_say(region: np.ndarray) -> None:
    assert prompt_for(region) is None
    prompt = prompt_for(region, mode="legacy")
    assert prompt is not None
    assert (prompt.inside, prompt.outside) == ((0, 0), (0, 0))
    assert prompt.depth_px == (np.float32(1e10) if region.all() else 0)


@pytest.mark.parametrize(
    ("name", "inside", "deepest", "outside", "clearance", "size"),
    [
        ("stleu", (1044, 764), 363.6886, (0, 88), 214.0, (1295, 765)),
        ("troudeau", (0, 779), 485.5292, (705, 186), 94.8529, (707, 1198)),
    ],
)
def test_the_published_prompts_of_two_real_reefs(
    shared_data: Path,
    name: str,
    inside: tuple[int, int],
    deepest: float,
    outside: tuple[int, int],
    clearance: float,
    size: tuple[int, int],
) -> None:
    from PIL import Image

    with Image.open(shared_data / "reef" / f"annotation_mask_{name}.png") as picture:
        sand = np.asarray(picture) == SAND
    legacy = prompt_for(sand, mode="legacy")
    assert legacy is not None
    assert (legacy.inside, legacy.outside, legacy.box) == (inside, outside, Window(0, 0, *size))
    assert legacy.depth_px == pytest.approx(deepest, abs=1e-4)
    assert legacy.clearance_px == pytest.approx(clearance, abs=1e-4)
    safe = prompt_for(sand)
    assert safe is not None
    row, col = safe.inside
    assert min(row, col, size[0] - 1 - row, size[1] - 1 - col) > 100, "the edge is outside, so the point leaves it"
    assert sand[safe.inside]
    assert safe.outside is not None
    assert not sand[safe.outside]


def test_the_edge_counts_as_outside() -> None:
    region = np.zeros((20, 20), bool)
    region[:, :6] = True
    legacy, safe = prompt_for(region, mode="legacy"), prompt_for(region)
    assert legacy is not None
    assert safe is not None
    assert (legacy.inside, legacy.depth_px) == ((0, 0), 6)
    assert (safe.inside, safe.depth_px) == ((2, 2), 3)
    assert safe.outside is None, "its box holds nothing but itself"


def test_the_outside_point_keeps_off_the_other_parts() -> None:
    whole = np.zeros((12, 30), bool)
    whole[2:10, 3:5] = whole[8:10, 3:27] = True
    other = np.zeros_like(whole)
    other[1:6, 8:29] = True
    free, kept = prompt_for(whole), prompt_for(whole, foreground=other)
    assert free is not None
    assert kept is not None
    assert free.outside is not None
    assert kept.outside is not None
    assert other[free.outside]
    assert not (whole | other)[kept.outside]


def test_colour_makes_a_stripe_shallow() -> None:
    region = np.zeros((15, 41), bool)
    region[1:14, 1:40] = True
    pixels = np.zeros((15, 41, 3), np.float32)
    pixels[:, 30:] = 100
    plain, by_colour = prompt_for(region), prompt_for(region, pixels=pixels, colour_weight=0.5)
    assert plain is not None
    assert by_colour is not None
    assert by_colour.depth_px == plain.depth_px / 2, "no way to the outside crosses the stripe's edge"
    pixels[:, :] = 0
    pixels[5:10, 20:25] = 100
    island = prompt_for(region, pixels=pixels, colour_weight=0.5)
    assert island is not None
    assert 5 <= island.inside[0] < 10
    assert 20 <= island.inside[1] < 25


@settings(max_examples=40, deadline=None)
@given(arrays(bool, (7, 11)))
def test_points_lie_where_they_say(region: np.ndarray) -> None:
    prompt = prompt_for(region)
    if prompt is None:
        assert not region.any() or region.all()
        return
    assert region[prompt.inside]
    far = ndimage.distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
    assert far[prompt.inside] <= prompt.depth_px + 1e-5 <= 1.0824 * far[prompt.inside] + 1e-4
    assert ((prompt.weight > 0) == region[prompt.box.slices]).all()
    assert prompt.weight.max() == 1
    if prompt.outside is None:
        assert region[prompt.box.slices].all()
    else:
        assert not region[prompt.outside]
        top, left, bottom, right = prompt.box
        assert top <= prompt.outside[0] < bottom
        assert left <= prompt.outside[1] < right


def test_a_soft_mask_is_what_torch_makes_of_it() -> None:
    torch = pytest.importorskip("torch")
    region = np.zeros((30, 50), bool)
    region[5:25, 10:45] = True
    prompt = prompt_for(region)
    assert prompt is not None
    mine = soft_mask(region, prompt, strength=7, resized=(77, 128), canvas=128, size=32)
    weight = np.zeros(region.shape, np.float32)
    weight[prompt.box.slices] = prompt.weight

    def resize(values: np.ndarray, beyond: float) -> np.ndarray:
        tensor = torch.from_numpy(values)[None, None]
        tensor = torch.nn.functional.interpolate(tensor, (77, 128), mode="bilinear")
        tensor = torch.nn.functional.pad(tensor, (0, 0, 0, 51), value=beyond)
        return torch.nn.functional.interpolate(tensor, (32, 32), mode="bilinear")[0, 0].numpy()

    sign = resize(np.where(region, np.float32(1), np.float32(-1)), -1)
    soft = resize(weight, 0)
    theirs = np.where(sign > 0, 7, -7) * np.where(soft <= 0, 1, soft)
    assert np.abs(mine - theirs).max() < 1e-4
    assert (mine[20:] == -7).all()


def test_parts_are_split_and_merged() -> None:
    region = np.zeros((20, 60), bool)
    region[2:8, 2:8] = region[2:8, 9:15] = True  # two halves of one thing
    region[12:18, 40:50] = True  # another thing
    region[0, 58:] = True  # a speck
    labels, count = split_regions(region)
    assert count == 2
    assert (labels[2:8, 2:8] == 0).all()
    assert (labels[2:8, 9:15] == 0).all()
    assert (labels[12:18, 40:50] == 1).all()
    assert (labels[0, 58:] == -1).all()
    assert ((labels >= 0) <= region).all()
    assert split_regions(region, min_area_px=1)[1] == 3
    assert split_regions(np.zeros((3, 7), bool)) == (pytest.approx(-1), 0)


def test_three_parts_become_one_step_by_step() -> None:
    region = np.zeros((6, 40), bool)
    region[:, 0:10] = region[:, 11:21] = region[:, 22:32] = True
    assert split_regions(region)[1] == 1


def test_similarity_is_the_cosine_of_upsampled_features() -> None:
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(0)
    features = random.normal(size=(6, 4, 5)).astype(np.float32)
    region = np.zeros((24, 40), bool)
    region[3:9, 5:20] = True
    up = torch.nn.functional.interpolate(torch.from_numpy(features)[None], (24, 40), mode="bilinear")[0]
    mean = up[:, torch.from_numpy(region)].mean(1)
    expected = torch.nn.functional.cosine_similarity(up, mean[:, None, None], dim=0).numpy()
    assert np.abs(similarity(features, region) - expected).max() < 1e-4


def test_only_sides_with_likeness_behind_them_move() -> None:
    similar = np.zeros((40, 80), bool)
    similar[10:30, 20:70] = True
    assert elastic_box(Window(10, 20, 30, 60), similar, 0.5) == Window(10, 20, 30, 64)
    assert elastic_box(Window(0, 0, 40, 80), similar, 0.0) == Window(0, 0, 40, 80)


def test_the_box_of_nothing_is_empty() -> None:
    assert bounding_box(np.zeros((3, 5), bool)) == Window(0, 0, 0, 0)
