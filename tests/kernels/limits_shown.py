# SPDX-License-Identifier: GPL-2.0-or-later
"""Limits of kernels that README and docs/kernel-notes.md speak of, shown without hawserd. A test passes
where the limit could have shown, and records whether it did: that is a matter of chance."""

from __future__ import annotations

import contextlib
import functools
import socket
import struct
import threading
import time
from collections.abc import Callable

import pytest

import peers
from patience import PATIENCE
from pattern import Stream
from topology import SERVER4, near

pytestmark = pytest.mark.mptcp

SECONDS = 20 * PATIENCE ** 0.25
PIECE = 1 << 18


def tries(what: Callable[[int], bool]) -> str:
    """Until it has shown: in which connection."""
    end, count = time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        count += 1
        if what(count):
            return f"shown in connection {count}"
    return f"not in {count}"


@contextlib.contextmanager
def connected(client_net, server_net, address: str, client_mptcp: bool, server_mptcp: bool):
    with peers.listen(server_net, address, mptcp=server_mptcp) as listening, \
            peers.connect(client_net, address, peers.port_of(listening), client_mptcp) as client, \
            peers.accept(listening) as server:
        yield client, server


def test_wrong_bytes_at_a_join(bed, record_property):
    """The accepting side reads in long calls while a second subflow joins; the path has next to no
    round-trip time."""
    total = 1 << 20

    def wrong(number: int) -> bool:
        stream = Stream(number).part(0, total)
        with connected(bed.router, bed.server, SERVER4, True, True) as (client, server):
            # Not by a timeout of Python's, with which recv() does not wait for all.
            server.settimeout(None)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO,
                              struct.pack("ll", 2, 0))
            thread = threading.Thread(target=client.sendall, args=(stream,))
            thread.start()
            got = server.recv(total, socket.MSG_WAITALL)
            client.shutdown(socket.SHUT_RDWR)
            thread.join()
            return got != stream[:len(got)]

    def joins() -> int:
        return bed.mptcp_counters(bed.server)["MPJoinAckRx"]

    before = joins()
    shown = tries(wrong)
    assert joins() > before
    record_property("wrong bytes at a join", shown)


def test_fallback_loses_bytes_at_urgent_ones(bed, record_property):
    """An MPTCP socket that fell back to TCP, and 500 urgent bytes each way. They come in their
    place there; a plain socket without SO_OOBINLINE takes them out."""
    count, normal = 500, b"n" * 100

    def send(sock: socket.socket) -> None:
        for _ in range(count):
            sock.sendall(normal)
            sock.send(b"u", socket.MSG_OOB)
        sock.shutdown(socket.SHUT_WR)

    def receive(sock: socket.socket, came: list[int]) -> None:
        with contextlib.suppress(OSError):
            while data := sock.recv(PIECE):
                came.append(len(data))

    def lost(mptcp: bool) -> bool:
        with connected(bed.router, bed.router, near("a")[0], mptcp, False) as (client, server):
            came: list[list[int]] = [[], []]
            jobs = [threading.Thread(target=job) for end, got in zip((client, server), came)
                    for job in (functools.partial(send, end), functools.partial(receive, end, got))]
            for job in jobs:
                job.start()
            for job in jobs:
                job.join()
            return sum(came[0]) < count * (len(normal) + mptcp)

    def fallbacks() -> int:
        return bed.mptcp_counters(bed.router)["MPCapableFallbackSYNACK"]

    assert not any(lost(mptcp=False) for _ in range(10))
    before = fallbacks()
    shown = tries(lambda _: lost(mptcp=True))
    assert fallbacks() > before
    record_property("bytes lost at urgent ones", shown)


def test_reset_that_gets_lost(bed, record_property):
    """The receiver's window is full when the sender resets."""
    def lost(_: int) -> bool:
        with connected(bed.router, bed.server, SERVER4, False, False) as (client, server):
            client.setblocking(False)
            with pytest.raises(BlockingIOError):
                while True:
                    client.send(bytes(PIECE))
            peers.reset(client)
            time.sleep(0.05)
            return server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0

    record_property("reset lost at a full window", tries(lost))
