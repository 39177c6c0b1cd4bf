from __future__ import annotations

import hashlib
import importlib.util
import pickle
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from maskwright.arrays.windows import Window
from maskwright.errors import FormatError, InputError, MissingPartError
from maskwright.io import images
from maskwright.io.images import checked_image, file_sha256, picture_grid, picture_size, read_image, upright

HEIGHT, WIDTH = 20, 60


def picture(channels: int, dtype: str = "uint8", random_state: int = 0) -> NDArray[np.generic]:
    top = np.iinfo(dtype).max
    return np.random.default_rng(random_state).integers(0, top + 1, (HEIGHT, WIDTH, channels)).astype(dtype)


def save(path: Path, array: NDArray[np.generic], **options: object) -> Path:
    PIL.Image.fromarray(np.squeeze(array)).save(path, **options)
    return path


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.TIFF", "a.webp"])
def test_lossless_formats_keep_every_value(tmp_path: Path, name: str, channels: int) -> None:
    array = picture(channels)
    path = save(tmp_path / name, array, **({"lossless": True} if name.endswith("webp") else {}))
    image = read_image(path)
    expected = np.repeat(array, 3, axis=2) if channels == 1 and name.endswith("webp") else array
    assert np.array_equal(image.pixels, expected)
    assert image.valid.shape == (HEIGHT, WIDTH)
    assert np.asarray(image.valid).all()
    assert picture_size(path) == (HEIGHT, WIDTH)


def test_jpeg_is_near_the_truth(tmp_path: Path) -> None:
    array = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    array[:, 30:] = 200, 100, 50
    image = read_image(save(tmp_path / "a.JPG", array, quality=95))
    assert image.pixels.dtype == np.uint8
    assert np.abs(np.asarray(image.pixels).astype(int) - array).mean() < 3


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_sixteen_bit_grey_stays_sixteen_bit(tmp_path: Path, name: str) -> None:
    array = picture(1, "uint16")
    image = read_image(save(tmp_path / name, array))
    assert image.pixels.dtype == np.uint16
    assert np.array_equal(image.pixels, array)


@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bit_colour_png_stays_sixteen_bit(tmp_path: Path, channels: int) -> None:
    array = picture(channels, "uint16")
    if channels == 4:
        array[:5, :, 3] = 0
    path = tmp_path / "a.png"
    order = [2, 1, 0, 3][:channels]
    cv2.imwrite(str(path), array[..., order])
    image = read_image(path)
    assert image.pixels.dtype == np.uint16
    assert np.array_equal(image.pixels, array[..., :3])
    assert np.array_equal(image.valid, array[..., 3] > 0 if channels == 4 else np.ones((HEIGHT, WIDTH), bool))


@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_says_what_is_valid_and_is_no_channel(tmp_path: Path, channels: int) -> None:
    array = picture(channels)
    array[..., -1] = 255
    array[:3, :7, -1] = 0
    array[5, 5, -1] = 1
    image = read_image(save(tmp_path / "a.png", array))
    assert np.array_equal(image.pixels, array[..., :-1])
    assert np.argwhere(~np.asarray(image.valid)).tolist() == [[r, c] for r in range(3) for c in range(7)]


def test_palettes_and_cmyk_become_rgb(tmp_path: Path) -> None:
    indexed = PIL.Image.fromarray(np.tile(np.arange(4, dtype=np.uint8), (HEIGHT, 15)), "P")
    indexed.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90, 1, 2, 3])
    indexed.save(tmp_path / "p.png", transparency=2)
    image = read_image(tmp_path / "p.png")
    assert np.asarray(image.pixels)[7, :2].tolist() == [[10, 20, 30], [40, 50, 60]]
    assert np.asarray(image.valid)[0, :4].tolist() == [True, True, False, True]
    indexed.save(tmp_path / "p.tif")
    assert np.asarray(read_image(tmp_path / "p.tif").pixels)[7, 3].tolist() == [1, 2, 3]
    ink = PIL.Image.new("CMYK", (WIDTH, HEIGHT), (0, 255, 255, 0))
    for name in ("c.jpg", "c.tif"):
        ink.save(tmp_path / name)
        red = np.asarray(read_image(tmp_path / name).pixels)[3, 3]
        assert red.shape == (3,)
        assert red[0] > 250
        assert red[1:].max() < 5


def test_a_transparent_value_is_not_valid(tmp_path: Path) -> None:
    array = np.full((HEIGHT, WIDTH), 9, np.uint8)
    array[2, 50] = 7
    PIL.Image.fromarray(array).save(tmp_path / "a.png", transparency=7)
    image = read_image(tmp_path / "a.png")
    assert image.pixels.shape == (HEIGHT, WIDTH, 1)
    assert np.argwhere(~np.asarray(image.valid)).tolist() == [[2, 50]]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.webp"])
