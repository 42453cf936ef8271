# SPDX-License-Identifier: GPL-2.0-or-later
"""A receive buffer that is full of what came out of order: the kernel then takes nothing more, not
even what all wait for. Small messages fill it soon, as each costs the kernel several times its size."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest

import peers
from handshakes import read
from patience import PATIENCE
from pattern import Stream
from topology import SERVER4, SERVER6
from waiting import until

pytestmark = pytest.mark.mptcp

MESSAGE, ROOM = 100, 1 << 18
# Several times what a buffer of ROOM holds in messages.
LEAST = 2 << 20
FIRST = 100_000
# Enough to fill it, and the links are quick.
HOLE_S = 0.5
OPTIONS = ("--workers", "1", "--tune", f"receive-bytes={ROOM}")


@contextlib.contextmanager
def sending(sock: socket.socket, stream: Stream):
    """Messages that are not put together, all the time."""
    on = threading.Event()
    on.set()

    def send() -> None:
        sent = 0
        with contextlib.suppress(OSError):
            while on.is_set():
                sent += sock.send(stream.part(sent, MESSAGE))

    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        on.clear()
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize("host", [SERVER4, SERVER6])
def test_it_goes_on(bed, hawserd, host):
    """What link b swallows for a while is what all wait for."""
    daemon = hawserd(*OPTIONS)
    with peers.listen(bed.server, host, mptcp=True) as listening, \
            daemon.dial(host, peers.port_of(listening)) as reader, \
            peers.accept(listening) as source:
        source.sendall(bytes(FIRST))
        assert read(reader, FIRST) == bytes(FIRST)
        until(daemon.session, lambda now: now["upstream_subflows"] == 2)
        stream = Stream(5)
        bed.cut("b")
        try:
            with sending(source, stream):
                time.sleep(HOLE_S)
                bed.mend("b")
                reader.settimeout(20 * PATIENCE)
                stream.receive(reader, LEAST)
        finally:
            bed.mend("b")
