"""Text files as people make them: with or without a byte order mark, in the encodings that spreadsheets write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from maskwright.errors import FormatError, InputError

_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def read_bytes(path: str | Path) -> bytes:
    """All bytes of a file; a missing, forbidden or odd one is an InputError that names it."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error


def read_text(path: str | Path) -> str:
    """The text of a UTF-8 file, or of a UTF-16 one that says so in its first two bytes; the mark is taken off."""
    data = read_bytes(path)
    encoding = next((each for mark, each in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise FormatError(
            f"{path}:{line}: the text is not {encoding}; expected UTF-8; save the file as UTF-8"
        ) from error


def read_json(path: str | Path) -> Any:
    """What a JSON file holds; broken or endlessly nested text is a FormatError with the line."""
    text = read_text(path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise FormatError(
            f"{path}:{error.lineno}: broken JSON: {error.msg}; expected a whole JSON text; was the file cut off?"
        ) from error
    except (RecursionError, ValueError) as error:
        raise FormatError(
            f"{path}: JSON that cannot be read ({error}); expected a plain JSON text; save it again"
        ) from error


def unreadable(path: str | Path, error: OSError) -> InputError:
    """The error to raise where the system will not open a file to read."""
    if isinstance(error, FileNotFoundError):
        return InputError(f"{path}: there is no such file; check the path")
    if isinstance(error, IsADirectoryError):
        return InputError(f"{path} is a folder; expected a file; name one in it")
    if isinstance(error, PermissionError):
        return InputError(f"{path}: reading is not permitted; change the file's permissions")
    return InputError(f"{path}: cannot be read ({error.strerror or error}); check the disk and the path")
