"""Part masks become a segmenter that needs no joints: it learns, sees whole pictures, and knows left from right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskwright.contracts import check_learner
from maskwright.errors import EmptyResultError
from maskwright.io.images import read_image
from maskwright.io.masks import read_mask
from maskwright.methods.train_parts import TrainParts
from maskwright.types import Sample
from tests.training_scenes import CLASS_NAMES, make_samples

torch = pytest.importorskip("torch")
QUICK: dict[str, Any] = {"side": 48, "width": 6, "steps": 30, "batch": 4, "score_every": 15, "device": "cpu",
                         "precision": "float32", "learning_rate": 0.01, "average": 0.9}  # fmt: skip


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    return make_samples(tmp_path, 6)


def test_it_keeps_the_promises_of_learners() -> None:
    check_learner(TrainParts(**{**QUICK, "steps": 4, "width": 4}))


def test_it_learns_and_is_read_again_the_same(samples: list[Sample], tmp_path: Path) -> None:
    from maskwright.models.weights import read_model

    segmenter = TrainParts(**QUICK)(samples)
    assert segmenter.class_names == CLASS_NAMES
    history = segmenter.record.training["history"]
    assert history[-1]["loss"] < history[0]["loss"]
    hits = []
    for sample in make_samples(tmp_path / "new", 9)[6:]:
        pixels = np.asarray(read_image(sample.image_path).pixels)
        said = segmenter(pixels[None])[0].argmax(axis=0)
        hits.append((said == read_mask(sample.mask_paths[0]).class_ids).mean())
    assert np.mean(hits) > 0.9
    segmenter.save(tmp_path / "model")
    again = read_model(tmp_path / "model", "cpu", precision="float32")
    assert (again(pixels[None]) == segmenter(pixels[None])).all()
    assert 0 < segmenter.record.scores["mean_iou"] <= 1


def test_the_same_settings_give_the_same_weights(samples: list[Sample]) -> None:
    first, again = (TrainParts(**{**QUICK, "steps": 3})(samples).state for _ in range(2))
    assert all((first[name] == again[name]).all() for name in first)


def test_mirrored_pictures_exchange_left_and_right() -> None:
    from maskwright.training.parts import exchanged_sides

    table = exchanged_sides(("background", "front_left_leg", "front_right_leg", "left_ear", "", "tail"))
    assert table[:6].tolist() == [0, 2, 1, 3, 4, 5]  # no right ear: the left one stays
    assert table[255] == 255


def test_the_cutter_exchanges_sides_in_mirrored_windows_only(samples: list[Sample]) -> None:
    from maskwright.training.parts import WholeCutter
    from maskwright.training.pictures import gather_pictures
    from maskwright.training.splits import Division

    collection = gather_pictures(samples)
    collection = type(collection)(collection.pictures, ("", "left", "right"), collection.bands)
    cutter = WholeCutter(collection, Division("none"), 48, 16, scale=0, colour=0)
    batch = cutter.batch_of(0)
    bluish = batch.pixels[..., 2] - batch.pixels[..., 0] > 20  # what was called left
    left = np.array([(ids[blue & (ids != 255)] == 1).mean() for ids, blue in zip(batch.class_ids, bluish, strict=True)])
    assert ((left > 0.9) | (left < 0.1)).all() and 0 < (left > 0.5).sum() < len(left)
    still = WholeCutter(collection, Division("none"), 48, 16, scale=0, colour=0, turned=False).batch_of(0)
    assert set(np.unique(still.class_ids)) <= {1, 2, 255}


def test_a_window_of_any_size_is_seen_at_one_size() -> None:
    from maskwright.models.whole_window import WholeWindow

    network = WholeWindow(3, 4, width=4, side=64).eval()
    assert network.seen_size(480, 960) == (32, 64)
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 50, 90)).shape == (1, 4, 50, 90)
        pixels = torch.rand(1, 3, 32, 64)
        large = pixels.repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)
        torch.testing.assert_close(network(large)[..., 2::4, 2::4], network(pixels), atol=0.15, rtol=0.1)


def test_nothing_to_learn_from_is_an_error(samples: list[Sample]) -> None:
    with pytest.raises(EmptyResultError, match="mask or points"):
        TrainParts(**QUICK)([Sample("a", samples[0].image_path)])
    with pytest.raises(ValueError, match="side is 0"):
        TrainParts(side=0)
    with pytest.raises(ValueError, match=r"learning_rate is -1\.0"):
        TrainParts(learning_rate=-1.0)
    with pytest.raises(ValueError, match="colour is -1"):
        TrainParts(colour=-1)
