"""What perfect coarse labels alone can reach: surveys simulated on two real reef maps, turned back into masks.

    python benchmarks/coarse.py SHARED_DATA [--json FILE]

Frames lie every s metres, the first at s/2 from the corner; a class's score is its share of the s x s window around the
frame. `published` lays cells of s metres on the map, stretched as the published code does, and scores the pixels they
cover, as the published simulation did. `ours` starts from frames in degrees and scores every pixel: one that stays
UNKNOWN is a miss. Each pair is pixel accuracy and mean IoU over the classes present.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from maskwright.methods.survey_scores import SurveyScores
from maskwright.metrics.overlap import Overlap
from maskwright.toys.places import degrees
from maskwright.types import UNKNOWN, Grid, Hint, Image, Mask, ScoreMap, Survey

NAMES = ("", "Acropora Branching", "Acropora Tabular", "Non-acropora Massive", "Other Corals", "Sand")
CRS, ZONE = "EPSG:32740", 40
ZONES = {
    "Saint-Leu": ("annotation_mask_stleu.png", 0.0140186, 322022.0949, 7657878.0087),
    "Trou d'Eau": ("annotation_mask_troudeau.png", 0.01, 317356.8237, 7665597.4108),
}
"""File, metres per pixel, and the place of the top left corner."""
STEPS_M = (0.25, 0.5, 1.0, 1.5, 2.0)
WAYS: dict[str, dict[str, Any]] = {
    "published": {"legacy": True},
    "published, no stretch": {"legacy": True, "stretch": False},
    "published, binary": {"legacy": True},
    "ours, one cell per step": {"cells_per_step": 1},
    "ours": {},
    "ours, no stretch": {"stretch": False},
}


def read_truth(folder: Path, zone: str) -> Mask:
    """A drawn map; 0 becomes UNKNOWN."""
    name, pixel_m, x, y = ZONES[zone]
    ids = np.array(Pillow.open(folder / "reef" / name))
    grid = Grid(*ids.shape, (pixel_m, 0.0, x, 0.0, -pixel_m, y), CRS)
    return Mask(np.where(ids == 0, UNKNOWN, ids).astype(np.uint8), NAMES, grid)


def simulate(truth: Mask, step_m: float, *, binary_above: float | None = None) -> tuple[Survey, ScoreMap]:
    """Frames every `step_m` with the shares of the classes around them, 0 or 1 with `binary_above`; and as a map."""
    step = step_m / truth.grid.pixel_size[0]
    rows, cols = (np.arange(step / 2, size, step) for size in truth.grid.shape)
    scores = np.array([[_shares(truth.class_ids, row, col, step / 2) for col in cols] for row in rows], np.float32)
    if binary_above is not None:
        scores = (scores > binary_above).astype(np.float32)
    at_rows, at_cols = np.meshgrid(rows - 0.5, cols - 0.5, indexing="ij")
    for each in (at_cols, turned := scores.copy()):
        each[1::2] = each[1::2, ::-1]  # there and back, as a boat goes
    places = degrees(*truth.grid.place(at_rows.ravel(), at_cols.ravel()), zone=ZONE, south=True)
    survey = Survey(*places, turned.reshape(-1, len(NAMES) - 1), NAMES[1:])
    assert truth.grid.transform is not None
    left, top = truth.grid.transform[2], truth.grid.transform[5]
    grid = Grid(len(rows), len(cols), (step_m, 0.0, left, 0.0, -step_m, top), CRS)
    return survey, ScoreMap(scores.transpose(2, 0, 1).copy(), NAMES[1:], grid)


def measure(
    truths: Sequence[Mask], hints: Sequence[Hint], settings: Mapping[str, Any], *, covered_only: bool
) -> tuple[float, float]:
    """Pixel accuracy and mean IoU of several zones together, each labelled with the quantiles of all."""
    metric, method = Overlap(NAMES), SurveyScores(**settings)
    tally = np.zeros((len(NAMES), len(NAMES) + 1), np.int64)
    for truth in truths:
        image = Image(np.zeros((*truth.grid.shape, 1), np.uint8), truth.grid)
        tally += metric.tally(method(image, hints, NAMES), truth)
    if covered_only:
        tally[:, -1] = 0
    scores = metric.scores(tally)
    return scores["pixel_accuracy"], scores["mean_iou"]


def measure_way(truths: Sequence[Mask], step_m: float, way: str) -> tuple[float, float]:
    """Pixel accuracy and mean IoU of one way of labelling."""
    made = [simulate(truth, step_m, binary_above=0.2 if "binary" in way else None) for truth in truths]
    is_published = way.startswith("published")
    hints: list[Hint] = [scores if is_published else survey for survey, scores in made]
    return measure(truths, hints, WAYS[way], covered_only=is_published)


def table(folder: Path) -> list[dict[str, Any]]:
    """One row per step and zone, and for both zones together, with both scores by way of labelling."""
    truths = {zone: read_truth(folder, zone) for zone in ZONES}
    rows: list[dict[str, Any]] = []
    for step in STEPS_M:
        for zones in [*([[zone] for zone in ZONES] if step < 2 else []), list(ZONES)]:
            chosen = [truths[zone] for zone in zones]
            scores = {way: [round(each, 3) for each in measure_way(chosen, step, way)] for way in WAYS}
            rows.append({"step_m": step, "zone": " and ".join(zones), **scores})
    return rows


def _shares(class_ids: NDArray[np.uint8], row: float, col: float, half: float) -> NDArray[np.float64]:
    top, left = max(round(row - half), 0), max(round(col - half), 0)
    seen = class_ids[top : round(row + half), left : round(col + half)]
    return np.bincount(seen.ravel(), minlength=256)[1 : len(NAMES)] / seen.size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = table(arguments.data)
    for row in rows:
        print(json.dumps(row))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
