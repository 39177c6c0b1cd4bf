"""Refinement by prompts: with stand-ins whose answers are known, and with a real network of few random weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import PIL.Image
import pytest
from scipy import ndimage

torch = pytest.importorskip("torch")

from maskwright.arrays.recompose import overlap  # noqa: E402
from maskwright.contracts import check_refiner  # noqa: E402
from maskwright.errors import GridError, InputError, UnknownNameError  # noqa: E402
from maskwright.methods.catalogue import make_method, setting_problems  # noqa: E402
from maskwright.methods.refine_with_sam import RefineWithSam  # noqa: E402
from maskwright.models.lookup import file_hash  # noqa: E402
from maskwright.models.sam import NO_POINT  # noqa: E402
from maskwright.types import UNKNOWN, Image, Mask  # noqa: E402
from tests.models.tiny_sam import save_tiny  # noqa: E402

NAMES = ("sand", "coral", "rock")


@dataclass
class StandIn:
    """Answers every prompt by `answer(pixels, inside point, prompt mask)` and keeps what it was asked."""

    answer: Callable[[np.ndarray, tuple[int, int], np.ndarray], np.ndarray]
    asked: list[dict[str, Any]] = field(default_factory=list)
    looks: int = 0
    sha256: str = "stand-in"
    precision: str = "float32"
    mask_size: int = 64

    def embed(self, pixels: np.ndarray) -> Any:
        self.looks += 1
        return SimpleNamespace(pixels=pixels, resized=pixels.shape[:2], canvas=max(pixels.shape[:2]))

    def best_masks(self, seen: Any, **prompts: Any) -> Any:
        self.asked.append(prompts)
        regions = [
            self.answer(seen.pixels, tuple(points[0]), mask)
            for points, mask in zip(prompts["points"], prompts["mask_inputs"], strict=True)
        ]
        return SimpleNamespace(logits=np.where(regions, np.float32(8), np.float32(-8)))


def same_colour(pixels: np.ndarray, inside: tuple[int, int], _: np.ndarray) -> np.ndarray:
    """The connected region of the colour under the point: what a good network does on a clean picture."""
    alike = (np.abs(pixels.astype(int) - pixels[inside].astype(int)) < 40).all(axis=2)
    return ndimage.label(alike)[0] == ndimage.label(alike)[0][inside]


def prompted(pixels: np.ndarray, _: tuple[int, int], mask: np.ndarray) -> np.ndarray:
    """The region as it was prompted, read back off the soft mask of a square canvas."""
    side = max(pixels.shape[:2])
    rows, cols = np.indices(pixels.shape[:2]) * mask.shape[0] // side
    return mask[rows, cols] > 0


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], StandIn]:
    def put(answer: Any) -> StandIn:
        stand_in = StandIn(answer)
        monkeypatch.setattr("maskwright.models.sam.load_sam", lambda *_: stand_in)
        return stand_in

    return put


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def scene() -> tuple[Image, np.ndarray]:
    """48 x 96: two corals and a rock on sand."""
    truth = np.zeros((48, 96), np.uint8)
    truth[8:24, 10:30] = truth[30:42, 34:60] = 1
    truth[10:36, 70:90] = 2
    colours = np.array([[40, 60, 80], [200, 90, 60], [120, 180, 120]], np.uint8)
    return Image(colours[truth]), truth


def rough(truth: np.ndarray) -> np.ndarray:
    """The truth on a grid six times as coarse, shifted by two pixels."""
    coarse = truth[3::6, 3::6].repeat(6, axis=0).repeat(6, axis=1)
    return np.roll(coarse, 2, axis=1)


def test_a_rough_mask_becomes_the_truth(use: Any) -> None:
    image, truth = scene()
    stand_in = use(same_colour)
    start = rough(truth)
    mask = RefineWithSam(classes=("coral", "rock"))(image, Mask(start, NAMES))
    assert (start == truth).mean() < 0.95
    np.testing.assert_array_equal(mask.class_ids, truth)
    assert stand_in.looks == 1, "one look at the picture for all prompts"
    assert [len(each["points"]) for each in stand_in.asked] == [2, 2, 1, 1], "then nothing moves and nobody asks"
    assert mask.history[-1].name == "refine_with_sam"
    assert mask.history[-1].weights == "stand-in"
    assert mask.history[-1].settings["precision"] == "float32"


def test_an_answer_that_repeats_the_question_changes_nothing(use: Any) -> None:
    use(prompted)
    image, truth = scene()
    mask = RefineWithSam(classes=("coral",), min_area_px=1)(image, Mask(truth, NAMES))
    assert (mask.class_ids != truth).mean() < 0.02, "the prompt has 64 pixels for 96"
    np.testing.assert_array_equal(mask.class_ids == 2, truth == 2)


def test_growing_takes_and_shrinking_gives_to_the_nearest(use: Any) -> None:
    image, truth = scene()
    grown = ndimage.binary_dilation(truth == 1)
    use(lambda *_: grown)
    mask = RefineWithSam(classes=("coral",), split=False, rounds=1)(image, Mask(truth, NAMES))
    np.testing.assert_array_equal(mask.class_ids == 1, grown)
    np.testing.assert_array_equal(mask.class_ids[~grown], truth[~grown])
    shrunk = ndimage.binary_erosion(truth == 1)
    use(lambda *_: shrunk)
    mask = RefineWithSam(classes=("coral",), split=False, rounds=1)(image, Mask(truth, NAMES))
    np.testing.assert_array_equal(mask.class_ids == 1, shrunk)
    assert (mask.class_ids[(truth == 1) & ~shrunk] == 0).all(), "sand is nearer than rock"


def test_what_makes_no_sense_is_not_asked(use: Any) -> None:
    image, truth = scene()
    stand_in = use(same_colour)
    full = Mask(np.ones_like(truth), NAMES)
    for settings in ({}, {"classes": ("rock",)}, {"classes": ("coral", "sand")}):
        np.testing.assert_array_equal(RefineWithSam(**settings)(image, full).class_ids, full.class_ids)
    unknown = Mask(np.full_like(truth, UNKNOWN), NAMES)
    np.testing.assert_array_equal(RefineWithSam()(image, unknown).class_ids, unknown.class_ids)
    specks = np.zeros_like(truth)
    specks[3, 4:8] = 1
    np.testing.assert_array_equal(RefineWithSam(classes=("coral",))(image, Mask(specks, NAMES)).class_ids, specks)
    assert (stand_in.asked, stand_in.looks) == ([], 0)


def test_an_answer_far_from_the_question_is_refused(use: Any) -> None:
    image, truth = scene()
    elsewhere = np.zeros(truth.shape, bool)
    elsewhere[:, :5] = True
    use(lambda *_: elsewhere)
    confidence = np.full(truth.shape, 0.625, np.float32)
    kept = RefineWithSam(classes=("coral",))(image, Mask(truth, NAMES, confidence=confidence))
    np.testing.assert_array_equal(kept.class_ids, truth)
    assert kept.confidence is not None
    assert (kept.confidence[truth == 1] == 0.625).all(), "nothing was learnt about it"
    taken = RefineWithSam(classes=("coral",), min_overlap=0)(image, Mask(truth, NAMES))
    np.testing.assert_array_equal(taken.class_ids == 1, elsewhere)


def test_the_first_class_or_the_surest_has_the_overlap(use: Any) -> None:
    image, truth = scene()
    stand_in = use(same_colour)
    everything = np.zeros(truth.shape, bool)
    everything[5:44, 20:90] = True

    def answer(seen: Any, **prompts: Any) -> Any:
        is_coral = [truth[tuple(each[0])] == 1 for each in prompts["points"]]
        return SimpleNamespace(
            logits=np.stack([np.where(everything, np.float32(2 if each else 4), -9) for each in is_coral])
        )

    stand_in.best_masks = answer  # type: ignore[method-assign]
    settings: dict[str, Any] = {"min_overlap": 0, "rounds": 1}
    first = RefineWithSam(classes=("coral", "rock"), **settings)(image, Mask(truth, NAMES))
    assert (first.class_ids[everything] == 1).all()
    surest = RefineWithSam(classes=("coral", "rock"), contest="score", **settings)(image, Mask(truth, NAMES))
    assert (surest.class_ids[everything] == 2).all()
    assert surest.confidence is not None
    assert surest.confidence[everything].min() == pytest.approx(1 / (1 + np.exp(-4)))
    smallest_first = RefineWithSam(**settings)(image, Mask(truth, NAMES))
    assert (truth == 2).sum() < (truth == 1).sum()
    assert (smallest_first.class_ids[everything] == 2).all()


def test_pixels_without_data_stay_unknown_and_are_no_one_s_outside(use: Any) -> None:
    image, truth = scene()
    valid = np.ones(truth.shape, bool)
    valid[:, :14] = False
    stand_in = use(same_colour)
    mask = RefineWithSam(classes=("coral",))(Image(np.asarray(image.pixels), valid=valid), Mask(truth, NAMES))
    assert (mask.class_ids[~valid] == UNKNOWN).all()
    np.testing.assert_array_equal(mask.class_ids[valid], truth[valid])
    assert mask.confidence is not None
    assert (mask.confidence[~valid] == 0).all()
    for each in stand_in.asked:
        for (inside, outside), (_, says) in zip(each["points"], each["labels"], strict=True):
            assert valid[inside]
            assert valid[outside] or says == NO_POINT


def test_no_point_falls_where_there_is_no_data(use: Any) -> None:
    ids, valid = np.zeros((12, 16), np.uint8), np.ones((12, 16), bool)
    ids[2:10, 3:7] = ids[7:10, 3:13] = 1
    valid[2:5, 8:13] = False  # the farthest corner of the box among it
    stand_in = use(same_colour)
    image = Image(np.where(ids[..., None] == 1, 200, 40).astype(np.uint8).repeat(3, axis=2), valid=valid)
    RefineWithSam(classes=("coral",))(image, Mask(ids, NAMES))
    ((_, outside),) = stand_in.asked[0]["points"]
    assert valid[outside]
    assert ids[outside] == 0


def test_windows_give_what_one_look_gives(use: Any) -> None:
    image, truth = scene()
    use(same_colour)
    start = rough(truth)
    mask = RefineWithSam(classes=("coral", "rock"), window_px=64, window_overlap_px=24, min_overlap=0.2)(
        image, Mask(start, NAMES)
    )
    assert (mask.class_ids == truth).mean() > 0.97
    assert (mask.class_ids == truth).mean() > (start == truth).mean() + 0.03


def test_legacy_asks_as_published_and_takes_every_answer(use: Any) -> None:
    pixels = np.zeros((12, 16, 3), np.uint8)
    ids = np.zeros((12, 16), np.uint8)
    ids[2:10, 3:7] = ids[7:10, 3:13] = 1
    nothing = np.zeros(ids.shape, bool)
    stand_in = use(lambda *_: nothing)
    mask = RefineWithSam(classes=("coral",), mode="legacy")(Image(pixels), Mask(ids, NAMES))
    first, second = stand_in.asked[:2]
    assert first["points"] == [[(7, 5), (2, 11)]]
    assert [tuple(each) for each in first["boxes"]] == [(2, 3, 10, 13)]
    assert second["points"] == [[(0, 0), (0, 0)]], "an empty mask collapses to the corner"
    assert (mask.class_ids == 0).all(), "and its emptiness is believed"


def test_a_box_grows_only_where_it_may(use: Any) -> None:
    image, truth = scene()
    stand_in = use(same_colour)
    feature = np.stack([truth == 1, truth != 1]).astype(np.float32)[:, ::2, ::2]
    embed = stand_in.embed

    def with_features(pixels: np.ndarray) -> Any:
        seen = embed(pixels)
        seen.features = feature
        return seen

    stand_in.embed = with_features  # type: ignore[method-assign]
    small = np.zeros_like(truth)
    small[30:42, 34:54] = 1
    RefineWithSam(classes=("coral",), margin=0.5, rounds=1)(image, Mask(small, NAMES))
    RefineWithSam(classes=("coral",), rounds=1)(image, Mask(small, NAMES))
    grown, plain = stand_in.asked
    assert tuple(grown["boxes"][0]) == (30, 34, 42, 56)
    assert tuple(plain["boxes"][0]) == (30, 34, 42, 54)
    assert grown["mask_inputs"].max() <= 1 < plain["mask_inputs"].max()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny("sam", tmp_path_factory.mktemp("sam"))


def test_a_real_network_keeps_the_promises(tiny: Path) -> None:
    check_refiner(RefineWithSam(model=str(tiny), device="cpu", precision="float32", min_overlap=0.0))


@pytest.mark.parametrize("family", ["sam", "sam2", "edgetam"])
def test_every_family_answers(family: str, tmp_path: Path) -> None:
    folder = save_tiny(family, tmp_path)
    image, truth = scene()
    pixels = np.asarray(image.pixels)
    refine = RefineWithSam(model=str(folder), device="cpu", precision="float32", min_overlap=0.0, rounds=2)
    mask = refine(image, Mask(truth, NAMES))
    again = refine(Image(pixels.astype(np.uint16) * 257), Mask(truth, NAMES))
    np.testing.assert_array_equal(mask.class_ids, again.class_ids)
    assert mask.confidence is not None
    assert 0 <= mask.confidence.min() <= mask.confidence.max() <= 1
    assert overlap(mask.class_ids == 1, truth == 1) < 1, "random weights know no outlines"
    grey = refine(Image(pixels[..., :1]), Mask(truth, NAMES))
    assert grey.class_ids.shape == truth.shape


def test_settings_are_checked_at_the_door(use: Any) -> None:
    assert make_method("refine_with_sam", {"classes": ["coral"]}).classes == ("coral",)
    for settings, text in (
        ({"rounds": 0}, "rounds is 0; expected 1 or more"),
        ({"min_overlap": 2}, "expected a fraction"),
        ({"gamma": 0}, "expected a number above 0"),
        ({"window_overlap_px": 2000}, "less than window_px"),
        ({"mode": "bold"}, "refine_with_sam.mode is 'bold'"),
    ):
        assert text in setting_problems("refine_with_sam", settings)[0]
    use(same_colour)
    image, truth = scene()
    with pytest.raises(UnknownNameError, match="did you mean 'coral'"):
        RefineWithSam(classes=("corl",))(image, Mask(truth, NAMES))
    with pytest.raises(GridError, match="1 x 1 pixels and the mask 48 x 96"):
        RefineWithSam()(Image(np.zeros((1, 1, 3), np.uint8)), Mask(truth, NAMES))
    with pytest.raises(InputError, match="batch is 0"):
        RefineWithSam(batch=0)


def test_from_file_to_file_with_a_story(tiny: Path, tmp_path: Path) -> None:
    from maskwright.cli.main import main
    from maskwright.io.classes import Classes, write_classes
    from maskwright.io.masks import read_mask, write_mask

    image, truth = scene()
    pictures, masks, out = tmp_path / "pics", tmp_path / "rough", tmp_path / "crisp"
    pictures.mkdir()
    PIL.Image.fromarray(np.asarray(image.pixels)).save(pictures / "reef.png")
    write_mask(masks / "reef.png", Mask(truth, NAMES))
    write_classes(masks / "classes.yaml", Classes(NAMES))
    call = ["refine", "refine_with_sam", str(pictures), "--masks", str(masks), "--out", str(out), "--quiet"]
    settings = [f"model={tiny}", "classes=[coral, rock]", "min_overlap=0.0", "precision=float32", "device=cpu"]
    for each in settings:
        call += ["--set", each]
    assert main(call) == 0
    refined = read_mask(out / "reef.png")
    assert refined.history[-1].name == "refine_with_sam"
    assert refined.history[-1].weights == file_hash(tiny / "model.safetensors")
    direct = RefineWithSam(
        model=str(tiny), classes=("coral", "rock"), min_overlap=0.0, precision="float32", device="cpu"
    )(image, Mask(truth, NAMES))
    np.testing.assert_array_equal(refined.class_ids, direct.class_ids)
    assert not np.array_equal(direct.class_ids, truth)


def test_missing_weights_are_told_once_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from maskwright.cli.main import main
    from maskwright.io.masks import write_mask

    monkeypatch.setenv("MASKWRIGHT_MODELS", str(tmp_path / "nowhere"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "nowhere"))
    image, truth = scene()
    (tmp_path / "pics").mkdir()
    PIL.Image.fromarray(np.asarray(image.pixels)).save(tmp_path / "pics" / "reef.png")
    write_mask(tmp_path / "rough" / "reef.png", Mask(truth, NAMES))
    call = ["refine", "refine_with_sam", str(tmp_path / "pics"), "--masks", str(tmp_path / "rough")]
    call += ["--out", str(tmp_path / "crisp")]
    for model, text in (
        ("sam2.1-hiera-tiny", "hf download facebook/sam2.1-hiera-tiny"),
        ("weights/no", "is not there"),
    ):
        assert main([*call, "--set", f"model={model}"]) == 2
        assert text in capsys.readouterr().err
    assert not (tmp_path / "crisp").exists()
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "images: pics\nmasks: rough\nrefine: [{method: refine_with_sam, settings: {model: sam-vit-huge}}]\n"
    )
    assert main(["check", str(recipe)]) == 2
    assert "no weights of sam-vit-huge" in capsys.readouterr().out
