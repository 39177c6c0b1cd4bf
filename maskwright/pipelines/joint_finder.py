"""What `maskwright joints` asks of each batch of pictures: boxes, then joints by one or two networks, merged."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.colour_scale import to_rgb_bytes
from maskwright.arrays.crops import Box, choose_box, whole_pixels
from maskwright.arrays.joints import MERGES, Merge, merge_joints
from maskwright.arrays.objects import Objects
from maskwright.errors import InputError, UnknownNameError
from maskwright.io.coco import read_instances
from maskwright.io.images import read_image
from maskwright.io.profiles import Profile, read_profile
from maskwright.types import Keypoints

if TYPE_CHECKING:
    from maskwright.models.detector import Detector
    from maskwright.models.pose import PoseEstimator
    from maskwright.pipelines.joints import JointSettings

_log = logging.getLogger(__name__)


class Shown(NamedTuple):
    """A picture that is asked about: pixels uint8 (height, width, 3)."""

    name: str
    path: Path
    sha256: str
    pixels: NDArray[np.uint8]


class Found(NamedTuple):
    """The animals of a picture that have a joint at all, and for each of them its box and where that is from."""

    animals: list[Keypoints]
    boxes: list[Mapping[str, Any]]


class _Boxed(NamedTuple):
    box: Box
    source: str
    score: float | None = None
    thing: str | None = None

    def told(self) -> dict[str, Any]:
        """As the file says it: x, y, width, height, as COCO's boxes are."""
        top, left, bottom, right = self.box
        return {"box": [left, top, right - left, bottom - top], "box_from": self.source,
                "box_score": self.score, "thing": self.thing}  # fmt: skip


@dataclass(frozen=True, eq=False)
class JointFinder:
    """Boxes and networks, ready to be asked."""

    how: JointSettings
    estimators: tuple[PoseEstimator, ...]
    detector: Detector | None
    given: Mapping[str, Objects] | None
    pairs: tuple[tuple[int, int], ...] = ()
    rules: tuple[Merge, ...] = ()

    @classmethod
    def of(
        cls,
        how: JointSettings,
        models: Sequence[str | Path],
        vocabularies: Sequence[str],
        boxes: str | Path | None,
        detector: str | Path | None,
        device: str,
    ) -> JointFinder:
        """Open everything; what is missing or does not fit is an error now, before any picture is read."""
        from maskwright.models.detector import Detector, Finding
        from maskwright.models.pose import PoseEstimator, TopDown

        cut = TopDown(how.padding, how.flip, how.refine, how.batch, how.precision, how.context, how.swap_colours,
                      how.mirror)  # fmt: skip
        asked = tuple(
            PoseEstimator.of(model, cut, vocabulary=word, device=device)
            for model, word in zip(models, vocabularies, strict=True)
        )
        _tell_licences(asked)
        finding = Finding(how.things, how.least_score, precision=how.precision)
        found = None if detector is None else Detector.of(detector, finding, device=device)
        given = None if boxes is None else {name: Objects.of(each) for name, each in read_instances(boxes).items()}
        merged = _merging(asked, how) if len(asked) == 2 else ((), ())
        return cls(how, asked, found, given, *merged)

    @property
    def has_boxes(self) -> bool:
        return self.given is not None or self.detector is not None

    @property
    def weights(self) -> dict[str, Any]:
        """Name and hash of every network that is asked, and what the channels of pose networks were taken for."""
        told: dict[str, Any] = {
            f"model_{number}": {"file": each.network.path.name, "sha256": each.network.sha256,
                                "joints": list(each.network.vocabulary.names)}
            for number, each in enumerate(self.estimators, start=1)
        }  # fmt: skip
        if self.detector is not None:
            told["detector"] = {"file": self.detector.path.name, "sha256": self.detector.sha256}
        return told

    def __call__(self, shown: Sequence[Shown]) -> list[Found]:
        boxed = self._boxed(shown)
        pictures = [each.pixels for each, some in zip(shown, boxed, strict=True) for _ in some]
        boxes = [one.box for some in boxed for one in some]
        opinions = [estimator(pictures, boxes) for estimator in self.estimators]
        animals = iter(opinions[0] if len(opinions) == 1 else map(self._merged, *opinions))
        return [_kept([next(animals) for _ in some], some) for some in boxed]

    def _boxed(self, shown: Sequence[Shown]) -> list[list[_Boxed]]:
        """The boxes to look into, of every picture."""
        candidates = [self._given(each) for each in shown]
        if self.detector is not None:
            without = [index for index, some in enumerate(candidates) if not some]
            told = self.detector([shown[index].pixels for index in without])
            for index, found in zip(without, told, strict=True):
                candidates[index] = [
                    _Boxed(_as_box(row), "detector", float(score), thing)
                    for row, score, thing in zip(found.boxes, found.scores, found.names, strict=True)
                ]
        return [self._chosen(some, each) for some, each in zip(candidates, shown, strict=True)]

    def _given(self, shown: Shown) -> list[_Boxed]:
        objects = (self.given or {}).get(shown.name)
        if objects is None:
            return []
        found = []
        for (top, left, height, width), score in zip(objects.extents.tolist(), objects.scores.tolist(), strict=True):
            box = (top, left, top + height, left + width)
            first_row, first_col, last_row, last_col = whole_pixels(box, shown.pixels.shape)
            if last_row <= first_row or last_col <= first_col:
                size = "{} x {}".format(*shown.pixels.shape[:2])
                raise InputError(
                    f"{shown.name}: its box x={left}, y={top}, width={width}, height={height} holds no pixel of the "
                    f"{size} picture; expected one inside; correct the file of boxes"
                )
            found.append(_Boxed(box, "given", float(score)))
        return found

    def _chosen(self, candidates: list[_Boxed], shown: Shown) -> list[_Boxed]:
        if not candidates:
            height, width = shown.pixels.shape[:2]
            return [_Boxed((0.0, 0.0, float(height), float(width)), "picture")]
        if self.how.animals == "all":
            return candidates
        scores = [1.0 if each.score is None else each.score for each in candidates]
        index = choose_box([each.box for each in candidates], scores, self.how.rule)
        assert index is not None
        return [candidates[index]]

    def _merged(self, first: Keypoints, second: Keypoints) -> Keypoints:
        one, other = (np.stack([each.rows, each.cols, each.scores], axis=1) for each in (first, second))
        rows, cols, scores = merge_joints(one, other, self.pairs, self.rules).T
        return Keypoints(first.names, rows.copy(), cols.copy(), scores.copy())


