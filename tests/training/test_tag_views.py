"""Other looks at one picture: what each change does, and that only picture, number and seed decide."""

from __future__ import annotations

import numpy as np
import pytest

from maskwright.training.tag_views import View, aslant, in_light, varied


def picture(height: int = 24, width: int = 60) -> np.ndarray:
    return np.random.default_rng(0).integers(30, 220, (height, width, 3)).astype(np.uint8)


def test_each_change_comes_a_quarter_of_the_time_and_mirrors_are_exact() -> None:
    given, random = picture(), np.random.default_rng(1)
    mirrored = [given, given[:, ::-1], given[::-1], given[::-1, ::-1]]
    looks = [varied(given, random) for _ in range(600)]
    counts = [sum(np.array_equal(each, look) for look in looks) for each in mirrored]
    shares = np.array(counts) / 600  # without light and slant: 0.75 ** 2 of all
    np.testing.assert_allclose(shares, np.array([9, 3, 3, 1]) / 16 * 9 / 16, atol=0.06)
    black = np.mean([(look == 0).all(axis=-1).any() for look in looks])
    assert black == pytest.approx(0.25, abs=0.06), "slanted ones are black around"
    assert all(look.shape == given.shape and look.dtype == np.uint8 for look in looks)


def test_light_leaves_grey_grey_and_does_what_it_says() -> None:
    grey = np.repeat(picture()[..., :1], 3, axis=2)
    seen = in_light(grey, 0.0, 1.0, 1.2, 18.0).astype(int)
    assert np.abs(seen - grey).max() <= 1
    given = picture()
    assert np.abs(in_light(given, 0, 1, 1, 0).astype(int) - given).max() <= 1
    assert in_light(given, 0.1, 1, 1, 0).mean() == pytest.approx(given.mean() + 25.5, abs=0.5)
    assert in_light(given, 0, 0.8, 1, 0).std() == pytest.approx(0.8 * given.std(), rel=0.02)
    red = np.full((2, 5, 3), (200, 60, 60), np.uint8)
    turned = in_light(red, 0, 1, 1, 18.0)[0, 0].astype(int)
    assert turned[0] > 150 and abs(turned[1] - turned[2]) > 20, "another red"
    pale = in_light(red, 0, 1, 0.5, 0)[0, 0].astype(int)
    assert np.ptp(pale) == pytest.approx(70, abs=2)


def test_slanted_corners_lie_where_they_were_pulled() -> None:
    given = np.full((40, 100, 3), 200, np.uint8)
    inward = np.array([[0.1, 0.2], [0.0, 0.0], [0.25, 0.25], [0.0, 0.1]])
    seen = aslant(given, inward)[..., 0]
    corners = [(4, 20), (0, 99), (29, 74), (39, 10)]
    assert min(int(seen[row, col]) for row, col in corners) > 150
    assert seen[0, 0] == seen[39, 99] == seen[2, 10] == 0
    assert np.array_equal(aslant(given, np.zeros((4, 2))), given)


def test_the_same_look_again_and_another_for_each_number_picture_and_seed() -> None:
    given, name, other = picture(), "ab" * 32, "cd" * 32
    first = [View(number)(given, name) for number in range(12)]
    assert all(np.array_equal(View(n)(given, name), each) for n, each in enumerate(first))
    assert len({each.tobytes() for each in first}) > 4
    for again in (
        [View(n)(given, other) for n in range(12)],
        [View(n, random_state=1)(given, name) for n in range(12)],
    ):
        assert not all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert len({str(View(n, s).told) for n in range(3) for s in range(3)}) == 9
