"""Overlap scores by definition, on pixels, and on two real reef maps."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image as Pillow

from maskwright.arrays.windows import Window, split
from maskwright.errors import GridError, InputError
from maskwright.metrics.overlap import Overlap, baseline, legacy_scores
from maskwright.types import UNKNOWN, Mask

NAMES = ("sand", "coral", "rock", "weed")
REEF = ("", "branching", "tabular", "massive", "other", "sand")


def mask(ids: object, names: tuple[str, ...] = NAMES) -> Mask:
    return Mask(np.asarray(ids, np.uint8), names)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    shape = draw(st.tuples(st.integers(1, 5), st.integers(1, 9)))
    ids = st.sampled_from([0, 1, 2, 255])
    return draw(hnp.arrays(np.uint8, shape, elements=ids)), draw(hnp.arrays(np.uint8, shape, elements=ids))


@given(pair=pairs())
@settings(max_examples=80, deadline=None)
def test_scores_by_definition(pair: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
    predicted, truth = pair
    metric = Overlap(NAMES)
    scores = metric.scores(metric.tally(mask(predicted), mask(truth)))
    known = truth != UNKNOWN
    ious, present, either = {}, [], []
    for class_id, name in enumerate(NAMES):
        ours, theirs = (predicted == class_id) & known, (truth == class_id) & known
        union, both = (ours | theirs).sum(), (ours & theirs).sum()
        ious[name] = both / union if union else math.nan
        dice = 2 * both / (ours.sum() + theirs.sum()) if union else math.nan
        np.testing.assert_equal(scores["iou"][name], ious[name])
        np.testing.assert_equal(scores["dice"][name], dice)
        np.testing.assert_equal(scores["f1"][name], dice)
        np.testing.assert_equal(scores["recall"][name], both / theirs.sum() if theirs.any() else math.nan)
        np.testing.assert_equal(scores["precision"][name], both / ours.sum() if ours.any() else math.nan)
        assert scores["support"][name] == theirs.sum()
        present += [ious[name]] if theirs.any() else []
        either += [ious[name]] if union else []
    np.testing.assert_allclose(scores["mean_iou"], np.mean(present) if present else math.nan)
    np.testing.assert_allclose(scores["mean_iou_predicted"], np.mean(either) if either else math.nan)
    hits = ((predicted == truth) & known).sum()
    np.testing.assert_allclose(scores["pixel_accuracy"], hits / known.sum() if known.any() else math.nan)
    assert scores["pixels"] == known.sum()


def test_a_class_never_predicted_counts_zero_and_one_only_predicted_is_left_out() -> None:
    metric = Overlap(NAMES)
    scores = metric.scores(metric.tally(mask([[0, 0, 2, 2]]), mask([[0, 0, 1, 1]])))
    assert scores["mean_iou"] == 0.5
    assert scores["mean_iou_predicted"] == pytest.approx(1 / 3)
    assert scores["iou"]["rock"] == 0
    assert math.isnan(scores["iou"]["weed"])


def test_a_confusion_table_made_by_hand() -> None:
    table = np.array([[50, 3, 2, 0], [4, 20, 1, 5], [0, 6, 9, 0]])
    scores = Overlap(NAMES[:3]).scores(table)
    assert scores["pixel_accuracy"] == 79 / 100
    assert scores["iou"] == {"sand": 50 / 59, "coral": 20 / 39, "rock": 9 / 18}
    assert scores["macro_f1"] == pytest.approx((100 / 109 + 40 / 59 + 18 / 27) / 3)
    chance = (55 * 54 + 30 * 29 + 15 * 12) / 100**2
    assert scores["kappa"] == pytest.approx((0.79 - chance) / (1 - chance))


def test_tallies_of_pieces_add_up_to_the_whole() -> None:
    random = np.random.default_rng(0)
    predicted, truth = (mask(random.choice([0, 1, 2, 3, 255], (20, 60))) for _ in range(2))
    metric = Overlap(NAMES)
    parts = [metric.tally(predicted, truth, inside=piece) for piece in split(Window(0, 0, 20, 60), 7)]
    np.testing.assert_array_equal(sum(parts), metric.tally(predicted, truth))
    assert metric.margin == 0


def test_nothing_known_gives_nan_and_no_warning() -> None:
    metric = Overlap(NAMES)
    scores = metric.scores(metric.tally(mask([[0, 1]]), mask([[255, 255]])))
    assert scores["pixels"] == 0
    assert all(math.isnan(scores[name]) for name in ("mean_iou", "mean_iou_predicted", "pixel_accuracy", "kappa"))


def test_what_cannot_be_compared_is_an_error_that_says_why() -> None:
    metric = Overlap(NAMES)
    with pytest.raises(GridError, match="1 x 2 pixels and the true one 1 x 3"):
        metric.tally(mask([[0, 0]]), mask([[0, 0, 0]]))
    with pytest.raises(InputError, match=r"predicted ids \[9\].*the classes are 0 sand, 1 coral"):
        metric.tally(mask([[9, 0]]), mask([[0, 0]]))
    with pytest.raises(InputError, match="predicted mask speaks of 0 coral, 1 sand"):
        metric.tally(mask([[0]], ("coral", "sand")), mask([[0]]))
    with pytest.raises(InputError, match=r"ids \[0\] occur in the masks but have no name"):
        Overlap(REEF).tally(mask([[0, 1]], REEF), mask([[1, 1]], REEF))


def real_maps(folder: Path) -> list[Mask]:
    maps = []
    for place in ("stleu", "troudeau"):
        ids = np.array(Pillow.open(folder / "reef" / f"annotation_mask_{place}.png"))
        maps.append(mask(np.where(ids == 0, UNKNOWN, ids), REEF))
    return maps


def all_sand(truth: Mask) -> Mask:
    return mask(np.full(truth.grid.shape, 5), REEF)


def test_all_sand_on_the_real_reefs(shared_data: Path) -> None:
    metric = Overlap(REEF)
    tally = sum(metric.tally(all_sand(truth), truth) for truth in real_maps(shared_data))
    scores = metric.scores(tally)
    assert scores["pixel_accuracy"] == pytest.approx(0.73578, abs=5e-6)
    assert scores["mean_iou"] == pytest.approx(0.14716, abs=5e-6)
    assert legacy_scores(tally)["mean_iou"] == pytest.approx(0.73578, abs=5e-6)
    np.testing.assert_array_equal(baseline(tally), tally)


def test_pixels_left_unpredicted_cost_accuracy_and_the_legacy_code_does_not_see_them(shared_data: Path) -> None:
    metric = Overlap(REEF)
    tally = np.zeros((6, 7), np.int64)
    for truth in real_maps(shared_data):
        half = truth.class_ids.copy()
        half[::2] = UNKNOWN
        tally += metric.tally(mask(half, REEF), truth)
    assert legacy_scores(tally)["pixel_accuracy"] == 1.0
    assert legacy_scores(tally)["mean_iou"] == pytest.approx(1.0)
    scores = metric.scores(tally)
    assert 0.45 < scores["pixel_accuracy"] < 0.55
    assert 0.45 < scores["mean_iou"] < 0.55


def test_legacy_means_skip_classes_that_were_never_hit() -> None:
    table = [[8, 2, 0, 0], [5, 0, 0, 0], [0, 0, 4, 6]]
    legacy = legacy_scores(table)
    assert legacy["pixel_accuracy"] == 12 / 19
    assert legacy["mean_accuracy"] == pytest.approx((0.8 + 1.0) / 2)
    assert legacy["mean_iou"] == pytest.approx((8 / 15 + 1.0) / 2)
