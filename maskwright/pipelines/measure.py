"""How much of what there is in masks: areas, cover, counts and lengths, per picture, per class and per site.

Of each class in each picture:

- `pixels`, and `area_m2` where the picture lies on Earth;
- `cover_fraction`: its share of the pixels that are known (not UNKNOWN);
- `count`: connected objects, corners connect;
- `border_px`, `border_m`: the sides of pixels between it and anything else, the picture's edge included;
- `longest_px`, `longest_m`: the greatest distance between two corners of its largest object.
"""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import MaskwrightError
from maskwright.pipelines import mask_files
from maskwright.pipelines.class_measures import measured
from maskwright.pipelines.ground import ground_of
from maskwright.pipelines.mask_files import find_masks, read_sites
from maskwright.pipelines.outcome import Progress
from maskwright.types import Mask

QUANTITIES = ("pixels", "area_m2", "count", "border_px", "border_m")
"""What adds up over pictures, in the order of a tally's columns; `known` pixels and pictures come behind."""
UNITS = {
    "pixels": "px",
    "area_m2": "m2",
    "cover_fraction": "1",
    "count": "objects",
    "border_px": "px",
    "border_m": "m",
    "longest_px": "px",
    "longest_m": "m",
}


@dataclass(frozen=True, eq=False)
class PictureMeasures:
    """The measures of one picture: class name to quantity to number (None where it has no meaning there)."""

    name: str
    site: str
    known_pixels: int
    classes: Mapping[str, Mapping[str, float | None]]
    how: str | None


def measure(
    masks: str | Path,
    *,
    by: str | None = None,
    classes: str | Path | None = None,
    sites: str | Path | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> dict[str, Any]:
    """Measure the masks of a folder, a file or a glob.

    Gives `classes` (totals over all pictures, the cover and the means per picture with their 95 % interval between
    pictures), `by_picture`, the `units`, `failed`, and with `by="site"` also `by_site`; then whole sites are drawn for
    the intervals of `classes`. A site is what the table `sites` (CSV image,site) says, else the folder of the mask.
    """
    if by not in (None, "site"):
        raise ValueError(f"measures are grouped by 'site' or not at all; got by={by!r}")
    from maskwright.io.classes import read_classes

    known = read_classes(classes) if classes is not None else None
    paths = find_masks(masks)
    site_of = _sites(paths, sites)
    pictures, failed, start = [], [], time.monotonic()
    for name, path in paths.items():
        try:
            pictures.append(_measure_file(name, path, site_of[name], known))
        except (MaskwrightError, OSError) as error:
            failed.append({"name": name, "reason": str(error)})
        if progress:
            progress(Progress(len(pictures), len(paths), 0, len(failed), time.monotonic() - start))
    return _summary(pictures, by, failed)


def measure_mask(mask: Mask) -> dict[str, dict[str, float | None]]:
    """The measures of one mask: class name to quantity to number; quantities on the ground are None off Earth.

    Every named class is there, with 0 where it has no pixel. A class of the mask without a name is called by its id.
    """
    return measured([mask], mask.grid)[0]


def write_measures(path: str | Path, measures: Mapping[str, Any]) -> None:
    """Write one line per picture and class as CSV; an empty cell is a quantity without meaning there."""
    from maskwright.io.outputs import write_atomically

    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["image", "site", "class", *UNITS])
    for picture in measures["by_picture"]:
        for name, found in picture["classes"].items():
            table.writerow([picture["name"], picture["site"], name, *(_cell(found[key]) for key in UNITS)])
    write_atomically(path, text.getvalue().encode("utf-8"))


def _measure_file(name: str, path: Path, site: str, classes: Any) -> PictureMeasures:
    """The measures of a file; one too large to hold is read in bands of rows."""
    from maskwright.io.images import picture_size
    from maskwright.io.masks import read_mask

    if math.prod(picture_size(path)) > mask_files.LARGE_PIXELS:
        file = mask_files.MaskFile(path, classes)
        bands, grid = file.bands(), file.grid
    else:
        mask = read_mask(path, classes)
        bands, grid = iter([mask]), mask.grid
    found, known = measured(bands, grid)
    ground = ground_of(grid)
    return PictureMeasures(name, site, known, found, ground.how if ground else None)


