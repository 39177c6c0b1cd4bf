"""The frame of the command: help, words that do not fit, exit codes, what goes where."""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import maskwright
from maskwright.cli import main as frame
from maskwright.cli import words
from maskwright.cli.main import COMMANDS, LATER, build_parser, main, subparser
from maskwright.cli.screen import Answer, Screen, failures, plain, strict_json
from maskwright.errors import EmptyResultError, InputError
from maskwright.pipelines.outcome import Outcome

HEAVY = ("numpy", "scipy", "numba", "torch", "rasterio", "PIL", "cv2", "pydantic", "yaml", "rich", "pyproj", "sklearn")
LOADED = "import sys; {}; print(sorted(set({!r}) & set(sys.modules)))"


def loaded_by(statement: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(statement, HEAVY)], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()[-1]


def stand_in(monkeypatch: pytest.MonkeyPatch, run: object) -> None:
    """Let `maskwright doctor` run something else."""
    monkeypatch.setattr("maskwright.cli.doctor.run", run)


def raising(error: BaseException) -> object:
    def run(arguments: argparse.Namespace, screen: Screen) -> Answer:
        raise error

    return run


@pytest.mark.parametrize(
    "statement",
    ["import maskwright", "from maskwright.cli.main import main; main(['--help'])"]
    + [f"from maskwright.cli.main import main; main(['{name}', '--help'])" for name in COMMANDS],
)
def test_help_and_import_load_nothing_heavy(statement: str) -> None:
    assert loaded_by(statement) == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_the_shared_options(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(option in shown for option in ("--json", "--quiet", "--verbose"))


def test_help_lists_every_command_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown or f"  {name}\n" in shown for name in COMMANDS)
    assert "nothing to do" in shown


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"maskwright {maskwright.__version__}\n"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "no command is named"),
        (["lable"], "did you mean 'label'?"),
        (["frobnicate"], "`maskwright --help` lists them"),
        (["doctor", "--jsn"], "did you mean '--json'?"),
        (["doctor", "extra"], "nothing is expected at 'extra'"),
        (["label", "nearest_point"], "the following arguments are required"),
        (["label", "nearest_point", "pics", "--hints", "p.csv", "--out", "o", "--workers", "0"], "whole number from 1"),
        (["predict", "model", "pics", "--out", "o", "--window", "64", "--overlap", "64"], "not smaller than --window"),
        (["models", "pack"], "no --out is given"),
        (["run", "recipe.yaml", "--out", "o", "--device", "tpu"], "'tpu' is no device; it is auto, cpu, cuda"),
    ],
)
def test_wrong_words_are_one_line_and_exit_2(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert len(shown.err.splitlines()) == 1
    assert shown.out == ""


@pytest.mark.parametrize("name", LATER)
def test_what_comes_later_says_so(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "whatever", "--x"]) == 2
    assert "not in this version" in capsys.readouterr().err


