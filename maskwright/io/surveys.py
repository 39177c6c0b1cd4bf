"""Surveys: frames with places and scores, and session folders with the rasters and orthophotos made from them.

A session is a folder `YYYYMMDD_CCC-PLACE_DEVICE-n_mm` as SeaTizen publishes it:

    METADATA/predictions_scores_gps.csv                          frames with scores
    METADATA/predictions_gps.csv                                 frames with 0 or 1
    PROCESSED_DATA/IA/<session>_<class>_raster.tif               one raster of scores per class
    PROCESSED_DATA/PHOTOGRAMMETRY/odm_orthophoto/odm_orthophoto.tif
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import EmptyResultError, FormatError, GridError, InputError
from maskwright.io.classes import Classes
from maskwright.io.images import rasters_module
from maskwright.io.names import natural_order, picture_name
from maskwright.io.problems import Problems
from maskwright.io.tables import Table, number, read_table
from maskwright.types import Grid, ScoreMap, Survey

SCORES, BINARY = "predictions_scores_gps.csv", "predictions_gps.csv"
ORTHOPHOTO = Path("PROCESSED_DATA", "PHOTOGRAMMETRY", "odm_orthophoto", "odm_orthophoto.tif")
_RASTER = "_raster.tif"
_FRAME, _LATITUDE, _LONGITUDE = "filename", "gpslatitude", "gpslongitude"
_ATTITUDE = ("gpstrack", "gpspitch", "gpsroll", "gpsaltitude")
_NO_CLASS = ("gps", "subsec", "date", "time")
"""Columns whose name begins so are no classes."""

_log = logging.getLogger(__name__)


def holds_survey(path: str | Path) -> bool:
    """Whether a path is a table of frames with places, a session, a folder of sessions or a list of them."""
    path = Path(path)
    if path.is_dir():
        return bool(_sessions_below(path))
    if path.suffix.lower() not in (".csv", ".tsv", ".txt"):
        return False
    header = set(read_table(path).header())
    return {_FRAME, _LATITUDE, _LONGITUDE} <= header or {"root_folder", "session_name"} <= header


def read_surveys(path: str | Path, classes: Classes | None = None) -> tuple[Survey | ScoreMap, ...]:
    """Read a table of frames, or all sessions of a folder or list that have scores, in order of their names.

    Of a session the frames' scores are taken; where it has none, its class rasters; where it has neither, its 0 and 1.
    With `classes` other columns and rasters come along where they hold nothing but scores: a method may merge them, or
    judge frames by them.
    """
    path = Path(path)
    if not path.is_dir() and "session_name" not in read_table(path).header():
        return (read_survey(path, classes),)
    sessions = find_sessions(path)
    read = [each for session in sessions if (each := _read_session(session, classes)) is not None]
    if not read:
        expected = f"expected METADATA/{SCORES} or PROCESSED_DATA/IA/*{_RASTER}"
        raise EmptyResultError(f"{path}: none of its {len(sessions)} sessions has scores; {expected}; classify first")
    return tuple(read)


def read_survey(path: str | Path, classes: Classes | None = None) -> Survey:
    """Read frames from a CSV `FileName, <a column per class>, GPSLatitude, GPSLongitude`, in the file's order.

    Columns that begin with GPS, SubSec, Date or Time are no classes; of them GPSTrack, GPSPitch, GPSRoll and
    GPSAltitude say where the camera looked from. Frames without a place are left out; an empty score is nan. Scores
    are from 0 to 1. All problems of a file are told at once, each with its line. With `classes` a column that is none
    of theirs is read where all of it are scores, and else passed over.
    """
    table = read_table(path)
    table.columns([_FRAME, _LATITUDE, _LONGITUDE])
    names = class_columns(table, classes)
    columns = {each: table.header().index(each) for each in (_LATITUDE, _LONGITUDE, *_attitude_columns(table))}
    rows = [(*each, row) for each, row in zip(table.records(columns), table.rows[1:], strict=True)]
    placed = [each for each in rows if each[1][_LATITUDE] or each[1][_LONGITUDE]]
    if not placed:
        raise EmptyResultError(f"{path}: no frame has a place; expected GPSLatitude and GPSLongitude; add them")
    if len(placed) < len(rows):
        _log.warning("%s: %d of %d frames have no place and are left out", path, len(rows) - len(placed), len(rows))
    problems, frames = Problems(path), []
    for where, cells, row in placed:
        try:
            frames.append(_frame(cells, row, names, where))
        except InputError as error:
            problems.add(error)
    problems.check()
    places, attitudes, scores = zip(*frames, strict=True)
    latitude, longitude = np.array(places, np.float64).T.copy()
    looked = np.array(attitudes, np.float64) if len(columns) == 6 else None
    return Survey(latitude, longitude, np.array(scores, np.float32), tuple(names), looked)


def survey_classes(surveys: Sequence[Survey | ScoreMap]) -> tuple[str, ...]:
    """All classes that surveys have scores for, sorted."""
    return tuple(sorted({name for each in surveys for name in each.class_names}))


def read_class_rasters(folder: str | Path, session: str, classes: Classes | None = None) -> ScoreMap | None:
    """The rasters `<session>_<class>_raster.tif` of a folder as one map of scores, or None where there are none.

    They must lie on one grid. nodata becomes nan. In file names a class's `/` is written `_`; with `classes` it is
    called as they call it, and a raster that is none of theirs is read where it fits the others.
    """
    found = {
        path.name[len(session) + 1 : -len(_RASTER)]: path
        for path in sorted(Path(folder).glob("*" + _RASTER))
        if path.name.startswith(f"{session}_")
    }
    wanted = {} if classes is None else {name.replace("/", "_"): name for name in classes.named.values()}
    needed = {name: path for name, path in found.items() if classes is None or name in wanted} or found
    if not needed:
        return None
    first = next(iter(needed.values()))
    grid = rasters_module(first).open_raster(first, as_colours=False).grid
    bands: dict[str, NDArray[np.float32]] = {}
    for name, path in found.items():
        try:
            bands[wanted.get(name, name)] = _read_band(path, grid, first)
        except InputError as error:
            if name in needed:
                raise
            _log.warning("%s; no class of yours, so it is passed over", error)
    return ScoreMap(np.stack(list(bands.values())), tuple(bands), grid)


def _read_band(path: Path, grid: Grid, first: Path) -> NDArray[np.float32]:
    """The scores of one class, nan where there is no data."""
    image = rasters_module(path).open_raster(path, as_colours=False)
    if image.grid != grid:
        raise GridError(
            f"{path}: lies on another grid than {first.name}; expected one for all classes of a session; make the "
            "rasters again"
        )
    band = np.where(np.asarray(image.valid[:]), np.asarray(image.pixels[:])[..., 0], np.nan).astype(np.float32)
    if not (np.isnan(band) | ((band >= 0) & (band <= 1))).all():
        raise InputError(f"{path}: has values outside 0 to 1; expected scores; is it another kind of raster?")
    return band


def find_sessions(path: str | Path) -> tuple[Path, ...]:
    """The session folders of a path: itself, those in it in natural order, or those a CSV lists, in its order.

    A CSV has the columns `root_folder,session_name`; a folder it names that is not there is an error with its line.
    """
    path = Path(path)
    if path.is_dir():
        return _sessions_below(path)
    table = read_table(path)
    problems, sessions = Problems(path), []
    for where, cells in table.records(table.columns(["root_folder", "session_name"])):
        folder = path.parent / cells["root_folder"] / cells["session_name"]
        if folder.is_dir():
            sessions.append(folder)
        else:
            problems.add(InputError(f"{where}: there is no folder {folder}; expected a session; correct the path"))
    problems.check()
    return tuple(sessions)


def session_pictures(path: str | Path) -> dict[str, Path] | None:
    """The orthophotos of sessions by name `<session>_ortho`, or those a CSV `root_folder,ortho_name` lists by theirs.

    None for a path that is neither: an ordinary folder of pictures. Sessions without an orthophoto are left out unless
    none has one.
    """
    path = Path(path)
    if path.suffix.lower() == ".csv" and path.is_file():
        header = read_table(path).header()
        if {"root_folder", "ortho_name"} <= set(header):
            return _listed_orthophotos(path)
        if not {"root_folder", "session_name"} <= set(header):
            raise FormatError(
                f"{path}: the columns are {', '.join(header) or 'nothing'}; expected root_folder,ortho_name or "
                "root_folder,session_name; name pictures by a folder, a file or a glob otherwise"
            )
    elif not path.is_dir() or not _sessions_below(path):
        return None
    sessions = find_sessions(path)
    pictures = {f"{each.name}_ortho": each / ORTHOPHOTO for each in sessions if (each / ORTHOPHOTO).is_file()}
    if not pictures:
        raise EmptyResultError(f"{path}: no session has {ORTHOPHOTO.as_posix()}; expected one; make it first")
    return pictures


def _sessions_below(path: Path) -> tuple[Path, ...]:
    if _is_session(path):
        return (path,)
    return tuple(sorted((each for each in path.iterdir() if each.is_dir() and _is_session(each)), key=natural_order))


def _is_session(path: Path) -> bool:
    return (path / "PROCESSED_DATA").is_dir() or (path / "METADATA").is_dir()


def _listed_orthophotos(path: Path) -> dict[str, Path]:
    table = read_table(path)
    problems = Problems(path)
    pictures: dict[str, Path] = {}
    for where, cells in table.records(table.columns(["root_folder", "ortho_name"])):
        picture = path.parent / cells["root_folder"] / cells["ortho_name"]
        picture = picture if picture.is_file() else picture.with_name(picture.name + ".tif")
        name = picture_name(picture)
        if not picture.is_file():
            problems.add(InputError(f"{where}: there is no file {picture}; expected an orthophoto; correct the path"))
        elif name in pictures:
            both = f"{pictures[name]} and {picture} are both called {name!r}"
            problems.add(InputError(f"{where}: {both}; expected one picture per name; rename one"))
        pictures[name] = picture
    problems.check()
    return pictures


def _read_session(session: Path, classes: Classes | None) -> Survey | ScoreMap | None:
    if (session / "METADATA" / SCORES).is_file():
        return read_survey(session / "METADATA" / SCORES, classes)
    rasters = read_class_rasters(session / "PROCESSED_DATA" / "IA", session.name, classes)
    if rasters is not None:
        return rasters
    binary = session / "METADATA" / BINARY
    if binary.is_file():
        _log.warning("%s: has present and absent only; scores between them make better maps", binary)
        return read_survey(binary, classes)
    return None


def class_columns(table: Table, classes: Classes | None) -> dict[str, int]:
    """Class name to column; with `classes` theirs, and others that hold nothing but scores.

    A column that holds no number at all is no class.
    """
    columns: dict[str, int] = {}
    for index, name in enumerate(table.rows[0] if table.rows else ()):
        if name.casefold() == _FRAME or name.casefold().startswith(_NO_CLASS) or not name:
            continue
        if classes is not None and name not in classes.named.values():
            if name not in columns and _are_scores(table, index):
                columns[name] = index
            continue
        if classes is None and not any(_is_number(row[index]) for row in table.rows[1:] if index < len(row)):
            _log.warning("%s: the column %r holds no numbers and is left out", table.path, name)
            continue
        if name in columns:
            raise FormatError(f"{table.path}: there are two columns {name!r}; expected one; rename the other")
        columns[name] = index
    if not columns:
        wanted = "a column of scores per class" if classes is None else ", ".join(classes.named.values())
        raise FormatError(f"{table.path}: the columns are {', '.join(table.rows[0])}; expected {wanted}; add them")
    return columns


def _are_scores(table: Table, index: int) -> bool:
    """Whether all cells of a column are numbers from 0 to 1, nan or empty, and one is a number."""
    cells = {row[index] for row in table.rows[1:] if index < len(row)}
    cells = {each for each in cells if each and each.casefold() != "nan"}
    try:
        return bool(cells) and all(0 <= number(each, "", "") <= 1 for each in cells)
    except InputError:
        return False


def _attitude_columns(table: Table) -> tuple[str, ...]:
    """The four columns of where the camera looked from, or none of them."""
    return _ATTITUDE if set(_ATTITUDE) <= set(table.header()) else ()


def _frame(
    cells: dict[str, str], row: Sequence[str], names: dict[str, int], where: str
) -> tuple[tuple[float, float], list[float], list[float]]:
    """Place, attitude (empty where the file has none) and scores of one frame."""
    place = _place(cells, where)
    angles = [(key, text) for key, text in cells.items() if key in _ATTITUDE]
    attitude = [number(text, key, where) if text else math.nan for key, text in angles]
    return place, attitude, [_score(row, index, name, where) for name, index in names.items()]


def _place(cells: dict[str, str], where: str) -> tuple[float, float]:
    latitude, longitude = (
        number(cells[_LATITUDE], "GPSLatitude", where),
        number(cells[_LONGITUDE], "GPSLongitude", where),
    )
    if abs(latitude) > 90 or abs(longitude) > 180:
        advice = "are they swapped?" if abs(latitude) <= 180 and abs(longitude) <= 90 else "give degrees of WGS 84"
        found = f"GPSLatitude is {latitude:g} and GPSLongitude {longitude:g}"
        raise InputError(f"{where}: {found}; expected -90 to 90 and -180 to 180; {advice}")
    return latitude, longitude


def _score(row: Sequence[str], index: int, name: str, where: str) -> float:
    text = row[index] if index < len(row) else ""
    if not text or text.casefold() == "nan":
        return math.nan
    value = number(text, name, where)
    if not 0 <= value <= 1:
        raise InputError(
            f"{where}: the score of {name!r} is {text}; expected 0 to 1; if it is no class, name the classes in "
            "classes.yaml"
        )
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
