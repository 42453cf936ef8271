# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of hawserd as a service share."""

from __future__ import annotations

import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from handshakes import read
from manager import Manager, ask
from waiting import until


def run_cli(manager: Manager, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run([manager.bed.build / "hawser", "--control", manager.control, *words],
                          capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def manage(bed, serve) -> Iterator:
    """Managers, none of whose hawserds outlives the test."""
    made: list[Manager] = []

    def make(*options: str, on=bed, **settings) -> Manager:
        directory = Path(tempfile.mkdtemp(dir=bed.scratch))
        made.append(Manager(on, on.router, directory, *options, **settings))
        return made[-1]

    yield make
    for manager in made:
        manager.close()
        until(lambda: ask(manager.control, "status") == {})


def goes_on(client: socket.socket) -> None:
    client.sendall(b"still here")
    assert read(client, 10) == b"still here"
