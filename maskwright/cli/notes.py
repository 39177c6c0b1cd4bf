"""While a command works, the library's log lines and warnings appear as notes for people."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from maskwright.cli.screen import Screen


@contextlib.contextmanager
def listening(screen: Screen) -> Iterator[None]:
    """Show warnings and log lines of Maskwright, below a warning only when verbose; afterwards all is as before."""
    handler = _NoteHandler(screen)
    roots = (logging.getLogger("maskwright"), logging.getLogger("py.warnings"))
    before = [(root.level, root.propagate) for root in roots]
    for root in roots:
        root.addHandler(handler)
        root.setLevel(logging.DEBUG if screen.verbose else logging.WARNING)
        root.propagate = False
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        for root, (level, propagate) in zip(roots, before, strict=True):
            root.removeHandler(handler)
            root.setLevel(level)
            root.propagate = propagate


class _NoteHandler(logging.Handler):
    def __init__(self, screen: Screen) -> None:
        super().__init__()
        self.screen = screen
        self.said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.name == "py.warnings":  # "path:line: Category: message\n  source line"
            text = text.strip().splitlines()[0].split(": ", 2)[-1]
        if record.levelno < logging.WARNING or text not in self.said:  # what is read twice warns twice
            self.screen.note(f"{record.levelname.lower()}: {text}")
        self.said.add(text)
