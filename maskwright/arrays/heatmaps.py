"""Heat-maps of joints: where their peaks lie, to a fraction of a pixel, and averaging with those of a mirrored picture.

Heat-maps are floats (n, joints, height, width); a peak's score is the raw value of its highest pixel, which networks
are trained to bring to 1: usually between 0 and 1, not bounded and not calibrated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

Refinement = Literal["quarter", "dark", "none"]
BLUR_PX, BLUR_RADIUS = 2.0, 5  # of DARK, for heat-maps whose peaks were drawn with a sigma of 2
LEAST = 1e-10  # below this a heat-map says nothing; the logarithm needs a floor


class Peaks(NamedTuple):
    """Rows, columns and scores (n, joints), in heat-map pixels; (-1, -1) where no value is above 0."""

    rows: NDArray[np.float64]
    cols: NDArray[np.float64]
    scores: NDArray[np.float64]


def find_peaks(heatmaps: NDArray[np.floating[Any]], refine: Refinement = "quarter") -> Peaks:
    """The highest pixel of every heat-map, the first in row-major order, moved by less than a pixel.

    "quarter" moves it by 0.25 towards the higher neighbour in each direction, "dark" to the top of the parabola
    through the logarithm of the blurred heat-map (DARK, Zhang et al. 2020), "none" leaves it. Peaks in the outermost
    rows and columns stay where they are.

    >>> heatmap = np.zeros((1, 1, 64, 64)); heatmap[0, 0, 20, 10:12] = 1, 0.5; heatmap[0, 0, 19, 10] = 0.3
    >>> find_peaks(heatmap)
    Peaks(rows=array([[19.75]]), cols=array([[10.25]]), scores=array([[1.]]))
    """
    n, joints, height, width = heatmaps.shape
    flat = heatmaps.reshape(n * joints, height * width)
    best = np.argmax(flat, axis=1) if flat.size else np.zeros(len(flat), np.intp)
    scores = flat[np.arange(len(flat)), best].astype(np.float64)
    found = scores > 0
    rows, cols = np.where(found, best // width, -1), np.where(found, best % width, -1)
    maps = flat.reshape(-1, height, width)
    down, right = 0.0 * rows, 0.0 * cols
    if refine != "none":
        down, right = (_dark if refine == "dark" else _quarter)(maps, rows, cols)
    shape = (n, joints)
    return Peaks((rows + down).reshape(shape), (cols + right).reshape(shape), scores.reshape(shape))


def unmirror(heatmaps: NDArray[np.floating[Any]], partners: Sequence[int], shift: int = 1) -> NDArray[np.floating[Any]]:
    """Heat-maps of a picture that was mirrored left to right, as those of the picture itself.

    Channel k takes what channel `partners[k]` says; columns are reversed and moved right by `shift`, the first ones
    keeping their own values: networks with a plain (not unbiased) fit answer one column off.

    >>> unmirror(np.arange(6.0).reshape(1, 1, 1, 6), [0])[0, 0, 0].tolist()
    [5.0, 5.0, 4.0, 3.0, 2.0, 1.0]
    """
    back = heatmaps[:, list(partners), :, ::-1].copy()
    if shift:
        back[..., shift:] = back[..., :-shift].copy()
    return back


def _quarter(maps: Any, rows: Any, cols: Any) -> tuple[Any, Any]:
    height, width = maps.shape[1:]
    values = _Around(maps, rows, cols)
    right = np.where((cols > 1) & (cols < width - 1) & (rows > 0), values(0, 1) - values(0, -1), 0)
    down = np.where((rows > 1) & (rows < height - 1) & (cols > 0), values(1, 0) - values(-1, 0), 0)
    return 0.25 * np.sign(down), 0.25 * np.sign(right)


def _dark(maps: Any, rows: Any, cols: Any) -> tuple[Any, Any]:
    height, width = maps.shape[1:]
    blurred = maps.astype(np.float64)
    for axis in (1, 2):
        blurred = gaussian_filter1d(blurred, BLUR_PX, axis=axis, mode="constant", radius=BLUR_RADIUS)
    values = _Around(np.log(np.maximum(blurred, LEAST)), rows, cols)
    by_row, by_col = (values(1, 0) - values(-1, 0)) / 2, (values(0, 1) - values(0, -1)) / 2
    row_row = (values(2, 0) - 2 * values(0, 0) + values(-2, 0)) / 4
    col_col = (values(0, 2) - 2 * values(0, 0) + values(0, -2)) / 4
    row_col = (values(1, 1) - values(-1, 1) - values(1, -1) + values(-1, -1)) / 4
    determinant = row_row * col_col - row_col**2
    is_top = (determinant > LEAST) & (row_row < 0)  # a saddle or a plain has no top to move to
    inside = (rows > 1) & (rows < height - 2) & (cols > 1) & (cols < width - 2)
    by = np.where(is_top & inside, determinant, np.inf)
    down, right = (row_col * by_col - col_col * by_row) / by, (row_col * by_row - row_row * by_col) / by
    return np.clip(down, -1, 1), np.clip(right, -1, 1)


class _Around:
    """The value some rows and columns away from each peak; beyond the border the border's."""

    def __init__(self, maps: Any, rows: Any, cols: Any) -> None:
        self.maps, self.rows, self.cols = maps, rows, cols

    def __call__(self, down: int, right: int) -> Any:
        height, width = self.maps.shape[1:]
        rows, cols = np.clip(self.rows + down, 0, height - 1), np.clip(self.cols + right, 0, width - 1)
        return self.maps[np.arange(len(rows)), rows, cols].astype(np.float64)
