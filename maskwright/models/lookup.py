"""Where pretrained weights lie on this machine, whether they are the right ones, and packing them for another.

They are looked for in this order, and nothing is ever downloaded:

1. the folder `MASKWRIGHT_MODELS` names, then `~/.cache/maskwright/models`: in `NAME/`, or directly in the folder;
2. the Hugging Face cache (`HF_HUB_CACHE`, `HF_HOME/hub`, `~/.cache/huggingface/hub`): the newest snapshot.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from maskwright.errors import EmptyResultError, InputError, MissingWeightsError
from maskwright.models.known import KNOWN, KnownWeights, known_weights

MANIFEST = "manifest.json"
Verdict = Literal["ok", "differs", "hash unknown"]


@dataclass(frozen=True)
class FoundWeights:
    """Weights of a known entry on this disk: the folder, the file of the weights, and what lies beside it."""

    known: KnownWeights
    path: Path
    beside: tuple[Path, ...]

    @property
    def folder(self) -> Path:
        return self.path.parent

    @property
    def files(self) -> tuple[Path, ...]:
        return self.path, *self.beside


@dataclass(frozen=True)
class Verification:
    """The hash of one found file and whether it is the one known from its publisher or from the pack it came in."""

    name: str
    path: Path
    sha256: str
    expected: str | None
    verdict: Verdict


def places(known: KnownWeights) -> Iterator[Path]:
    """The folders an entry is looked for in, in order, whether they exist or not."""
    for shelf in shelves():
        yield shelf / known.name
        if known.source is None:  # a file with a name of its own needs no folder
            yield shelf
    if known.source is not None:
        for cache in _hub_caches():
            yield from _snapshots(cache / f"models--{known.source.replace('/', '--')}")


def shelves() -> list[Path]:
    """Our own folders of weights."""
    named = os.environ.get("MASKWRIGHT_MODELS")
    return [*([Path(named).expanduser()] if named else []), Path("~/.cache/maskwright/models").expanduser()]


def find_weights(name: str) -> FoundWeights | None:
    """Where the weights of an entry lie, or None where they are not on this machine."""
    known = known_weights(name)
    for folder in places(known):
        for file in known.files:
            if (folder / file).is_file():
                beside = tuple(folder / each for each in known.beside if (folder / each).is_file())
                return FoundWeights(known, folder / file, beside)
    return None


def need_weights(name: str) -> FoundWeights:
    """Where the weights of an entry lie; missing ones are an error with file, places, hash, licence and command."""
    found = find_weights(name)
    if found is None:
        raise MissingWeightsError(missing_sentence(known_weights(name)))
    return found


def missing_sentence(known: KnownWeights) -> str:
    """What to tell somebody who needs weights that are not here."""
    looked = ", ".join(str(each) for each in places(known)) or "nowhere"
    digest = known.sha256 or (f"{known.sha256_start}..." if known.sha256_start else "not published")
    return (
        f"no weights of {known.name} ({' or '.join(known.files)}) in {looked}; sha256 {digest}, licence "
        f"{known.licence}; {known.how_to_get}"
    )


def file_hash(path: Path) -> str:
    """The SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify_weights(names: Iterable[str] | None = None) -> list[Verification]:
    """Hash every file found and compare it with what its publisher, or the pack it lies in, says."""
    wanted = KNOWN if names is None else [known_weights(name).name for name in names]
    found = [each for name in wanted if (each := find_weights(name)) is not None]
    if not found:
        raise EmptyResultError(
            f"none of the {len(list(wanted))} known weights asked for is on this machine; "
            f"`maskwright models show NAME` says where they are looked for and how to get them"
        )
    return [_verify(each, path) for each in found for path in each.files]


def pack_weights(names: Iterable[str] | None, out: Path) -> list[str]:
    """Copy found weights into an offline folder, or a .tar when `out` ends so; gives the names packed.

    On the other machine set MASKWRIGHT_MODELS to the folder. Its manifest.json holds every hash and licence.
    """
    wanted = list(KNOWN) if names is None else [known_weights(name).name for name in names]
    found = [need_weights(name) for name in wanted] if names is not None else _all_found(wanted)
    if not found:
        raise EmptyResultError("no known weights are on this machine, so nothing was packed; get some first")
    if out.exists() and (out.is_file() or any(out.iterdir())):
        raise InputError(f"{out}: is there already; name a new folder or .tar for the pack")
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix == ".tar":
        _pack_tar(found, out)
    else:
        _pack_folder(found, out)
    return [each.known.name for each in found]


def _all_found(names: Sequence[str]) -> list[FoundWeights]:
    return [each for name in names if (each := find_weights(name)) is not None]


def _verify(found: FoundWeights, path: Path) -> Verification:
    digest = file_hash(path)
    known = found.known
    expected = (known.sha256 or known.sha256_start) if path == found.path else None
    expected = expected or _packed_hash(known.name, path)
    verdict: Verdict = "hash unknown" if expected is None else "ok" if digest.startswith(expected) else "differs"
    return Verification(known.name, path, digest, expected, verdict)


def _packed_hash(name: str, path: Path) -> str | None:
    manifest = path.parent.parent / MANIFEST
    if not manifest.is_file():
        return None
    try:
        models: list[dict[str, Any]] = json.loads(manifest.read_text("utf-8"))["models"]
        hashes = {(each["name"], file["path"]): str(file["sha256"]) for each in models for file in each["files"]}
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{manifest}: is no manifest of a pack; pack the weights again or remove it") from None
    return hashes.get((name, f"{name}/{path.name}"))


def _manifest(found: Sequence[FoundWeights]) -> bytes:
    models = [
        {
            "name": each.known.name,
            "source": each.known.source,
            "licence": each.known.licence,
            "files": [
                {"path": f"{each.known.name}/{path.name}", "sha256": file_hash(path), "bytes": path.stat().st_size}
                for path in each.files
            ],
        }
        for each in found
    ]
    return (json.dumps({"models": models}, indent=2) + "\n").encode()


def _pack_folder(found: Sequence[FoundWeights], out: Path) -> None:
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    for each in found:
        (partial / each.known.name).mkdir(parents=True)
        for path in each.files:
            shutil.copyfile(path, partial / each.known.name / path.name)
    (partial / MANIFEST).write_bytes(_manifest(found))
    partial.replace(out)


def _pack_tar(found: Sequence[FoundWeights], out: Path) -> None:
    import io

    partial = out.with_name(f".{out.name}.partial")
    manifest = _manifest(found)
    with tarfile.open(partial, "w") as archive:
        _add(archive, MANIFEST, len(manifest), io.BytesIO(manifest))
        for each in found:
            for path in each.files:
                with path.open("rb") as file:
                    _add(archive, f"{each.known.name}/{path.name}", path.stat().st_size, file)
    partial.replace(out)


def _add(archive: tarfile.TarFile, name: str, size: int, file: IO[bytes]) -> None:
    entry = tarfile.TarInfo(name)  # no owner, no time: the same weights give the same archive
    entry.size = size
    archive.addfile(entry, file)


def _hub_caches() -> list[Path]:
    if named := os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE"):
        return [Path(named).expanduser()]
    return [Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser() / "hub"]


def _snapshots(repository: Path) -> Iterator[Path]:
    main = repository / "refs" / "main"
    if main.is_file():
        yield repository / "snapshots" / main.read_text("utf-8").strip()
    elif not (repository / "snapshots").is_dir():
        yield repository / "snapshots"  # nothing there, but that is where it was looked for
    if (repository / "snapshots").is_dir():
        yield from sorted((repository / "snapshots").iterdir(), key=lambda each: (-each.stat().st_mtime, each.name))
