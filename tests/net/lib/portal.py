# SPDX-License-Identifier: GPL-2.0-or-later
"""A captive portal at the far end of link b: it answers all HTTP itself, and lets nothing else by,
until somebody logs in."""

from __future__ import annotations

import contextlib
import socket
import threading

import peers
from namespace import Namespace
from topology import far

PORT = 2050
DOOR = "203.0.113.102"  # of the second link
NOBODY = "198.51.100.102"  # whom hawserd asks by it
PAGE = f"http://{far('b')[0]}:{PORT}/login"
_TABLE = "portal"


class Portal:
    """refuse: what it does to all but HTTP, "" nothing. page: it answers with a page instead of sending
    browsers on. names: where it redirects questions to name servers to."""

    def __init__(self, namespace: Namespace, refuse: str = "drop", page: bool = False,
                 names: int = 0) -> None:
        self.namespace, self.refuse, self.page, self.names = namespace, refuse, page, names
        self.requests: list[str] = []
        self.location = PAGE  # {host}: who was asked
        self._listening = peers.listen(namespace, "0.0.0.0", port=PORT)
        self._listening.settimeout(None)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._closing = self.closed = False

    def __enter__(self) -> Portal:
        self.log_out()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        with contextlib.suppress(OSError), self.namespace.entered():
            socket.create_connection(("127.0.0.1", PORT), 1).close()
        self._thread.join(10)
        self._listening.close()
        self.log_in()

    def log_out(self) -> None:
        names = f'iifname "b" udp dport 53 redirect to :{self.names};' if self.names else ""
        others = f'iifname "b" tcp dport != {PORT} {self.refuse};' if self.refuse else ""
        assert not self.closed
        self.namespace.run("nft", "-f", "-", text=f"""
            table inet {_TABLE} {{
                chain lead {{
                    type nat hook prerouting priority dstnat;
                    iifname "b" tcp dport 80 redirect to :{PORT};
                    {names}
                }}
                counter begun {{ }}
                chain arriving {{
                    type filter hook input priority filter;
                    iifname "b" tcp dport != {{ 80, {PORT} }} tcp flags & (syn | ack) == syn counter name begun;
                    {others}
                }}
            }}""")
        self.closed = True

    def begun(self) -> int:
        """SYNs by link b since it was closed, but to port 80."""
        return int(self.namespace.run("nft", "list", "counter", "inet", _TABLE, "begun")
                   .split("packets ")[1].split()[0])

    def log_in(self) -> None:
        if self.closed:
            self.namespace.run("nft", "delete", "table", "inet", _TABLE)
        self.closed = False

    def _serve(self) -> None:
        while True:
            client, _ = self._listening.accept()
            with client:
                if self._closing:
                    return
                with contextlib.suppress(OSError):
                    client.settimeout(peers.TIMEOUT_S)
                    self._answer(client)

    def _answer(self, client: socket.socket) -> None:
        with client.makefile("rb") as file:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                if not (line := file.readline()):
                    return  # a connection that was made again as plain TCP
                head += line
        head = head.decode("latin-1")
        self.requests.append(head)
        if head.startswith("GET /login?ok "):
            self.log_in()
            answer = "HTTP/1.1 200 OK\r\n\r\nwelcome"
        elif head.startswith("GET /login ") or self.page:
            answer = "HTTP/1.1 200 OK\r\n\r\n<form>log in"
        else:
            host = next((line[6:] for line in head.splitlines() if line.startswith("Host: ")), "")
            answer = f"HTTP/1.1 302 Found\r\nLocation: {self.location.format(host=host)}\r\n\r\n"
        client.sendall(answer.encode())


def get(client: socket.socket, url: str) -> tuple[str, dict[str, str], str]:
    """As a browser whose connection this is: status, fields and body."""
    host, _, path = url.removeprefix("http://").partition("/")
    client.sendall(f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    with client.makefile("rb") as file:
        head, _, body = file.read().decode("latin-1").partition("\r\n\r\n")
    status, *lines = head.split("\r\n")
    return status.split()[1], dict(line.split(": ", 1) for line in lines), body
