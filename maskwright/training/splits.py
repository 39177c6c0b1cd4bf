"""What is learned from and what is held out, never neighbours at random: by blocks of ground, by site, or by picture.

Neighbouring windows of one picture look alike, so scores on random windows flatter. Blocks are squares of ground (of
pixels where the ground is not known), the same for all pictures of a place, with a margin around the held-out ones
that is neither learned from nor scored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.windows import Window
from maskwright.training.pictures import Collection, Labelled, bands_of
from maskwright.types import UNKNOWN

Split = Literal["auto", "block", "site", "picture", "none"]
Block = tuple[str, int, int]
LEAST_BLOCKS = 8
Group = TypeVar("Group", str, Block)


@dataclass(frozen=True)
class Division:
    """Which pixels are held out: whole pictures by name, or squares of ground, `side_px` pixels wide."""

    how: Split
    names: frozenset[str] = frozenset()
    blocks: frozenset[Block] = frozenset()
    side_px: int = 0

    def told(self) -> dict[str, object]:
        """What a model's story says of it."""
        if self.blocks:
            return {"by": self.how, "blocks": len(self.blocks), "side_px": self.side_px}
        return {"by": self.how, "pictures": sorted(self.names)}

    def hidden(self, picture: Labelled, window: Window, *, margin: bool = True) -> NDArray[np.bool_]:
        """Pixels of a window that must not be learned from; without `margin` those that are scored."""
        shape = window.height, window.width
        if not self.blocks:
            return np.full(shape, picture.name in self.names)
        reach = self.side_px / 8 if margin else 0.0
        hidden = np.zeros(shape, bool)
        if not self._may_hold(picture, window):
            return hidden
        for down in {-reach, 0.0, reach}:
            for right in {-reach, 0.0, reach}:
                hidden |= self._held(picture, window, down, right)
        return hidden

    def _may_hold(self, picture: Labelled, window: Window) -> bool:
        """Whether a held-out block lies in or beside the blocks of a window's corners."""
        ends = [
            block_numbers(picture, Window(row, col, row + 1, col + 1), self.side_px)
            for row in (window.top, window.bottom - 1)
            for col in (window.left, window.right - 1)
        ]
        downs, rights = [int(each[1].item()) for each in ends], [int(each[2].item()) for each in ends]
        return any(
            place == ends[0][0]
            and min(downs) - 1 <= row <= max(downs) + 1
            and min(rights) - 1 <= col <= max(rights) + 1
            for place, row, col in self.blocks
        )

    def _held(self, picture: Labelled, window: Window, down: float, right: float) -> NDArray[np.bool_]:
        place, rows, cols = block_numbers(picture, window, self.side_px, down, right)
        held = np.zeros(rows.shape, bool)
        top, left = int(rows.min()), int(cols.min())
        for name, row, col in self.blocks:
            if name == place and top <= row <= int(rows.max()) and left <= col <= int(cols.max()):
                held |= (rows == row) & (cols == col)
        return held


def divide(collection: Collection, *, how: Split, fraction: float, random_state: int, block_px: int) -> Division:
    """Hold out about `fraction` of the pictures, or of the known pixels where it goes by blocks.

    "auto" is "block" where pictures lie on Earth, "site" where samples have at least two sites, "picture" where there
    are at least four, and "block" otherwise. What cannot be divided is not: then nothing is held out.
    """
    how = _choose(collection) if how == "auto" else how
    if how == "none" or fraction <= 0:
        return Division("none")
    if how == "block":
        return _by_block(collection, fraction, random_state, block_px)
    groups: dict[str, list[Labelled]] = {}
    for each in collection.pictures:
        groups.setdefault(each.sample.site or each.name if how == "site" else each.name, []).append(each)
    sizes = {key: float(sum(each.window.height * each.window.width for each in group)) for key, group in groups.items()}
    held = _drawn(sizes, fraction, random_state)
    return Division(how if held else "none", frozenset(each.name for key in held for each in groups[key]))


def block_numbers(
    picture: Labelled, window: Window, side_px: float, down: float = 0.0, right: float = 0.0
) -> tuple[str, NDArray[np.int64], NDArray[np.int64]]:
    """The place a picture's blocks are counted in, and the number of each pixel's block down and across."""
    rows = np.arange(window.top, window.bottom, dtype=np.float64)[:, None] + down
    cols = np.arange(window.left, window.right, dtype=np.float64)[None, :] + right
    if picture.grid.transform is None or picture.grid.crs is None:
        down_number, right_number = np.broadcast_arrays(np.floor(rows / side_px), np.floor(cols / side_px))
        return picture.name, down_number.astype(np.int64), right_number.astype(np.int64)
    height, width = picture.grid.pixel_size
    x, y = picture.grid.place(*np.broadcast_arrays(rows, cols))
    unit = side_px * float(np.sqrt(height * width))
    return picture.grid.crs, np.floor(-y / unit).astype(np.int64), np.floor(x / unit).astype(np.int64)


def _choose(collection: Collection) -> Split:
    if any(each.pixel_m is not None for each in collection.pictures):
        return "block"
    if len({each.sample.site for each in collection.pictures if each.sample.site}) > 1:
        return "site"
    return "picture" if len(collection.pictures) >= 4 else "block"


def _by_block(collection: Collection, fraction: float, random_state: int, block_px: int) -> Division:
    """Halve blocks until there are enough of them to choose from."""
    side = block_px
    while len(sizes := _block_sizes(collection, side)) < LEAST_BLOCKS and side >= 64:
        side //= 2
    held = _drawn(sizes, fraction, random_state)
    return Division("block" if held else "none", blocks=frozenset(held), side_px=side)


def _block_sizes(collection: Collection, side: int) -> dict[Block, float]:
    """How many known pixels lie in each block that has any."""
    sizes: dict[Block, float] = {}
    for picture in collection.pictures:
        for band in bands_of(picture):
            class_ids, _ = picture.labels(band)
            place, rows, cols = block_numbers(picture, band, side)
            first, left, across = int(rows.min()), int(cols.min()), int(cols.max() - cols.min()) + 1
            counts = np.bincount(((rows - first) * across + cols - left)[class_ids != UNKNOWN])
            for number in np.flatnonzero(counts).tolist():
                block = (place, first + number // across, left + number % across)
                sizes[block] = sizes.get(block, 0.0) + float(counts[number])
    return sizes


def _drawn(sizes: Mapping[Group, float], fraction: float, random_state: int) -> set[Group]:
    """Groups in an order of chance until the next would bring more than `fraction` of all; never all, often one."""
    total = sum(sizes.values())
    order = sorted((key for key in sizes if sizes[key] > 0), key=lambda key: _chance(key, random_state))
    held: set[Group] = set()
    taken = 0.0
    for key in order[: max(len(order) - 1, 0)]:
        if held and taken + sizes[key] > fraction * total:
            continue
        if not held and sizes[key] > 0.5 * total:
            continue
        held.add(key)
        taken += sizes[key]
        if taken >= fraction * total:
            break
    return held


def _chance(key: object, random_state: int) -> str:
    return hashlib.sha256(f"{random_state} {key}".encode()).hexdigest()
