"""RandomWalk follows colours, ignores bit depth, and says unknown where no walk arrives."""

from __future__ import annotations

import numpy as np
import pytest

from maskwright.errors import InputError
from maskwright.methods.random_walk import RandomWalk
from maskwright.types import UNKNOWN, Image, Points

NAMES = ("", "coral", "", "sand")


def points(*places: tuple[float, float, int]) -> Points:
    rows, cols, ids = zip(*places, strict=True)
    return Points(np.array(rows, float), np.array(cols, float), np.array(ids, np.uint8))


def reef() -> np.ndarray:
    """Bright left of column 45, dark right of it, with a little noise."""
    pixels = np.random.default_rng(0).integers(0, 6, (20, 60, 3)).astype(np.uint8) + np.uint8(40)
    pixels[:, :45] += np.uint8(160)
    return pixels


HINT = points((5, 9, 1), (15, 50, 3))


def test_classes_end_where_the_colour_ends() -> None:
    mask = RandomWalk()(Image(reef()), [HINT], NAMES)
    assert (mask.class_ids[:, :45] == 1).all()
    assert (mask.class_ids[:, 45:] == 3).all()
    assert mask.confidence is not None
    assert mask.confidence[5, 9] == 1
    assert mask.confidence.min() > 0.5
    assert mask.history[0].settings == {"beta": 130.0, "tolerance": 1e-3}


def test_bit_depth_does_not_matter() -> None:
    a = RandomWalk()(Image(reef()), [HINT], NAMES)
    b = RandomWalk()(Image(reef().astype(np.uint16) * np.uint16(257)), [HINT], NAMES)
    np.testing.assert_array_equal(a.class_ids, b.class_ids)
    np.testing.assert_allclose(a.confidence, b.confidence, atol=1e-4)  # type: ignore[arg-type]


def test_where_no_walk_arrives_nobody_knows() -> None:
    valid = np.ones((20, 60), bool)
    valid[:, 30] = False
    mask = RandomWalk()(Image(reef(), valid=valid), [points((5, 9, 1), (7, 30, 3))], NAMES)
    assert (mask.class_ids[:, :30] == 1).all()
    assert (mask.class_ids[:, 30:] == UNKNOWN).all()
    assert not mask.confidence[:, 30:].any()  # type: ignore[index]


def test_thin_pictures_and_none_valid() -> None:
    assert RandomWalk()(Image(np.zeros((1, 1, 1), np.uint8)), [points((0, 0, 1))], NAMES).class_ids.tolist() == [[1]]
    none = Image(np.zeros((2, 9, 1), np.float32), valid=np.zeros((2, 9), bool))
    assert (RandomWalk()(none, [points((0, 0, 1))], NAMES).class_ids == UNKNOWN).all()


def test_wrong_settings_and_hints_are_told() -> None:
    for wrong in ({"beta": -1.0}, {"beta": float("nan")}, {"tolerance": 0.0}):
        with pytest.raises(InputError, match="expected"):
            RandomWalk(**wrong)
    with pytest.raises(InputError, match="no points"):
        RandomWalk()(Image(reef()), [], NAMES)
