# SPDX-License-Identifier: GPL-2.0-or-later
"""Limits of kernels that README and docs/kernel-notes.md speak of, shown without hawserd. A test
passes where the kernel has the limit, and is skipped where it did not show: what is a matter of
chance may need another run."""

from __future__ import annotations

import contextlib
import functools
import socket
import struct
import threading
import time

import pytest

import peers
from patience import PATIENCE
from pattern import Stream
from topology import SERVER4, near

pytestmark = pytest.mark.mptcp

SECONDS = 20 * PATIENCE ** 0.25
PIECE = 1 << 18


def tries(what, limit: str) -> None:
    """Until it has shown."""
    end, count = time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        count += 1
        if what(count):
            return
    pytest.skip(f"this kernel did not show it in {count} connections: {limit}")


@contextlib.contextmanager
def connected(client_net, server_net, address: str, client_mptcp: bool, server_mptcp: bool):
    with peers.listen(server_net, address, mptcp=server_mptcp) as listening, \
            peers.connect(client_net, address, peers.port_of(listening), client_mptcp) as client, \
            peers.accept(listening) as server:
        yield client, server


def test_wrong_bytes_at_a_join(bed):
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

    tries(wrong, "wrong bytes when a subflow joins in mid-stream")


def test_fallback_loses_bytes_at_urgent_ones(bed):
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

    assert not any(lost(mptcp=False) for _ in range(10))
    tries(lambda _: lost(mptcp=True), "a fallback loses bytes between many urgent ones")


def test_reset_that_gets_lost(bed):
    """The receiver's window is full when the sender resets."""
    def lost(_: int) -> bool:
        with connected(bed.router, bed.server, SERVER4, False, False) as (client, server):
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    client.send(bytes(PIECE))
            peers.reset(client)
            time.sleep(0.05)
            return server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0

    tries(lost, "a reset that does not fit the window is lost")