def test_orientation_is_applied(tmp_path: Path, orientation: int, name: str) -> None:
    truth = np.zeros((32, 64, 3), np.uint8)
    truth[:16, :32] = 255, 0, 0
    truth[16:, 32:] = 0, 0, 255
    # What a camera stores is the picture turned back; these undo 1..8 as the EXIF standard numbers them.
    undo: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
        8: lambda a: np.rot90(a, 3),
    }
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    stored = PIL.Image.fromarray(np.ascontiguousarray(undo[orientation](truth)))
    stored.save(tmp_path / name, exif=exif)
    image = read_image(tmp_path / name)
    assert np.abs(np.asarray(image.pixels).astype(int) - truth).mean() < 8
    assert picture_size(tmp_path / name) == (32, 64)
    window = Window(0, 40, 10, 60)
    assert np.array_equal(read_image(tmp_path / name, window).pixels, np.asarray(image.pixels)[:10, 40:60])


def test_turning_agrees_with_pillow() -> None:
    array = picture(3).astype(np.uint8)
    for orientation in range(1, 9):
        exif = PIL.Image.Exif()
        exif[0x0112] = orientation
        turned = PIL.Image.fromarray(array)
        turned.getexif()[0x0112] = orientation
        from PIL import ImageOps

        assert np.array_equal(upright(array, orientation), np.asarray(ImageOps.exif_transpose(turned)))


def test_narrow_greys_are_stretched_to_eight_bits(tmp_path: Path) -> None:
    PIL.Image.fromarray(np.eye(HEIGHT, WIDTH) > 0).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert np.unique(np.asarray(image.pixels)).tolist() == [0, 255]


