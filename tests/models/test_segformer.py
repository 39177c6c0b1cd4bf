"""SegFormers from folders, names and shapes; logits equal to transformers' own. Weights are tiny and random."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from maskwright.errors import FormatError, InputError, MissingWeightsError, UnknownNameError
from maskwright.models.encoders import encoder_decoder
from maskwright.models.segformer import segformer

TINY: dict[str, Any] = {"hidden_sizes": [8, 16, 16, 16], "depths": [1, 1, 1, 1], "decoder_hidden_size": 16,
                        "num_attention_heads": [1, 1, 1, 2]}  # fmt: skip


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    """A folder as the published encoders are: an image classifier."""
    from transformers import SegformerConfig, SegformerForImageClassification

    torch.manual_seed(3)
    SegformerForImageClassification(SegformerConfig(num_labels=10, **TINY)).save_pretrained(tmp_path / "mit-tiny")
    return tmp_path / "mit-tiny"


def test_the_encoder_of_a_classifier_is_taken_over(classifier: Path) -> None:
    from safetensors.torch import load_file
    from transformers import SegformerForImageClassification

    published = set(load_file(classifier / "model.safetensors"))
    assert {"segformer.encoder.patch_embeddings.0.proj.weight", "segformer.encoder.block.3.0.mlp.dense2.bias",
            "segformer.encoder.block.0.0.attention.self.sr.weight"} <= published  # fmt: skip
    made = segformer(str(classifier), 3, 4)
    theirs = SegformerForImageClassification.from_pretrained(classifier, local_files_only=True).state_dict()
    ours = made.network.state_dict()
    shared = [key for key in theirs if key.startswith("segformer.")]
    assert len(shared) > 50
    assert all(torch.equal(theirs[key], ours[f"model.{key}"]) for key in shared)
    assert made.origin == str(classifier) and made.licence is not None and "non-commercial" in made.licence


def test_logits_are_transformers_own_at_full_resolution(classifier: Path) -> None:
    network = segformer(str(classifier), 3, 4).network.eval()
    pixels = torch.randn(2, 3, 64, 96)
    with torch.inference_mode():
        theirs = network.model(pixel_values=pixels).logits  # type: ignore[operator]
        ours = network(pixels)
    assert theirs.shape == (2, 4, 16, 24) and ours.shape == (2, 4, 64, 96)
    wanted = torch.nn.functional.interpolate(theirs, size=(64, 96), mode="bilinear", align_corners=False)
    assert torch.equal(ours, wanted)


def test_a_config_alone_starts_from_random_weights(classifier: Path) -> None:
    (classifier / "model.safetensors").unlink()
    made = segformer(str(classifier), 5, 2)
    assert made.origin is None and made.licence is None
    assert made.network(torch.randn(1, 5, 64, 64)).shape == (1, 2, 64, 64)


def test_names_that_are_nothing_or_not_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASKWRIGHT_MODELS", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(UnknownNameError, match="did you mean 'mit-b0'"):
        segformer("mit_b0", 3, 2)
    with pytest.raises(MissingWeightsError, match="mit-b0"):
        segformer("mit-b0", 3, 2)
    with pytest.raises(InputError, match=r"holds no config\.json"):
        segformer(str(tmp_path), 3, 2)


def test_a_known_name_is_found_on_the_shelf(classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier.rename(tmp_path / "mit-b0")
    monkeypatch.setenv("MASKWRIGHT_MODELS", str(tmp_path))
    made = segformer("mit-b0", 3, 2)
    assert made.origin == "mit-b0" and made.licence == "NVIDIA source code licence (non-commercial)"


def test_the_published_b0_has_its_size() -> None:
    """3.7 million parameters with the decoder of 256 channels and 19 classes, as published."""
    network = segformer("b0", 3, 19).network
    assert sum(each.numel() for each in network.parameters()) == 3_719_027


def test_encoders_and_decoders_by_name() -> None:
    network = encoder_decoder("resnet18", "FPN", 4, 3).network
    assert network.eval()(torch.randn(1, 4, 64, 96)).shape == (1, 3, 64, 96)
    with pytest.raises(UnknownNameError, match="did you mean 'resnet18'"):
        encoder_decoder("resnet-18", "unet", 3, 2)
    with pytest.raises(UnknownNameError, match="did you mean 'unet'"):
        encoder_decoder("resnet18", "unnet", 3, 2)


def test_weights_of_an_encoder_come_from_a_file(tmp_path: Path) -> None:
    torch.manual_seed(5)
    state = encoder_decoder("resnet18", "unet", 3, 2).network.model.encoder.state_dict()  # type: ignore[union-attr]
    torch.save(state, tmp_path / "encoder.pth")
    made = encoder_decoder("resnet18", "unet", 3, 2, encoder_weights=tmp_path / "encoder.pth")
    ours = made.network.model.encoder.state_dict()  # type: ignore[union-attr]
    assert all(torch.equal(ours[key], state[key]) for key in state) and made.origin == "encoder.pth"
    state.pop("conv1.weight")
    torch.save(state, tmp_path / "half.pth")
    with pytest.raises(FormatError, match=r"lacks 1 and has 0 of other shape, first conv1\.weight"):
        encoder_decoder("resnet18", "unet", 3, 2, encoder_weights=tmp_path / "half.pth")
    with pytest.raises(InputError, match="there is no such file"):
        encoder_decoder("resnet18", "unet", 3, 2, encoder_weights=tmp_path / "none.pth")