def read_picture(path: Path) -> NDArray[np.uint8]:
    """A picture as networks see it: uint8 (height, width, 3), red first; without data it is black."""
    image = read_image(path)
    valid = np.asarray(image.valid)
    pixels = to_rgb_bytes(np.asarray(image.pixels), valid)
    return pixels if valid.all() else pixels * valid[..., None]


def _as_box(row: NDArray[np.float64]) -> Box:
    top, left, bottom, right = row.tolist()
    return top, left, bottom, right


def _kept(animals: list[Keypoints], boxed: list[_Boxed]) -> Found:
    pairs = [(animal, one) for animal, one in zip(animals, boxed, strict=True) if np.isfinite(animal.rows).any()]
    return Found([animal for animal, _ in pairs], [one.told() for _, one in pairs])


def _merging(
    asked: Sequence[PoseEstimator], how: JointSettings
) -> tuple[tuple[tuple[int, int], ...], tuple[Merge, ...]]:
    """Which joints two networks share by the names of the profile, and the rule for each."""
    profile = read_profile(how.profile)
    first, second = (_by_joint(each, profile) for each in asked)
    shared = {joint: (first[joint], second[joint]) for joint in first if joint in second}
    if not shared:
        raise InputError(
            f"the two models share no joint of the profile {profile.name}; expected some to merge; give one model, or "
            "the profile that knows both"
        )
    table = how.merge if isinstance(how.merge, dict) else {}
    for name in table:
        if name not in shared:
            raise UnknownNameError("joint that both models know", name, shared, where="merge")
    default: Merge = "second" if isinstance(how.merge, dict) else how.merge
    vocabulary, replaced = profile.replace
    kept = {
        joint: pair
        for joint, pair in shared.items()
        if joint in table or default != "second" or asked[1].network.vocabulary.name != vocabulary or joint in replaced
    }
    rules = tuple(table.get(joint, default) for joint in kept)
    assert set(rules) <= set(MERGES)
    return tuple(kept.values()), rules


def _by_joint(estimator: PoseEstimator, profile: Profile) -> dict[str, int]:
    found = {profile.joint_of(name): index for index, name in enumerate(estimator.network.vocabulary.names)}
    return {joint: index for joint, index in found.items() if joint is not None}


def _tell_licences(asked: Sequence[PoseEstimator]) -> None:
    for each in asked:
        known = each.network.known
        if known is not None and known.licence != "Apache-2.0":
            _log.warning("licence of %s: %s", known.name, known.licence)
