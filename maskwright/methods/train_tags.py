"""Learn which tags a picture has from pictures somebody tagged, so that a survey can start from pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.colour_scale import to_rgb_bytes
from maskwright.arrays.thresholds import f1_thresholds, tag_scores
from maskwright.errors import EmptyResultError, InputError, UnknownNameError
from maskwright.types import Sample, Tags

if TYPE_CHECKING:
    from maskwright.models.tagger import Backbone, Tagger

AT_ONCE = 8


@dataclass(frozen=True)
class TrainTags:
    """A tagger on the features of a DINOv2, which stays as it is: each picture is looked at once, a head learns fast.

    `backbone` is a folder as transformers saves it, or a known name. Pictures are shown to it in a square of `size`
    pixels, whole. `tags` names what to learn; without it, all that somebody said is there or is not. What a picture's
    tags do not speak of counts nowhere. `held_out` of the sites (of the pictures, where none has a site) decide when
    learning ends and at which score a tag is there (the threshold with the best F1; of equal ones the lowest); without
    any every threshold is 0.5. Features are kept in the folder `cache`, if there is one.

    It has no `masks` to learn from, only tags: `maskwright train train_tags PICTURES --hints tags.csv --out MODEL`.

    Paper: Oquab et al. 2023, "DINOv2". The head and its settings are those of the published DinoVd'eau, without its
    augmentation: backbone=dinov2-large.
    """

    backbone: str = "dinov2-base"
    tags: tuple[str, ...] = ()
    size: int = 518
    epochs: int = 150
    batch: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    patience: int = 10
    held_out: float = 0.2
    random_state: int = 0
    cache: Path | None = None
    device: str = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    def __post_init__(self) -> None:
        for name in ("size", "epochs", "batch", "patience"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; expected 1 or more; leave it out for the default")
        if not 0 <= self.held_out < 1:
            raise InputError(f"held_out is {self.held_out}; expected a fraction from 0 to less than 1; try 0.2")
        if not self.learning_rate > 0 or not self.weight_decay >= 0:
            raise InputError("learning_rate is above 0 and weight_decay 0 or more; leave them out for the defaults")

    def check_parts(self) -> None:
        """Whether the weights it needs are on this disk; asked before anything is written."""
        from maskwright.models.pretrained import find_model

        if not find_model(self.backbone).exists():
            raise InputError(
                f"backbone is {self.backbone!r}, which is not there; expected a folder of weights or a known name"
            )

    def __call__(self, samples: Sequence[Sample]) -> Tagger:
        from maskwright.models.feature_cache import FeatureCache
        from maskwright.models.tagger import Tagger, load_backbone

        tagged = [(each, tags) for each in samples if (tags := _tags_of(each)) is not None]
        names = self._names([tags for _, tags in tagged])
        truth = _truth([tags for _, tags in tagged], names)
        backbone = load_backbone(
            self.backbone, self.device, self.precision, size=self.size, cache=FeatureCache(folder=self.cache)
        )
        features = _features(backbone, [each for each, _ in tagged])
        held_out = self._held_out([each for each, _ in tagged])
        head, history = self._taught(backbone, features, truth, held_out)
        tagger = Tagger(backbone, head, names, (0.5,) * len(names), self._told(names, truth, held_out, history))
        if not held_out.any():
            return tagger
        return _with_thresholds(tagger, tagger.judge(features[held_out]), truth[held_out])

    def load(self, folder: Path) -> Tagger:
        """The tagger that was saved in a folder."""
        from maskwright.models.tagger import read_tagger

        return read_tagger(folder, self.device, self.precision)

    def _names(self, tagged: Sequence[Tags]) -> tuple[str, ...]:
        known = sorted({name for tags in tagged for name in tags.present | tags.absent})
        if not known:
            raise EmptyResultError(
                "train_tags: no picture has tags to learn from; expected a CSV image,class,present; use --hints"
            )
        for name in self.tags:
            if name not in known:
                raise UnknownNameError("tag", name, known, where="train_tags.tags")
        return self.tags or tuple(known)

    def _held_out(self, samples: Sequence[Sample]) -> NDArray[np.bool_]:
        """Whole sites, or pictures where none has a site, drawn by chance: bool (n,)."""
        groups = [each.site or each.name for each in samples]
        names = sorted(set(groups))
        count = round(self.held_out * len(names))
        drawn = np.random.default_rng(self.random_state).permutation(len(names))[: min(count, len(names) - 1)]
        chosen = {names[index] for index in drawn}
        return np.array([each in chosen for each in groups], bool)

    def _taught(
        self, backbone: Backbone, features: NDArray[np.float32], truth: NDArray[np.float32], held_out: NDArray[np.bool_]
    ) -> tuple[Any, list[dict[str, Any]]]:
        import torch

        from maskwright.models.tagger import tag_head
        from maskwright.training.tags import HeadPlan, teach_head

        if np.count_nonzero(~held_out) < 2:
            raise EmptyResultError(
                f"train_tags: {np.count_nonzero(~held_out)} tagged picture is left to learn from; expected 2 or more; "
                "tag more pictures or lower held_out"
            )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.random_state)
            head = tag_head(features.shape[1], features.shape[1] // 2, truth.shape[1]).to(backbone.device)
        plan = HeadPlan(
            self.epochs,
            self.batch,
            self.learning_rate,
            self.weight_decay,
            self.patience,
            random_state=self.random_state,
        )
        return head, teach_head(head, features, truth, held_out, plan)

    def _told(
        self,
        names: tuple[str, ...],
        truth: NDArray[np.float32],
        held_out: NDArray[np.bool_],
        history: list[dict[str, Any]],
    ) -> dict[str, Any]:
        return {
            "pictures": len(truth),
            "held_out": int(held_out.sum()),
            "present": {name: int((truth[:, index] == 1).sum()) for index, name in enumerate(names)},
            "epochs": len(history),
            "augmentation": "none",
            "backbone": "frozen",
            "history": history,
        }


def _with_thresholds(tagger: Tagger, scores: NDArray[np.float32], truth: NDArray[np.float32]) -> Tagger:
    from dataclasses import replace

    chosen = replace(tagger, thresholds=tuple(f1_thresholds(scores, truth).tolist()))
    said = tag_scores(chosen.present(scores), truth)
    return replace(chosen, scores={name: value for name, value in said.items() if np.isfinite(value)})


def _tags_of(sample: Sample) -> Tags | None:
    found = [each for each in sample.hints if isinstance(each, Tags)]
    if not found:
        return None
    present = frozenset(name for each in found for name in each.present)
    absent = frozenset(name for each in found for name in each.absent)
    return Tags(present, absent)


def _truth(tagged: Sequence[Tags], names: Sequence[str]) -> NDArray[np.float32]:
    truth = np.full((len(tagged), len(names)), np.nan, np.float32)
    for row, tags in zip(truth, tagged, strict=True):
        row[[name in tags.present for name in names]] = 1
        row[[name in tags.absent for name in names]] = 0
    return truth


def _features(backbone: Backbone, samples: Sequence[Sample]) -> NDArray[np.float32]:
    return np.concatenate([backbone.features(list(part)) for part in _pictures(samples)])


def _pictures(samples: Sequence[Sample]) -> Iterator[Iterator[NDArray[np.uint8]]]:
    """Pictures as networks see them, a few at a time so that memory does not grow with the collection."""
    from maskwright.io.images import read_image

    def shown(sample: Sample) -> NDArray[np.uint8]:
        image = read_image(sample.image_path, sample.piece)
        return to_rgb_bytes(np.asarray(image.pixels), np.asarray(image.valid, bool))

    for start in range(0, len(samples), AT_ONCE):
        yield map(shown, samples[start : start + AT_ONCE])
