"""One figure against its surroundings, without any weights: from joints, from a box, or from points.

Where the body may be, what its colours and its texture are like, and where the picture has edges are brought together
in one sum, and the region that costs least is taken. Colours are learnt from this picture alone, first from where the
body must be against what lies around it, then again from what was found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from maskwright.arrays.colour import perceptual
from maskwright.arrays.colour_scale import to_bytes_scale
from maskwright.arrays.connected import components
from maskwright.arrays.depths import squared_depths
from maskwright.arrays.least_border import least_border
from maskwright.arrays.mixture import Mixture, fit_mixture
from maskwright.arrays.posture import Sticks, body_distance, sticks_of
from maskwright.arrays.resample import resample
from maskwright.arrays.windows import Window

Field = NDArray[np.float32]
Flags = NDArray[np.bool_]
Box = tuple[float, float, float, float]

LENGTH_PX = 160.0  # how long a trunk is on the pixels where colours are learnt and the region is cut
MOST_ENLARGED = 1.5
PAD = 0.7  # how far around the figure the picture is looked at; this far away there is no body; in trunk lengths
SLOPE, LEAST_PRIOR, MOST_PRIOR = 3.0, -6.0, 2.5  # log odds of body per trunk length away from it, and their bounds
GROUND_FROM, GROUND_TO = 0.08, 0.4  # between these distances the surroundings are learnt, in trunk lengths
COLOUR_SHARE, MOST_COLOUR = 0.6, 8.0  # how much of the log odds of colours counts, and their bound
LOOSE_GROUND_FROM = 0.4  # the same where nobody knows how thick the body is
BORDER, LEAST_BORDER = 3.0, 0.05  # what parting two pixels costs where there is no edge; its share at the sharpest
SCALE = 3.0  # log odds that cost 1
FIGURE_COLOURS, GROUND_COLOURS = 10, 14  # Gaussians, in a space of three colours, their local means and texture
FIGURE_SAMPLES, GROUND_SAMPLES = 4000, 8000
LEAST_VARIANCE = 4.0
CERTAIN = 0.7, 0.58, 13.9  # log odds of being right: constant, per log odds of the price, per trunk length of depth
ENOUGH_JOINTS = 4  # with fewer, certainty shrinks in proportion
TURNS = 150, 80, 80  # rounds of each search for the cheapest region; colours are learnt before each


@dataclass(frozen=True, eq=False)
class _Guess:
    """What is known before a colour is looked at, (height, width) each, at the scale of the work.

    `beyond` is how far a pixel lies beyond the body in trunk lengths, `core` is certainly body, `barred` certainly not,
    `first` is where its colours are learnt from at first.
    """

    beyond: Field
    core: Flags
    barred: Flags
    first: Flags
    ground_from: float = GROUND_FROM


def figure_from_joints(
    pixels: NDArray[Any],
    rows: ArrayLike,
    cols: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    bones: ArrayLike | None = None,
    valid: Flags | None = None,
    others: Sequence[Sticks] = (),
) -> Field:
    """How probably each pixel belongs to the animal with these joints: float32 (height, width).

    `pixels` (height, width, channels) of any dtype: three channels or more are taken as red, green and blue, fewer as
    grey. `rows` and `cols` (n,) are nan where a joint was not seen. Their `names` tell what is trunk, leg, tail and
    head (`posture.read_joint`); where they cannot be read, or without them, `bones` (m, 2) bind pairs of joints, and
    without those the shortest tree. `others` are the sticks of other animals in the picture, whose bodies are not this
    one's. Where `valid` (bool) is False, and where pixels are not finite, the answer is 0. No joint is a ValueError;
    with fewer than four all probabilities are drawn towards one half.

    >>> pixels = np.full((20, 60, 1), 40, np.uint8)
    >>> pixels[6:14, 10:50] = 200
    >>> scores = figure_from_joints(pixels, [10, 10, 10], [12, 30, 47])
    >>> int((scores > 0.5).sum()), bool((scores[6:14, 10:50] > 0.5).all())
    (320, True)
    """
    sticks = sticks_of(rows, cols, names, bones)
    shape = pixels.shape[:2]
    seen = np.unique(_places(rows, cols), axis=0)
    trust = min(1.0, len(seen) / ENOUGH_JOINTS)
    if len(seen) == 1:  # it says where, but not how large
        scores = figure_from_points(pixels, seen[:, 0], seen[:, 1], [True], valid=valid)
        return np.where(scores > 0, 0.5 + np.float32(trust) * (scores - 0.5), np.float32(0))
    window = _window(_extent(sticks), PAD * sticks.length, shape)
    if window is None:
        return np.zeros(shape, np.float32)
    scene = _scene(pixels, valid, window, sticks.length)
    beyond, core = body_distance(sticks.scaled(scene.factor, window[:2]), scene.size)
    barred = np.zeros(scene.size, bool)
    for other in others:
        barred |= body_distance(other.scaled(scene.factor, window[:2]), scene.size)[1]
    guess = _Guess(beyond, core, barred & ~core, core, LOOSE_GROUND_FROM if len(sticks.span) else GROUND_FROM)
    return scene.put_back(_cut(scene, guess), shape, trust)


def figure_from_box(pixels: NDArray[Any], box: Box, *, valid: Flags | None = None) -> Field:
    """How probably each pixel belongs to the one thing inside a box: float32 (height, width), 0 outside the box.

    `box` is top, left, bottom, right, the last two excluded. Colours are learnt from the middle of the box against its
    corners and what lies around it; see `figure_from_joints` for the rest. A box without a pixel is a ValueError.

    >>> pixels = np.full((20, 60, 1), 40, np.uint8)
    >>> pixels[6:14, 10:50] = 200
    >>> scores = figure_from_box(pixels, (5, 8, 15, 52))
    >>> int((scores > 0.5).sum()), bool((scores[6:14, 10:50] > 0.5).all())
    (320, True)
    """
    top, left, bottom, right = box
    tall, wide = bottom - top, right - left
    if not (tall > 0 and wide > 0):
        raise ValueError(f"a box is top, left, bottom, right with a pixel between them; got {box}")
    shape, length = pixels.shape[:2], max(float(np.sqrt(tall * wide)), 4.0)
    window = _window(((top, left), (bottom - 1, right - 1)), 0.25 * length, shape)
    if window is None:
        return np.zeros(shape, np.float32)
    scene = _scene(pixels, valid, window, length)
    rows, cols = scene.places()
    away = np.hypot((rows - (top + bottom - 1) / 2) / (tall / 2), (cols - (left + right - 1) / 2) / (wide / 2))
    inside = _is_inside(rows, cols, box)
    beyond = ((away - 1) * (min(tall, wide) / 2 / length)).astype(np.float32)
    guess = _Guess(beyond, np.zeros(scene.size, bool), ~inside, away < 0.6)
    return _inside(scene.put_back(_cut(scene, guess), shape), box)


def figure_from_points(
    pixels: NDArray[Any],
    rows: ArrayLike,
    cols: ArrayLike,
    is_figure: ArrayLike,
    *,
    box: Box | None = None,
    valid: Flags | None = None,
) -> Field:
    """How probably each pixel belongs to the thing on which points lie: float32 (height, width).

    `is_figure` (n,) is True for points on the thing and False for points beside it; a `box` around it helps where
    there are few. Without one the thing is looked for up to the farthest point, and around a single point within half
    the picture's shorter side. Without a point on the thing it is a ValueError.

    >>> pixels = np.full((20, 60, 1), 40, np.uint8)
    >>> pixels[6:14, 10:50] = 200
    >>> scores = figure_from_points(pixels, [10, 10, 2], [14, 44, 55], [True, True, False])
    >>> int((scores > 0.5).sum()), bool((scores[6:14, 10:50] > 0.5).all())
    (320, True)
    """
    places = np.stack([np.asarray(rows, np.float64), np.asarray(cols, np.float64)], axis=1)
    on = np.asarray(is_figure, bool)
    if not on.any():
        raise ValueError(f"none of {len(places)} points lies on the figure")
    shape, spread = pixels.shape[:2], float(np.linalg.norm(places - places[on][0], axis=1).max())
    size = min(shape) / 2 if box is None else float(np.sqrt(max(box[2] - box[0], 1) * max(box[3] - box[1], 1)))
    length = max(spread, size, 4.0)
    low, high = places[on].min(axis=0), places[on].max(axis=0)
    corners = ((low[0], low[1]), (high[0], high[1])) if box is None else ((box[0], box[1]), (box[2] - 1, box[3] - 1))
    window = _window(corners, length if box is None else 0.25 * length, shape)
    if window is None:
        return np.zeros(shape, np.float32)
    scene = _scene(pixels, valid, window, length)
    near, far = (_point_distance(scene, places[each]) / np.float32(length) for each in (on, ~on))
    beyond = np.where(np.isfinite(far), near - far, near - np.float32(0.5)).astype(np.float32)
    touch = np.float32(max(0.02, 1 / (length * scene.factor)))
    at_rows, at_cols = scene.places()
    outside = np.zeros(scene.size, bool) if box is None else ~_is_inside(at_rows, at_cols, box)
    core = near <= touch
    ground_from = GROUND_FROM if np.isfinite(far).any() else LOOSE_GROUND_FROM
    guess = _Guess(beyond, core, (outside | (far <= touch)) & ~core, near <= 3 * touch, ground_from)
    scores = scene.put_back(_cut(scene, guess), shape)
    return scores if box is None else _inside(scores, box)


def _is_inside(rows: NDArray[Any], cols: NDArray[Any], box: Box) -> Flags:
    top, left, bottom, right = np.subtract(box, 0.5)
    inside: Flags = (rows >= top) & (rows < bottom) & (cols >= left) & (cols < right)
    return inside


def _inside(scores: Field, box: Box) -> Field:
    """Scores that are 0 outside a box."""
    rows, cols = np.arange(scores.shape[0])[:, None], np.arange(scores.shape[1])
    return np.where(_is_inside(rows, cols, box), scores, np.float32(0))


class _Cut(NamedTuple):
    """How far each pixel belongs to the figure, and how probably that is right."""

    share: Field
    certainty: Field


@dataclass(frozen=True, eq=False)
class _Scene:
    """A window of a picture at the scale of the work: colours of about 0..100 and where valid; `seen` at its own."""

    window: Window
    factor: float
    colours: Field
    valid: Flags
    seen: Flags

    @property
    def size(self) -> tuple[int, int]:
        return self.valid.shape[0], self.valid.shape[1]

    def places(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Row and column in the whole picture, of every row and of every column."""
        (tall, wide), window = self.size, self.window
        rows = (np.arange(tall, dtype=np.float64) + 0.5) * (window.height / tall) - 0.5 + window.top
        cols = (np.arange(wide, dtype=np.float64) + 0.5) * (window.width / wide) - 0.5 + window.left
        return rows[:, None], cols[None]

    def put_back(self, cut: _Cut, shape: tuple[int, ...], trust: float = 1.0) -> Field:
        """Probabilities of the window's pixels in the whole picture, 0 elsewhere and where there is no data.

        `trust` below 1 draws what is probable inside the window towards one half.
        """
        whole = np.zeros(shape, np.float32)
        fine = resample(np.dstack(cut), (self.window.height, self.window.width))
        sure = 0.5 + trust * (np.clip(fine[..., 1], 0.501, 1) - 0.5)
        whole[self.window.slices] = np.where(self.seen, np.where(fine[..., 0] > 0.5, sure, 1 - sure), 0)
        return whole


