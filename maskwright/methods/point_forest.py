"""Points to masks by all points of the whole collection: random trees, four ways of being near, and edges."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.calibrate import Isotonic
from maskwright.arrays.forest import Forest, grow_forest
from maskwright.arrays.left_out import Heard, confidence_curve, trust_of
from maskwright.arrays.pool import among, class_shares, log_scores, pooled, with_shares
from maskwright.arrays.seen import Seen, bands_for, see
from maskwright.arrays.soften import soften
from maskwright.arrays.spread import spread_scores
from maskwright.arrays.windows import Stitch, Window, cover, meeting
from maskwright.arrays.witnesses import WITNESSES, witness_logs
from maskwright.errors import EmptyResultError, InputError
from maskwright.io.images import read_image
from maskwright.io.masks import read_mask
from maskwright.seeds import Seeds, find_seeds
from maskwright.types import UNKNOWN, Grid, Hint, Image, Mask, Points, Sample, Step

FOLDS = 3
START_TRUST = (0.7, 0.1, 0.3, 0.2, 0.3)
"""How much the forest of the collection and the four witnesses are trusted before any point was left out."""
MOST_POINTS = 50_000
POOL_PIXELS = 4_000_000
PLACES = 1024
WHOLE_PIXELS = 1_500_000
WINDOW_PX, OVERLAP_PX = 1024, 256
FILE = "point_forest.npz"
NO_MARKS = Seeds(np.zeros(0), np.zeros(0), np.zeros(0, np.uint8))
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PointForest:
    """Learns from all points of all pictures, then labels each: far better than the nearest point, in seconds.

    Random trees learn from every point of the collection what classes look like at several scales of colour, grain and
    edges, as they are and relative to their picture, and where in a picture they lie. Four witnesses speak for the
    points of the picture itself: the nearest point, the shortest way, a random walk, and trees of this picture alone.
    How much each of the five is trusted is learned from points that were left out in turn. How much of a picture each
    class covers is estimated from the picture, so it matters little whether points were drawn per class or at random;
    at last scores spread over the picture and stop at its edges. A pixel with a point always has that point's class.

    A picture with points only has classes that have a point in it; one without has any. Samples without points lend
    `mask_points` pixels of each class of their masks. `trees` and `leaf_size` are those of the forest, `pull` how much
    a pixel holds to its own scores while they spread, `share_hold` how strongly shares of classes are drawn to those of
    the points. Pixels without data are unknown.

    Confidence is calibrated: of left-out points that claimed as much, weighted by the area their class stands for, so
    many were right. With fewer than 50 such points it is the bare score.

    Pictures of more than 1.5 megapixels are labelled in windows of 1024 pixels that overlap by 256, each with the
    points inside it. NOT covered: weights of points; objects (it gives classes).

    Papers: Geurts et al. 2006 (extremely randomised trees); Grady 2006 (random walks); Saerens et al. 2002 (shares).
    """

    trees: int = 100
    leaf_size: int = 2
    pull: float = 0.05
    share_hold: float = 0.1
    mask_points: int = 100
    random_state: int = 0

    def __post_init__(self) -> None:
        for name in ("trees", "leaf_size", "mask_points"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; expected 1 or more; leave it out for the default")
        if not self.pull > 0:
            raise InputError(f"pull is {self.pull}; expected a number above 0; try 0.05")
        if not 0 <= self.share_hold <= 1:
            raise InputError(f"share_hold is {self.share_hold}; expected a fraction from 0 to 1; try 0.1")

    def __call__(self, samples: Sequence[Sample]) -> PointLabeler:
        taught = [
            (sample, points) for sample in samples if len(points := self._points(sample)) and _is_readable(sample)
        ]
        if not taught:
            raise EmptyResultError(
                f"none of the {len(samples)} pictures has a point; at least one point is needed to learn from: "
                "look at the file of hints"
            )
        bands = _bands([read_image(sample.image_path).pixels.shape[2] for sample, _ in taught])
        views = [view for sample, points in taught for view in self._views(sample, points, bands)]
        count = 1 + max(int(view.ids.max()) for view in views)
        forest = self._forest([(view.rows, view.ids) for view in views], count)
        trust, curve = self._trusted(views, count, bands)
        return PointLabeler(self, forest, trust, curve, bands)

    def load(self, folder: Path) -> PointLabeler:
        """What was learned, from the folder it was saved in."""
        with np.load(folder / FILE, allow_pickle=False) as kept:
            forest = Forest(*(kept[name] for name in Forest._fields))
            curve = Isotonic(kept["claimed"], kept["measured"])
            return PointLabeler(self, forest, kept["trust"], curve, int(kept["bands"]))

    def _points(self, sample: Sample) -> Points:
        """The points of a sample; pixels drawn from its masks where it has none."""
        found = [each for each in sample.hints if isinstance(each, Points) and len(each)]
        if not found:
            masks = [*(each for each in sample.hints if isinstance(each, Mask)), *map(read_mask, sample.mask_paths)]
            found = [drawn_points(each, self.mask_points, self.random_state) for each in masks[:1]]
        rows, cols, ids = (
            np.concatenate([getattr(each, name) for each in found]) if found else np.zeros(0)
            for name in ("rows", "cols", "class_ids")
        )
        return Points(rows, cols, ids.astype(np.uint8))

    def _views(self, sample: Sample, points: Points, bands: int) -> list[_View]:
        grid = _picture(sample).grid
        inside = grid.holds(points.rows, points.cols)
        labels = Seeds(points.rows[inside], points.cols[inside], points.class_ids[inside])
        views = (_view(sample, window, labels, bands) for window in windows_of(grid))
        return [view for view in views if len(view.ids)]

    def _forest(self, parts: Sequence[tuple[NDArray[np.float32], NDArray[np.intp]]], count: int) -> Forest:
        rows, ids = np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
        if len(ids) > MOST_POINTS:
            kept = np.random.default_rng(self.random_state).choice(len(ids), MOST_POINTS, replace=False)
            rows, ids = rows[np.sort(kept)], ids[np.sort(kept)]
        weights = 1 / np.bincount(ids, minlength=count)[ids]
        return grow_forest(
            rows, ids, count, weights=weights * len(ids) / len(np.unique(ids)), trees=self.trees,
            leaf_size=self.leaf_size, random_state=self.random_state,
        )  # fmt: skip

    def _trusted(self, views: Sequence[_View], count: int, bands: int) -> tuple[NDArray[np.float64], Isotonic]:
        """How much each witness is trusted, and what confidences mean, by points that were left out in turn."""
        folds = [view.folds(FOLDS) for view in views]
        forests = [self._forest(kept, count) if (kept := _kept(views, folds, fold)) else None for fold in range(FOLDS)]
        heard = [
            answer
            for view, fold_of in _spread_out(views, folds)
            for fold, forest in enumerate(forests)
            if forest is not None and (answer := self._heard(view, fold_of, fold, forest, bands)) is not None
        ]
        trust = trust_of(heard, np.array(START_TRUST))
        return trust, confidence_curve(heard, trust, hold=self.share_hold)

    def _heard(self, view: _View, fold_of: NDArray[np.intp], fold: int, forest: Forest, bands: int) -> Heard | None:
        """What all five say of the points of one fold when only the others are known, and of places everywhere."""
        known = fold_of != fold
        present = np.unique(view.ids[known])
        asked = np.flatnonzero(~known & np.isin(view.ids, present))
        if len(present) < 2 or not len(asked):
            return None
        seen = _see_window(_picture(view.sample), view.window, NO_MARKS, bands)
        places = seen.some_places(PLACES)
        where = np.concatenate([view.places[asked], places])
        labels = np.full(seen.labels.shape, -1, np.int32)
        labels.ravel()[view.places[known]] = np.searchsorted(present, view.ids[known])
        said = witness_logs(
            seen.pixels, seen.features, labels, len(present), valid=seen.valid, where=where,
            random_state=self.random_state,
        )  # fmt: skip
        looks = log_scores(among(forest(seen.rows(where)), present))
        truth = np.searchsorted(present, view.ids[asked])
        return Heard(np.concatenate([looks[None], said]), truth, np.bincount(np.searchsorted(present, view.ids[known])))


@dataclass(frozen=True, eq=False)
class PointLabeler:
    """What `PointForest` learned from a collection: a labeler of its pictures, and of others like them."""

    settings: PointForest
    forest: Forest
    trust: NDArray[np.float64]
    curve: Isotonic
    bands: int

    def __call__(self, image: Image, hints: Sequence[Hint], class_names: tuple[str, ...]) -> Mask:
        return self.label_window(image, hints, class_names, image.grid.window)

    def label_window(self, image: Image, hints: Sequence[Hint], class_names: tuple[str, ...], window: Window) -> Mask:
        """The mask of one window of the picture, equal to that part of the whole picture's mask."""
        marks = _marks(image.grid, hints, class_names)
        windows = windows_of(image.grid)
        stitch = Stitch(window, len(class_names), 0 if len(windows) == 1 else OVERLAP_PX)
        for number in meeting(windows, window):
            stitch.add(windows[number], self._scores(image, windows[number], marks, class_names))
        valid, sure = np.asarray(image.valid[window.slices], bool), stitch.scores.max(axis=0)
        known = valid & (sure > 0)
        class_ids = np.where(known, stitch.scores.argmax(axis=0), UNKNOWN).astype(np.uint8)
        confidence = np.where(known, np.clip(self.curve(sure), 0, 1), np.float32(0)).astype(np.float32)
        labels = np.where(valid, _labels_in(marks, window), -1)
        class_ids[labels >= 0] = labels[labels >= 0]
        confidence[labels >= 0] = 1
        return Mask(class_ids, class_names, image.grid.crop(window), confidence, (Step.of(self.settings),))

    def save(self, folder: Path) -> None:
        """Keep what was learned in a folder, for `PointForest.load`."""
        arrays = {**self.forest._asdict(), **self.curve._asdict(), "trust": self.trust, "bands": np.array(self.bands)}
        np.savez(folder / FILE, **arrays)
        told = {name: round(float(each), 4) for name, each in zip(("forest", *WITNESSES), self.trust, strict=True)}
        text = json.dumps({"trust": told, "settings": asdict(self.settings)}, indent=2, sort_keys=True)
        (folder / "point_forest.json").write_text(text + "\n", encoding="utf-8")

    def _scores(self, image: Image, window: Window, marks: Seeds, class_names: tuple[str, ...]) -> NDArray[np.float32]:
        """Scores (all classes, height, width) of one window, spread over it; 0 where the picture has no data."""
        seen = _see_window(image, window, marks, self.bands)
        classes = self._classes(seen, marks, class_names)
        result = np.zeros((len(class_names), window.height, window.width), np.float32)
        if not len(classes) or not seen.valid.any():
            return result
        number = np.full(256, -1, np.int32)
        number[classes] = np.arange(len(classes))
        labels = np.where(seen.labels >= 0, number[seen.labels], -1).astype(np.int32)
        said = self._said(seen, labels, classes)
        guess = np.bincount(labels[labels >= 0], minlength=len(classes)) + 1.0
        shares = class_shares(said[:, seen.some_places(4 * PLACES)], guess, hold=self.settings.share_hold)
        fair = with_shares(said, shares).reshape(len(classes), window.height, window.width)
        soft = soften(seen.pixels, 1.0, seen.valid)
        spread = spread_scores(soft, np.where(seen.valid, fair, 0), labels=labels, pull=self.settings.pull)
        result[classes] = np.where(seen.valid, spread, np.float32(0))
        return result

    def _classes(self, seen: Seen, marks: Seeds, class_names: tuple[str, ...]) -> NDArray[np.intp]:
        """Classes that a window may have: those of its points, else of the picture's, else all that were learned."""
        here = np.unique(seen.labels[seen.labels >= 0])
        if len(here) > 1:
            return here.astype(np.intp)
        if len(marks):
            return np.unique(marks.class_ids).astype(np.intp)
        learned = np.flatnonzero(self.forest.shares.any(axis=0))
        return np.array([each for each in learned if each < len(class_names) and class_names[each]], np.intp)

    def _said(self, seen: Seen, labels: NDArray[np.int32], classes: NDArray[np.intp]) -> NDArray[np.float32]:
        """Scores (classes, pixels) of equally common classes, by all who can speak."""
        looks = np.concatenate(
            [among(self.forest(seen.rows(each)), classes) for each in np.array_split(np.arange(labels.size), 16)],
            axis=1,
        )
        if len(np.unique(labels[labels >= 0])) < max(len(classes), 2):
            return looks
        said = witness_logs(
            seen.pixels, seen.features, labels, len(classes), valid=seen.valid,
            random_state=self.settings.random_state,
        )  # fmt: skip
        return pooled(np.concatenate([log_scores(looks)[None], said]), self.trust)


