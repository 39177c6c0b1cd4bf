"""Hashes that say what a mask was made from: two equal keys mean that the same bytes would come out."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import maskwright
from maskwright.pipelines.ledger import EVENTS, LEDGER, file_hash


def content_hash(value: Any) -> str:
    """SHA-256 of what a value says: records by their fields, arrays by dtype, shape and bytes, sets in order.

    >>> content_hash({"a": 1, "b": 2.0}) == content_hash({"b": 2.0, "a": 1})
    True
    >>> content_hash(np.zeros((2, 3))) == content_hash(np.zeros((3, 2)))
    False
    """
    digest = hashlib.sha256()
    for part in _parts(value):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


def method_fingerprint(name: str, method: Any) -> dict[str, Any]:
    """What a method's result depends on besides its inputs: name, settings, files named by settings, code, weights.

    A field whose metadata says `"decides": False`, such as a folder to keep things in, is left out.
    """
    fields = [each for each in dataclasses.fields(method) if each.init and each.metadata.get("decides", True)]
    settings = {each.name: getattr(method, each.name) for each in fields}
    files = {key: path_hash(value) for key, value in settings.items() if isinstance(value, Path)}
    return {
        "name": name,
        "settings": plain_settings(settings),
        "files": files,
        "code": code_version(type(method)),
    }


def code_version(kind: type[Any]) -> str:
    """The version of the package a class comes from, and a hash of the module that holds it.

    So a new release makes everything anew, and so does an edit of the method's own file in between.
    """
    module = sys.modules.get(kind.__module__)
    path = getattr(module, "__file__", None)
    source = file_hash(Path(path)) if path else None
    return f"{package_version(kind.__module__.partition('.')[0])} {(source or 'no file')[:16]}"


@lru_cache(maxsize=64)
def package_version(package: str) -> str:
    """The installed version of a package; "unknown" for a module that no installed package claims."""
    if package == "maskwright":
        return maskwright.__version__
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """The versions that stories name: ours and those of the libraries that decide about pixels."""
    return {
        name: package_version(name) for name in ("maskwright", "numpy", "scipy", "opencv-python-headless", "pillow")
    }


def path_hash(path: Path) -> str | None:
    """SHA-256 of a file, or of all files of a folder with their names; None where there is nothing.

    What a ledger keeps in a folder, and hidden files, do not count.
    """
    if not path.is_dir():
        return file_hash(path)
    ours = (".", LEDGER, EVENTS)
    files = sorted(each for each in path.rglob("*") if each.is_file() and not each.name.startswith(ours))
    return content_hash({each.relative_to(path).as_posix(): file_hash(each) for each in files})


def plain_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as JSON can hold them and `make_method` reads them back: "inf" for infinity, text for paths.

    >>> plain_settings({"reach_px": float("inf"), "sizes": (1, 2)})
    {'reach_px': 'inf', 'sizes': [1, 2]}
    """
    return {key: _plain(value) for key, value in settings.items()}


def json_safe(value: Any) -> Any:
    """Scores as strict JSON can hold them: a number that is none becomes null.

    >>> json_safe({"iou": float("nan"), "pixels": np.int64(3)})
    {'iou': None, 'pixels': 3}
    """
    if isinstance(value, Mapping):
        return {str(key): json_safe(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_safe(each) for each in value]
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Path) else value


def _parts(value: Any) -> list[bytes]:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
        return [type(value).__name__.encode(), *_parts(fields)]
    if isinstance(value, Mapping):
        pairs = sorted(((str(key), each) for key, each in value.items()), key=lambda pair: pair[0])
        return [b"{", *(part for key, each in pairs for part in (key.encode(), *_parts(each))), b"}"]
    if isinstance(value, (set, frozenset)):
        return [b"{", *(part for each in sorted(value) for part in _parts(each)), b"}"]
    if isinstance(value, (list, tuple)):
        return [b"[", *(part for each in value for part in _parts(each)), b"]"]
    if isinstance(value, np.ndarray):
        return [f"{value.dtype.str}{value.shape}".encode(), np.ascontiguousarray(value).tobytes()]
    if isinstance(value, Path):
        return [str(value).encode()]
    if value is None or isinstance(value, (str, int, float, bool)):
        return [json.dumps(value).encode()]
    raise TypeError(f"a {type(value).__name__} has no content hash; give it fields or an array")
