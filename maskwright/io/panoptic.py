"""COCO panoptic: a JSON of segments beside a folder of PNGs whose colour is the segment's number.

A pixel belongs to one segment, so overlaps keep the topmost object only. The number is R + 256 G + 65536 B; 0 is
nobody.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture

from maskwright.arrays.encode import Region, label_regions
from maskwright.errors import FormatError, GridError, InputError
from maskwright.io.coco_entries import open_coco
from maskwright.io.losses import Losses, unrepresentable
from maskwright.io.outputs import write_atomically
from maskwright.io.texts import read_bytes
from maskwright.types import Grid, Instances, named_classes


def read_panoptic(path: str | Path, folder: str | Path | None = None) -> dict[str, Instances]:
    """The segments of every picture; the PNGs lie in `folder`, or in the folder called like the JSON beside it.

    Whatever the PNG numbers and the JSON does not, and the other way round, is an InputError.
    """
    path = Path(path)
    folder = path.with_suffix("") if folder is None else Path(folder)
    file = open_coco(path)
    result = {}
    for entry in file.annotations:
        where = f"{path}: annotation of image {entry.get('image_id')}"
        picture = file.pictures.get(str(entry.get("image_id")))
        if picture is None:
            raise InputError(f"{where}: there is no such entry in images; expected its id; add it")
        name, segments = entry.get("file_name"), entry.get("segments_info")
        if not isinstance(name, str) or not isinstance(segments, list):
            raise FormatError(
                f"{where}: no file_name and segments_info; expected a COCO panoptic file; is it the right file?"
            )
        numbers = _numbers(folder / name)
        if picture.size not in (None, numbers.shape):
            raise GridError(
                f"{folder / name}: {numbers.shape} pixels; expected {picture.size} as {path} says; resize it"
            )
        result[picture.name] = _instances(numbers, segments, file.classes.ids, file.classes.names, where)
    return result


def write_panoptic(path: str | Path, instances: Mapping[str, Instances]) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Write PATH.json and PATH/NAME.png for every picture; gives the paths and what the format could not hold."""
    path, losses = Path(path), Losses()
    unrepresentable(losses, instances)
    names = next(iter(instances.values())).class_names if instances else ()
    images, annotations, written = [], [], [path]
    for number, (name, each) in enumerate(instances.items(), start=1):
        segments, numbers = _flatten(each, losses)
        written.append(path.with_suffix("") / f"{name}.png")
        write_atomically(written[-1], _png(numbers))
        images.append({"id": number, "file_name": f"{name}.png", "height": each.grid.height, "width": each.grid.width})
        annotations.append({"image_id": number, "file_name": f"{name}.png", "segments_info": segments})
    categories = [{"id": class_id, "name": name, "isthing": 1} for class_id, name in named_classes(names).items()]
    content = {"images": images, "annotations": annotations, "categories": categories}
    write_atomically(path, (json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n").encode())
    return tuple(written), losses.sentences


def _flatten(instances: Instances, losses: Losses) -> tuple[list[dict[str, Any]], NDArray[np.uint32]]:
    numbers = np.zeros(instances.grid.shape, np.uint32)
    painted = 0
    for index in np.argsort(instances.scores, kind="stable").tolist():
        region = instances.regions[index]
        numbers[region.box.slices][region.pixels] = index + 1
        painted += region.area
    losses.add("overlaps", painted - int((numbers > 0).sum()))
    ids, regions = label_regions(numbers)
    losses.add("hidden", len(instances.regions) - len(ids))
    return [
        {
            "id": index,
            "category_id": int(instances.class_ids[index - 1]),
            "area": region.area,
            "bbox": [region.box.left, region.box.top, region.box.width, region.box.height],
            "iscrowd": 0,
        }
        for index, region in zip(ids.tolist(), regions, strict=True)
    ], numbers


def _png(numbers: NDArray[np.uint32]) -> bytes:
    colours = np.stack([numbers & 255, numbers >> 8 & 255, numbers >> 16 & 255], axis=-1).astype(np.uint8)
    buffer = io.BytesIO()
    Picture.fromarray(colours).save(buffer, "PNG")
    return buffer.getvalue()


def _numbers(path: Path) -> NDArray[np.int64]:
    try:
        with Picture.open(io.BytesIO(read_bytes(path))) as picture:
            colours = np.asarray(picture.convert("RGB")).astype(np.int64)
    except (OSError, ValueError, SyntaxError) as error:
        raise FormatError(f"{path}: cannot be read as PNG ({error}); expected the segments of {path.stem}") from error
    numbers: NDArray[np.int64] = colours[..., 0] + 256 * colours[..., 1] + 65536 * colours[..., 2]
    return numbers


def _instances(
    numbers: NDArray[np.int64],
    segments: Sequence[Any],
    ids: Mapping[int, int],
    names: tuple[str, ...],
    where: str,
) -> Instances:
    found, regions = label_regions(numbers)
    by_number: dict[int, Region] = dict(zip(found.tolist(), regions, strict=True))
    chosen, classes, crowds = [], [], []
    for segment in segments:
        number = segment.get("id") if isinstance(segment, dict) else None
        if number not in by_number:
            raise InputError(
                f"{where}: segment {number!r} has no pixel in its PNG or occurs twice; "
                "expected one each; export it again"
            )
        if segment.get("category_id") not in ids:
            raise InputError(
                f"{where}: segment {number}: category_id is {segment.get('category_id')!r}; "
                "expected a known one; add the category or correct it"
            )
        chosen.append(by_number.pop(number))
        classes.append(ids[segment["category_id"]])
        crowds.append(bool(segment.get("iscrowd", 0)))
    if by_number:
        raise InputError(f"{where}: its PNG has segment {min(by_number)}, which segments_info does not list; add it")
    return Instances(
        tuple(chosen),
        np.array(classes, np.uint8),
        np.ones(len(chosen), np.float32),
        names,
        Grid(*numbers.shape),
        crowd=np.array(crowds, bool) if any(crowds) else None,
    )
