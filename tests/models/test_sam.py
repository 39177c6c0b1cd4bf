"""SAM, SAM 2 and EdgeTAM: the same numbers as transformers' own way, in batches, from caches, from any file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from maskwright.errors import FormatError, InputError, UnknownNameError  # noqa: E402
from maskwright.models.feature_cache import FeatureCache  # noqa: E402
from maskwright.models.sam import INSIDE, NO_POINT, OUTSIDE, Sam, load_sam  # noqa: E402
from tests.models.tiny_sam import CANVAS, MAKERS, save_tiny, tiny_sam  # noqa: E402

FAMILIES = sorted(MAKERS)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {family: save_tiny(family, tmp_path_factory.mktemp(family)) for family in FAMILIES}


def picture(height: int = 50, width: int = 90, *, random_state: int = 0) -> np.ndarray:
    coarse = np.random.default_rng(random_state).integers(0, 256, (5, 9, 3), dtype=np.uint8)
    rows, cols = np.arange(height) * 5 // height, np.arange(width) * 9 // width
    return np.ascontiguousarray(coarse[rows][:, cols])


PROMPTS: dict[str, Any] = {
    "points": np.array([[[10, 20], [30, 70]], [[40, 5], [2, 80]], [[25, 45], [0, 0]]]),
    "labels": np.array([[INSIDE, OUTSIDE], [INSIDE, OUTSIDE], [INSIDE, NO_POINT]]),
    "boxes": np.array([[5, 10, 30, 60], [20, 0, 50, 40], [0, 0, 50, 90]]),
}


def theirs(family: str, folder: Path, pixels: np.ndarray, mask_inputs: np.ndarray | None) -> tuple[Any, Any]:
    """Masks and quality by transformers' own processor and model, a prompt at a time."""
    name = {"sam": "SamModel", "sam2": "Sam2Model", "edgetam": "EdgeTamModel"}[family]
    model = getattr(transformers, name).from_pretrained(folder).eval()
    if family == "sam":
        processor = transformers.SamProcessor(
            transformers.SamImageProcessor(size={"longest_edge": CANVAS}, pad_size={"height": CANVAS, "width": CANVAS})
        )
    else:
        processor = transformers.Sam2Processor(
            transformers.Sam2ImageProcessor(size={"height": CANVAS, "width": CANVAS})
        )
    masks, quality = [], []
    for index in range(3):
        top, left, bottom, right = PROMPTS["boxes"][index].tolist()
        given = processor(
            pixels,
            input_points=[[[each[::-1] for each in PROMPTS["points"][index].tolist()]]],
            input_labels=[[PROMPTS["labels"][index].tolist()]],
            input_boxes=[[[left, top, right - 1, bottom - 1]]],
            return_tensors="pt",
        )
        extra = {} if mask_inputs is None else {"input_masks": torch.from_numpy(mask_inputs[index])[None, None]}
        sizes = {"original_sizes": given.pop("original_sizes")}
        if family == "sam":
            sizes["reshaped_input_sizes"] = given.pop("reshaped_input_sizes")
        with torch.inference_mode():
            said = model(**given, **extra, multimask_output=True)
        whole = processor.image_processor.post_process_masks(said.pred_masks, **sizes, binarize=False)
        masks.append(whole[0][0].numpy())
        quality.append(said.iou_scores[0, 0].numpy())
    return np.stack(masks), np.stack(quality)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("with_masks", [False, True])
def test_logits_are_those_of_transformers(family: str, with_masks: bool, folders: dict[str, Path]) -> None:
    sam = load_sam(str(folders[family]), "cpu", "float32")
    pixels = picture()
    mask_inputs = None
    if with_masks:
        mask_inputs = np.random.default_rng(1).normal(size=(3, sam.mask_size, sam.mask_size)).astype(np.float32) * 10
    logits, quality = sam.masks(sam.embed(pixels), **PROMPTS, mask_inputs=mask_inputs, batch=2)
    expected, expected_quality = theirs(family, folders[family], pixels, mask_inputs)
    assert logits.shape == (3, 3, 50, 90)
    assert np.ptp(expected) > 0.05, "a network that always says the same would prove nothing"
    assert np.abs(expected[0] - expected[1]).max() > 10 * 1e-4
    assert np.abs(logits - expected).max() < 1e-4
    assert np.abs(quality - expected_quality).max() < 1e-4


