# SPDX-License-Identifier: GPL-2.0-or-later
"""A load of new connections while one hawserd takes the place of another: none may fail."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager

import handshakes
from handshakes import read

THREADS = 4


class Crossing(AbstractContextManager):
    """connect: makes a client's socket to the proxy. Each connection asks for host:port, an echo
    server, and exchanges some bytes."""

    def __init__(self, connect: Callable, host: str, port: int) -> None:
        self._connect, self._to = connect, (host, port)
        self._end = threading.Event()
        self.done, self.slowest_s = 0, 0.0
        self.failures: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._work) for _ in range(THREADS)]

    def _once(self) -> None:
        with self._connect() as client:
            client.settimeout(60)
            handshakes.socks5(client, *self._to)
            client.sendall(b"hello")
            assert read(client, 5) == b"hello"

    def _work(self) -> None:
        while not self._end.is_set():
            started = time.monotonic()
            try:
                self._once()
                failure = None
            except (OSError, EOFError, AssertionError, handshakes.Refused) as error:
                failure = repr(error)
            with self._lock:
                self.slowest_s = max(self.slowest_s, time.monotonic() - started)
                if failure:
                    self.failures[failure] += 1
                else:
                    self.done += 1

    def some_more(self, count: int = 50) -> None:
        """Waits for so many more that were served."""
        wanted, give_up = self.done + count, time.monotonic() + 120
        while self.done < wanted and not self.failures and time.monotonic() < give_up:
            time.sleep(0.005)
        assert not self.failures, self.failures
        assert self.done >= wanted

    def __enter__(self) -> Crossing:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in self._threads)
