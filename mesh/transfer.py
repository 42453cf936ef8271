# SPDX-License-Identifier: GPL-2.0-or-later
"""One long download through a proxy, of which every byte is checked and the time of each is known."""

from __future__ import annotations

import socket
import threading
import time

import socks
from namespace import Namespace
from pattern import Stream
from place import WEB4
from processes import Failed
from router import PROXY_PORT

PORT = 8000
BIN_S = 0.02
# Nothing that is to survive takes this long.
STUCK_S = 40


class Web:
    """Sends to whoever connects, until it is sent a byte; then ends the stream."""

    def __init__(self, namespace: Namespace) -> None:
        self.sent = 0
        self._listening = namespace.socket(socket.AF_INET)
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listening.bind((WEB4, PORT))
        self._listening.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        try:
            while True:
                accepted, _ = self._listening.accept()
                threading.Thread(target=self._send, args=(accepted,), daemon=True).start()
        except OSError:
            pass  # closed

    def _send(self, sock: socket.socket) -> None:
        stream = Stream(1)
        wants_end = threading.Event()

        def listen() -> None:
            try:
                sock.recv(1)
            except OSError:
                pass
            wants_end.set()

        threading.Thread(target=listen, daemon=True).start()
        self.sent = 0
        with sock:
            try:
                while not wants_end.is_set():
                    self.sent += sock.send(stream.part(self.sent, 1 << 16))
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(1 << 10):
                    pass
            except OSError:
                pass  # the other end tells

    def close(self) -> None:
        self._listening.close()


class Download:
    """Begins at once. bins[i]: bytes that came in the i-th BIN_S."""

    def __init__(self, client: Namespace, proxy: str, web: Web) -> None:
        self._web = web
        self._sock = socks.dial(client, (proxy, PROXY_PORT), (WEB4, PORT), STUCK_S)
        self.bins: list[int] = []
        self.total = 0
        self.fault = ""
        self.began = time.monotonic()
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    def _receive(self) -> None:
        stream = Stream(1)
        try:
            while data := self._sock.recv(1 << 18):
                index = int((time.monotonic() - self.began) / BIN_S)
                self.bins += [0] * (index + 1 - len(self.bins))
                self.bins[index] += len(data)
                if data != stream.part(self.total, len(data)).tobytes():
                    self.fault = f"wrong bytes after {self.total}"
                    return
                self.total += len(data)
        except OSError as error:
            self.fault = f"after {self.total} bytes: {error}"

    @property
    def runs(self) -> bool:
        return self._thread.is_alive()

    def finish(self) -> None:
        """Failed unless all bytes came, and the end after them."""
        if self.runs:
            self._sock.sendall(b".")
        self._thread.join(STUCK_S + 5)
        self._sock.close()
        if self.fault or self.runs:
            raise Failed(self.fault or "the stream does not end")
        if self.total != self._web.sent:
            raise Failed(f"{self.total} bytes came of {self._web.sent}")

    def rate(self, start_s: float, end_s: float) -> float:
        """Mbit/s of payload, seconds since it began."""
        count = sum(self.bins[int(start_s / BIN_S):int(end_s / BIN_S)])
        return count * 8e-6 / (end_s - start_s)

    def longest_gap(self, start_s: float, end_s: float) -> float:
        """Seconds without a byte, to BIN_S."""
        longest = current = 0
        bins = self.bins[int(start_s / BIN_S):int(end_s / BIN_S)]
        bins += [0] * (int(end_s / BIN_S) - int(start_s / BIN_S) - len(bins))
        for count in bins:
            current = 0 if count else current + 1
            longest = max(longest, current)
        return longest * BIN_S

    def back_after(self, start_s: float, end_s: float, share: float = 0.8) -> float | None:
        """Seconds from start_s until a second carries this share of what the last third does."""
        goal = share * self.rate(end_s - (end_s - start_s) / 3, end_s)
        at = start_s
        while goal > 0 and at + 1 <= end_s:
            if self.rate(at, at + 1) >= goal:
                return at - start_s
            at += BIN_S
        return None
