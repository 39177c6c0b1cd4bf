"""Files that are whole or not there: written beside their place, then moved into it in one step."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from maskwright.errors import OutputError

_PREFIX = ".maskwright-part-"
_HOST = f"{zlib.crc32(socket.gethostname().encode()):08x}"
_STALE_S = 24 * 3600.0
_numbers = itertools.count()


def write_atomically(path: str | Path, content: bytes | Callable[[Path], None]) -> None:
    """Put bytes, or what `content(temporary_path)` writes, at `path`; nobody ever sees half of it.

    The folder is made if it is not there. A folder that may not be written or a full disk is an OutputError; the
    file that stood at `path` before then still stands.
    """
    with whole_file(path) as temporary:
        if callable(content):
            content(temporary)
        else:
            temporary.write_bytes(content)


@contextlib.contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A temporary path in the same folder that becomes `path` when the block ends well, and goes when it does not."""
    path = Path(path)
    temporary = path.with_name(f"{_PREFIX}{_HOST}-{os.getpid()}-{next(_numbers)}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _settle(temporary)
        temporary.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def is_temporary(path: Path) -> bool:
    """Whether a file is one that `whole_file` was writing."""
    return path.name.startswith(_PREFIX)


def clear_temporary(folder: str | Path) -> int:
    """Remove what writers that were killed left in a folder; gives how many. Files of living writers stay."""
    stale = [each for each in Path(folder).glob(f"{_PREFIX}*") if _is_stale(each)]
    for each in stale:
        each.unlink(missing_ok=True)
    return len(stale)


def unwritable(path: str | Path, error: OSError) -> OutputError:
    """The error to raise where the system will not take a file."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(f"{path}: the disk is full; expected room for the result; free some and run it again")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return OutputError(f"{path}: writing is not permitted; expected a folder of yours; choose another with --out")
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return OutputError(f"{path}: a file stands where a folder is needed; choose another place with --out")
    return OutputError(f"{path}: cannot be written ({error.strerror or error}); check the disk and the path")


def _settle(temporary: Path) -> None:
    """Onto the disk before it gets its name: a power cut must not leave an empty file behind a good name."""
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())


def _is_stale(path: Path) -> bool:
    host, pid, *_ = path.name.removeprefix(_PREFIX).split("-")
    if host == _HOST and pid.isdigit():
        return not _is_alive(int(pid))
    with contextlib.suppress(OSError):
        return time.time() - path.stat().st_mtime > _STALE_S
    return False


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
