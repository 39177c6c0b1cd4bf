"""Body points of animals: COCO keypoints, DeepLabCut tables (csv, h5) and SLEAP."""

from __future__ import annotations

import importlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.arrays.encode import counts_text, to_counts
from maskwright.arrays.objects import Objects
from maskwright.errors import FormatError, InputError, MissingPartError
from maskwright.io.coco import instances_of
from maskwright.io.coco_entries import open_coco, place_of
from maskwright.io.names import known_picture, natural_order
from maskwright.io.outputs import write_atomically
from maskwright.io.pose_tables import Pose, read_pose_csv, read_pose_h5, write_pose_csv
from maskwright.io.problems import Problems
from maskwright.io.texts import read_json
from maskwright.io.tiff_header import check_is_file
from maskwright.types import Instances, Keypoints

_CERTAIN, _HIDDEN = 1.0, 0.5


def read_keypoints(path: str | Path, *, pictures: Mapping[str, Path] | None = None) -> dict[str, list[Keypoints]]:
    """Read the animals of every picture, by picture name: COCO .json, DeepLabCut .csv or .h5, SLEAP .slp.

    Rows and columns of joints nobody marked are nan, with score 0. COCO's "labelled but hidden" has score 0.5; a list
    `keypoint_scores` beside the keypoints, as `write_keypoints` writes it, is kept. `object_id` is the animal's place
    in `read_keypoint_instances`. With `pictures` every name must be one of them. An animal without any joint is left
    out; its picture stays.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".json":
        return _from_coco(path, pictures)
    if suffix in (".h5", ".hdf5"):
        return _by_picture(path, read_pose_h5(path), pictures)
    if suffix == ".slp":
        return _by_picture(path, _read_sleap(path), pictures)
    if suffix in (".csv", ".tsv", ".txt"):
        return _by_picture(path, read_pose_csv(path), pictures)
    raise FormatError(
        f"{path}: ends in {suffix or 'nothing'}; expected keypoints as .json, .csv, .h5 or .slp; rename it"
    )


def read_keypoint_instances(path: str | Path, *, pictures: Mapping[str, Path] | None = None) -> dict[str, Instances]:
    """The outlines (or else boxes) that a COCO keypoint file gives its animals, by picture name.

    Only pictures where some animal has one are there; `Keypoints.object_id` counts within them.
    """
    file = open_coco(path)
    outlined = replace(file, annotations=tuple(each for each in file.annotations if _has_outline(each)))
    keys = {str(each.get("image_id")) for each in outlined.annotations}
    shown = {key: each for key, each in file.pictures.items() if key in keys}
    for each in shown.values():
        known_picture(each.name, pictures, str(path))
    return instances_of(replace(outlined, pictures=shown), pictures)


def write_keypoints(
    path: str | Path,
    keypoints: Mapping[str, list[Keypoints]],
    *,
    instances: Mapping[str, Instances] | None = None,
    files: Mapping[str, Path] | None = None,
    sizes: Mapping[str, tuple[int, int]] | None = None,
    story: Mapping[str, Any] | None = None,
) -> tuple[str, ...]:
    """Write animals as COCO keypoints, or as a DeepLabCut table where the path ends in .csv; gives what was lost.

    In COCO, joints without a place get v = 0, scores from 0.75 v = 2, others v = 1, and `keypoint_scores` keeps the
    exact ones. With `instances` an animal's `object_id` brings its class, outline and box; else the category is
    "animal". `sizes` are (height, width); `story` stands under `info.maskwright`.
    """
    titles = {name: files[name].name if files and name in files else f"{name}.png" for name in keypoints}
    if Path(path).suffix.lower() == ".csv":
        return write_pose_csv(path, keypoints, titles)
    content = _CocoPose(titles, keypoints, instances or {}, sizes or {}).content()
    if story is not None:
        content = {"info": {"maskwright": dict(story)}, **content}
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    write_atomically(path, (text + "\n").encode())
    return ()


def _from_coco(path: str | Path, pictures: Mapping[str, Path] | None) -> dict[str, list[Keypoints]]:
    file, problems = open_coco(path), Problems(path)
    names = _joint_names(path)
    result: dict[str, list[Keypoints]] = {}
    for each in file.pictures.values():
        try:
            result[known_picture(each.name, pictures, str(path))] = []
        except InputError as error:
            problems.add(error)
    objects = Counter[str]()
    for index, entry in enumerate(file.annotations):
        where = place_of(file.path, index, entry)
        picture = file.pictures.get(str(entry.get("image_id")))
        if picture is None:
            problems.add(
                InputError(f"{where}: image_id is {entry.get('image_id')!r}; expected an entry of images; add it")
            )
            continue
        object_id = objects[picture.name] if _has_outline(entry) else None
        objects[picture.name] += _has_outline(entry)
        try:
            animal = _animal(entry, names, where, object_id)
        except InputError as error:
            problems.add(error)
            continue
        if animal is not None and picture.name in result:
            result[picture.name].append(animal)
    problems.check()
    return result


def _joint_names(path: str | Path) -> dict[Any, tuple[str, ...]]:
    content = read_json(path)
    categories = content.get("categories") or [] if isinstance(content, dict) else []
    names = {each["id"]: tuple(map(str, each.get("keypoints") or ())) for each in categories}
    if not any(names.values()):
        raise FormatError(f"{path}: no category names its keypoints; expected COCO keypoints; add the list keypoints")
    for each in names.values():
        if len(set(each)) != len(each):
            raise FormatError(f"{path}: a category names a keypoint twice ({each}); expected each once; rename one")
    return names


def _animal(
    entry: Mapping[str, Any], names: Mapping[Any, tuple[str, ...]], where: str, object_id: int | None
) -> Keypoints | None:
    values = entry.get("keypoints")
    if not values:
        return None
    joints = names.get(entry.get("category_id"))
    if not joints:
        raise InputError(
            f"{where}: its category {entry.get('category_id')!r} names no keypoints; expected them; add them"
        )
    if not isinstance(values, list) or len(values) != 3 * len(joints):
        found = len(values) if isinstance(values, list) else type(values).__name__
        raise FormatError(
            f"{where}: {found} keypoint numbers; "
            f"expected 3 (x, y, v) for each of {len(joints)} joints; add what is missing"
        )
    try:
        x, y, v = np.array(values, np.float64).reshape(-1, 3).T
    except (TypeError, ValueError) as error:
        raise FormatError(
            f"{where}: keypoints that are no numbers ({error}); expected x, y, v; correct them"
        ) from error
    seen = (v > 0) & np.isfinite(x) & np.isfinite(y)
    scores = _scores(entry, v, where)
    if not seen.any():
        return None
    nan = np.float64(np.nan)
    return Keypoints(joints, np.where(seen, y, nan), np.where(seen, x, nan), np.where(seen, scores, 0.0), object_id)


def _scores(entry: Mapping[str, Any], v: np.ndarray[Any, np.dtype[np.float64]], where: str) -> Any:
    if "keypoint_scores" not in entry:
        whole = np.isin(v, (0, 1, 2)).all()
        return np.where(v >= 2, _CERTAIN, np.where(v > 0, _HIDDEN, 0.0)) if whole else np.clip(v, 0, 1)
    scores = np.asarray(entry["keypoint_scores"], np.float64)
    if scores.shape != v.shape:
        raise FormatError(f"{where}: {scores.size} keypoint_scores; expected {v.size}, one per joint; correct them")
    return scores


def _has_outline(entry: Mapping[str, Any]) -> bool:
    return bool(entry.get("segmentation")) or bool(entry.get("bbox"))


def _by_picture(path: str | Path, poses: list[Pose], pictures: Mapping[str, Path] | None) -> dict[str, list[Keypoints]]:
    problems = Problems(path)
    result: dict[str, list[Keypoints]] = {}
    seen: dict[str, str] = {}
    for pose in poses:
        try:
            name = known_picture(pose.image, pictures, pose.where)
        except InputError as error:
            problems.add(error)
            continue
        if name in seen:
            both = f"{pose.image} and {seen[name]} are both called {name!r}"
            problems.add(InputError(f"{pose.where}: {both}; expected one row per picture; rename one"))
            continue
        seen[name] = pose.image
        result[name] = [each for each in pose.animals if np.isfinite(each.rows).any()]
    problems.check()
    return result


def _read_sleap(path: str | Path) -> list[Pose]:
    check_is_file(path)
    try:
        sleap_io = importlib.import_module("sleap_io")
    except ImportError as error:
        raise MissingPartError(
            f'{path}: needs sleap-io, which is not installed; pip install "maskwright[pose]"'
        ) from error
    try:
        labels = sleap_io.load_slp(str(path), open_videos=False)
    except (OSError, RuntimeError, ValueError, KeyError, IndexError, TypeError) as error:
        raise FormatError(
            f"{path}: cannot be read as SLEAP ({error}); expected a .slp file; export it again"
        ) from error
    poses: dict[str, Pose] = {}
    for frame in labels.labeled_frames:
        image = _frame_name(frame)
        animals = tuple(_sleap_animal(each) for each in frame.instances)
        earlier = poses.get(image)
        poses[image] = Pose(f"{path}: {image}", image, animals if earlier is None else (*earlier.animals, *animals))
    return list(poses.values())


def _frame_name(frame: Any) -> str:
    """The picture's own file where the video is a list of pictures, else VIDEO-FRAME."""
    names = frame.video.filename
    if isinstance(names, list | tuple):
        return str(names[frame.frame_idx])
    return f"{Path(str(names)).stem}-{frame.frame_idx}"


