"""What rooms hand to each other: frozen records of arrays, and one constant.

Inside the house everything is (row, col), and a pixel's coordinates are those of its centre. `Grid.place` and
`Grid.locate` are the only code that adds and takes off the half pixel which rasters count from the corner.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskwright.arrays.encode import Region
from maskwright.arrays.windows import Window

UNKNOWN = 255
"""Nobody knows this pixel. The only special id; background, where it exists, is a class with a name."""


class Slab(Protocol):
    """Pixels that may still lie in a file: they know their shape and dtype, and a slice reads them."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def __getitem__(self, key: Any, /) -> NDArray[Any]: ...

    def __array__(self, dtype: Any = None, /, *, copy: bool | None = None) -> NDArray[Any]: ...


@dataclass(frozen=True)
class Grid:
    """Where pixels lie: size, and the affine transform of the raster's corner in a coordinate system.

    `transform` is (a, b, c, d, e, f) with x = a*col + b*row + c and y = d*col + e*row + f counted from the top left
    *corner* of the top left pixel, as GDAL and rasterio write it. Without one, x is the column and y the row.

    >>> grid = Grid(4, 6, transform=(0.5, 0.0, 100.0, 0.0, -0.5, 200.0), crs="EPSG:32740")
    >>> grid.place(0, 0)
    (100.25, 199.75)
    >>> grid.locate(100.25, 199.75)
    (0.0, 0.0)
    >>> Grid(4, 6).place(2, 5)
    (5.0, 2.0)
    """

    height: int
    width: int
    transform: tuple[float, float, float, float, float, float] | None = None
    crs: str | None = None

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ValueError(f"a grid has at least one pixel; got height {self.height} and width {self.width}")
        if self.transform is not None and len(self.transform) != 6:
            raise ValueError(f"a transform has 6 numbers; got {len(self.transform)}")

    @property
    def shape(self) -> tuple[int, int]:
        return self.height, self.width

    @property
    def window(self) -> Window:
        """All of it."""
        return Window(0, 0, self.height, self.width)

    @property
    def pixel_size(self) -> tuple[float, float]:
        """Height and width of a pixel in the units of the coordinate system; (1, 1) without a transform."""
        if self.transform is None:
            return 1.0, 1.0
        a, b, _, d, e, _ = self.transform
        return float(np.hypot(b, e)), float(np.hypot(a, d))

    @overload
    def place(self, row: float, col: float) -> tuple[float, float]: ...
    @overload
    def place(self, row: NDArray[Any], col: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...
    def place(self, row: Any, col: Any) -> tuple[Any, Any]:
        """(x, y) of the centre of pixel (row, col); takes numbers or arrays."""
        row, col = _float(row), _float(col)
        if self.transform is None:
            return col, row
        a, b, c, d, e, f = self.transform
        row, col = row + 0.5, col + 0.5
        return a * col + b * row + c, d * col + e * row + f

    @overload
    def locate(self, x: float, y: float) -> tuple[float, float]: ...
    @overload
    def locate(self, x: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...
    def locate(self, x: Any, y: Any) -> tuple[Any, Any]:
        """(row, col) of a place, pixel centres at whole numbers; the inverse of `place`."""
        x, y = _float(x), _float(y)
        if self.transform is None:
            return y, x
        a, b, c, d, e, f = self.transform
        determinant = a * e - b * d
        if determinant == 0:
            raise ValueError(f"the transform {self.transform} has no inverse")
        x, y = x - c, y - f
        return (a * y - d * x) / determinant - 0.5, (e * x - b * y) / determinant - 0.5

    def holds(self, rows: ArrayLike, cols: ArrayLike) -> NDArray[np.bool_]:
        """Which places fall on a pixel of this grid."""
        rows, cols = np.asarray(rows, float), np.asarray(cols, float)
        inside: NDArray[np.bool_] = (
            (rows >= -0.5) & (rows < self.height - 0.5) & (cols >= -0.5) & (cols < self.width - 0.5)
        )
        return inside

    def crop(self, window: Window) -> Grid:
        """The grid of a window of this one; every pixel keeps its place."""
        if window.meet(self.window) != window:
            raise ValueError(f"{window} does not lie inside {self.height} x {self.width} pixels")
        transform = self.transform
        if transform is not None:
            a, b, c, d, e, f = transform
            c, f = a * window.left + b * window.top + c, d * window.left + e * window.top + f
            transform = (a, b, c, d, e, f)
        return Grid(window.height, window.width, transform, self.crs)


@dataclass(frozen=True, eq=False)
class Image:
    """A picture: pixels (height, width, channels) in the file's own dtype, its grid, and where there is data.

    Nobody does more with `pixels` and `valid` than slice them or `np.asarray` them, so a big raster may stay in its
    file. `valid` may be left out when every pixel has data.
    """

    pixels: NDArray[Any] | Slab
    grid: Grid = None  # type: ignore[assignment]  # filled below
    valid: NDArray[np.bool_] | Slab = None  # type: ignore[assignment]  # filled below

    def __post_init__(self) -> None:
        if len(self.pixels.shape) != 3:
            raise ValueError(f"pixels are (height, width, channels); got shape {self.pixels.shape}")
        height, width = self.pixels.shape[:2]
        if self.grid is None:
            object.__setattr__(self, "grid", Grid(height, width))
        if self.valid is None:
            object.__setattr__(self, "valid", np.broadcast_to(np.True_, (height, width)))
        if self.grid.shape != (height, width) or tuple(self.valid.shape) != (height, width):
            raise ValueError(
                f"pixels are {height} x {width} but the grid is {self.grid.height} x {self.grid.width} "
                f"and valid is {' x '.join(map(str, self.valid.shape))}"
            )

    @property
    def is_all_valid(self) -> bool:
        """Whether every pixel has data.

        >>> Image(np.zeros((1, 2, 3))).is_all_valid, Image(np.zeros((1, 2, 3)), valid=np.eye(1, 2) > 0).is_all_valid
        (True, False)
        """
        valid = self.valid if isinstance(self.valid, np.ndarray) else np.asarray(self.valid, bool)
        if not any(valid.strides):  # one value stands for all
            valid = valid[:1, :1]
        return bool(valid.all())

    def crop(self, window: Window) -> Image:
        """The part of the picture inside a window, read now."""
        rows, cols = window.slices
        valid = np.asarray(self.valid[rows, cols], dtype=bool)
        return Image(np.asarray(self.pixels[rows, cols]), self.grid.crop(window), valid)


@dataclass(frozen=True)
class Step:
    """One line of a history: what was done, with which settings, weights (a hash) and inputs (hashes by role)."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    weights: str | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, method: Any, *, weights: str | None = None) -> Step:
        """The step a method record stands for: its class name in words and its settings.

        >>> @dataclass(frozen=True)
        ... class NearestPoint:
        ...     reach_px: float = 4.0
        >>> Step.of(NearestPoint())
        Step(name='nearest_point', settings={'reach_px': 4.0}, weights=None, inputs={})
        """
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(method).__name__).lower()
        settings = {each.name: getattr(method, each.name) for each in dataclasses.fields(method) if each.init}
        return cls(name, settings, weights)


@dataclass(frozen=True, eq=False)
class Mask:
    """One class per pixel: uint8 ids (height, width), 255 where nobody knows.

    `class_names[id]` is a class's name; an id nobody uses has the empty name. `confidence` is float32 in [0, 1].
    """

    class_ids: NDArray[np.uint8]
    class_names: tuple[str, ...]
    grid: Grid = None  # type: ignore[assignment]  # filled below
    confidence: NDArray[np.float32] | None = None
    history: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        if self.class_ids.ndim != 2 or self.class_ids.dtype != np.uint8:
            raise ValueError(f"class_ids are uint8 (height, width); got {self.class_ids.dtype} {self.class_ids.shape}")
        if len(self.class_names) > UNKNOWN:
            raise ValueError(f"ids go from 0 to 254; got {len(self.class_names)} class names")
        if self.grid is None:
            object.__setattr__(self, "grid", Grid(*self.class_ids.shape))
        if self.grid.shape != self.class_ids.shape:
            raise ValueError(f"class_ids are {self.class_ids.shape} but the grid is {self.grid.shape}")
        if self.confidence is not None and (
            self.confidence.shape != self.class_ids.shape or self.confidence.dtype != np.float32
        ):
            raise ValueError(
                f"confidence is float32 {self.class_ids.shape}; got {self.confidence.dtype} {self.confidence.shape}"
            )

    def after(self, step: Step, class_ids: NDArray[np.uint8], confidence: NDArray[np.float32] | None = None) -> Mask:
        """The mask after one more step. The old confidence is never carried along: it spoke of other pixels."""
        return Mask(class_ids, self.class_names, self.grid, confidence, (*self.history, step))


@dataclass(frozen=True, eq=False)
class Instances:
    """Objects that may overlap: run-length regions on one grid, with a class id and a score each.

    Where a file says more, it is kept: `crowd` marks regions that stand for many objects, `areas` are the file's own
    (of polygons, not pixels) and `extents` its boxes as top, left, height, width, to the last bit.
    """

    regions: tuple[Region, ...]
    class_ids: NDArray[np.uint8]
    scores: NDArray[np.float32] | NDArray[np.float64]
    class_names: tuple[str, ...]
    grid: Grid
    history: tuple[Step, ...] = ()
    crowd: NDArray[np.bool_] | None = None
    areas: NDArray[np.float64] | None = None
    extents: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        count = len(self.regions)
        if self.class_ids.shape != (count,) or self.scores.shape != (count,):
            raise ValueError(
                f"{count} regions need {count} class ids and scores; got {self.class_ids.shape} and {self.scores.shape}"
            )
        for name, shape in (("crowd", (count,)), ("areas", (count,)), ("extents", (count, 4))):
            if (given := getattr(self, name)) is not None and given.shape != shape:
                raise ValueError(f"{count} regions need {name} of shape {shape}; got {given.shape}")
        for region in self.regions:
            if region.counts.size and region.box.meet(self.grid.window) != region.box:
                raise ValueError(f"{region.box} does not lie inside {self.grid.height} x {self.grid.width} pixels")

    def flat(self, background: int = UNKNOWN) -> Mask:
        """One class per pixel: a higher score lies on top, of equal scores the later one; elsewhere `background`."""
        from maskwright.arrays.encode import paint

        class_ids = np.full(self.grid.shape, background, np.uint8)
        for index in np.argsort(self.scores, kind="stable"):
            paint(class_ids, self.regions[index], self.class_ids[index])
        return Mask(class_ids, self.class_names, self.grid, history=self.history)


@dataclass(frozen=True, eq=False)
class Points:
    """Places somebody named: rows, cols (float64, pixel centres at whole numbers) and class ids, (n,) each.

    Scribbles are many points; one point per object has `object_ids`; `weights` say how much each is trusted.
    """

    rows: NDArray[np.float64]
    cols: NDArray[np.float64]
    class_ids: NDArray[np.uint8]
    object_ids: NDArray[np.int64] | None = None
    weights: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        sizes = {each.shape for each in (self.rows, self.cols, self.class_ids)}
        sizes |= {each.shape for each in (self.object_ids, self.weights) if each is not None}
        if len(sizes) != 1 or len(next(iter(sizes))) != 1:
            raise ValueError(f"the fields of points are all (n,); got shapes {sorted(sizes)}")

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def pixels(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Row and column of the pixel each point falls on; a point on a border belongs to the later pixel."""
        return np.floor(self.rows + 0.5).astype(np.intp), np.floor(self.cols + 0.5).astype(np.intp)


@dataclass(frozen=True, eq=False)
class Keypoints:
    """Body points of one animal: names, rows, cols (nan where not seen) and scores, (n,) each.

    `object_id` says which object of the picture's Instances (counted from 0) is this animal's outline.
    """

    names: tuple[str, ...]
    rows: NDArray[np.float64]
    cols: NDArray[np.float64]
    scores: NDArray[np.float64]
    object_id: int | None = None

    def __post_init__(self) -> None:
        count = len(self.names)
        if any(each.shape != (count,) for each in (self.rows, self.cols, self.scores)):
            raise ValueError(f"{count} names need {count} rows, cols and scores")


@dataclass(frozen=True)
class Tags:
    """What is in a picture, what is not, and how `likely` others are (above 0, below 1); any other tag is unknown."""

    present: frozenset[str]
    absent: frozenset[str]
    likely: Mapping[str, float] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if both := self.present & self.absent:
            raise ValueError(f"{sorted(both)} cannot be both present and absent")
        sure = self.present | self.absent
        if wrong := [name for name, value in self.likely.items() if not 0 < value < 1 or name in sure]:
            raise ValueError(f"{wrong} are to be likely above 0 and below 1, and neither present nor absent")


@dataclass(frozen=True, eq=False)
class Survey:
    """Frames taken along a way, in the order taken: where each was, and how sure a classifier is of each class in it.

    `latitude` and `longitude` are degrees of WGS 84, float64 (frames,); `scores` float32 (frames, classes) in [0, 1]
    for `class_names`, nan where a class was not looked at. `attitudes` float64 (frames, 4), where the camera looked
    from: track (degrees clockwise from north), pitch, roll (degrees) and altitude (metres above the ground).
    """

    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
    scores: NDArray[np.float32]
    class_names: tuple[str, ...]
    attitudes: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        count = len(self.latitude)
        shapes = self.latitude.shape, self.longitude.shape, self.scores.shape
        if shapes != ((count,), (count,), (count, len(self.class_names))):
            raise ValueError(f"{len(self.class_names)} classes need places (n,) and scores (n, classes); got {shapes}")
        if self.attitudes is not None and self.attitudes.shape != (count, 4):
            raise ValueError(f"{count} frames need attitudes of shape ({count}, 4); got {self.attitudes.shape}")

    def __len__(self) -> int:
        return len(self.latitude)


@dataclass(frozen=True, eq=False)
class ScoreMap:
    """How sure somebody is of each class on a grid of their own: float32 (classes, height, width) in [0, 1].

    nan means that a class was not looked at there. The rasters that another sensor made, one per class, are one map.
    """

    scores: NDArray[np.float32]
    class_names: tuple[str, ...]
    grid: Grid

    def __post_init__(self) -> None:
        if self.scores.shape != (len(self.class_names), *self.grid.shape):
            raise ValueError(
                f"{len(self.class_names)} classes on {self.grid.height} x {self.grid.width} pixels need scores of that "
                f"shape; got {self.scores.shape}"
            )


Hint = Points | Keypoints | Tags | Mask | Instances | Survey | ScoreMap


@dataclass(frozen=True, eq=False)
class Sample:
    """A picture, or a piece of one, on disk and what is known about it; cheap to send to a worker."""

    name: str
    image_path: Path
    piece: Window | None = None
    hints: tuple[Hint, ...] = ()
    mask_paths: tuple[Path, ...] = ()
    site: str | None = None


def named_classes(class_names: Sequence[str]) -> dict[int, str]:
    """Id to name of the classes that have a name.

    >>> named_classes(("", "coral", "sand"))
    {1: 'coral', 2: 'sand'}
    """
    return {class_id: name for class_id, name in enumerate(class_names) if name}


def _float(value: Any) -> Any:
    return float(value) if np.ndim(value) == 0 else np.asarray(value, np.float64)