def broken_files() -> dict[str, tuple[str, bytes, str]]:
    import io

    def encoded(kind: str, array: NDArray[np.generic]) -> bytes:
        file = io.BytesIO()
        PIL.Image.fromarray(np.squeeze(array)).save(file, kind)
        return file.getvalue()

    png, jpg, tif = (encoded(kind, picture(3)) for kind in ("PNG", "JPEG", "TIFF"))
    bmp, webp = encoded("BMP", picture(3)), encoded("WEBP", picture(3))
    claim = struct.pack(">II", 100_000, 100_000) + b"\x08\x02\0\0\0"
    lying = png[:16] + claim + struct.pack(">I", zlib.crc32(b"IHDR" + claim)) + png[33:]
    huge = struct.pack(">II", 30_000, 20_000) + b"\x08\x00\0\0\0"
    packed = png[:16] + huge + struct.pack(">I", zlib.crc32(b"IHDR" + huge)) + png[33:] + bytes(1_000_000)
    return {
        "zero bytes": ("a.png", b"", "empty"),
        "zero-byte tif": ("a.tif", b"", "empty"),
        "cut png": ("a.png", png[: len(png) // 2], "broken PNG"),
        "png header only": ("a.png", png[:20], "broken PNG"),
        "cut jpg": ("a.jpg", jpg[: len(jpg) // 2], "broken JPEG"),
        "jpg start only": ("a.jpg", jpg[:12], "broken JPEG"),
        "cut tif": ("a.tif", tif[: len(tif) // 2], "a.tif"),
        "cut tif header": ("a.tif", tif[:9], "header is cut off"),
        "cut bmp": ("a.bmp", bmp[: len(bmp) // 2], "broken BMP"),
        "cut webp": ("a.webp", webp[: len(webp) // 2], "broken WEBP"),
        "text": ("a.png", b"<html>not found</html>", "is no picture; expected PNG"),
        "a jpg called png": ("a.png", jpg, "the name says PNG but it is a JPEG; rename it to end in .jpg"),
        "a png called tif": ("a.tif", png, "the name says TIFF but it is a PNG"),
        "an odd ending": ("a.dat", png, "the name ends in .dat"),
        "impossible claim": ("a.png", lying, "claims 100000 x 100000 pixels in"),
        "too big to read whole": ("a.png", packed, "convert it to a tiled TIFF"),
    }


@pytest.mark.parametrize("case", broken_files())
def test_broken_and_lying_files_are_named(tmp_path: Path, case: str) -> None:
    name, data, part = broken_files()[case]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(FormatError) as caught:
        read_image(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert part in str(caught.value), str(caught.value)
    assert "\n" not in str(caught.value)


def test_random_damage_gives_a_picture_or_a_format_error(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    good = {
        name: save(tmp_path / name, picture(3)).read_bytes() for name in ("a.png", "a.jpg", "a.tif", "a.bmp", "a.webp")
    }
    refused = 0
    for name, data in good.items():
        for _ in range(60):
            damaged = bytearray(data)
            for at in rng.integers(0, min(len(data), 400), 3):
                damaged[at] = rng.integers(0, 256)
            (tmp_path / name).write_bytes(damaged)
            try:
                image = read_image(tmp_path / name)
                assert np.asarray(image.pixels).ndim == 3
            except InputError as error:
                refused += 1
                assert name in str(error)
    assert refused > 60


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("options", [{"subsampling": 0}, {"subsampling": 2}, {"progressive": True}, {"quality": 30}])
def test_a_checked_jpeg_is_the_one_that_is_read(tmp_path: Path, mode: str, options: dict[str, object]) -> None:
    exif, path = PIL.Image.Exif(), tmp_path / "a.jpg"
    exif[0x0112] = 6
    array = cv2.resize(picture(3)[:5, :9], (61, 23), interpolation=cv2.INTER_CUBIC)
    PIL.Image.fromarray(array).convert(mode).save(path, exif=exif, **options)
    image, read = checked_image(path), read_image(path)
    assert (image.pixels.shape, image.pixels.dtype, image.grid) == (read.pixels.shape, np.uint8, read.grid)
    assert image.pixels.shape == (61, 23, 1 if mode == "L" else 3) and image.is_all_valid
    assert np.array_equal(np.asarray(image.pixels), read.pixels)
    assert np.array_equal(image.pixels[7:50, ::2], read.pixels[7:50, ::2])


def test_damage_is_found_without_unpacking(tmp_path: Path) -> None:
    rng, path, refused = np.random.default_rng(1), tmp_path / "a.jpg", 0
    good = save(path, picture(3), progressive=True).read_bytes()
    for number in range(120):
        damaged = bytearray(good)
        for at in rng.integers(3, len(good), 3):
            damaged[at] = rng.integers(0, 256)
        path.write_bytes(damaged if number % 2 else damaged[: rng.integers(20, len(good))])
        said = []
        for look in (read_image, checked_image):
            try:
                said.append(str(look(path).grid))
            except FormatError as error:
                said.append(str(error))
        assert said[0] == said[1]
        refused += "broken JPEG" in said[0]
    assert 60 <= refused < 120


def test_colours_are_unpacked_once_and_only_when_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.jpg", picture(3))
    whole, asked = read_image(path), []
    monkeypatch.setattr(images, "read_image", lambda each: asked.append(each) or whole)
    image = checked_image(path)
    assert image.grid == whole.grid and asked == []
    for _ in range(2):
        assert np.array_equal(image.crop(Window(2, 3, 9, 30)).pixels, np.asarray(whole.pixels)[2:9, 3:30])
    assert asked == [path]


def test_missing_files_and_folders_are_input_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_image(tmp_path / "none.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        read_image(tmp_path / "folder.png")


def test_a_big_tiff_stays_in_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    array = picture(3)
    path = save(tmp_path / "a.tif", array)
    monkeypatch.setattr(images, "LAZY_PIXELS", 100)
    image = read_image(path)
    assert not isinstance(image.pixels, np.ndarray)
    again = pickle.loads(pickle.dumps(image))
    assert np.array_equal(again.pixels[3:9, 50:], array[3:9, 50:])


def test_a_plain_tiff_needs_no_rasterio_and_one_on_earth_says_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = picture(3)
    path = save(tmp_path / "a.tif", array)
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    tags = ImageFileDirectory_v2()
    tags[33550] = (0.5, 0.5, 0.0)
    tags.tagtype[33550] = 12
    save(tmp_path / "earth.tif", array, tiffinfo=tags)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert np.array_equal(read_image(path).pixels, array)
    assert picture_grid(path).shape == (HEIGHT, WIDTH)
    with pytest.raises(MissingPartError, match=r'earth.tif: .* pip install "maskwright\[geo\]"'):
        read_image(tmp_path / "earth.tif")


def test_hashes_are_those_of_the_bytes(tmp_path: Path) -> None:
    data = bytes(range(256)) * 9000
    (tmp_path / "a.bin").write_bytes(data)
    assert file_sha256(tmp_path / "a.bin") == hashlib.sha256(data).hexdigest()
    with pytest.raises(InputError, match="no such file"):
        file_sha256(tmp_path / "b.bin")


def test_real_pictures_open(shared_data: Path) -> None:
    for name, shape, dtype in (
        ("mouse/labeled-data/img01.png", (406, 396, 1), "uint8"),
        ("animals/images/camel_00002.jpg", (480, 854, 3), "uint8"),
        ("buildings/sample_geotiff.tif", (900, 900, 1), "uint16"),
    ):
        image = read_image(shared_data / name)
        assert image.pixels.shape == shape
        assert image.pixels.dtype == dtype
        assert picture_size(shared_data / name) == shape[:2]
    assert image.grid.crs == "EPSG:32616"
    assert image.grid.transform == (0.5, 0.0, 733601.0, 0.0, -0.5, 3725139.0)
