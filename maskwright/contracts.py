"""What every part promises, as checks for us and for authors of plug-ins.

Each check calls a part on small scenes (a wide picture, one pixel, one row, a picture without data, read-only arrays)
and raises `ContractError` with one sentence that names the promise it broke. A check that returns says that all were
kept:

    >>> @dataclass(frozen=True)
    ... class BrightIsCoral:
    ...     threshold: int = 128
    ...     def __call__(self, image, mask):
    ...         bright = np.where(image.valid, np.asarray(image.pixels)[..., 0] >= self.threshold, UNKNOWN)
    ...         return mask.after(Step.of(self), bright.astype(np.uint8))
    >>> check_refiner(BrightIsCoral())

In a plug-in's own tests that is all there is to write.
"""

from __future__ import annotations

import copy
import inspect
import io
import json
import pickle
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import InputError, MaskwrightError
from maskwright.types import UNKNOWN, Grid, Hint, Image, Instances, Mask, Points, Sample, Step

CLASS_NAMES = ("sand", "coral")
MOST_PICKLED_BYTES = 1_000_000
"""A part travels to workers as its settings; weights are found again where it arrives."""

MakeHints = Callable[[Image], Sequence[Hint]]


class ContractError(AssertionError):
    """A part broke a promise; the text is one sentence that names it."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A small picture to call a part on, and what to call it in an error."""

    name: str
    image: Image


def scenes(*, channels: int = 3, dtype: Any = np.uint8) -> tuple[Scene, ...]:
    """The pictures every part is called on; all their arrays are read-only."""
    random = np.random.default_rng(0)

    def scene(name: str, height: int, width: int, data_from: int) -> Scene:
        most = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1
        pixels = (random.random((height, width, channels)) * most).astype(dtype)
        valid = np.broadcast_to(np.arange(width) >= data_from, (height, width)).copy()
        pixels[~valid] = 0
        grid = Grid(height, width, (0.5, 0.0, 300.0, 0.0, -0.5, 900.0), "EPSG:32740")
        return Scene(name, Image(_locked(pixels), grid, _locked(valid)))

    return (
        scene("a wide picture of 20 x 60", 20, 60, 0),
        scene("a picture of 20 x 60 partly without data", 20, 60, 7),
        scene("a picture of one pixel", 1, 1, 0),
        scene("a picture of 1 x 9", 1, 9, 0),
        scene("a picture of 9 x 1", 9, 1, 0),
        scene("a picture without any data", 12, 30, 30),
    )


def points_for(image: Image) -> Sequence[Hint]:
    """Two points, as far apart as the picture allows: what `check_labeler` gives unless told otherwise."""
    bottom, right = image.grid.height - 1.0, image.grid.width - 1.0
    rows, cols = _locked(np.array([0.0, bottom])), _locked(np.array([0.0, right]))
    return (Points(rows, cols, _locked(np.array([0, 1], np.uint8))),)


def check_labeler(
    labeler: Any,
    *,
    hints: MakeHints = points_for,
    class_names: tuple[str, ...] = CLASS_NAMES,
    pictures: Sequence[Scene] | None = None,
) -> None:
    """Check that a labeler keeps its promises: a Mask or Instances on the picture's grid, known ids, nothing changed.

    `hints(image)` makes the hints for a picture; the default gives two points, with class ids 0 and 1. A hint with a
    class id beyond `class_names` must be refused with an InputError or be left out, never come out as a class.
    """
    who = _name_of(labeler)
    _check_pickles(labeler, who)
    for scene in pictures or scenes():
        given = tuple(hints(scene.image))
        result = _call_twice(labeler, who, scene, (scene.image, given, class_names))
        _check_result(result, who, scene, class_names)
    _check_pickles(labeler, who)
    _check_wrong_ids(labeler, who, hints, class_names)