@pytest.mark.parametrize("family", FAMILIES)
def test_batches_change_nothing(family: str, folders: dict[str, Path]) -> None:
    sam = load_sam(str(folders[family]), "cpu", "float32")
    seen = sam.embed(picture())
    together, one_by_one = sam.masks(seen, **PROMPTS), sam.masks(seen, **PROMPTS, batch=1)
    np.testing.assert_allclose(together.logits, one_by_one.logits, atol=1e-4)
    pictures = [picture(random_state=1), picture(31, 40, random_state=2), picture(random_state=3)]
    fresh = Sam(sam.network, sam.family, sam.sha256, cache=FeatureCache(0))
    for whole, alone in zip(fresh.embed_all(pictures, batch=2), map(fresh.embed, pictures), strict=True):
        assert whole.shape == alone.shape
        for here, there in zip(whole.maps, alone.maps, strict=True):
            np.testing.assert_allclose(here, there, atol=1e-4)


def test_the_best_mask_is_the_one_that_says_so(folders: dict[str, Path]) -> None:
    sam = load_sam(str(folders["sam"]), "cpu", "float32")
    seen = sam.embed(picture())
    every, best = sam.masks(seen, **PROMPTS), sam.best_masks(seen, **PROMPTS)
    chosen = every.quality.argmax(axis=1)
    np.testing.assert_allclose(best.logits, every.logits[np.arange(3), chosen], atol=1e-6)
    np.testing.assert_array_equal(best.quality, every.quality.max(axis=1))


