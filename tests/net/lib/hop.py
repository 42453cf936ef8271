# SPDX-License-Identifier: GPL-2.0-or-later
"""The messages between router and exit, written anew from docs/hop-protocol.md
alone, so that a test with them proves what is said there."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path

import handshakes
from handshakes import read

METHOD = 0xC8
GREETING = bytes([5, 1, METHOD])
ANSWER_BYTES = 42
CONNECT, PROBE = 1, 0xF0
ACCEPTED, REFUSED, CLOCK, BUSY = range(4)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class Token:
    name: str = "home"
    key: bytes = field(default_factory=lambda: os.urandom(32))

    def line(self, limits: str = "") -> str:
        text = base64.urlsafe_b64encode(self.key).decode().rstrip("=")
        return f"{self.name} {text} {limits}\n"

    def mac(self, label: bytes, *parts: bytes) -> bytes:
        """HMAC-SHA-512-256: the first half of HMAC-SHA-512."""
        return hmac.digest(self.key, label + b"".join(parts), hashlib.sha512)[:32]


def write_tokens(path: Path, *lines: str) -> Path:
    path.write_text("".join(lines), "ascii")
    path.chmod(0o600)
    return path


def short_text(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


def probe() -> bytes:
    return bytes([5, PROBE, 0, 1]) + bytes(6)


class Message:
    """All that a router sends before the client's first bytes."""

    def __init__(self, token: Token, request: bytes, exit_name: str = "exit",
                 time_ms: int | None = None) -> None:
        self.token, self.nonce = token, os.urandom(16)
        stamp = now_ms() if time_ms is None else time_ms
        auth = (b"\x01" + stamp.to_bytes(8, "big") + self.nonce + short_text(token.name)
                + short_text(exit_name))
        self.head = (GREETING + auth + token.mac(b"hawser-hop-1 request", auth, request) + request)

    def judge(self, answer: bytes) -> tuple[int, int]:
        """Status and the exit's time, once the MAC of the exit is found to be right."""
        assert len(answer) == ANSWER_BYTES and answer[0] == 1, answer
        if answer[1] == REFUSED:
            assert answer[2:] == bytes(40)
        else:
            assert answer[10:] == self.token.mac(b"hawser-hop-1 answer", answer[:10], self.nonce)
        return answer[1], int.from_bytes(answer[2:10], "big")


def send(sock: socket.socket, token: Token, request: bytes, payload: bytes = b"",
         **settings) -> tuple[int, int]:
    """Sends all in one write, before anything is read; returns status and time of the answer."""
    message = Message(token, request, **settings)
    sock.sendall(message.head + payload)
    return read_answer(sock, message)


def read_answer(sock: socket.socket, message: Message) -> tuple[int, int]:
    assert read(sock, 2) == bytes([5, METHOD])
    return message.judge(read(sock, ANSWER_BYTES))


def connect(sock: socket.socket, token: Token, host: str, port: int, payload: bytes = b"",
            **settings) -> None:
    """Refused has the SOCKS5 reply, or the status and 256."""
    status, _ = send(sock, token, handshakes.socks5_request(host, port), payload, **settings)
    if status != ACCEPTED:
        raise handshakes.Refused(256 + status)
    code = handshakes.read_socks5_reply(sock)
    if code != 0:
        raise handshakes.Refused(code)


class FakeExit:
    """The exit's side for one connection at a time, in the hands of a test. clock_ms: what its clock
    is ahead."""

    def __init__(self, token: Token, clock_ms: int = 0) -> None:
        self.token, self.clock_ms = token, clock_ms
        self.nonce = b""

    def read_head(self, sock: socket.socket) -> tuple[int, str, bytes]:
        """Time stamp, name of the exit, request; the MAC is found to be right."""
        assert read(sock, 3) == GREETING
        auth = read(sock, 26)
        self.nonce = auth[9:25]
        token = read(sock, auth[25])
        size = read(sock, 1)
        exit_name = read(sock, size[0])
        mac, head = read(sock, 32), read(sock, 5)
        rest = {1: 3, 3: head[4], 4: 15}[head[3]] + 2
        request = head + read(sock, rest)
        assert auth[0] == 1 and token.decode() == self.token.name
        assert mac == self.token.mac(b"hawser-hop-1 request", auth, token, size, exit_name, request)
        return int.from_bytes(auth[1:9], "big"), exit_name.decode(), request

    def answer(self, status: int) -> bytes:
        head = bytes([1, status]) + (now_ms() + self.clock_ms).to_bytes(8, "big")
        mac = self.token.mac(b"hawser-hop-1 answer", head, self.nonce)
        return bytes([5, METHOD]) + head + mac

    def serve(self, sock: socket.socket) -> None:
        """Judges by its clock as a real one does, answers a probe, and is an echo server else."""
        stamp, _, request = self.read_head(sock)
        if abs(stamp - now_ms() - self.clock_ms) > 5000:
            sock.sendall(self.answer(CLOCK))
            return
        sock.sendall(self.answer(ACCEPTED) + bytes([5, 0, 0, 1]) + bytes(6))
        while request[1] != PROBE and (data := sock.recv(65536)):
            sock.sendall(data)