@dataclass(frozen=True, eq=False)
class _View:
    """The points in one window of a picture, and what trees are given for each."""

    sample: Sample
    window: Window
    places: NDArray[np.intp]
    rows: NDArray[np.float32]
    ids: NDArray[np.intp]

    def folds(self, count: int) -> NDArray[np.intp]:
        """Which fold each point is left out with: every class is dealt out in turn."""
        fold = np.zeros(len(self.ids), np.intp)
        for class_id in np.unique(self.ids):
            mine = np.flatnonzero(self.ids == class_id)
            fold[mine] = (np.arange(len(mine)) + class_id) % count
        return fold


def windows_of(grid: Grid) -> list[Window]:
    """What is looked at together: the whole picture, or overlapping windows of a big one."""
    if grid.height * grid.width <= WHOLE_PIXELS:
        return [grid.window]
    return cover(grid.height, grid.width, WINDOW_PX, OVERLAP_PX)


def drawn_points(mask: Mask, most: int, random_state: int) -> Points:
    """Up to `most` known pixels of each class of a mask, drawn at random."""
    random = np.random.default_rng(random_state)
    flat, places = mask.class_ids.ravel(), []
    for class_id in np.unique(flat[flat != UNKNOWN]):
        found = np.flatnonzero(flat == class_id)
        places.append(found if len(found) <= most else np.sort(random.choice(found, most, replace=False)))
    chosen = np.concatenate(places) if places else np.zeros(0, np.intp)
    rows, cols = np.divmod(chosen, mask.class_ids.shape[1])
    return Points(rows.astype(np.float64), cols.astype(np.float64), flat[chosen])


