"""What stands in a COCO file, checked entry by entry; every complaint names the file and the annotation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.combine import merge
from maskwright.arrays.encode import EMPTY, Region, from_counts, text_counts
from maskwright.arrays.polygons import fill_as_coco
from maskwright.errors import FormatError, InputError
from maskwright.io.images import picture_size
from maskwright.io.names import picture_name
from maskwright.io.problems import Problems
from maskwright.io.texts import read_json

_LARGEST = 1 << 31


@dataclass(frozen=True)
class CocoPicture:
    """One entry of `images`: its name, and its size where the file gives it."""

    name: str
    size: tuple[int, int] | None
    entry: Mapping[str, Any]


@dataclass(frozen=True)
class CocoClasses:
    """Category ids as they stand in the file, and the class ids and names they became."""

    ids: Mapping[int, int]
    names: tuple[str, ...]


@dataclass(frozen=True)
class CocoFile:
    """A COCO file taken apart: pictures by image id (as text, ascending), classes, and annotations in file order."""

    path: Path
    pictures: Mapping[str, CocoPicture]
    classes: CocoClasses
    annotations: tuple[Mapping[str, Any], ...]
    info: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class CocoObject:
    """One annotation in our terms; None where the file says nothing."""

    class_id: int
    region: Region
    score: float
    area: float | None
    extent: tuple[float, float, float, float] | None
    crowd: bool
    keypoints: NDArray[np.float64] | None
    has_pixels: bool


def open_coco(path: str | Path, *, like: str | Path | None = None) -> CocoFile:
    """Take a COCO file apart. A bare list of results takes pictures and categories from the file `like`."""
    path = Path(path)
    content = read_json(path)
    if isinstance(content, list):
        return _results(path, content, like)
    if not isinstance(content, dict) or not isinstance(content.get("annotations"), list):
        raise FormatError(
            f"{path}: no list of annotations; "
            "expected a COCO file with images, annotations, categories; is it the right file?"
        )
    problems = Problems(path)
    pictures = _pictures(path, content.get("images"), problems)
    classes = _classes(path, content.get("categories"), problems)
    problems.check()
    annotations = tuple(each for each in content["annotations"] if _is_entry(path, each, problems))
    _check_unique(path, annotations, problems)
    problems.check()
    info = content.get("info")
    return CocoFile(path, pictures, classes, annotations, info if isinstance(info, dict) else {})


def read_object(entry: Mapping[str, Any], file: CocoFile, size: tuple[int, int] | None, where: str) -> CocoObject:
    """One annotation of a picture of `size` (height, width); InputError beginning with `where` when it is wrong."""
    category = entry.get("category_id")
    if not _is_whole(category) or category not in file.classes.ids:
        known = ", ".join(map(str, sorted(file.classes.ids))) or "none"
        raise InputError(f"{where}: category_id is {category!r}; expected one of {known}; add it to categories")
    extent = _extent(entry.get("bbox"), where)
    region = _region(entry, extent, size, where)
    crowd = entry.get("iscrowd", 0)
    if crowd not in (0, 1):
        raise FormatError(f"{where}: iscrowd is {crowd!r}; expected 0 or 1; correct it")
    return CocoObject(
        file.classes.ids[category],
        EMPTY if region is None else region,
        _number(entry, "score", where, 1.0),
        _number(entry, "area", where, None),
        extent,
        bool(crowd),
        _keypoints(entry.get("keypoints"), where),
        region is not None,
    )


def place_of(path: Path, index: int, entry: Mapping[str, Any]) -> str:
    """How messages call an annotation: by its id, or by its place where it has none."""
    return f"{path}: annotation {entry['id']}" if "id" in entry else f"{path}: annotation number {index + 1}"


def _results(path: Path, content: list[Any], like: str | Path | None) -> CocoFile:
    problems = Problems(path)
    entries = tuple(each for each in content if _is_entry(path, each, problems))
    problems.check()
    if like is not None:
        truth = open_coco(like)
        return CocoFile(path, truth.pictures, truth.classes, entries, {})
    keys = sorted({str(each.get("image_id")) for each in entries}, key=_id_order)
    pictures = {key: CocoPicture(key, None, {}) for key in keys}
    categories = sorted({each["category_id"] for each in entries if _is_whole(each.get("category_id"))})
    return CocoFile(path, pictures, _numbered(path, {each: str(each) for each in categories}), entries, {})


def _is_entry(path: Path, entry: Any, problems: Problems) -> bool:
    if isinstance(entry, dict):
        return True
    problems.add(
        FormatError(f"{path}: an annotation is {str(entry)[:40]!r}; expected an object with image_id; correct it")
    )
    return False


def _check_unique(path: Path, annotations: tuple[Mapping[str, Any], ...], problems: Problems) -> None:
    seen: set[str] = set()
    for entry in annotations:
        if "id" not in entry:
            continue
        if str(entry["id"]) in seen:
            problems.add(FormatError(f"{path}: annotation {entry['id']}: its id occurs twice; give each its own id"))
        seen.add(str(entry["id"]))


def _pictures(path: Path, entries: Any, problems: Problems) -> dict[str, CocoPicture]:
    if not isinstance(entries, list):
        raise FormatError(
            f"{path}: no list of images; "
            "expected a COCO file with images, annotations, categories; is it the right file?"
        )
    pictures: dict[str, CocoPicture] = {}
    names: dict[str, str] = {}
    for entry in entries:
        if not isinstance(entry, dict) or "id" not in entry or not isinstance(entry.get("file_name"), str):
            problems.add(FormatError(f"{path}: an image is {str(entry)[:60]!r}; expected id and file_name; add them"))
            continue
        key, name = str(entry["id"]), picture_name(entry["file_name"])
        if key in pictures or name in names:
            what = f"image id {key}" if key in pictures else f"picture name {name!r}"
            problems.add(FormatError(f"{path}: {what} occurs twice; give each image its own id and name"))
            continue
        pictures[key] = CocoPicture(name, _size(path, entry, problems), entry)
        names[name] = key
    return {key: pictures[key] for key in sorted(pictures, key=_id_order)}


def _size(path: Path, entry: Mapping[str, Any], problems: Problems) -> tuple[int, int] | None:
    size = entry.get("height"), entry.get("width")
    if size == (None, None):
        return None
    height, width = size
    if _is_whole(height) and _is_whole(width) and 0 < height < _LARGEST and 0 < width < _LARGEST:
        return height, width
    problems.add(
        FormatError(
            f"{path}: image {entry['id']} is {height!r} x {width!r}; expected whole pixels; write both height and width"
        )
    )
    return None


def _classes(path: Path, entries: Any, problems: Problems) -> CocoClasses:
    names: dict[int, str] = {}
    for entry in entries if isinstance(entries, list) else []:
        if not isinstance(entry, dict) or not _is_whole(entry.get("id")) or not isinstance(entry.get("name"), str):
            problems.add(
                FormatError(f"{path}: a category is {str(entry)[:60]!r}; expected a whole id and a name; correct it")
            )
        elif entry["id"] in names or entry["name"] in names.values():
            problems.add(FormatError(f"{path}: category {entry['id']} ({entry['name']}) occurs twice; remove one"))
        else:
            names[entry["id"]] = entry["name"]
    return _numbered(path, names)


def _numbered(path: Path, names: Mapping[int, str]) -> CocoClasses:
    """Category ids from 0 to 254 stay; where one does not fit, all are numbered from 1 in ascending order."""
    if len(names) > 254:
        raise InputError(f"{path}: {len(names)} categories; at most 254 fit into a mask; keep the ones you need")
    fits = all(0 <= each <= 254 for each in names)
    ids = {each: each if fits else place for place, each in enumerate(sorted(names), start=1)}
    table = [""] * (max(ids.values(), default=-1) + 1)
    for each, name in names.items():
        table[ids[each]] = name
    return CocoClasses(ids, tuple(table))


def _region(
    entry: Mapping[str, Any], extent: tuple[float, ...] | None, size: tuple[int, int] | None, where: str
) -> Region | None:
    shape = entry.get("segmentation")
    if isinstance(shape, dict):
        return _run_lengths(shape, size, where)
    if shape in (None, []):
        return None if extent is None or size is None else _rectangle(extent, size)
    if not isinstance(shape, list):
        raise FormatError(f"{where}: segmentation is {str(shape)[:40]!r}; expected polygons or run lengths; correct it")
    if size is None:
        raise InputError(f"{where}: the size of its picture is not known; give height and width in images")
    polygons = [_polygon(each, where) for each in (shape if isinstance(shape[0], list) else [shape])]
    regions = [fill_as_coco(each, *size) for each in polygons]
    return regions[0] if len(regions) == 1 else merge(regions)


def _polygon(values: Any, where: str) -> NDArray[np.float64]:
    numbers = isinstance(values, list) and all(_is_number(each) for each in values)
    if not numbers or len(values) < 6 or len(values) % 2 or max(map(abs, values)) > 1e8:
        raise FormatError(
            f"{where}: a polygon is {str(values)[:40]}; expected x, y of at least three vertices; correct or remove it"
        )
    return np.array(values, np.float64).reshape(-1, 2)[:, ::-1]


def _rectangle(extent: tuple[float, ...], size: tuple[int, int]) -> Region:
    top, left, height, width = extent
    bottom, right = top + height, left + width
    return fill_as_coco([(top, left), (bottom, left), (bottom, right), (top, right)], *size)


def _run_lengths(shape: Mapping[str, Any], size: tuple[int, int] | None, where: str) -> Region:
    given, counts = shape.get("size"), shape.get("counts")
    if not isinstance(given, list) or len(given) != 2 or not all(_is_whole(each) and each > 0 for each in given):
        raise FormatError(f"{where}: the size of its run lengths is {given!r}; expected [height, width]; correct it")
    if size is not None and tuple(given) != size:
        raise FormatError(
            f"{where}: its run lengths fill {given[0]} x {given[1]} pixels and its picture is {size[0]} x {size[1]}; "
            "expected the same size; were height and width swapped?"
        )
    if not isinstance(counts, str) and not (isinstance(counts, list) and all(_is_whole(each) for each in counts)):
        raise FormatError(
            f"{where}: counts are {str(counts)[:40]!r}; expected a list of whole numbers or a text; correct it"
        )
    try:
        return from_counts(text_counts(counts) if isinstance(counts, str) else counts, *given)
    except (ValueError, OverflowError) as error:
        raise FormatError(f"{where}: {error}; was the annotation cut off?") from error


def _extent(box: Any, where: str) -> tuple[float, float, float, float] | None:
    if box in (None, []):
        return None
    if not isinstance(box, list) or len(box) != 4 or not all(_is_number(each) and abs(each) <= 1e8 for each in box):
        raise FormatError(f"{where}: bbox is {str(box)[:60]}; expected four numbers x, y, width, height; correct it")
    x, y, width, height = map(float, box)
    if min(width, height) < 0:
        raise FormatError(
            f"{where}: bbox is {width} x {height}; expected x, y, width, height, none below 0; correct it"
        )
    return y, x, height, width


def _keypoints(values: Any, where: str) -> NDArray[np.float64] | None:
    if values is None:
        return None
    if not isinstance(values, list) or len(values) % 3:
        found = f"{len(values)} numbers" if isinstance(values, list) else str(values)[:40]
        raise FormatError(f"{where}: keypoints are {found}; expected x, y, visibility for each joint; write all three")
    table = []
    for number, place in enumerate(zip(values[::3], values[1::3], values[2::3], strict=True), 1):
        *at, seen = place
        is_nowhere = any(each is None or (isinstance(each, float) and math.isnan(each)) for each in at)
        if not _is_number(seen) or not (is_nowhere or all(map(_is_number, at))):
            said = ", ".join(str(each)[:20] for each in place)
            raise FormatError(
                f"{where}: keypoint {number} is {said}; expected the numbers x, y, visibility; write 0, 0, 0 for a "
                "joint that is not seen"
            )
        table.append((0.0, 0.0, 0.0) if is_nowhere else place)
    return np.array(table, np.float64).reshape(-1, 3)[:, [1, 0, 2]]


def _number(entry: Mapping[str, Any], key: str, where: str, default: Any) -> Any:
    value = entry.get(key)
    if value is None:
        return default
    if not _is_number(value):
        raise FormatError(f"{where}: {key} is {value!r}; expected a number; correct it")
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 62


def _id_order(key: str) -> tuple[int, int, str]:
    return (0, int(key), "") if key.lstrip("-").isdecimal() else (1, 0, key)


def _size_on_disk(path: Path) -> tuple[int, int] | None:
    """How big a picture is; None where it cannot be read, which is its own failure and not that of the whole file."""
    try:
        return picture_size(path)
    except FormatError:
        return None


def size_finder(
    file: CocoFile, pictures: Mapping[str, Path] | None
) -> Callable[[CocoPicture, list[Mapping[str, Any]]], tuple[int, int] | None]:
    """How big a picture is: as the file says, as its run lengths say, or as the picture itself says."""

    def find(picture: CocoPicture, entries: list[Mapping[str, Any]]) -> tuple[int, int] | None:
        true_size = _size_on_disk(pictures[picture.name]) if pictures and picture.name in pictures else None
        if true_size and picture.size and true_size != picture.size:
            raise InputError(
                f"{file.path}: picture {picture.name!r} is {picture.size[0]} x {picture.size[1]} there and "
                f"{true_size[0]} x {true_size[1]} on disk; expected the same size; is it another picture?"
            )
        if true_size or picture.size:
            return true_size or picture.size
        for entry in entries:
            shape = entry.get("segmentation")
            size = shape.get("size") if isinstance(shape, dict) else None
            if isinstance(size, list) and len(size) == 2 and all(_is_whole(each) and each > 0 for each in size):
                return int(size[0]), int(size[1])
        return None

    return find
