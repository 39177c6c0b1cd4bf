from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from maskwright.errors import OutputError
from maskwright.io import outputs
from maskwright.io.outputs import clear_temporary, is_temporary, whole_file, write_atomically


def test_bytes_and_functions_arrive_whole(tmp_path: Path) -> None:
    write_atomically(tmp_path / "deep" / "a.txt", b"one")
    write_atomically(tmp_path / "b.txt", lambda path: path.write_text("two") and None)
    assert (tmp_path / "deep" / "a.txt").read_bytes() == b"one"
    assert (tmp_path / "b.txt").read_text() == "two"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["b.txt", "deep"]


def test_a_failure_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def fail(path: Path) -> None:
        path.write_text("half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_atomically(target, fail)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_an_output_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "a.txt").write_text("old")
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match=r"a.txt: the disk is full; .*; free some"):
        write_atomically(tmp_path / "a.txt", b"new")
    assert (tmp_path / "a.txt").read_text() == "old"


@pytest.mark.parametrize(
    ("code", "part"),
    [(errno.EROFS, "not permitted"), (errno.EACCES, "not permitted"), (errno.EIO, "cannot be written")],
)
def test_a_folder_that_takes_nothing_is_an_output_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, part: str
) -> None:
    def refuse(self: Path, target: Path) -> Path:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OutputError, match=part):
        write_atomically(tmp_path / "a.txt", b"new")
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_a_folder_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError, match="a file stands where a folder is needed"):
        write_atomically(tmp_path / "out" / "a.txt", b"")


def test_what_killed_writers_left_goes_and_what_living_ones_write_stays(tmp_path: Path) -> None:
    dead = tmp_path / f"{outputs._PREFIX}{outputs._HOST}-999999999-0.png"
    elsewhere = tmp_path / f"{outputs._PREFIX}other-5-0.png"
    old = tmp_path / f"{outputs._PREFIX}other-6-0.png"
    for each in (dead, elsewhere, old):
        each.write_text("half")
    os.utime(old, (0, 0))
    with whole_file(tmp_path / "alive.png") as alive:
        alive.write_text("more")
        assert clear_temporary(tmp_path) == 2
        assert is_temporary(alive)
        assert alive.exists()
    assert {each.name for each in tmp_path.iterdir()} == {"alive.png", elsewhere.name}