def _places(rows: ArrayLike, cols: ArrayLike) -> NDArray[np.float64]:
    """Rows and columns of what has both, (n, 2)."""
    places = np.stack([np.asarray(rows, np.float64), np.asarray(cols, np.float64)], axis=1)
    return np.asarray(places[np.isfinite(places).all(axis=1)])


def _extent(sticks: Sticks) -> tuple[tuple[float, float], tuple[float, float]]:
    places = np.concatenate([sticks.starts, sticks.ends, *sticks.hulls])
    (top, left), (bottom, right) = places.min(axis=0), places.max(axis=0)
    return (top, left), (bottom, right)


def _window(
    corners: tuple[tuple[float, float], tuple[float, float]], pad: float, shape: tuple[int, ...]
) -> Window | None:
    """The pixels around two corners, those of the picture; None where there are none."""
    (top, left), (bottom, right) = corners
    low = np.clip(np.floor([top - pad, left - pad]), 0, shape[:2]).astype(int).tolist()
    high = np.clip(np.ceil([bottom + pad, right + pad]) + 1, 0, shape[:2]).astype(int).tolist()
    return Window(*low, *high) if low[0] < high[0] and low[1] < high[1] else None


def _scene(pixels: NDArray[Any], valid: Flags | None, window: Window, length: float) -> _Scene:
    factor = min(MOST_ENLARGED, LENGTH_PX / length)
    size = max(1, round(window.height * factor)), max(1, round(window.width * factor))
    cut = pixels[window.slices]
    seen = np.isfinite(cut).all(axis=2)
    if valid is not None:
        seen &= valid[window.slices]
    shown = cut[..., :3] if cut.shape[2] >= 3 else np.repeat(cut[..., :1], 3, axis=2)
    bytes_scale = np.where(seen[..., None], to_bytes_scale(shown, seen), 0).astype(np.float32)
    parts = resample(np.dstack([bytes_scale, seen.astype(np.float32)]), size)
    colours = parts[..., :3] / np.maximum(parts[..., 3:], 1e-3)
    lightness = perceptual(np.clip(colours, 0, 255)).astype(np.float32) * np.array([100, 280, 280], np.float32)
    return _Scene(window, factor, lightness, parts[..., 3] > 0.5, seen)


