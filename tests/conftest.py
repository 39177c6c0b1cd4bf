"""What every test has: the network closed, one random state, and the way to the shared pictures."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

LOCAL = {"127.0.0.1", "::1", "localhost"}


@pytest.fixture(autouse=True)
def _closed_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections leave this machine for nobody: whatever needs a download must fail here, not on a user's ship."""
    connect = socket.socket.connect

    def connect_locally(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and address and address[0] not in LOCAL:
            raise RuntimeError(f"a test tried to reach {address!r}; tests run without a network")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", connect_locally)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real test pictures, or a skip that says where it was looked for."""
    default = Path(__file__).resolve().parents[1].parent / "shared" / "data"
    folder = Path(os.environ.get("MASKWRIGHT_TEST_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no real test pictures at {folder}; set MASKWRIGHT_TEST_DATA to their folder")
    return folder
