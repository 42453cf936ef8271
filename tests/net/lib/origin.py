# SPDX-License-Identifier: GPL-2.0-or-later
"""A small web server for the clients: files of one directory, and PUT."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import peers
from namespace import Namespace

PAYLOAD = random.Random(7).randbytes(3_000_001)


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        # A name, never a path: all requests come from the tests.
        name = Path(self.path).name
        Path(self.directory, name).write_bytes(
            self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def parse_request(self) -> bool:
        parsed = super().parse_request()
        if parsed:
            self.server.requests.append((self.command, self.path, self.headers["Host"]))
        return parsed

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, listening: socket.socket, directory: Path) -> None:
        super().__init__(("", 0), partial(_Handler, directory=str(directory)),
                         bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.requests: list[tuple[str, str, str]] = []

    def handle_error(self, *_: object) -> None:
        pass


class Origin:
    """Serves directory, which gets a file "payload", on both addresses and one port."""

    def __init__(self, namespace: Namespace, directory: Path, mptcp: bool) -> None:
        listening = peers.listen_both(namespace, mptcp=mptcp)
        self.directory = directory
        (directory / "payload").write_bytes(PAYLOAD)
        self.port = peers.port_of(listening[0])
        self._servers = [_Server(each, directory) for each in listening]
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self) -> Origin:
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            with contextlib.suppress(OSError):
                server.shutdown()
                server.server_close()

    def requests(self) -> list[tuple[str, str, str]]:
        """Method, target and Host of each so far."""
        return [request for server in self._servers for request in server.requests]

    def url(self, host: str, name: str) -> str:
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/{name}"
