"""Completion scripts: written from the parser, and understood by the shells that are here."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from maskwright.cli.completion import SHELLS, fish_script, spellings, zsh_script
from maskwright.cli.main import COMMANDS, main


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_and_option_is_in_the_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for each in spellings():
        assert each.name in script
        assert all(option.lstrip("-") in script for option, _, _ in each.options)


def complete_in_bash(script: str, *typed: str) -> list[str]:
    line = " ".join(f"'{word}'" for word in ("maskwright", *typed))
    ask = f'{script}\nCOMP_WORDS=({line}); COMP_CWORD={len(typed)}; _maskwright; printf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "--norc", "-c", ask], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_completes_commands_options_and_choices(capsys: pytest.CaptureFixture[str]) -> None:
    main(["completion", "bash"])
    script = capsys.readouterr().out
    assert complete_in_bash(script, "re") == ["refine", "replay"]
    assert complete_in_bash(script, "label", "--hin") == ["--hints"]
    assert complete_in_bash(script, "models", "ver") == ["verify"]


@pytest.mark.parametrize(("shell", "script"), [("zsh", zsh_script), ("fish", fish_script)])
def test_other_shells_find_no_fault(shell: str, script: object) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    assert callable(script)
    subprocess.run([shell, "-n"], input=script(spellings()), text=True, check=True)


def test_quotes_in_help_do_not_break_the_scripts() -> None:
    assert all(each.name in COMMANDS for each in spellings())
    from maskwright.cli.completion import Spelling

    odd = [Spelling("odd", "it's [a]: b", (("--it", "it's [a]: b", True),), ())]
    assert "it'\\''s \\[a\\]\\: b" in zsh_script(odd)
    assert "it\\'s [a]: b" in fish_script(odd)
