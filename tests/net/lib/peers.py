# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP and MPTCP sockets in namespaces, and servers that run in threads of this process."""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
import threading
from collections.abc import Callable

from namespace import IPPROTO_MPTCP, Namespace
from patience import PATIENCE
from topology import SERVER4, SERVER6

_LIBC = ctypes.CDLL(None, use_errno=True)

# No test waits longer than this for one byte.
TIMEOUT_S = 60 * PATIENCE
# A reset that finds no place in a full window is asked back for, and that question the kernel forgets
# when it comes while the socket is being closed: the other end hears nothing until it asks. Hence all
# ends ask soon, and so do the daemons.
KEEPALIVE_S = 2


def _socket(namespace: Namespace, address: str, mptcp: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = namespace.socket(family, protocol=IPPROTO_MPTCP if mptcp else 0)
    made.settimeout(TIMEOUT_S)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_S)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_S)
    return made


def listen(namespace: Namespace, address: str = SERVER4, port: int = 0, mptcp: bool = False,
           backlog: int = 1024) -> socket.socket:
    listening = _socket(namespace, address, mptcp)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((address, port))
    listening.listen(backlog)
    return listening


def listen_both(namespace: Namespace, port: int = 0, mptcp: bool = False) -> list[socket.socket]:
    """On the server's addresses, both families with one port. One that is free on one may still be taken on the other, by
    what has ended there."""
    for tries_left in range(0 if port else 20, -1, -1):
        first = listen(namespace, SERVER4, port, mptcp)
        try:
            return [first, listen(namespace, SERVER6, port_of(first), mptcp)]
        except OSError:
            first.close()
            if not tries_left:
                raise
    raise AssertionError


def port_of(listening: socket.socket) -> int:
    return listening.getsockname()[1]


def accept(listening: socket.socket) -> socket.socket:
    accepted, _ = listening.accept()
    accepted.settimeout(TIMEOUT_S)
    return accepted


def connect(namespace: Namespace, address: str, port: int, mptcp: bool = False,
            source: str = "") -> socket.socket:
    """From the address source, else from the kernel's choice."""
    made = _socket(namespace, address, mptcp)
    try:
        if source:
            made.bind((source, 0))
        made.connect((address, port))
    except OSError:
        made.close()
        raise
    return made


def reset(sock: socket.socket) -> None:
    """Ends the connection by a reset, as user/net/socket_reset.c does, which says why so."""
    nobody = struct.pack("H14x", socket.AF_UNSPEC)
    if _LIBC.connect(sock.fileno(), nobody, len(nobody)):
        raise OSError(ctypes.get_errno(), "connect to nobody")
    sock.close()


def was_reset(sock: socket.socket) -> bool:
    """Reads to the end: whether that is a reset, not an end of stream."""
    try:
        while sock.recv(65536):
            pass
    except ConnectionResetError:
        return True
    return False


def echo(sock: socket.socket) -> None:
    while data := sock.recv(65536):
        sock.sendall(data)


def silent(sock: socket.socket) -> None:
    """Takes all and says nothing."""
    while sock.recv(65536):
        pass


class Server:
    """Listens on the server's addresses, both families with one port, and runs handler in a thread
    for each connection, which is closed afterwards. window: bytes that a connection's buffer takes."""

    def __init__(self, namespace: Namespace, handler: Callable[[socket.socket], None],
                 mptcp: bool = False, port: int = 0, window: int | None = None) -> None:
        self._handler = handler
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self.families: list[int] = []  # of the connections, in order
        self._listening = listen_both(namespace, port, mptcp)
        self.port = port_of(self._listening[0])
        for listening in self._listening:
            if window:
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
            listening.settimeout(None)
            threading.Thread(target=self._accept, args=(listening,), daemon=True).start()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                accepted = accept(listening)
            except OSError:
                return
            with self._lock:
                self._open.add(accepted)
                self.families.append(accepted.family)
            threading.Thread(target=self._serve, args=(accepted,), daemon=True).start()

    def _serve(self, accepted: socket.socket) -> None:
        # What the peer gets to see is for the test to judge.
        with contextlib.suppress(OSError), accepted:
            self._handler(accepted)
        with self._lock:
            self._open.discard(accepted)

    def close(self) -> None:
        with self._lock:
            for sock in [*self._listening, *self._open]:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
            for listening in self._listening:
                listening.close()
