"""The demo: every part of it that exists runs, and its page opens offline and tells the truth."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest

from maskwright.cli.main import main
from maskwright.errors import UnknownNameError
from maskwright.methods.catalogue import list_methods
from maskwright.pipelines import demo as demo_module
from maskwright.pipelines.demo import CHAPTERS, demo
from maskwright.pipelines.outcome import Progress
from maskwright.pipelines.toy_sets import SETS


class Links(HTMLParser):
    """Everything a page would fetch or go to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [(tag, str(value)) for key, value in attrs if key in ("src", "href")]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """The whole demo, made once with two scenes per chapter: its folder, its page, and what it told on the way."""
    folder, told = tmp_path_factory.mktemp("demo"), list[Progress]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo_module, "CHAPTERS", {name: replace(chapter, count=2) for name, chapter in CHAPTERS.items()})
        index = demo([], folder, told.append)
    return SimpleNamespace(folder=folder, index=index, page=index.read_text(encoding="utf-8"), told=told)


def chapter_of(page: str, name: str) -> str:
    found = re.search(rf'<section id="{name}">.*?</section>', page, flags=re.DOTALL)
    assert found is not None
    return found[0]


def test_the_page_opens_offline(shown: SimpleNamespace) -> None:
    links = Links()
    links.feed(shown.page)
    images = [value for tag, value in links.found if tag == "img"]
    assert len(images) >= 20
    assert all(value.startswith("data:image/jpeg;base64,") for value in images)
    assert {tag for tag, _ in links.found} <= {"img", "a"}
    for tag, value in links.found:
        assert tag == "img" or (shown.index.parent / value).is_file()
    assert "url(" not in shown.page and "<script" not in shown.page


@pytest.mark.parametrize("name", SETS)
def test_each_method_that_is_here_ran_and_the_others_are_named(name: str, shown: SimpleNamespace) -> None:
    section = chapter_of(shown.page, name)
    coming = re.search(r"Still to come: (.*?)</p>", section)
    for method in (*CHAPTERS[name].methods, *CHAPTERS[name].coming):
        ran = (shown.folder / name / "runs" / method / "report.html").is_file()
        assert ran != (coming is not None and f"<code>{method}</code>" in coming[1])
        if name in ("reef", "shapes"):
            assert ran == (method in list_methods() and method in CHAPTERS[name].methods)


@pytest.mark.parametrize("name", ["reef", "shapes"])
def test_scores_on_the_page_are_those_of_the_runs(name: str, shown: SimpleNamespace) -> None:
    section, files = chapter_of(shown.page, name), sorted((shown.folder / name / "runs").glob("*/metrics.json"))
    assert len(files) >= 3
    for metrics in files:
        score = json.loads(metrics.read_text(encoding="utf-8"))["mean_iou"]["value"]
        assert f"{score:.3f}" in section
        assert 0.2 < score < 0.99


def test_it_tells_how_far_it_is_up_to_the_end(shown: SimpleNamespace) -> None:
    done = [each.done for each in shown.told]
    assert done == sorted(done)
    assert shown.told[-1].done == shown.told[-1].total > len(SETS)


def test_the_command_ends_with_the_path_of_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_module, "CHAPTERS", {"textures": replace(CHAPTERS["textures"], count=2)})
    assert main(["demo", "textures", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "index.html")


def test_unknown_chapter_names_the_nearest_and_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'reef'"):
        demo(["reaf"], tmp_path / "demo")
    assert not (tmp_path / "demo").exists()


def test_every_set_has_its_chapter() -> None:
    assert tuple(CHAPTERS) == SETS
