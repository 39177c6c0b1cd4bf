"""Ctrl-C: exit 130, one line, only whole files; the same command goes on from there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

COUNT = 100


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_leaves_whole_files_and_the_same_command_goes_on(tmp_path: Path, workers: str) -> None:
    (tmp_path / "pics").mkdir()
    rows = ["image,x,y,class"]
    for k in range(COUNT):
        PIL.Image.fromarray(np.full((40, 120, 3), k % 255, np.uint8)).save(tmp_path / "pics" / f"p{k}.png")
        rows += [f"p{k},5,10,coral", f"p{k},55,10,sand"]
    (tmp_path / "points.csv").write_text("\n".join(rows) + "\n")
    words = ["label", "nearest_point", "pics", "--hints", "points.csv", "--out", "masks", "--workers", workers]
    command = [sys.executable, "-m", "maskwright", *words]
    process = subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=_hear_ctrl_c
    )
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("masks/p*.json"))) < 10 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to the workers too
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert said.splitlines()[-1].startswith("maskwright: interrupted")
    assert "Traceback" not in said
    for path in tmp_path.glob("masks/p*.png"):
        PIL.Image.open(path).load()
    for path in tmp_path.glob("masks/p*.json"):
        json.loads(path.read_text())
    assert 10 <= len(list(tmp_path.glob("masks/p*.json"))) < COUNT
    done = subprocess.run([*command, "--json", "--quiet"], cwd=tmp_path, capture_output=True, text=True, check=True)
    made = json.loads(done.stdout)
    assert made["done"] + made["skipped"] == COUNT and made["failed"] == []
    assert made["skipped"] > 0


def _hear_ctrl_c() -> None:
    """A shell's background job ignores Ctrl-C, and so would everything the tests start from there."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
