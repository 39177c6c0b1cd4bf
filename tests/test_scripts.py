"""The scripts: they make their environment once, from a file that pins everything by hash and nothing by place."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("check", "demo", "docs", "format", "test")
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")


def run(folder: Path, *words: str, path: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": path}
    return subprocess.run(
        ["bash", *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The scripts and what they are made from, without an environment."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    for name in ("requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_scripts_are_short_executable_and_parse(name: str) -> None:
    script = ROOT / "scripts" / name
    assert os.access(script, os.X_OK)
    assert len(script.read_text(encoding="utf-8").splitlines()) <= 30
    assert run(ROOT, "-n", str(script), path=os.environ["PATH"]).returncode == 0


def test_an_environment_that_is_there_is_used_without_making_anything(copy: Path) -> None:
    tools = copy / ".venv" / "bin"
    tools.mkdir(parents=True)
    (tools / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tools / "python").chmod(0o755)
    made_from = subprocess.run(["cksum", "requirements.lock"], cwd=copy, capture_output=True, text=True, check=True)
    (copy / ".venv" / "made-from").write_text(made_from.stdout)
    result = run(copy, "scripts/test", "--version", path="/usr/bin:/bin")
    assert result.returncode == 0
    assert "pytest" in result.stdout
    assert "making" not in result.stderr


def test_a_changed_lock_makes_it_again_and_an_old_python_is_named(copy: Path, tmp_path: Path) -> None:
    """With no uv and only a Python 3.8 to be found, the script says what it needs and leaves with an error."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("bash", "cat", "cksum", "dirname"):
        found = shutil.which(name)
        assert found is not None
        (tools / name).symlink_to(found)
    (tools / "python3").write_text(
        "#!/bin/bash\nif [ \"$1\" = --version ]; then echo 'Python 3.8.18'; else exit 1; fi\n"
    )
    (tools / "python3").chmod(0o755)
    (copy / ".venv").mkdir()
    (copy / ".venv" / "made-from").write_text("another lock")
    result = run(copy, "scripts/test", path=str(tools))
    assert result.returncode != 0
    assert "making .venv" in result.stderr
    assert "found Python 3.8.18" in result.stderr and "needs Python 3.11" in result.stderr


def test_every_requirement_is_locked_by_hash_and_nothing_names_a_place() -> None:
    entries = re.split(r"\n(?=[a-z0-9])", LOCK.strip())
    assert len(entries) > 60
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry or "==" not in entry] == []
    code = "\n".join(line for line in LOCK.splitlines() if not line.lstrip().startswith("#"))
    assert not re.search(r"https?:|file:|--index|--find-links|\s/\w|@ ", code)


def test_the_lock_has_everything_the_package_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = project["dependencies"] + [each for extra in project["optional-dependencies"].values() for each in extra]
    names = {re.split(r"[\[>=<; ]", each)[0].lower() for each in asked} - {"maskwright"}
    locked = set(re.findall(r"^([a-z0-9][a-z0-9._-]*)==", LOCK, flags=re.MULTILINE))
    assert {name for name in names if re.sub(r"[-_.]+", "-", name) not in locked} == set()
