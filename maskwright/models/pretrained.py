"""Networks of transformers from folders on this disk: of the kind that was asked for, whole, and quietly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from maskwright.errors import FormatError, InputError, UnknownNameError
from maskwright.io.texts import read_json
from maskwright.models.known import KNOWN
from maskwright.models.lookup import file_hash, need_weights
from maskwright.models.quiet import quiet


@dataclass(frozen=True, eq=False)
class Pretrained:
    """A network as transformers made it, ready to be asked, its kind, folder and the hash of its weights."""

    network: Any
    kind: str
    folder: Path
    sha256: str

    @property
    def labels(self) -> tuple[str, ...]:
        """What its classes, or joints, are called, by channel."""
        names = self.network.config.id2label
        return tuple(str(names[index]) for index in range(len(names)))


def find_model(model: str | Path) -> Path:
    """The path itself, or where known weights of that name lie: their folder if they need what lies beside them."""
    path = Path(model)
    if path.exists() or str(model) not in KNOWN:
        if not path.exists() and path.name == str(model) and not path.suffix:
            raise UnknownNameError("file, folder or pretrained model", str(model), KNOWN)
        return path
    found = need_weights(str(model))
    return found.folder if found.beside else found.path


def load_pretrained(model: str | Path, kinds: Mapping[str, str]) -> Pretrained:
    """The network in a folder, or of known weights; `kinds` are the model types that will do, and their classes."""
    folder = find_model(model)
    kind = str(read_config(folder).get("model_type"))
    if kind not in kinds:
        raise FormatError(
            f"{folder / 'config.json'}: is of a {kind}; expected {' or '.join(kinds)}; give another folder"
        )
    weights = sorted([*folder.glob("*.safetensors")] or [*folder.glob("*.bin")])
    if not weights:
        raise InputError(f"{folder}: holds no weights; expected model.safetensors; copy the whole folder")
    import transformers

    try:
        with quiet():
            network, told = getattr(transformers, kinds[kind]).from_pretrained(
                folder, local_files_only=True, dtype=torch.float32, output_loading_info=True
            )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise FormatError(f"{folder}: cannot be read ({reason}); expected a {kind}; get the folder again") from error
    bad = sorted(str(each) for key in ("missing_keys", "mismatched_keys") for each in told.get(key, ()))
    if bad:
        raise FormatError(
            f"{folder}: {len(bad)} weights are missing or misshapen ({', '.join(bad[:3])}); expected all of a {kind}; "
            "get the folder again"
        )
    return Pretrained(network.eval(), kind, folder, "+".join(file_hash(each) for each in weights))


def read_config(folder: Path, name: str = "config.json") -> dict[str, Any]:
    """What a folder of transformers says in one of its JSON files."""
    if not (folder / name).is_file():
        raise InputError(f"{folder}: holds no {name}; expected the folder of a network of transformers; check the path")
    told = read_json(folder / name)
    return told if isinstance(told, dict) else {}