def _sites(paths: Mapping[str, Path], sites: str | Path | None) -> dict[str, str]:
    if sites is None:
        return {name: path.resolve().parent.name for name, path in paths.items()}
    table = read_sites(sites)
    return {name: table.get(name, "") for name in paths}


def _summary(pictures: Sequence[PictureMeasures], by: str | None, failed: list[dict[str, str]]) -> dict[str, Any]:
    names = list(dict.fromkeys(name for picture in pictures for name in picture.classes))
    result: dict[str, Any] = {
        "pictures": len(pictures),
        "units": UNITS,
        "area_method": sorted({each.how for each in pictures if each.how}),
        "intervals": "95 % bootstrap by " + ("site" if by else "picture"),
        "classes": _totals(pictures, names, [each.site for each in pictures] if by else None),
    }
    if by:
        groups: dict[str, list[PictureMeasures]] = {}
        for each in pictures:
            groups.setdefault(each.site, []).append(each)
        result["by_site"] = {
            site: {"pictures": len(group), "classes": _totals(group, names, None)} for site, group in groups.items()
        }
    rows = [
        {"name": e.name, "site": e.site, "known_pixels": e.known_pixels, "classes": dict(e.classes)} for e in pictures
    ]
    return {**result, "by_picture": rows, "failed": failed}


def _totals(
    pictures: Sequence[PictureMeasures], names: Sequence[str], sites: Sequence[str] | None
) -> dict[str, dict[str, Any]]:
    """Per class: sums, the longest object, and cover and means per picture with their intervals between pictures."""
    if not pictures:
        return {}
    from maskwright.metrics.intervals import bootstrap

    tallies = [_tally(picture, names) for picture in pictures]
    spread = bootstrap(tallies, lambda tally: _rates(tally, names), sites=sites)
    total = np.sum(tallies, axis=0)
    on_earth = all(picture.how for picture in pictures)
    classes = {}
    for row, name in enumerate(names):
        sums = {key: _total(key, float(total[row, column]), on_earth) for column, key in enumerate(QUANTITIES)}
        longest = {key: _most(pictures, name, key) for key in ("longest_px", "longest_m")}
        rates = {key: each for key, each in spread[name].items() if on_earth or "_m" not in key}
        classes[name] = {**sums, **longest, **rates}
    return classes


def _tally(picture: PictureMeasures, names: Sequence[str]) -> NDArray[np.float64]:
    """(classes + 1, quantities): a row per class; the last row holds the known pixels and a 1 for the picture."""
    table = np.zeros((len(names) + 1, len(QUANTITIES)))
    for row, name in enumerate(names):
        found = picture.classes.get(name, {})
        table[row] = [found.get(key) or 0.0 for key in QUANTITIES]
    table[-1, :2] = picture.known_pixels, 1
    return table


def _rates(tally: NDArray[np.float64], names: Sequence[str]) -> dict[str, dict[str, float]]:
    known, pictures = tally[-1, :2]
    rates = {}
    for row, name in enumerate(names):
        means = {f"mean_{key}": float(tally[row, column] / pictures) for column, key in enumerate(QUANTITIES)}
        rates[name] = {"cover_fraction": float(tally[row, 0] / known) if known else math.nan, **means}
    return rates


def _total(key: str, value: float, on_earth: bool) -> float | int | None:
    if key.endswith(("_m", "_m2")):
        return value if on_earth else None
    return int(value)


def _most(pictures: Sequence[PictureMeasures], name: str, key: str) -> float | None:
    values = [found for each in pictures if (found := each.classes.get(name, {}).get(key)) is not None]
    return max(values) if values else None


def _cell(value: float | None) -> str:
    return "" if value is None or value != value else repr(value)
