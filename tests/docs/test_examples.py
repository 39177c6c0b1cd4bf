"""The executable pages of docs/examples run, and draw the pictures that the README shows."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs" / "examples").glob("*.py"))


def load(page: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{page.stem}", page)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_are_pages() -> None:
    assert {page.stem for page in PAGES} >= {"points", "toys"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_runs_and_the_committed_picture_is_what_it_draws(page: Path, tmp_path: Path) -> None:
    told = load(page).main(tmp_path)
    drawn = sorted(path.name for path in tmp_path.iterdir())
    assert told and drawn
    for name in drawn:
        now, committed = (Image.open(folder / name).convert("RGB") for folder in (tmp_path, ROOT / "docs" / "pictures"))
        assert now.size == committed.size
        gap = np.abs(np.asarray(now, np.int16) - np.asarray(committed, np.int16))
        assert gap.mean() < 4, f"docs/pictures/{name} is not what {page.name} draws; run scripts/docs"
    if page.stem == "points":
        assert told["geodesic_point"] > told["nearest_point"] > 0.3
