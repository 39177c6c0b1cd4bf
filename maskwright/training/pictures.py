"""Labelled pictures as training reads them: by windows, from masks, points or both; big rasters stay in their file."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.ground import pixel_metres
from maskwright.arrays.windows import Window, shift, split
from maskwright.errors import EmptyResultError, GridError, InputError
from maskwright.io.images import LAZY_PIXELS, file_sha256, picture_size, rasters_module, read_image
from maskwright.io.masks import confidence_path, read_mask, read_story, story_path
from maskwright.types import UNKNOWN, Grid, Image, Mask, Points, Sample

KEPT_BYTES = 2**30
"""Decoded pictures and masks up to this size stay in memory; the rest is read again when it is needed."""

BAND_ROWS = 1024


MASK, POINT, SPREAD = 0, 1, 2
"""Who told the class of a pixel: a mask (or nobody), a point, or the look-alikes of points (training.spread_points)."""

CERTAIN = 255


class Tile(NamedTuple):
    """What look-alikes of points say of a window of a picture: class ids, and how sure that is in steps of 1/255."""

    window: Window
    class_ids: NDArray[np.uint8]
    sure: NDArray[np.uint8]


class Part(NamedTuple):
    """A window of a labelled picture: pixels as in the file, where there is data, class ids, how sure they are, and
    who told them: `MASK`, `POINT` or `SPREAD`."""

    pixels: NDArray[Any]
    valid: NDArray[np.bool_]
    class_ids: NDArray[np.uint8]
    confidence: NDArray[np.float32]
    told_by: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Labelled:
    """One picture with its labels, shown with `bands` bands. `to_ids` (masks, 256) leads from the ids of each mask file
    to those of the model. With `agreed`, nobody knows a pixel of which two masks say different things. `tiles` are
    labels spread from the points of a picture without masks."""

    sample: Sample
    grid: Grid
    bands: int
    to_ids: tuple[NDArray[np.uint8], ...]
    store: Store
    agreed: bool = False
    tiles: tuple[Tile, ...] = ()

    @property
    def name(self) -> str:
        return self.sample.name

    @property
    def points(self) -> tuple[Points, ...]:
        return tuple(each for each in self.sample.hints if isinstance(each, Points))

    @property
    def window(self) -> Window:
        return self.sample.piece or self.grid.window

    @property
    def pixel_m(self) -> float | None:
        """The side of a pixel on the ground in metres, where the picture lies on Earth."""
        return pixel_metres(self.grid.shape, self.grid.transform, self.grid.crs)

    def read(self, window: Window) -> Part:
        """A window, which has to lie inside the picture."""
        pixels, valid = self.store.picture(self.sample.image_path, window)
        if pixels.shape[2] < self.bands:
            pixels = pixels.repeat(self.bands, axis=2)
        class_ids, confidence = self.labels(window)
        class_ids[~valid] = UNKNOWN
        told_by = np.full(class_ids.shape, SPREAD if self.tiles else MASK, np.uint8)
        told_by[self.named(window)] = POINT
        return Part(pixels, valid, class_ids, confidence, told_by)

    def named(self, window: Window) -> NDArray[np.bool_]:
        """Pixels of a window that points lie on."""
        found = np.zeros((window.height, window.width), bool)
        for points in self.points:
            found[_inside(points, window)[0]] = True
        return found

    def labels(self, window: Window) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Class ids and confidence of a window: the first mask that knows a pixel, else what was spread from points;
        points lie on top of all."""
        class_ids = np.full((window.height, window.width), UNKNOWN, np.uint8)
        confidence = np.zeros(class_ids.shape, np.float32)
        disputed = np.zeros(class_ids.shape, bool)
        for path, to_ids in zip(self.sample.mask_paths, self.to_ids, strict=True):
            found, sure = self.store.mask(path, window)
            found = to_ids[found]
            said = found != UNKNOWN
            new = said & (class_ids == UNKNOWN)
            disputed |= said & ~new & (found != class_ids)
            class_ids[new], confidence[new] = found[new], sure[new]
        if self.agreed:
            class_ids[disputed] = UNKNOWN
        for tile in self.tiles:
            _lay(tile, window, class_ids, confidence)
        for points in self.points:
            _paint(points, window, class_ids, confidence)
        piece = self.sample.piece
        if piece is not None and window.meet(piece) != window:
            outside = np.ones(class_ids.shape, bool)
            if (met := window.meet(piece)) is not None:
                outside[
                    met.top - window.top : met.bottom - window.top, met.left - window.left : met.right - window.left
                ] = False
            class_ids[outside] = UNKNOWN
        return class_ids, confidence


