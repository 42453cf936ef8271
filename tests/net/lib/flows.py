# SPDX-License-Identifier: GPL-2.0-or-later
"""What moves the only session of a hawserd, and why."""

from __future__ import annotations

import socket

from bed import Bed
from daemon import Hawserd
from feature import lacks
from handshakes import read

# Whatever the namespaces have: only TCP sockets are moved by the kernel.
TCP_ONLY = ("--mptcp", "off")
SOCKMAP = (*TCP_ONLY, "--tier", "sockmap")


def feature_of(daemon: Hawserd, name: str) -> dict:
    return next(entry for entry in daemon.status()["kernel"] if entry["feature"] == name)


def only_with(bed: Bed, options: tuple[str, ...], name: str) -> None:
    """Skips the test where the kernel lacks what hawserd needs for these options."""
    daemon = Hawserd(bed, *options)
    feature = feature_of(daemon, name)
    daemon.finish()
    if not feature["available"]:
        lacks(feature["reason"], name)


def flows(daemon: Hawserd) -> dict[str, dict]:
    """Both directions."""
    found = {flow["direction"]: flow for flow in daemon.ask("flows")["flows"]}
    assert set(found) == {"up", "down"}
    return found


def tiers(daemon: Hawserd) -> set[str]:
    return {flow["tier"] for flow in flows(daemon).values()}


def reasons(daemon: Hawserd) -> set[str]:
    return {flow["reason"] for flow in flows(daemon).values()}


def chat(client: socket.socket, server: socket.socket, turns: int, size: int = 64) -> None:
    question, answer = b"q" * size, b"a" * size
    for _ in range(turns):
        client.sendall(question)
        assert read(server, size) == question
        server.sendall(answer)
        assert read(client, size) == answer
