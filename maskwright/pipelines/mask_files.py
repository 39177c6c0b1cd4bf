"""Where masks lie, by name; and their class ids by windows, so that a raster larger than memory can be walked over."""

from __future__ import annotations

import glob
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.windows import Window
from maskwright.errors import EmptyResultError, InputError
from maskwright.io.classes import Classes
from maskwright.io.masks import check_ids, read_mask, read_story, story_path
from maskwright.io.names import natural_order, picture_name
from maskwright.types import UNKNOWN, Grid, Image, Mask, named_classes

MASK_SUFFIXES = (".png", ".tif", ".tiff")
LARGE_PIXELS = 1 << 25
"""A TIFF of more pixels than this (33 million) stays in its file and is read by windows."""
BAND_PIXELS = 1 << 23
_MAGIC = frozenset("*?[")


def find_masks(masks: str | Path, only: Collection[str] | None = None) -> dict[str, Path]:
    """Name to path of the masks a folder, a file or a glob means, in natural order; with `only`, of those named there.

    Confidences and hidden files are no masks. Two masks of one name are an InputError naming both, a place that is
    not there is one too; none at all is an EmptyResultError.
    """
    place = Path(masks)
    found: dict[str, Path] = {}
    for path in sorted(_candidates(place), key=lambda each: natural_order(each.as_posix())):
        name = picture_name(path)
        if only is not None and name not in only:
            continue
        if name in found:
            raise InputError(f"two masks are called {name!r}: {found[name]} and {path}; rename one or name one folder")
        found[name] = path
    if not found:
        raise EmptyResultError(f"no mask lies in {place}; expected .png or .tif files of class ids; check the folder")
    return found


def _candidates(place: Path) -> list[Path]:
    if place.is_dir():
        return [each for each in place.iterdir() if _is_mask(each)]
    if place.is_file():
        return [place]
    if _MAGIC & set(str(place)):
        matches = glob.glob(str(place), recursive=True)  # noqa: PTH207 - an absolute pattern is welcome too
        return [path for each in matches if _is_mask(path := Path(each))]
    raise InputError(f"{place}: nothing is there; expected a folder of masks, a mask or a glob; check the path")


def _is_mask(path: Path) -> bool:
    hidden = path.name.startswith(".")
    return path.suffix.lower() in MASK_SUFFIXES and not hidden and ".confidence." not in path.name and path.is_file()


