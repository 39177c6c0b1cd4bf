"""docs/commands.md names every command and option, and no option that is not there."""

from __future__ import annotations

import re
from pathlib import Path

from maskwright.cli.completion import spellings
from maskwright.cli.main import COMMANDS, LATER

PAGE = Path(__file__).resolve().parents[2] / "docs" / "commands.md"
SHELL_WORDS = {"--help"}


def test_every_command_and_option_is_on_the_page_and_no_other() -> None:
    page = PAGE.read_text("utf-8")
    known = {option for each in spellings() for option, _, _ in each.options} | SHELL_WORDS
    named = set(re.findall(r"--[a-z][a-z-]+", page))
    assert named - known == set()
    assert known - named == set()
    for name in (*COMMANDS, *LATER):
        assert re.search(rf"maskwright {name}\b|`{name}\b", page), name


def test_the_commands_on_the_page_are_commands() -> None:
    typed = re.findall(r"^(?:eval \"\$\()?maskwright (\S+)", PAGE.read_text("utf-8"), re.MULTILINE)
    assert set(typed) <= set(COMMANDS)
