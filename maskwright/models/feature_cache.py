"""Features that took long to compute, kept as long as what they were made of is the same, and never handed to others.

A record says what features were made of: the hash of the picture, the hash of the weights, and how the picture was
prepared. Only the very same record gets them back.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.io.outputs import write_atomically

Features = dict[str, NDArray[Any]]
_log = logging.getLogger(__name__)


def array_hash(array: NDArray[Any]) -> str:
    """The SHA-256 of an array's shape, dtype and values, as hexadecimal digits."""
    digest = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


class FeatureCache:
    """Arrays by what they were made of, in memory and, with a `folder`, on disk; the least recently used go first.

    Memory and folder hold `most_bytes` each at the most; features larger than that are not kept. Files that are broken,
    were changed, or were made of something else are refused with a warning and computed anew.
    """

    def __init__(self, most_bytes: int = 1 << 29, folder: Path | None = None) -> None:
        if most_bytes < 0:
            raise ValueError(f"most_bytes is 0 or more; got {most_bytes}")
        self.most_bytes = most_bytes
        self.folder = folder
        self._kept: OrderedDict[str, Features] = OrderedDict()

    @property
    def nbytes(self) -> int:
        """Bytes held in memory."""
        return sum(_size(each) for each in self._kept.values())

    def get(self, made_of: Mapping[str, Any]) -> Features | None:
        """The features made of exactly this, or None."""
        key = _text(made_of)
        if key in self._kept:
            self._kept.move_to_end(key)
            return dict(self._kept[key])
        features = None if self.folder is None else _read(self._path(key), key)
        if features is not None:
            self._keep(key, features)
        return features

    def put(self, made_of: Mapping[str, Any], features: Mapping[str, NDArray[Any]]) -> None:
        """Keep features; those that were used least recently go where room is short."""
        key, features = _text(made_of), {name: np.ascontiguousarray(each) for name, each in features.items()}
        if _size(features) > self.most_bytes:
            return
        self._keep(key, features)
        if self.folder is not None:
            _write(self._path(key), key, features)
            self._make_room_on_disk()

    def _keep(self, key: str, features: Features) -> None:
        self._kept[key] = features
        self._kept.move_to_end(key)
        while self.nbytes > self.most_bytes:
            self._kept.popitem(last=False)

    def _path(self, key: str) -> Path:
        assert self.folder is not None
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()}.safetensors"

    def _make_room_on_disk(self) -> None:
        assert self.folder is not None
        found = sorted((each.stat().st_mtime_ns, each.name, each) for each in self.folder.glob("*.safetensors"))
        total = sum(each.stat().st_size for *_, each in found)
        for *_, path in found:
            if total <= self.most_bytes:
                return
            total -= path.stat().st_size
            path.unlink(missing_ok=True)


def _text(made_of: Mapping[str, Any]) -> str:
    return json.dumps(made_of, sort_keys=True)


def _size(features: Features) -> int:
    return sum(each.nbytes for each in features.values())


def _content_hash(features: Features) -> str:
    return hashlib.sha256("".join(name + array_hash(features[name]) for name in sorted(features)).encode()).hexdigest()


def _write(path: Path, key: str, features: Features) -> None:
    from safetensors.numpy import save

    write_atomically(path, save(features, {"made_of": key, "sha256": _content_hash(features)}))


def _read(path: Path, key: str) -> Features | None:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        return None
    try:
        with safe_open(path, "numpy") as file:
            said = file.metadata() or {}
            features = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
    except (SafetensorError, OSError) as error:
        _log.warning("%s: broken (%s); its features are computed anew", path, error)
        return None
    if said.get("made_of") != key or said.get("sha256") != _content_hash(features):
        _log.warning("%s: not made of what was asked for, or changed; its features are computed anew", path)
        return None
    os.utime(path)
    return features
