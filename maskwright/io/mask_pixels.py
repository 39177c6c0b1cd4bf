"""Class ids out of the many kinds of files masks come in."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import FormatError, GridError, InputError
from maskwright.io.classes import Classes, rgb
from maskwright.io.images import BROKEN_FILE, broken, opened, picture_format, rasters_module
from maskwright.types import UNKNOWN, Grid

_ROWS = 2048
_GREYS = ("L", "LA", "I", "I;16", "I;16B", "I;16L")
_log = logging.getLogger(__name__)


def read_class_ids(path: Path, classes: Classes | None) -> tuple[NDArray[np.uint8], Grid]:
    """The uint8 ids (height, width) of a mask file, 255 where nobody knows, and where they lie."""
    kind = picture_format(path)
    if kind == "JPEG":
        raise FormatError(f"{path}: is a JPEG, which does not keep class ids; expected a PNG or TIFF; export it again")
    if kind == "TIFF":
        return _from_raster(path, classes)
    with opened(path, kind) as picture:
        try:
            picture.load()
            depth = picture.mode == "L" and _grey_steps(path, kind)
            values = np.array(picture)
        except BROKEN_FILE as error:
            raise broken(path, kind, error) from error
        mode = picture.mode
    if mode == "P":
        ids = values.astype(np.uint8, copy=False)
    elif mode == "1":
        ids = values.astype(np.uint8)
    elif mode in ("RGB", "RGBA"):
        ids = _from_colours(path, values[..., :3], classes)
        ids = ids if mode == "RGB" else np.where(values[..., 3] > 0, ids, np.uint8(UNKNOWN))
    elif mode in _GREYS:
        greys = values[..., 0] if mode == "LA" else values // (depth or 1)
        ids = _narrowed(path, greys)
        ids = np.where(values[..., 1] > 0, ids, np.uint8(UNKNOWN)) if mode == "LA" else ids
        _warn_of_two_greys(path, ids)
    else:
        raise FormatError(f"{path}: a mask with pixels of the kind {mode}; expected class ids; export it as 8-bit PNG")
    return ids, Grid(*ids.shape)


def read_confidence(path: Path, grid: Grid) -> NDArray[np.float32]:
    """A confidence file as float32 in [0, 1] (height, width)."""
    from maskwright.io.images import read_image

    pixels = np.asarray(read_image(path).pixels)
    if pixels.shape[2] != 1 or pixels.dtype != np.uint8:
        raise FormatError(f"{path}: is {pixels.dtype} with {pixels.shape[2]} bands; expected 8-bit grey; remove it")
    if pixels.shape[:2] != grid.shape:
        sizes = f"is {pixels.shape[0]} x {pixels.shape[1]} pixels but its mask is {grid.height} x {grid.width}"
        raise GridError(f"{path}: {sizes}; expected the same size; remove it or make the mask again")
    return pixels[..., 0].astype(np.float32) / np.float32(255)


def _grey_steps(path: Path, kind: str) -> int:
    """By what Pillow multiplied the greys of a 2 or 4 bit PNG."""
    if kind != "PNG":
        return 1
    with path.open("rb") as file:
        depth = file.read(25)[24]
    return 255 // (2**depth - 1) if depth in (1, 2, 4) else 1


def _warn_of_two_greys(path: Path, ids: NDArray[np.uint8]) -> None:
    used = np.flatnonzero(np.bincount(ids.ravel(), minlength=256)).tolist()
    if used == [0, UNKNOWN] and not path.with_suffix(".json").is_file():
        _log.warning("%s holds only 0 and 255; 255 is what an outline encloses, but unknown in a mask of classes", path)


def _from_raster(path: Path, classes: Classes | None) -> tuple[NDArray[np.uint8], Grid]:
    image = rasters_module(path).open_raster(path, as_colours=False)
    height, width, bands = image.pixels.shape
    if bands not in (1, 3):
        raise FormatError(f"{path}: has {bands} bands; expected one of class ids or three of colours; export one")
    ids = np.empty((height, width), np.uint8)
    for top in range(0, height, _ROWS):
        rows = slice(top, min(top + _ROWS, height))
        pixels, valid = image.pixels[rows, :], image.valid[rows, :]
        if bands == 3:
            part = _from_colours(path, np.where(valid[..., None], pixels, 0), classes, valid)
        else:
            part = _narrowed(path, np.where(valid, pixels[..., 0], UNKNOWN))
        ids[rows] = np.where(valid, part, np.uint8(UNKNOWN))
    return ids, image.grid


def _narrowed(path: Path, values: NDArray[Any]) -> NDArray[np.uint8]:
    """Whole numbers from 0 to 255 of any kind as uint8."""
    if values.dtype == np.uint8:
        return values
    wrong = (values < 0) | (values > UNKNOWN) | (values != np.floor(values))
    if wrong.any():
        row, col = np.argwhere(wrong)[0]
        found = f"has {values[row, col]} at row {row}, column {col}"
        raise InputError(
            f"{path}: {found}; expected class ids from 0 to 254 or 255; is it a mask of objects or depths?"
        )
    return values.astype(np.uint8)


def _from_colours(
    path: Path, pixels: NDArray[Any], classes: Classes | None, valid: NDArray[np.bool_] | None = None
) -> NDArray[np.uint8]:
    """Ids of pixels (height, width, 3) whose colours are exactly those of the classes."""
    if pixels.dtype != np.uint8:
        raise FormatError(f"{path}: is a colour mask of {pixels.dtype}; expected 8 bits per colour; export it so")
    if classes is None:
        raise InputError(f"{path}: is a colour mask; expected classes with these colours; give classes.yaml")
    by_color: dict[int, int] = {}
    for class_id, name in classes.named.items():
        key = _key(rgb(classes.colors[class_id]))
        if key in by_color:
            both = f"{classes.names[by_color[key]]!r} and {name!r} have the colour {classes.colors[class_id]}"
            raise InputError(f"{path}: is a colour mask but {both}; expected one colour each; change classes.yaml")
        by_color[key] = class_id
    packed = (pixels.astype(np.uint32) * np.array([65536, 256, 1], np.uint32)).sum(axis=2, dtype=np.uint32)
    colors, places, counts = np.unique(packed, return_inverse=True, return_counts=True)
    ids = np.array([by_color.get(int(each), UNKNOWN) for each in colors], np.uint8)[places.reshape(packed.shape)]
    strange = [i for i, each in enumerate(colors) if int(each) not in by_color]
    if strange and ((ids == UNKNOWN) & (True if valid is None else valid)).any():
        found = f"the colour #{int(colors[strange[0]]):06x} ({counts[strange[0]]} pixels)"
        known = ", ".join(f"{color} {name}" for color, name in zip(classes.colors, classes.names, strict=True) if name)
        raise InputError(f"{path}: has {found}, which no class has; expected {known}; add it to classes.yaml")
    return ids


def _key(color: tuple[int, int, int]) -> int:
    return color[0] * 65536 + color[1] * 256 + color[2]
