"""Every promise broken once on purpose, and the sentence that names it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from maskwright.contracts import (
    CLASS_NAMES,
    ContractError,
    check_labeler,
    check_learner,
    check_refiner,
    check_segmenter,
    scenes,
)
from maskwright.errors import UnknownNameError
from maskwright.methods.fill_holes import FillHoles
from maskwright.methods.smooth import Smooth
from maskwright.types import UNKNOWN, Grid, Hint, Image, Mask, Points, Sample, Step
from tests.scenes import BrightIsCoral, KeepAll, NearestByHand


@dataclass(frozen=True)
class Careful(NearestByHand):
    """Keeps every promise of a labeler."""

    def __call__(self, image: Image, hints: Sequence[Hint], class_names: tuple[str, ...]) -> Mask:
        for hint in hints:
            if isinstance(hint, Points) and hint.class_ids.max(initial=0) >= len(class_names):
                raise UnknownNameError("class", str(hint.class_ids.max()), class_names)
        return super().__call__(image, hints, class_names)


def changed(mask: Mask, **fields: Any) -> Mask:
    kept = {name: getattr(mask, name) for name in ("class_ids", "class_names", "grid", "confidence", "history")}
    return Mask(**{**kept, **fields})


def with_id(mask: Mask, class_id: int) -> Mask:
    ids = mask.class_ids.copy()
    ids[0, -1] = class_id
    return changed(mask, class_ids=ids)


BROKEN_LABELS: dict[str, tuple[Callable[[Mask], Any], str]] = {
    "array": (lambda mask: mask.class_ids, "gave ndarray for a wide picture.*a Mask or Instances"),
    "grid": (lambda mask: changed(mask, grid=Grid(*mask.grid.shape)), "keep the picture's grid"),
    "names": (lambda mask: changed(mask, class_names=("coral", "sand")), "it was asked for"),
    "history": (lambda mask: changed(mask, history=()), "told no history"),
    "ids": (lambda mask: with_id(mask, 7), r"gave class ids \[7\].*known are 0..1 and 255"),
    "no data": (lambda mask: changed(mask, class_ids=np.zeros_like(mask.class_ids)), "pixels without data"),
    "confidence": (
        lambda mask: changed(mask, confidence=np.full(mask.grid.shape, 2, np.float32)),
        "confidences from 2.0 to 2.0",
    ),
}


def test_parts_that_keep_their_promises_pass() -> None:
    check_labeler(Careful())
    check_refiner(KeepAll())
    check_segmenter(BrightIsCoral())


@pytest.mark.parametrize("refiner", [FillHoles(), FillHoles(1000, unknown_only=True, neighbours=4), Smooth()])
def test_our_refiners_keep_theirs(refiner: Any) -> None:
    check_refiner(refiner)
    check_refiner(refiner, class_names=("", "coral", "sand"))


@pytest.mark.parametrize("broken", BROKEN_LABELS)
def test_a_labeler_that_breaks_a_promise_is_told_which(broken: str) -> None:
    breaks, sentence = BROKEN_LABELS[broken]

    class Broken(Careful):
        def __call__(self, image: Image, hints: Sequence[Hint], class_names: tuple[str, ...]) -> Any:
            return breaks(super().__call__(image, hints, class_names))

    with pytest.raises(ContractError, match=f"^Broken {sentence}" if sentence.startswith("gave") else sentence):
        check_labeler(Broken())


def test_a_labeler_that_changes_its_hints_or_pixels() -> None:
    class WritesPixels(Careful):
        def __call__(self, image: Image, hints: Sequence[Hint], class_names: tuple[str, ...]) -> Mask:
            image.pixels[0, 0] = 0  # type: ignore[index]
            return super().__call__(image, hints, class_names)

    class Unlocks(Careful):
        def __call__(self, image: Image, hints: Sequence[Hint], class_names: tuple[str, ...]) -> Mask:
            result = super().__call__(image, hints, class_names)
            pixels = np.asarray(image.pixels)
            pixels.flags.writeable = True
            pixels[0, 0] = pixels[0, 0] + 1
            return result

    with pytest.raises(ContractError, match="WritesPixels wrote into the arrays of a wide picture"):
        check_labeler(WritesPixels())
    with pytest.raises(ContractError, match="Unlocks changed what it was given for a wide picture"):
        check_labeler(Unlocks())


def test_a_labeler_that_answers_by_chance() -> None:
    random = np.random.default_rng()

    class Chance(Careful):
        def __call__(self, image: Image, hints: Sequence[Hint], class_names: tuple[str, ...]) -> Mask:
            mask = super().__call__(image, hints, class_names)
            return changed(mask, confidence=random.random(mask.grid.shape, dtype=np.float32))

    with pytest.raises(ContractError, match="Chance gave two answers for a wide picture of 20 x 60"):
        check_labeler(Chance())


def test_a_labeler_that_fails_on_a_small_picture_is_told_on_which() -> None:
    class NeedsRoom(Careful):
        def __call__(self, image: Image, hints: Sequence[Hint], class_names: tuple[str, ...]) -> Mask:
            np.asarray(image.pixels)[1, 1]
            return super().__call__(image, hints, class_names)

    with pytest.raises(ContractError, match="NeedsRoom failed on a picture of one pixel: IndexError"):
        check_labeler(NeedsRoom())


def test_wrong_class_ids_in_hints_are_no_class_and_no_riddle() -> None:
    class Riddle(Careful):
        def __call__(self, image: Image, hints: Sequence[Hint], class_names: tuple[str, ...]) -> Mask:
            _ = [class_names[each] for hint in hints if isinstance(hint, Points) for each in hint.class_ids]
            return super().__call__(image, hints, class_names)

    with pytest.raises(ContractError, match="NearestByHand gave class id 5"):
        check_labeler(NearestByHand())
    with pytest.raises(ContractError, match=r"Riddle raised IndexError .* for a point of class id 5"):
        check_labeler(Riddle())


@dataclass(frozen=True)
class Heavy(KeepAll):
    """Carries its weights about."""

    weights: Any = field(default_factory=lambda: np.zeros(2_000_000, np.uint8))


@dataclass(frozen=True)
class Closed(KeepAll):
    """Cannot be sent anywhere."""

    rule: Any = field(default_factory=lambda: lambda pixel: pixel)


def test_parts_travel_light() -> None:
    with pytest.raises(ContractError, match=r"Heavy pickles to 2,000,.* bytes"):
        check_refiner(Heavy())
    with pytest.raises(ContractError, match="Closed cannot be sent to a worker"):
        check_refiner(Closed())


def test_a_refiner_keeps_the_history_and_adds_to_it() -> None:
    class Forgets(KeepAll):
        def __call__(self, image: Image, mask: Mask) -> Mask:
            return changed(mask, history=(Step.of(self),))

    class Silent(KeepAll):
        def __call__(self, image: Image, mask: Mask) -> Mask:
            return mask

    with pytest.raises(ContractError, match="Forgets lost the history"):
        check_refiner(Forgets())
    with pytest.raises(ContractError, match="Silent added no step"):
        check_refiner(Silent())


BROKEN_SCORES: dict[str, tuple[Callable[[NDArray[np.float32]], Any], str]] = {
    "dtype": (lambda scores: scores.astype(np.float64), "gave float64.*scores are float32"),
    "shape": (lambda scores: scores.transpose(0, 2, 3, 1), "classes, height, width"),
    "nan": (lambda scores: scores * np.float32(np.nan), "nan or inf"),
    "below": (lambda scores: np.stack([scores[:, 0] - 1, scores[:, 1] + 1], axis=1), "below 0"),
    "sum": (lambda scores: scores * np.float32(0.5), "sum to 0.5..0.5"),
}


@pytest.mark.parametrize("broken", BROKEN_SCORES)
def test_a_segmenter_that_breaks_a_promise_is_told_which(broken: str) -> None:
    breaks, sentence = BROKEN_SCORES[broken]

    class Broken(BrightIsCoral):
        seen: list[tuple[int, ...]] = []  # noqa: RUF012

        def __call__(self, pixels: NDArray[np.generic]) -> Any:
            return breaks(super().__call__(pixels))

    with pytest.raises(ContractError, match=sentence):
        check_segmenter(Broken())


def test_channels_without_a_name_score_nothing() -> None:
    with pytest.raises(ContractError, match=r"channels \[0\], which have no name"):
        check_segmenter(BrightIsCoral(class_names=("", "coral")))
    with pytest.raises(ContractError, match="names each of its channels"):
        check_segmenter(BrightIsCoral(class_names=["sand", "coral"]))  # type: ignore[arg-type]


@dataclass(frozen=True)
class LearnsNothing:
    """Learner: gives the same segmenter whatever it is shown."""

    def __call__(self, samples: Sequence[Sample]) -> Any:
        assert all(each.image_path.is_file() and each.mask_paths[0].is_file() for each in samples)
        return BrightIsCoral()


def test_learners_give_segmenters_or_labelers() -> None:
    check_learner(LearnsNothing())

    class LearnsALabeler(LearnsNothing):
        def __call__(self, samples: Sequence[Sample]) -> Any:
            return Careful()

    check_learner(LearnsALabeler())


def test_a_learner_that_breaks_a_promise_is_told_which() -> None:
    class LearnsText(LearnsNothing):
        def __call__(self, samples: Sequence[Sample]) -> Any:
            return "coral"

    class Moody(BrightIsCoral):
        shift: float = 0.0

        def __call__(self, pixels: NDArray[np.generic]) -> NDArray[np.float32]:
            scores = super().__call__(pixels) * np.float32(1 - self.shift)
            scores[:, 0] += np.float32(self.shift)
            return scores

    class LearnsByChance(LearnsNothing):
        def __call__(self, samples: Sequence[Sample]) -> Any:
            learned = Moody()
            learned.shift = float(np.random.default_rng().random())
            return learned

    with pytest.raises(ContractError, match="LearnsText learned 'coral'"):
        check_learner(LearnsText())
    with pytest.raises(ContractError, match="LearnsByChance learned two things"):
        check_learner(LearnsByChance())


def test_the_scenes_are_wide_small_and_empty() -> None:
    shapes = [scene.image.grid.shape for scene in scenes()]
    assert (20, 60) in shapes
    assert (1, 1) in shapes
    assert (1, 9) in shapes
    assert any(not np.asarray(scene.image.valid).any() for scene in scenes())
    assert all(not np.asarray(scene.image.pixels).flags.writeable for scene in scenes())
    assert CLASS_NAMES == ("sand", "coral")
    assert UNKNOWN not in range(len(CLASS_NAMES))
