"""How good masks are against masks or points known to be right: scores with intervals.

Pictures are matched by name and streamed; rasters too large for memory are walked over in bands. What the scores mean
stands in `metrics.overlap`, `metrics.boundary`, `metrics.from_points` and `metrics.instances`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.windows import Window
from maskwright.errors import EmptyResultError, GridError, InputError, MaskwrightError
from maskwright.io.classes import Classes, read_classes
from maskwright.metrics.boundary import Boundary
from maskwright.metrics.intervals import bootstrap
from maskwright.metrics.overlap import Overlap
from maskwright.pipelines.evaluate_objects import Kind, evaluate_objects
from maskwright.pipelines.evaluate_points import evaluate_points
from maskwright.pipelines.mask_files import BAND_PIXELS, MaskFile, find_masks, on_shared_classes, read_sites, renamed
from maskwright.pipelines.outcome import Progress

Tallies = tuple[NDArray[np.int64], ...]


@dataclass
class Pairs:
    """Masks matched by name, what has no partner, and what could not be scored."""

    names: list[str]
    predicted: Mapping[str, MaskFile]
    truth: Mapping[str, MaskFile]
    without_truth: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)


def evaluate(
    predicted: str | Path,
    truth: str | Path | None = None,
    *,
    classes: str | Path | None = None,
    points: str | Path | None = None,
    sites: str | Path | None = None,
    kind: Kind | None = None,
    tolerance_px: float = 2,
    only: Collection[str] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> dict[str, Any]:
    """Score masks (a folder, a file or a glob) against true ones, or COCO objects against true ones, or by points.

    Gives `mean_iou`, `mean_iou_predicted`, `pixel_accuracy`, `mean_dice`, and per class `iou`, `dice`, `boundary_f`,
    `boundary_iou`, each {"value", "low", "high"} with a 95 % bootstrap by picture, or by site where the table `sites`
    (CSV image,site) names one; then `pixels`, `pictures`, `by_picture`, `failed` and `without_truth` (masks nobody
    checked, which count nowhere). COCO json on both sides gives `ap`, `ap50`, `ap75`, ... instead. With `points`
    alone the same scores are estimated from them; besides a truth they come under `by_points`. Of a folder that holds
    other masks too, `only` names those that count.
    """
    if truth is None and points is None:
        raise InputError("there is nothing to score against; expected a truth or points; give one of them")
    known = read_classes(classes) if classes is not None else None
    if truth is None:
        assert points is not None
        return evaluate_points(predicted, points, known, sites, only)
    if Path(truth).suffix.lower() == ".json":
        return evaluate_objects(predicted, truth, sites=sites, kind=kind)
    scores = _score_masks(predicted, truth, known, sites, tolerance_px, only, progress)
    if points is not None:
        scores["by_points"] = evaluate_points(predicted, points, known, sites, only)
    return scores


def _score_masks(
    predicted: str | Path,
    truth: str | Path,
    classes: Classes | None,
    sites: str | Path | None,
    tolerance_px: float,
    only: Collection[str] | None,
    progress: Callable[[Progress], None] | None,
) -> dict[str, Any]:
    pairs = _pairs(predicted, truth, classes, only)
    pairs.truth, pairs.predicted, classes = on_shared_classes(pairs.truth, pairs.predicted, classes)
    class_names = classes.names
    metrics = (Overlap(class_names), Boundary(class_names, tolerance_px))
    tallies: dict[str, Tallies] = {}
    start = time.monotonic()
    for name in pairs.names:
        try:
            tallies[name] = _tally(pairs.predicted[name], pairs.truth[name], class_names, metrics)
        except (MaskwrightError, OSError) as error:
            pairs.failed.append((name, str(error)))
        if progress:
            seconds = time.monotonic() - start
            progress(Progress(len(tallies), len(pairs.names), 0, len(pairs.failed), seconds))
    _check_any(pairs, tallies, predicted, truth)
    return _summary(pairs, tallies, metrics, sites)


def _pairs(predicted: str | Path, truth: str | Path, classes: Classes | None, only: Collection[str] | None) -> Pairs:
    ours = {name: MaskFile(path, classes) for name, path in find_masks(predicted, only).items()}
    right = {name: MaskFile(path, classes) for name, path in find_masks(truth).items()}
    if Path(predicted).is_file() and Path(truth).is_file():  # two files are a pair, whatever they are called
        ours = dict(zip(right, ours.values(), strict=True))
    pairs = Pairs([name for name in right if name in ours], ours, right)
    pairs.without_truth = [name for name in ours if name not in right]
    pairs.failed = [
        (name, f"no mask called {name!r} lies in {predicted}; {each.path} has nothing to be compared with; make it")
        for name, each in right.items()
        if name not in ours
    ]
    if not pairs.names:
        raise EmptyResultError(
            f"no mask of {predicted} has the name of one of {truth} ({', '.join(list(ours)[:3])} and "
            f"{', '.join(list(right)[:3])}, ...); pairs need the same file name; rename one side"
        )
    return pairs


def _tally(
    predicted: MaskFile, truth: MaskFile, class_names: tuple[str, ...], metrics: tuple[Overlap, Boundary]
) -> Tallies:
    """What one pair adds to every metric: held whole where it is small, else walked over in bands of rows."""
    _check_sizes(predicted, truth)
    grid, margin = truth.grid, metrics[1].margin
    step = max(1, BAND_PIXELS // grid.width)
    totals: list[NDArray[np.int64]] = []
    for top in range(0, grid.height, step):
        core = Window(top, 0, min(top + step, grid.height), grid.width)
        around = Window(max(0, top - margin), 0, min(core.bottom + margin, grid.height), grid.width)
        inside = Window(top - around.top, 0, core.bottom - around.top, grid.width)
        ours, right = (renamed(each.crop(around), class_names, str(each.path)) for each in (predicted, truth))
        part = [metric.tally(ours, right, inside=inside) for metric in metrics]
        totals = [total + each for total, each in zip(totals, part, strict=True)] if totals else part
    return tuple(totals)


def _check_sizes(predicted: MaskFile, truth: MaskFile) -> None:
    ours, right = predicted.grid, truth.grid
    if ours.shape != right.shape:
        raise GridError(
            f"{predicted.path} is {ours.height} x {ours.width} pixels, but {truth.path} is {right.height} x "
            f"{right.width}; a mask and its truth have one size; make both from the same picture"
        )


def _check_any(pairs: Pairs, tallies: Mapping[str, Any], predicted: str | Path, truth: str | Path) -> None:
    if tallies:
        return
    name, reason = pairs.failed[-1]
    if len(pairs.names) == 1:
        raise GridError(reason) if "one size" in reason else InputError(reason)
    raise InputError(
        f"none of {len(pairs.names)} pairs of {predicted} and {truth} could be scored; the last: {name}: {reason}"
    )


def _summary(
    pairs: Pairs, tallies: Mapping[str, Tallies], metrics: tuple[Overlap, Boundary], sites: str | Path | None
) -> dict[str, Any]:
    """Scores of all pairs with their intervals, then picture by picture."""
    table = read_sites(sites) if sites is not None else None
    places = None if table is None else [table.get(name) for name in tallies]
    scores: dict[str, Any] = {}
    overlaps, boundaries = ([each[index] for each in tallies.values()] for index in range(2))
    scores |= bootstrap(overlaps, metrics[0].scores, sites=places)
    scores |= bootstrap(boundaries, metrics[1].scores, sites=places)
    return {
        **scores,
        "pictures": len(tallies),
        "intervals": "picture" if sites is None else "site",
        "boundary_tolerance_px": metrics[1].tolerance_px,
        "by_picture": [_one(name, each[0], metrics[0]) for name, each in tallies.items()],
        "without_truth": pairs.without_truth,
        "failed": [{"name": name, "reason": reason} for name, reason in pairs.failed],
    }


def _one(name: str, tally: NDArray[np.int64], metric: Overlap) -> dict[str, Any]:
    scores = metric.scores(tally)
    return {"name": name, **{key: scores[key] for key in ("mean_iou", "pixel_accuracy", "iou", "pixels")}}
