"""Hints of any kind from one file or folder, told apart by what they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from maskwright.errors import FormatError, GridError, InputError
from maskwright.io.classes import Classes
from maskwright.io.images import picture_grid
from maskwright.io.keypoints import read_keypoint_instances, read_keypoints
from maskwright.io.masks import MASK_SUFFIXES, MaskFolder, own_classes, read_mask
from maskwright.io.names import known_picture
from maskwright.io.point_features import FEATURE_SUFFIXES
from maskwright.io.points import points_classes, read_points
from maskwright.io.regrid import Crossing, boxes_meet, locate
from maskwright.io.surveys import holds_survey, read_surveys, survey_classes
from maskwright.io.tables import read_table
from maskwright.io.tags import holds_tags, known_tags, read_tags
from maskwright.io.texts import read_json
from maskwright.types import Grid, Hint, ScoreMap, Survey


@dataclass(frozen=True)
class Hints:
    """What a file says by picture name, and the class names it speaks of (sorted)."""

    by_picture: Mapping[str, Sequence[Hint]] = field(default_factory=dict)
    mask_paths: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    class_names: tuple[str, ...] = ()
    classes: Classes | None = None


def hint_kind(path: str | Path) -> str:
    """points, tags, keypoints, instances, survey, masks (a folder) or mask (one raster for all pictures)."""
    path = Path(path)
    suffix = path.suffix.lower()
    if holds_survey(path):
        return "survey"
    if path.is_dir():
        return "tags" if (path / "present").is_dir() or (path / "absent").is_dir() else "masks"
    if suffix in FEATURE_SUFFIXES:
        return "points"
    if suffix in (".h5", ".hdf5", ".slp"):
        return "keypoints"
    if suffix in MASK_SUFFIXES:
        return "mask"
    return _json_kind(path) if suffix == ".json" else _table_kind(path)


def read_hints(
    path: str | Path, classes: Classes | None = None, *, pictures: Mapping[str, Path] | None = None
) -> Hints:
    """Read hints of any kind: points, tags, keypoints, instances, surveys, a folder of masks or one class raster.

    Masks stay on disk and come as `mask_paths`; one class raster is given to every picture, a survey whole to each
    that it reaches. With `pictures` every picture a table speaks of must be one of them.
    """
    kind = hint_kind(path)
    if kind == "points":
        found = read_points(path, classes, pictures=pictures)
        return Hints({name: (each,) for name, each in found.items()}, class_names=points_classes(path))
    if kind == "tags":
        tags = read_tags(path, pictures=pictures)
        names = {name for each in tags.values() for name in known_tags(each)}
        return Hints({name: (each,) for name, each in tags.items()}, class_names=tuple(sorted(names)))
    if kind == "survey":
        return _surveys(path, classes, pictures)
    if kind == "keypoints":
        return _keypoints(path, pictures)
    if kind == "instances":
        return _instances(path, pictures)
    return _masks(Path(path), kind, classes, pictures)


def _surveys(path: str | Path, classes: Classes | None, pictures: Mapping[str, Path] | None) -> Hints:
    """A survey is given whole to every picture that it reaches: what lies beside a picture still counts for it."""
    surveys = read_surveys(path, classes)
    names = survey_classes(surveys)
    grids = {name: picture_grid(each) for name, each in (pictures or {}).items()}
    if grids and all(each.transform is None or each.crs is None for each in grids.values()):
        first = next(iter(grids))
        raise GridError(
            f"{path}: lies on Earth, but {first} has no place; expected GeoTIFF pictures; georeference them"
        )
    return Hints({name: surveys for name, grid in grids.items() if _reaches(surveys, grid)}, class_names=names)


def _reaches(surveys: Sequence[Survey | ScoreMap], grid: Grid) -> bool:
    if grid.transform is None or grid.crs is None:
        return False
    return any(
        Crossing(grid, each.grid).meets
        if isinstance(each, ScoreMap)
        else boxes_meet(*locate(grid, each.latitude, each.longitude), grid)
        for each in surveys
    )


def _keypoints(path: str | Path, pictures: Mapping[str, Path] | None) -> Hints:
    by_picture: dict[str, list[Hint]] = {}
    for name, animals in read_keypoints(path, pictures=pictures).items():
        by_picture[name] = list(animals)
    if Path(path).suffix.lower() == ".json":
        for name, objects in read_keypoint_instances(path, pictures=pictures).items():
            by_picture.setdefault(name, []).append(objects)
    return Hints(by_picture)


def _instances(path: str | Path, pictures: Mapping[str, Path] | None) -> Hints:
    from maskwright.io.coco import read_instances

    found = {known_picture(name, pictures, str(path)): each for name, each in read_instances(path).items()}
    names = {name for each in found.values() for name in each.class_names if name}
    tables = [Classes(each.class_names) for each in found.values()]
    if names and any(each.names != tables[0].names for each in tables):
        raise FormatError(f"{path}: its pictures have different classes; expected one list; split the file")
    return Hints({name: (each,) for name, each in found.items()}, classes=tables[0] if tables else None)


def _masks(path: Path, kind: str, classes: Classes | None, pictures: Mapping[str, Path] | None) -> Hints:
    if kind == "mask":
        if classes is None:
            classes = own_classes(path) or Classes(read_mask(path).class_names)
        return Hints(mask_paths=dict.fromkeys(pictures or (), (path,)), classes=classes)
    folder = MaskFolder(path)
    names = folder.names()
    if not names:
        raise InputError(f"{path}: holds no masks and no folders present/ and absent/; expected hints; check the path")
    return Hints(
        mask_paths={known_picture(name, pictures, str(path)): (folder.path_of(name),) for name in names},
        classes=Classes(folder.read(names[0]).class_names),
    )


def _json_kind(path: Path) -> str:
    value = read_json(path)
    if isinstance(value, dict) and value.get("type") == "FeatureCollection":
        return "points"
    notes: Any = value.get("annotations") if isinstance(value, dict) else None
    if not isinstance(notes, list):
        raise FormatError(f"{path}: no list of annotations; expected a COCO file or GeoJSON; is it the right file?")
    keys = {key for each in notes if isinstance(each, dict) for key, value in each.items() if value}
    for key, kind in (("keypoints", "keypoints"), ("point", "points"), ("segmentation", "instances")):
        if key in keys:
            return kind
    raise FormatError(f"{path}: no annotation has keypoints, a point or a segmentation; expected one of them; add it")


def _table_kind(path: Path) -> str:
    header = read_table(path).header()
    if holds_tags(header):
        return "tags"
    is_pose = bool(header) and (header[0] in ("scorer", "individuals", "bodyparts") or "coords" in header)
    return "keypoints" if is_pose else "points"
