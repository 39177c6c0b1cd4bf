"""Pictures from files: png, jpg, tif, webp, bmp; 8 or 16 bit, any number of bands, upright."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import struct
import zlib
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.windows import Window
from maskwright.errors import FormatError, MissingPartError
from maskwright.io.names import PICTURE_SUFFIXES as PICTURE_SUFFIXES
from maskwright.io.slabs import Deferred
from maskwright.io.texts import unreadable
from maskwright.io.tiff_header import check_is_file, read_tiff_header
from maskwright.types import Grid, Image

LAZY_PIXELS = 4096 * 4096
"""A TIFF with more pixels than this stays in its file and is read window by window."""

MOST_PIXELS = 400_000_000
"""png, jpg, webp and bmp are read whole; one that claims more pixels than this is refused before it is unpacked."""

_FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
    ".bmp": "BMP",
}
_MAGIC = ((b"\x89PNG\r\n\x1a\n", "PNG"), (b"\xff\xd8\xff", "JPEG"), (b"BM", "BMP"))
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# The fewest bytes a claimed pixel can honestly take: deflate packs 1032 to 1, a flat jpg some 350 pixels into a byte.
_PIXELS_PER_BYTE = {"PNG": 8 * 1032, "JPEG": 4096, "BMP": 255}
BROKEN_FILE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    struct.error,
    zlib.error,
)
_log = logging.getLogger(__name__)


def read_image(path: str | Path, window: Window | None = None) -> Image:
    """Read a picture, or a window of it, upright, in its own dtype: 8 or 16 bit, any number of bands.

    Pixels are (height, width, channels): 1 channel for grey, 3 for colour; palettes and CMYK become RGB. Where alpha,
    the file's mask or nodata say there is no data, `valid` is False; the alpha band itself is not among the channels.
    A TIFF of more than `LAZY_PIXELS` pixels stays in its file. Of an animation the first frame counts.
    A file that is cut off or is not what its name says is a FormatError.
    """
    kind = picture_format(path)
    if kind == "TIFF":
        return _read_tiff(Path(path), window)
    image = _read_plain(Path(path), kind)
    return image if window is None else image.crop(window)


def checked_image(path: str | Path) -> Image:
    """As `read_image`, for those who may never look at the colours: a JPEG's are unpacked when first asked for.

    The whole file is gone through all the same, every coefficient of it, only not turned into pixels: what is cut off
    or broken is a FormatError now. Other pictures are read.
    """
    kind, path = picture_format(path), Path(path)
    if kind != "JPEG":
        return read_image(path)
    with opened(path, kind) as picture:
        try:
            (width, height), bands = picture.size, 1 if picture.mode == "L" else 3
            picture.draft(None, (1, 1))  # one pixel for each block of 8 x 8
            picture.load()
            height, width = (width, height) if _orientation(picture) > 4 else (height, width)
        except BROKEN_FILE as error:
            raise broken(path, kind, error) from error
    return Image(Deferred((height, width, bands), np.dtype(np.uint8), partial(_colours, path)))


def _colours(path: Path) -> NDArray[Any]:
    return np.asarray(read_image(path).pixels)


def picture_size(path: str | Path) -> tuple[int, int]:
    """(height, width) of a picture as `read_image` gives it, from the file's header alone."""
    return picture_grid(path).shape


def picture_grid(path: str | Path) -> Grid:
    """The grid of a picture as `read_image` gives it, from the file's header alone."""
    kind = picture_format(path)
    if kind == "TIFF":
        return _tiff_grid(Path(path))
    with opened(Path(path), kind) as picture:
        width, height = picture.size
        return Grid(width, height) if _orientation(picture) > 4 else Grid(height, width)


