"""How firmly pixels have their part: fine cells and coarse ones agree, mirrored animals are mirrored to the bit."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from maskwright.anatomy.outlines import cropped
from maskwright.anatomy.seeds import PartSeeds, part_seeds
from maskwright.anatomy.stability import stability
from tests.anatomy_scenes import horse, quadruped


def _seeds(spacing: float = 10.0) -> tuple[PartSeeds, np.ndarray[tuple[int, int], np.dtype[np.bool_]]]:
    region, animal = horse()
    return part_seeds(animal, cropped(region), quadruped(), visible=0.5, spacing=spacing, derive=False), region


def test_coarse_cells_agree_with_single_pixels() -> None:
    seeds, region = _seeds()
    outline = cropped(region)
    coarse = stability(seeds, outline, snap=30)
    fine = stability(seeds, outline, snap=30, cells=1000)
    inside = outline.pixels
    assert np.abs(coarse.firmness - fine.firmness)[inside].mean() < 0.07
    for joint, share in fine.shares.items():
        assert coarse.shares[joint] == pytest.approx(share, abs=0.05), joint
    assert coarse.shares["tail_end"] == max(coarse.shares.values()) > 0.05
    assert coarse.shares["right_eye"] < 0.01


@pytest.mark.parametrize("more", [0, 1, 2, 3])
def test_a_mirrored_animal_is_as_firm(more: int) -> None:
    seeds, region = _seeds()
    region = np.pad(region, ((0, 0), (0, 0)))
    region[100, 398 - more : 400] = True  # windows of odd and even widths
    width = region.shape[1]
    there = stability(seeds, cropped(region), snap=30).firmness
    flipped = dataclasses.replace(seeds, cols=width - 1 - seeds.cols)
    back = stability(flipped, cropped(np.ascontiguousarray(region[:, ::-1])), snap=30).firmness
    np.testing.assert_array_equal(there, back[:, ::-1])


def test_a_part_with_one_joint_is_not_firm_and_one_with_many_is() -> None:
    seeds, region = _seeds()
    outline = cropped(region)
    firm = stability(seeds, outline, snap=30).firmness
    at = outline.window
    assert firm[200 - at.top, 40 - at.left] < 0.05, "the tail hangs on its end alone"
    assert firm[140 - at.top, 190 - at.left] > 0.4, "the trunk has many joints"
