"""Weights of HRNet pose networks from the files they are published in, and once and for all as safetensors.

Three layouts are known: mmpose's (`state_dict`, before and after version 1.0), DeepLabCut 3's (`model`, the backbone
one level deeper and the head as a transposed convolution), and ours. Files are read for their tensors only: a file
that holds other Python objects is refused, because reading those could run code; `convert_pose_file` leaves them out.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import re
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import torch
from torch import Tensor

from maskwright.errors import FormatError, InputError
from maskwright.io.outputs import write_atomically
from maskwright.io.texts import read_json
from maskwright.models.hrnet import HRNetPose
from maskwright.models.lookup import file_hash

Layout = Literal["mmpose", "deeplabcut"]
WEIGHTS, RECORD, FORMAT = "model.safetensors", "model.json", "maskwright-pose-1"
WIDTH_KEY, HEAD = "backbone.stage2.0.branches.0.0.conv1.weight", "head.final_layer"
UNUSED = re.compile(r"backbone\.stage4\.2\.fuse_layers\.[123]\.")  # timm computes three more outputs nobody reads
DEEPLABCUT_HEAD = re.compile(r"heads\.bodypart\.heatmap_head\.(?:deconv_layers\.0|final_conv)\.(weight|bias)")
SHOWN = 12


@dataclass(frozen=True, eq=False)
class PoseWeights:
    """The tensors of an HRNetPose by name, what they are made for, and where they are from.

    `names` are the joints as the file itself states them; most files state none. `called` is the published file's name.
    """

    state: Mapping[str, Tensor]
    layout: Layout
    sha256: str
    path: Path
    called: str
    names: tuple[str, ...] | None = None

    @property
    def width(self) -> int:
        return int(self.state[WIDTH_KEY].shape[0])

    @property
    def joints(self) -> int:
        return int(self.state[f"{HEAD}.weight"].shape[0])

    def network(self) -> HRNetPose:
        """The network with these weights, ready to be asked."""
        with torch.device("meta"):
            network = HRNetPose(self.width, self.joints)
        network.load_state_dict(self.state, assign=True)
        return network.eval()


def read_pose_file(path: str | Path) -> PoseWeights:
    """Read .pth or .pt files of mmpose and DeepLabCut, .safetensors, or a folder that `convert_pose_file` wrote."""
    path = Path(path)
    if path.is_dir():
        return _read_folder(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; expected the weights of a pose network; check the path")
    if path.suffix.lower() == ".safetensors":
        return _weights(_read_safetensors(path), path)
    return _weights(_read_tensors(path), path)


def convert_pose_file(source: str | Path, out: str | Path) -> PoseWeights:
    """Write the tensors of a pose file as a folder of model.safetensors and model.json; all other objects are dropped.

    Nothing in the file is run: whatever is no tensor or plain container is read as an empty stand-in.
    """
    from safetensors.torch import save

    source, out = Path(source), Path(out)
    if out.exists() and (out.is_file() or any(out.iterdir())):
        raise InputError(f"{out}: is there already; expected a new folder for the converted weights; name another")
    is_pickled = source.is_file() and source.suffix.lower() != ".safetensors"
    found = _weights(_read_inert(source), source) if is_pickled else read_pose_file(source)
    content = save({key: each.contiguous() for key, each in sorted(found.state.items())})
    told = {
        "format": FORMAT, "layout": found.layout, "width": found.width, "joints": found.joints,
        "names": found.names, "sha256": hashlib.sha256(content).hexdigest(),
        "source": {"file": found.called, "sha256": found.sha256},
    }  # fmt: skip
    write_atomically(out / WEIGHTS, content)
    write_atomically(out / RECORD, (json.dumps(told, indent=1) + "\n").encode())
    return read_pose_file(out)


@lru_cache(maxsize=8)
def expected_shapes(width: int, joints: int) -> Mapping[str, tuple[int, ...]]:
    """Name and shape of every tensor of an HRNetPose."""
    with torch.device("meta"):
        return {key: tuple(each.shape) for key, each in HRNetPose(width, joints).state_dict().items()}


def _read_folder(folder: Path) -> PoseWeights:
    if not (folder / RECORD).is_file() or not (folder / WEIGHTS).is_file():
        raise InputError(f"{folder}: lacks {RECORD} or {WEIGHTS}; expected a converted pose network; check the path")
    told = read_json(folder / RECORD)
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise FormatError(f"{folder / RECORD}: is no record of a pose network; expected format {FORMAT}; convert again")
    found = file_hash(folder / WEIGHTS)
    if found != told.get("sha256"):
        raise FormatError(
            f"{folder / WEIGHTS}: its sha256 is {found}, {RECORD} expects {told.get('sha256')}; one of both was "
            "changed; convert the weights again"
        )
    names = tuple(map(str, told["names"])) if told.get("names") else None
    layout: Layout = "deeplabcut" if told.get("layout") == "deeplabcut" else "mmpose"
    state = _checked(_read_safetensors(folder / WEIGHTS), folder)
    called = str((told.get("source") or {}).get("file", folder.name))
    return PoseWeights(state, layout, found, folder, called, names)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except SafetensorError as error:
        raise FormatError(f"{path}: cannot be read ({error}); expected safetensors; get the file again") from error


def _read_tensors(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if not _is_foreign(error):
            raise _broken(path, error) from error
        raise FormatError(
            f"{path}: holds Python objects beside its tensors ({_foreign_name(error)}), and reading them could run "
            f"code; expected tensors only; `maskwright models convert {path} --out FOLDER` reads the tensors and "
            "leaves the rest out"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise _broken(path, error) from error


def _read_inert(path: Path) -> Any:
    """What lies in a pickled file, everything but tensors and plain containers as stand-ins that do nothing."""
    reader = ModuleType("tensors_only")
    reader.Unpickler = _TensorsOnly  # type: ignore[attr-defined]
    reader.load = lambda file, **options: _TensorsOnly(file, **options).load()  # type: ignore[attr-defined]
    try:
        return torch.load(path, map_location="cpu", weights_only=False, pickle_module=reader)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError,
            TypeError, IndexError, zipfile.BadZipFile) as error:  # fmt: skip
        raise _broken(path, error) from error


def _broken(path: Path, error: Exception) -> FormatError:
    reason = " ".join(str(error).split())[:160] or type(error).__name__
    return FormatError(f"{path}: cannot be read ({reason}); expected weights saved by torch; get the file again")


def _is_foreign(error: Exception) -> bool:
    return "GLOBAL" in str(error) or "Unsupported" in str(error) or "allowed" in str(error)


def _foreign_name(error: Exception) -> str:
    found = re.search(r"GLOBAL ([\w.]+)|class ([\w.]+)", str(error))
    return next((each for each in found.groups() if each), "unnamed") if found else "unnamed"


class _Inert:
    """Stands for an object of a class that was not asked for: takes everything, does nothing."""

    def __init__(self, *args: Any, **named: Any) -> None:
        """Nothing is kept."""

    def __setstate__(self, state: Any) -> None:
        """Nothing is kept."""

    def __setitem__(self, key: Any, value: Any) -> None:
        """Nothing is kept."""

    def __call__(self, *_: Any, **__: Any) -> _Inert:
        """Methods of what was not made do nothing either."""
        return self

    def append(self, value: Any) -> None:
        """Nothing is kept."""

    def extend(self, values: Any) -> None:
        """Nothing is kept."""


class _TensorsOnly(pickle.Unpickler):
    """Reads tensors and plain containers; every other class becomes a stand-in, so no code of the file is run."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch", "Size"):
            return torch.Size
        if module == "torch._utils" and name in ("_rebuild_tensor_v2", "_rebuild_parameter", "_rebuild_tensor"):
            return getattr(torch._utils, name)
        if module in ("torch", "torch.storage") and name.endswith("Storage"):
            return super().find_class(module, name)
        return _Inert