def _bands(counts: Sequence[int]) -> int:
    try:
        return bands_for(counts)
    except ValueError as error:
        raise InputError(f"{error}; expected one kind, or grey and colour; label each kind by itself") from error


def _is_readable(sample: Sample) -> bool:
    """Whether a picture can be learned from; one that cannot fails by itself when it is labelled."""
    try:
        _picture(sample)
    except (InputError, OSError) as error:
        _log.warning("%s is left out of learning: %s", sample.name, error)
        return False
    return True


def _picture(sample: Sample) -> Image:
    image = read_image(sample.image_path)
    return image if sample.piece is None else image.crop(sample.piece)


def _marks(grid: Grid, hints: Sequence[Hint], class_names: tuple[str, ...]) -> Seeds:
    """All points of a picture; none is fine."""
    if any(isinstance(each, Points) and len(each) for each in hints):
        return find_seeds(grid, hints, class_names)
    return NO_MARKS


def _labels_in(marks: Seeds, window: Window) -> NDArray[np.int32]:
    """Class ids of the points in a window on its pixels, -1 elsewhere."""
    rows, cols = Points(marks.rows, marks.cols, marks.class_ids).pixels
    here = (rows >= window.top) & (rows < window.bottom) & (cols >= window.left) & (cols < window.right)
    inside = Seeds(marks.rows[here] - window.top, marks.cols[here] - window.left, marks.class_ids[here])
    return inside.labels((window.height, window.width))


