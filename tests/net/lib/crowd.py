# SPDX-License-Identifier: GPL-2.0-or-later
"""Many sessions at once, with both ends of each in this process."""

from __future__ import annotations

import contextlib
import resource
import socket
from pathlib import Path

import peers
from daemon import Hawserd
from handshakes import NO_PASSWORD, read, read_socks5_reply, socks5_request
from patience import load
from topology import SERVER4

# So many idle sessions, or what the limit of open files allows, ...
IDLE = 10_000
# ... may cost a daemon so much each.
IDLE_BYTES_MAX = 1.5 * 1024
# For the daemon of a crowd. Sockets that were opened together ask after their peers in one moment, and
# what net.core.netdev_max_backlog does not hold is lost, each time: BRISK takes living peers for dead.
PATIENT = ("--tune", "keepalive-idle-s=600")


class Crowd:
    """Sessions between sockets of this process, all opened before the first is answered. None of its
    ends asks whether the other is still there; daemon: a PATIENT one, if there are many."""

    def __init__(self, daemon: Hawserd, listening: socket.socket) -> None:
        self._daemon, self._listening = daemon, listening
        self._stack = contextlib.ExitStack()
        self.ends: list[tuple[socket.socket, socket.socket]] = []

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def grow(self, count: int, at_once: int = load(500)) -> None:
        """By sessions of which each has moved a byte both ways. at_once: that are being opened, no
        more than wait in the backlogs."""
        for first in range(0, count, at_once):
            self._grow_at_once(min(at_once, count - first))

    def _grow_at_once(self, count: int) -> None:
        request = NO_PASSWORD + socks5_request(SERVER4, peers.port_of(self._listening))
        clients = {}
        for _ in range(count):
            client = _never_asking(self._daemon.connect())
            client.sendall(request)
            clients[client.getsockname()] = client
        servers = [self._stack.enter_context(_never_asking(peers.accept(self._listening)))
                   for _ in range(count)]
        # Which server belongs to which client, hawserd does not say: the client's address does.
        for client in clients.values():
            assert read(client, 2) == b"\x05\x00"
            assert read_socks5_reply(client) == 0
            host, port = client.getsockname()
            client.sendall(socket.inet_aton(host) + port.to_bytes(2, "big"))
        for server in servers:
            name = read(server, 6)
            client = clients.pop((socket.inet_ntoa(name[:4]), int.from_bytes(name[4:], "big")))
            server.sendall(b"!")
            assert read(client, 1) == b"!"
            self.ends.append((client, server))


def _never_asking(sock: socket.socket) -> socket.socket:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)
    return sock


def open_files_limit() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def with_asan(build: Path) -> bool:
    """Whether AddressSanitizer's own memory is in the way of measuring the daemon's."""
    return b"__asan_init" in (build / "hawserd").read_bytes()
