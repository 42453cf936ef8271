# SPDX-License-Identifier: GPL-2.0-or-later
"""A download through hawserd that does not end by itself."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import peers
from daemon import Hawserd
from topology import SERVER4


@contextlib.contextmanager
def download(daemon: Hawserd, address: str = SERVER4) -> Iterator[list[int]]:
    """One that goes on all the time; how much has come."""
    came = [0]
    with peers.listen(daemon.bed.server, address, mptcp=daemon.bed.mptcp) as listening, \
            daemon.dial(address, peers.port_of(listening)) as client, \
            peers.accept(listening) as server:

        def send() -> None:
            with contextlib.suppress(OSError):
                while True:
                    server.sendall(bytes(65536))

        def receive() -> None:
            with contextlib.suppress(OSError):
                while got := len(client.recv(1 << 18)):
                    came[0] += got

        threads = [threading.Thread(target=job) for job in (send, receive)]
        for thread in threads:
            thread.start()
        try:
            yield came
        finally:
            for sock in client, server:
                with contextlib.suppress(OSError):  # the end of one may be a reset for the other
                    sock.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()