def _sleap_animal(instance: Any) -> Keypoints:
    places = np.asarray(instance.numpy(), np.float64)
    given = [getattr(each, "score", None) for each in getattr(instance, "points", ())]
    is_scored = len(given) == len(places) and all(each is not None for each in given)
    seen = np.isfinite(places).all(axis=1)
    scores = np.where(seen, np.array(given, np.float64) if is_scored else _CERTAIN, 0.0)
    names = tuple(str(each) for each in instance.skeleton.node_names)
    return Keypoints(names, np.where(seen, places[:, 1], np.nan), np.where(seen, places[:, 0], np.nan), scores)


class _CocoPose:
    """The content of a COCO keypoint file, put together picture by picture."""

    def __init__(
        self,
        titles: Mapping[str, str],
        keypoints: Mapping[str, list[Keypoints]],
        instances: Mapping[str, Instances],
        sizes: Mapping[str, tuple[int, int]],
    ) -> None:
        self.keypoints, self.instances = keypoints, instances
        self.sizes = {name: each.grid.shape for name, each in instances.items()} | dict(sizes)
        self.titles = titles
        self.categories: dict[tuple[str, tuple[str, ...]], int] = {}

    def content(self) -> dict[str, Any]:
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for number, name in enumerate(sorted(self.keypoints, key=natural_order), start=1):
            image: dict[str, Any] = {"id": number, "file_name": self.titles[name]}
            if name in self.sizes:
                image |= {"height": self.sizes[name][0], "width": self.sizes[name][1]}
            images.append(image)
            for animal in self.keypoints[name]:
                annotations.append(
                    {"id": len(annotations) + 1, "image_id": number, "iscrowd": 0, **self._annotation(name, animal)}
                )
        return {"images": images, "annotations": annotations, "categories": self._categories()}

    def _annotation(self, name: str, animal: Keypoints) -> dict[str, Any]:
        seen = np.isfinite(animal.rows) & np.isfinite(animal.cols)
        values: list[float] = []
        for i, is_seen in enumerate(seen):
            score = float(animal.scores[i])
            v = 0 if not is_seen else 2 if score >= 0.75 else 1
            values += [float(animal.cols[i]), float(animal.rows[i]), v] if is_seen else [0, 0, 0]
        objects = self.instances.get(name)
        kind = "animal"
        extra: dict[str, Any] = {}
        if objects is not None and animal.object_id is not None:
            kind = objects.class_names[int(objects.class_ids[animal.object_id])]
            extra = _outline(objects, animal.object_id)
        return {
            "category_id": self.categories.setdefault((kind, animal.names), len(self.categories) + 1),
            "keypoints": values,
            "num_keypoints": int(seen.sum()),
            "keypoint_scores": [float(each) for each in np.where(seen, animal.scores, 0.0)],
            **extra,
        }

    def _categories(self) -> list[dict[str, Any]]:
        """A kind of animal with two lists of joints becomes two categories."""
        rows, uses = [], Counter[str]()
        for (kind, joints), category_id in self.categories.items():
            uses[kind] += 1
            title = kind if uses[kind] == 1 else f"{kind}-{uses[kind]}"
            rows.append({"id": category_id, "name": title, "keypoints": list(joints), "skeleton": []})
        return rows


def _outline(objects: Instances, object_id: int) -> dict[str, Any]:
    counts = to_counts(objects.regions[object_id], *objects.grid.shape)
    stated = Objects.of(objects)
    top, left, height, width = stated.extents[object_id].tolist()
    return {
        "segmentation": {"size": list(objects.grid.shape), "counts": counts_text(counts)},
        "bbox": [left, top, width, height],
        "area": float(stated.areas[object_id]),
        "score": float(objects.scores[object_id]),
    }
