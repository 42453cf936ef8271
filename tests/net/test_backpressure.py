# SPDX-License-Identifier: GPL-2.0-or-later
"""A slow reader holds the sender back, so that hawserd and the kernel buffer little for it."""

from __future__ import annotations

import re
import socket
import time

import pytest

from handshakes import read
from pattern import JOIN_S, MEGABYTE, Stream, together
from sessions import through
from waiting import until

AHEAD_MAX = 8 * MEGABYTE
# More where the kernel's MPTCP cannot bound what is unsent (docs/limits.md): two send buffers, since
# a socket that fell back has as many.
AHEAD_MORE = 5 << 20
TOTAL = 24 * MEGABYTE
SLOW_BYTES = 1_500_000
# 20 MB/s at 100 ms.
WINDOW_MIN = 2_000_000


class Flow:
    """One direction: a sender at full speed, a reader at 1 MB/s at most and then at full speed."""

    def __init__(self, source: socket.socket, target: socket.socket, seed: int) -> None:
        # What the sockets of sender and reader hold by themselves is not what this is about.
        source.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 17)
        target.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 19)
        self._source, self._target, self._stream = source, target, Stream(seed)
        self._sent = self._taken = self.ahead = 0

    def send(self) -> None:
        self._sent = self._source.send(self._stream.part(0, 1))
        time.sleep(JOIN_S)
        while self._sent < TOTAL:
            part = self._stream.part(self._sent, min(1 << 16, TOTAL - self._sent))
            self._sent += self._source.send(part)
        self._source.shutdown(socket.SHUT_WR)

    def receive(self) -> None:
        while self._taken < SLOW_BYTES:
            self._take(self._taken + 20_000)
            self.ahead = max(self.ahead, self._sent - self._taken)
            time.sleep(0.02)
        self._take(TOTAL)
        assert self._target.recv(1) == b""

    def _take(self, until: int) -> None:
        self._stream.receive(self._target, until, self._taken)
        self._taken = until


@pytest.mark.parametrize("tier", ["copy", "splice", "sockmap", "auto"])
def test_slow_readers_on_both_sides(hawserd, pair, tier):
    daemon = hawserd("--tier", tier)
    refused = next(each["reason"] for each in daemon.status()["kernel"]
                   if each["feature"] == "mptcp-options")
    ahead_max = AHEAD_MAX + (AHEAD_MORE if "TCP_NOTSENT_LOWAT" in refused else 0)
    with through(daemon, pair) as (client, server):
        flows = [Flow(client, server, 21), Flow(server, client, 22)]
        together(*(job for flow in flows for job in (flow.send, flow.receive)))
    for flow in flows:
        # Something was there to hold back.
        assert 0 < flow.ahead <= ahead_max, flow.ahead


def test_offers_a_window_that_fills_a_long_path(bed, hawserd, pair):
    """Each subflow too. Some kernels do so from the first byte on, and then do not let it grow; others
    (6.1) begin with 64 KiB, and let it grow as bytes come."""
    def windows(host) -> list[int]:
        lines = host.run("ss", "-tinOH", "state", "established").splitlines()
        return [int(window) for line in lines for window in re.findall(r" snd_wnd:(\d+)", line)]

    with through(hawserd(), pair) as (client, server):
        def after(count: int, host) -> list[int]:
            for source, target in (client, server), (server, client):
                source.sendall(bytes(count))
                read(target, count)
            return windows(host)

        after(1, bed.client)
        for host in bed.client, bed.server:
            until(lambda host=host: after(1 << 18, host), lambda now: now and min(now) >= WINDOW_MIN)