def _weights(content: Any, path: Path) -> PoseWeights:
    state = _tensors_of(content, path)
    layout: Layout = "deeplabcut" if any(each.startswith("backbone.model.") for each in state) else "mmpose"
    named = _from_deeplabcut(state) if layout == "deeplabcut" else _from_mmpose(state)
    return PoseWeights(_checked(named, path), layout, file_hash(path), path, path.name, _stated_names(content))


def _tensors_of(content: Any, path: Path) -> dict[str, Tensor]:
    """The state dictionary in a file, without the prefix that training on many devices leaves."""
    inside = content
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            inside = content[key]
            break
    if not isinstance(inside, Mapping) or not any(isinstance(each, Tensor) for each in inside.values()):
        raise FormatError(f"{path}: holds no named tensors; expected the weights of a pose network; get the right file")
    tensors = {str(key).removeprefix("module."): each for key, each in inside.items() if isinstance(each, Tensor)}
    return {key: each for key, each in tensors.items() if not key.startswith("data_preprocessor.")}


def _from_mmpose(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    named = {re.sub(r"^keypoint_head\.", "head.", key): each for key, each in state.items()}
    numbers = sorted({int(found[1]) for key in named if (found := re.match(rf"{HEAD}\.(\d+)\.", key))})
    if not numbers:
        return named
    last = f"{HEAD}.{numbers[-1]}."
    return {f"{HEAD}.{key[len(last) :]}" if key.startswith(last) else key: each for key, each in named.items()}


def _from_deeplabcut(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    named = {}
    for key, each in state.items():
        key = re.sub(r"^backbone\.model\.", "backbone.", key)
        if found := DEEPLABCUT_HEAD.fullmatch(key):
            is_transposed = found[1] == "weight" and ".deconv_layers." in key
            key, each = f"{HEAD}.{found[1]}", each.transpose(0, 1) if is_transposed else each
        if not UNUSED.match(key):
            named[key] = each
    return named


def _checked(state: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Exactly the tensors of an HRNetPose as float32; anything else about them is an error that names them."""
    for key in (WIDTH_KEY, f"{HEAD}.weight"):
        if key not in state or state[key].ndim != 4:
            raise FormatError(
                f"{path}: has no tensor {key}; expected an HRNet with a head for heat-maps, as mmpose and DeepLabCut "
                "write it; get the weights of such a network"
            )
    expected = expected_shapes(state[WIDTH_KEY].shape[0], state[f"{HEAD}.weight"].shape[0])
    _check_names(state, expected, path)
    counts = {key: torch.zeros((), dtype=torch.int64) for key in expected if key.endswith("num_batches_tracked")}
    floats = {key: each if each.dtype == torch.int64 else each.float() for key, each in state.items()}
    return {key: {**counts, **floats}[key].contiguous() for key in expected}


def _check_names(state: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]], path: Path) -> None:
    needed = {key for key in expected if not key.endswith("num_batches_tracked")}  # old files have none
    problems = {
        "missing": sorted(needed - set(state)),
        "unexpected": sorted(set(state) - set(expected)),
        "of another shape": [
            f"{key} {tuple(each.shape)} instead of {expected[key]}"
            for key, each in sorted(state.items())
            if key in expected and tuple(each.shape) != expected[key]
        ],
    }
    if any(problems.values()):
        told = "; ".join(f"{len(keys)} {what}: {_listed(keys)}" for what, keys in problems.items() if keys)
        raise FormatError(f"{path}: is not the HRNet it looks like: {told}; get the weights of such a network")


def _listed(keys: list[str]) -> str:
    more = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
    return ", ".join(keys[:SHOWN]) + more


def _stated_names(content: Any) -> tuple[str, ...] | None:
    """The names of joints that files of mmpose 1.x carry."""
    meta = content.get("meta") if isinstance(content, Mapping) else None
    about = meta.get("dataset_meta") if isinstance(meta, Mapping) else None
    names = about.get("keypoint_id2name") if isinstance(about, Mapping) else None
    if not isinstance(names, Mapping) or sorted(names) != list(range(len(names))):
        return None
    return tuple(str(names[index]) for index in range(len(names)))
