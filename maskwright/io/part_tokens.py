"""Part masks as a network with part tokens reads them: NAME.npz, the same as NAME.npy in PAW-ViT's layout, NAME.png."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.part_tokens import part_shares, visible_parts
from maskwright.errors import FormatError, InputError
from maskwright.io.classes import Classes
from maskwright.io.masks import write_mask
from maskwright.io.outputs import write_atomically
from maskwright.types import UNKNOWN, Mask

BACKGROUND = "background"


@dataclass(frozen=True, eq=False)
class PartTokens:
    """Shares float32 (parts + 1, height, width) that sum to 1, background last, and the names of all channels."""

    shares: NDArray[np.float32]
    names: tuple[str, ...]

    @classmethod
    def of(cls, mask: Mask, *, grid: tuple[int, int] = (64, 64), where: str = "the mask") -> PartTokens:
        """The tokens of a mask: its classes in the order of their ids, background last."""
        parts = [class_id for class_id, name in enumerate(mask.class_names) if name and name != BACKGROUND]
        if BACKGROUND not in mask.class_names or not parts:
            found = ", ".join(each for each in mask.class_names if each) or "none"
            raise InputError(
                f"{where}: its classes are {found}; expected parts and one called background; name them in classes.yaml"
            )
        names = (*(mask.class_names[each] for each in parts), BACKGROUND)
        return cls(part_shares(mask.class_ids, parts, mask.class_names.index(BACKGROUND), grid=grid), names)

    @property
    def visible(self) -> NDArray[np.bool_]:
        """Which parts can be seen, without the background."""
        return visible_parts(self.shares)


def write_part_tokens(folder: str | Path, name: str, tokens: PartTokens, classes: Classes) -> tuple[Path, ...]:
    """Write NAME.npz (tokens, names, visible), NAME.npy (channels first) and NAME.png to look at.

    In the npz channels come last. The picture shows each cell's largest share in the colours of `classes`; a cell of
    equal ones is unknown. The same tokens give the same bytes.
    """
    folder = Path(folder)
    packed, plain = io.BytesIO(), io.BytesIO()
    last = np.ascontiguousarray(tokens.shares.transpose(1, 2, 0))
    np.savez_compressed(packed, tokens=last, names=np.array(tokens.names), visible=tokens.visible)
    np.save(plain, tokens.shares)
    paths = tuple(folder / f"{name}{suffix}" for suffix in (".npz", ".npy", ".png"))
    write_atomically(paths[0], packed.getvalue())
    write_atomically(paths[1], plain.getvalue())
    write_mask(paths[2], _largest(tokens, classes), colors=classes.colors)
    return paths


def read_part_tokens(path: str | Path) -> PartTokens:
    """Read NAME.npz as `write_part_tokens` wrote it; shares that do not sum to 1 are a FormatError."""
    try:
        with np.load(path, allow_pickle=False) as file:
            shares, names = file["tokens"].transpose(2, 0, 1), tuple(map(str, file["names"]))
    except (OSError, ValueError, KeyError) as error:
        raise FormatError(
            f"{path}: no part tokens ({error}); expected the .npz that convert writes; make it again"
        ) from error
    if len(shares) != len(names) or not np.allclose(shares.sum(axis=0), 1, atol=1e-5):
        raise FormatError(f"{path}: {len(shares)} channels, {len(names)} names, sums from {shares.sum(0).min():g}; "
                          "expected one name each and sums of 1; make it again")  # fmt: skip
    return PartTokens(np.ascontiguousarray(shares, np.float32), names)


def _largest(tokens: PartTokens, classes: Classes) -> Mask:
    top = tokens.shares.max(axis=0)
    ids = np.array([classes.id_of(name) for name in tokens.names], np.uint8)[tokens.shares.argmax(axis=0)]
    is_tied = (tokens.shares > top - 1e-6).sum(axis=0) > 1
    return Mask(np.where(is_tied, UNKNOWN, ids).astype(np.uint8), classes.names)