class Store:
    """Reads windows of pictures and masks; keeps what it decoded as a whole, the oldest goes first.

    Rasters of more than `LAZY_PIXELS` pixels are read by windows. May be used by several threads.
    """

    def __init__(self, most_bytes: int = KEPT_BYTES) -> None:
        self.most_bytes = most_bytes
        self._kept: OrderedDict[tuple[str, Path], tuple[Any, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def picture(self, path: Path, window: Window) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Pixels (height, width, bands) and where there is data."""
        pixels, valid = self._whole("picture", path)
        rows, cols = window.slices
        return np.asarray(pixels[rows, cols]), np.array(valid[rows, cols], bool)

    def mask(self, path: Path, window: Window) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Class ids as they stand in the file and confidence in [0, 1], 1 where no confidence lies beside it."""
        class_ids, valid, confidence, steps = self._whole("mask", path)
        rows, cols = window.slices
        ids = np.asarray(class_ids[rows, cols]).reshape(window.height, window.width)
        if valid is not None:
            ids = np.where(valid[rows, cols], ids, np.uint8(UNKNOWN))
        if confidence is None:
            return ids, np.ones(ids.shape, np.float32)
        sure = np.asarray(confidence[rows, cols], np.float32).reshape(ids.shape) / np.float32(steps)
        return ids, sure

    def _whole(self, kind: str, path: Path) -> tuple[Any, ...]:
        with self._lock:
            if (kind, path) in self._kept:
                self._kept.move_to_end((kind, path))
                return self._kept[kind, path]
        read = _open_picture(path) if kind == "picture" else _open_mask(path)
        with self._lock:
            self._kept[kind, path] = read
            while len(self._kept) > 1 and sum(map(_size, self._kept.values())) > self.most_bytes:
                self._kept.popitem(last=False)
        return read


@dataclass(frozen=True, eq=False)
class Collection:
    """All labelled pictures of a training, and the classes their ids mean."""

    pictures: tuple[Labelled, ...]
    class_names: tuple[str, ...]
    bands: int

    @property
    def pixel_m(self) -> float | None:
        """The middle pixel size on the ground of the pictures that lie on Earth."""
        sizes = sorted(size for each in self.pictures if (size := each.pixel_m) is not None)
        return sizes[len(sizes) // 2] if sizes else None

    def step_of(self, picture: Labelled) -> float:
        """How many of its pixels make one pixel of the model; 1 where nothing is known of the ground."""
        own, common = picture.pixel_m, self.pixel_m
        return common / own if own and common else 1.0


@dataclass
class _Names:
    """Classes by name, gathered from mask after mask."""

    names: list[str] = field(default_factory=list)
    fixed: bool = False

    def lead(self, path: Path, own: Sequence[str]) -> NDArray[np.uint8]:
        """From the ids of one mask to those of all: by name; an id without a name of its own stays the id it is."""
        to_ids = np.full(256, UNKNOWN, np.uint8)
        for own_id, name in enumerate(own):
            if name:
                to_ids[own_id] = self._id_of(path, own_id, name)
        return to_ids

    def _id_of(self, path: Path, own_id: int, name: str) -> int:
        if name in self.names:
            return self.names.index(name)
        if name == str(own_id) and own_id < len(self.names) and self.names[own_id]:
            return own_id
        if self.fixed:
            known = ", ".join(each for each in self.names if each)
            raise InputError(f"{path}: has the class {name!r}; the classes are {known}; rename it or add it to them")
        place = own_id if own_id >= len(self.names) or not self.names[own_id] else len(self.names)
        self.names += [""] * (place + 1 - len(self.names))
        self.names[place] = name
        return place


def gather_pictures(samples: Sequence[Sample], class_names: Sequence[str] = (), *, agreed: bool = False) -> Collection:
    """Open the labelled ones of `samples`; classes are `class_names`, else those of the masks, matched by name."""
    names = _Names(list(class_names), fixed=bool(class_names))
    store = Store()
    taught = [each for each in samples if each.mask_paths or any(isinstance(hint, Points) for hint in each.hints)]
    pictures = [
        _labelled(each, names, store) for each in sorted(taught, key=lambda each: (each.name, each.piece or ()))
    ]
    if not pictures:
        raise EmptyResultError("none of the pictures has a mask or points to learn from; give --masks or hints")
    _name_points(pictures, names)
    bands = _common_bands(pictures)
    pictures = [dataclasses.replace(each, bands=bands, agreed=agreed) for each in pictures]
    return Collection(tuple(pictures), tuple(names.names), bands)


def _common_bands(pictures: Sequence[Labelled]) -> int:
    """How many bands all pictures are shown with; grey ones among colours become colours."""
    found = {each.bands: each.name for each in pictures}
    if len(found) == 1 or set(found) == {1, 3}:
        return max(found)
    told = " and ".join(f"{name} has {bands}" for bands, name in sorted(found.items())[:2])
    raise InputError(f"pictures differ in bands: {told}; expected the same number in all; leave one kind out")


def fingerprint_of(samples: Sequence[Sample]) -> list[list[str]]:
    """What stands for pictures and labels in a hash: the content of all files and the points."""
    return [
        [
            each.name,
            str(each.piece),
            str(each.site),
            *(file_sha256(path) for path in (each.image_path, *each.mask_paths)),
            *(_told(hint) for hint in each.hints if isinstance(hint, Points)),
        ]
        for each in samples
    ]


def bands_of(picture: Labelled) -> Iterator[Window]:
    """Windows that cover a picture from top to bottom, few enough rows each to be held in memory."""
    width = max(picture.window.width, 1)
    yield from split(picture.window, (max(64, min(BAND_ROWS, 16_000_000 // width)), width))


def _labelled(sample: Sample, names: _Names, store: Store) -> Labelled:
    image = Image(*_open_picture(sample.image_path, keep_grid=True))
    leads = []
    for path in sample.mask_paths:
        size, own = picture_size(path), _class_names(path, tuple(names.names))
        if size != image.grid.shape:
            sizes = f"is {size[0]} x {size[1]} pixels but its picture is {image.grid.height} x {image.grid.width}"
            raise GridError(f"{path}: {sizes}; expected the same size; was one of them resized or turned?")
        leads.append(names.lead(path, own))
    return Labelled(sample, image.grid, image.pixels.shape[2], tuple(leads), store)


def _class_names(path: Path, known: tuple[str, ...]) -> tuple[str, ...]:
    """The class names of a mask by its ids: those of its story, else the ids it uses as text."""
    if story_path(path).is_file():
        return read_story(story_path(path)).classes.names
    if _is_big(path):
        return tuple(name or str(index) for index, name in enumerate(known)) or tuple(map(str, range(UNKNOWN)))
    return read_mask(path).class_names


def _name_points(pictures: Sequence[Labelled], names: _Names) -> None:
    """Ids that only points use and nothing names are called by their number."""
    used = {
        int(each)
        for one in pictures
        for hint in one.sample.hints
        if isinstance(hint, Points)
        for each in hint.class_ids
    }
    for class_id in sorted(used):
        if class_id >= len(names.names) or not names.names[class_id]:
            if names.fixed:
                raise InputError(f"points have class id {class_id}, which none of the classes has; mend the hints")
            names.names += [""] * (class_id + 1 - len(names.names))
            names.names[class_id] = str(class_id)


def _told(points: Points) -> str:
    arrays = (points.rows, points.cols, points.class_ids, points.weights)
    return hashlib.sha256(b"|".join(b"" if each is None else each.tobytes() for each in arrays)).hexdigest()


def _paint(points: Points, window: Window, class_ids: NDArray[np.uint8], confidence: NDArray[np.float32]) -> None:
    here, inside = _inside(points, window)
    class_ids[here] = points.class_ids[inside]
    confidence[here] = 1.0 if points.weights is None else np.clip(points.weights[inside], 0, 1)


def _lay(tile: Tile, window: Window, class_ids: NDArray[np.uint8], confidence: NDArray[np.float32]) -> None:
    met = window.meet(tile.window)
    if met is None:
        return
    here, there = (shift(met, each.top, each.left).slices for each in (window, tile.window))
    class_ids[here] = tile.class_ids[there]
    confidence[here] = tile.sure[there] / np.float32(CERTAIN)


def _inside(points: Points, window: Window) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], NDArray[np.bool_]]:
    """Rows and columns within the window of the points in it, and which points these are."""
    rows, cols = points.pixels
    inside = (rows >= window.top) & (rows < window.bottom) & (cols >= window.left) & (cols < window.right)
    return (rows[inside] - window.top, cols[inside] - window.left), inside


def _is_big(path: Path) -> bool:
    height, width = picture_size(path)
    return path.suffix.lower() in (".tif", ".tiff") and height * width > LAZY_PIXELS


def _open_picture(path: Path, *, keep_grid: bool = False) -> tuple[Any, ...]:
    image = read_image(path)
    return (image.pixels, image.grid, image.valid) if keep_grid else (image.pixels, image.valid)


def _open_mask(path: Path) -> tuple[Any, ...]:
    """Class ids, where they are valid, confidence and what its full confidence is, each as it can be sliced."""
    if not _is_big(path):
        mask: Mask = read_mask(path)
        return mask.class_ids, None, mask.confidence, 1.0
    rasters = rasters_module(path)
    ids, beside = rasters.open_raster(path, as_colours=False), confidence_path(path)
    sure = rasters.open_raster(beside, as_colours=False).pixels if beside.is_file() else None
    return ids.pixels, ids.valid, sure, 255.0


def _size(read: tuple[Any, ...]) -> int:
    return sum(each.nbytes for each in read if isinstance(each, np.ndarray))
