# SPDX-License-Identifier: GPL-2.0-or-later
"""A name server for tests: UDP on an address of a namespace, 127.0.0.1 if none is given, with answers
that are late, missing or refused as told."""

from __future__ import annotations

import ipaddress
import socket
import threading

from namespace import Namespace

_TYPES = {1: "A", 28: "AAAA"}
_SERVFAIL, _NXDOMAIN = 2, 3


class NameServer:
    """A name without records does not exist. Keys of the others are (name, "A" or "AAAA")."""

    def __init__(self, namespace: Namespace, address: tuple = ("127.0.0.1", 53)) -> None:
        self.records: dict[str, list[str]] = {}
        self.delays_s: dict[tuple[str, str], float] = {}
        self.silent: set[str] = set()
        self.failing: set[str] = set()
        self.held: set[str] = set()  # names whose answers wait for release()
        self._waiting: dict[str, list[tuple[bytes, tuple]]] = {}
        self.always = 0  # the code of all answers, if it is not 0
        self.ttl_s = 1
        self.asked: list[tuple[str, str]] = []
        self._socket = namespace.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET,
                                        socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._closing = False

    def __enter__(self) -> NameServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        with self._socket as waking:
            waking.sendto(b"", self._socket.getsockname())
            self._thread.join()

    def _serve(self) -> None:
        while True:
            query, client = self._socket.recvfrom(4096)
            if self._closing:
                return
            name, kind, question = self._parse(query)
            self.asked.append((name, kind))
            if name in self.silent:
                continue
            answer = query[:2] + self._answer(name, kind, question)
            if name in self.held:
                self._waiting.setdefault(name, []).append((answer, client))
                continue
            delay_s = self.delays_s.get((name, kind), 0)
            if delay_s:
                timer = threading.Timer(delay_s, self._send, (answer, client))
                timer.daemon = True
                timer.start()
            else:
                self._send(answer, client)

    def release(self, name: str) -> None:
        """Sends the answers about a name that was held."""
        self.held.discard(name)
        for answer, client in self._waiting.pop(name, []):
            self._send(answer, client)

    def _send(self, answer: bytes, client: tuple) -> None:
        if not self._closing:
            self._socket.sendto(answer, client)

    @staticmethod
    def _parse(query: bytes) -> tuple[str, str, bytes]:
        labels, at = [], 12
        while size := query[at]:
            labels.append(query[at + 1:at + 1 + size].decode("ascii"))
            at += 1 + size
        kind = int.from_bytes(query[at + 1:at + 3], "big")
        return ".".join(labels).lower(), _TYPES.get(kind, str(kind)), query[12:at + 5]

    def _answer(self, name: str, kind: str, question: bytes) -> bytes:
        """All but the identifier."""
        code = self.always
        if not code and name in self.failing:
            code = _SERVFAIL
        elif not code and name not in self.records:
            code = _NXDOMAIN
        data = [address.packed for address in map(ipaddress.ip_address, self.records.get(name, ()))
                if kind == ("A" if address.version == 4 else "AAAA")] if not code else []
        # A response, authoritative, recursion desired and available; one question.
        head = bytes([0x85, 0x80 | code]) + b"\0\1" + len(data).to_bytes(2, "big") + bytes(4)
        return head + question + b"".join(
            b"\xc0\x0c" + question[-4:] + self.ttl_s.to_bytes(4, "big")
            + len(item).to_bytes(2, "big") + item for item in data)
