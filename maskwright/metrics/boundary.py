"""How well the outlines of two masks agree: boundary F within a tolerance, and boundary IoU in a band.

Boundary F follows the contour score of Csurka et al. (2013) and DAVIS: the share of predicted boundary pixels near a
true one, and the other way round, in one harmonic mean. Boundary IoU follows Cheng et al. (2021): IoU of the pixels of
a class that lie at most `band_px` from its boundary. Both are per class; truth UNKNOWN is left out and makes no
boundary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskwright.arrays.counts import boundary_bands, boundary_hits, boundary_margin
from maskwright.arrays.windows import Window
from maskwright.errors import InputError
from maskwright.metrics.overlap import check_pair, mean, ratio
from maskwright.types import UNKNOWN, Mask, named_classes


@dataclass(frozen=True)
class Boundary:
    """Boundary F with a tolerance, and boundary IoU in a band, of each class.

    A tally is int64 (classes, 7): the columns of `arrays.counts.boundary_hits`, then those of `boundary_bands`. Tallies
    add up over pictures, and over pieces that are given with `margin` pixels around them. `band_px` is `tolerance_px`
    rounded up unless it is given; Cheng et al. take 2 % of the picture's diagonal (`band_of_diagonal`). The picture's
    edge counts as boundary for the band, as in their code, and not for F.

    >>> truth = Mask(np.array([[0, 0, 1, 1, 1]], np.uint8), ("sand", "coral"))
    >>> predicted = Mask(np.array([[0, 0, 0, 1, 1]], np.uint8), ("sand", "coral"))
    >>> exact, loose = Boundary(("sand", "coral"), tolerance_px=0), Boundary(("sand", "coral"), tolerance_px=1)
    >>> [each.scores(each.tally(predicted, truth))["boundary_f"]["coral"] for each in (exact, loose)]
    [0.0, 1.0]
    """

    class_names: tuple[str, ...]
    tolerance_px: float = 2
    band_px: int | None = None

    @property
    def width_px(self) -> int:
        """Width of the band of boundary IoU."""
        return max(1, int(np.ceil(self.tolerance_px))) if self.band_px is None else self.band_px

    @property
    def margin(self) -> int:
        """Pixels a piece needs around it so that its tally is its share of the whole picture's."""
        return max(boundary_margin(self.tolerance_px), self.width_px)

    def tally(self, predicted: Mask, truth: Mask, *, inside: Window | None = None) -> NDArray[np.int64]:
        """Hits and bands by class, counted in the window `inside` only where one is given."""
        check_pair(predicted, truth, self.class_names)
        ours, theirs, classes = predicted.class_ids, truth.class_ids, len(self.class_names)
        for ids, whose in ((ours, "predicted"), (theirs, "true")):
            if (most := int(np.max(ids, where=ids != UNKNOWN, initial=0))) >= classes:
                raise InputError(
                    f"the {whose} mask holds id {most} but there are {classes} classes; ids are 0..{classes - 1} or "
                    f"{UNKNOWN}; score with all classes or mend the mask"
                )
        hits = boundary_hits(ours, theirs, classes, self.tolerance_px, ignore=UNKNOWN, inside=inside)
        bands = boundary_bands(ours, theirs, classes, self.width_px, ignore=UNKNOWN, inside=inside)
        return np.concatenate([hits, bands], axis=1)

    def scores(self, tally: ArrayLike) -> dict[str, Any]:
        """`boundary_f` and `boundary_iou` by class, and their means over classes with a boundary in the truth.

        A class with a boundary in one mask only has 0, in neither nan.
        """
        table = np.asarray(tally).astype(np.float64)
        near, ours, found, theirs, both, our_band, their_band = table.T
        precision, recall = ratio(near, ours), ratio(found, theirs)
        boundary_f = np.where((ours > 0) & (theirs > 0), ratio(2 * precision * recall, precision + recall), 0.0)
        boundary_f[(precision == 0) & (recall == 0)] = 0.0
        boundary_f[(ours == 0) & (theirs == 0)] = np.nan
        boundary_iou = ratio(both, our_band + their_band - both)
        return {
            "mean_boundary_f": self._mean(boundary_f, theirs),
            "mean_boundary_iou": self._mean(boundary_iou, their_band),
            "boundary_f": self._by_name(boundary_f),
            "boundary_iou": self._by_name(boundary_iou),
        }

    def _by_name(self, values: NDArray[np.float64]) -> dict[str, float]:
        return {name: float(values[class_id]) for class_id, name in named_classes(self.class_names).items()}

    def _mean(self, values: NDArray[np.float64], in_truth: NDArray[np.float64]) -> float:
        return mean(np.array([values[each] for each in named_classes(self.class_names) if in_truth[each]]))


def band_of_diagonal(height: int, width: int, fraction: float = 0.02) -> int:
    """Width in px of the band that Cheng et al. use: a share of the picture's diagonal, at least 1.

    >>> band_of_diagonal(300, 400)
    10
    """
    return max(1, round(fraction * float(np.hypot(height, width))))
