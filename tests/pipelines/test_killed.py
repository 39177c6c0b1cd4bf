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
LABEL = """
import sys
from maskwright.pipelines.commands import label
folder, out = sys.argv[1:]
outcome = label("bright_is_first", f"{folder}/pics", hints=f"{folder}/points.csv", classes=f"{folder}/classes.yaml",
                out=out, settings={"threshold": 100})
print(outcome.done, outcome.skipped, len(outcome.failed))
"""


def _start(folder: Path, out: Path) -> subprocess.Popen[str]:
    paths = os.pathsep.join([str(PLUGIN), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, "-c", LABEL, str(folder), str(out)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )


def _masks(out: Path) -> dict[str, bytes]:
    """What anybody who looks into the folder sees: masks, stories and confidences."""
    visible = [each for each in out.glob("*") if each.suffix in (".png", ".json") and not each.name.startswith(".")]
    return {each.name: each.read_bytes() for each in visible}


def _done(out: Path) -> int:
    events = out / "events.jsonl"
    return events.read_bytes().count(b'"event":"done"') if events.exists() else 0


def _kill_soon(process: subprocess.Popen[str], out: Path, moments: random.Random) -> None:
    """Kill it a few pictures on, at any moment between two of them."""
    goal = _done(out) + moments.randint(0, 2 * PICTURES // KILLS - 6)
    while process.poll() is None and _done(out) < goal:
        time.sleep(0.001)
    time.sleep(moments.random() * 0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_killed_twenty_times_it_ends_with_the_same_bytes(tmp_path: Path) -> None:
    make_pictures(tmp_path, PICTURES)
    with _start(tmp_path, tmp_path / "undisturbed") as process:
        assert process.communicate()[0].split() == [str(PICTURES), "0", "0"]
    expected = _masks(tmp_path / "undisturbed")
    assert len(expected) == 2 * PICTURES

    out, moments, kills = tmp_path / "deeper" / "killed", random.Random(7), 0
    for _ in range(KILLS):
        with _start(tmp_path, out) as process:
            _kill_soon(process, out, moments)
            kills += process.returncode == -signal.SIGKILL
        assert _masks(out).items() <= expected.items(), "half a file, or one with other bytes, was visible"
    assert kills == KILLS, "it ended before it could be killed; the moments must come earlier"
    assert 0 < _done(out) < PICTURES

    with _start(tmp_path, out) as process:
        done, skipped, failed = map(int, process.communicate()[0].split())
    assert (done + skipped, failed) == (PICTURES, 0)
    assert _masks(out) == expected
    assert sorted(each.name for each in out.glob(".*")) == [".ledger.lock"], "leftovers of killed writers"
    events = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    names = [each["name"] for each in events if each["event"] == "done"]
    assert sorted(names) == sorted({*names}), "a picture was done again after it was recorded"
    assert len(names) == PICTURES
    assert [each["id"] for each in events] == list(range(1, len(events) + 1))