def test_a_picture_is_looked_at_once(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = load_sam(str(folders["sam"]), "cpu", "float32")
    sam = Sam(loaded.network, "sam", loaded.sha256)
    looks: list[int] = []
    encode = Sam._encode
    monkeypatch.setattr(Sam, "_encode", lambda self, given: looks.append(len(given)) or encode(self, given))
    first, again = sam.embed(picture()), sam.embed(picture())
    sam.embed_all([picture(), picture(random_state=5)])
    assert looks == [1, 1]
    np.testing.assert_array_equal(first.maps[0], again.maps[0])
    other_weights = Sam(loaded.network, "sam", "other", cache=sam.cache)
    other_weights.embed(picture())
    other_colours = Sam(loaded.network, "sam", loaded.sha256, mean=(0.5, 0.5, 0.5), cache=sam.cache)
    other_colours.embed(picture())
    assert looks == [1, 1, 1, 1], "other weights or another preparation must not be given these features"


def test_features_cover_the_picture(folders: dict[str, Path]) -> None:
    seen = load_sam(str(folders["sam"]), "cpu", "float32").embed(picture())
    assert seen.resized == (71, 128)
    assert seen.features.shape == (16, 5, 8)


def test_half_precision_agrees_roughly(folders: dict[str, Path]) -> None:
    full = load_sam(str(folders["sam"]), "cpu", "float32")
    half = Sam(full.network, "sam", full.sha256, precision="bfloat16")
    one, other = (each.masks(each.embed(picture()), **PROMPTS).logits for each in (full, half))
    assert not np.array_equal(one, other)
    assert np.abs(one - other).max() < 0.1 * np.ptp(one)


def test_a_checkpoint_of_the_first_publication_gives_the_same(folders: dict[str, Path], tmp_path: Path) -> None:
    state = tiny_sam().state_dict()
    torch.save(_as_first_published(state), tmp_path / "sam_vit_tiny.pth")
    mine, saved = (
        load_sam(str(tmp_path / "sam_vit_tiny.pth"), "cpu", "float32"),
        load_sam(str(folders["sam"]), "cpu", "float32"),
    )
    one, other = (each.masks(each.embed(picture()), **PROMPTS).logits for each in (mine, saved))
    np.testing.assert_array_equal(one, other)


def _as_first_published(state: dict[str, Any]) -> dict[str, Any]:
    """The names of the first publication, written down from its list of weights, other way round than the reader's."""
    words = {
        "vision_encoder.patch_embed.projection": "image_encoder.patch_embed.proj",
        "vision_encoder.layers": "image_encoder.blocks",
        "vision_encoder.neck.conv1": "image_encoder.neck.0",
        "vision_encoder.neck.layer_norm1": "image_encoder.neck.1",
        "vision_encoder.neck.conv2": "image_encoder.neck.2",
        "vision_encoder.neck.layer_norm2": "image_encoder.neck.3",
        "vision_encoder.pos_embed": "image_encoder.pos_embed",
        "prompt_encoder.mask_embed.conv1": "prompt_encoder.mask_downscaling.0",
        "prompt_encoder.mask_embed.layer_norm1": "prompt_encoder.mask_downscaling.1",
        "prompt_encoder.mask_embed.conv2": "prompt_encoder.mask_downscaling.3",
        "prompt_encoder.mask_embed.layer_norm2": "prompt_encoder.mask_downscaling.4",
        "prompt_encoder.mask_embed.conv3": "prompt_encoder.mask_downscaling.6",
        "prompt_encoder.point_embed": "prompt_encoder.point_embeddings",
        "mask_decoder.upscale_conv1": "mask_decoder.output_upscaling.0",
        "mask_decoder.upscale_layer_norm": "mask_decoder.output_upscaling.1",
        "mask_decoder.upscale_conv2": "mask_decoder.output_upscaling.3",
    }
    told = {}
    for key, value in state.items():
        if key.endswith("positional_embedding"):
            told["prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"] = value
            continue
        for ours, first in words.items():
            if key.startswith(ours + "."):
                key = first + key[len(ours) :]
            elif key == ours:
                key = first
        if "mlps" in key or "prediction_head" in key:  # transformers counts from the second, the first publication all
            key = key.replace(".layers.0", ".layers.1").replace("proj_in", "layers.0").replace("proj_out", "layers.2")
        told[re.sub(r"layer_norm(\d|_final_attn)", r"norm\1", key)] = value
    return told


def test_weights_that_are_not_all_there_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    for each in folders["sam"].iterdir():
        (tmp_path / each.name).write_bytes(each.read_bytes())
    state = load_file(tmp_path / "model.safetensors")
    del state["mask_decoder.iou_token.weight"]
    save_file(state, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(FormatError, match="iou_token"):
        load_sam(str(tmp_path))


def test_replaced_weights_are_read_again(tmp_path: Path) -> None:
    first = load_sam(str(save_tiny("sam", tmp_path)), "cpu", "float32")
    assert load_sam(str(tmp_path), "cpu", "float32") is first
    model = tiny_sam()
    model.mask_decoder.iou_token.weight.data += 1
    model.save_pretrained(tmp_path)
    assert load_sam(str(tmp_path), "cpu", "float32").sha256 != first.sha256


def test_what_is_no_sam_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'sam-vit-base'"):
        load_sam("sam-vit-bas")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(FormatError, match="is of a bert; expected sam or sam2"):
        load_sam(str(tmp_path))
    (tmp_path / "config.json").write_text('{"model_type": "sam"}')
    with pytest.raises(InputError, match="holds no weights"):
        load_sam(str(tmp_path))
    (tmp_path / "junk.pth").write_bytes(b"junk")
    with pytest.raises(FormatError, match="no checkpoint of weights"):
        load_sam(str(tmp_path / "junk.pth"))
    torch.save({"one": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(FormatError, match="is no whole SAM"):
        load_sam(str(tmp_path / "other.pth"))


def test_prompts_that_do_not_fit_together_are_refused(folders: dict[str, Path]) -> None:
    sam = load_sam(str(folders["sam"]), "cpu", "float32")
    seen = sam.embed(picture())
    with pytest.raises(ValueError, match="equally many"):
        sam.masks(seen, points=PROMPTS["points"], boxes=PROMPTS["boxes"][:2])
    with pytest.raises(ValueError, match="at least one"):
        sam.masks(seen)
    with pytest.raises(ValueError, match="uint8"):
        sam.embed(picture().astype(np.float32))
    with pytest.raises(TypeError, match="prompts are points"):
        sam.best_masks(seen, point=PROMPTS["points"])
