"""How much ground each class of a map covers, counted band by band so that a map of any size will do."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.io.classes import Classes
from maskwright.io.outputs import write_atomically
from maskwright.pipelines.ground import ground_of
from maskwright.pipelines.mask_files import MaskFile
from maskwright.types import UNKNOWN

UNITS = {"pixels": "px", "area_m2": "m2", "area_ha": "ha", "share_percent": "% of what is known"}


@dataclass(frozen=True)
class ClassArea:
    """One class of a map; the row whose id is 255 is what nobody knows. Areas are None off Earth."""

    class_id: int
    name: str
    color: str
    pixels: int
    area_m2: float | None
    area_ha: float | None
    share_percent: float | None


def class_areas(mask: MaskFile, classes: Classes) -> tuple[ClassArea, ...]:
    """A row for every named class, present or not, in the order of ids, and one for UNKNOWN.

    Shares are of the known pixels' area on the ground (of their number off Earth) and sum to 100; where nothing is
    known there are none.
    """
    rows = np.zeros((mask.grid.height, 256), np.int64)
    top = 0
    for band in mask.bands():
        height = band.class_ids.shape[0]
        places = band.class_ids + (np.arange(height, dtype=np.int32) * 256)[:, None]
        rows[top : top + height] = np.bincount(places.ravel(), minlength=256 * height).reshape(height, 256)
        top += height
    ground = ground_of(mask.grid)
    pixels = rows.sum(axis=0)
    areas = rows.T @ ground.row_areas_m2 if ground else pixels.astype(np.float64)
    known = float(np.delete(areas, UNKNOWN).sum())
    names = {**classes.named, UNKNOWN: "unknown"}
    return tuple(
        ClassArea(
            class_id,
            name,
            "" if class_id == UNKNOWN else classes.colors[class_id],
            int(pixels[class_id]),
            float(areas[class_id]) if ground else None,
            float(areas[class_id]) / 10_000 if ground else None,
            None if class_id == UNKNOWN or not known else 100 * float(areas[class_id]) / known,
        )
        for class_id, name in names.items()
    )


def write_areas(folder: Path, areas: Sequence[ClassArea]) -> tuple[Path, Path]:
    """Write areas.csv (an empty cell where there is no area) and areas.json, which holds the units too."""
    rows = [asdict(each) for each in areas]
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(rows[0])
    table.writerows([["" if value is None else value for value in each.values()] for each in rows])
    write_atomically(folder / "areas.csv", text.getvalue().encode())
    told: dict[str, Any] = {"units": UNITS, "classes": rows}
    write_atomically(folder / "areas.json", (json.dumps(told, indent=1, ensure_ascii=False) + "\n").encode())
    return folder / "areas.csv", folder / "areas.json"


def rounded_shares(shares: Sequence[float], digits: int = 1) -> list[float]:
    """Shares of 100 rounded so that they still sum to 100: those that lost most in rounding down get the rest.

    >>> rounded_shares([100 / 3, 100 / 3, 100 / 3])
    [33.4, 33.3, 33.3]
    """
    scale = 10**digits
    exact = np.asarray(shares, np.float64) * scale
    whole = np.floor(exact + 1e-9).astype(np.int64)
    missing = round(float(exact.sum())) - int(whole.sum())
    order = np.argsort(whole - exact, kind="stable")
    whole[order[:missing]] += 1
    return [float(each) / scale for each in whole]
