"""Windows to learn from and to be scored on: where they may lie, what chance does to them, batches of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.windows import Window, cover
from maskwright.training.augment import Draw, Turns, draw, plain
from maskwright.training.pictures import Collection, Labelled, bands_of
from maskwright.training.splits import Division
from maskwright.types import UNKNOWN

CELL_PX = 32
STATISTICS_WINDOWS = 64


class Batch(NamedTuple):
    """Pixels (n, height, width, bands) float32 as in the files, what chance adds once they are normalised, labels, and
    who told them (training.pictures)."""

    pixels: NDArray[np.float32]
    gain: NDArray[np.float32]
    offset: NDArray[np.float32]
    valid: NDArray[np.bool_]
    class_ids: NDArray[np.uint8]
    confidence: NDArray[np.float32]
    told_by: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Cells:
    """Counts of known pixels by cell of `CELL_PX` pixels and class: what windows are chosen by.

    `picture`, `row`, `col` (cells,) say where a cell lies, `counts` (cells, classes) what it holds.
    """

    picture: NDArray[np.int32]
    row: NDArray[np.int32]
    col: NDArray[np.int32]
    counts: NDArray[np.int32]

    @cached_property
    def ends(self) -> NDArray[np.int64]:
        """Running sums of the counts of each class, (classes, cells)."""
        return np.cumsum(self.counts.T, axis=1, dtype=np.int64)

    @property
    def by_class(self) -> NDArray[np.int64]:
        return cast("NDArray[np.int64]", self.counts.sum(axis=0, dtype=np.int64))


def count_cells(
    collection: Collection, division: Division, *, least_confidence: float = 0.0, hidden: bool = True
) -> Cells:
    """Count what may be learned from (or, with `hidden` False, all that is known), reading each picture once."""
    parts: list[tuple[NDArray[np.int32], ...]] = []
    for number, picture in enumerate(collection.pictures):
        for band in bands_of(picture):
            class_ids, confidence = picture.labels(band)
            class_ids[confidence < least_confidence] = UNKNOWN
            if hidden:
                class_ids[division.hidden(picture, band)] = UNKNOWN
            parts.append(_cells_of(class_ids, band, number, len(collection.class_names)))
    return Cells(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def _cells_of(class_ids: NDArray[np.uint8], band: Window, number: int, classes: int) -> tuple[NDArray[np.int32], ...]:
    rows = (np.arange(band.height) // CELL_PX)[:, None]
    across = -(-band.width // CELL_PX)
    cell = rows * across + (np.arange(band.width) // CELL_PX)[None, :]
    known = class_ids != UNKNOWN
    size = -(-band.height // CELL_PX) * across
    joint = np.bincount(cell[known] * classes + class_ids[known], minlength=size * classes)
    counts = joint.reshape(size, classes).astype(np.int32)
    used = np.flatnonzero(counts.any(axis=1))
    places = (np.full(len(used), number), band.top + used // across * CELL_PX, band.left + used % across * CELL_PX)
    return (*(each.astype(np.int32) for each in places), counts[used])


@dataclass(frozen=True, eq=False)
class Cutter:
    """Cuts batches of windows out of labelled pictures; everything that is chance follows from (random_state, step)."""

    collection: Collection
    division: Division
    cells: Cells
    size: int
    batch: int
    turns: Mapping[str, Turns]
    scale: float = 0.25
    colour: float = 0.25
    balance: float = 0.5
    least_confidence: float = 0.0
    random_state: int = 0

    def batch_of(self, step: int, rank: int = 0, ranks: int = 1) -> Batch:
        """The share of one of `ranks` processes in the batch of a step."""
        windows = [self._window(step, index) for index in range(rank, self.batch * ranks, ranks)]
        return Batch(*(np.stack(each) for each in zip(*windows, strict=True)))

    def _window(self, step: int, index: int) -> Batch:
        random = np.random.default_rng([self.random_state, step, index])
        picture, row, col = self._place(random)
        chance = draw(
            random, picture.bands, turns=self.turns[picture.name], scale=self.scale, colour=self.colour,
            step=self.collection.step_of(picture),
        )  # fmt: skip
        return cut(picture, self.division, chance, row, col, self.size, self.least_confidence)

    def _place(self, random: np.random.Generator) -> tuple[Labelled, float, float]:
        """A class, a cell that holds it, and a window that holds the cell somewhere."""
        totals = self.cells.by_class.astype(np.float64)
        shares = np.where(totals > 0, totals, 1) ** self.balance * (totals > 0)
        class_id = random.choice(len(totals), p=shares / shares.sum())
        ends = self.cells.ends[class_id]
        cell = int(np.searchsorted(ends, random.integers(ends[-1]), side="right"))
        picture = self.collection.pictures[int(self.cells.picture[cell])]
        reach = self.size * self.collection.step_of(picture) / 3
        down, right = random.uniform(-reach, reach, 2) + CELL_PX / 2
        return picture, float(self.cells.row[cell] + down), float(self.cells.col[cell] + right)


def cut(
    picture: Labelled, division: Division, chance: Draw, row: float, col: float, size: int, least_confidence: float
) -> Batch:  # fmt: skip
    """The window of `size` pixels around (row, col) as `chance` cuts it; what is hidden there is UNKNOWN.

    Beyond the picture pixels mirror it and nobody knows their class. Pictures shrink by averaging, labels by nearest.
    """
    whole = picture.grid.window
    half = (size - 1) / 2
    corners = np.array([[-half, -half], [-half, half], [half, -half], [half, half]]) @ chance.matrix.T
    row, col = _inside(row, corners[:, 0], whole.height), _inside(col, corners[:, 1], whole.width)
    spans = np.abs(corners).max(axis=0) + 3
    needed = Window(
        math.floor(row - spans[0]), math.floor(col - spans[1]), math.ceil(row + spans[0]), math.ceil(col + spans[1])
    )
    source = needed.meet(whole) or Window(0, 0, 1, 1)
    part = picture.read(source)
    class_ids = part.class_ids
    class_ids[(part.confidence < least_confidence) | division.hidden(picture, source)] = UNKNOWN
    pixels = np.where(part.valid[..., None], part.pixels, part.pixels.dtype.type(0)).astype(np.float32)
    middle = np.array([row - source.top, col - source.left]) - chance.matrix @ [half, half]
    return Batch(
        _warp(_softened(pixels, chance), chance, middle, size, cv2.INTER_LINEAR, cv2.BORDER_REFLECT_101),
        chance.gain,
        chance.offset,
        _warp(part.valid.astype(np.uint8), chance, middle, size, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT) > 0,
        _warp(class_ids, chance, middle, size, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT, UNKNOWN),
        _warp(part.confidence, chance, middle, size, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT),
        _warp(part.told_by, chance, middle, size, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT),
    )


def scored_windows(
    collection: Collection, division: Division, size: int, most: int
) -> list[tuple[Labelled, float, float]]:
    """Places (picture, row, col) of windows of `size` pixels that together show the held-out part, `most` at most."""
    places = []
    for picture in collection.pictures:
        side = max(round(size * collection.step_of(picture)), 1)
        for window in cover(picture.window.height, picture.window.width, side):
            here = Window(
                *(each + add for each, add in zip(window, (picture.window.top, picture.window.left) * 2, strict=True))
            )
            held = division.hidden(picture, here, margin=False)
            if held.any() and (picture.labels(here)[0][held] != UNKNOWN).any():
                places.append((picture, (here.top + here.bottom - 1) / 2, (here.left + here.right - 1) / 2))
    if len(places) <= most:
        return places
    return [places[index] for index in np.linspace(0, len(places) - 1, most).round().astype(int)]


def scored_batch(collection: Collection, division: Division, place: tuple[Labelled, float, float], size: int) -> Batch:
    """One window to be scored on, without chance: what is not held out there is UNKNOWN."""
    picture, row, col = place
    chance = plain(picture.bands, collection.step_of(picture))
    window: tuple[Any, ...] = cut(picture, _Inverted(division), chance, row, col, size, 0.0)
    return Batch(*(each[None] for each in window))


def statistics(collection: Collection) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each band over windows spread evenly over all pictures."""
    total, squares, count = np.zeros(collection.bands), np.zeros(collection.bands), 0
    share = max(1, STATISTICS_WINDOWS // len(collection.pictures))
    for picture in collection.pictures:
        windows = cover(picture.window.height, picture.window.width, 128)
        for index in np.unique(np.linspace(0, len(windows) - 1, share).round().astype(int)):
            top, left, bottom, right = windows[index]
            down, over = picture.window.top, picture.window.left
            part = picture.read(Window(top + down, left + over, bottom + down, right + over))
            values = part.pixels[part.valid & np.isfinite(part.pixels).all(axis=2)].astype(np.float64)
            total, squares, count = total + values.sum(0), squares + (values**2).sum(0), count + len(values)
    mean = total / max(count, 1)
    std = np.sqrt(np.maximum(squares / max(count, 1) - mean**2, 0))
    return tuple(mean.tolist()), tuple(np.where(std > 1e-6 * (np.abs(mean) + 1e-6), std, 1.0).tolist())


@dataclass(frozen=True)
class _Inverted(Division):
    """A division that hides everything but what was held out."""

    def __init__(self, division: Division) -> None:
        for name in ("how", "names", "blocks", "side_px"):
            object.__setattr__(self, name, getattr(division, name))

    def hidden(self, picture: Labelled, window: Window, *, margin: bool = True) -> NDArray[np.bool_]:  # noqa: ARG002
        return ~super().hidden(picture, window, margin=False)


def _inside(middle: float, reach: NDArray[np.float64], side: int) -> float:
    """`middle` moved so that a window does not leave the picture where it need not."""
    span = float(np.abs(reach).max())
    return float(np.clip(middle, span, side - 1 - span)) if 2 * span <= side - 1 else (side - 1) / 2


def _softened(pixels: NDArray[np.float32], chance: Draw) -> NDArray[np.float32]:
    """Averaged over about as many pixels as become one."""
    step = float(np.sqrt(abs(np.linalg.det(chance.matrix))))
    if step <= 1.2:
        return pixels
    soft = cv2.GaussianBlur(pixels, (0, 0), 0.4 * step)
    return cast("NDArray[np.float32]", soft.reshape(pixels.shape))


def _warp(
    array: NDArray[Any], chance: Draw, middle: NDArray[np.float64], size: int, how: int, border: int,
    value: int = 0,
) -> NDArray[Any]:  # fmt: skip
    """`array` at middle + matrix @ (row, col) for each pixel of the window; cv2 counts x before y."""
    a = chance.matrix[::-1, ::-1]
    affine = np.column_stack([a, middle[::-1]])
    parts = [array] if array.ndim == 2 else [array[..., k : k + 4] for k in range(0, array.shape[2], 4)]
    made = [
        cv2.warpAffine(
            np.ascontiguousarray(each), affine, (size, size), flags=how | cv2.WARP_INVERSE_MAP, borderMode=border,
            borderValue=(value,) * 4,
        )
        for each in parts
    ]  # fmt: skip
    if array.ndim == 2:
        return cast("NDArray[Any]", made[0])
    return np.concatenate([each.reshape(size, size, -1) for each in made], axis=2)
