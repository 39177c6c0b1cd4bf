"""Surveys and class rasters on the way to a coarse mask: chosen, merged, on a grid, stretched together, fused."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.footprints import area, clip_to_box, combine, covered_share, footprints
from maskwright.arrays.frames import (
    METRES_PER_DEGREE,
    degree_grid,
    interpolate_frames,
    on_grid,
    spacing_m,
)
from maskwright.arrays.fuse import fuse_scores, legacy_argmax, quantile_stretch
from maskwright.arrays.windows import Window
from maskwright.errors import InputError, UnknownNameError
from maskwright.types import UNKNOWN, Grid, Mask, ScoreMap, Survey, named_classes

DEGREES = "EPSG:4326"
MOST_CELLS = 100_000_000
"""A survey whose grid would have more cells than this is refused: a frame in the wrong place is the usual reason."""

_log = logging.getLogger(__name__)


def spacing_of(survey: Survey) -> float:
    """The median step in metres between frames of a survey; one that stands still or has one frame is an InputError."""
    step = spacing_m(survey.latitude, survey.longitude)
    if not step > 0:
        found = "has only one frame" if len(survey) < 2 else "stands still: half of its steps are 0 m"
        raise InputError(
            f"the survey {found}; expected frames in the order taken, apart; set spacing_m to their distance"
        )
    return step


def survey_grid(survey: Survey, cell_m: float, *, margin: int = 0) -> Grid:
    """The grid in degrees of WGS 84 that holds a survey and `margin` cells around it, each `cell_m` on the ground."""
    shape, transform = degree_grid(survey.latitude, survey.longitude, cell_m, margin=margin)
    if shape[0] * shape[1] > MOST_CELLS:
        raise InputError(
            f"the survey spans {shape[0] * cell_m / 1000:.1f} x {shape[1] * cell_m / 1000:.1f} km, which makes "
            f"{shape[0]} x {shape[1]} cells of {cell_m:.3g} m; expected fewer than {MOST_CELLS:,}; is a frame in the "
            "wrong place? else set spacing_m or cells_per_step"
        )
    return Grid(*shape, transform, DEGREES)


def interpolated(survey: Survey, grid: Grid, *, reach_m: float = np.inf, beyond_m: float = 0.0) -> ScoreMap:
    """The scores of a survey on a grid in degrees, linear between frames, nan beyond their hull and its edge."""
    assert grid.transform is not None
    places, shape, transform = (survey.latitude, survey.longitude), grid.shape, grid.transform
    scores = interpolate_frames(*places, survey.scores, shape, transform, reach_m=reach_m, beyond_m=beyond_m)
    return ScoreMap(scores, survey.class_names, grid)


def from_footprints(
    survey: Survey, cell_m: float, *, least_cover: float, fov_across_deg: float, fov_along_deg: float
) -> ScoreMap:
    """Scores of tiles from what frames saw of them: 1 - product of (1 - score * share of the footprint in the tile).

    A tile takes the frames whose place lies in it; it is nan unless their footprints together cover `least_cover` of
    it. Frames without attitude, or that look above the horizon, count for nothing.
    """
    if survey.attitudes is None:
        raise InputError(
            "the survey says nothing of where its camera looked; expected GPSTrack, GPSPitch, GPSRoll and GPSAltitude; "
            "add these columns, or use transfer: interpolation"
        )
    grid = survey_grid(survey, cell_m)
    assert grid.transform is not None
    rows, cols = on_grid(survey.latitude, survey.longitude, grid.transform)
    seen = footprints(survey.attitudes, fov_across_deg=fov_across_deg, fov_along_deg=fov_along_deg)
    scores = np.full((len(survey.class_names), *grid.shape), np.nan, np.float32)
    at_rows, at_cols = (np.floor(each + 0.5).astype(np.intp) for each in (rows, cols))
    size = -grid.transform[4] * METRES_PER_DEGREE, cell_m
    for group in _groups(at_rows * grid.width + at_cols, np.asarray(np.isfinite(seen).all(axis=(1, 2)))):
        row, col = at_rows[group[0]], at_cols[group[0]]
        offsets = np.stack([(row - rows[group]) * size[0], (cols[group] - col) * size[1]], axis=1)
        tile = _tile_scores(survey.scores[group], seen[group] + offsets[:, None], size, least_cover)
        if tile is not None:
            scores[:, row, col] = tile
    return ScoreMap(scores, survey.class_names, grid)


def choose(scores: ScoreMap, class_names: tuple[str, ...], *, missing: str = "error") -> ScoreMap:
    """The scores of the named classes of `class_names`, in the order of their ids; others are left out.

    A class nobody scored is an InputError, or with missing="ignore" nan everywhere: ids never shift.
    """
    channels = [_channel(name, scores.class_names, missing) for name in named_classes(class_names).values()]
    if all(each is None for each in channels):
        known, wanted = ", ".join(scores.class_names), ", ".join(named_classes(class_names).values())
        raise InputError(f"the scores are of {known}; expected some of {wanted}; give the classes their names")
    nothing = np.full(scores.grid.shape, np.nan, np.float32)
    picked = np.stack([nothing if each is None else scores.scores[each] for each in channels])
    return ScoreMap(picked, tuple(named_classes(class_names).values()), scores.grid)


def chosen(survey: Survey, class_names: tuple[str, ...], *, missing: str = "error") -> Survey:
    """As `choose`, for the frames of a survey."""
    if not len(survey):
        raise InputError("the survey has no frames; expected some; look at its file")
    flat = ScoreMap(survey.scores.T[:, None], survey.class_names, Grid(1, len(survey)))
    picked = choose(flat, class_names, missing=missing)
    return replace(survey, scores=np.ascontiguousarray(picked.scores[:, 0].T), class_names=picked.class_names)


def merge_rules(settings: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Class to the names that become it, out of texts `Name=Source+Source`; `*` in a source stands for any letters.

    >>> merge_rules(["plants=Algae_*+Seagrass"])
    {'plants': ('Algae_*', 'Seagrass')}
    """
    rules: dict[str, tuple[str, ...]] = {}
    for text in settings:
        name, equals, sources = (each.strip() for each in text.partition("="))
        names = tuple(each.strip() for each in sources.split("+"))
        if not (equals and name and all(names)):
            raise InputError(f"merge has {text!r}; expected NAME=SOURCE+SOURCE, such as plants=kelp+grass; correct it")
        if name in rules:
            raise InputError(f"merge makes {name!r} twice; expected once; write all its sources behind one =")
        rules[name] = names
    return rules


