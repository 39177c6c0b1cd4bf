"""Taggers: features as transformers gives them, folders as published, a head that learns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from maskwright.errors import FormatError, InputError, UnknownNameError  # noqa: E402
from maskwright.models.feature_cache import FeatureCache, array_hash  # noqa: E402
from maskwright.models.tagger import Backbone, Tagger, load_backbone, read_tagger, tag_head  # noqa: E402
from maskwright.training.tag_views import View  # noqa: E402
from maskwright.training.tags import HeadPlan, teach_head  # noqa: E402
from tests.models.tiny_dinov2 import SIZE, save_tiny_dinov2  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_dinov2(tmp_path_factory.mktemp("dinov2"))


def pictures(count: int = 3) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (40, 70, 3), dtype=np.uint8) for _ in range(count)]


def test_features_are_those_of_transformers_classifier(folder: Path) -> None:
    backbone = load_backbone(str(folder), "cpu", "float32", size=SIZE)
    classifier = transformers.Dinov2ForImageClassification.from_pretrained(folder, num_labels=3).eval()
    seen: list[Any] = []
    classifier.classifier.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    processor = transformers.BitImageProcessor(
        size={"height": SIZE, "width": SIZE}, do_center_crop=False, resample=2,
        image_mean=list(backbone.preparation.mean), image_std=list(backbone.preparation.std),
    )  # fmt: skip
    with torch.inference_mode():
        classifier(**processor(pictures(), return_tensors="pt"))
    assert np.abs(backbone.features(pictures(), batch=2) - seen[0].numpy()).max() < 1e-4
    assert np.ptp(seen[0].numpy()) > 0.1


def test_a_picture_is_looked_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = load_backbone(str(folder), "cpu", "float32", size=SIZE)
    looks: list[int] = []
    look = type(backbone)._look
    monkeypatch.setattr(type(backbone), "_look", lambda self, given: looks.append(len(given)) or look(self, given))
    backbone.features(pictures(2))
    backbone.features(pictures(3))
    assert looks == [2, 1]
    assert backbone.features([]).shape == (0, 32)


def test_views_are_looked_at_once_too_and_only_where_they_are_not_there(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    look = Backbone._look
    monkeypatch.setattr(Backbone, "_look", lambda self, given: looks.append(len(given)) or look(self, given))

    def seen(view: View | None) -> np.ndarray:
        cache = FeatureCache(folder=tmp_path / "kept")
        return load_backbone(str(folder), "cpu", "float32", size=SIZE, cache=cache).features(pictures(3), view=view)

    plain, first, second = seen(None), seen(View(0)), seen(View(1))
    assert looks == [3, 3, 3]
    np.testing.assert_array_equal(seen(View(0)), first)
    np.testing.assert_array_equal(seen(None), plain)
    assert looks == [3, 3, 3], "the folder has them all"
    seen(View(0, random_state=5))
    assert looks[3:] == [3], "another seed, other looks"
    many = np.stack([plain, first, second, *(seen(View(n)) for n in range(2, 8))])
    assert (many[1:] != plain).any(axis=(1, 2)).sum() >= 5
    by_hand = load_backbone(str(folder), "cpu", "float32", size=SIZE)
    varied = [View(1)(by_hand.preparation.square(each), array_hash(each)) for each in pictures(3)]
    np.testing.assert_allclose(by_hand.features(varied), second, atol=1e-5)


def some_tagger(folder: Path) -> Tagger:
    backbone = load_backbone(str(folder), "cpu", "float32", size=SIZE)
    torch.manual_seed(0)
    head = tag_head(32, 16, 3)
    head[2].running_mean.normal_()
    return Tagger(backbone, head, ("Sand", "Acropore_branched", "Atra/Leucospilota"), (0.548, 0.351, 0.586))


def test_a_folder_gives_back_what_was_saved(folder: Path, tmp_path: Path) -> None:
    tagger = some_tagger(folder)
    tagger.save(tmp_path)
    again = read_tagger(tmp_path, "cpu", "float32")
    np.testing.assert_array_equal(again(pictures()), tagger(pictures()))
    assert (again.tags, again.thresholds) == (tagger.tags, tagger.thresholds)
    assert json.loads((tmp_path / "threshold.json").read_text()) == dict(
        zip(tagger.tags, tagger.thresholds, strict=True)
    )
    assert "0.548" in (tmp_path / "README.md").read_text()
    yes = again.present(np.array([[0.548, 0.3511, 0.6]], np.float32))
    assert yes.tolist() == [[False, True, True]], "above the threshold, not on it"


def test_a_folder_as_dinovdeau_was_published_is_read(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    tagger = some_tagger(folder)
    tagger.save(tmp_path)
    keys = set(load_file(tmp_path / "model.safetensors"))
    for layer in (0, 2, 4, 6, 8):
        assert f"classifier.{layer}.weight" in keys
    assert {"classifier.2.running_mean", "dinov2.embeddings.cls_token"} <= keys
    for ours in ("model.json", "README.md"):
        (tmp_path / ours).unlink()
    (tmp_path / "preprocessor_config.json").write_text(
        json.dumps({"size": {"height": SIZE, "width": SIZE}, "image_mean": [0.485, 0.456, 0.406], "resample": 2})
    )
    published = read_tagger(tmp_path, "cpu", "float32")
    assert published.tags == tagger.tags
    np.testing.assert_array_equal(published(pictures()), tagger(pictures()))
    (tmp_path / "threshold.json").write_text('{"Sand": 0.5}')
    assert read_tagger(tmp_path, "cpu").thresholds == (0.5, 0.5, 0.5)


def test_what_is_no_tagger_is_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="is no whole tagger"):
        read_tagger(folder)
    with pytest.raises(UnknownNameError, match="did you mean 'dinov2-base'"):
        load_backbone("dinov2-bas")
    with pytest.raises(InputError, match="multiple of 14"):
        load_backbone(str(folder), size=50)
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(FormatError, match="is of a vit"):
        load_backbone(str(tmp_path), size=SIZE)


def learnable() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    features = random.normal(size=(600, 32)).astype(np.float32)
    truth = (features[:, :3] > 0.3).astype(np.float32)
    truth[random.random(truth.shape) < 0.2] = np.nan
    return features, truth, np.arange(600) % 4 == 0


def test_a_head_learns_and_does_so_the_same_way_twice() -> None:
    features, truth, held_out = learnable()
    heads = []
    for _ in range(2):
        torch.manual_seed(1)
        heads.append(tag_head(32, 32, 3))
        history = teach_head(heads[-1], features, truth, held_out, HeadPlan(epochs=40))
    assert min(each["held_out_loss"] for each in history) < 0.7 * history[0]["held_out_loss"]
    with torch.inference_mode():
        logits = [each(torch.from_numpy(features)) for each in heads]
    assert torch.equal(*logits)
    known = held_out[:, None] & ~np.isnan(truth)
    assert ((logits[0].numpy() > 0) == (truth == 1))[known].mean() > 0.8


def test_each_epoch_learns_from_one_look_at_each_picture_and_never_reads_held_out_views() -> None:
    features, truth, held_out = learnable()
    views = np.stack([features] * 3, axis=1)
    views[held_out] = np.nan
    seen: list[np.ndarray] = []
    head = tag_head(32, 32, 3)
    head.register_forward_pre_hook(lambda module, given: seen.append(given[0].numpy()) if module.training else None)
    marked = views + np.arange(1, 4, dtype=np.float32)[None, :, None] * 100
    teach_head(head, features, truth, held_out, HeadPlan(epochs=1), views=marked)
    shown = np.concatenate(seen)
    assert len(shown) == (~held_out).sum(), "one look at each"
    of = np.rint(shown.mean(axis=1) / 100).astype(int)
    assert np.bincount(of, minlength=4) == pytest.approx(np.full(4, len(shown) / 4), abs=40)
    torch.manual_seed(1)
    better = tag_head(32, 32, 3)
    blind = np.zeros_like(features)
    blind[held_out] = features[held_out]
    history = teach_head(better, blind, truth, held_out, HeadPlan(epochs=40), views=views)
    assert min(each["held_out_loss"] for each in history) < 0.75 * history[0]["held_out_loss"], "views teach"


def test_probabilities_are_learned_as_they_are() -> None:
    random = np.random.default_rng(2)
    features = random.normal(size=(900, 16)).astype(np.float32)
    likely = 1 / (1 + np.exp(-1.5 * features[:, :2])).astype(np.float32)
    truth = likely.copy()
    truth[random.random(truth.shape) < 0.3] = np.nan
    torch.manual_seed(1)
    head = tag_head(16, 32, 2)
    held_out = np.arange(900) % 3 == 0
    teach_head(head, features, truth, held_out, HeadPlan(epochs=60))
    with torch.inference_mode():
        found = torch.sigmoid(head(torch.from_numpy(features[held_out]))).numpy()
    wanted = likely[held_out]
    assert np.abs(found - wanted).mean() < 0.09 < 0.15 < np.abs(wanted - wanted.mean(axis=0)).mean()
    torch.manual_seed(1)
    rounded = tag_head(16, 32, 2)
    teach_head(
        rounded,
        features,
        np.where(np.isnan(truth), np.nan, truth > 0.5).astype(np.float32),
        held_out,
        HeadPlan(epochs=60),
    )
    with torch.inference_mode():
        sure = torch.sigmoid(rounded(torch.from_numpy(features[held_out]))).numpy()
    assert np.abs(found - wanted).mean() < np.abs(sure - wanted).mean() - 0.05, "yes and no would lose the shares"


def test_the_best_epoch_is_kept_and_learning_ends() -> None:
    features, truth, held_out = learnable()
    truth[held_out] = 1 - truth[held_out]  # the better it learns, the worse it is judged
    head = tag_head(32, 32, 3)
    history = teach_head(head, features, truth, held_out, HeadPlan(epochs=60, patience=4))
    held = [each["held_out_loss"] for each in history]
    assert len(history) == int(np.argmin(held)) + 1 + 4
    with torch.inference_mode():
        logits = head(torch.from_numpy(features[held_out]))
    wanted = torch.from_numpy(truth[held_out])
    each = torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted.nan_to_num(), reduction="none")
    assert float(each[~wanted.isnan()].mean()) == pytest.approx(min(held), rel=1e-5)