def _see_window(image: Image, window: Window, marks: Seeds, bands: int) -> Seen:
    part = image.crop(window)
    labels = _labels_in(marks, window)
    try:
        return see(
            np.asarray(part.pixels), np.asarray(part.valid, bool), labels, bands, corner=(window.top, window.left),
            whole=image.grid.shape,
        )  # fmt: skip
    except ValueError as error:
        raise InputError(f"{error}; label pictures of one kind together") from error


def _view(sample: Sample, window: Window, marks: Seeds, bands: int) -> _View:
    seen = _see_window(_picture(sample), window, marks, bands)
    places = np.flatnonzero(seen.labels >= 0)
    ids = seen.labels.ravel()[places].astype(np.intp)
    return _View(sample, window, places, seen.rows(places), ids)


def _kept(
    views: Sequence[_View], folds: Sequence[NDArray[np.intp]], fold: int
) -> list[tuple[NDArray[np.float32], NDArray[np.intp]]]:
    """What is left to learn from without one fold."""
    parts = [
        (view.rows[fold_of != fold], view.ids[fold_of != fold]) for view, fold_of in zip(views, folds, strict=True)
    ]
    return parts if sum(len(ids) for _, ids in parts) else []


def _spread_out(views: Sequence[_View], folds: Sequence[NDArray[np.intp]]) -> list[tuple[_View, NDArray[np.intp]]]:
    """Views evenly through the collection whose pixels together are no more than can be looked at again."""
    useful = [pair for pair in zip(views, folds, strict=True) if len(np.unique(pair[0].ids)) > 1]
    pixels = sum(view.window.height * view.window.width for view, _ in useful)
    step = -(-pixels // POOL_PIXELS) or 1
    return useful[::step]