def merged_sources(rules: Mapping[str, Sequence[str]], known: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Class to those of the `known` names that become it; a source nobody knows, or one taken twice, is an error."""
    sources: dict[str, tuple[str, ...]] = {}
    taken: dict[str, str] = {}
    for target, patterns in rules.items():
        found = [name for each in patterns for name in _meant(each, known)]
        for name in found:
            if (before := taken.setdefault(name, target)) != target or found.count(name) > 1:
                raise InputError(
                    f"merge takes {name!r} twice, into {before!r} and {target!r}; expected once; leave one"
                )
        sources[target] = tuple(found)
    for target in sources:
        if target in known and taken.get(target) != target:
            raise InputError(
                f"merge makes {target!r}, and the survey has scores of that name; expected a new name, or {target!r} "
                "among its own sources; rename it"
            )
    return sources


def merged(
    survey: Survey | ScoreMap, sources: Mapping[str, Sequence[str]], *, missing: str = "error"
) -> Survey | ScoreMap:
    """Classes made one: of the scores of its sources the highest, so 0 and 1 become present where any is present.

    A source without scores is an error, or with missing="ignore" left out; a class that has none of its sources is not
    there. nan counts only where all are nan.
    """
    names = survey.class_names
    for source in (each for group in sources.values() for each in group):
        if source not in names and missing != "ignore":
            raise UnknownNameError("class of a survey", source, names, where="survey_scores.merge")
    taken = {each for group in sources.values() for each in group}
    channels = {name: [index] for index, name in enumerate(names) if name not in taken}
    channels |= {name: [names.index(each) for each in group if each in names] for name, group in sources.items()}
    channels = {name: each for name, each in channels.items() if each}
    axis = 1 if isinstance(survey, Survey) else 0
    bands = [np.fmax.reduce(survey.scores.take(each, axis), axis=axis) for each in channels.values()]
    return replace(survey, scores=np.stack(bands, axis=axis), class_names=tuple(channels))


def leave_out_rules(settings: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """Class and threshold out of texts `Name>0.5`.

    >>> leave_out_rules(["Useless>0.315"])
    (('Useless', 0.315),)
    """
    rules = []
    for text in settings:
        name, _, limit = (each.strip() for each in text.rpartition(">"))
        try:
            value = float(limit)
        except ValueError:
            value = np.nan
        if not name or not 0 <= value < 1:
            raise InputError(f"leave_out has {text!r}; expected NAME>SCORE, from 0 to below 1: Useless>0.5; correct it")
        rules.append((name, value))
    return tuple(rules)


def frames_to_leave_out(survey: Survey, rules: Sequence[tuple[str, float]]) -> NDArray[np.bool_]:
    """Frames whose score of any class of `rules` is above its threshold: bool (frames,). nan is above nothing."""
    for name, _ in rules:
        if name not in survey.class_names:
            raise UnknownNameError("class of a survey", name, survey.class_names, where="survey_scores.leave_out")
    above = [survey.scores[:, survey.class_names.index(name)] > np.float32(limit) for name, limit in rules]
    return np.any(above, axis=0) if above else np.zeros(len(survey), bool)


def with_frames(survey: Survey, kept: NDArray[np.bool_]) -> Survey:
    """The survey of some of its frames."""
    attitudes = None if survey.attitudes is None else survey.attitudes[kept]
    return replace(
        survey,
        latitude=survey.latitude[kept],
        longitude=survey.longitude[kept],
        scores=survey.scores[kept],
        attitudes=attitudes,
    )


def crop(scores: ScoreMap, window: Window) -> ScoreMap:
    """The part of a map of scores inside a window."""
    return ScoreMap(scores.scores[:, *window.slices], scores.class_names, scores.grid.crop(window))


def to_mask(
    scores: ScoreMap, class_names: tuple[str, ...], quantiles: NDArray[np.float64] | None, *, floor: float, legacy: bool
) -> Mask:
    """The class with the highest score in each cell, its scores stretched between `quantiles` (classes, 2) if given.

    `scores` are those of the named classes, as `choose` gives them. No evidence, or a tie, is UNKNOWN; the confidence
    is the margin to the second. `legacy` takes the first of equal classes, and the first class where all are 0.
    """
    values = scores.scores if quantiles is None else quantile_stretch(scores.scores, quantiles, floor=floor)
    ids = np.full(256, UNKNOWN, np.uint8)
    ids[: len(values)] = list(named_classes(class_names))
    if legacy:
        return Mask(ids[legacy_argmax(values, first_id=0)], class_names, scores.grid)
    class_ids, confidence = fuse_scores(values)
    return Mask(ids[class_ids], class_names, scores.grid, confidence)


def _meant(source: str, known: Sequence[str]) -> list[str]:
    """The known names that a source of a merge stands for."""
    names = [source] if source in known else [each for each in known if "*" in source and fnmatchcase(each, source)]
    if not names:
        raise UnknownNameError("class of a survey", source, known, where="survey_scores.merge")
    return names


def _channel(name: str, names: Sequence[str], missing: str) -> int | None:
    if name in names:
        return names.index(name)
    if missing == "ignore":
        _log.warning("no scores for the class %r: it will be nowhere", name)
        return None
    raise InputError(
        f"there are no scores for the class {name!r}, only for {', '.join(names)}; expected one column or raster per "
        "class; add it, leave the class out of classes.yaml, or set missing_classes=ignore"
    )


def _groups(cells: NDArray[np.intp], usable: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """Numbers of the usable frames, those of one cell together."""
    frames = np.flatnonzero(usable)
    order = frames[np.argsort(cells[frames], kind="stable")]
    return np.split(order, np.flatnonzero(np.diff(cells[order])) + 1) if len(order) else []


def _tile_scores(
    scores: NDArray[np.float32], corners: NDArray[np.float64], size: tuple[float, float], least_cover: float
) -> NDArray[np.float64] | None:
    """Scores of one tile from footprints in metres around its middle; None where they cover too little of it."""
    low, high = (-size[0] / 2, -size[1] / 2), (size[0] / 2, size[1] / 2)
    parts = [clip_to_box(each, low, high) for each in corners]
    if covered_share(parts, low, high) < least_cover:
        return None
    return combine(scores, np.array([area(part) / area(each) for part, each in zip(parts, corners, strict=True)]))
