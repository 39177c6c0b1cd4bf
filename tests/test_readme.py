"""README.md and the example pages are run as they stand: what a newcomer types works."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from maskwright.cli.main import main

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def commands(block: str) -> list[list[str]]:
    """The words after `maskwright` of each line of a shell block."""
    lines = [shlex.split(line, comments=True) for line in block.splitlines()]
    return [words[1:] for words in lines if words[:1] == ["maskwright"]]


def test_the_five_minutes_run_in_order_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = 0
    for language, block in BLOCKS:
        if language == "python":
            exec(compile(block, "README.md", "exec"), {})
            done += 1
        for words in commands(block) if language == "sh" else []:
            assert main(words) == 0, f"maskwright {shlex.join(words)}"
            done += 1
    assert done >= 7
    assert (tmp_path / "masks" / "reef_000.json").is_file()
    assert (tmp_path / "runs" / "first" / "report.html").is_file()

    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "masks").glob("*.png")}
    assert main(next(words for _, block in BLOCKS for words in commands(block) if words[0] == "label")) == 3
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "masks").glob("*.png")} == before


def test_every_script_and_page_the_readme_names_is_there() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if not link.startswith("http")]
    scripts = re.findall(r"^(scripts/\w+)", README, flags=re.MULTILINE)
    assert len(links) >= 5 and scripts
    missing = [name for name in (*links, *scripts) if not (ROOT / name).exists()]
    assert missing == []
