# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines to a routing daemon by its control socket, and what it answers."""

from __future__ import annotations

import re
import socket

from processes import Failed

PATIENCE_S = 10


class Talk:
    """ended: matches an answer that is whole; right: one that is no complaint. Failed where it complains or says
    nothing."""

    def __init__(self, path: str, ended: bytes, right: bytes) -> None:
        self._path, self._ended, self._right = path, ended, right
        self._sock = socket.socket(socket.AF_UNIX)
        self._sock.settimeout(PATIENCE_S)
        try:
            self._sock.connect(path)
        except OSError as error:
            self._sock.close()
            raise Failed(f"{path}: {error.strerror}") from None

    def __enter__(self) -> Talk:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def say(self, line: str) -> None:
        self._sock.sendall(line.encode("ascii"))
        self.hear(line.strip("\n\0"))

    def hear(self, what: str = "a greeting") -> None:
        answer = b""
        try:
            while not re.search(self._ended, answer):
                more = self._sock.recv(1 << 12)
                if not more:
                    raise Failed(f"{self._path}: {what}: it has hung up")
                answer += more
        except OSError as error:
            raise Failed(f"{self._path}: {what}: {error}") from None
        if not re.search(self._right, answer):
            raise Failed(f"{self._path}: {what}: {answer.decode('ascii', 'replace').strip()}")
