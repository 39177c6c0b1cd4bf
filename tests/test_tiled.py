"""Big pictures: the same bits whatever the piece, the extent and the order."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from maskwright.arrays.likely import most_likely
from maskwright.arrays.windows import Window
from maskwright.errors import InputError
from maskwright.io.resized import resized
from maskwright.tiled import (
    crop_hint,
    crop_mask,
    label_pieces,
    label_tiled,
    predict_mask,
    predict_pieces,
    predict_scores,
)
from maskwright.types import UNKNOWN, Grid, Hint, Image, Keypoints, Mask, Points, Step, Tags
from tests.scenes import CLASS_NAMES, BrightIsCoral, NearestByHand, WindowShade, noise, reef


def same(one: Mask, other: Mask) -> bool:
    return (
        one.class_ids.tobytes() == other.class_ids.tobytes()
        and (one.confidence is None) == (other.confidence is None)
        and (one.confidence is None or one.confidence.tobytes() == other.confidence.tobytes())
        and one.grid == other.grid
        and one.history == other.history
    )


def test_a_picture_is_predicted_as_its_truth() -> None:
    image, truth, _ = reef()
    mask = predict_mask(BrightIsCoral(), image, window=16, overlap=4)
    np.testing.assert_array_equal(mask.class_ids, truth.class_ids)
    np.testing.assert_allclose(mask.confidence, np.where(truth.class_ids == 1, 220 / 255, 225 / 255), rtol=1e-6)
    assert mask.class_names == CLASS_NAMES
    assert mask.history == (Step("predict", {"window": 16, "overlap": 4, "batch": 1}),)


@given(data=st.data(), window=st.integers(2, 24), batch=st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_any_extent_by_any_piece_equals_that_part_of_the_whole(data: st.DataObject, window: int, batch: int) -> None:
    overlap = data.draw(st.integers(0, window - 1))
    height, width = data.draw(st.integers(1, 30)), data.draw(st.integers(1, 60))
    image = noise(height, width, random_state=window, nodata_fraction=0.3)
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    extent = Window(top, left, data.draw(st.integers(top + 1, height)), data.draw(st.integers(left + 1, width)))
    how = {"window": window, "overlap": overlap, "batch": batch}
    whole = predict_mask(WindowShade(), image, **how)
    part = predict_mask(WindowShade(), image, extent=extent, piece=data.draw(st.integers(1, 20)), **how)
    assert same(part, crop_mask(whole, extent))
    scores = predict_scores(WindowShade(), image, **how)
    inside = predict_scores(WindowShade(), image, extent=extent, **how)
    assert inside.tobytes() == np.ascontiguousarray(scores[(slice(None), *extent.slices)]).tobytes()


@given(window=st.integers(2, 24), batch=st.integers(1, 3), data=st.data())
@settings(max_examples=30, deadline=None)
def test_a_mask_is_the_best_of_the_blended_scores(window: int, batch: int, data: st.DataObject) -> None:
    image = noise(20, 45, random_state=window, nodata_fraction=0.3)
    how = {"window": window, "overlap": data.draw(st.integers(0, window - 1)), "batch": batch}
    mask = predict_mask(WindowShade(), image, **how, piece=10, threads=2)
    best = most_likely(predict_scores(WindowShade(), image, **how), np.asarray(image.valid), class_ids=(0, 1))
    assert (mask.class_ids.tobytes(), mask.confidence.tobytes()) == (best[0].tobytes(), best[1].tobytes())


def test_piece_sizes_of_1024_and_4096_agree() -> None:
    image = noise(1100, 2300, nodata_fraction=0.1)
    small = predict_mask(WindowShade(), image, window=256, overlap=64, piece=1024)
    large = predict_mask(WindowShade(), image, window=256, overlap=64, piece=4096)
    assert same(small, large)
    inner = Window(130, 700, 900, 2111)
    assert same(predict_mask(WindowShade(), image, window=256, overlap=64, extent=inner), crop_mask(large, inner))


def test_every_batch_holds_the_same_windows_whatever_the_piece() -> None:
    image, _, _ = reef()
    whole, part = BrightIsCoral(), BrightIsCoral()
    predict_scores(whole, image, window=8, overlap=0, batch=3)
    predict_scores(part, image, window=8, overlap=0, batch=3, extent=Window(0, 0, 3, 3))
    assert whole.seen == [(3, 8, 8, 3), (3, 8, 8, 3), (2, 8, 8, 3)] * 3
    assert part.seen == [(3, 8, 8, 3)]


def test_strips_share_a_row_of_windows_without_running_it_again() -> None:
    segmenter = BrightIsCoral()
    parts = list(predict_pieces(segmenter, noise(50, 60), window=20, overlap=12, piece=40, batch=4))
    assert [(part.top, part.bottom) for part, _ in parts] == [(0, 8), (8, 16), (16, 24), (24, 30), (30, 50)]
    assert len(segmenter.seen) == 5 * 2, "five rows of six windows, in batches of four and two"


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_any_number_of_threads_gives_the_same_bits(threads: int) -> None:
    image = noise(300, 700, nodata_fraction=0.1)
    how = {"window": 64, "overlap": 16, "batch": 3}
    assert same(
        predict_mask(WindowShade(), image, threads=threads, piece=50, **how), predict_mask(WindowShade(), image, **how)
    )


def test_a_segmenter_that_fails_in_a_thread_ends_the_prediction() -> None:
    class Late(BrightIsCoral):
        def __call__(self, pixels: NDArray[np.generic]) -> NDArray[np.float32]:
            if len(self.seen) == 3:
                raise RuntimeError("out of memory")
            return super().__call__(pixels)

    with pytest.raises(RuntimeError, match="out of memory"):
        predict_mask(Late(), noise(50, 60), window=16, overlap=4, batch=1, threads=2)


@given(data=st.data(), tall=st.integers(1, 50), wide=st.integers(1, 90))
@settings(max_examples=40, deadline=None)
def test_scores_of_another_pixel_size_are_the_same_for_any_extent(data: st.DataObject, tall: int, wide: int) -> None:
    image = noise(20, 60, random_state=tall, nodata_fraction=0.2)
    top, left = data.draw(st.integers(0, 19)), data.draw(st.integers(0, 59))
    extent = Window(top, left, data.draw(st.integers(top + 1, 20)), data.draw(st.integers(left + 1, 60)))
    how = {"window": 16, "overlap": 5, "seen": resized(image, tall, wide)}
    whole = predict_mask(WindowShade(), image, **how)
    assert whole.class_ids.shape == (20, 60)
    assert ((whole.class_ids == UNKNOWN) == ~image.valid).all()
    assert same(predict_mask(WindowShade(), image, extent=extent, piece=9, **how), crop_mask(whole, extent))


def test_a_coarse_look_finds_what_the_fine_one_does() -> None:
    image, truth, _ = reef()
    for height, width in ((10, 30), (40, 120)):
        mask = predict_mask(BrightIsCoral(), image, window=16, overlap=4, seen=resized(image, height, width))
        assert (mask.class_ids != truth.class_ids).mean() < 0.05


def test_small_pictures_are_filled_up_to_a_whole_window() -> None:
    segmenter = BrightIsCoral()
    image = Image(np.full((1, 1, 3), 255, np.uint8))
    mask = predict_mask(segmenter, image, window=32, overlap=8)
    assert segmenter.seen == [(1, 32, 32, 3)]
    assert mask.class_ids.tolist() == [[1]]


def test_no_data_is_unknown_and_shown_as_zero() -> None:
    pixels = np.full((20, 60, 1), np.nan, np.float32)
    pixels[:, :30] = 200
    valid = np.isfinite(pixels[..., 0])
    segmenter = BrightIsCoral()
    mask = predict_mask(segmenter, Image(pixels, valid=valid), window=10, overlap=2, batch=1)
    assert (mask.class_ids[:, :30] == 1).all()
    assert (mask.class_ids[:, 30:] == UNKNOWN).all()
    assert (mask.confidence[:, 30:] == 0).all()
    assert len(segmenter.seen) == 3 * 4, "windows without data are not computed"


def test_a_class_nobody_scores_is_unknown() -> None:
    class Silent(BrightIsCoral):
        def __call__(self, pixels: NDArray[np.generic]) -> NDArray[np.float32]:
            return np.zeros((len(pixels), 2, *pixels.shape[1:3]), np.float32)

    assert (predict_mask(Silent(), reef()[0], window=16, overlap=4).class_ids == UNKNOWN).all()


@pytest.mark.parametrize(("answer", "words"), [("shape", "classes, height, width"), ("nan", "nan or inf")])
def test_a_segmenter_that_breaks_its_promise_is_named(answer: str, words: str) -> None:
    class Broken(BrightIsCoral):
        def __call__(self, pixels: NDArray[np.generic]) -> NDArray[np.float32]:
            right = super().__call__(pixels)
            return right[:, :1] if answer == "shape" else right * np.float32(np.nan)

    with pytest.raises(ValueError, match=words):
        predict_mask(Broken(), reef()[0], window=16, overlap=4)


def test_windows_and_extents_that_cannot_be_are_refused() -> None:
    image, _, _ = reef()
    with pytest.raises(InputError, match="cannot overlap by 16 px"):
        predict_mask(BrightIsCoral(), image, window=16, overlap=16)
    with pytest.raises(InputError, match=r"\(0, 0, 21, 60\).*20 x 60"):
        predict_mask(BrightIsCoral(), image, extent=Window(0, 0, 21, 60))
    with pytest.raises(ValueError, match="at least one window"):
        predict_scores(BrightIsCoral(), image, batch=0)


@dataclass
class LazyPixels:
    """Pixels that are made when they are read, like those of a file."""

    shape: tuple[int, int, int]
    dtype: np.dtype = field(default_factory=lambda: np.dtype(np.uint8))

    def __getitem__(self, key: tuple[slice, slice]) -> NDArray[np.uint8]:
        rows, cols = (np.arange(*part.indices(size)) for part, size in zip(key, self.shape, strict=False))
        return ((rows[:, None] * 7 + cols * 3) % 256).astype(np.uint8)[..., None]


def test_memory_depends_on_the_piece() -> None:
    image = Image(LazyPixels((1500, 6000, 1)))
    parts = predict_pieces(WindowShade(), image, window=128, overlap=16, piece=256)
    tracemalloc.start()
    pixels = sum(mask.class_ids.size for _, mask in parts)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert pixels == 1500 * 6000
    assert peak < 20e6, f"{peak / 1e6:.0f} MB for a piece of 0.07 MP; the scores of the whole would be 72 MB"


@dataclass(frozen=True)
class ByWindow(NearestByHand):
    """The same labeler, able to label one window."""

    def label_window(self, image: Image, hints: Sequence[Hint], class_names: tuple[str, ...], window: Window) -> Mask:
        return crop_mask(self(image, hints, class_names), window)


def test_labelers_give_the_same_mask_by_pieces() -> None:
    image, _, points = reef()
    whole = NearestByHand()(image, [points], CLASS_NAMES)
    for labeler in (NearestByHand(), ByWindow()):
        for piece in (7, 20, 1000):
            mask = label_tiled(labeler, image, [points], CLASS_NAMES, piece=piece)
            np.testing.assert_array_equal(mask.class_ids, whole.class_ids)
            assert mask.grid == whole.grid
    extent = Window(3, 20, 18, 55)
    part = label_tiled(ByWindow(), image, [points], CLASS_NAMES, extent=extent, piece=8)
    np.testing.assert_array_equal(part.class_ids, whole.class_ids[extent.slices])
    assert part.grid == image.grid.crop(extent)


def test_a_labeler_of_whole_pictures_refuses_a_big_one_and_says_what_to_do() -> None:
    image, _, points = reef()
    with pytest.raises(InputError, match="20 x 60 pixels, more than 1000; pass reach_px"):
        list(label_pieces(NearestByHand(), image, [points], CLASS_NAMES, most_pixels=1000))


def test_with_a_reach_fixed_windows_do_not_depend_on_the_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maskwright.tiled.CORE_PX", 16)
    image, _, points = reef()
    how = {"most_pixels": 1, "reach_px": 5}
    masks = [label_tiled(NearestByHand(), image, [points], CLASS_NAMES, piece=piece, **how) for piece in (9, 16, 60)]
    assert same(masks[0], masks[1])
    assert same(masks[1], masks[2])
    far = label_tiled(NearestByHand(), image, [points], CLASS_NAMES, piece=9, most_pixels=1, reach_px=60)
    np.testing.assert_array_equal(far.class_ids, NearestByHand()(image, [points], CLASS_NAMES).class_ids)


def test_hints_are_cut_to_a_window() -> None:
    grid = Grid(20, 60)
    _, truth, points = reef()
    window = Window(5, 30, 15, 60)
    inside = crop_hint(points, window, grid)
    assert isinstance(inside, Points)
    assert (inside.rows.tolist(), inside.cols.tolist(), inside.class_ids.tolist()) == ([4], [17], [1])
    mask = crop_hint(truth, window, grid)
    assert isinstance(mask, Mask)
    np.testing.assert_array_equal(mask.class_ids, truth.class_ids[5:15, 30:])
    tags = Tags(frozenset({"coral"}), frozenset())
    assert crop_hint(tags, window, grid) is tags
    with pytest.raises(InputError, match="Keypoints cannot be cut"):
        crop_hint(Keypoints((), np.zeros(0), np.zeros(0), np.zeros(0)), window, grid)


@dataclass
class FirstColours:
    """A segmenter whose class scores are the colours of a picture, in order."""

    class_names: tuple[str, ...]

    def __call__(self, pixels: NDArray[np.generic]) -> NDArray[np.float32]:
        return np.moveaxis(pixels[..., : len(self.class_names)], 3, 1).astype(np.float32) / 255


@pytest.mark.parametrize("names", [("", "sand", "coral"), ("sand", "", "coral"), ("sand", "coral", ""), ("", "a", "")])
def test_a_nameless_id_is_never_given_whatever_a_segmenter_says_of_it(names: tuple[str, ...]) -> None:
    image = noise(20, 50)
    scores = np.asarray(image.pixels)[..., :3].astype(np.float32).transpose(2, 0, 1) / 255
    scores[[each for each, name in enumerate(names) if not name]] = 0
    mask = predict_mask(FirstColours(names), image, window=16, overlap=4)
    np.testing.assert_allclose(predict_scores(FirstColours(names), image, window=16, overlap=4), scores, atol=1e-6)
    known = scores.max(axis=0) > 0
    np.testing.assert_array_equal(mask.class_ids, np.where(known, scores.argmax(axis=0), UNKNOWN))


def test_a_segmenter_without_a_class_is_a_programming_mistake() -> None:
    with pytest.raises(ValueError, match="names at least one class; FirstColours names none"):
        predict_mask(FirstColours(("", "")), noise(20, 50), window=16, overlap=4)
