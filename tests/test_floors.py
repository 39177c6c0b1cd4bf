"""What import-linter cannot say: libraries that one file alone may know."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "maskwright"


def imported(path: Path) -> set[str]:
    """The libraries a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {each.name.split(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize(("library", "homes"), [("rasterio", {"io/rasters.py"}), ("numba", {"arrays/compiled.py"})])
def test_a_library_lives_in_one_file(library: str, homes: set[str]) -> None:
    found = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py") if library in imported(path)}
    assert found == homes
