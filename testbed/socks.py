# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of a SOCKS5 proxy (RFC 1928), by name of nobody."""

from __future__ import annotations

import socket

from namespace import Namespace
from processes import Failed


def connect(namespace: Namespace, address: str, port: int, timeout_s: float) -> socket.socket:
    """A plain TCP connection, as any client of a LAN makes it."""
    client = namespace.socket(socket.AF_INET)
    client.settimeout(timeout_s)
    try:
        client.connect((address, port))
    except OSError:
        client.close()
        raise
    return client


def dial(namespace: Namespace, proxy: tuple[str, int], to: tuple[str, int],
         timeout_s: float) -> socket.socket:
    """Through the proxy; Failed where it cannot."""
    client = connect(namespace, *proxy, timeout_s)
    client.sendall(b"\x05\x01\x00" + b"\x05\x01\x00\x01" + socket.inet_aton(to[0])
                   + to[1].to_bytes(2, "big"))
    answer = b""
    while len(answer) < 12:
        chunk = client.recv(12 - len(answer))
        if not chunk:
            raise Failed("hawserd closed the connection")
        answer += chunk
    if answer[3] != 0:
        raise Failed(f"hawserd cannot reach the server: SOCKS5 reply {answer[3]}")
    return client
