"""Learn which tags a picture has from pictures somebody tagged, so that a survey can start from pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.colour_scale import to_rgb_bytes
from maskwright.arrays.thresholds import f1_thresholds, share_scores, tag_scores
from maskwright.errors import EmptyResultError, InputError, UnknownNameError
from maskwright.io.tags import known_tags
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

    `views` are further looks at each picture it learns from, mirrored, in other light or aslant by chance; an epoch
    takes one look at each. They cost as much as so many more pictures, once.

    Tags may be probabilities (a CSV with a column per class): it learns those as they are, has a threshold of 0.5 for
    these tags, and is scored by their errors.

    It has no `masks` to learn from, only tags: `maskwright train train_tags PICTURES --hints tags.csv --out MODEL`.

    Paper: Oquab et al. 2023, "DINOv2". The head and its settings are those of the published DinoVd'eau:
    backbone=dinov2-large views=8 (it varied pictures anew in each epoch).
    """

    backbone: str = "dinov2-base"
    tags: tuple[str, ...] = ()
    size: int = 518
    views: int = 0
    epochs: int = 150
    batch: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    patience: int = 10
    held_out: float = 0.2
    random_state: int = 0
    cache: Path | None = field(default=None, metadata={"decides": False})
    device: str = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    def __post_init__(self) -> None:
        for name in ("size", "epochs", "batch", "patience"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; expected 1 or more; leave it out for the default")
        if self.views < 0:
            raise InputError(f"views is {self.views}; expected 0 or more; leave it out for none")
        if not 0 <= self.held_out < 1:
            raise InputError(f"held_out is {self.held_out}; expected a fraction from 0 to less than 1; try 0.2")
        if not self.learning_rate > 0 or not self.weight_decay >= 0:
            raise InputError("learning_rate is above 0 and weight_decay 0 or more; leave them out for the defaults")

    def check_parts(self) -> None:
        """Whether the weights it needs are on this disk; asked before anything is written."""
        from maskwright.models.pretrained import find_model

        if not find_model(self.backbone).exists():
            raise InputError(
                f"backbone is {self.backbone!r}, which is not there; "
                "expected a folder of weights or a known name; `maskwright models list` names them"
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
        held_out = self._held_out([each for each, _ in tagged])
        features, views = self._looks(backbone, [each for each, _ in tagged], held_out)
        head, history = self._taught(backbone, features, views, truth, held_out)
        tagger = Tagger(backbone, head, names, (0.5,) * len(names), self._told(names, truth, held_out, history))
        if not held_out.any():
            return tagger
        return _judged(tagger, tagger.judge(features[held_out]), truth[held_out], _is_soft(truth))

    def load(self, folder: Path) -> Tagger:
        """The tagger that was saved in a folder."""
        from maskwright.models.tagger import read_tagger

        return read_tagger(folder, self.device, self.precision)

    def _names(self, tagged: Sequence[Mapping[str, float]]) -> tuple[str, ...]:
        known = sorted({name for tags in tagged for name in tags})
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

    def _looks(
        self, backbone: Backbone, samples: Sequence[Sample], held_out: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Features (n, d) of pictures as they are, and (n, views, d) of their views: nan where held out."""
        from maskwright.training.tag_views import View

        views = [View(number, self.random_state) for number in range(self.views)]
        features, others = [], []
        for start, part in enumerate(_pictures(samples)):
            shown = list(part)
            features.append(backbone.features(shown))
            learned = np.flatnonzero(~held_out[start * AT_ONCE :][: len(shown)])
            other = np.full((len(shown), len(views), features[-1].shape[1]), np.nan, np.float32)
            for view in views:
                other[learned, view.number] = backbone.features([shown[each] for each in learned], view=view)
            others.append(other)
        return np.concatenate(features), np.concatenate(others) if views else None

    def _taught(
        self,
        backbone: Backbone,
        features: NDArray[np.float32],
        views: NDArray[np.float32] | None,
        truth: NDArray[np.float32],
        held_out: NDArray[np.bool_],
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
        return head, teach_head(head, features, truth, held_out, plan, views=views)

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
            "probabilities": [name for name, is_soft in zip(names, _is_soft(truth), strict=True) if is_soft],
            "epochs": len(history),
            "augmentation": f"{self.views} views of each picture, by chance" if self.views else "none",
            "backbone": "frozen",
            "history": history,
        }


def _judged(
    tagger: Tagger, scores: NDArray[np.float32], truth: NDArray[np.float32], is_soft: NDArray[np.bool_]
) -> Tagger:
    """The tagger with thresholds for tags that are there or not, and with its scores on what was held out."""
    from dataclasses import replace

    sure = ~is_soft
    thresholds = np.full(len(is_soft), 0.5)
    thresholds[sure] = f1_thresholds(scores[:, sure], truth[:, sure])
    chosen = replace(tagger, thresholds=tuple(thresholds.tolist()))
    said = tag_scores(chosen.present(scores)[:, sure], truth[:, sure]) if sure.any() else {}
    said |= share_scores(scores, truth) if is_soft.any() else {}
    return replace(chosen, scores={name: value for name, value in said.items() if np.isfinite(value)})


def _is_soft(truth: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Of which tags some truth is a probability, neither 0 nor 1: bool (tags,)."""
    return np.asarray(((truth > 0) & (truth < 1)).any(axis=0), bool)


def _tags_of(sample: Sample) -> dict[str, float] | None:
    """How likely each tag is that something is known of; None where the sample has no tags at all."""
    found = [each for each in sample.hints if isinstance(each, Tags)]
    told: dict[str, float] = {}
    for name, value in (pair for each in found for pair in known_tags(each).items()):
        if told.setdefault(name, value) != value:
            raise InputError(
                f"{sample.name}: {name!r} is {value:g} in one file and {told[name]:g} in another; expected one value; "
                "correct one"
            )
    return told if found else None


def _truth(tagged: Sequence[Mapping[str, float]], names: Sequence[str]) -> NDArray[np.float32]:
    """float32 (pictures, tags): 1, 0, how likely, nan where nobody knows."""
    return np.array([[tags.get(name, np.nan) for name in names] for tags in tagged], np.float32)


def _pictures(samples: Sequence[Sample]) -> Iterator[Iterator[NDArray[np.uint8]]]:
    """Pictures as networks see them, a few at a time so that memory does not grow with the collection."""
    from maskwright.io.images import read_image

    def shown(sample: Sample) -> NDArray[np.uint8]:
        image = read_image(sample.image_path, sample.piece)
        return to_rgb_bytes(np.asarray(image.pixels), np.asarray(image.valid, bool))

    for start in range(0, len(samples), AT_ONCE):
        yield map(shown, samples[start : start + AT_ONCE])
