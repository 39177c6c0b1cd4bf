"""Soft labels around points: what looks like them, as random trees see it, spread over each picture up to its edges.

A few points teach a network little and let it learn that little by heart. Trees on hand-made features learn more from
few: two pixels are alike where they fall into the same leaves. So the labels of all points flow to look-alikes in all
pictures, how common each class is is estimated from each picture, and what comes of it flows over the picture up to its
edges. A network that learns from both, the points and, with its own loss, these doubtful labels, ends up better than
either (docs/training.md).

Nothing is learned from what is held out, neither its points nor its pixels. Papers: Geurts et al. 2006 (trees), Saerens
et al. 2002 (how common classes are), Grady 2005 (the flow).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.forest import Forest, grow_forest
from maskwright.arrays.pool import class_shares, with_shares
from maskwright.arrays.seen import Seen, see
from maskwright.arrays.soften import soften
from maskwright.arrays.spread import spread_scores
from maskwright.arrays.windows import Window, grow, shift, split
from maskwright.training.pictures import CERTAIN, Collection, Labelled, Tile
from maskwright.training.splits import Division

TILE_PX, MARGIN_PX = 1024, 128
PLACES = 4096
ROWS = 1 << 16
SHARE_HOLD = 0.1
PULL = 0.05
MOST_POINTS = 50_000
MOST_PIXELS = 32_000_000
"""So many pixels are given soft labels: about seven minutes of one processor."""

FEW_POINTS = 30
"""Up to so many points per class and picture labels spread from them are known to pay (docs/training.md)."""


def are_few(collection: Collection) -> bool:
    """Whether nothing but points is known, and no more than `FEW_POINTS` of them per class and picture on average."""
    if any(each.sample.mask_paths for each in collection.pictures):
        return False
    ids = [points.class_ids for each in collection.pictures for points in each.points]
    classes = len(np.unique(np.concatenate(ids))) if ids else 0
    return sum(map(len, ids)) <= FEW_POINTS * classes * len(collection.pictures)


def spread_points(collection: Collection, division: Division, *, random_state: int = 0) -> Collection:
    """The collection with soft labels in those of its pictures that have points and no mask.

    Pictures are looked at in squares of 1,024 pixels with 128 more around them; one without any point in that stays as
    it is, and of more than `MOST_PIXELS` so many are looked at, evenly through the collection. The confidence of a
    label is its score. Where all points are of one class there is nothing to tell apart, and the collection comes back
    as it is.
    """
    places = _places(collection)
    taught = [_taught(collection, division, each) for each in places]
    forest = _forest(taught, len(collection.class_names), random_state)
    if forest is None:
        return collection
    tiles: dict[int, list[Tile]] = {}
    for place, (_, ids) in zip(places, taught, strict=True):
        if len(ids):
            tiles.setdefault(place.picture, []).append(_tile(collection, division, place, forest))
    pictures = [
        dataclasses.replace(picture, tiles=tuple(tiles.get(number, ())))
        for number, picture in enumerate(collection.pictures)
    ]
    return dataclasses.replace(collection, pictures=tuple(pictures))


class _Place(NamedTuple):
    """A tile of a picture, by its number, and the area around it that is looked at."""

    picture: int
    tile: Window
    area: Window


def _places(collection: Collection) -> list[_Place]:
    """All tiles that have points in their area; every so-manieth where they are too many."""
    found = [
        _Place(number, tile, area)
        for number, picture in enumerate(collection.pictures)
        if picture.points and not picture.sample.mask_paths
        for tile, area in _areas(picture)
    ]
    pixels = sum(each.tile.height * each.tile.width for each in found)
    return found[:: max(1, -(-pixels // MOST_PIXELS))]


def _areas(picture: Labelled) -> Iterator[tuple[Window, Window]]:
    """Tiles, and what is looked at around each, of those that have points in it."""
    rows, cols = (np.concatenate(each) for each in zip(*(points.pixels for points in picture.points), strict=True))
    for tile in split(picture.window, TILE_PX):
        area = grow(tile, MARGIN_PX, picture.window)
        if ((rows >= area.top) & (rows < area.bottom) & (cols >= area.left) & (cols < area.right)).any():
            yield tile, area


def _seen(collection: Collection, division: Division, place: _Place) -> Seen:
    """An area as trees see it, with the points in it that are not held out."""
    picture, area = collection.pictures[place.picture], place.area
    part = picture.read(area)
    known = picture.named(area) & ~division.hidden(picture, area)
    labels = np.where(known, part.class_ids.astype(np.int32), np.int32(-1))
    corner, whole = (area.top, area.left), picture.grid.shape
    return see(part.pixels, part.valid, labels, collection.bands, corner=corner, whole=whole)


def _taught(collection: Collection, division: Division, place: _Place) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """What trees are given for the points of an area, and their class ids; features of all pixels are not kept."""
    seen = _seen(collection, division, place)
    at = np.flatnonzero(seen.labels >= 0)
    return seen.rows(at), seen.labels.ravel()[at].astype(np.intp)


def _forest(
    taught: list[tuple[NDArray[np.float32], NDArray[np.intp]]], classes: int, random_state: int
) -> Forest | None:
    """Trees that tell the points of all pictures apart; None where these are of fewer than two classes."""
    ids = np.concatenate([np.zeros(0, np.intp), *(each[1] for each in taught)])
    if len(np.unique(ids)) < 2:
        return None
    rows = np.concatenate([each[0] for each in taught])
    if len(ids) > MOST_POINTS:
        kept = np.sort(np.random.default_rng(random_state).choice(len(ids), MOST_POINTS, replace=False))
        rows, ids = rows[kept], ids[kept]
    weights = len(ids) / (len(np.unique(ids)) * np.bincount(ids)[ids])
    return grow_forest(rows, ids, classes, weights=weights, random_state=random_state)


def _tile(collection: Collection, division: Division, place: _Place, forest: Forest) -> Tile:
    """The label of each pixel of a tile and its score in steps of 1/255."""
    seen = _seen(collection, division, place)
    learned = np.flatnonzero(forest.shares.any(axis=0))
    flat = np.arange(seen.valid.size)
    said = np.concatenate([forest(seen.rows(flat[at : at + ROWS]))[:, learned] for at in range(0, len(flat), ROWS)]).T
    number = np.full(forest.shares.shape[1], -1, np.int32)
    number[learned] = np.arange(len(learned))
    labels = np.where(seen.labels >= 0, number[seen.labels], -1)
    guess = np.bincount(labels[labels >= 0], minlength=len(learned)) + 1.0
    fair = with_shares(said, class_shares(said[:, seen.some_places(PLACES)], guess, hold=SHARE_HOLD))
    spread = spread_scores(soften(seen.pixels, 1.0, seen.valid), _where(seen, fair), labels=labels, pull=PULL)
    inside = shift(place.tile, place.area.top, place.area.left).slices
    sure = np.rint(np.clip(spread.max(axis=0), 0, 1) * CERTAIN).astype(np.uint8)
    return Tile(place.tile, learned[spread.argmax(axis=0)].astype(np.uint8)[inside], sure[inside])


def _where(seen: Seen, scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scores (classes, pixels) as pictures, 0 where there is no data."""
    return np.where(seen.valid, scores.reshape(-1, *seen.valid.shape), np.float32(0))
