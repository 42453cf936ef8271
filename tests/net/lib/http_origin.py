# SPDX-License-Identifier: GPL-2.0-or-later
"""A web server that writes down what it gets, byte by byte, and answers as a test says."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

import peers
from namespace import Namespace
from topology import SERVER4


@dataclass
class Request:
    connection: int
    head: str
    body: bytes

    @property
    def line(self) -> str:
        return self.head.split("\r\n", 1)[0]

    def fields(self) -> dict[str, str]:
        lines = self.head.split("\r\n")[1:]
        return {name.lower(): value for name, _, value in
                (line.partition(": ") for line in lines if line)}


def response(body: bytes = b"", *fields: str, status: str = "200 OK") -> bytes:
    """With its length, on a connection that is kept."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields, "", ""]
    return "\r\n".join(lines).encode() + body


def _read_chunked(file) -> bytes:
    body = b""
    while size := int(file.readline().split(b";")[0] or b"-1", 16):
        if size < 0:
            raise ConnectionError("cut short")
        body += file.read(size)
        assert file.readline() == b"\r\n"
    while file.readline() != b"\r\n":
        pass
    return body


def read_message(file) -> tuple[str, bytes] | None:
    """Head and body of what says its own length; None at the end of the stream."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        if not (line := file.readline()):
            return None
        head += line
    fields = head.decode("latin-1").lower()
    if "\r\ntransfer-encoding: chunked" in fields:
        return head.decode("latin-1"), _read_chunked(file)
    _, _, length = fields.partition("\r\ncontent-length: ")
    return head.decode("latin-1"), file.read(int(length.split()[0]) if length else 0)


class HttpOrigin(peers.Server):
    """answer: bytes for a request, which end the connection if they are None; or a generator, which
    also gets the socket and the file that its requests are read from. It keeps its connections, also
    if it is asked to close."""

    def __init__(self, namespace: Namespace, answer: Callable[..., object], **settings) -> None:
        self.seen: list[Request] = []
        self.connections = 0
        self._answer = answer
        super().__init__(namespace, self._talk, **settings)

    def _talk(self, sock: socket.socket) -> None:
        self.connections += 1
        number = self.connections
        with sock.makefile("rb") as file:
            while message := read_message(file):
                self.seen.append(Request(number, *message))
                answer = self._answer(self.seen[-1], sock)
                if answer is None:
                    return
                sock.sendall(answer)

    def lines(self) -> list[str]:
        return [request.line for request in self.seen]


class Client:
    """Sends requests and reads responses, over one connection to a proxy."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._file = sock.makefile("rb")

    def send(self, *requests: str | bytes) -> Client:
        self.sock.sendall(b"".join(request if isinstance(request, bytes) else request.encode()
                                   for request in requests))
        return self

    def read(self) -> tuple[int, str, bytes]:
        """Status, head, body."""
        message = read_message(self._file)
        assert message, "the connection ended"
        head, body = message
        return int(head.split()[1]), head, body

    def head(self) -> tuple[int, str]:
        """Takes no body."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self._file.readline()
            assert line, "the connection ended"
            head += line
        return int(head.split()[1]), head.decode("latin-1")

    def rest(self) -> bytes:
        """To the end of the stream, which may be a reset: then OSError."""
        return self._file.read()

    def bodies(self, count: int) -> Iterator[bytes]:
        for _ in range(count):
            status, _, body = self.read()
            assert status == 200
            yield body


@pytest.fixture
def origin_of(bed, hawserd):
    """Makes origins; they stop before the daemons are looked at."""
    made: list[HttpOrigin] = []

    def make(answer, **settings) -> HttpOrigin:
        made.append(HttpOrigin(bed.server, answer, **settings))
        return made[-1]

    yield make
    for each in made:
        each.close()


def named(name: bytes):
    """Answers with its name and the request's target, and keeps the connection."""
    return lambda request, _: response(name + request.line.split()[1].encode())


def get(origin: HttpOrigin, path: str = "/", *fields: str, version: str = "1.1") -> str:
    lines = [f"GET http://{SERVER4}:{origin.port}{path} HTTP/{version}",
             f"Host: {SERVER4}:{origin.port}", *fields, "", ""]
    return "\r\n".join(lines)


def post(origin: HttpOrigin, body: bytes, path: str = "/", *fields: str) -> bytes:
    return get(origin, path, f"Content-Length: {len(body)}", *fields).replace(
        "GET", "POST", 1).encode() + body
