"""Predict with a tagger: pictures to a table of scores with places, as surveys are read, and a table of tags.

`scores.csv` has a row per frame (FileName, a column per tag, what is known of place and time) and goes straight into
`maskwright label survey_scores`; `tags.csv` (image,class,present) is a hint file. `scores.json` is the story.
"""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.arrays.colour_scale import to_rgb_bytes
from maskwright.errors import InputError, MaskwrightError
from maskwright.io.frame_places import COLUMNS, frame_places
from maskwright.io.images import file_sha256, read_image
from maskwright.io.outputs import write_atomically
from maskwright.io.samples import find_pictures
from maskwright.io.tags import write_tags
from maskwright.io.texts import read_json
from maskwright.pipelines.fingerprints import path_hash
from maskwright.pipelines.folders import prepare_folder
from maskwright.pipelines.outcome import Outcome, Progress, Report
from maskwright.types import Tags

SCORES, TAGS, STORY = "scores.csv", "tags.csv", "scores.json"
WRITE_EVERY = 64

Row = dict[str, Any]


def holds_tagger(model: Path) -> bool:
    """Whether a model folder is one of a tagger; nothing heavy is loaded to see it."""
    return (model / "threshold.json").is_file() and (model / "config.json").is_file()


def predict_tags(
    model: str | Path,
    images: str | Path,
    *,
    out: str | Path,
    batch: int = 8,
    fresh: bool = False,
    progress: Report | None = None,
) -> Outcome:
    """A tagger to scores and tags of pictures; rows of the same picture by the same model are left as they are."""
    from maskwright.models.tagger import read_tagger

    pictures = find_pictures(images)
    folder = prepare_folder(out, fresh=fresh)
    sha256 = path_hash(Path(model))
    rows = _rows_there(folder, sha256)
    hashes, failed = _hashes(pictures)
    waiting = [name for name in hashes if rows.get(name, {}).get("sha256") != hashes[name]]
    rows = {name: rows[name] for name in hashes if name not in set(waiting)}
    skipped, began = len(rows), time.perf_counter()
    if not waiting:
        return Outcome(0, skipped, tuple(failed), folder)
    tagger = read_tagger(model)
    places = frame_places(pictures)
    for start in range(0, len(waiting), batch):
        part = waiting[start : start + batch]
        rows.update(_judged(tagger, {name: pictures[name] for name in part}, hashes, failed))
        if start // WRITE_EVERY != (start + batch) // WRITE_EVERY or start + batch >= len(waiting):
            _write(folder, tagger, Path(model), sha256, {name: rows[name] for name in pictures if name in rows}, places)
        if progress is not None:
            seconds = time.perf_counter() - began
            progress(Progress(len(rows) - skipped, len(pictures), skipped, len(failed), seconds))
    return Outcome(len(rows) - skipped, skipped, tuple(failed), folder)


def _hashes(pictures: Mapping[str, Path]) -> tuple[dict[str, str], list[tuple[str, str]]]:
    hashes: dict[str, str] = {}
    failed: list[tuple[str, str]] = []
    for name, path in pictures.items():
        try:
            hashes[name] = file_sha256(path)
        except MaskwrightError as error:
            failed.append((name, str(error)))
    return hashes, failed


def _judged(
    tagger: Any, pictures: Mapping[str, Path], hashes: Mapping[str, str], failed: list[tuple[str, str]]
) -> dict[str, Row]:
    """Rows of the pictures that open; those that don't are noted as failed."""
    shown = {}
    for name, path in pictures.items():
        try:
            image = read_image(path)
            shown[name] = to_rgb_bytes(np.asarray(image.pixels), np.asarray(image.valid, bool))
        except MaskwrightError as error:
            failed.append((name, str(error)))
    scores = tagger(list(shown.values())) if shown else []
    return {
        name: {"file": pictures[name].name, "sha256": hashes[name], "scores": [round(float(each), 6) for each in row]}
        for name, row in zip(shown, scores, strict=True)
    }


def _rows_there(folder: Path, sha256: str | None) -> dict[str, Row]:
    """Rows that this very model wrote here earlier; rows of another model are an error, not an overwriting."""
    path = folder / STORY
    if not path.is_file():
        for name in (SCORES, TAGS):
            if (folder / name).exists():
                raise InputError(
                    f"{folder / name} was not made by this command, and would be replaced; give another --out"
                )
        return {}
    said = read_json(path)
    if said.get("model", {}).get("sha256") != sha256:
        raise InputError(f"{path} is of another model; expected one model per folder; give another --out, or --fresh")
    rows: dict[str, Row] = said["pictures"]
    return rows


def _write(
    folder: Path,
    tagger: Any,
    model: Path,
    sha256: str | None,
    rows: Mapping[str, Row],
    places: Mapping[str, Mapping[str, str]],
) -> None:
    known = [column for column in COLUMNS if any(places[name].get(column) for name in rows)]
    write_atomically(folder / SCORES, _table(tagger.tags, rows, places, known).encode())
    present = tagger.present(
        np.array([row["scores"] for row in rows.values()], np.float64).reshape(-1, len(tagger.tags))
    )
    tags = {
        name: Tags(
            frozenset(tag for tag, there in zip(tagger.tags, row, strict=True) if there),
            frozenset(tag for tag, there in zip(tagger.tags, row, strict=True) if not there),
        )
        for name, row in zip(rows, present, strict=True)
    }
    write_tags(folder / TAGS, tags)
    story = {
        "model": {"path": model.name, "sha256": sha256},
        "tags": list(tagger.tags),
        "thresholds": list(tagger.thresholds),
        "precision": tagger.backbone.precision,
        "pictures": dict(rows),
    }
    write_atomically(folder / STORY, (json.dumps(story, indent=1) + "\n").encode())


def _table(
    tags: Sequence[str], rows: Mapping[str, Row], places: Mapping[str, Mapping[str, str]], columns: Sequence[str]
) -> str:
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["FileName", *tags, *columns])
    for name, row in rows.items():
        scores = [f"{each:.6f}" for each in row["scores"]]
        writer.writerow([row["file"], *scores, *(places[name].get(column, "") for column in columns)])
    return file.getvalue()
