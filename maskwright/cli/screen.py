"""What a command shows: its answer on standard output; notes, progress and failures on standard error."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

if TYPE_CHECKING:
    from maskwright.pipelines.outcome import Progress

REPORT = "please report it with the command you ran and the output of `maskwright doctor`"
SHOWN_FAILURES = 50
"""So many failed items are named on the screen; --json and the run's ledger name them all."""
SECONDS_BETWEEN_LINES = 5.0
"""Where no bar can be drawn, a line of progress appears this often."""


class Answer(NamedTuple):
    """What a command found: one JSON object, the same for people, the exit code, and notes for standard error."""

    record: dict[str, Any]
    text: str = ""
    code: int = 0
    notes: Sequence[str] = ()


class Screen:
    """Where a command speaks. Results go to standard output; with `as_json` that is exactly one JSON object."""

    def __init__(self, *, as_json: bool = False, quiet: bool = False, verbose: bool = False) -> None:
        self.as_json, self.quiet, self.verbose = as_json, quiet, verbose

    def note(self, text: str) -> None:
        """A line for people on standard error, unless they asked for quiet."""
        if not self.quiet:
            _write(sys.stderr, text)

    def finish(self, answer: Answer) -> int:
        """Show an answer and give its exit code."""
        if self.as_json:
            _write(sys.stdout, strict_json(answer.record))
        if answer.text:
            if not self.as_json:
                _write(sys.stdout, answer.text)
            elif not self.quiet:
                _write(sys.stderr, answer.text)
        for line in answer.notes:
            if answer.code or not self.quiet:
                _write(sys.stderr, line)
        return answer.code

    def fail(self, message: str, *, code: int) -> int:
        """Say what went wrong and give the exit code; with `as_json` the object has the one key `error`."""
        if self.as_json:
            _write(sys.stdout, strict_json({"error": message, "exit_code": code}))
        _write(sys.stderr, f"maskwright: {message}" if not message.startswith("maskwright") else message)
        return code

    def fail_unexpectedly(self, error: BaseException) -> int:
        """One line for an error nobody foresaw: exit 2; its traceback goes to a file when --verbose was given."""
        what = " ".join(f"{type(error).__name__}: {error}".split())
        if not self.verbose:
            return self.fail(f"unexpected {what}; {REPORT}, run again with --verbose to keep the traceback", code=2)
        return self.fail(f"unexpected {what}; {REPORT} and the traceback in {_keep_traceback(error)}", code=2)

    def hush(self) -> int:
        """Whoever read our output has left: nothing more to say. 141 is what a shell calls that."""
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141

    @contextlib.contextmanager
    def progress(self, what: str) -> Iterator[Callable[[Progress], None] | None]:
        """A callback that shows how far a pipeline is: a bar on a terminal, a line now and then elsewhere."""
        if self.quiet:
            yield None
        elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            with _bar(what) as show:
                yield show
        else:
            yield _Lines(self, what)


class _Lines:
    """Progress where no bar can be drawn."""

    def __init__(self, screen: Screen, what: str) -> None:
        self.screen, self.what, self.last = screen, what, time.monotonic()

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self.last >= SECONDS_BETWEEN_LINES:
            self.last = now
            self.screen.note(f"{self.what}: {progress_line(progress)}")


@contextlib.contextmanager
def _bar(what: str) -> Iterator[Callable[[Progress], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = TextColumn(what), BarColumn(), TextColumn("{task.fields[line]}")
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None, line="")

        def show(progress: Progress) -> None:
            finished = progress.done + progress.skipped + progress.failed
            bar.update(task, completed=finished, total=progress.total or None, line=progress_line(progress))

        yield show


def progress_line(progress: Progress) -> str:
    """Items done, items/s, time left and failures so far, in one line.

    >>> from types import SimpleNamespace
    >>> progress_line(SimpleNamespace(done=30, total=100, skipped=10, failed=2, seconds=15.0))
    '42/100, 2.13 items/s, 27 s left, 10 already there, 2 failed'
    """
    finished = progress.done + progress.skipped + progress.failed
    parts = [f"{finished}/{progress.total}"]
    worked = progress.done + progress.failed
    if worked and progress.seconds > 0:
        rate = worked / progress.seconds
        parts += [f"{rate:.3g} items/s", f"{duration(max(progress.total - finished, 0) / rate)} left"]
    if progress.skipped:
        parts.append(f"{progress.skipped} already there")
    if progress.failed:
        parts.append(f"{progress.failed} failed")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """A time a person can read.

    >>> duration(27.3), duration(272), duration(5000)
    ('27 s', '4 min 32 s', '1 h 23 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def strict_json(record: Any) -> str:
    """One JSON object that every parser reads: no NaN (null instead), no numpy numbers, ASCII only."""
    import json

    return json.dumps(plain(record), indent=2, allow_nan=False)


def plain(value: Any) -> Any:
    """Mappings, sequences, numpy values, paths and records as JSON knows them; NaN and infinity become None.

    >>> plain({"iou": float("nan"), 3: (1, 2)})
    {'iou': None, '3': [1, 2]}
    """
    import dataclasses
    import math
    from collections.abc import Mapping, Set

    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if hasattr(value, "tolist"):  # numpy arrays and numbers
        return plain(value.tolist())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, Set):
        return sorted(plain(each) for each in value)
    if isinstance(value, Sequence):
        return [plain(each) for each in value]
    return str(value)


def failures(failed: Sequence[tuple[str, str]]) -> list[str]:
    """The lines that name failed items, at most fifty of them and how many more there are."""
    lines = [f"failed: {name}: {' '.join(reason.split())}" for name, reason in failed[:SHOWN_FAILURES]]
    if len(failed) > SHOWN_FAILURES:
        lines.append(f"... and {len(failed) - SHOWN_FAILURES} more; --json names them all")
    return lines


def _keep_traceback(error: BaseException) -> str:
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile(
        "w", prefix="maskwright-traceback-", suffix=".txt", delete=False, encoding="utf-8"
    ) as file:
        traceback.print_exception(error, file=file)
        return file.name


def _write(stream: TextIO, text: str) -> None:
    try:
        print(text, file=stream, flush=True)
    except UnicodeEncodeError:  # a terminal that knows fewer letters than the names of our pictures
        encoding = stream.encoding or "ascii"
        print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)
