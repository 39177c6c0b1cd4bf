"""What has been done, so that a run that was cut off anywhere goes on where it was.

A ledger is one SQLite file (write-ahead log). A picture is noted as done in the same transaction as its event, and
only after its files lie in place for good; `events.jsonl` is that list of events, written out after each transaction
and brought up to date when the ledger is opened. So nothing recorded is done twice and nothing half done is recorded.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from maskwright.errors import InputError, OutputError

LEDGER, EVENTS, LOCK = "ledger.sqlite", "events.jsonl", ".ledger.lock"

_TABLES = """
CREATE TABLE IF NOT EXISTS done (
    stage TEXT, name TEXT, key TEXT NOT NULL, outputs TEXT NOT NULL, seconds TEXT NOT NULL, PRIMARY KEY (stage, name));
CREATE TABLE IF NOT EXISTS inputs (
    path TEXT, sha256 TEXT, absolute TEXT NOT NULL, relative TEXT, PRIMARY KEY (path, sha256));
CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, line TEXT NOT NULL);
"""


class Input(NamedTuple):
    """A file that was read: the path that stories call it by, its hash, and where it lay."""

    path: str
    sha256: str
    absolute: Path


@dataclass(frozen=True)
class Entry:
    """What the ledger knows of one finished item: the key it was made from, its files' hashes, seconds by step."""

    key: str
    outputs: Mapping[str, str]
    seconds: Mapping[str, float]


class Ledger:
    """The ledger of one output folder; open it with `with`. Only one process at a time may hold it for writing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = _locked(folder)
        try:
            self._database = _opened(folder / LEDGER)
            self._database.executescript(_TABLES)
            self._events = _events_file(folder / EVENTS)
            self._write_events()
        except (sqlite3.Error, OSError) as error:
            self._lock.close()
            raise _unwritable(folder, error) from error

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()
        self._events.close()
        self._lock.close()

    def entry(self, stage: str, name: str) -> Entry | None:
        """What was noted for an item of a stage, or None."""
        return _entry(self._database, stage, name)

    def is_done(self, stage: str, name: str, key: str) -> bool:
        """Whether an item was made from exactly this and its files still are what was written then."""
        entry = self.entry(stage, name)
        if entry is None or entry.key != key:
            return False
        return all(file_hash(self.folder / path) == sha256 for path, sha256 in entry.outputs.items())

    def note_done(self, stage: str, name: str, entry: Entry, inputs: Iterable[Input] = ()) -> None:
        """Note an item whose files are in place, with the inputs it was made from and its event, all or nothing."""
        event = {"event": "done", "stage": stage, "name": name, "seconds": dict(entry.seconds)}
        row = (stage, name, entry.key, _json(entry.outputs), _json(entry.seconds))
        with self._writing() as database:
            database.execute("REPLACE INTO done VALUES (?, ?, ?, ?, ?)", row)
            database.executemany("REPLACE INTO inputs VALUES (?, ?, ?, ?)", map(self._input_row, inputs))
            self._add_event(event)
        self._write_events()

    def note_event(self, event: str, **about: Any) -> None:
        """Note something that happened: a start, a failure, an end."""
        with self._writing():
            self._add_event({"event": event, **about})
        self._write_events()

    def note_inputs(self, inputs: Iterable[Input]) -> None:
        """Note where files lie that stories speak of."""
        with self._writing() as database:
            database.executemany("REPLACE INTO inputs VALUES (?, ?, ?, ?)", map(self._input_row, inputs))

    def _writing(self) -> _Transaction:
        return _Transaction(self._database, self.folder)

    def _add_event(self, event: Mapping[str, Any]) -> None:
        (last,) = self._database.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()
        line = _json({"id": last + 1, "time": datetime.now(UTC).isoformat(timespec="milliseconds"), **event})
        self._database.execute("INSERT INTO events VALUES (?, ?)", (last + 1, line))

    def _write_events(self) -> None:
        size = os.fstat(self._events.fileno()).st_size
        written = 0 if size == 0 else _last_id(Path(self._events.name))
        rows = self._database.execute("SELECT line FROM events WHERE id > ? ORDER BY id", (written,)).fetchall()
        if rows:
            os.write(self._events.fileno(), "".join(f"{line}\n" for (line,) in rows).encode())

    def _input_row(self, each: Input) -> tuple[str, str, str, str | None]:
        absolute = each.absolute.resolve()
        try:
            relative = Path(os.path.relpath(absolute, self.folder.resolve())).as_posix()
        except ValueError:  # another drive
            relative = None
        return each.path, each.sha256, str(absolute), relative


class _Transaction:
    """A transaction whose failure, a full disk for instance, is an error that says what to do."""

    def __init__(self, database: sqlite3.Connection, folder: Path) -> None:
        self._database, self._folder = database, folder

    def __enter__(self) -> sqlite3.Connection:
        self._database.execute("BEGIN IMMEDIATE")
        return self._database

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        try:
            self._database.execute("ROLLBACK" if error else "COMMIT")
        except sqlite3.Error as failure:
            raise _unwritable(self._folder, failure) from failure
        if isinstance(error, sqlite3.Error):
            raise _unwritable(self._folder, error) from error


@dataclass(frozen=True)
class LedgerView:
    """A ledger somebody may be writing to, opened only to look things up."""

    folder: Path

    def entry_of(self, output: Path) -> Entry | None:
        """The entry of the item that wrote a file, or None where the file is not what was written then."""
        path = output.resolve()
        if not path.is_relative_to(self.folder):
            return None
        name = path.relative_to(self.folder).as_posix()
        with _reading(self.folder / LEDGER) as database:
            rows = database.execute(
                "SELECT key, outputs, seconds FROM done WHERE instr(outputs, ?)", (name,)
            ).fetchall()
        for key, outputs, seconds in rows:
            entry = Entry(key, json.loads(outputs), json.loads(seconds))
            if name in entry.outputs and entry.outputs[name] == file_hash(path):
                return entry
        return None

    def inputs(self, path: str | None = None) -> list[Input]:
        """Where files lie that stories call `path` (all of them without one): the place beside this folder first."""
        with _reading(self.folder / LEDGER) as database:
            rows = database.execute("SELECT path, sha256, absolute, relative FROM inputs ORDER BY rowid").fetchall()
        found = [row for row in rows if path is None or row[0] == path]
        beside = [Input(each, sha256, self.folder / rel) for each, sha256, _, rel in found if rel is not None]
        return [*beside, *(Input(each, sha256, Path(absolute)) for each, sha256, absolute, _ in found)]


def find_ledger(path: Path) -> LedgerView | None:
    """The ledger of the folder a file lies in, or of one of the two folders above it (a run keeps one for all)."""
    for folder in list(path.resolve().parents)[:3]:
        if (folder / LEDGER).is_file():
            return LedgerView(folder)
    return None


def file_hash(path: Path) -> str | None:
    """SHA-256 of a file's bytes, or None where there is no such file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None


