"""Rough masks made crisp by a network that knows outlines: regions say where they surely are, SAM where they end."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.colour_scale import to_rgb_bytes
from maskwright.arrays.prompts import Prompt, elastic_box, prompt_for, similarity, soft_mask, split_regions
from maskwright.arrays.recompose import overlap, recompose
from maskwright.arrays.windows import Stitch, Window, cover
from maskwright.errors import GridError, InputError, UnknownNameError
from maskwright.types import UNKNOWN, Image, Mask, Step, named_classes

if TYPE_CHECKING:
    from maskwright.models.sam import Embedding, Sam

Region = NDArray[np.bool_]
Scores = NDArray[np.float32]


@dataclass(frozen=True)
class RefineWithSam:
    """Sharpen the outlines of a rough mask with SAM, SAM 2 or EdgeTAM, told what each region is sure of.

    `model` is a folder as transformers saves it, a SAM checkpoint (.pth), or a known name. Every connected part of a
    class is asked for by itself (`split`; parts that fill a common box well stay together): by its deepest pixel, the
    pixel of its box farthest from it, its box, and itself as a soft mask of `strength` that fades from its middle by
    `gamma`. The best of three answers is asked again, `rounds` times in all. `margin` above 0 lets a box grow where the
    network sees more than that fraction of the same; `colour_weight` above 0 counts depth over colours.

    Nothing is asked where it would make no sense, and nothing is taken that is not plausible: an empty class, a class
    that fills its window, and parts of fewer than `min_area_px` pixels stay as they are, and so does a part that shares
    less than `min_overlap` with its answer (pixels of both over pixels of either). Where classes overlap the first of
    `classes` has the pixel (without `classes`: every class, the smallest first), or with `contest="score"` the surest.
    Pixels given up take the nearest other class. Pixels without data are unknown. Large pictures go through windows of
    `window_px` that share `window_overlap_px` pixels and are blended.

    Confidence is the network's: that of the winning class, or that nobody else claims the pixel; where nothing was
    asked it is the mask's own, or 1.

    With `mode="legacy"` a class is one region, the picture's edge is not outside, and every answer is taken: the
    published scheme. `precision` "auto" is bfloat16 where the processor has it; the story says which it was.

    Paper: Lin et al. 2025, "SAMRefiner" (ICLR); `mode="legacy"`, `classes` of one and the SAM ViT-H are its setting.
    """

    model: str = "sam-vit-base"
    classes: tuple[str, ...] = ()
    rounds: int = 5
    split: bool = True
    min_area_px: int = 5
    min_overlap: float = 0.5
    contest: Literal["priority", "score"] = "priority"
    gamma: float = 4.0
    strength: float = 30.0
    margin: float = 0.0
    colour_weight: float = 0.0
    mode: Literal["safe", "legacy"] = "safe"
    window_px: int = 1024
    window_overlap_px: int = 128
    batch: int = 16
    device: str = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    def __post_init__(self) -> None:
        for name, low in (("rounds", 1), ("batch", 1), ("min_area_px", 0), ("margin", 0), ("strength", 0)):
            if not getattr(self, name) >= low:
                raise InputError(
                    f"{name} is {getattr(self, name)}; expected {low} or more; leave it out for the default"
                )
        for name in ("min_overlap", "colour_weight"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)}; expected a fraction from 0 to 1; try 0.5")
        if not self.gamma > 0:
            raise InputError(f"gamma is {self.gamma}; expected a number above 0; try 4")
        if not 0 <= self.window_overlap_px < self.window_px:
            raise InputError(
                f"window_overlap_px is {self.window_overlap_px}; expected 0 up to less than window_px, which is "
                f"{self.window_px}; try an eighth of it"
            )

    def check_parts(self) -> None:
        """Whether the weights it needs are on this disk; asked before anything is written."""
        from maskwright.models.pretrained import find_model

        if not find_model(self.model).exists():
            raise InputError(
                f"model is {self.model!r}, which is not there; "
                "expected a folder of weights or a known name; `maskwright models list` names them"
            )

    def __call__(self, image: Image, mask: Mask) -> Mask:
        from maskwright.models.sam import load_sam

        if image.grid.shape != mask.grid.shape:
            raise GridError(
                f"the picture has {image.grid.height} x {image.grid.width} pixels and the mask {mask.grid.height} x "
                f"{mask.grid.width}; a mask lies on its picture's pixels; refine the picture it was made from"
            )
        wanted = self._wanted(mask)
        sam = load_sam(self.model, self.device, self.precision)
        step = Step.of(dataclasses.replace(self, precision=sam.precision), weights=sam.sha256)
        valid = np.asarray(image.valid, bool)
        stitch = Stitch(image.grid.window, len(wanted) + 1, self.window_overlap_px)
        for window in cover(*image.grid.shape, self.window_px, self.window_overlap_px):
            stitch.add(window, self._window_scores(sam, image.crop(window), mask.class_ids[window.slices], wanted))
        scores = dict(zip(wanted, stitch.scores, strict=False))
        class_ids = recompose(
            mask.class_ids,
            {class_id: each > 0.5 for class_id, each in scores.items()},
            scores=scores if self.contest == "score" else None,
            valid=valid,
        )
        return mask.after(step, class_ids, _confidence(mask, class_ids, scores, left_alone=stitch.scores[-1] > 0.5))

    def _wanted(self, mask: Mask) -> list[int]:
        """Ids of the classes to refine, the one that wins overlaps first."""
        ids = {name: class_id for class_id, name in named_classes(mask.class_names).items()}
        for name in self.classes:
            if name not in ids:
                raise UnknownNameError("class", name, ids, where="refine_with_sam.classes")
        if self.classes:
            return list(dict.fromkeys(ids[name] for name in self.classes))
        areas = np.bincount(mask.class_ids.reshape(-1), minlength=UNKNOWN + 1)
        return sorted((each for each in ids.values() if areas[each]), key=lambda each: (areas[each], each))

    def _window_scores(self, sam: Sam, image: Image, class_ids: NDArray[np.uint8], wanted: Sequence[int]) -> Scores:
        """For every wanted class how sure it is of each pixel, and last, where a class was left as it is: 1 or 0."""
        valid = np.asarray(image.valid, bool)
        scores = np.zeros((len(wanted) + 1, *image.grid.shape), np.float32)
        seen, pixels = None, None
        for channel, class_id in enumerate(wanted):
            whole = (class_ids == class_id) & valid
            parts, count = self._parts(whole, valid)
            if count and seen is None:
                pixels = to_rgb_bytes(np.asarray(image.pixels), valid)
                seen = sam.embed(pixels)
            rest = whole.copy()
            for start in range(0, count, self.batch):
                assert seen is not None
                assert pixels is not None
                chunk = [parts == number for number in range(start, min(start + self.batch, count))]
                for part, logits in zip(chunk, self._answers(sam, seen, pixels, chunk, whole, valid), strict=True):
                    if logits is not None:
                        np.maximum(scores[channel], _sigmoid(logits), out=scores[channel], where=valid)
                        rest &= ~part
            scores[channel][rest] = 1
            scores[-1][rest] = 1
        return scores

    def _parts(self, whole: Region, valid: Region) -> tuple[NDArray[np.int32], int]:
        """What to ask for one by one: numbered from 0, -1 elsewhere, and how many; none where asking makes no sense."""
        labels = np.where(whole, 0, -1).astype(np.int32)
        if self.mode == "legacy":
            return labels, 1
        if not whole.any() or (whole == valid).all():
            return labels, 0
        if self.split:
            return split_regions(whole, min_area_px=max(self.min_area_px, 1))
        return labels, int(np.count_nonzero(whole) >= self.min_area_px)

    def _answers(
        self,
        sam: Sam,
        seen: Embedding,
        pixels: NDArray[np.uint8],
        parts: Sequence[Region],
        whole: Region,
        valid: Region,
    ) -> list[Scores | None]:
        """The last logits for every part, None for one that is better left as it is."""
        now = list(parts)
        logits: list[Scores | None] = [None] * len(parts)
        waiting = list(range(len(parts)))
        for _ in range(self.rounds):
            beside = {index: (whole & ~parts[index]) | ~valid for index in waiting}
            prompts = {index: self._prompt(now[index], beside[index], pixels) for index in waiting}
            asked = [index for index in waiting if prompts[index] is not None]
            if not asked:
                break
            answer = self._ask(sam, seen, [(now[index], prompts[index]) for index in asked])
            waiting = []
            for index, each in zip(asked, answer, strict=True):
                logits[index], before = each, now[index]
                now[index] = (each > 0) & valid
                if not np.array_equal(before, now[index]):  # the same question would get the same answer
                    waiting.append(index)
        if self.mode == "legacy":
            return logits
        return [
            each if overlap(part, after) >= self.min_overlap else None
            for each, part, after in zip(logits, parts, now, strict=True)
        ]

    def _prompt(self, region: Region, beside: Region, pixels: NDArray[np.uint8]) -> Prompt | None:
        return prompt_for(
            region,
            mode=self.mode,
            foreground=beside,
            gamma=self.gamma,
            pixels=pixels,
            colour_weight=self.colour_weight,
        )

    def _ask(self, sam: Sam, seen: Embedding, questions: Sequence[tuple[Region, Any]]) -> Iterator[Scores]:
        from maskwright.models.sam import INSIDE, NO_POINT, OUTSIDE

        points, labels, boxes, masks = [], [], [], []
        for region, prompt in questions:
            box, strength = self._box(seen, region, prompt)
            points.append([prompt.inside, prompt.outside or (0, 0)])
            labels.append([INSIDE, NO_POINT if prompt.outside is None else OUTSIDE])
            boxes.append(box)
            masks.append(
                soft_mask(
                    region, prompt, strength=strength, resized=seen.resized, canvas=seen.canvas, size=sam.mask_size
                )
            )
        answer = sam.best_masks(
            seen, points=points, labels=labels, boxes=boxes, mask_inputs=np.stack(masks), batch=self.batch
        )
        yield from answer.logits

    def _box(self, seen: Embedding, region: Region, prompt: Prompt) -> tuple[Window, float]:
        """The box to ask with and the strength of the mask: a box that moved trusts the mask less."""
        if not self.margin or not region.any():
            return prompt.box, self.strength
        box = elastic_box(prompt.box, similarity(seen.features, region) > 0.5, self.margin)
        return box, self.strength if box == prompt.box else 1.0


def _confidence(mask: Mask, class_ids: NDArray[np.uint8], scores: dict[int, Scores], left_alone: Region) -> Scores:
    """How sure the class of each pixel is: its own score, or where it was not asked for, that nobody claims it."""
    claimed = np.max(list(scores.values()), axis=0) if scores else np.zeros(class_ids.shape, np.float32)
    sure = 1 - claimed
    for class_id, each in scores.items():
        own = (class_ids == class_id) & (each > 0.5)
        sure[own] = each[own]
    unasked = left_alone & (class_ids == mask.class_ids)
    sure[unasked] = 1 if mask.confidence is None else mask.confidence[unasked]
    sure[class_ids == UNKNOWN] = 0
    confidence: Scores = sure.astype(np.float32)
    return confidence


def _sigmoid(logits: Scores) -> Scores:
    sigmoid: Scores = (np.tanh(logits / np.float32(2)) + np.float32(1)) / np.float32(2)
    return sigmoid