def _cut(scene: _Scene, guess: _Guess) -> _Cut:
    """Learn colours, cut the figure out, and learn again from what was cut."""
    features = _features(scene.colours)
    bonds = tuple(np.float32(BORDER) * each for each in _bonds(scene.colours))
    barred = guess.barred | ~scene.valid | (guess.beyond > PAD)
    figure = guess.first & scene.valid
    ground = (guess.beyond > guess.ground_from) & scene.valid
    models: tuple[Mixture | None, Mixture | None] = (None, None)
    share = np.full(scene.size, 0.5, np.float32)
    for rounds in TURNS:
        odds, models = _colour_odds(features, figure, ground, ~barred, models)
        price = _price(odds, guess, barred)
        share = least_border(-price / SCALE, *bonds, rounds=rounds, start=share)
        figure = ((share > 0.5) | guess.core) & scene.valid
        ground = (share <= 0.5) & ~guess.core & (guess.beyond < GROUND_TO) & scene.valid
    share = _connected(share, guess.first)
    return _Cut(share, _certainty(share, price))


def _certainty(share: Field, price: Field) -> Field:
    """How probably the answer is right, by how clear the prices around a pixel are and how deep it lies.

    The three numbers were fitted to real frames of four animals; fitted to three of them they fit the fourth.
    """
    is_figure = share > 0.5
    clear = np.clip(np.where(is_figure, 1, -1) * _soft(price, 2.0), -MOST_COLOUR, MOST_COLOUR)
    squares = squared_depths(is_figure.astype(np.uint8), edge_is_outside=False)
    depth = np.sqrt(np.clip(squares, 0, LENGTH_PX**2)) / LENGTH_PX
    constant, per_odds, per_length = CERTAIN
    odds = constant + per_odds * clear + per_length * np.minimum(depth, 0.25)
    return np.asarray(1 / (1 + np.exp(-odds)), np.float32)


