"""The ledger: recorded means in place, one writer at a time, events that never lie."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from maskwright.errors import InputError, OutputError
from maskwright.pipelines.ledger import EVENTS, Entry, Input, Ledger, file_hash, find_ledger

HOLD = """
import sys, time, pathlib
from maskwright.pipelines.ledger import Ledger
ledger = Ledger(pathlib.Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def _events(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / EVENTS).read_text().splitlines()]


def _noted(folder: Path, key: str = "k") -> Entry:
    path = folder / "masks" / "reef.png"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"mask")
    return Entry(key, {"masks/reef.png": file_hash(path) or ""}, {"read": 0.5})


def test_what_is_noted_is_done_in_the_next_process_too(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.note_done("masks", "reef", _noted(tmp_path))
    with Ledger(tmp_path) as ledger:
        assert ledger.is_done("masks", "reef", "k")
        assert not ledger.is_done("masks", "reef", "another key")
        assert not ledger.is_done("other stage", "reef", "k")


@pytest.mark.parametrize("damage", ["remove", "change"])
def test_a_file_that_is_gone_or_changed_is_not_done(tmp_path: Path, damage: str) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.note_done("masks", "reef", _noted(tmp_path))
        path = tmp_path / "masks" / "reef.png"
        path.unlink() if damage == "remove" else path.write_bytes(b"mosk")
        assert not ledger.is_done("masks", "reef", "k")


def test_events_are_numbered_and_survive_a_half_line(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.note_event("run started")
        ledger.note_done("masks", "reef", _noted(tmp_path))
    whole = (tmp_path / EVENTS).read_bytes()
    (tmp_path / EVENTS).write_bytes(whole[:-7])
    with Ledger(tmp_path) as ledger:
        ledger.note_event("run ended")
    assert [each["event"] for each in _events(tmp_path)] == ["run started", "done", "run ended"]
    assert [each["id"] for each in _events(tmp_path)] == [1, 2, 3]
    assert (tmp_path / EVENTS).read_bytes().startswith(whole)


def test_events_that_were_noted_but_not_written_come_when_the_ledger_is_opened(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.note_event("run started")
        ledger.note_done("masks", "reef", _noted(tmp_path))
    (tmp_path / EVENTS).write_bytes((tmp_path / EVENTS).read_bytes().splitlines(keepends=True)[0])
    with Ledger(tmp_path):
        assert [each["event"] for each in _events(tmp_path)] == ["run started", "done"]


def test_a_second_process_is_refused_until_the_first_dies(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == b"held"
        try:
            with pytest.raises(InputError, match="written by another process"):
                Ledger(tmp_path)
        finally:
            os.kill(holder.pid, signal.SIGKILL)
            holder.wait()
        with Ledger(tmp_path) as ledger:
            ledger.note_event("mine now")


def test_a_second_ledger_in_the_same_process_is_refused(tmp_path: Path) -> None:
    with Ledger(tmp_path), pytest.raises(InputError, match="one run at a time"):
        Ledger(tmp_path)


def test_a_folder_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        Ledger(tmp_path / "absent")


def test_a_ledger_that_is_no_database_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_text("this is text, and long enough to be no header " * 9)
    with pytest.raises(OutputError, match="ledger cannot be written"):
        Ledger(tmp_path)


def test_the_view_finds_inputs_beside_first(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    with Ledger(run) as ledger:
        ledger.note_done("masks", "reef", _noted(run), [Input("reef.jpg", "abc", tmp_path / "pics" / "reef.jpg")])
    run.rename(tmp_path / "moved")
    view = find_ledger(tmp_path / "moved" / "masks" / "reef.png")
    assert view is not None
    first, second = view.inputs("reef.jpg")
    assert first.absolute.resolve() == second.absolute == (tmp_path / "pics" / "reef.jpg")
    entry = view.entry_of(tmp_path / "moved" / "masks" / "reef.png")
    assert entry is not None
    assert entry.seconds == {"read": 0.5}
    assert find_ledger(tmp_path / "elsewhere.png") is None
