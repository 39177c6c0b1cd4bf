"""Scores of a survey's frames, or of another sensor's class rasters, become a mask of the picture."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil, inf
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskwright import score_maps
from maskwright.arrays.fuse import score_quantiles
from maskwright.arrays.windows import Window
from maskwright.errors import EmptyResultError, GridError, InputError
from maskwright.io.regrid import Crossing, lay_on
from maskwright.types import Grid, Hint, Image, Mask, ScoreMap, Step, Survey, named_classes

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SurveyScores:
    """Each pixel takes the class that a survey is surest of there, its scores stretched so that rare classes count.

    A survey's frames are brought to a grid in one of two ways. `interpolation` is linear on their triangulation, in
    cells of the median step between frames divided by `cells_per_step` (`spacing_m` replaces that step). Outside their
    hull the nearest frame speaks as far as `edge_steps` steps, for it has seen that much around it; farther out, and
    beyond `reach_m` from every frame, nobody knows. `footprints` gives each tile of `tile_m` the
    probability that one of the frames taken in it shows the class there, by the share of each frame's footprint; tiles
    covered less than `least_cover` are unknown. Rasters of scores, one per class, keep their own grid.

    `merge` makes one class of several before that: "plants=kelp+grass" takes the highest of their scores (of 0 and 1:
    any), and "plants=Algae_*" all whose names begin so. `leave_out` are frames that show nothing: "Useless>0.315"
    leaves out those whose score of Useless is above 0.315, by the survey's own names; the story counts them.

    Then each class is stretched between its `low_quantile` and `high_quantile`, pooled over the cells of all surveys
    given (`stretch` false leaves scores as they are); `floor` is the least span of scores that counts as full, so that
    a trace of a rare class is not taken for certainty. The highest class wins; a tie, and no evidence at all, is
    UNKNOWN; the confidence is the margin to the second, as a share of the highest. Several surveys speak by the sum of
    their confidences. Classes are matched by name; one without scores is an error, or with missing_classes=ignore
    is nowhere.

    `gps_error_m` makes pixels as near as that to a border between two classes UNKNOWN. `legacy` labels as the
    published code does, for comparison: cells of a whole step, no floor, the first of equal classes, the first class
    where all scores are 0.

    Paper: A drone-based framework for coral habitat mapping via weakly supervised segmentation, arXiv 2508.18958.
    """

    transfer: Literal["interpolation", "footprints"] = "interpolation"
    spacing_m: float | None = None
    cells_per_step: int = 4
    edge_steps: float = 0.75
    reach_m: float = inf
    stretch: bool = True
    low_quantile: float = 0.01
    high_quantile: float = 0.99
    floor: float = 0.1
    missing_classes: Literal["error", "ignore"] = "error"
    merge: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    gps_error_m: float = 0.0
    tile_m: float = 1.5
    least_cover: float = 1.0
    fov_across_deg: float = 94.4
    fov_along_deg: float = 122.6
    legacy: bool = False

    def __post_init__(self) -> None:
        ranges = {
            "spacing_m": self.spacing_m is None or 0 < self.spacing_m < inf,
            "cells_per_step": 1 <= self.cells_per_step <= 64,
            "edge_steps": 0 <= self.edge_steps < inf,
            "reach_m": self.reach_m > 0,
            "floor": 0 <= self.floor <= 1,
            "gps_error_m": 0 <= self.gps_error_m < inf,
            "tile_m": 0 < self.tile_m < inf,
            "least_cover": 0 <= self.least_cover <= 1,
            "fov_across_deg": 0 < self.fov_across_deg < 180,
            "fov_along_deg": 0 < self.fov_along_deg < 180,
            "low_quantile": 0 <= self.low_quantile < self.high_quantile <= 1,
        }
        if wrong := [name for name, is_right in ranges.items() if not is_right]:
            found = " and ".join(f"{name} is {getattr(self, name)}" for name in wrong)
            raise InputError(f"{found}; expected lengths above 0, shares from 0 to 1, angles below 180; change it")

        score_maps.merge_rules(self.merge)
        score_maps.leave_out_rules(self.leave_out)

    def __call__(self, image: Image, hints: Sequence[Hint], class_names: tuple[str, ...]) -> Mask:
        return self.label_window(image, hints, class_names, image.grid.window)

    def label_window(self, image: Image, hints: Sequence[Hint], class_names: tuple[str, ...], window: Window) -> Mask:
        """The mask of one window of the picture, equal to that part of the whole picture's mask."""
        surveys = tuple(each for each in hints if isinstance(each, Survey | ScoreMap))
        if not surveys:
            raise InputError(
                "no survey among the hints of this picture; "
                "expected frames with scores, or class rasters; add them, or leave the picture out"
            )
        if not named_classes(class_names):
            raise InputError("no class has a name; expected those to look for; give classes.yaml")
        usable = usable_surveys(self, surveys, tuple(class_names))
        masks = coarse_masks(self, usable.surveys, tuple(class_names), image.grid)
        laid = lay_on(masks, image, window, class_names, gps_error_m=self.gps_error_m)
        step = replace(Step.of(self), inputs={"frames": usable.frames} if self.leave_out else {})
        return laid.after(step, laid.class_ids, laid.confidence)


class Usable(NamedTuple):
    """Surveys without the frames that are left out and with merged classes; how many frames there were, and are not."""

    surveys: tuple[Survey | ScoreMap, ...]
    frames: dict[str, int]


