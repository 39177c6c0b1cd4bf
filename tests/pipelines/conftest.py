"""The example plug-in package, on the path without being installed, for every test of the pipelines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

PLUGIN = Path(__file__).resolve().parents[1] / "plugin_example"


@pytest.fixture(autouse=True)
def _plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PLUGIN))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Eight pictures of 20 x 60: a bright block of its own place in each, on dark ground, with grain."""
    return make_pictures(tmp_path, 8)


def make_pictures(folder: Path, count: int) -> Path:
    """`count` pictures in folder/pics, two points each in points.csv, classes.yaml, and the truth in truth/."""
    from maskwright.io.masks import write_mask
    from maskwright.types import Mask

    rows = ["image,x,y,class"]
    (folder / "pics").mkdir()
    for number in range(count):
        name, left = f"p{number:03}", 5 + 5 * (number % 8)
        grain = np.random.default_rng(number).integers(0, 20, (20, 60, 3))
        truth = np.zeros((20, 60), np.uint8) + 2
        truth[4:16, left : left + 15] = 1
        pixels = np.where(truth[..., None] == 1, 200, 40) + grain
        PIL.Image.fromarray(pixels.astype(np.uint8)).save(folder / "pics" / f"{name}.png")
        write_mask(folder / "truth" / f"{name}.png", Mask(truth, ("", "coral", "sand")))
        rows += [f"{name},{left + 7},10,coral", f"{name},1,1,sand"]
    (folder / "points.csv").write_text("\n".join(rows) + "\n")
    (folder / "classes.yaml").write_text("classes: [{id: 1, name: coral}, {id: 2, name: sand}]\n")
    return folder
