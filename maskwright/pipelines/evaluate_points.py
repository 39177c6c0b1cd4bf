"""Masks scored by points somebody named: no full truth needed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import EmptyResultError, MaskwrightError
from maskwright.io.classes import Classes, classes_from_names
from maskwright.metrics.from_points import PointOverlap, score_points
from maskwright.pipelines.mask_files import MaskFile, find_masks, on_shared_classes, read_sites, renamed
from maskwright.types import Points

ON_EARTH = (".geojson", ".gpkg")


def evaluate_points(
    predicted: str | Path,
    points: str | Path,
    classes: Classes | None = None,
    sites: str | Path | None = None,
    only: Collection[str] | None = None,
) -> dict[str, Any]:
    """`mean_iou`, `pixel_accuracy`, and per class `iou`, `dice`, `cover`, `cover_by_map`, estimated from points.

    `cover` is the share of points; `cover_by_map` the masks' own share mended by the mistakes the points found. A
    picture with points and without a mask is a failure; a mask without points is listed under `without_truth`.
    """
    masks = {name: MaskFile(path, classes) for name, path in find_masks(predicted, only).items()}
    masks, _, classes = on_shared_classes(masks, {}, classes or _classes(masks, points))
    known = _read(points, classes, masks)
    tallies: dict[str, NDArray[np.float64]] = {}
    failed: list[tuple[str, str]] = []
    for name, each in known.items():
        try:
            tallies[name] = _tally(name, masks, each, classes.names, predicted)
        except (MaskwrightError, OSError) as error:
            failed.append((name, str(error)))
    if not any(each[:-1].any() for each in tallies.values()):
        reason = f"; the first: {failed[0][1]}" if failed else ""
        raise EmptyResultError(f"no point of {points} lies on a mask of {predicted}, so nothing was scored{reason}")
    table = read_sites(sites) if sites is not None else None
    places = None if table is None else [table.get(name) for name in tallies]
    return {
        **score_points(list(tallies.values()), classes.names, sites=places),
        "by_picture": [_one(name, each, classes.names) for name, each in tallies.items()],
        "without_truth": [name for name in masks if name not in known],
        "failed": [{"name": name, "reason": reason} for name, reason in failed],
    }


def _classes(masks: Mapping[str, MaskFile], points: str | Path) -> Classes | None:
    """The sorted names of the points, where no mask has a story that says what its ids mean."""
    from maskwright.io.points import points_classes

    if any(each.own_classes is not None for each in masks.values()):
        return None
    return classes_from_names(points_classes(points))


def _read(points: str | Path, classes: Classes, masks: Mapping[str, MaskFile]) -> dict[str, Points]:
    from maskwright.io.points import read_points

    on_earth = Path(points).suffix.lower() in ON_EARTH  # places on Earth need the grids of the masks
    pictures = {name: each.path for name, each in masks.items()} if on_earth else None
    return read_points(points, classes, pictures=pictures)


def _tally(
    name: str, masks: Mapping[str, MaskFile], points: Points, class_names: tuple[str, ...], predicted: str | Path
) -> NDArray[np.float64]:
    if name not in masks:
        raise EmptyResultError(f"no mask called {name!r} lies in {predicted}, but points speak of it; make it")
    mask = masks[name]
    return PointOverlap(class_names).tally(renamed(mask.crop(mask.grid.window), class_names, str(mask.path)), points)


def _one(name: str, tally: NDArray[np.float64], class_names: tuple[str, ...]) -> dict[str, Any]:
    scores = PointOverlap(class_names).scores(tally)
    return {"name": name, **{key: scores[key] for key in ("mean_iou", "pixel_accuracy", "iou")}}
