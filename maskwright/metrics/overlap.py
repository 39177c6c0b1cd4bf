"""How far two masks agree pixel by pixel: IoU, Dice, accuracy and their kin, all from one table of counts.

Counts are summed over the pixels of all pictures where the truth is not UNKNOWN. A predicted UNKNOWN there is a miss
for the true class and a hit for nobody. A score nobody can know, such as the IoU of a class that is in neither mask, is
nan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskwright.arrays.counts import confusion
from maskwright.arrays.windows import Window
from maskwright.errors import GridError, InputError
from maskwright.types import UNKNOWN, Mask, named_classes

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Overlap:
    """Scores of the pixels two masks share; `class_names[id]` names a class, an id nobody uses has the empty name.

    A tally is the confusion table, int64 (classes, classes + 1): true class by predicted class, the last column for
    pixels predicted UNKNOWN. Tallies add up over pictures, pieces and machines.

    >>> truth = Mask(np.array([[0, 0, 1, 1]], np.uint8), ("sand", "coral"))
    >>> predicted = Mask(np.array([[0, 1, 1, 255]], np.uint8), ("sand", "coral"))
    >>> metric = Overlap(("sand", "coral"))
    >>> metric.tally(predicted, truth)
    array([[1, 1, 0],
           [0, 1, 1]])
    >>> scores = metric.scores(metric.tally(predicted, truth))
    >>> scores["pixel_accuracy"], scores["iou"]["sand"]
    (0.5, 0.5)
    """

    class_names: tuple[str, ...]

    @property
    def margin(self) -> int:
        """Pixels a piece needs around it: none."""
        return 0

    def tally(self, predicted: Mask, truth: Mask, *, inside: Window | None = None) -> Counts:
        """Pixels by true and predicted class, counted in the window `inside` only where one is given."""
        check_pair(predicted, truth, self.class_names)
        part = (inside or truth.grid.window).slices
        try:
            counts = confusion(predicted.class_ids[part], truth.class_ids[part], len(self.class_names), ignore=UNKNOWN)
        except ValueError as error:
            raise InputError(f"{error}; the classes are {_listed(self.class_names)}") from error
        self._check_named(counts)
        return counts

    def scores(self, tally: ArrayLike) -> dict[str, Any]:
        """Every score by name; those of single classes as a mapping from class name.

        `iou`, `dice`, `precision`, `recall`, `f1` (which equals dice), `support` (true pixels) by class; `mean_iou` and
        `mean_dice` over classes present in the truth, where one never predicted counts 0; `mean_iou_predicted` over
        classes present in either; `macro_f1`, `pixel_accuracy`, `kappa` (Cohen's, UNKNOWN as one more answer) and
        `pixels`.
        """
        table = np.asarray(tally)
        names = named_classes(self.class_names)
        hits = np.diagonal(table).astype(np.float64)
        true, predicted = table.sum(axis=1).astype(np.float64), table.sum(axis=0)[:-1].astype(np.float64)
        iou, dice = ratio(hits, true + predicted - hits), ratio(2 * hits, true + predicted)
        in_truth, in_either = [c for c in names if true[c]], [c for c in names if true[c] or predicted[c]]

        def by_name(values: NDArray[Any]) -> dict[str, float]:
            return {name: float(values[class_id]) for class_id, name in names.items()}

        return {
            "mean_iou": mean(iou[in_truth]),
            "mean_iou_predicted": mean(iou[in_either]),
            "pixel_accuracy": float(ratio(hits.sum(), true.sum())),
            "mean_dice": mean(dice[in_truth]),
            "macro_f1": mean(dice[in_truth]),
            "kappa": _kappa(hits.sum(), true, predicted),
            "iou": by_name(iou),
            "dice": by_name(dice),
            "precision": by_name(ratio(hits, predicted)),
            "recall": by_name(ratio(hits, true)),
            "f1": by_name(dice),
            "support": {name: table[class_id].sum().item() for class_id, name in names.items()},
            "pixels": table.sum().item(),
        }

    def _check_named(self, counts: Counts) -> None:
        used = np.flatnonzero(counts.sum(axis=1) + counts.sum(axis=0)[:-1])
        if nameless := [int(each) for each in used if not self.class_names[each]]:
            raise InputError(
                f"ids {nameless} occur in the masks but have no name; the classes are {_listed(self.class_names)}; "
                "give them a name or make their pixels 255 (unknown)"
            )


def baseline(tally: ArrayLike) -> Counts:
    """The tally of whoever calls every pixel the commonest true class (of equal ones the lowest id): what to beat.

    >>> baseline([[1, 1, 0], [0, 1, 0]])
    array([[2, 0, 0],
           [1, 0, 0]])
    """
    table = np.asarray(tally)
    result = np.zeros_like(table)
    true = table.sum(axis=1)
    result[:, int(true.argmax())] = true
    return result


def legacy_scores(tally: ArrayLike) -> dict[str, float]:
    """Pixel accuracy, mean class accuracy and mean IoU as the code of "The point is the mask" counts them.

    For comparison with published tables only: pixels predicted UNKNOWN vanish, and both means run over the classes
    whose value is above 0, so that a class never found costs nothing. `Overlap.scores` says what is honest.

    >>> {name: round(value, 3) for name, value in legacy_scores([[1, 0, 1], [1, 0, 0]]).items()}
    {'pixel_accuracy': 0.5, 'mean_accuracy': 1.0, 'mean_iou': 0.5}
    """
    table = np.asarray(tally)[:, :-1].astype(np.float64)
    hits, true, predicted = np.diagonal(table), table.sum(axis=1), table.sum(axis=0)
    accuracy, iou = hits / (true + 1e-7), hits / (true + predicted - hits + 1e-7)
    return {
        "pixel_accuracy": float(ratio(hits.sum(), table.sum())),
        "mean_accuracy": mean(accuracy[accuracy > 0]),
        "mean_iou": mean(iou[iou > 0]),
    }


def check_pair(predicted: Mask, truth: Mask, class_names: tuple[str, ...]) -> None:
    """Two masks are compared on the same pixels and by the same classes, or not at all."""
    if predicted.grid.shape != truth.grid.shape:
        raise GridError(
            f"the predicted mask has {predicted.grid.height} x {predicted.grid.width} pixels and the true one "
            f"{truth.grid.height} x {truth.grid.width}; both lie on one grid; make them from the same picture"
        )
    for mask, whose in ((predicted, "predicted"), (truth, "true")):
        if named_classes(mask.class_names).items() - named_classes(class_names).items():
            raise InputError(
                f"the {whose} mask speaks of {_listed(mask.class_names)} but scores are for {_listed(class_names)}; "
                "ids mean the same class on both sides; give both the same classes"
            )


def ratio(part: Any, whole: Any) -> NDArray[np.float64]:
    """part / whole, nan where nothing is divided by nothing.

    >>> ratio([1, 0], [4, 0])
    array([0.25,  nan])
    """
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    result = np.full(whole.shape, np.nan)
    np.divide(part, whole, out=result, where=whole > 0)
    return result


def mean(values: NDArray[np.float64]) -> float:
    """The mean, nan where there is nothing to average."""
    return float(values.mean()) if values.size else float("nan")


def _kappa(hits: float, true: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
    total = true.sum()
    if not total:
        return float("nan")
    chance = float((true / total) @ (predicted / total))
    return float(ratio(hits / total - chance, 1 - chance))


def _listed(class_names: tuple[str, ...]) -> str:
    named: Mapping[int, str] = named_classes(class_names)
    return ", ".join(f"{class_id} {name}" for class_id, name in named.items()) or "none"
