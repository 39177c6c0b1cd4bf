"""Objects in COCO files: instances with run lengths both ways, polygons as COCO's tools fill them, results, keypoints.

Not covered: `ignore` flags, captions, keypoint skeletons (see io/keypoints), one point per object (see io/points).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.arrays.encode import counts_text, to_counts
from maskwright.arrays.objects import Objects
from maskwright.errors import InputError
from maskwright.io.coco_entries import CocoFile, CocoObject, CocoPicture, open_coco, place_of, read_object, size_finder
from maskwright.io.outputs import write_atomically
from maskwright.io.problems import Problems
from maskwright.io.stories import plain, step_dict, step_of_dict
from maskwright.types import Grid, Instances, Step, named_classes


def read_instances(
    path: str | Path, pictures: Mapping[str, Path] | None = None, *, like: str | Path | None = None
) -> dict[str, Instances]:
    """The objects of every picture of a COCO file, by picture name, in the order of image ids.

    Pictures without objects are there too. A bare list of results takes its pictures and categories from the COCO
    file `like`. With `pictures` (name to path) every name must be among them, and sizes are checked. Category ids
    0..254 stay class ids. An annotation with only a box becomes its rectangle; crowds, areas, boxes and scores stay.
    """
    return instances_of(open_coco(path, like=like), pictures)


def instances_of(file: CocoFile, pictures: Mapping[str, Path] | None = None) -> dict[str, Instances]:
    """The objects of a COCO file that is already taken apart, as `read_instances` gives them."""
    _check_known(file, pictures)
    problems = Problems(file.path)
    result: dict[str, Instances] = {}
    find_size = size_finder(file, pictures)
    for picture, entries in _by_picture(file, problems):
        size = find_size(picture, [entry for _, entry in entries])
        objects = _objects(file, size, entries, problems, needs_pixels=True)
        if size is None:
            problems.add(InputError(f"{file.path}: image {picture.name!r} has no size; give its height and width"))
        elif len(objects) == len(entries):
            result[picture.name] = _instances(file, picture, size, objects)
    problems.check()
    return result


def read_objects(path: str | Path, *, like: str | Path | None = None) -> dict[str, Objects]:
    """The same objects as arrays for scoring, with boxes and keypoints to the last bit; masks are not required."""
    file = open_coco(path, like=like)
    problems = Problems(file.path)
    result = {}
    find_size = size_finder(file, None)
    for picture, entries in _by_picture(file, problems):
        size = find_size(picture, [entry for _, entry in entries])
        objects = _objects(file, size, entries, problems, needs_pixels=False)
        result[picture.name] = _scoring_arrays(file, objects)
    problems.check()
    return result


def write_instances(
    path: str | Path, instances: Mapping[str, Instances], *, file_names: Mapping[str, str] | None = None
) -> None:
    """Write objects as COCO with compressed run lengths and `score`; nothing is lost.

    Image ids are 1, 2, ... in the order given; a picture's file name is NAME.png unless `file_names` says otherwise.
    The histories stand under `info.maskwright`, and a picture's place on Earth in its entry under images.
    """
    names = _one_list_of_classes(instances)
    content = {
        "info": {"maskwright": {"pictures": {name: _story(each) for name, each in instances.items()}}},
        "images": [
            _image_entry(number, (file_names or {}).get(name, f"{name}.png"), each.grid)
            for number, (name, each) in enumerate(instances.items(), start=1)
        ],
        "annotations": _annotations(instances),
        "categories": [{"id": class_id, "name": name} for class_id, name in named_classes(names).items()],
    }
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    write_atomically(path, (text + "\n").encode())


def _check_known(file: CocoFile, pictures: Mapping[str, Path] | None) -> None:
    missing = [each.name for each in file.pictures.values() if pictures is not None and each.name not in pictures]
    if missing:
        raise InputError(
            f"{file.path}: picture {missing[0]!r} is not among the pictures given ({len(missing)} such); "
            "expected the pictures this file was made for; name their folder"
        )


def _by_picture(file: CocoFile, problems: Problems) -> list[tuple[CocoPicture, list[tuple[str, Mapping[str, Any]]]]]:
    groups: dict[str, list[tuple[str, Mapping[str, Any]]]] = {key: [] for key in file.pictures}
    for index, entry in enumerate(file.annotations):
        where, key = place_of(file.path, index, entry), entry.get("image_id")
        if str(key) not in groups:
            problems.add(InputError(f"{where}: image_id is {key!r}; expected the id of an entry in images; add it"))
            continue
        groups[str(key)].append((where, entry))
    return [(picture, groups[key]) for key, picture in file.pictures.items()]


def _objects(
    file: CocoFile,
    size: tuple[int, int] | None,
    entries: Sequence[tuple[str, Mapping[str, Any]]],
    problems: Problems,
    *,
    needs_pixels: bool,
) -> list[CocoObject]:
    objects = []
    for where, entry in entries:
        try:
            each = read_object(entry, file, size, where)
        except InputError as error:
            problems.add(error)
            continue
        if needs_pixels and not each.has_pixels:
            problems.add(
                InputError(
                    f"{where}: neither segmentation nor bbox; "
                    "expected run lengths or polygons; add one, or remove the annotation"
                )
            )
        objects.append(each)
    return objects


def _instances(file: CocoFile, picture: CocoPicture, size: tuple[int, int], objects: list[CocoObject]) -> Instances:
    scores = np.array([each.score for each in objects], np.float64)
    short = scores.astype(np.float32)
    return Instances(
        tuple(each.region for each in objects),
        np.array([each.class_id for each in objects], np.uint8),
        short if (short == scores).all() else scores,
        file.classes.names,
        _grid(picture, size),
        _history(file, picture.name),
        np.array([each.crowd for each in objects], bool) if any(each.crowd for each in objects) else None,
        _areas(objects) if any(each.area is not None for each in objects) else None,
        _extents(objects) if any(each.extent is not None for each in objects) else None,
    )


def _scoring_arrays(file: CocoFile, objects: list[CocoObject]) -> Objects:
    shapes = {each.keypoints.shape for each in objects if each.keypoints is not None}
    if len(shapes) > 1:
        raise InputError(
            f"{file.path}: annotations with {sorted(each[0] for each in shapes)} keypoints; give one number"
        )
    none = np.zeros(next(iter(shapes), (0, 3)))
    keypoints = [none if each.keypoints is None else each.keypoints for each in objects]
    return Objects(
        np.array([each.class_id for each in objects], np.int64),
        np.array([each.score for each in objects], np.float64),
        _areas(objects),
        np.array([each.crowd for each in objects], bool),
        np.array([not (points[:, 2] > 0).any() for points in keypoints], bool),
        tuple(each.region for each in objects),
        _extents(objects),
        np.array(keypoints).reshape(len(objects), *none.shape),
        file.classes.names,
    )


def _areas(objects: list[CocoObject]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([each.region.area if each.area is None else each.area for each in objects], np.float64)


def _extents(objects: list[CocoObject]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([_box(each) if each.extent is None else each.extent for each in objects], np.float64).reshape(-1, 4)


def _box(each: CocoObject) -> tuple[float, ...]:
    box = each.region.box
    return box.top, box.left, box.height, box.width


def _grid(picture: CocoPicture, size: tuple[int, int]) -> Grid:
    place = picture.entry.get("maskwright")
    if not isinstance(place, dict):
        return Grid(*size)
    transform = place.get("transform")
    return Grid(*size, tuple(transform) if transform else None, place.get("crs"))


def _history(file: CocoFile, name: str) -> tuple[Step, ...]:
    story = file.info.get("maskwright")
    pictures = story.get("pictures", {}) if isinstance(story, dict) else {}
    steps = pictures.get(name, {}).get("steps", ())
    return tuple(step_of_dict(each) for each in steps)


def _story(instances: Instances) -> dict[str, Any]:
    return {"steps": [step_dict(step, {}) for step in instances.history]}


def _one_list_of_classes(instances: Mapping[str, Instances]) -> tuple[str, ...]:
    lists = {each.class_names for each in instances.values()}
    if len(lists) > 1:
        raise ValueError("the pictures do not have one list of classes; give all of them the same class_names")
    return next(iter(lists), ())


def _image_entry(number: int, file_name: str, grid: Grid) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": number, "file_name": file_name, "height": grid.height, "width": grid.width}
    if grid.transform is not None or grid.crs is not None:
        entry["maskwright"] = plain({"transform": grid.transform, "crs": grid.crs})
    return entry


def _annotations(instances: Mapping[str, Instances]) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    for number, each in enumerate(instances.values(), start=1):
        objects = Objects.of(each)
        for index, region in enumerate(each.regions):
            top, left, height, width = objects.extents[index].tolist()
            counts = counts_text(to_counts(region, *each.grid.shape))
            entries.append(
                {
                    "id": len(entries) + 1,
                    "image_id": number,
                    "category_id": int(each.class_ids[index]),
                    "segmentation": {"size": list(each.grid.shape), "counts": counts},
                    "area": float(objects.areas[index]),
                    "bbox": [left, top, width, height],
                    "iscrowd": int(objects.crowd[index]),
                    "score": float(each.scores[index]),
                }
            )
    return entries
