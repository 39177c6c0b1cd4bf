"""`maskwright models`: what is known, what is found, whether it is right, and packing it."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path

import pytest

from maskwright.cli.main import main
from maskwright.errors import MissingWeightsError, UnknownNameError
from maskwright.models.known import KNOWN, known_weights
from maskwright.models.lookup import find_weights, need_weights

POSE = "hrnet-w48-ap10k"


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("MASKWRIGHT_MODELS", str(tmp_path / "models"))


def put(path: Path, content: bytes = b"weights") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def record(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, dict[str, object]]:
    code = main(["models", *argv, "--json", "--quiet"])
    return code, json.loads(capsys.readouterr().out)


def test_every_entry_says_what_a_user_must_know() -> None:
    for name, each in KNOWN.items():
        assert each.name == name
        assert each.role
        assert each.licence
        assert each.files
        assert name in each.how_to_get
        assert each.sha256 is None or len(each.sha256) == 64
        assert each.sha256_start is None or any(each.sha256_start in file for file in each.files)


def test_an_unknown_name_offers_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnknownNameError):
        known_weights("sam-vit-bas")
    assert main(["models", "show", "sam-vit-bas"]) == 2
    assert "did you mean 'sam-vit-base'?" in capsys.readouterr().err


def test_the_places_in_order(tmp_path: Path) -> None:
    source = "models--facebook--sam-vit-base"
    assert find_weights("sam-vit-base") is None
    old = put(tmp_path / "hub" / source / "snapshots" / "aaa" / "model.safetensors")
    found = find_weights("sam-vit-base")
    assert found is not None and found.path == old
    main_one = put(tmp_path / "hub" / source / "snapshots" / "bbb" / "pytorch_model.bin")
    put(tmp_path / "hub" / source / "refs" / "main", b"bbb")
    found = find_weights("sam-vit-base")
    assert found is not None and found.path == main_one
    home = put(tmp_path / "home" / ".cache" / "maskwright" / "models" / "sam-vit-base" / "model.safetensors")
    found = find_weights("sam-vit-base")
    assert found is not None and found.path == home
    named = put(tmp_path / "models" / "sam-vit-base" / "model.safetensors")
    put(tmp_path / "models" / "sam-vit-base" / "config.json", b"{}")
    found = find_weights("sam-vit-base")
    assert found is not None and found.path == named
    assert [each.name for each in found.files] == ["model.safetensors", "config.json"]


def test_missing_weights_say_file_places_licence_and_command(tmp_path: Path) -> None:
    with pytest.raises(MissingWeightsError) as caught:
        need_weights("sam-vit-base")
    said = str(caught.value)
    expected = ("model.safetensors", str(tmp_path / "models"), "Apache-2.0", "hf download facebook/sam-vit-base")
    assert all(part in said for part in expected)
    with pytest.raises(MissingWeightsError, match=r"d95ab412\.\.\."):
        need_weights(POSE)


def test_show_and_list(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = put(tmp_path / "models" / KNOWN[POSE].files[0])
    code, shown = record(capsys, "show", POSE)
    assert code == 0
    (one,) = shown["models"]  # type: ignore[misc]
    assert one["path"] == str(path)
    assert one["sha256"] is None
    assert main(["models", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(KNOWN)
    assert [line.split()[0] for line in lines if " found " in line] == [POSE]


def test_verify_compares_with_what_is_published(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["models", "verify"]) == 3
    capsys.readouterr()
    put(tmp_path / "models" / "sam-vit-base" / "model.safetensors")
    code, shown = record(capsys, "verify")
    assert code == 0
    (file,) = shown["files"]  # type: ignore[misc]
    assert file["verdict"] == "hash unknown"
    assert file["sha256"] == hashlib.sha256(b"weights").hexdigest()
    put(tmp_path / "models" / KNOWN[POSE].files[0])
    assert main(["models", "verify", POSE]) == 1
    assert "expected sha256 d95ab412" in capsys.readouterr().err


@pytest.mark.parametrize("packed", ["pack", "pack.tar"])
def test_a_pack_verifies_on_the_other_machine(
    packed: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "models" / "sam-vit-base" / "model.safetensors")
    put(tmp_path / "models" / "sam-vit-base" / "config.json", b"{}")
    code, shown = record(capsys, "pack", "--out", str(tmp_path / packed))
    assert code == 0
    assert shown["packed"] == ["sam-vit-base"]
    assert main(["models", "pack", "--out", str(tmp_path / packed)]) == 2
    elsewhere = tmp_path / "pack"
    if packed.endswith(".tar"):
        elsewhere = tmp_path / "unpacked"
        with tarfile.open(tmp_path / packed) as archive:
            archive.extractall(elsewhere, filter="data")
    monkeypatch.setenv("MASKWRIGHT_MODELS", str(elsewhere))
    code, shown = record(capsys, "verify")
    assert code == 0
    assert {file["verdict"] for file in shown["files"]} == {"ok"}  # type: ignore[attr-defined]
    (elsewhere / "sam-vit-base" / "config.json").write_bytes(b"changed")
    code, _ = record(capsys, "verify")
    assert code == 1


def test_nothing_to_pack_is_no_success(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["models", "pack", "--out", str(tmp_path / "pack")]) == 3
    assert not (tmp_path / "pack").exists()
    assert main(["models", "pack", "sam-vit-base", "--out", str(tmp_path / "pack")]) == 2
    assert "hf download" in capsys.readouterr().err
