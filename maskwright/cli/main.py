"""The command `maskwright`: words become calls, results become text or JSON, errors become exit codes.

Only the file of the command that was asked for is imported, and that one imports its pipeline when it runs; so `--help`
loads nothing heavy. Every `cli/<command>.py` has two functions: `add_arguments(parser)` and
`run(arguments, screen) -> Answer`.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from maskwright.cli.screen import Answer, Screen
from maskwright.errors import MaskwrightError, exit_code, nearest_name

COMMANDS = {
    "demo": "make the toy data sets and run the shipped recipes on them, no downloads",
    "new": "a project to start from: recipe, classes, toy data",
    "check": "is everything a recipe needs there and right? runs nothing",
    "run": "the whole recipe, resumed where it stopped",
    "joints": "pictures to the joints of their animals, as hints",
    "label": "hints to masks",
    "refine": "masks to better masks",
    "train": "masks to a segmenter",
    "predict": "a segmenter to masks",
    "evaluate": "scores with intervals",
    "measure": "areas, cover, counts and lengths, with error bars",
    "draw": "pictures with their parts, joints and confidence drawn over them",
    "convert": "masks and objects between formats, saying what was lost",
    "explain": "how a mask came to be, as a tree",
    "replay": "make a mask again and say whether it is identical",
    "methods": "the methods there are, and the settings of one",
    "models": "which pretrained weights are known, and where they lie",
    "doctor": "versions, devices, extras, weights, disk; what is missing and what helps",
    "completion": "the completion script of your shell",
}
"""Every command and what it does in one line."""

LATER = {
    "plan": "what to label next",
    "serve": "tiles and an API",
    "review": "the review page",
    "retrieve": "pictures whose part looks most like an example's",
}
"""Promised, not built yet: asked for, the command says so."""

EPILOG = (
    "exit codes: 0 all done | 1 some items failed, each named | 2 wrong usage or input | "
    "3 nothing to do or an empty result | 130 interrupted"
)
SHARED_OPTIONS = ("json", "quiet", "verbose")


class Parser(argparse.ArgumentParser):
    """An argument parser that raises its complaint instead of leaving the process, and knows no abbreviations."""

    def __init__(self, **options: Any) -> None:
        wide = functools.partial(argparse.HelpFormatter, max_help_position=26, width=min(_columns(), 110))
        super().__init__(**{"formatter_class": wide, "allow_abbrev": False, **options})

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}; see `{self.prog} --help`")


class UsageError(MaskwrightError):
    """The words of the command line do not fit together."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; `argv` are the words after `maskwright`, by default the process's."""
    words = list(sys.argv[1:] if argv is None else argv)
    screen = Screen(as_json="--json" in words, quiet="--quiet" in words, verbose="--verbose" in words)
    try:
        return screen.finish(_answer(words, screen))
    except SystemExit as leaving:  # argparse after --help and --version
        return leaving.code if isinstance(leaving.code, int) else 2
    except KeyboardInterrupt:
        return screen.fail("interrupted; every file written is whole, the same command again continues", code=130)
    except BrokenPipeError:
        return screen.hush()
    except (MaskwrightError, OSError, MemoryError) as error:
        return screen.fail(_sentence(error), code=exit_code(error))
    except Exception as error:  # noqa: BLE001 - the last door: a bug becomes one line, never a traceback
        return screen.fail_unexpectedly(error)


def build_parser(only: str | None = None) -> Parser:
    """The parser of the whole command, with the arguments of command `only`, or of every command."""
    parser = Parser(
        prog="maskwright",
        description="Turns hints into masks: points, tags, one example, keypoints or coarse masks in; dense masks, a "
        "trained segmenter and the story of every mask out.",
        epilog=EPILOG,
    )
    parser.add_argument("--version", action="version", version=_version(), help="print the version and leave")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands", parser_class=Parser)
    for name, summary in COMMANDS.items():
        each = commands.add_parser(name, help=summary, description=_sentence_case(summary), epilog=EPILOG)
        if only in (None, name):
            importlib.import_module(f"maskwright.cli.{name}").add_arguments(each)
        _add_shared_options(each)
    return parser


def _answer(words: list[str], screen: Screen) -> Answer:
    # The shared options are welcome before the command too; every command takes them behind it.
    ahead = [word for word in _until_command(words) if word.removeprefix("--") in SHARED_OPTIONS]
    words = [word for word in words if word not in ahead] + ahead if ahead else words
    name = next((word for word in words if not word.startswith("-")), None)
    if name is None:
        build_parser("").parse_args([word for word in words if word not in ahead])
        raise UsageError("maskwright: no command is named; `maskwright --help` lists them")
    _check_command(name)
    parser = build_parser(name)
    arguments, unknown = parser.parse_known_args(words)
    if unknown:
        raise UsageError(_unknown_option(parser, name, unknown))
    from maskwright.cli.notes import listening

    with listening(screen):
        answer = importlib.import_module(f"maskwright.cli.{name}").run(arguments, screen)
    assert isinstance(answer, Answer)
    return answer


def _until_command(words: Iterable[str]) -> list[str]:
    ahead = []
    for word in words:
        if not word.startswith("-"):
            break
        ahead.append(word)
    return ahead


def _check_command(name: str) -> None:
    if name in LATER:
        raise UsageError(f"maskwright {name} ({LATER[name]}) is not in this version; it comes in a later one")
    if name not in COMMANDS:
        near = nearest_name(name, COMMANDS)
        hint = f"did you mean {near!r}?" if near else "`maskwright --help` lists them."
        raise UsageError(f"maskwright: no command is called {name!r}; {hint}")


def _unknown_option(parser: argparse.ArgumentParser, command: str, unknown: Sequence[str]) -> str:
    known = [option for action in subparser(parser, command)._actions for option in action.option_strings]
    word = unknown[0].split("=")[0]
    near = nearest_name(word, known) if word.startswith("-") else None
    if not word.startswith("-"):
        return (
            f"maskwright {command}: nothing is expected at {word!r}; a glob goes in quotes, so that it stays one word"
        )
    hint = f"did you mean {near!r}?" if near else f"see `maskwright {command} --help`."
    return f"maskwright {command}: no option is called {word!r}; {hint}"


def subparser(parser: argparse.ArgumentParser, command: str) -> argparse.ArgumentParser:
    """The parser of one command."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found = action.choices[command]
            assert isinstance(found, argparse.ArgumentParser)
            return found
    raise KeyError(command)


def _add_shared_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is shown")
    group.add_argument("--json", action="store_true", help="one JSON object on standard output, all else on stderr")
    group.add_argument("--quiet", action="store_true", help="no progress and no notes, only results and failures")
    group.add_argument("--verbose", action="store_true", help="say more, and keep the traceback of an unexpected error")


def _columns() -> int:
    return shutil.get_terminal_size().columns - 2


def _sentence(error: BaseException) -> str:
    if isinstance(error, MaskwrightError):
        return str(error)
    if isinstance(error, MemoryError):
        return f"not enough memory ({error}); use smaller windows or pieces, or fewer workers"
    assert isinstance(error, OSError)
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{error.strerror or error}; check that the path is right, readable and on a disk with space left"


def _sentence_case(text: str) -> str:
    return text[0].upper() + text[1:] + ("" if text.endswith("?") else ".")


def _version() -> str:
    from maskwright import __version__

    return f"maskwright {__version__}"
