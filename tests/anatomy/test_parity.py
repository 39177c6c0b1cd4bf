"""PAW-ViT's masks, to the bit: tables, point counts, ties, thresholds, the tail path, two published scenes."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from numpy.typing import NDArray

from maskwright.anatomy.parity import parity_points, parity_shares
from maskwright.arrays.part_grid import GridPoints, grid_parts, link_middles, path_points
from maskwright.methods.keypoint_parts import KeypointParts
from maskwright.types import Keypoints
from tests.anatomy_scenes import (
    AP10K,
    BY_AP10K,
    MERGED,
    a_joints,
    blank,
    ellipse,
    horse,
    horse_ap10k,
    outline_mask,
    q_joints,
    quadruped,
)


def _sha256(shares: NDArray[np.float64]) -> str:
    return hashlib.sha256(shares.argmax(axis=0).astype(np.uint8).tobytes()).hexdigest()


def test_the_tables_are_those_of_the_model() -> None:
    profile = quadruped()
    joints = list(profile.joints)
    counts = {region: list(profile.joints.values()).count(region) for region in profile.regions}
    assert counts == {"b_leg": 6, "body": 11, "f_leg": 6, "face": 15, "tail": 1}
    links = [tuple(sorted((joints.index(a), joints.index(b)))) for a, b, _ in profile.links]
    assert len(links) == len(set(links)) == 67
    assert [sum(each.region == region for each in profile.links) for region in ("body", "f_leg", "b_leg")] == [59, 4, 4]
    ends = np.bincount(np.array(links).ravel(), minlength=39)
    expected = {15: 7, 16: 9, 17: 9, 18: 9, 19: 9, 20: 4, 21: 9, 22: 6, 24: 8, 25: 2, 26: 1, 27: 8, 28: 2, 29: 1}
    expected |= {30: 1, 31: 5, 32: 5, 33: 2, 34: 2, 35: 1, 36: 6, 37: 14, 38: 14}
    assert {k: int(n) for k, n in enumerate(ends) if n} == expected
    flip = [joints.index(profile.mirrored(each)) for each in joints]
    assert flip == [
        0, 1, 2, 4, 3, 10, 11, 12, 13, 14, 5, 6, 7, 8, 9, 15, 16, 17, 18, 19, 20, 21, 22, 23, 27, 28, 29, 24, 25, 26,
        35, 32, 31, 34, 33, 30, 36, 38, 37,
    ]  # fmt: skip
    assert {tuple(sorted((flip[a], flip[b]))) for a, b in links} == set(links)
    assert {profile.joints[joints[flip[k]]] == profile.joints[joint] for k, joint in enumerate(joints)} == {True}
    known = {AP10K.index(name): joints.index(joint) for name, joint in profile.vocabularies["ap10k"].items()}
    assert sorted((joints.index(each), {v: k for k, v in known.items()}[joints.index(each)])
                  for each in profile.replace[1]) == sorted(zip(MERGED, BY_AP10K, strict=True))  # fmt: skip
    assert sorted(joints.index(each) for each in profile.ignore) == [8, 9, 13, 14]


def test_a_whole_animal_has_108_points_of_which_104_count() -> None:
    region, animal, _ = ellipse()
    whole = q_joints(animal.cols, np.clip(animal.rows, 100, 140), np.full(39, 0.9))
    points = parity_points(whole, None, region.astype(float), quadruped(), 0.5)
    assert len(points.cols) == 108
    assert int((points.scores >= 0.5).sum()) == 104


def test_the_merged_joints_alone_fire_ten_links() -> None:
    region, animal, _ = ellipse()
    scores = np.zeros(39)
    scores[list(MERGED)] = 0.9
    points = parity_points(q_joints(animal.cols, animal.rows, scores), None, region.astype(float), quadruped(), 0.5)
    assert len(points.cols) == 49


def test_without_a_visible_joint_all_regions_share_everything() -> None:
    region, animal, _ = ellipse()
    shares = parity_shares(
        q_joints(animal.cols, animal.rows, np.zeros(39)), None, region.astype(float), quadruped(), visible=0.5
    )
    inside = shares[-1] == 0
    assert int(inside.sum()) == 2097
    np.testing.assert_allclose(shares[:-1, inside], 0.2, atol=1e-8)
    assert shares[0].sum() == pytest.approx(419.4, abs=1e-4)


def test_the_ellipse_gives_the_published_sums_and_hash() -> None:
    region, q, a = ellipse()
    points = parity_points(q, quadruped().animals_of(a)[0], region.astype(float), quadruped(), 0.5)
    assert len(points.cols) == 86
    assert np.bincount(points.labels).tolist() == [7, 54, 9, 15, 1]
    assert np.bincount(points.labels[points.scores >= 0.5]).tolist() == [5, 52, 8, 8, 1]
    method = KeypointParts(mode="parity")
    shares = method.shares(blank(region), [q, a, outline_mask(region)])
    np.testing.assert_allclose(shares.sum(axis=(1, 2)), [205, 1168, 271, 387, 66, 1999], atol=1e-4)
    assert _sha256(shares) == "5b300be58143a3d4c56c5b2f0a235305be1ec858f7f2a48a6c963c7c88f43ae1"
    centroids = [[float(each.mean()) for each in np.nonzero(part > 0.5)] for part in shares[:5]]
    expected = [(39.805, 45.971), (29.934, 37.438), (40.554, 24.410), (31.618, 12.744), (13.652, 36.455)]
    np.testing.assert_allclose(centroids, expected, atol=5e-4)


def test_the_horse_gives_the_published_sums_and_hash() -> None:
    region, animal = horse()
    hints = [animal, horse_ap10k(animal), outline_mask(region)]
    assert hashlib.sha256(region.astype(np.uint8).tobytes()).hexdigest().startswith("8026e816ec808260")
    points = parity_points(animal, None, region.astype(float), quadruped(), 0.5)
    assert len(points.cols) == 94
    assert int((points.scores >= 0.5).sum()) == 87
    assert sorted(zip(points.cols[-2:], points.rows[-2:], strict=True)) == [(40, 144), (40, 190)]
    shares = KeypointParts(mode="parity").shares(blank(region), hints)
    np.testing.assert_allclose(shares.sum(axis=(1, 2)), [212, 780, 164, 94, 124, 2722], atol=1e-4)
    assert _sha256(shares) == "2d5960ac77b8ca11905255b1e329946e20596577a08ba30c55df0350b1b4513e"
    full = KeypointParts(mode="parity", grid=region.shape).shares(blank(region), hints)
    np.testing.assert_allclose(full.sum(axis=(1, 2)), [6735, 24848.5, 5107.5, 2971, 3750, 87788], atol=1e-3)
    assert int(((full > 0.1) & (full < 0.9)).any(axis=0).sum()) == 3
    assert full.sum(axis=0).max() <= 1


def test_parity_as_a_mask_spreads_the_grid_over_the_picture() -> None:
    region, animal = horse()
    mask = KeypointParts(mode="parity", grid=(328, 400))(blank(region), [animal, outline_mask(region)], ())
    names = np.array(mask.class_names)
    places = {(30, 200): "tail", (365, 70): "face", (190, 140): "body", (62, 306): "b_leg", (257, 305): "f_leg",
              (53, 150): "background"}  # fmt: skip
    assert {place: str(names[mask.class_ids[place[1], place[0]]]) for place in places} == places


def test_equally_near_regions_share_a_cell() -> None:
    points = GridPoints(np.array([80.0, 240.0]), np.array([120.0, 120.0]), np.ones(2), np.array([0, 1]))
    shares = grid_parts(points, np.ones((240, 320)), 2, visible=0.5)
    np.testing.assert_allclose(shares[:, 5, 31:34], [[1, 0.5, 0], [0, 0.5, 1], [0, 0, 0]], atol=1e-7)
    np.testing.assert_allclose(shares.sum(axis=(1, 2)), [2080, 2016, 0], atol=1e-4)


def test_a_score_at_the_threshold_counts_for_cells_and_draws_no_link() -> None:
    points = GridPoints(np.array([80.0, 240.0]), np.array([120.0, 120.0]), np.array([0.5, 0.9]), np.array([0, 1]))
    assert len(link_middles(points, [(0, 1, 0)], visible=0.5).cols) == 2
    assert grid_parts(points, np.ones((240, 320)), 2, visible=0.5)[0].sum() > 2000


def _ends(start: tuple[float, float], goal: tuple[float, float]) -> GridPoints:
    return GridPoints(np.array([start[0], goal[0]]), np.array([start[1], goal[1]]), np.ones(2), np.array([4, 1]))


def test_the_tail_path_of_a_bar() -> None:
    bar = np.zeros((20, 100))
    bar[8:12] = 1
    points, has_way = path_points(_ends((90, 10), (5, 10)), bar, 0, 1, 2, visible=0.5)
    assert has_way
    assert list(zip(points.cols[2:], points.rows[2:], strict=True)) == [(62, 10), (34, 10)]
    assert points.labels[2:].tolist() == [4, 4]
    outside, _ = path_points(_ends((90, 7), (5, 13)), bar, 0, 1, 2, visible=0.5)
    assert bar[outside.rows[2:].astype(int), outside.cols[2:].astype(int)].all()


def test_no_tail_path_across_a_gap_or_in_an_empty_foreground() -> None:
    bar = np.zeros((20, 100))
    bar[8:12] = 1
    bar[:, 50] = 0
    assert path_points(_ends((90, 10), (5, 10)), bar, 0, 1, 2, visible=0.5) == (_Same(2), False)
    assert path_points(_ends((90, 10), (5, 10)), np.zeros((20, 100)), 0, 1, 2, visible=0.5) == (_Same(2), False)


class _Same:
    """Equal to points of this count."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GridPoints) and len(other.cols) == self.count

    __hash__ = None  # type: ignore[assignment]


def test_four_regions_for_the_yak() -> None:
    region, animal = horse()
    hints = [animal, outline_mask(region)]
    five = KeypointParts(mode="parity").shares(blank(region), hints)
    four = KeypointParts(profile="quadruped4", mode="parity").shares(blank(region), hints)
    assert four.shape == (5, 64, 64)
    np.testing.assert_allclose(four, [five[0], five[1] + five[4], five[2], five[3], five[5]])


def test_joints_are_not_changed() -> None:
    region, q, a = ellipse()
    before = [each.copy() for each in (q.rows, q.scores, a.rows, a.scores)]
    KeypointParts(mode="parity").shares(blank(region), [q, a, outline_mask(region)])
    for old, new in zip(before, (q.rows, q.scores, a.rows, a.scores), strict=True):
        np.testing.assert_array_equal(old, new)
    assert isinstance(a_joints(a.cols, a.rows, a.scores), Keypoints)
