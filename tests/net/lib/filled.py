# SPDX-License-Identifier: GPL-2.0-or-later
"""A session that is kept full while something is measured."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from typing import TypeVar

import peers
from pattern import together

Figure = TypeVar("Figure")
_LEAST, _MOST = 2, 12


def measured_while_full(source: socket.socket, target: socket.socket,
                        measure: Callable[[], Figure], enough: Callable[[Figure], bool],
                        ) -> list[Figure]:
    """What measure(), which reads from target, says again and again until the best is enough. On a
    busy machine a while can be too slow, so the best of a few counts. Ends the session."""
    seen: list[Figure] = []

    def fill() -> None:
        with contextlib.suppress(OSError):
            while True:
                source.sendall(bytes(1 << 16))

    def drain() -> None:
        while len(seen) < _MOST and (len(seen) < _LEAST or not enough(max(seen))):
            seen.append(measure())
        peers.reset(target)

    together(fill, drain)
    return seen