def _price(odds: Field, guess: _Guess, barred: Flags) -> Field:
    """Log odds that a pixel belongs to the figure: where it lies and what it looks like."""
    prior = np.clip(-SLOPE * guess.beyond, LEAST_PRIOR, MOST_PRIOR)
    price: Field = (COLOUR_SHARE * odds + prior).astype(np.float32)
    price[guess.core] = -LEAST_PRIOR
    price[barred] = -MOST_COLOUR
    return price


def _colour_odds(
    features: Field, figure: Flags, ground: Flags, wanted: Flags, models: tuple[Mixture | None, Mixture | None]
) -> tuple[Field, tuple[Mixture | None, Mixture | None]]:
    """Log odds of the figure by colour where `wanted`, 0 where nothing can be learnt, and the mixtures learnt."""
    odds = np.zeros(figure.shape, np.float32)
    if not (figure.any() and ground.any()):
        return odds, models
    one = _learn(features[figure], FIGURE_COLOURS, FIGURE_SAMPLES, models[0])
    other = _learn(features[ground], GROUND_COLOURS, GROUND_SAMPLES, models[1])
    values = features[wanted]
    odds[wanted] = np.clip(one.log_density(values) - other.log_density(values), -MOST_COLOUR, MOST_COLOUR)
    return odds, (one, other)


