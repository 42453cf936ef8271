# SPDX-License-Identifier: GPL-2.0-or-later
"""One session through hawserd, with both of its ends in the hands of a test."""

from __future__ import annotations

import contextlib
import platform
import socket
import time
from collections.abc import Iterator

import peers
from daemon import Hawserd
from feature import may_lack
from handshakes import at_end
from pattern import MEGABYTE, Stream, together
from topology import SERVER4


@contextlib.contextmanager
def through(daemon: Hawserd, pair: tuple[str, str] = ("tcp", "tcp"),
            ) -> Iterator[tuple[socket.socket, socket.socket]]:
    """The client's and the server's socket; pair says what they speak, "tcp" or "mptcp"."""
    client, server = (transport == "mptcp" for transport in pair)
    with peers.listen(daemon.bed.server, mptcp=server) as listening, \
            daemon.dial(SERVER4, peers.port_of(listening), client) as near, \
            peers.accept(listening) as far:
        yield near, far


def half_close(asking: socket.socket, answering: socket.socket, answer_bytes: int) -> None:
    """One end sends a megabyte and ends its stream; the other reads all of it, and only then begins to send."""
    question, answer = Stream(11), Stream(12)

    def ask() -> None:
        question.send(asking, MEGABYTE)
        asking.shutdown(socket.SHUT_WR)
        answer.receive(asking, answer_bytes)
        assert at_end(asking)

    def reply() -> None:
        question.receive(answering, MEGABYTE)
        assert at_end(answering)
        time.sleep(0.3)
        answer.send(answering, answer_bytes)
        answering.shutdown(socket.SHUT_WR)

    together(ask, reply)


def auto_tier(daemon: Hawserd, source: str, target: str) -> str:
    """What moves a flow between two such sockets by --tier=auto, while the sockmap does not: pages
    are passed on where hawserd has found by trial that the kernel does so. "mptcp" is also what has
    fallen back."""
    needed = {"splice"} | ({"splice-from-mptcp"} if source == "mptcp" else set()) \
        | ({"splice-to-mptcp"} if target == "mptcp" else set())
    off = {each["feature"] for each in daemon.status()["kernel"] if not each["available"]}
    assert "splice" not in off
    if int(platform.release().split(".")[0]) < 7:
        assert {"splice-from-mptcp", "splice-to-mptcp"} <= off
    return "copy" if needed & off else "splice"


def sockmap_tier(daemon: Hawserd) -> str:
    """What moves a flow between TCP sockets by --tier=sockmap: as auto does where the kernel's is
    off."""
    state = next(each for each in daemon.status()["kernel"] if each["feature"] == "sockmap-tcp")
    if state["available"]:
        return "sockmap"
    may_lack(state["reason"], "sockmap-tcp")
    return auto_tier(daemon, "tcp", "tcp")