def check_refiner(
    refiner: Any, *, class_names: tuple[str, ...] = CLASS_NAMES, pictures: Sequence[Scene] | None = None
) -> None:
    """Check that a refiner of masks keeps its promises: those of a labeler, and the mask's classes and history kept."""
    who = _name_of(refiner)
    _check_pickles(refiner, who)
    for scene in pictures or scenes():
        mask = _mask_for(scene.image, class_names)
        result = _call_twice(refiner, who, scene, (scene.image, mask))
        _check_result(result, who, scene, class_names)
        _demand(
            isinstance(result, Mask),
            f"{who} made {type(result).__name__} of a Mask of {scene.name}; a refiner gives the kind it was given",
        )
        kept = result.history[: len(mask.history)] == mask.history
        _demand(kept, f"{who} lost the history of the mask of {scene.name}; use mask.after(Step.of(self), ...)")
        _demand(
            len(result.history) > len(mask.history),
            f"{who} added no step to the history of the mask of {scene.name}; use mask.after(Step.of(self), ...)",
        )
    _check_pickles(refiner, who)


def check_segmenter(segmenter: Any, *, channels: int = 3, size: int = 64, dtype: Any = np.uint8) -> None:
    """Check that a segmenter keeps its promises: finite float32 scores (n, classes, height, width) that sum to 1.

    It is given 1 and 3 pictures of size x size pixels and 2 of size x 2 * size, whose arrays are read-only. A class
    without a name must score 0.
    """
    who = _name_of(segmenter)
    names: Any = getattr(segmenter, "class_names", None)
    _demand(
        isinstance(names, tuple) and all(isinstance(each, str) for each in names) and 0 < len(names) <= UNKNOWN,
        f"{who}.class_names is {names!r}; a segmenter names each of its channels in a tuple of at most {UNKNOWN} texts",
    )
    random = np.random.default_rng(0)
    for count, width in ((1, size), (3, size), (2, 2 * size)):
        most = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1
        pixels = _locked((random.random((count, size, width, channels)) * most).astype(dtype))
        scores = _call_twice(
            segmenter, who, Scene(f"{count} pictures of {size} x {width}", Image(pixels[0])), (pixels,)
        )
        _check_scores(scores, (count, len(names), size, width), names, who)
    _check_pickles(segmenter, who)


def check_learner(learner: Any, *, samples: Sequence[Sample] | None = None, channels: int = 3) -> None:
    """Check that a learner keeps its promises: samples in, a labeler or a segmenter out that keeps its own.

    Without `samples` it is given four pictures of 64 x 96 with full masks, written to a folder of their own. The same
    samples must give the same answers again, and come back unchanged.
    """
    who = _name_of(learner)
    _check_pickles(learner, who)
    with tempfile.TemporaryDirectory() as folder:
        given = tuple(samples) if samples is not None else _samples(Path(folder))
        with _unchanged(who, "four samples", given):
            first, second = learner(given), learner(given)
        _demand(callable(first), f"{who} learned {first!r}; a learner gives something you can call with pictures")
        if hasattr(first, "class_names"):
            check_segmenter(first, channels=channels)
            pixels = _locked(np.random.default_rng(1).integers(0, 255, (1, 64, 64, channels), dtype=np.uint8))
            same = _equal(first(pixels), second(pixels))
        else:
            check_labeler(first)
            image = scenes(channels=channels)[0].image
            same = _equal(*(each(image, points_for(image), CLASS_NAMES) for each in (first, second)))
        _demand(same, f"{who} learned two things from the same samples; seed every source of chance from its settings")
    _check_pickles(learner, who)


def _check_result(result: Any, who: str, scene: Scene, class_names: tuple[str, ...]) -> None:
    where = f"for {scene.name}"
    _demand(
        isinstance(result, Mask | Instances),
        f"{who} gave {type(result).__name__} {where}; it gives a Mask or Instances",
    )
    _demand(
        result.grid == scene.image.grid,
        f"{who} gave a result on {result.grid} {where}, which lies on {scene.image.grid}; keep the picture's grid",
    )
    _demand(
        tuple(result.class_names) == tuple(class_names),
        f"{who} gave class names {result.class_names} {where}; it was asked for {class_names}",
    )
    _demand(
        bool(result.history) and all(isinstance(step, Step) for step in result.history),
        f"{who} told no history {where}; add Step.of(self)",
    )
    ids = result.class_ids
    wrong = sorted({int(each) for each in np.unique(ids)} - set(range(len(class_names))) - {UNKNOWN})
    _demand(not wrong, f"{who} gave class ids {wrong} {where}; known are 0..{len(class_names) - 1} and {UNKNOWN}")
    if isinstance(result, Mask):
        _check_mask(result, who, scene)


