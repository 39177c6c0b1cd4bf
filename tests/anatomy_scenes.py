"""Scenes with known parts: the ellipse and the horse of PAW-ViT's masks, and joints by their index."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from maskwright.io.profiles import Profile, read_profile
from maskwright.types import Grid, Image, Keypoints, Mask

AP10K = (
    "L_Eye", "R_Eye", "Nose", "Neck", "Root of tail", "L_Shoulder", "L_Elbow", "L_F_Paw", "R_Shoulder", "R_Elbow",
    "R_F_Paw", "L_Hip", "L_Knee", "L_B_Paw", "R_Hip", "R_Knee", "R_B_Paw",
)  # fmt: skip
MERGED = (15, 22, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35)
BY_AP10K = (3, 4, 5, 6, 7, 8, 9, 10, 13, 11, 14, 12, 15, 16)

_HORSE = (
    "0 388,86; 1 384,95; 2 372,100; 3 376,92; 5 358,45; 6 342,20; 7 349,11; 11 353,22; 12 357,12; 15 300,60; "
    "16 258,85; 17 325,75; 18 308,135; 19 245,85; 20 75,92; 21 160,93; 22 40,97; 23 40,236; 24 288,165; 25 276,235; "
    "26 280,307; 27 272,165; 28 256,240; 29 257,305; 30 123,301; 31 105,160; 32 85,160; 33 105,225; 34 60,225; "
    "35 62,306; 36 190,183; 37 190,135"
)


def quadruped() -> Profile:
    return read_profile("quadruped5")


def q_joints(x: NDArray[np.float64], y: NDArray[np.float64], scores: NDArray[np.float64]) -> Keypoints:
    """39 joints in the order of the model's indices."""
    return Keypoints(tuple(quadruped().joints), np.asarray(y, float), np.asarray(x, float), scores)


def a_joints(x: NDArray[np.float64], y: NDArray[np.float64], scores: NDArray[np.float64]) -> Keypoints:
    """17 joints in AP-10K's order."""
    return Keypoints(AP10K, np.asarray(y, float), np.asarray(x, float), scores)


def outline_mask(region: NDArray[np.bool_]) -> Mask:
    return Mask(region.astype(np.uint8), ("background", "animal"))


def blank(region: NDArray[np.bool_]) -> Image:
    return Image(np.zeros((*region.shape, 3), np.uint8), Grid(*region.shape))


def ellipse() -> tuple[NDArray[np.bool_], Keypoints, Keypoints]:
    """Outline and both kinds of joints of the made-up case "G1"."""
    i, j = np.arange(39), np.arange(17)
    rows, cols = np.mgrid[:240, :320]
    region = ((cols - 160) / 140) ** 2 + ((rows - 120) / 90) ** 2 <= 1
    q = q_joints(20 + 7.0 * i, 120 + 60 * np.sin(i), np.where(i % 5 == 0, 0.3, 0.9))
    a = a_joints(30 + 15.0 * j, 120 + 50 * np.cos(j), np.where(j % 4 == 0, 0.4, 0.8))
    return region, q, a


def horse() -> tuple[NDArray[np.bool_], Keypoints]:
    """The silhouette that comes with scikit-image, and joints placed on it by hand."""
    data = pytest.importorskip("skimage.data", reason="the horse silhouette comes with scikit-image")
    region = np.ascontiguousarray(~data.horse())
    places, scores = np.zeros((39, 2)), np.full(39, 0.1)
    for entry in _HORSE.split(";"):
        index, place = entry.split()
        places[int(index)] = [float(each) for each in place.split(",")]
        scores[int(index)] = 0.9
    return region, q_joints(places[:, 0], places[:, 1], scores)


def horse_ap10k(animal: Keypoints) -> Keypoints:
    """The horse's joints as AP-10K would name them, eyes and nose left unseen."""
    cols, rows, scores = np.zeros(17), np.zeros(17), np.zeros(17)
    cols[list(BY_AP10K)], rows[list(BY_AP10K)] = animal.cols[list(MERGED)], animal.rows[list(MERGED)]
    scores[list(BY_AP10K)] = 0.9
    return a_joints(cols, rows, scores)


def mirrored(animal: Keypoints, width: int, profile: Profile) -> Keypoints:
    """The animal of the mirrored picture: places flipped, left and right names exchanged."""
    names = tuple(profile.mirrored(each) for each in animal.names)
    return Keypoints(names, animal.rows, width - 1 - animal.cols, animal.scores, animal.object_id)
