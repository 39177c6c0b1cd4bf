"""`maskwright completion`: the completion script of a shell, written from the parser itself."""

from __future__ import annotations

import argparse
from typing import NamedTuple

from maskwright.cli.screen import Answer, Screen

SHELLS = ("bash", "zsh", "fish")


class Spelling(NamedTuple):
    """What may follow one command: its summary, its options with their help, and the words of its choices."""

    name: str
    summary: str
    options: tuple[tuple[str, str, bool], ...]
    choices: tuple[str, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS, help="whose completion script to print")
    parser.epilog = (
        'bash: eval "$(maskwright completion bash)" | zsh: maskwright completion zsh > "${fpath[1]}/_maskwright" | '
        "fish: maskwright completion fish > ~/.config/fish/completions/maskwright.fish"
    )


def run(arguments: argparse.Namespace, screen: Screen) -> Answer:
    script = {"bash": bash_script, "zsh": zsh_script, "fish": fish_script}[arguments.shell](spellings())
    return Answer({"shell": arguments.shell, "script": script}, script.rstrip("\n"))


def spellings() -> list[Spelling]:
    """Every command as the parser has it."""
    from maskwright.cli.main import COMMANDS, build_parser, subparser

    parser = build_parser()
    return [_spelling(name, summary, subparser(parser, name)) for name, summary in COMMANDS.items()]


def _spelling(name: str, summary: str, parser: argparse.ArgumentParser) -> Spelling:
    options, choices = [], []
    for action in parser._actions:
        takes_value = action.nargs != 0
        options += [(each, action.help or "", takes_value) for each in action.option_strings if each.startswith("--")]
        if not action.option_strings and action.choices:
            choices += [str(each) for each in action.choices]
    return Spelling(name, summary, tuple(options), tuple(choices))


def bash_script(commands: list[Spelling]) -> str:
    """For bash: words of the parser first, files where a file may stand."""
    cases = [
        f'    {each.name}) words="{" ".join([*(option for option, _, _ in each.options), *each.choices])}" ;;'
        for each in commands
    ]
    names = " ".join(each.name for each in commands)
    return "\n".join(
        [
            "_maskwright() {",
            '  local current="${COMP_WORDS[COMP_CWORD]}" words="--help --version"',
            '  if [ "$COMP_CWORD" -eq 1 ]; then',
            f'    COMPREPLY=($(compgen -W "{names} $words" -- "$current"))',
            "    return",
            "  fi",
            '  case "${COMP_WORDS[1]}" in',
            *cases,
            "  esac",
            '  COMPREPLY=($(compgen -W "$words" -- "$current") $(compgen -f -- "$current"))',
            "}",
            "complete -o filenames -F _maskwright maskwright",
            "",
        ]
    )


def zsh_script(commands: list[Spelling]) -> str:
    """For zsh: commands and options with what they do."""
    lines = ["#compdef maskwright", "_maskwright() {", "  local -a commands=("]
    lines += [f"    '{each.name}:{_zsh(each.summary)}'" for each in commands]
    lines += ["  )", "  if (( CURRENT == 2 )); then", "    _describe command commands", "    return", "  fi"]
    lines += ['  case "$words[2]" in']
    for each in commands:
        lines.append(f"    {each.name}) _arguments -S \\")
        lines += [
            f"      '*{option}[{_zsh(text)}]{':value:_files' if takes else ''}' \\"
            for option, text, takes in each.options
        ]
        rest = f"({' '.join(each.choices)})" if each.choices else "_files"
        lines.append(f"      '*:argument:{rest}' ;;")
    lines += [
        "  esac",
        "}",
        'if [ "$funcstack[1]" = _maskwright ]; then _maskwright "$@"; else compdef _maskwright maskwright; fi',
        "",
    ]
    return "\n".join(lines)


def fish_script(commands: list[Spelling]) -> str:
    """For fish: one line per command and option."""
    lines = ["set -l commands " + " ".join(each.name for each in commands)]
    alone = "not __fish_seen_subcommand_from $commands"
    for each in commands:
        lines.append(f"complete -c maskwright -f -n \"{alone}\" -a {each.name} -d '{_fish(each.summary)}'")
        behind = f'complete -c maskwright -n "__fish_seen_subcommand_from {each.name}"'
        lines += [
            f"{behind} -l {option[2:]}{' -r' if takes else ''} -d '{_fish(text)}'"
            for option, text, takes in each.options
        ]
        if each.choices:
            lines.append(f"{behind} -f -a '{' '.join(each.choices)}'")
    return "\n".join([*lines, ""])


def _zsh(text: str) -> str:
    for letter in "\\[]:":
        text = text.replace(letter, "\\" + letter)
    return text.replace("'", "'\\''")


def _fish(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
