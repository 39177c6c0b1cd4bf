"""Kill it anywhere: 200 pictures, kill -9 at 20 random moments, and the same bytes at the end."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.pipelines.conftest import PLUGIN, make_pictures

PICTURES, KILLS = 200, 20
NURSERY = """
# Imports once, then starts a process that labels for each line it reads: its pid first, when it ended its status.
import os, sys
from maskwright.pipelines.commands import label

for line in sys.stdin:
    folder, out = line.split()
    pid = os.fork()
    if pid == 0:
        label("bright_is_first", f"{folder}/pics", hints=f"{folder}/points.csv", classes=f"{folder}/classes.yaml",
              out=out, settings={"threshold": 100})
        os._exit(0)
    print(pid, flush=True)
    print(os.waitpid(pid, 0)[1], flush=True)
"""


class Nursery:
    """Starts processes that label, without the seconds that importing takes each of them."""

    def __init__(self, folder: Path) -> None:
        paths = os.pathsep.join([str(PLUGIN), *filter(None, [os.environ.get("PYTHONPATH")])])
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-c", NURSERY],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": paths},
        )

    def __enter__(self) -> Nursery:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()

    def start(self, out: Path) -> int:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{self.folder} {out}\n")
        self.process.stdin.flush()
        return self._number()

    def end(self) -> int:
        """How the process ended: 0, or the signal that killed it."""
        return self._number()

    def _number(self) -> int:
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())


def _masks(out: Path) -> dict[str, bytes]:
    """What anybody who looks into the folder sees: masks, stories and confidences."""
    visible = [each for each in out.glob("*") if each.suffix in (".png", ".json") and not each.name.startswith(".")]
    return {each.name: each.read_bytes() for each in visible}


def _done(out: Path) -> int:
    events = out / "events.jsonl"
    return events.read_bytes().count(b'"event":"done"') if events.exists() else 0


def _kill_soon(pid: int, out: Path, moments: random.Random) -> None:
    """Kill it a few pictures on, at any moment between two of them."""
    goal = _done(out) + moments.randint(0, 2 * PICTURES // KILLS - 6)
    while _done(out) < goal:
        time.sleep(0.0005)
    time.sleep(moments.random() * 0.015)
    os.kill(pid, signal.SIGKILL)


def test_killed_twenty_times_it_ends_with_the_same_bytes(tmp_path: Path) -> None:
    make_pictures(tmp_path, PICTURES)
    out, moments = tmp_path / "deeper" / "killed", random.Random(7)
    with Nursery(tmp_path) as nursery:
        nursery.start(tmp_path / "undisturbed")
        assert nursery.end() == 0
        expected = _masks(tmp_path / "undisturbed")
        assert len(expected) == 2 * PICTURES
        for _ in range(KILLS):
            _kill_soon(nursery.start(out), out, moments)
            assert nursery.end() == signal.SIGKILL, "it ended before it was killed; the moments must come earlier"
            assert _masks(out).items() <= expected.items(), "half a file, or one with other bytes, was visible"
        assert 0 < _done(out) < PICTURES
        nursery.start(out)
        assert nursery.end() == 0

    assert _masks(out) == expected
    assert sorted(each.name for each in out.glob(".*")) == [".ledger.lock"], "leftovers of killed writers"
    events = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    names = [each["name"] for each in events if each["event"] == "done"]
    assert sorted(names) == sorted({*names}), "a picture was done again after it was recorded"
    assert len(names) == PICTURES
    assert [each["id"] for each in events] == list(range(1, len(events) + 1))
