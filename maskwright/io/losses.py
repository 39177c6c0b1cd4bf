"""What a conversion loses, counted by reading back what was written and said in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from maskwright.arrays.combine import intersections, merge
from maskwright.arrays.encode import Region
from maskwright.arrays.polygons import Polygon
from maskwright.types import Instances


@dataclass
class Losses:
    """Counts of what was given up, by kind; `sentences` says them."""

    counts: dict[str, int] = field(default_factory=dict)

    def add(self, kind: str, count: int = 1) -> None:
        """Note `count` more of a kind in `SENTENCES`."""
        if count:
            self.counts[kind] = self.counts.get(kind, 0) + int(count)

    @property
    def sentences(self) -> tuple[str, ...]:
        """One sentence per kind of loss, in a fixed order."""
        return tuple(text.format(n=self.counts[kind]) for kind, text in SENTENCES.items() if kind in self.counts)


SENTENCES = {
    "holes": "{n} holes were filled: an outline here cannot have holes",
    "parts": "{n} objects of several parts became one object per part",
    "empty": "{n} objects without a pixel were left out",
    "sub_pixel": "{n} outlines had vertices between pixel corners and now lie on whole pixels",
    "outside": "{n} outlines reached beyond their picture and were cut at its border",
    "overlaps": "{n} pixels belonged to several objects and kept the topmost one only",
    "hidden": "{n} objects were wholly covered by others and are gone",
    "merged": "{n} objects touch another of their class and cannot be told apart any more",
    "objects": "{n} objects are no longer told apart: a mask knows classes only",
    "scores": "the scores of {n} objects were dropped",
    "crowds": "{n} crowd regions became plain objects",
    "areas": "the file's own areas or boxes of {n} objects were dropped; pixels give them now",
    "confidence": "the confidence of {n} pictures was dropped",
    "history": "the history of {n} pictures was dropped",
    "places": "the place on Earth of {n} pictures was dropped",
    "circles": "{n} shapes that are no polygons were left out",
    "classes": "{n} class ids changed: names are numbered anew",
}
"""Every kind of loss and its sentence."""


def unrepresentable(losses: Losses, instances: Mapping[str, Instances], *, kept: Iterable[str] = ()) -> None:
    """Note what a format without scores, crowds, areas, history and places gives up, unless it is among `kept`."""
    keeps = set(kept)
    for each in instances.values():
        gone = {
            "scores": int((each.scores != 1).sum()),
            "crowds": 0 if each.crowd is None else int(each.crowd.sum()),
            "areas": 0 if each.areas is None and each.extents is None else differing_areas(each),
            "history": int(bool(each.history)),
            "places": int(each.grid.transform is not None or each.grid.crs is not None),
        }
        for kind, count in gone.items():
            if kind not in keeps:
                losses.add(kind, count)


def differing_areas(instances: Instances) -> int:
    """How many objects have an area or box that is not that of their pixels."""
    count = 0
    for index, region in enumerate(instances.regions):
        box = region.box
        own = (box.top, box.left, box.height, box.width)
        area = instances.areas is not None and instances.areas[index] != region.area
        extent = instances.extents is not None and tuple(instances.extents[index]) != own
        count += bool(area or extent)
    return count


def without_holes(polygons: Sequence[Polygon], losses: Losses) -> list[Polygon]:
    """Outer rings alone; the holes are noted."""
    losses.add("holes", sum(len(rings) - 1 for rings in polygons))
    return [rings[:1] for rings in polygons]


def round_trip_iou(before: Instances, after: Instances) -> np.ndarray:
    """IoU of each class of a picture before and after, over the pixels of all its objects: (class ids of both,)."""
    names = sorted({*_named(before), *_named(after)} - {""})
    return np.array([_iou(_of_class(before, name), _of_class(after, name)) for name in names])


def object_iou(before: Instances, after: Instances) -> np.ndarray:
    """For each object before, the best IoU of any object of its class after: (n,), 0 where there is none."""
    best = np.zeros(len(before.regions))
    for index, region in enumerate(before.regions):
        name = before.class_names[before.class_ids[index]]
        rivals = [each for each, other in zip(after.regions, _named(after), strict=True) if other == name]
        rivals = [each for each in rivals if region.box.meet(each.box)]
        if rivals:
            shared = intersections([region], rivals, np.zeros(len(rivals), np.intp), np.arange(len(rivals)))
            union = region.area + np.array([each.area for each in rivals]) - shared
            best[index] = (shared / union).max()
    return best


def count_touching(instances: Instances) -> tuple[int, int]:
    """(objects that touch or overlap another of their class, pixels that belong to more than one object)."""
    height, width = instances.grid.shape
    cover = np.zeros((height, width), np.uint16)
    for region in instances.regions:
        rows, cols = region.box.slices
        cover[rows, cols] += region.pixels
    touching = 0
    for class_id in np.unique(instances.class_ids):
        chosen = [
            region for region, each in zip(instances.regions, instances.class_ids, strict=True) if each == class_id
        ]
        whole = np.zeros((height, width), bool)
        for region in chosen:
            whole[region.box.slices] |= region.pixels
        _, pieces = ndimage.label(whole, np.ones((3, 3)))
        touching += max(0, len([each for each in chosen if each.area]) - pieces)
    return touching, int((cover > 1).sum())


def _named(instances: Instances) -> list[str]:
    return [instances.class_names[each] for each in instances.class_ids]


def _of_class(instances: Instances, name: str) -> Region:
    return merge([each for each, own in zip(instances.regions, _named(instances), strict=True) if own == name])


def _iou(a: Region, b: Region) -> float:
    if not a.area or not b.area:
        return float(a.area == b.area)
    shared = int(intersections([a], [b], np.zeros(1, np.intp), np.zeros(1, np.intp))[0])
    return shared / (a.area + b.area - shared)