def _check_mask(mask: Mask, who: str, scene: Scene) -> None:
    valid = np.asarray(scene.image.valid, bool)
    _demand(
        bool((mask.class_ids[~valid] == UNKNOWN).all()),
        f"{who} gave classes to pixels without data for {scene.name}; they are {UNKNOWN} (unknown)",
    )
    if mask.confidence is not None:
        low, high = float(np.min(mask.confidence)), float(np.max(mask.confidence))
        _demand(
            bool(np.isfinite(mask.confidence).all()) and low >= 0 and high <= 1,
            f"{who} gave confidences from {low} to {high} for {scene.name}; they lie in 0..1",
        )


def _check_scores(scores: Any, shape: tuple[int, ...], names: tuple[str, ...], who: str) -> None:
    _demand(
        isinstance(scores, np.ndarray) and scores.dtype == np.float32 and scores.shape == shape,
        f"{who} gave {getattr(scores, 'dtype', type(scores).__name__)} {getattr(scores, 'shape', '')}; scores are "
        f"float32 (n, classes, height, width) = {shape}",
    )
    _demand(bool(np.isfinite(scores).all()), f"{who} gave scores that are nan or inf; scores are finite")
    _demand(bool((scores >= 0).all()), f"{who} gave scores below 0; scores are probabilities; end with a softmax")
    sums = scores.sum(axis=1)
    _demand(
        bool(np.allclose(sums, 1, atol=1e-3)),
        f"{who} gave scores that sum to {sums.min():.4g}..{sums.max():.4g} over the classes; they sum to 1",
    )
    nameless = [index for index, name in enumerate(names) if not name]
    _demand(not scores[:, nameless].any(), f"{who} gave scores to channels {nameless}, which have no name; they are 0")


def _check_wrong_ids(labeler: Any, who: str, hints: MakeHints, class_names: tuple[str, ...]) -> None:
    """Points of a class nobody named: an InputError, or nothing of it in the result."""
    scene = scenes()[0]
    given, wrong = [], len(class_names) + 3
    for hint in hints(scene.image):
        if isinstance(hint, Points) and len(hint):
            ids = hint.class_ids.copy()
            ids[-1] = wrong
            given.append(Points(hint.rows, hint.cols, _locked(ids), hint.object_ids, hint.weights))
    if not given:
        return
    try:
        result = labeler(scene.image, tuple(given), class_names)
    except InputError:
        return
    except Exception as error:
        raise ContractError(
            f"{who} raised {type(error).__name__} ({error}) for a point of class id {wrong}; "
            "wrong hints are an InputError that says which classes are known"
        ) from error
    _demand(
        wrong not in np.unique(result.class_ids),
        f"{who} gave class id {wrong}, which none of {class_names} has; refuse such a point with an InputError",
    )


def _call_twice(part: Any, who: str, scene: Scene, arguments: tuple[Any, ...]) -> Any:
    """The part's answer, after checking that it comes again and that nothing given to it was changed."""
    with _unchanged(who, scene.name, arguments):
        try:
            first, second = part(*arguments), part(*arguments)
        except ValueError as error:
            if "read-only" in str(error):
                raise ContractError(
                    f"{who} wrote into the arrays of {scene.name}; leave what you were given"
                ) from error
            raise ContractError(f"{who} failed on {scene.name}: {type(error).__name__}: {error}") from error
        except (ArithmeticError, LookupError, TypeError, AttributeError, RuntimeError, MaskwrightError) as error:
            raise ContractError(f"{who} failed on {scene.name}: {type(error).__name__}: {error}") from error
    _demand(_equal(first, second), f"{who} gave two answers for {scene.name}; the same input gives the same bytes")
    return first


