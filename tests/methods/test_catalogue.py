"""The catalogue: names, settings, errors, and a plug-in package that was never installed by pip."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from maskwright.errors import InputError, MissingPartError, UnknownNameError
from maskwright.methods import catalogue
from maskwright.types import UNKNOWN, Image

PLUGIN = Path(__file__).resolve().parents[1] / "plugin_example"


@dataclass(frozen=True)
class Spread:
    """Spread what is known.

    Paper: Doe and Roe 2020, "Spreading".
    """

    reach_px: float = float("inf")
    mode: Literal["fast", "exact"] = "exact"

    def __post_init__(self) -> None:
        if self.reach_px < 0:
            raise ValueError(f"reach_px is {self.reach_px}; it is 0 or more")

    def __call__(self, image: object, hints: object, class_names: object) -> None: ...


@pytest.fixture
def spread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(catalogue.METHODS, "spread", f"{__name__}:Spread")
    monkeypatch.setitem(sys.modules, __name__, sys.modules[Spread.__module__])


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PLUGIN))


def _offer(folder: Path, package: str, text: str) -> None:
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[maskwright.methods]\n{text}\n")


def test_settings_become_a_record(spread: None) -> None:
    made = catalogue.make_method("spread", {"reach_px": "40", "mode": "fast"})
    assert made == Spread(40.0, "fast")
    assert catalogue.make_method("spread", {"reach_px": "inf"}) == Spread()


def test_all_wrong_settings_are_told_at_once_with_the_nearest_name(spread: None) -> None:
    problems = catalogue.setting_problems("spread", {"reach": 3, "mode": "slow"}, where="label.0")
    assert problems == [
        "label.0: spread.mode is 'slow'; input should be 'fast' or 'exact'",
        "label.0: spread has no setting 'reach'; did you mean 'reach_px'?",
    ]
    with pytest.raises(InputError, match="did you mean 'reach_px'"):
        catalogue.make_method("spread", {"reach": 3})
    with pytest.raises(InputError, match=r"reach_px is -1\.0; it is 0 or more"):
        catalogue.make_method("spread", {"reach_px": -1})


def test_an_unknown_method_names_the_nearest(spread: None) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'spread'") as caught:
        catalogue.find_method("spred")
    assert caught.value.nearest == "spread"


def test_describe_fits_into_strict_json(spread: None) -> None:
    told = catalogue.describe("spread")
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert (told["stage"], told["paper"]) == ("labeler", 'Doe and Roe 2020, "Spreading".')
    assert told["settings"][0] == {"name": "reach_px", "type": "float", "required": False, "default": "inf"}
    assert told["schema"]["properties"]["mode"]["enum"] == ["fast", "exact"]


def test_the_stage_follows_from_the_call() -> None:
    class Learns:
        def __call__(self, samples: object) -> None: ...

    class Takes5:
        def __call__(self, a: int, b: int, c: int, d: int, e: int) -> None: ...

    assert catalogue.stage_of(Learns) == "learner"
    with pytest.raises(InputError, match="called with 5 things"):
        catalogue.stage_of(Takes5)


@pytest.mark.parametrize("name", sorted(catalogue.METHODS))
def test_every_entry_is_a_method_that_can_be_made(name: str) -> None:
    method = catalogue.find_method(name)
    assert catalogue.stage_of(method) in {"labeler", "refiner", "learner"}
    if not [each for each in catalogue.describe(name)["settings"] if each["required"]]:
        assert isinstance(catalogue.make_method(name), method)
    words = "".join(f"_{each.lower()}" if each.isupper() else each for each in method.__name__).strip("_")
    assert words == name, "histories name a method by its class; both names are one"


def test_listing_imports_no_method() -> None:
    code = (
        "import sys; from maskwright.methods.catalogue import list_methods; list_methods();"
        "print([m for m in sys.modules if m.startswith('maskwright.methods.') and not m.endswith('catalogue')],"
        "'numpy' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[] False"


def test_a_plugin_on_the_path_is_found_and_works(plugin: None) -> None:
    assert "bright_is_first" in catalogue.list_methods()
    method = catalogue.make_method("bright_is_first", {"threshold": 100})
    pixels = np.zeros((2, 5, 3), np.uint8)
    pixels[0, 3:] = 200
    mask = method(Image(pixels), [], ("", "coral"))
    assert mask.class_ids.tolist() == [[UNKNOWN] * 3 + [1, 1], [UNKNOWN] * 5]


def test_without_the_plugin_its_method_is_gone() -> None:
    assert "bright_is_first" not in catalogue.list_methods()


def test_a_plugin_cannot_take_our_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, spread: None) -> None:
    _offer(tmp_path, "thief", "spread = thief:Other")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert catalogue.find_method("spread") is Spread


def test_two_plugins_of_one_name_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _offer(tmp_path, "one", "glow = one:Glow")
    _offer(tmp_path, "two", "glow = two:Glow")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(InputError, match="comes from one and two"):
        catalogue.find_method("glow")


def test_a_plugin_that_does_not_load_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _offer(tmp_path, "broken", "glow = broken:Glow\ngleam = bursting:Gleam")
    (tmp_path / "bursting.py").write_text("raise RuntimeError('no lamp')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(MissingPartError, match="'glow' of broken cannot be loaded"):
        catalogue.find_method("glow")
    with pytest.raises(MissingPartError, match="no lamp"):
        catalogue.find_method("gleam")


def test_costs_are_known_for_methods_that_exist_and_are_told() -> None:
    assert set(catalogue.COSTS) == set(catalogue.METHODS)
    for name, each in catalogue.COSTS.items():
        assert each.seconds_per_mpx + each.seconds_per_picture + each.seconds > 0, name
        assert each.bytes_per_pixel + each.bytes > 5, name
    cost = catalogue.describe("nearest_point")["cost"]
    assert cost is not None
    assert cost["seconds_per_mpx"] > 0
    assert cost["bytes_per_pixel"] >= 1 + 4


def test_what_a_method_itself_refuses_is_told_with_its_place() -> None:
    problems = catalogue.setting_problems("nearest_point", {"reach_px": -1}, where="label.0")
    assert len(problems) == 1
    assert problems[0].startswith("label.0: nearest_point: reach_px is -1")
