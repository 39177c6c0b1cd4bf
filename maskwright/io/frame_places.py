"""Where and when survey frames were taken: from metadata.csv beside them, else from the pictures themselves (EXIF)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from maskwright.io.names import picture_name
from maskwright.io.tables import read_table

COLUMNS = (
    "GPSDateTime",
    "SubSecDateTimeOriginal",
    "GPSLatitude",
    "GPSLongitude",
    "GPSTrack",
    "GPSRoll",
    "GPSPitch",
    "GPSAltitude",
)
"""What is passed on, in this order, where a survey has it."""

_GPS_IFD, _SOUTH_OR_WEST = 0x8825, ("S", "W")


def frame_places(pictures: Mapping[str, Path]) -> dict[str, dict[str, str]]:
    """What is known of each frame's place and time, by picture name and column, as text; nothing where nothing is.

    A table metadata.csv is looked for beside the pictures and, as SeaTizen sessions have it, in METADATA/ beside
    their folder; its column FileName names frames. Frames no table speaks of are asked for their EXIF place.
    """
    said: dict[str, dict[str, str]] = {}
    for folder in sorted({path.parent for path in pictures.values()}):
        for table in (folder / "metadata.csv", folder / "METADATA" / "metadata.csv", *_session_tables(folder)):
            if table.is_file():
                said = {**dict(_rows(table)), **said}
    return {name: said.get(name) or _exif(path) for name, path in pictures.items()}


def _session_tables(folder: Path) -> Iterator[Path]:
    yield from (each / "METADATA" / "metadata.csv" for each in list(folder.parents)[:2])


def _rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    table = read_table(path)
    columns = table.columns(["filename"], [each.casefold() for each in COLUMNS])
    for _, cells in table.records(columns):
        known = {name: cells[name.casefold()] for name in COLUMNS if cells.get(name.casefold())}
        yield picture_name(cells["filename"]), known


def _exif(path: Path) -> dict[str, str]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            gps = picture.getexif().get_ifd(_GPS_IFD)
        latitude, longitude = _degrees(gps, 1), _degrees(gps, 3)
    except (OSError, UnidentifiedImageError, ValueError, TypeError, KeyError, SyntaxError, ZeroDivisionError):
        return {}  # a picture without a readable place has none
    if latitude is None or longitude is None:
        return {}
    return {"GPSLatitude": f"{latitude:.9f}", "GPSLongitude": f"{longitude:.9f}"}


def _degrees(gps: Mapping[int, Any], key: int) -> float | None:
    """Degrees out of EXIF's degrees, minutes and seconds; south and west are below 0."""
    if key + 1 not in gps:
        return None
    degrees, minutes, seconds = (float(each) for each in gps[key + 1])
    value = degrees + minutes / 60 + seconds / 3600
    return -value if str(gps.get(key, "")).strip().upper() in _SOUTH_OR_WEST else value
