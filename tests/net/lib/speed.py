# SPDX-License-Identifier: GPL-2.0-or-later
"""Speed tests: hawser speedtest, and the messages to an exit, written from docs/hop-protocol.md
alone."""

from __future__ import annotations

import json
import socket
import subprocess

import hop
from daemon import Hawserd
from handshakes import read
from manager import Manager
from patience import PATIENCE

COMMAND = 0xF1
SOURCE, SINK, ECHO = 1, 2, 3
TAKEN, BUSY, USED_UP, OFF, CROWDED = range(5)


def command(router: Hawserd | Manager, *words: str) -> subprocess.Popen:
    return subprocess.Popen([router.bed.build / "hawser", "--control", router.control, *words],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def start(router: Hawserd, *arguments: str) -> subprocess.Popen:
    return command(router, "speedtest", *arguments)


def run(router: Hawserd, *arguments: str) -> tuple[int, str, str]:
    """Status, output and error output."""
    with start(router, *arguments) as process:
        out, err = process.communicate(timeout=100 * PATIENCE)
    return process.returncode, out, err


def result(router: Hawserd, *arguments: str) -> dict:
    """Of a test that goes well."""
    status, out, err = run(router, "--json", *arguments)
    assert status == 0, out + err
    return json.loads(out)


def by_name(told: dict) -> dict[str, dict]:
    return {row["name"]: row for row in told["links"]}


def request(kind: int, seconds: int, test: int = 1) -> bytes:
    return (bytes([5, COMMAND, 0, 4, kind, 0]) + seconds.to_bytes(2, "big")
            + test.to_bytes(8, "big") + bytes(4 + 2))


def ask(sock: socket.socket, token: hop.Token, asked: bytes, payload: bytes = b"",
        name: str = "one") -> tuple[int, tuple[int, int, int] | None]:
    """SOCKS5 reply, and refusal, seconds and bytes of its address, if there are any."""
    status, _ = hop.send(sock, token, asked, payload, exit_name=name)
    assert status == hop.ACCEPTED, status
    head = read(sock, 4)
    assert head[0] == 5 and head[2] == 0 and head[3] in (1, 4), head
    address = read(sock, (4 if head[3] == 1 else 16) + 2)
    if head[3] == 1:
        return head[1], None
    assert address[1:4] == bytes(3) and address[16:] == bytes(2)
    return head[1], (address[0], int.from_bytes(address[4:8], "big"),
                     int.from_bytes(address[8:16], "big"))


def read_report(sock: socket.socket) -> tuple[float, int]:
    """Seconds and bytes."""
    report = read(sock, 16)
    return int.from_bytes(report[:8], "big") / 1e6, int.from_bytes(report[8:], "big")
