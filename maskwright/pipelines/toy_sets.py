"""Toy data sets on disk, in the same files that people bring: pictures, hints, classes and the truth."""

from __future__ import annotations

import csv
import importlib
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskwright.errors import UnknownNameError
from maskwright.io.outputs import write_atomically

if TYPE_CHECKING:
    from maskwright.io.classes import Classes
    from maskwright.toys.scenes import Scene
    from maskwright.types import Instances, Keypoints, Mask, Points

SETS = ("reef", "shapes", "animals", "specimens", "textures")
"""The toy data sets there are, in the order they are shown."""


@dataclass(frozen=True)
class ToySet:
    """A toy data set on disk, and the scenes it was written from."""

    name: str
    folder: Path
    scenes: tuple[Scene, ...]
    classes: Classes
    random_state: int = 0


def write_set(name: str, folder: str | Path, *, count: int = 6, random_state: int = 0) -> ToySet:
    """Make `count` scenes and write them: pictures/, truth/, classes.yaml, and the hints of the set.

    reef: points.csv; survey.csv, the frames of a boat, for which orthophotos/ holds the same pictures on Earth ·
    shapes: points.csv, instances.json · animals: keypoints.json, outlines/ · textures: tags.csv. Same seed, same bytes.
    """
    if name not in SETS:
        raise UnknownNameError("toy data set", name, SETS)
    from maskwright.io.classes import Classes, write_classes

    toy = importlib.import_module(f"maskwright.toys.{name}")
    folder = Path(folder)
    scenes = tuple(toy.make(count, random_state=random_state))
    made = ToySet(name, folder, scenes, Classes(toy.CLASS_NAMES, toy.COLORS), random_state)
    for part in ("pictures", "truth"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    write_classes(folder / "classes.yaml", made.classes)
    for scene in scenes:
        _write_picture(folder / "pictures" / f"{scene.name}.png", scene)
        _write_mask(folder / "truth" / f"{scene.name}.png", flat_truth(scene), made.classes.colors)
    _HINTS[name](made)
    return made


def flat_truth(scene: Scene) -> Mask:
    """The truth with one class per pixel, also where it is made of objects."""
    from maskwright.types import Mask

    return scene.truth if isinstance(scene.truth, Mask) else scene.views["classes"]


def objects_of(made: ToySet) -> dict[str, Instances]:
    """The true objects of each picture, for sets whose truth is made of objects."""
    from maskwright.types import Instances

    return {scene.name: scene.truth for scene in made.scenes if isinstance(scene.truth, Instances)}


def _write_picture(path: Path, scene: Scene) -> None:
    import numpy as np
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.asarray(scene.image.pixels)).save(buffer, "PNG")
    write_atomically(path, buffer.getvalue())


def _write_mask(path: Path, mask: Mask, colors: tuple[str, ...]) -> None:
    """Without its place on Earth: these pictures are plain PNG, so the masks lie on the same plain pixels."""
    from maskwright.io.masks import write_mask
    from maskwright.types import Mask

    write_mask(path, Mask(mask.class_ids, mask.class_names), colors=colors)


def _reef_hints(made: ToySet) -> None:
    import numpy as np

    from maskwright.io.rasters import write_raster
    from maskwright.toys import reef

    _write_points(made, "points")
    for scene in made.scenes:
        path = made.folder / "orthophotos" / f"{scene.name}.tif"
        write_raster(path, np.asarray(scene.image.pixels), scene.image.grid, overviews=False)
    surveys = [reef.survey(scene, random_state=made.random_state) for scene in made.scenes]
    rows = [
        {"FileName": frame, "GPSLatitude": f"{latitude:.8f}", "GPSLongitude": f"{longitude:.8f}"}
        | {name: f"{score:.4f}" for name, score in zip(survey.class_names, scores, strict=True)}
        for survey in surveys
        for frame, latitude, longitude, scores in zip(
            survey.frames, survey.latitude, survey.longitude, survey.scores, strict=True
        )
    ]
    columns = ["FileName", *reef.CLASS_NAMES[1:], "GPSLatitude", "GPSLongitude"]
    _write_csv(made.folder / "survey.csv", columns, rows)


def _shape_hints(made: ToySet) -> None:
    from maskwright.io.coco import write_instances

    _write_points(made, "clicks")
    write_instances(made.folder / "instances.json", objects_of(made))


def _animal_hints(made: ToySet) -> None:
    from maskwright.io.keypoints import write_keypoints

    joints: dict[str, list[Keypoints]] = {scene.name: [scene.hints["keypoints"]] for scene in made.scenes}  # type: ignore[list-item]
    write_keypoints(made.folder / "keypoints.json", joints)
    (made.folder / "outlines").mkdir(exist_ok=True)
    for scene in made.scenes:
        _write_mask(made.folder / "outlines" / f"{scene.name}.png", scene.views["outline"], ("#000000", "#ffffff"))


def _texture_hints(made: ToySet) -> None:
    rows: list[dict[str, Any]] = []
    for scene in made.scenes:
        tags = scene.hints["tags"]
        rows += [{"image": f"{scene.name}.png", "class": each, "present": 1} for each in sorted(tags.present)]  # type: ignore[union-attr]
        rows += [{"image": f"{scene.name}.png", "class": each, "present": 0} for each in sorted(tags.absent)]  # type: ignore[union-attr]
    _write_csv(made.folder / "tags.csv", ["image", "class", "present"], rows)


def _no_hints(made: ToySet) -> None:
    """Nothing to write: the hint of this set is one of its own true masks."""


_HINTS: Mapping[str, Callable[[ToySet], None]] = {
    "reef": _reef_hints,
    "shapes": _shape_hints,
    "animals": _animal_hints,
    "textures": _texture_hints,
    "specimens": _no_hints,
}


def _write_points(made: ToySet, kind: str) -> None:
    rows: list[dict[str, Any]] = []
    for scene in made.scenes:
        points: Points = scene.hints[kind]  # type: ignore[assignment]
        for row, col, class_id in zip(points.rows, points.cols, points.class_ids, strict=True):
            name = made.classes.names[class_id]
            rows.append({"image": f"{scene.name}.png", "x": int(col), "y": int(row), "class": name})
    _write_csv(made.folder / "points.csv", ["image", "x", "y", "class"], rows)


def _write_csv(path: Path, columns: list[str], rows: Iterable[Mapping[str, Any]]) -> None:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, buffer.getvalue().encode())