def _locked(folder: Path) -> sqlite3.Connection:
    """Hold the folder: an exclusive transaction on an empty database, which ends with the process however it ends."""
    try:
        lock = sqlite3.connect(folder / LOCK, timeout=0, isolation_level=None)
    except sqlite3.Error as error:
        raise _unwritable(folder, error) from error
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        lock.close()
        if "locked" not in str(error):
            raise _unwritable(folder, error) from error
        raise InputError(
            f"{folder} is being written by another process; one run at a time may write a folder: wait for it to end, "
            f"or write elsewhere with another --out or with --fresh"
        ) from None
    return lock


def _opened(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=30, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    return database


class _reading:  # noqa: N801  # used like a function
    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, timeout=30)

    def __enter__(self) -> sqlite3.Connection:
        return self._database

    def __exit__(self, *_: object) -> None:
        self._database.close()


def _entry(database: sqlite3.Connection, stage: str, name: str) -> Entry | None:
    row = database.execute(
        "SELECT key, outputs, seconds FROM done WHERE stage = ? AND name = ?", (stage, name)
    ).fetchone()
    return None if row is None else Entry(row[0], json.loads(row[1]), json.loads(row[2]))


def _events_file(path: Path) -> Any:
    """events.jsonl open for appending, without the half line that a cut power line may have left at its end."""
    file = path.open("ab+")
    file.seek(0)
    content = file.read()
    if content and not content.endswith(b"\n"):
        file.truncate(content.rfind(b"\n") + 1)
    return file


def _last_id(path: Path) -> int:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 65536))
        lines = file.read().splitlines()
    return int(json.loads(lines[-1])["id"]) if lines else 0


def _unwritable(folder: Path, error: Exception) -> OutputError:
    return OutputError(
        f"{folder}: the ledger cannot be written ({error}); it needs a folder with write access and space"
    )


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
