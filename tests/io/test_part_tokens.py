"""Part tokens: shares that sum to one, in the layout of their consumer (T15 of the anatomy checks)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from maskwright.arrays.part_tokens import part_shares, visible_parts
from maskwright.errors import FormatError, InputError
from maskwright.io.classes import Classes
from maskwright.io.masks import write_mask
from maskwright.io.part_tokens import PartTokens, read_part_tokens, write_part_tokens
from maskwright.methods.keypoint_parts import KeypointParts
from maskwright.pipelines.convert import convert
from maskwright.toys import animals
from maskwright.types import UNKNOWN, Mask

NAMES = ("background", "b_leg", "body")


@pytest.mark.parametrize(("profile", "channels"), [("quadruped5", 6), ("quadruped4", 5)])
def test_a_consumer_gets_the_layout_it_asks_for(tmp_path: Path, profile: str, channels: int) -> None:
    scene = animals.make(1, random_state=3, size=(96, 144))[0]
    method = KeypointParts(profile=profile)
    mask = method(scene.image, [scene.hints["keypoints"], scene.hints["outline"]], ())
    write_mask(tmp_path / "parts" / "one.png", mask, colors=method.own_classes.colors)
    conversion = convert(tmp_path / "parts", "part-tokens", tmp_path / "tokens")
    assert [each.name for each in conversion.written] == ["one.npz", "one.npy", "one.png"]
    loaded = np.load(tmp_path / "tokens" / "one.npy")
    assert loaded.shape == (channels, 64, 64) and loaded.dtype == np.float32
    np.testing.assert_allclose(loaded.sum(axis=0), 1, atol=1e-6)
    with np.load(tmp_path / "tokens" / "one.npz") as file:
        assert file["tokens"].shape == (64, 64, channels)
        assert file["names"][-1] == "background"
        assert file["visible"].tolist() == (loaded[:-1] >= 0.4).any(axis=(1, 2)).tolist()
    outline = scene.hints["outline"]
    assert isinstance(outline, Mask)
    inside = part_shares(outline.class_ids, [1], 0)
    np.testing.assert_allclose(loaded[-1], 1 - inside[0], atol=1e-6)


def test_shares_are_areas_and_the_unknown_takes_its_cells_parts() -> None:
    class_ids = np.zeros((4, 8), np.uint8)
    class_ids[:, 0], class_ids[:, 1], class_ids[:, 2], class_ids[:, 3] = 1, 2, 2, UNKNOWN
    shares = part_shares(class_ids, [1, 2], 0, grid=(1, 2))
    np.testing.assert_allclose(shares[:, 0, 0], [1 / 3, 2 / 3, 0], atol=1e-6)
    np.testing.assert_allclose(shares[:, 0, 1], [0, 0, 1], atol=1e-6)


def test_where_only_the_unknown_is_no_part_is_visible() -> None:
    shares = part_shares(np.full((8, 8), UNKNOWN, np.uint8), [1, 2, 3], 0, grid=(2, 2))
    np.testing.assert_allclose(shares[:3], 1 / 3, atol=1e-6)
    assert not visible_parts(shares).any()


def test_tokens_are_read_as_written_and_the_same_bytes_come_again(tmp_path: Path) -> None:
    class_ids = np.random.default_rng(0).integers(0, 3, (50, 90)).astype(np.uint8)
    tokens, classes = PartTokens.of(Mask(class_ids, NAMES)), Classes(NAMES)
    first = write_part_tokens(tmp_path / "a", "x", tokens, classes)
    again = write_part_tokens(tmp_path / "b", "x", tokens, classes)
    assert [each.read_bytes() for each in first] == [each.read_bytes() for each in again]
    read = read_part_tokens(first[0])
    assert read.names == ("b_leg", "body", "background")
    assert (read.shares == tokens.shares).all()


def test_masks_without_a_background_and_broken_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one called background"):
        PartTokens.of(Mask(np.zeros((4, 4), np.uint8), ("a", "b")))
    np.savez(tmp_path / "x.npz", tokens=np.ones((4, 4, 2)), names=np.array(["a", "b"]))
    with pytest.raises(FormatError, match="sums of 1"):
        read_part_tokens(tmp_path / "x.npz")
    (tmp_path / "y.npz").write_bytes(b"no zip")
    with pytest.raises(FormatError, match="no part tokens"):
        read_part_tokens(tmp_path / "y.npz")


def test_tokens_never_replace_the_masks_they_are_made_of(tmp_path: Path) -> None:
    write_mask(tmp_path / "m" / "one.png", Mask(np.zeros((4, 4), np.uint8), NAMES))
    with pytest.raises(InputError, match="would replace"):
        convert(tmp_path / "m", "part-tokens", tmp_path / "m")