@contextmanager
def _unchanged(who: str, where: str, arguments: tuple[Any, ...]) -> Iterator[None]:
    before = copy.deepcopy(arguments)
    yield
    _demand(_equal(before, arguments), f"{who} changed what it was given for {where}; leave what you were given")


class _Courier(pickle.Pickler):
    """Packs a part without asking whether its class can be imported: a test's own stand-in lives in a function."""

    def __init__(self, box: io.BytesIO, part: Any) -> None:
        super().__init__(box)
        self._known = (part if inspect.isroutine(part) else type(part),)

    def persistent_id(self, item: Any) -> str | None:
        return "the part's code" if any(item is each for each in self._known) else None


def _check_pickles(part: Any, who: str) -> None:
    box = io.BytesIO()
    try:
        _Courier(box, part).dump(part)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise ContractError(f"{who} cannot be sent to a worker: {error}; keep plain settings in its fields") from error
    size = box.tell()
    _demand(
        size <= MOST_PICKLED_BYTES,
        f"{who} pickles to {size:,} bytes, more than {MOST_PICKLED_BYTES:,}; load weights on first call and leave them "
        "out of the pickle",
    )


def _equal(one: Any, other: Any) -> bool:
    """Whether two answers hold the same bytes, records and arrays looked into."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return bool(one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes())
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, Image | Mask | Instances) or (is_dataclass(one) and not isinstance(one, type)):
        return all(_equal(getattr(one, each.name), getattr(other, each.name)) for each in fields(one))
    return bool(one == other)


def _mask_for(image: Image, class_names: tuple[str, ...]) -> Mask:
    """A mask with two classes, a speck, a hole and unknown pixels, as far as the picture has room."""
    ids = np.zeros(image.grid.shape, np.uint8)
    ids[:, image.grid.width // 2 :] = len(class_names) - 1
    ids[3:4, 3:5] = len(class_names) - 1
    ids[5:6, -6:-4] = 0
    ids[8:9, -8:-6] = UNKNOWN
    ids[~np.asarray(image.valid, bool)] = UNKNOWN
    confidence = _locked(np.full(ids.shape, 0.5, np.float32))
    return Mask(_locked(ids), class_names, image.grid, confidence, (Step("made_for_a_check", {}),))


def _samples(folder: Path) -> tuple[Sample, ...]:
    """Four pictures of dark sand with a bright block of coral, with their masks, on disk."""
    from PIL import Image as Pillow

    random = np.random.default_rng(0)
    result = []
    for number in range(4):
        ids = np.zeros((64, 96), np.uint8)
        ids[10 + 4 * number : 40, 20 : 60 + 5 * number] = 1
        pixels = (random.normal(40, 10, (64, 96, 3)) + 150 * ids[..., None]).clip(0, 255).astype(np.uint8)
        image_path, mask_path = folder / f"scene-{number}.png", folder / "masks" / f"scene-{number}.png"
        mask_path.parent.mkdir(exist_ok=True)
        Pillow.fromarray(pixels).save(image_path)
        palette = Pillow.fromarray(ids)
        palette.putpalette([0, 0, 0, 255, 127, 80])
        palette.save(mask_path)
        classes = [{"id": 0, "name": "sand", "color": "#000000"}, {"id": 1, "name": "coral", "color": "#ff7f50"}]
        story = {"image": {"path": image_path.name, "sha256": None}, "classes": classes, "steps": []}
        mask_path.with_suffix(".json").write_text(json.dumps(story), encoding="utf-8")
        result.append(Sample(image_path.stem, image_path, mask_paths=(mask_path,)))
    return tuple(result)


def _demand(kept: bool, sentence: str) -> None:
    if not kept:
        raise ContractError(sentence)


def _name_of(part: Any) -> str:
    return getattr(part, "__name__", None) or type(part).__name__


def _locked(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array
