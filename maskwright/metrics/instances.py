"""Average precision and recall of objects (masks, boxes, keypoints), equal to COCO's own.

Not covered: LVIS's federated rules, panoptic quality. COCO's `ignore` flag of an annotation is not read, as
pycocotools does not read it either: only crowds, truth outside the area range and truth without keypoints are ignored.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.combine import intersections, meeting_boxes
from maskwright.arrays.matching import (
    COCO_SIGMAS,
    THRESHOLDS,
    box_iou,
    keypoint_similarity,
    match,
    precision_at_recalls,
    rank_by_score,
)
from maskwright.arrays.objects import Objects
from maskwright.errors import GridError, InputError
from maskwright.types import Instances

Kind = Literal["mask", "box", "keypoint"]
AREAS: dict[str, tuple[float, float]] = {
    "all": (0.0, 1e5**2),
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e5**2),
}
"""COCO's area ranges in square pixels, both ends included."""


@dataclass(frozen=True, eq=False)
class InstanceTally:
    """What was found in some pictures; tallies of different pictures add up, in the order in which ties are broken.

    Per detection: class id, score, rank within its class and picture, and whether it was found and is ignored, bool
    (n, areas, thresholds). `positives` (class ids, areas) counts the objects to find.
    """

    class_ids: NDArray[np.int64]
    scores: NDArray[np.float64]
    ranks: NDArray[np.int64]
    found: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    positives: NDArray[np.int64]

    def __add__(self, other: InstanceTally) -> InstanceTally:
        return join([self, other])

    def __radd__(self, other: int) -> InstanceTally:
        """So that `sum` of tallies works."""
        return self if other == 0 else NotImplemented


def join(tallies: Iterable[InstanceTally]) -> InstanceTally:
    """One tally of many pictures; faster than adding them one by one."""
    parts = list(tallies)
    if not parts:
        raise ValueError("there is no tally to join")
    size = max(len(part.positives) for part in parts)
    positives = np.zeros((size, parts[0].positives.shape[1]), np.int64)
    for part in parts:
        positives[: len(part.positives)] += part.positives
    fields = ("class_ids", "scores", "ranks", "found", "ignored")
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in fields}
    return InstanceTally(**joined, positives=positives)