def picture_format(path: str | Path) -> str:
    """PNG, JPEG, TIFF, WEBP or BMP, where name and first bytes agree; else a FormatError that names both."""
    check_is_file(path)
    try:
        with Path(path).open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise unreadable(path, error) from error
    suffix = Path(path).suffix.lower()
    found, named = _format_of(start), _FORMATS.get(suffix)
    if found is None:
        raise FormatError(f"{path}: is no picture; expected {named or 'PNG, JPEG, TIFF, WEBP or BMP'}; get it again")
    if named is None:
        known = ", ".join(PICTURE_SUFFIXES)
        raise FormatError(f"{path}: the name ends in {suffix or 'nothing'}; expected one of {known}; rename the file")
    if found != named:
        better = next(each for each, kind in _FORMATS.items() if kind == found)
        raise FormatError(f"{path}: the name says {named} but it is a {found}; rename it to end in {better}")
    return found


def file_sha256(path: str | Path) -> str:
    """The SHA-256 of a file's bytes in hexadecimal, read a megabyte at a time."""
    digest = hashlib.sha256()
    try:
        with Path(path).open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise unreadable(path, error) from error
    return digest.hexdigest()


def _format_of(start: bytes) -> str | None:
    if start[:4] in _TIFF:
        return "TIFF"
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "WEBP"
    return next((kind for magic, kind in _MAGIC if start.startswith(magic)), None)


class opened:  # noqa: N801  # read as a verb: with opened(path)
    """A Pillow picture, opened by our own rule of size instead of Pillow's, which is one for the whole process."""

    def __init__(self, path: Path, kind: str) -> None:
        self.path, self.kind = path, kind
        self.file: BinaryIO | None = None

    def __enter__(self) -> Any:
        import PIL.Image

        PIL.Image.init()
        factory = PIL.Image.OPEN[self.kind][0]
        try:
            self.file = self.path.open("rb")
            picture = factory(self.file, str(self.path))
        except BROKEN_FILE as error:
            self.__exit__()
            raise broken(self.path, self.kind, error) from error
        try:
            self._check_size(*picture.size)
        except FormatError:
            self.__exit__()
            raise
        return picture

    def __exit__(self, *_: object) -> None:
        if self.file is not None:
            self.file.close()

    def _check_size(self, width: int, height: int) -> None:
        claim = f"{self.path}: claims {height} x {width} pixels"
        size = self.path.stat().st_size
        if height * width > size * _PIXELS_PER_BYTE.get(self.kind, 1 << 40):
            raise FormatError(f"{claim} in {size} bytes, which cannot be; expected a whole picture; get it again")
        if height * width > MOST_PIXELS:
            limit = f"a {self.kind} is read whole, up to {MOST_PIXELS} pixels"
            raise FormatError(f"{claim}; {limit}; convert it to a tiled TIFF, which is read by pieces")


def broken(path: Path, kind: str, error: BaseException) -> FormatError:
    """The error for a picture that will not unpack."""
    reason = " ".join(str(error).split()) or type(error).__name__
    return FormatError(f"{path}: broken {kind} ({reason}); expected a whole picture; get the file again")


def _read_plain(path: Path, kind: str) -> Image:
    with opened(path, kind) as picture:
        try:
            if getattr(picture, "n_frames", 1) > 1 and kind != "JPEG":
                _log.warning("%s holds %d frames; the first one is read", path, picture.n_frames)
            picture.load()
            pixels, valid = _wide_colour(path) if _is_wide_colour(path, kind) else _pixels(picture)
            orientation = _orientation(picture)
        except FormatError:
            raise
        except BROKEN_FILE as error:
            raise broken(path, kind, error) from error
    return Image(upright(pixels, orientation), valid=None if valid is None else upright(valid, orientation))  # type: ignore[arg-type]


def _orientation(picture: Any) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none or it makes no sense."""
    try:
        value = picture.getexif().get(0x0112, 1)
    except BROKEN_FILE:  # a broken EXIF block says nothing about the pixels
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def upright(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn (height, width, ...) as EXIF orientation 1 to 8 says."""
    if orientation > 4:
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return np.ascontiguousarray(array)


def _is_wide_colour(path: Path, kind: str) -> bool:
    """Whether a PNG has 16 bits per colour: Pillow would quietly halve them."""
    if kind != "PNG":
        return False
    with path.open("rb") as file:
        header = file.read(26)
    return len(header) == 26 and header[24] == 16 and header[25] in (2, 4, 6)


