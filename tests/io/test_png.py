"""Our own PNG against two readers that know nothing of it."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from maskwright.io.png import png_bytes


@given(st.integers(1, 40), st.integers(1, 90), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_grey_is_read_back(height: int, width: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    content = png_bytes(values)
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.mode == "L"
        assert np.array_equal(np.asarray(picture), values)
    assert np.array_equal(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED), values)


@pytest.mark.parametrize("shape", [(1, 1), (7, 200), (300, 2)])
def test_ids_are_read_back_with_their_colours(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    ids, palette = random.integers(0, 256, shape, dtype=np.uint8), random.integers(0, 256, (256, 3), dtype=np.uint8)
    with Image.open(io.BytesIO(png_bytes(ids, palette))) as picture:
        assert picture.mode == "P"
        assert np.array_equal(np.asarray(picture), ids)
        assert np.array_equal(np.asarray(picture.convert("RGB")), palette[ids])


def test_views_and_read_only_arrays_are_fine() -> None:
    values = np.arange(60, dtype=np.uint8).reshape(6, 10)[::-1, ::2]
    values.flags.writeable = False
    assert png_bytes(values) == png_bytes(values.copy())