@dataclass(frozen=True)
class AveragePrecision:
    """COCO's average precision and recall of one kind: `mask`, `box` or `keypoint`.

    `sigmas` say how far apart people place each keypoint; without them the 17 of COCO are meant.
    """

    kind: Kind = "mask"
    sigmas: tuple[float, ...] | None = None

    @property
    def areas(self) -> dict[str, tuple[float, float]]:
        """The area ranges that are scored; there are no small objects with keypoints."""
        return {name: ends for name, ends in AREAS.items() if self.kind != "keypoint" or name != "small"}

    @property
    def limits(self) -> tuple[int, ...]:
        """How many detections of a class in a picture are looked at, the last one for precision."""
        return (20,) if self.kind == "keypoint" else (1, 10, 100)

    def tally(self, predicted: Instances | Objects, truth: Instances | Objects) -> InstanceTally:
        """What one picture's detections found; class ids mean the same in both (see `average_precision`)."""
        found, wanted = _objects(predicted), _objects(truth)
        order, ranks = rank_by_score(found.class_ids, found.scores)
        order, ranks = order[ranks < self.limits[-1]], ranks[ranks < self.limits[-1]]
        found = found.take(order)
        ignored = wanted.crowd | wanted.ignored if self.kind == "keypoint" else wanted.crowd
        low, high = np.array(list(self.areas.values())).T[:, :, None]
        areas = self._areas(found)
        truth_ignored = ignored | (wanted.areas < low) | (wanted.areas > high)
        hits, unscored = match(
            self._pairs(found, wanted), truth_ignored, wanted.crowd, (areas < low) | (areas > high), THRESHOLDS
        )
        size = int(max(wanted.class_ids.max(initial=-1), found.class_ids.max(initial=-1))) + 1
        positives = np.stack([np.bincount(wanted.class_ids[~row], minlength=size) for row in truth_ignored], axis=1)
        return InstanceTally(found.class_ids, found.scores, ranks, hits, unscored, positives)

    def scores(self, tally: InstanceTally) -> dict[str, float]:
        """`ap`, `ap50`, `ap75`, `ap_small`, ... and `ar1`, `ar10`, `ar100`, `ar_small`, ...; nan where no object is."""
        return self._summary(self._curves(tally).values())

    def by_class(self, tally: InstanceTally) -> dict[int, dict[str, float]]:
        """The same scores for each class id that occurs in the truth."""
        return {class_id: self._summary([curves]) for class_id, curves in self._curves(tally).items()}

    def _areas(self, found: Objects) -> NDArray[np.float64]:
        if self.kind == "mask":
            return found.pixel_areas
        if self.kind == "box":
            return found.extents[:, 2] * found.extents[:, 3]
        spread = np.ptp(found.keypoints[..., :2], axis=1) if len(found) else np.zeros((0, 2))
        return np.asarray(spread[:, 1] * spread[:, 0])

    def _pairs(self, found: Objects, wanted: Objects) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        same = found.class_ids[:, None] == wanted.class_ids
        if not same.any():
            return np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros(0)
        if self.kind == "mask":
            return _mask_pairs(found, wanted, same)
        if self.kind == "box":
            overlap = box_iou(found.extents, wanted.extents, wanted.crowd)
        else:
            self._check_keypoints(found, wanted)
            overlap = keypoint_similarity(found.keypoints, wanted.keypoints, wanted.areas, wanted.extents, self._sigmas)
        first, second = np.nonzero(same & (overlap > 0))
        return first, second, overlap[first, second]

    @property
    def _sigmas(self) -> NDArray[np.float64]:
        return COCO_SIGMAS if self.sigmas is None else np.asarray(self.sigmas, np.float64)

    def _check_keypoints(self, found: Objects, wanted: Objects) -> None:
        counts = found.keypoints.shape[1], wanted.keypoints.shape[1], len(self._sigmas)
        if len(set(counts)) > 1:
            raise InputError(
                f"an object has {counts[0]} keypoints in the prediction and {counts[1]} in the truth, and there are "
                f"{counts[2]} sigmas; give the same keypoints and one sigma for each"
            )

    def _curves(self, tally: InstanceTally) -> dict[int, _Curves]:
        order = np.lexsort((-tally.scores, tally.class_ids))
        class_ids = tally.class_ids[order]
        found_ids = np.flatnonzero(tally.positives.any(axis=1)).tolist()
        first, last = np.searchsorted(class_ids, found_ids), np.searchsorted(class_ids, found_ids, side="right")
        return {
            class_id: self._curves_of(tally, order[first[k] : last[k]], tally.positives[class_id])
            for k, class_id in enumerate(found_ids)
        }

    def _curves_of(self, tally: InstanceTally, chosen: NDArray[Any], positives: NDArray[np.int64]) -> _Curves:
        precision: dict[str, NDArray[np.float64]] = {}
        recall: dict[str, NDArray[np.float64]] = {}
        found, ignored = tally.found[chosen], tally.ignored[chosen]
        for area, (name, wanted) in enumerate(zip(self.areas, positives.tolist(), strict=True)):
            if wanted:
                precision[name], recall[name] = precision_at_recalls(found[:, area], ignored[:, area], wanted)
        if positives[0]:
            hits = found[:, 0] & ~ignored[:, 0]
            for limit in self.limits:
                recall[str(limit)] = hits[tally.ranks[chosen] < limit].sum(axis=0) / positives[0]
        return _Curves(precision, recall)

    def _summary(self, curves: Collection[_Curves]) -> dict[str, float]:
        levels = {"": slice(None), "50": slice(0, 1), "75": slice(5, 6)}
        scores = {
            f"ap{at}": _mean([each.precision.get("all") for each in curves], level) for at, level in levels.items()
        }
        names = [name for name in self.areas if name != "all"]
        scores |= {f"ap_{name}": _mean([each.precision.get(name) for each in curves]) for name in names}
        for limit in map(str, self.limits):
            scores[f"ar{limit}"] = _mean([each.recall.get(limit) for each in curves])
        if self.kind == "keypoint":
            for at in ("50", "75"):
                scores[f"ar{at}"] = _mean([each.recall.get("all") for each in curves], levels[at])
        return scores | {f"ar_{name}": _mean([each.recall.get(name) for each in curves]) for name in names}