def _wide_colour(path: Path) -> tuple[NDArray[np.uint16], NDArray[np.bool_] | None]:
    import cv2

    pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 3:
        raise FormatError(f"{path}: broken PNG; expected 16 bits per colour; get the file again")
    with path.open("rb") as file:
        is_grey = file.read(26)[25] == 4
    valid = pixels[..., 3] > 0 if pixels.shape[2] == 4 else None
    colours = pixels[..., :1] if is_grey else pixels[..., 2::-1]
    return np.ascontiguousarray(colours), valid


def _pixels(picture: Any) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """Pixels (height, width, channels) of a loaded Pillow picture, and where alpha is above 0."""
    mode, clear = picture.mode, picture.info.get("transparency")
    if mode in ("P", "PA"):
        picture = picture.convert("RGBA" if clear is not None or mode == "PA" else "RGB")
        clear = None
    elif mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        picture = picture.convert("RGB")
    elif mode in ("La", "RGBa"):
        picture = picture.convert({"La": "LA", "RGBa": "RGBA"}[mode])
    elif mode == "1":
        picture = picture.convert("L")
    elif mode not in ("L", "LA", "RGB", "RGBA", "RGBX", "I", "F", "I;16", "I;16B", "I;16L"):
        raise ValueError(f"pixels of the kind {mode}, which Maskwright does not read")
    array = np.array(picture)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    array = array[..., None] if array.ndim == 2 else array
    if picture.mode in ("LA", "RGBA"):
        return np.ascontiguousarray(array[..., :-1]), array[..., -1] > 0
    if picture.mode == "RGBX":
        array = np.ascontiguousarray(array[..., :3])
    if isinstance(clear, int | tuple):
        return array, (array != np.asarray(clear, array.dtype)).any(axis=2)
    return array, None


def _read_tiff(path: Path, window: Window | None) -> Image:
    header = read_tiff_header(path)
    rasters = _rasters()
    if rasters is None:
        plain = _read_plain_tiff(path)
        return plain if window is None else plain.crop(window)
    image: Image = rasters.open_raster(path)
    is_turned = header.orientation > 1 and image.grid.transform is None
    if header.height * header.width > LAZY_PIXELS and not is_turned:
        return image if window is None else image.crop(window)
    if not is_turned:
        return image.crop(window or image.grid.window)
    whole = image.crop(image.grid.window)
    pixels, valid = (upright(np.asarray(each), header.orientation) for each in (whole.pixels, whole.valid))
    turned = Image(pixels, valid=valid)
    return turned if window is None else turned.crop(window)


def _tiff_grid(path: Path) -> Grid:
    header = read_tiff_header(path)
    rasters = _rasters()
    grid = Grid(header.height, header.width) if rasters is None else rasters.raster_grid(path)
    if header.orientation > 4 and grid.transform is None:
        return Grid(grid.width, grid.height)
    return grid


def rasters_module(path: str | Path) -> Any:
    """The module that reads and writes TIFF through rasterio, or the error that says how to get it for this file."""
    module = _rasters()
    if module is None:
        raise _needs_rasterio(Path(path))
    return module


def _rasters() -> Any:
    """The module that reads TIFF through rasterio, or None where rasterio is not installed."""
    if importlib.util.find_spec("rasterio") is None:
        return None
    from maskwright.io import rasters

    return rasters


def _read_plain_tiff(path: Path) -> Image:
    try:
        with opened(path, "TIFF") as picture:
            is_on_earth = 34264 in picture.tag_v2 or 33550 in picture.tag_v2
        if not is_on_earth:
            return _read_plain(path, "TIFF")
    except FormatError as error:
        raise _needs_rasterio(path) from error
    raise _needs_rasterio(path)


def _needs_rasterio(path: Path) -> MissingPartError:
    return MissingPartError(
        f'{path}: this kind of TIFF needs rasterio, which is not installed; pip install "maskwright[geo]"'
    )