@lru_cache(maxsize=1)  # as below, and the records that come out stay the same ones
def usable_surveys(
    method: SurveyScores, surveys: tuple[Survey | ScoreMap, ...], class_names: tuple[str, ...]
) -> Usable:
    """What is left of surveys to look at once `leave_out` and `merge` are done."""
    kept, frames = _without_left_out(method, surveys) if method.leave_out else (surveys, {})
    if not method.merge:
        return Usable(kept, frames)
    rules = score_maps.merge_rules(method.merge)
    known = tuple(dict.fromkeys(name for each in kept for name in each.class_names))
    sources = score_maps.merged_sources(rules, known)
    for target, names in sources.items():
        _check_classes(target, names, class_names)
    missing = method.missing_classes
    return Usable(tuple(score_maps.merged(each, sources, missing=missing) for each in kept), frames)


def _without_left_out(
    method: SurveyScores, surveys: Sequence[Survey | ScoreMap]
) -> tuple[tuple[Survey | ScoreMap, ...], dict[str, int]]:
    rules = score_maps.leave_out_rules(method.leave_out)
    kept, count, left_out = [], 0, 0
    for survey in surveys:
        if isinstance(survey, ScoreMap):
            raise InputError(
                "leave_out speaks of frames, but a class raster has none; expected a table of frames with scores; "
                "take the session's, or clear leave_out"
            )
        out = score_maps.frames_to_leave_out(survey, rules)
        count, left_out = count + len(out), left_out + int(out.sum())
        if not out.all():
            kept.append(score_maps.with_frames(survey, ~out))
    if not kept:
        raise EmptyResultError(
            f"leave_out ({', '.join(method.leave_out)}) leaves out all {count} frames of the survey; expected some to "
            "be left; set higher thresholds, or look at the scores of that class"
        )
    _log.info("%d of %d frames of the survey are left out (%s)", left_out, count, ", ".join(method.leave_out))
    return tuple(kept), {"count": count, "left_out": left_out}


def _check_classes(target: str, sources: Sequence[str], class_names: tuple[str, ...]) -> None:
    """A merged class has to be one of the classes, and what it is made of cannot be one too."""
    named = list(named_classes(class_names).values())
    if target not in named:
        raise InputError(
            f"merge makes {target!r}, which is no class here ({', '.join(named)}); expected it among them; add it to "
            "classes.yaml"
        )
    if both := [each for each in sources if each in named and each != target]:
        raise InputError(
            f"{both[0]!r} becomes {target!r} by merge and is a class of its own too; expected one of them; leave it "
            "out of classes.yaml or of merge"
        )


@lru_cache(maxsize=1)  # the pieces of a big picture ask for the same; records are compared by identity
def coarse_masks(
    method: SurveyScores, surveys: tuple[Survey | ScoreMap, ...], class_names: tuple[str, ...], grid: Grid
) -> tuple[Mask, ...]:
    """What each survey that meets a picture's `grid` says of it, on a grid of the survey's own."""
    pooled = [_scores(method, each, class_names) for each in surveys]
    quantiles = _quantiles(method, pooled) if method.stretch else None
    masks = []
    for survey, scores in zip(surveys, pooled, strict=True):
        part = _near_picture(method, survey, scores, class_names, grid)
        if part is not None:
            floor = 0.0 if method.legacy else method.floor
            masks.append(score_maps.to_mask(part, class_names, quantiles, floor=floor, legacy=method.legacy))
    if not masks:
        raise GridError("no survey reaches this picture; expected frames on it; is it the right file, or place?")
    return tuple(masks)


def _scores(method: SurveyScores, survey: Survey | ScoreMap, class_names: tuple[str, ...]) -> ScoreMap:
    """The scores of a whole survey, in cells of one step or one tile: what quantiles are taken of."""
    if isinstance(survey, ScoreMap):
        return score_maps.choose(survey, class_names, missing=method.missing_classes)
    survey = score_maps.chosen(survey, class_names, missing=method.missing_classes)
    if method.transfer == "footprints":
        return score_maps.from_footprints(
            survey,
            method.tile_m,
            least_cover=method.least_cover,
            fov_across_deg=method.fov_across_deg,
            fov_along_deg=method.fov_along_deg,
        )
    return _interpolated(method, survey, _grid(method, survey, 1))


def _near_picture(
    method: SurveyScores, survey: Survey | ScoreMap, scores: ScoreMap, class_names: tuple[str, ...], grid: Grid
) -> ScoreMap | None:
    """The part of a survey that can lie on the picture, in fine cells where it is interpolated; None for none."""
    frames = survey if isinstance(survey, Survey) and method.transfer == "interpolation" else None
    if frames is None or method.legacy or method.cells_per_step == 1:
        window = Crossing(grid, scores.grid).reached()
        return None if window is None else score_maps.crop(scores, window)
    fine = _grid(method, frames, method.cells_per_step)
    window = Crossing(grid, fine).reached()
    if window is None:
        return None
    return _interpolated(method, score_maps.chosen(frames, class_names, missing="ignore"), fine.crop(window))


def _interpolated(method: SurveyScores, survey: Survey, grid: Grid) -> ScoreMap:
    beyond_m = 0.0 if method.legacy else method.edge_steps * _step(method, survey)
    return score_maps.interpolated(survey, grid, reach_m=method.reach_m, beyond_m=beyond_m)


def _grid(method: SurveyScores, survey: Survey, cells_per_step: int) -> Grid:
    margin = 0 if method.legacy else ceil(method.edge_steps * cells_per_step)
    return score_maps.survey_grid(survey, _step(method, survey) / cells_per_step, margin=margin)


def _step(method: SurveyScores, survey: Survey) -> float:
    return method.spacing_m or score_maps.spacing_of(survey)


def _quantiles(method: SurveyScores, pooled: Sequence[ScoreMap]) -> NDArray[np.float64]:
    return score_quantiles([each.scores for each in pooled], low=method.low_quantile, high=method.high_quantile)
