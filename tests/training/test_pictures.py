"""Labels of a picture of which several masks speak."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from maskwright.arrays.windows import Window
from maskwright.io.masks import write_mask
from maskwright.training.pictures import gather_pictures
from maskwright.types import UNKNOWN, Grid, Mask, Points
from tests.training_scenes import CLASS_NAMES, make_samples

SAID = [[1, 1, 1, UNKNOWN, 2], [1, 2, UNKNOWN, 2, 1], [1, 1, 2, UNKNOWN, 2]]
"""What three masks say of the first five pixels; of all others they say sand."""


@pytest.mark.parametrize(
    ("agreed", "expected"),
    [(False, [1, 1, 1, 2, 2]), (True, [1, UNKNOWN, UNKNOWN, 2, UNKNOWN])],
)
def test_of_several_masks_the_first_counts_or_those_that_agree(
    agreed: bool, expected: list[int], tmp_path: Path
) -> None:
    (sample,) = make_samples(tmp_path, 1)
    paths = []
    for number, row in enumerate(SAID):
        ids = np.full((48, 80), 2, np.uint8)
        ids[0, :5] = row
        paths.append(tmp_path / f"{number}" / "p0.png")
        sure = np.full(ids.shape, (1.0, 0.2, 0.4)[number], np.float32)
        write_mask(paths[-1], Mask(ids, CLASS_NAMES, Grid(48, 80), sure))
    point = Points(np.array([0.0]), np.array([1.0]), np.array([2], np.uint8))
    sample = replace(sample, mask_paths=tuple(paths))
    (picture,) = gather_pictures([sample], agreed=agreed).pictures
    class_ids, confidence = picture.labels(Window(0, 0, 1, 6))
    assert class_ids.tolist() == [[*expected, 2]]
    np.testing.assert_allclose(confidence[0, [0, 3, 5]], [1.0, 0.2, 1.0], atol=0.01)
    (picture,) = gather_pictures([replace(sample, hints=(point,))], agreed=agreed).pictures
    assert picture.labels(Window(0, 0, 1, 6))[0][0, 1] == 2, "somebody named this pixel"