@dataclass(frozen=True)
class MaskFile:
    """A mask on disk whose ids mean `classes`; without them its story says what they mean, else the ids are names."""

    path: Path
    classes: Classes | None = None

    @cached_property
    def own_classes(self) -> Classes | None:
        """The classes of the story beside it, or None where there is no story."""
        path = story_path(self.path)
        return read_story(path).classes if path.is_file() else None

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """What the story beside it calls the ids, or None where there is no story."""
        return None if self.own_classes is None else self.own_classes.names

    @property
    def grid(self) -> Grid:
        return self._mask.grid if self._raster is None else self._raster.grid

    def crop(self, window: Window) -> Mask:
        """The ids, and the confidence of a mask held in memory, inside a window."""
        rows, cols = window.slices
        if self._raster is None:
            whole = self._mask
            confidence = None if whole.confidence is None else whole.confidence[rows, cols]
            return Mask(whole.class_ids[rows, cols], whole.class_names, whole.grid.crop(window), confidence)
        part = self._raster.crop(window)
        ids = np.where(part.valid, np.asarray(part.pixels)[..., 0], np.uint8(UNKNOWN))
        names = self._names(ids)
        check_ids(self.path, ids, Classes(names))
        return Mask(ids, names, part.grid)

    def bands(self) -> Iterator[Mask]:
        """The whole mask, in bands of rows of at most 8 million pixels."""
        grid = self.grid
        step = max(1, BAND_PIXELS // grid.width)
        for top in range(0, grid.height, step):
            yield self.crop(Window(top, 0, min(top + step, grid.height), grid.width))

    def thinned(self, most: int) -> NDArray[np.uint8]:
        """Every n-th row and column of the ids, so that no side is much longer than `most`."""
        step = max(1, max(self.grid.shape) // most)
        rows = range(0, self.grid.height, step)
        if step == 1:
            return self.crop(self.grid.window).class_ids
        one = [self.crop(Window(row, 0, row + 1, self.grid.width)).class_ids[:, ::step] for row in rows]
        return np.concatenate(one)

    def used_ids(self) -> set[int]:
        """The ids that occur, UNKNOWN left out."""
        return {int(each) for band in self.bands() for each in np.unique(band.class_ids)} - {UNKNOWN}

    @cached_property
    def _raster(self) -> Image | None:
        """The file as a raster, where it is too large to hold and one band of uint8."""
        if self.path.suffix.lower() not in (".tif", ".tiff"):
            return None
        from maskwright.io.images import picture_size

        height, width = picture_size(self.path)
        if height * width <= LARGE_PIXELS:
            return None
        from maskwright.io.rasters import open_raster

        raster = open_raster(self.path, as_colours=False)
        return raster if raster.pixels.shape[2] == 1 and raster.pixels.dtype == np.uint8 else None

    @cached_property
    def _mask(self) -> Mask:
        own = self.class_names is not None
        return read_mask(self.path, None if own else self.classes)

    def _names(self, ids: NDArray[np.uint8]) -> tuple[str, ...]:
        if self.class_names is not None:
            return self.class_names
        if self.classes is not None:
            return self.classes.names
        used = set(np.unique(ids).tolist()) - {UNKNOWN}
        return tuple(str(each) if each in used else "" for each in range(max(used, default=-1) + 1))


def renamed(mask: Mask, class_names: tuple[str, ...], where: str) -> Mask:
    """The mask with ids that mean `class_names`; a class that is not among them and occurs is an InputError."""
    if mask.class_names == class_names:
        return mask
    ids_of = {name: class_id for class_id, name in named_classes(class_names).items()}
    table = np.full(256, UNKNOWN, np.uint8)
    used = np.bincount(mask.class_ids.ravel(), minlength=256)
    for class_id, name in named_classes(mask.class_names).items():
        if name in ids_of:
            table[class_id] = ids_of[name]
        elif used[class_id]:
            known = ", ".join(ids_of)
            raise InputError(f"{where}: has the class {name!r}; expected one of {known}; add it to the classes")
    return Mask(table[mask.class_ids], class_names, mask.grid, mask.confidence, mask.history)


def on_shared_classes(
    files: Mapping[str, MaskFile], others: Mapping[str, MaskFile], classes: Classes | None = None
) -> tuple[dict[str, MaskFile], dict[str, MaskFile], Classes]:
    """Two sets of masks and the classes they are compared by: `classes`, else those of all stories together.

    `files` give the ids where they can. Masks without a story are read by the classes of the others; where nobody has
    a story the ids that occur are the names.
    """
    classes = classes or _shared(list(files.values()), list(others.values()))
    ours, theirs = ({name: MaskFile(each.path, classes) for name, each in side.items()} for side in (files, others))
    return ours, theirs, classes


def _shared(files: list[MaskFile], others: list[MaskFile]) -> Classes:
    told = [each.own_classes for each in (*files, *others) if each.own_classes is not None]
    if told:
        return _union(told)
    used = set().union(*(each.used_ids() for each in (*files, *others)))
    return Classes(tuple(str(each) if each in used else "" for each in range(max(used, default=-1) + 1)))


def _union(told: list[Classes]) -> Classes:
    """The classes of several masks in one table: the first keeps its ids, new names take the first id nobody uses."""
    names, colors = list(told[0].names), list(told[0].colors)
    for classes in dict.fromkeys(told):
        for name, color in zip(classes.names, classes.colors, strict=True):
            if name and name not in names:
                free = next((place for place in range(1, len(names)) if not names[place]), len(names))
                names[free : free + 1], colors[free : free + 1] = [name], [color]
    return Classes(tuple(names), tuple(colors))


def read_sites(path: str | Path) -> dict[str, str]:
    """Picture name to site, from a CSV with the columns image and site."""
    from maskwright.io.tables import read_table

    table = read_table(path)
    rows = table.records(table.columns(["image", "site"]))
    return {picture_name(cells["image"]): cells["site"] for _, cells in rows if cells["site"]}
