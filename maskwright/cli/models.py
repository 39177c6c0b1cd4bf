"""`maskwright models`: which pretrained weights are known, where they lie, whether right; packs; conversion."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from maskwright.cli.screen import Answer, Screen, plain


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("list", "show", "verify", "pack", "convert"), help="what to do")
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="which ones (verify, pack: by default all found; convert: a file of pose weights)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DST", help="pack: a folder, or a file that ends in .tar; convert: a folder"
    )


def run(arguments: argparse.Namespace, screen: Screen) -> Answer:
    return {"list": _list, "show": _show, "verify": _verify, "pack": _pack, "convert": _convert}[arguments.action](
        arguments
    )


def _list(arguments: argparse.Namespace) -> Answer:
    from maskwright.models.known import KNOWN, known_weights

    names = [known_weights(name).name for name in arguments.names] or list(KNOWN)
    records = [_record(name) for name in names]
    lines = [f"{each['name']:<22} {'found' if each['path'] else '-':<6} {each['licence']}" for each in records]
    return Answer({"models": records}, "\n".join(lines))


def _show(arguments: argparse.Namespace) -> Answer:
    from maskwright.errors import InputError

    if not arguments.names:
        raise InputError("maskwright models show: no NAME is given; `maskwright models list` says which there are")
    records = [_record(name) for name in arguments.names]
    blocks = ["\n".join(f"{key:<14} {_words(value)}" for key, value in each.items()) for each in records]
    return Answer({"models": records}, "\n\n".join(blocks))


def _verify(arguments: argparse.Namespace) -> Answer:
    from maskwright.models.lookup import verify_weights

    checked = verify_weights(arguments.names or None)
    lines = [f"{each.verdict:<13} {each.sha256}  {each.path}" for each in checked]
    wrong = [each for each in checked if each.verdict == "differs"]
    notes = [f"failed: {each.path}: expected sha256 {each.expected}; get the file again" for each in wrong]
    return Answer({"files": plain(checked)}, "\n".join(lines), 1 if wrong else 0, notes)


def _pack(arguments: argparse.Namespace) -> Answer:
    from maskwright.errors import InputError
    from maskwright.models.lookup import pack_weights

    if arguments.out is None:
        raise InputError("maskwright models pack: no --out is given; name a new folder, or a file that ends in .tar")
    packed = pack_weights(arguments.names or None, arguments.out)
    notes = [f"{len(packed)} packed into {arguments.out}; elsewhere set MASKWRIGHT_MODELS to that folder"]
    return Answer({"packed": packed, "out": str(arguments.out)}, "\n".join(packed), notes=notes)


def _convert(arguments: argparse.Namespace) -> Answer:
    from maskwright.errors import InputError
    from maskwright.models.pose_files import convert_pose_file

    if arguments.out is None or len(arguments.names) != 1:
        raise InputError("maskwright models convert: one FILE of pose weights and --out FOLDER are needed; give both")
    found = convert_pose_file(arguments.names[0], arguments.out)
    record = {"out": str(arguments.out), "width": found.width, "joints": found.joints, "layout": found.layout}
    notes = [f"an HRNet of width {found.width} for {found.joints} joints, as tensors only, in {arguments.out}"]
    return Answer({**record, "names": plain(found.names)}, notes=notes)


def _record(name: str) -> dict[str, Any]:
    from maskwright.models.known import known_weights
    from maskwright.models.lookup import find_weights, places

    known, found = known_weights(name), find_weights(name)
    record: dict[str, Any] = {**plain(known), "how_to_get": known.how_to_get}
    return {**record, "looked_in": [str(each) for each in places(known)], "path": str(found.path) if found else None}


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    return str(value) if value not in (None, "") else "-"