@dataclass(frozen=True, eq=False)
class _Curves:
    """One class: precision (thresholds, 101) and last recall (thresholds,) by area name; recall also by limit."""

    precision: dict[str, NDArray[np.float64]]
    recall: dict[str, NDArray[np.float64]]


def average_precision(
    truth: Mapping[str, Instances] | Mapping[str, Objects],
    predicted: Mapping[str, Instances] | Mapping[str, Objects],
    *,
    kind: Kind = "mask",
    sigmas: tuple[float, ...] | None = None,
) -> dict[str, Any]:
    """COCO's numbers over all pictures of the truth: `ap`, `ap50`, `ap75`, `ap_small/medium/large`, `ar1`, `ar10`,
    `ar100`, `ar_small/medium/large`, and the same under `by_class` for each class name.

    A picture that only the truth knows has no detections; one that only the prediction knows is an error. Equal
    scores are taken in the order of the pictures in `truth`, then as given. Classes are paired by name where both
    have names. Numbers are nan (not -1) where the truth has no such object; keypoints have `ar20`, `ar50` and `ar75`.
    """
    if strangers := sorted(set(predicted) - set(truth)):
        raise InputError(
            f"the prediction has objects for picture {strangers[0]!r}, which the truth does not know "
            f"({len(strangers)} such); give the truth of the same pictures"
        )
    metric = AveragePrecision(kind, sigmas)
    tallies = picture_tallies(truth, predicted, metric)
    if not tallies:
        return metric._summary([]) | {"by_class": {}}
    curves = metric._curves(join(tallies.values()))
    names = _class_names(truth)
    by_class = {_name_of(class_id, names): metric._summary([each]) for class_id, each in curves.items()}
    return metric._summary(curves.values()) | {"by_class": by_class}


def picture_tallies(
    truth: Mapping[str, Any], predicted: Mapping[str, Any], metric: AveragePrecision
) -> dict[str, InstanceTally]:
    """The tally of every picture of the truth, for intervals that draw pictures or sites again and again."""
    return {name: metric.tally(_paired(name, predicted.get(name), objects), objects) for name, objects in truth.items()}


def _paired(name: str, predicted: Any, truth: Any) -> Any:
    """The prediction with the class ids of the truth, checked to lie on the same pixels."""
    if predicted is None:
        return Objects.none(truth.keypoints.shape[1] if isinstance(truth, Objects) else 0)
    if not isinstance(predicted, Instances) or not isinstance(truth, Instances):
        return predicted
    if predicted.grid.shape != truth.grid.shape:
        raise GridError(
            f"picture {name!r} is {truth.grid.height} x {truth.grid.width} in the truth and {predicted.grid.height} x "
            f"{predicted.grid.width} in the prediction; give both on the same pixels"
        )
    if predicted.class_names == truth.class_names:
        return predicted
    known = {each: class_id for class_id, each in enumerate(truth.class_names) if each}
    fresh = len(truth.class_names)
    table = np.array([known.get(each, fresh + k) for k, each in enumerate(predicted.class_names)] or [0], np.int64)
    objects = Objects.of(predicted)
    return objects.renamed(table[objects.class_ids])


def _mask_pairs(
    found: Objects, wanted: Objects, same: NDArray[np.bool_]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    first, second = meeting_boxes(found.region_boxes, wanted.region_boxes)
    pairs = same[first, second]
    first, second = first[pairs], second[pairs]
    shared = intersections(found.regions, wanted.regions, first, second)
    own, other = found.pixel_areas[first], wanted.pixel_areas[second]
    union = own + np.where(wanted.crowd[second], 0, other - shared)
    return first, second, shared / np.maximum(union, 1)


def _objects(given: Instances | Objects) -> Objects:
    return given if isinstance(given, Objects) else Objects.of(given)


def _class_names(truth: Mapping[str, Any]) -> tuple[str, ...]:
    names = {each.class_names for each in truth.values()}
    if len(names) > 1:
        raise InputError("the pictures of the truth do not all have the same classes; write them with one list")
    return next(iter(names))


def _name_of(class_id: int, names: tuple[str, ...]) -> str:
    return (names[class_id] if class_id < len(names) else "") or str(class_id)


def _mean(values: list[NDArray[np.float64] | None], level: slice = slice(None)) -> float:
    there = [each[level] for each in values if each is not None]
    return float(np.mean(there)) if there else float("nan")
