"""The store of masks: NAME.png (class ids, coloured by its palette), NAME.json its story, NAME.confidence.png."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.likely import confidence_bytes
from maskwright.errors import GridError, InputError, UnknownNameError
from maskwright.io.classes import Classes
from maskwright.io.mask_pixels import read_class_ids, read_confidence
from maskwright.io.names import natural_order
from maskwright.io.outputs import clear_temporary, is_temporary, write_atomically
from maskwright.io.png import png_bytes
from maskwright.io.stories import Story, read_story, story_of, story_path, write_story
from maskwright.types import UNKNOWN, Grid, Mask

__all__ = [
    "MaskFolder", "Story", "check_ids", "confidence_path", "own_classes", "read_mask", "read_mask_in", "read_story",
    "renamed_ids", "same_grid", "story_path", "write_atomically", "write_mask", "write_story",
]  # fmt: skip

MASK_SUFFIXES = (".png", ".tif", ".tiff")
_CONFIDENCE = ".confidence"


def confidence_path(mask_path: str | Path) -> Path:
    """Where the confidence of a mask lies: NAME.confidence.png beside NAME.png, .tif beside .tif.

    >>> confidence_path("out/reef.v2.png").as_posix()
    'out/reef.v2.confidence.png'
    """
    path = Path(mask_path)
    return path.with_name(f"{path.stem}{_CONFIDENCE}{path.suffix}")


def read_mask(path: str | Path, classes: Classes | None = None, *, grid: Grid | None = None) -> Mask:
    """Read a mask with its confidence, and its history where a story lies beside it.

    Class ids come from indexed, grey 8-bit and grey 16-bit PNG, from GeoTIFF, or from RGB files whose colours are
    exactly those of the classes; 255 (in a TIFF also nodata, in an RGBA file alpha 0) is UNKNOWN. Class names come
    from `classes`, else from the story or the tags of a TIFF, else they are the ids as text. With `grid`, its
    picture's, a mask of another size or place is a GridError, and a mask without a place takes it. Confidence is
    float32 in steps of 1/255.
    """
    path = Path(path)
    story = read_story(story_path(path)) if story_path(path).is_file() else None
    if classes is None:
        classes = own_classes(path) if story is None else story.classes
    class_ids, own_grid = read_class_ids(path, classes)
    if classes is None:
        used = set(np.unique(class_ids).tolist()) - {UNKNOWN}
        classes = Classes(tuple(str(i) if i in used else "" for i in range(max(used, default=-1) + 1)))
    check_ids(path, class_ids, classes)
    if own_grid.transform is None and own_grid.crs is None and story is not None and story.grid is not None:
        own_grid = same_grid(path, own_grid, story.grid)
    if grid is not None:
        own_grid = same_grid(path, own_grid, grid)
    confidence = read_confidence(confidence_path(path), own_grid) if confidence_path(path).is_file() else None
    return Mask(class_ids, classes.names, own_grid, confidence, () if story is None else story.steps)


def own_classes(path: str | Path) -> Classes | None:
    """The classes a mask file names itself: in the story beside it, or in TIFF tags called 1, 2, ...; else None."""
    path = Path(path)
    if story_path(path).is_file():
        return read_story(story_path(path)).classes
    if path.suffix.lower() not in (".tif", ".tiff"):
        return None
    from maskwright.io.images import rasters_module

    tags = {int(key): name for key, name in rasters_module(path).raster_tags(path).items() if key.isdecimal()}
    named = {class_id: name.strip() for class_id, name in tags.items() if class_id < UNKNOWN and name.strip()}
    if not named:
        return None
    return Classes(tuple(named.get(class_id, "") for class_id in range(max(named) + 1)))


def read_mask_in(path: str | Path, classes: Classes) -> Mask:
    """Read a mask in the ids of `classes`: matched by name where the file names its classes, else as they are."""
    own = own_classes(path)
    if own is None or own.names == classes.names:
        return read_mask(path, classes)
    mask = read_mask(path, own)
    class_ids = renamed_ids(mask.class_ids, own.names, classes.names, str(path))
    return Mask(class_ids, classes.names, mask.grid, mask.confidence, mask.history)


def write_mask(
    path: str | Path,
    mask: Mask,
    *,
    colors: tuple[str, ...] | None = None,
    image: Mapping[str, Any] | None = None,
    versions: Mapping[str, str] | None = None,
    before: Story | None = None,
) -> None:
    """Write a mask as NAME.png or NAME.tif, with its story and its confidence, each file whole or not at all.

    The mask itself comes last, so where it lies everything lies. `image` is {"path", "sha256"} of the picture;
    `before` the story of the mask it was made from, whose versions stay with its steps. The same mask gives the same
    bytes. A confidence that lay there before goes when the new mask has none: it spoke of other pixels.
    """
    path = Path(path)
    if path.suffix.lower() not in MASK_SUFFIXES:
        raise InputError(f"{path}: a mask is written as .png or .tif; expected one of these; rename it")
    classes = Classes(mask.class_names, colors or ())
    check_ids(path, mask.class_ids, classes)
    write_story(story_path(path), story_of(mask, classes=classes, image=image, versions=versions, before=before))
    if mask.confidence is None:
        confidence_path(path).unlink(missing_ok=True)
    else:
        _write_bytes(confidence_path(path), confidence_bytes(mask.confidence), mask.grid, None)
    _write_bytes(path, mask.class_ids, mask.grid, classes)


def check_ids(path: str | Path, class_ids: NDArray[np.uint8], classes: Classes) -> None:
    """Refuse ids that no class has; UNKNOWN is always one."""
    count = len(classes.named)
    if class_ids.size and count and max(classes.named) < count and (class_ids + np.uint8(1)).max() <= count:
        return  # no class is missing below the highest id, and UNKNOWN + 1 is 0
    if others := class_ids.tobytes().translate(None, bytes([*classes.named, UNKNOWN])):  # quicker than any count
        counts = np.bincount(np.frombuffer(others, np.uint8), minlength=256)
        strange = np.flatnonzero(counts).tolist()
        found = ", ".join(f"{i} ({counts[i]} pixels)" for i in strange[:5]) + (", ..." if len(strange) > 5 else "")
        known = ", ".join(f"{i} {name}" for i, name in classes.named.items()) or "none"
        raise InputError(f"{path}: has the ids {found}; expected those of the classes ({known}) or 255; add them")


def _present(class_ids: NDArray[np.uint8]) -> list[int]:
    """The ids that occur, ascending; several times quicker than counting them."""
    seen = np.zeros(256, bool)
    seen[class_ids] = True
    return np.flatnonzero(seen).tolist()


def same_grid(path: str | Path, own: Grid, grid: Grid) -> Grid:
    """`grid`, if a mask on `own` can lie on it; else a GridError that tells both."""
    if own.shape != grid.shape:
        sizes = f"is {own.height} x {own.width} pixels but its picture is {grid.height} x {grid.width}"
        raise GridError(f"{path}: {sizes}; expected the same size; was one of them resized or turned?")
    if own.transform is None or grid.transform is None:
        return grid if grid.transform is not None else own
    corners = np.array([[0, 0], [0, own.width - 1], [own.height - 1, 0]], float)
    apart = np.hypot(*(np.subtract(a, b) for a, b in zip(own.place(*corners.T), grid.place(*corners.T), strict=True)))
    if apart.max() > 0.01 * min(grid.pixel_size):
        raise GridError(f"{path}: lies {apart.max():.6g} units beside its picture; expected the same place; align them")
    return grid


def renamed_ids(
    class_ids: NDArray[np.uint8], own: tuple[str, ...], class_names: tuple[str, ...], where: str = "the mask"
) -> NDArray[np.uint8]:
    """Ids of the classes `own` with the ids that `class_names` give them, matched by name.

    An id that has no name, or a name that `class_names` lack, is an error.

    >>> renamed_ids(np.array([[1, 2, 255]], np.uint8), ("", "sand", "coral"), ("coral", "sand"))
    array([[  1,   0, 255]], dtype=uint8)
    """
    table = np.full(256, UNKNOWN, np.uint8)
    for class_id in _present(class_ids):
        if class_id == UNKNOWN:
            continue
        name = own[class_id] if class_id < len(own) else ""
        if not name:
            raise InputError(f"{where} has the id {class_id}, which no class has; expected only named ones; name it")
        if name not in class_names:
            raise UnknownNameError("class", name, class_names, where=where)
        table[class_id] = class_names.index(name)
    return class_ids if own == class_names else table[class_ids]


@dataclass(frozen=True)
class MaskFolder:
    """A folder of masks, by name. What a killed writer left there is not a mask, and `clear` removes it."""

    path: Path

    def __init__(self, path: str | Path) -> None:
        object.__setattr__(self, "path", Path(path))

    def names(self) -> list[str]:
        """The names of all masks, in natural order; a folder that is not there has none."""
        return sorted(self._files(), key=natural_order)

    def path_of(self, name: str, grid: Grid | None = None) -> Path:
        """Where the mask of a picture lies, or will lie: NAME.tif for pictures on Earth, else NAME.png."""
        if name.endswith(_CONFIDENCE):
            raise InputError(
                f"a picture is called {name!r}; expected a name that does not end in .confidence; rename it"
            )
        for suffix in MASK_SUFFIXES:
            if (self.path / f"{name}{suffix}").is_file():
                return self.path / f"{name}{suffix}"
        is_on_earth = grid is not None and (grid.transform is not None or grid.crs is not None)
        return self.path / f"{name}{'.tif' if is_on_earth else '.png'}"

    def read(self, name: str, classes: Classes | None = None, *, grid: Grid | None = None) -> Mask:
        """Read a mask by name."""
        files = self._files()
        if name not in files:
            raise UnknownNameError("mask", name, files, where=str(self.path))
        return read_mask(files[name], classes, grid=grid)

    def story(self, name: str) -> Story:
        """Read the story of a mask by name."""
        return read_story(story_path(self.path_of(name)))

    def clear(self) -> int:
        """Remove half files of writers that were killed; gives how many. Call it before writing begins."""
        return clear_temporary(self.path) if self.path.is_dir() else 0

    def _files(self) -> dict[str, Path]:
        files: dict[str, Path] = {}
        for path in sorted(self.path.iterdir()) if self.path.is_dir() else ():
            if path.suffix.lower() not in MASK_SUFFIXES or path.name.startswith(".") or is_temporary(path):
                continue
            if path.stem.endswith(_CONFIDENCE) or not path.is_file():
                continue
            if path.stem in files:
                both = f"{files[path.stem].name} and {path.name}"
                raise InputError(f"{self.path}: holds {both}; expected one mask per name; move one away")
            files[path.stem] = path
        return files


def _write_bytes(path: Path, values: NDArray[np.uint8], grid: Grid, classes: Classes | None) -> None:
    if path.suffix.lower() == ".png":
        write_atomically(path, png_bytes(values, None if classes is None else classes.palette()))
        return
    from maskwright.io.images import rasters_module

    rasters = rasters_module(path)
    nodata = UNKNOWN if classes is not None else None
    rasters.write_raster(path, values, grid, nodata=nodata, colors=None if classes is None else classes.palette())
