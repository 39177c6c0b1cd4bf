"""Scores made to agree with the picture: likely classes flow within surfaces and stop at their edges."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Scores = NDArray[np.float32]
WEAKEST = 1e-4  # the least weight of a bond: nothing is wholly cut off
SEED = 1e3  # how hard a known pixel holds to its class


def spread_scores(
    pixels: NDArray[Any],
    scores: NDArray[Any],
    *,
    labels: NDArray[np.integer[Any]] | None = None,
    pull: float = 0.05,
    contrast: float = 1.0,
    tolerance: float = 1e-3,
    rounds: int = 100,
) -> Scores:
    """Scores (classes, height, width) spread over the picture: float32, 0 or more, adding up to what they added up to.

    Each pixel is drawn to its own scores by `pull` and to those of its 4 neighbours by WEAKEST + exp(-`contrast` * d /
    mean d), where d is the squared difference of their colours (`pixels`, height x width x channels) and the mean that
    of all neighbours: a random walk that ends at a pixel with probability pull / (pull + bonds) and then says what that
    pixel's scores say. `labels` (height, width) hold known pixels to their class; negative ones are free.

    Solved by conjugate gradients for all classes at once, until corrections are below `tolerance` or for `rounds`. A
    pull of 0 leaves only the labels and is a ValueError, for scores would not matter; 0 classes or pixels stay as they
    are.

    Paper: Grady 2005, "Multilabel random walker image segmentation using prior models" (CVPR).

    >>> pixels = np.array([[[0], [0], [0], [200], [200]]])
    >>> scores = np.array([[[0.9, 0.9, 0.2, 0.1, 0.1]], [[0.1, 0.1, 0.8, 0.9, 0.9]]])
    >>> spread_scores(pixels, scores, contrast=9.0).argmax(axis=0)
    array([[0, 0, 0, 1, 1]])
    """
    if scores.shape[1:] != pixels.shape[:2] or (labels is not None and labels.shape != pixels.shape[:2]):
        raise ValueError(f"pixels {pixels.shape}, scores {scores.shape} and labels are of one height and width")
    if not (math.isfinite(pull) and pull > 0 and math.isfinite(contrast) and contrast >= 0):
        raise ValueError(f"pull is above 0 and contrast 0 or more; got {pull} and {contrast}")
    given = np.asarray(scores, np.float32)
    if not given.size:
        return given.copy()
    held = np.full(given.shape[1:], pull, np.float32)
    wanted = given * np.float32(pull)
    start = given.copy()
    if labels is not None and (labels >= 0).any():
        at = labels >= 0
        total = given[:, at].sum(axis=0)
        held[at], wanted[:, at], start[:, at] = SEED, 0, 0
        start[labels[at], *np.nonzero(at)] = total
        wanted[labels[at], *np.nonzero(at)] = SEED * total
    matrix = _bonds(np.asarray(pixels), contrast, held)
    count = len(given)
    found = _solve(matrix, wanted.reshape(count, -1).T, start.reshape(count, -1).T, tolerance, rounds)
    return np.ascontiguousarray(np.maximum(found, 0).T).reshape(given.shape)


def _bonds(pixels: NDArray[Any], contrast: float, held: NDArray[np.float32]) -> Any:
    """The matrix of the walk: bonds between neighbours off the diagonal, their sum and what holds a pixel on it."""
    height, width = held.shape
    number = np.arange(height * width, dtype=np.int32).reshape(height, width)
    pairs: tuple[tuple[Any, Any], ...] = (np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])
    squares = [_squares(pixels[a], pixels[b]) for a, b in pairs]
    known = np.concatenate([each[np.isfinite(each)] for each in squares])
    mean = float(known.mean(dtype=np.float64)) if known.size else 0.0
    sharpness = np.float32(contrast / mean) if mean > 0 else np.float32(0)
    bonds = [np.nan_to_num(np.exp(-sharpness * each), nan=0.0) + np.float32(WEAKEST) for each in squares]
    diagonal = held.copy()
    for (a, b), bond in zip(pairs, bonds, strict=True):
        diagonal[a] += bond
        diagonal[b] += bond
    start = np.concatenate([number[a].ravel() for a, _ in pairs])
    end = np.concatenate([number[b].ravel() for _, b in pairs])
    half = sparse.csr_array((-np.concatenate([each.ravel() for each in bonds]), (start, end)), shape=(number.size,) * 2)
    return (half + half.T + sparse.diags_array(diagonal.ravel())).tocsr()


def _squares(here: NDArray[Any], there: NDArray[Any]) -> NDArray[np.float32]:
    """Squared differences of colours; nan where a colour is not finite."""
    total: NDArray[np.float32] = np.zeros(here.shape[:2], np.float32)
    with np.errstate(invalid="ignore", over="ignore"):
        for channel in range(here.shape[2]):
            total += (here[..., channel].astype(np.float32) - there[..., channel].astype(np.float32)) ** 2
    total[~np.isfinite(total)] = np.nan
    return total


def _solve(matrix: Any, right: NDArray[Any], found: NDArray[Any], tolerance: float, rounds: int) -> NDArray[Any]:
    """Conjugate gradients with the diagonal in front, every column on its own, all at once."""
    found = np.ascontiguousarray(found)
    smoother = (1 / matrix.diagonal())[:, None]
    residual = right - matrix @ found
    step = smoother * residual
    direction, old = step, (residual * step).sum(axis=0, dtype=np.float64)
    for _ in range(rounds):
        if np.abs(step).max() <= tolerance * 0.1:
            break
        ahead = matrix @ direction
        length = old / np.maximum((direction * ahead).sum(axis=0, dtype=np.float64), 1e-30)
        found += direction * length.astype(np.float32)
        residual = residual - ahead * length.astype(np.float32)
        step = smoother * residual
        new = (residual * step).sum(axis=0, dtype=np.float64)
        direction = step + direction * (new / np.maximum(old, 1e-30)).astype(np.float32)
        old = new
    return found
