# SPDX-License-Identifier: GPL-2.0-or-later
"""Streams that any byte lost, doubled or moved would break, at memcmp speed: a random block again
and again, its length odd so that no buffer size fits it."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable, Iterator

from patience import PATIENCE

_PERIOD = 1_000_003
_CHUNK = 1 << 18
# What is enough for a long transfer.
BULK = int((256 << 20) / PATIENCE ** 1.5)
MEGABYTE = 1 << 20
# A kernel that accepts a subflow while the stream's reader is in recv() may deliver wrong bytes
# (docs/kernel-notes.md), which happens to links without a round-trip time on a loaded machine.
JOIN_S = 0.1


class Stream:
    """Two streams of different seeds share no data."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        block = random.Random(seed).randbytes(_PERIOD)
        self._twice = memoryview(block + block[:_CHUNK])

    def part(self, offset: int, size: int) -> memoryview:
        """size is at most 256 KiB."""
        start = offset % _PERIOD
        return self._twice[start:start + size]

    def send(self, sock: socket.socket, total: int, first: int = 0) -> None:
        """Sends the bytes from first to total in writes of random sizes, 1 byte to 256 KiB. If they
        are many, one goes ahead, and the others when subflows have joined."""
        if total - first >= MEGABYTE:
            sock.sendall(self.part(first, 1))
            first += 1
            time.sleep(JOIN_S)
        for size in self._sizes(total - first):
            sock.sendall(self.part(first, size))
            first += size

    def _sizes(self, total: int) -> Iterator[int]:
        dice = random.Random(self._seed)
        while total > 0:
            size = min(total, dice.randint(1, 1 << dice.randint(0, 18)))
            total -= size
            yield size

    def receive(self, sock: socket.socket, total: int, first: int = 0) -> None:
        """Takes the bytes from first to total; an AssertionError at the first that is wrong."""
        while first < total:
            data = sock.recv(min(_CHUNK, total - first))
            assert data, f"end of stream after {first} of {total} bytes"
            assert data == self.part(first, len(data)).tobytes(), self._complaint(first, data)
            first += len(data)

    def carry(self, source: socket.socket, target: socket.socket, total: int, first: int = 0) -> None:
        """Sends, and receives beside it."""
        together(lambda: self.send(source, total, first), lambda: self.receive(target, total, first))

    def _complaint(self, first: int, data: bytes) -> str:
        """What was lost, doubled or moved: where the first wrong bytes belong."""
        right = self.part(first, len(data)).tobytes()
        wrong = next(i for i, byte in enumerate(data) if byte != right[i])
        # Shorter samples may be found by chance.
        origin = self._twice.tobytes().find(data[wrong:wrong + 8]) if wrong + 8 <= len(data) else -1
        where = f"are those of {origin} (modulo {_PERIOD})" if origin >= 0 else "are nowhere in it"
        return (f"wrong data from byte {first + wrong} of the stream, in a piece from {first} to "
                f"{first + len(data)}: the bytes there {where}")


def together(*jobs: Callable[[], None], seconds: float = 120) -> None:
    """Runs the jobs at once, and fails if one fails or is not done in time."""
    failures: list[BaseException] = []

    def run(job: Callable[[], None]) -> None:
        try:
            job()
        except Exception as failure:  # raised again below
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(job,), daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    seconds *= PATIENCE
    end = time.monotonic() + seconds
    # One failure makes the other ends wait in vain.
    while not failures and any(thread.is_alive() for thread in threads):
        assert time.monotonic() < end, f"not done after {seconds} s"
        threads[0].join(0.01)
        threads.append(threads.pop(0))
    if failures:
        raise failures[0]


def exchange(near: socket.socket, far: socket.socket, total: int, seconds: float = 120,
             *meanwhile: Callable[[], None], ends: bool = True) -> None:
    """Sends total bytes both ways at once, then ends both streams if asked to, all of it checked.
    Runs the jobs in meanwhile at the same time."""
    up, down = Stream(1), Stream(2)

    def send(sock: socket.socket, stream: Stream) -> None:
        stream.send(sock, total)
        if ends:
            sock.shutdown(socket.SHUT_WR)

    def receive(sock: socket.socket, stream: Stream) -> None:
        stream.receive(sock, total)
        assert not ends or sock.recv(1) == b"", "more bytes than were sent"

    together(lambda: send(near, up), lambda: receive(far, up),
             lambda: send(far, down), lambda: receive(near, down), *meanwhile, seconds=seconds)
