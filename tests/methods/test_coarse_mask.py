"""Coarse masks as labelers: the contract, the band, and by pieces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from maskwright.contracts import check_labeler
from maskwright.errors import InputError
from maskwright.methods.coarse_mask import CoarseMask
from maskwright.tiled import label_tiled
from maskwright.types import UNKNOWN, Grid, Hint, Image, Mask
from tests.scenes import CLASS_NAMES, noise, reef


def coarse_hint(image: Image) -> Sequence[Hint]:
    """Pixels of 5 m in longitude and latitude around the picture, half of them sand."""
    ids = np.array([[0, 1, 255, 1], [1, 0, 1, 0]], np.uint8)
    ids.flags.writeable = False
    grid = Grid(2, 4, (9e-5, 0.0, 52.5114, 0.0, -5e-5, 0.00819), "EPSG:4326")
    return (Mask(ids, CLASS_NAMES, grid),)


@pytest.mark.parametrize("method", [CoarseMask(), CoarseMask(gps_error_m=1.0), CoarseMask(border_px=2.5)])
def test_contract(method: CoarseMask) -> None:
    pytest.importorskip("pyproj")
    check_labeler(method, hints=lambda image: (Mask(np.array([[1]], np.uint8), CLASS_NAMES, image.grid.crop(
        image.grid.window) if image.grid.shape == (1, 1) else Grid(1, 1, (400.0, 0, 200.0, 0, -400.0, 1000.0),
        "EPSG:32740")),))  # fmt: skip


def test_a_coarse_map_of_the_reef_is_wrong_only_along_its_border() -> None:
    image, truth, _ = reef()
    ids = np.zeros((4, 12), np.uint8)
    ids[1:3, 8:11] = 1  # rows 5..14, columns 40..54 in pixels of 5
    mask = CoarseMask()(image, [Mask(ids, CLASS_NAMES)], CLASS_NAMES)
    np.testing.assert_array_equal(mask.class_ids, truth.class_ids)
    assert mask.confidence is None and mask.history[-1].settings == {"gps_error_m": 0.0, "border_px": 0.0}
    shifted = np.zeros((4, 12), np.uint8)
    shifted[1:3, 8:10] = 1  # one coarse pixel short
    banded = CoarseMask(border_px=5)(image, [Mask(shifted, CLASS_NAMES)], CLASS_NAMES)
    known = banded.class_ids != UNKNOWN
    np.testing.assert_array_equal(banded.class_ids[known], truth.class_ids[known])
    assert 0.5 < known.mean() < 0.9


def test_pieces_equal_the_whole_and_missing_data_is_unknown() -> None:
    image = noise(300, 700, nodata_fraction=0.1)
    random = np.random.default_rng(1)
    ids = random.integers(0, 2, (30, 70)).astype(np.uint8)
    hints = [Mask(ids, CLASS_NAMES, None, random.random((30, 70)).astype(np.float32))]  # type: ignore[arg-type]
    whole = CoarseMask(gps_error_m=1)(image, hints, CLASS_NAMES)
    tiled = label_tiled(CoarseMask(gps_error_m=1), image, hints, CLASS_NAMES, piece=90)
    np.testing.assert_array_equal(tiled.class_ids, whole.class_ids)
    np.testing.assert_array_equal(tiled.confidence, whole.confidence)
    assert (whole.class_ids[~np.asarray(image.valid)] == UNKNOWN).all()
    assert whole.confidence is not None and not whole.confidence[whole.class_ids == UNKNOWN].any()


def test_without_a_mask_there_is_nothing_to_lay_on() -> None:
    image, _, points = reef()
    with pytest.raises(InputError, match="no mask among the hints"):
        CoarseMask()(image, [points], CLASS_NAMES)
    with pytest.raises(InputError, match=r"border_px is -1; expected 0 or more"):
        CoarseMask(border_px=-1)
