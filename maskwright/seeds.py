"""Points on the pixels of a picture: checked, in one array per field, ready to be spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import InputError
from maskwright.types import Grid, Hint, Points, named_classes


@dataclass(frozen=True, eq=False)
class Seeds:
    """Rows and columns (float64, pixel centres at whole numbers) and class ids (uint8) of known places, (n,) each."""

    rows: NDArray[np.float64]
    cols: NDArray[np.float64]
    class_ids: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.rows)

    def labels(self, shape: tuple[int, int]) -> NDArray[np.int32]:
        """The class id of each seed on its pixel, -1 elsewhere; of several on one pixel the first one counts.

        >>> Seeds(np.array([0.0, 0.2]), np.array([1.0, 1.0]), np.array([3, 1], np.uint8)).labels((1, 3))
        array([[-1,  3, -1]], dtype=int32)
        """
        labels = np.full(shape, -1, np.int32)
        rows, cols = Points(self.rows, self.cols, self.class_ids).pixels
        _, first = np.unique(rows * shape[1] + cols, return_index=True)
        labels[rows[first], cols[first]] = self.class_ids[first]
        return labels


def find_seeds(grid: Grid, hints: Sequence[Hint], class_names: Sequence[str]) -> Seeds:
    """All points among the hints as seeds of a picture, in the order given; other kinds of hints are passed over.

    Without a single point, with a point outside the picture or with a class that has no name: InputError.
    """
    points = [hint for hint in hints if isinstance(hint, Points)]
    if not sum(map(len, points)):
        kinds = ", ".join(sorted({type(hint).__name__ for hint in hints if not isinstance(hint, Points)}))
        found = f"only {kinds}" if kinds else "no points"
        raise InputError(f"{found} for this picture; expected at least one point; add points or leave the picture out")
    seeds = Seeds(
        np.concatenate([np.asarray(each.rows, np.float64) for each in points]),
        np.concatenate([np.asarray(each.cols, np.float64) for each in points]),
        np.concatenate([np.asarray(each.class_ids, np.uint8) for each in points]),
    )
    _check_places(seeds, grid)
    _check_classes(seeds, class_names)
    return seeds


def _check_places(seeds: Seeds, grid: Grid) -> None:
    outside = np.flatnonzero(~grid.holds(seeds.rows, seeds.cols))
    if not len(outside):
        return
    first = int(outside[0])
    row, col = float(seeds.rows[first]), float(seeds.cols[first])
    swapped = bool(grid.holds(seeds.cols[outside], seeds.rows[outside]).all())
    advice = "are x and y swapped?" if swapped else "check the point, or that it belongs to this picture"
    raise InputError(
        f"point {first + 1} at x={col:g}, y={row:g} is outside the picture; expected x in 0..{grid.width - 1} and "
        f"y in 0..{grid.height - 1}; {advice}"
    )


def _check_classes(seeds: Seeds, class_names: Sequence[str]) -> None:
    known = named_classes(class_names)
    for class_id in np.unique(seeds.class_ids).tolist():
        if class_id not in known:
            listed = ", ".join(f"{key} {name}" for key, name in known.items()) or "none"
            raise InputError(
                f"a point has class id {class_id}; expected one of: {listed}; add the class or mend the point"
            )
