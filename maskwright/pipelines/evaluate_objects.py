"""Objects scored against true objects: average precision and recall as COCO counts them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from maskwright.errors import EmptyResultError, InputError
from maskwright.metrics.instances import AveragePrecision, InstanceTally, Kind, average_precision, join, picture_tallies
from maskwright.metrics.intervals import bootstrap_items
from maskwright.pipelines.mask_files import read_sites

__all__ = ["Kind", "evaluate_objects"]

DRAWS = 100
"""Resamplings for the intervals: each needs all curves anew."""


def evaluate_objects(
    predicted: str | Path, truth: str | Path, *, sites: str | Path | None = None, kind: Kind | None = None
) -> dict[str, Any]:
    """COCO's twelve numbers, each {"value", "low", "high"}, and the same values under `by_class`.

    `predicted` is a COCO file or a bare list of results. `kind` is mask, box or keypoint; without it masks are
    compared where the predictions have any, else keypoints, else boxes. A true picture without predictions counts
    as one without detections.
    """
    if Path(predicted).suffix.lower() != ".json":
        raise InputError(f"{predicted}: is no COCO json, but {truth} is one; give both sides in the same form")
    kind = kind or _kind(predicted)
    ours, right = _read(predicted, truth, kind)
    if not right:
        raise EmptyResultError(f"{truth}: speaks of no picture; expected a COCO file with images; check the file")
    metric = AveragePrecision(kind)
    values = average_precision(right, ours, kind=kind)
    tallies = picture_tallies(right, ours, metric)
    table = read_sites(sites) if sites is not None else None
    places = None if table is None else [table.get(name) for name in tallies]

    def scores(drawn: Sequence[InstanceTally]) -> dict[str, float]:
        return metric.scores(join(drawn))

    return {
        **bootstrap_items(list(tallies.values()), scores, sites=places, draws=DRAWS),
        "by_class": values["by_class"],
        "kind": kind,
        "pictures": len(right),
        "objects": sum(len(each.class_ids) for each in right.values()),
        "intervals": "picture" if sites is None else "site",
        "failed": [],
    }


def _kind(predicted: str | Path) -> Kind:
    """What the predictions can be judged by: their masks, else their keypoints, else their boxes."""
    from maskwright.io.texts import read_json

    content = read_json(predicted)
    entries = content.get("annotations", []) if isinstance(content, dict) else content
    keys = {key for each in entries if isinstance(each, dict) for key in each} if isinstance(entries, list) else set()
    return "mask" if "segmentation" in keys else "keypoint" if "keypoints" in keys else "box"


def _read(predicted: str | Path, truth: str | Path, kind: Kind) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    from maskwright.io.coco import read_instances, read_objects

    if kind == "mask":
        return read_instances(predicted, like=truth), read_instances(truth)
    return read_objects(predicted, like=truth), read_objects(truth)
