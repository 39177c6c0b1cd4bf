"""Masks, objects, points, keypoints and tags from one format into another, saying what was lost on the way.

Every result is read back and compared with what went in; the losses are counted, never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from maskwright.arrays.encode import label_regions
from maskwright.errors import EmptyResultError, InputError, UnknownNameError
from maskwright.io.classes import Classes, classes_from_names, read_classes
from maskwright.io.coco import read_instances, write_instances
from maskwright.io.images import picture_grid
from maskwright.io.keypoints import read_keypoints, write_keypoints
from maskwright.io.labelme import read_labelme, write_labelme
from maskwright.io.losses import Losses, count_touching, object_iou, round_trip_iou, unrepresentable
from maskwright.io.masks import MaskFolder, own_classes, write_mask
from maskwright.io.panoptic import read_panoptic, write_panoptic
from maskwright.io.part_tokens import PartTokens, write_part_tokens
from maskwright.io.point_writers import PointFormat, write_points
from maskwright.io.points import points_classes, read_points
from maskwright.io.samples import find_pictures
from maskwright.io.tags import read_tags, write_tags
from maskwright.io.vectors import read_vectors, write_vectors
from maskwright.io.yolo import read_yolo, write_yolo
from maskwright.pipelines.formats import (
    HINT_TARGETS,
    OBJECT_FORMATS,
    ONE_FILE,
    PART_TOKENS,
    TARGETS,
    file_in,
    find_format,
)
from maskwright.types import UNKNOWN, Grid, Instances

Scene = dict[str, Instances]
Pictures = Mapping[str, Path] | None


@dataclass(frozen=True)
class Conversion:
    """What a conversion wrote and what it lost: one sentence per loss, and the numbers behind them.

    `numbers` has `pictures`, `objects` and, for masks and objects, `mean_iou` and `lowest_iou` after reading back.
    """

    written: tuple[Path, ...]
    losses: tuple[str, ...]
    numbers: Mapping[str, float] = field(default_factory=dict)


def convert(
    source: str | Path,
    to: str,
    out: str | Path,
    *,
    images: str | Path | None = None,
    classes: str | Path | Classes | None = None,
) -> Conversion:
    """Write what lies at `source` in the format `to` at `out`, and say what was lost.

    Formats are told apart by what the files hold. `to` is masks, geotiff, coco, panoptic, yolo, labelme, geojson or
    gpkg for masks and objects, part-tokens for masks of body parts; csv, coralnet or geojson for points; coco or dlc
    for keypoints; csv for tags. `images` are the pictures, where a format does not know their size or
    place (yolo and vectors in). The objects of a mask are its classes: one per class and picture.
    """
    source, out = file_in(Path(source)), Path(out)
    if to not in TARGETS:
        raise UnknownNameError("format", to, TARGETS)
    table = read_classes(classes) if isinstance(classes, str | Path) else classes
    pictures = find_pictures(images) if images is not None else None
    kind = find_format(source)
    if to == PART_TOKENS:
        return _convert_parts(source, kind, out, table)
    targets = OBJECT_FORMATS if kind in OBJECT_FORMATS else HINT_TARGETS.get(kind, ())
    if to not in targets:
        advice = (
            f"expected --to {' or '.join(targets)}" if targets else "expected masks, objects, points, joints or tags"
        )
        raise InputError(f"{source} holds {kind}, which cannot be written as {to}; {advice}")
    if kind in OBJECT_FORMATS:
        return _convert_objects(source, kind, to, out, table, pictures)
    return _convert_hints(source, kind, to, out, table, pictures)


def _convert_objects(
    source: Path, kind: str, to: str, out: Path, table: Classes | None, pictures: Pictures
) -> Conversion:
    scene, said = _read(source, kind, table, pictures)
    if not scene:
        raise EmptyResultError(f"{source}: no picture in it; expected {kind} with at least one; check the path")
    colors = table.colors if table is not None and table.names == next(iter(scene.values())).class_names else None
    written, lost = _write(scene, to, out, pictures, colors)
    grids = {name: each.grid for name, each in scene.items()}
    back, _ = _read(written[0] if to in ONE_FILE else out, to, None, grids)
    numbers, changed = _compare(scene, back, by_object=to not in ("masks", "geotiff"))
    return Conversion(tuple(written), (*said, *lost, *changed), numbers)


def _read(
    source: Path, kind: str, table: Classes | None, pictures: Mapping[str, Path | Grid] | None
) -> tuple[Scene, tuple[str, ...]]:
    if kind in ("masks", "geotiff"):
        return _read_masks(source, table)
    files = {name: each for name, each in (pictures or {}).items() if isinstance(each, Path)} or None
    if kind == "coco":
        return read_instances(source, files), ()
    if kind == "panoptic":
        return read_panoptic(source), ()
    if kind == "labelme":
        return read_labelme(source, files, table)
    if pictures is None and kind == "yolo" and (source / "images").is_dir():
        pictures = dict(find_pictures(source / "images"))
    if pictures is None:
        raise InputError(f"{source}: {kind} does not say how big its pictures are; expected them; give --images")
    if kind == "yolo":
        return read_yolo(source, pictures)
    grids = {name: each if isinstance(each, Grid) else picture_grid(each) for name, each in pictures.items()}
    return read_vectors(source, grids, classes=table)


def _read_masks(source: Path, table: Classes | None) -> tuple[Scene, tuple[str, ...]]:
    """Every class of a mask as one object; what nobody knows is none."""
    folder = MaskFolder(source if source.is_dir() else source.parent)
    losses, scene = Losses(), {}
    for name in folder.names() if source.is_dir() else [source.stem]:
        mask = folder.read(name, table)
        losses.add("confidence", mask.confidence is not None)
        ids, regions = label_regions(mask.class_ids, background=UNKNOWN)
        scores = np.ones(len(ids), np.float32)
        scene[name] = Instances(regions, ids.astype(np.uint8), scores, mask.class_names, mask.grid, mask.history)
    if len({each.class_names for each in scene.values()}) > 1:
        raise InputError(f"{source}: its masks have different lists of classes; expected one; give --classes")
    return scene, losses.sentences


def _write(
    scene: Scene, to: str, out: Path, pictures: Pictures, colors: tuple[str, ...] | None
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    file_names = {name: path.name for name, path in (pictures or {}).items()}
    path = out if to not in ONE_FILE or out.suffix else out / ONE_FILE[to]
    if to in ("masks", "geotiff"):
        return _write_masks(scene, out, ".tif" if to == "geotiff" else ".png", colors)
    if to == "coco":
        write_instances(path, scene, file_names=file_names)
        return (path,), ()
    if to == "labelme":
        return write_labelme(path, scene, file_names=file_names)
    writers = {"panoptic": write_panoptic, "yolo": write_yolo, "geojson": write_vectors, "gpkg": write_vectors}
    return writers[to](path, scene)


def _write_masks(
    scene: Scene, out: Path, suffix: str, colors: tuple[str, ...] | None
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    losses, written = Losses(), []
    unrepresentable(losses, scene, kept=("history", "places"))
    for name, each in scene.items():
        touching, shared = count_touching(each)
        losses.add("merged", touching)
        losses.add("overlaps", shared)
        losses.add("objects", 0 if len(set(each.class_ids.tolist())) == len(each.regions) else len(each.regions))
        written.append(out / f"{name}{suffix}")
        write_mask(written[-1], each.flat(), colors=colors)
    return tuple(written), losses.sentences


def _compare(before: Scene, after: Scene, *, by_object: bool) -> tuple[dict[str, float], tuple[str, ...]]:
    """IoU of every object (of every class, for masks) with what was read back, in numbers and in a sentence."""
    found = []
    for name, each in before.items():
        other = after.get(name)
        if other is None:
            found.append(np.zeros(len(each.regions)))
        else:
            found.append(object_iou(each, other) if by_object else round_trip_iou(each, other))
    values = np.concatenate(found) if found else np.zeros(0)
    numbers = {"pictures": float(len(before)), "objects": float(sum(len(each.regions) for each in before.values()))}
    if not len(values):
        return numbers, ()
    numbers |= {"mean_iou": float(values.mean()), "lowest_iou": float(values.min())}
    if values.min() == 1:
        return numbers, ()
    what = "objects" if by_object else "classes of a picture"
    return numbers, (
        f"{int((values < 1).sum())} of {len(values)} {what} differ after reading back: "
        f"mean IoU {values.mean():.4f}, lowest {values.min():.4f}",
    )


def _convert_hints(
    source: Path, kind: str, to: str, out: Path, table: Classes | None, pictures: Pictures
) -> Conversion:
    if kind == "tags":
        tags = read_tags(source, pictures=pictures)
        write_tags(out, tags)
        return Conversion((out,), (), {"pictures": float(len(tags))})
    if kind == "keypoints":
        animals = read_keypoints(source, pictures=pictures)
        _check_ending(out, ".csv" if to == "dlc" else ".json")
        losses = write_keypoints(out, animals, files=pictures)
        return Conversion((out,), tuple(losses), {"pictures": float(len(animals))})
    known = table or classes_from_names(points_classes(source))
    points = read_points(source, known, pictures=pictures)
    if not points:
        raise EmptyResultError(f"{source}: no point in it; expected at least one; check the file")
    grids = {name: picture_grid(path) for name, path in (pictures or {}).items()}
    form: PointFormat = "geojson" if to == "geojson" else "coralnet" if to == "coralnet" else "csv"
    losses = write_points(out, points, known, format=form, grids=grids, files=pictures)
    count = float(sum(len(each) for each in points.values()))
    return Conversion((out,), tuple(losses), {"pictures": float(len(points)), "points": count})


def _convert_parts(source: Path, kind: str, out: Path, table: Classes | None) -> Conversion:
    """Masks of body parts on a grid of 64 x 64 shares, for networks with a token per part."""
    if kind != "masks":
        raise InputError(
            f"{source} holds {kind}, which cannot be written as {PART_TOKENS}; "
            "expected masks of parts; name their folder"
        )
    folder = MaskFolder(source if source.is_dir() else source.parent)
    if folder.path.resolve() == out.resolve():
        raise InputError(f"{out} holds the masks themselves, which {PART_TOKENS} would replace; name another folder")
    written: list[Path] = []
    names, unknown = folder.names() if source.is_dir() else [source.stem], 0
    for name in names:
        mask = folder.read(name, table)
        classes = table or own_classes(folder.path_of(name)) or Classes(mask.class_names)
        tokens = PartTokens.of(mask, where=str(folder.path_of(name)))
        written += write_part_tokens(out, name, tokens, classes)
        unknown += int((mask.class_ids == UNKNOWN).sum())
    losses = ["borders within a cell of 64 x 64 are shares of it, proportions of pictures are squashed to a square"]
    if unknown:
        losses.append(f"{unknown} unknown pixels count as animal and take the parts of their cell")
    return Conversion(tuple(written), tuple(losses), {"pictures": float(len(names))})


def _check_ending(out: Path, ending: str) -> None:
    if out.suffix.lower() != ending:
        raise InputError(f"{out}: expected a file ending in {ending}; rename it")
