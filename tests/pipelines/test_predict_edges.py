"""Nothing of a picture is dropped: edges, odd sizes, black, white and grey ground, tiles put together again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from maskwright.io.images import read_image
from maskwright.pipelines.chains import Predicted
from maskwright.types import UNKNOWN, Grid, Image

WINDOW = 32


@dataclass
class Reads:
    """Segmenter: the first channel of a pixel is its class, without a doubt."""

    class_names: tuple[str, ...] = ("a", "b", "c", "d", "e")

    def __call__(self, pixels: NDArray[np.generic]) -> NDArray[np.float32]:
        return (pixels[..., 0][:, None] == np.arange(5)[:, None, None]).astype(np.float32)


@pytest.mark.parametrize("overlap", [0, 8, 31])
@pytest.mark.parametrize("width", [WINDOW - 1, WINDOW, WINDOW + 1, 5 * WINDOW // 2])
@pytest.mark.parametrize("height", [1, WINDOW - 1, WINDOW + 1, 5 * WINDOW // 2])
def test_every_pixel_of_any_size_comes_back_to_the_bit(height: int, width: int, overlap: int) -> None:
    ids = np.random.default_rng(width).integers(0, 5, (height, width)).astype(np.uint8)
    mask = Predicted(Reads(), window=WINDOW, overlap=overlap)(Image(ids[..., None].repeat(3, axis=2)), (), ())
    assert np.array_equal(mask.class_ids, ids)
    assert (mask.confidence == 1).all()


def test_four_abutting_windows_are_the_picture_with_its_first_and_last_column() -> None:
    ids = np.random.default_rng(0).integers(0, 5, (2 * WINDOW, 2 * WINDOW)).astype(np.uint8)
    image = Image(ids[..., None].repeat(3, axis=2), Grid(64, 64, (0.5, 0, 10, 0, -0.5, 20), "EPSG:32740"))
    for piece in (1, 7, 32, 64, 1000):
        parts = list(Predicted(Reads(), window=WINDOW, overlap=0).predict_pieces(image, None, piece))
        rebuilt = np.zeros_like(ids)
        for window, mask in parts:
            rebuilt[window.slices] = mask.class_ids
            assert mask.grid == image.grid.crop(window)
        assert np.array_equal(rebuilt, ids)


@pytest.mark.parametrize("value", [0, 85, 170, 255])
def test_opaque_ground_of_any_brightness_is_predicted_and_only_clear_ground_is_not(tmp_path: Path, value: int) -> None:
    rasterio = pytest.importorskip("rasterio", reason="the geo extra is not installed")
    bands = np.full((4, 50, 70), value, np.uint8)
    bands[3] = 255
    bands[3, :20, :30] = 0
    with rasterio.open(
        tmp_path / "a.tif", "w", driver="GTiff", height=50, width=70, count=4, dtype="uint8", photometric="RGB",
        alpha="YES", crs="EPSG:32740", transform=rasterio.Affine(0.5, 0, 10, 0, -0.5, 20),
    ) as file:  # fmt: skip
        file.write(bands)

    class Anything(Reads):
        def __call__(self, pixels: NDArray[np.generic]) -> NDArray[np.float32]:
            return np.full((len(pixels), 5, *pixels.shape[1:3]), 0.2, np.float32)

    mask = Predicted(Anything(), window=WINDOW, overlap=4)(read_image(tmp_path / "a.tif"), (), ())
    assert np.array_equal(mask.class_ids == UNKNOWN, bands[3] == 0)