def _learn(values: Field, count: int, most: int, start: Mixture | None) -> Mixture:
    drawn = np.random.default_rng(len(values)).choice(len(values), min(most, len(values)), replace=False)
    rounds = 12 if start is None else 5
    return fit_mixture(values[drawn], count, floor=LEAST_VARIANCE, rounds=rounds, start=start)


def _features(colours: Field) -> Field:
    """What a pixel looks like, (height, width, 7): its colour, the colour around it, how much lightness varies."""
    light = colours[..., 0]
    around = [_soft(colours[..., channel], 2.0) for channel in range(3)]
    texture = np.sqrt(np.maximum(_soft(light**2, 2.5) - _soft(light, 2.5) ** 2, 0))
    own = [light, 2 * colours[..., 1], 2 * colours[..., 2]]
    return np.stack([*own, 0.5 * around[0], around[1], around[2], texture], axis=-1).astype(np.float32)


def _soft(values: Field, sigma_px: float) -> Field:
    blurred: Field = ndimage.gaussian_filter(values, sigma_px, mode="nearest", truncate=3)
    return blurred


def _bonds(colours: Field) -> tuple[Field, Field]:
    """How strongly each pixel is bound to the next in its row and in its column, 1 where colours are equal."""
    right, down = (np.zeros(colours.shape[:2], np.float32) for _ in range(2))
    right[:, :-1] = ((colours[:, 1:] - colours[:, :-1]) ** 2).sum(axis=2)
    down[:-1] = ((colours[1:] - colours[:-1]) ** 2).sum(axis=2)
    usual = np.float32(2 * max(float(right.mean()), float(down.mean()), 1e-6))
    most = np.float32(1 - LEAST_BORDER)
    least = np.float32(LEAST_BORDER)
    return least + most * np.exp(-right / usual), least + most * np.exp(-down / usual)


def _connected(share: Field, first: Flags) -> Field:
    """Shares without the pieces of the figure that do not touch where it was first known to be."""
    labels = components(share > 0.5, neighbours=4, ignore=None).labels
    kept = np.unique(labels[first & (share > 0.5)])
    stray = (share > 0.5) & ~np.isin(labels, kept)
    return np.where(stray, np.float32(0), share)


def _point_distance(scene: _Scene, places: NDArray[np.float64]) -> Field:
    rows, cols = scene.places()
    away = np.full(scene.size, np.inf, np.float32)
    for row, col in places:
        np.minimum(away, np.hypot(rows - row, cols - col), out=away, casting="same_kind")
    return away