def test_options_are_not_abbreviated(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--verb"]) == 2
    assert "did you mean '--verbose'?" in capsys.readouterr().err


def test_shared_options_may_stand_ahead_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json", "models", "show", "sam-vit-base"]) == 0
    assert json.loads(capsys.readouterr().out)["models"][0]["name"] == "sam-vit-base"


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (InputError("points.csv:2: no class is called 'corl'; did you mean 'coral'?"), 2, "points.csv:2"),
        (EmptyResultError("no picture in pics"), 3, "no picture"),
        (FileNotFoundError(2, "No such file or directory", "pics"), 2, "pics: No such file"),
        (MemoryError("4 GB"), 2, "not enough memory"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (ValueError("a\nb"), 2, "unexpected ValueError: a b; please report"),
    ],
)
def test_every_error_is_one_line_and_a_code(
    error: BaseException, code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(monkeypatch, raising(error))
    assert main(["doctor"]) == code
    shown = capsys.readouterr()
    assert said in shown.err
    assert len(shown.err.splitlines()) == 1
    assert main(["doctor", "--json"]) == code
    assert json.loads(capsys.readouterr().out)["exit_code"] == code


def test_verbose_keeps_the_traceback_in_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    stand_in(monkeypatch, raising(ZeroDivisionError("by zero")))
    assert main(["doctor", "--verbose"]) == 2
    (kept,) = tmp_path.iterdir()
    assert str(kept) in capsys.readouterr().err
    assert "ZeroDivisionError: by zero" in kept.read_text()


def test_a_reader_that_left_is_no_error() -> None:
    command = f"{sys.executable} -m maskwright models list --json --quiet | head -c 1"
    done = subprocess.run(["bash", "-c", f"{command}; exit ${{PIPESTATUS[0]}}"], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.returncode in (0, 141)  # 0 where everything fitted into the pipe


def test_a_closed_pipe_is_quiet(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(Screen, "hush", lambda self: 141)  # the real one turns this process's standard output off
    stand_in(monkeypatch, raising(BrokenPipeError()))
    assert main(["doctor"]) == 141
    assert capfd.readouterr() == ("", "")


def test_json_is_one_strict_object_and_the_rest_goes_to_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = Answer({"iou": float("nan"), "out": Path("a/b")}, "a table", 1, ["failed: reef: why"])
    stand_in(monkeypatch, lambda arguments, screen: answer)
    assert main(["doctor", "--json"]) == 1
    shown = capsys.readouterr()
    assert json.loads(shown.out) == {"iou": None, "out": str(Path("a/b"))}
    assert shown.err.splitlines() == ["a table", "failed: reef: why"]
    assert main(["doctor", "--json", "--quiet"]) == 1
    assert capsys.readouterr().err.splitlines() == ["failed: reef: why"]
    assert main(["doctor"]) == 1
    assert capsys.readouterr() == ("a table\n", "failed: reef: why\n")


def test_warnings_and_log_lines_become_notes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(arguments: argparse.Namespace, screen: Screen) -> Answer:
        for _ in range(2):  # what is read twice warns twice, and is told once
            logging.getLogger("maskwright.io").warning("the palette was mended")
        logging.getLogger("maskwright.io").info("read 3 files")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("pixels were clipped", stacklevel=1)
        return Answer({})

    stand_in(monkeypatch, run)
    assert main(["doctor"]) == 0
    assert capsys.readouterr().err.splitlines() == ["warning: the palette was mended", "warning: pixels were clipped"]
    assert main(["doctor", "--verbose"]) == 0
    assert "info: read 3 files" in capsys.readouterr().err
    assert main(["doctor", "--quiet"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("done", "skipped", "failed", "code", "said"),
    [
        (3, 1, (), 0, "3 labelled, 1 already there; in out"),
        (3, 0, (("a", "why"),), 1, "3 labelled, 1 failed; in out"),
        (0, 4, (), 3, "nothing to do: all 4 are there already; in out"),
        (0, 0, (), 3, "nothing to do: no item was found for out"),
        (0, 0, (("a", "why"),), 1, "0 labelled, 1 failed; in out"),
    ],
)
def test_what_came_of_it_decides_the_code(
    done: int, skipped: int, failed: tuple[tuple[str, str], ...], code: int, said: str
) -> None:
    answer = words.outcome_answer(Outcome(done, skipped, failed, Path("out")), "labelled")
    assert answer.code == code
    assert answer.notes[-1] == said
    assert answer.record["failed"] == [{"name": name, "reason": why} for name, why in failed]


@pytest.mark.parametrize(("done", "skipped", "unknown", "code"), [(2, 0, "ab", 3), (2, 0, "a", 0), (1, 1, "a", 0)])
def test_masks_without_any_class_are_no_success(done: int, skipped: int, unknown: str, code: int) -> None:
    answer = words.outcome_answer(Outcome(done, skipped, (), Path("out"), tuple(unknown)), "labelled")
    assert (answer.code, answer.record["unknown"]) == (code, list(unknown))
    assert answer.notes[0].startswith(f"warning: no pixel has a class in {', '.join(unknown)}; look at")


def test_many_failures_are_named_up_to_fifty() -> None:
    lines = failures([(f"p{k}", "two\nlines") for k in range(60)])
    assert lines[0] == "failed: p0: two lines"
    assert lines[-1] == "... and 10 more; --json names them all"
    assert len(lines) == 51


def test_settings_are_nested_and_yaml() -> None:
    settings = words.read_settings(["reach_px=40", "a.b=[1, 2]", "a.c=null", "name=x", "far=.inf"])
    assert settings == {"reach_px": 40, "a": {"b": [1, 2], "c": None}, "name": "x", "far": float("inf")}


@pytest.mark.parametrize("word", ["reach_px", "=4", "a..b=1", "a=[1", "a=1 "])
def test_a_setting_that_is_none_is_an_error(word: str) -> None:
    if word == "a=1 ":
        assert words.read_settings([word]) == {"a": 1}
    else:
        with pytest.raises(InputError, match="--set"):
            words.read_settings([word])


def test_a_setting_cannot_be_a_value_and_hold_others() -> None:
    with pytest.raises(InputError, match="cannot also hold"):
        words.read_settings(["a=1", "a.b=2"])


def test_strict_json_knows_numpy_sets_and_records() -> None:
    import numpy as np

    record = {"a": np.float32(np.nan), "b": np.arange(2), "c": {"y", "x"}, "d": Outcome(1, 0, (), Path("o"))}
    assert json.loads(strict_json(record)) == {
        "a": None,
        "b": [0, 1],
        "c": ["x", "y"],
        "d": {"done": 1, "skipped": 0, "failed": [], "out": "o", "unknown": []},
    }
    assert plain(float("inf")) is None


def test_letters_a_terminal_does_not_know_are_spelled_out(tmp_path: Path) -> None:
    script = "from maskwright.cli.screen import Screen, Answer; Screen().finish(Answer({}, 'Riff ü 海'))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, env={"PYTHONIOENCODING": "ascii"}
    )
    assert done.stdout == b"Riff \\xfc \\u6d77\n"


def test_every_command_of_the_table_is_a_file_and_every_file_a_command() -> None:
    files = {path.stem for path in Path(frame.__file__).parent.glob("*.py")} - {
        "__init__",
        "main",
        "notes",
        "screen",
        "words",
    }
    assert files == set(COMMANDS)
    parser = build_parser()
    assert all(subparser(parser, name).description for name in COMMANDS)
