# SPDX-License-Identifier: GPL-2.0-or-later
"""What has no event is looked for ever more rarely: sessions that wait for a peer cost next to
nothing. Counted by how often the workers go to sleep."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from pathlib import Path

import peers
from crowd import Crowd
from handshakes import read
from pattern import MEGABYTE
from sessions import through
from waiting import quickest, until

SECONDS = 3
# Of two workers and the main thread, which beats for itself.
NAPS_PER_S_MAX = 300
# What each holds for its client.
HELD = 80_000


def naps(daemon) -> int:
    """How often its threads have gone to sleep."""
    return sum(int(line.split()[1])
               for status in Path(f"/proc/{daemon.pid}/task").glob("*/status")
               for line in status.read_text("ascii").splitlines()
               if line.startswith("voluntary_ctxt_switches:"))


def naps_per_s(daemon) -> float:
    before = naps(daemon)
    time.sleep(SECONDS)
    return (naps(daemon) - before) / SECONDS


def rests(daemon) -> bool:
    """On a busy machine it may still get there during the first looks."""
    return quickest(lambda: naps_per_s(daemon), NAPS_PER_S_MAX, tries=4) < NAPS_PER_S_MAX


def test_sessions_that_wait_to_be_drained(bed, hawserd):
    """The server has reset them, and the client does not read what came before."""
    daemon = hawserd()
    with peers.listen(bed.server) as listening, Crowd(daemon, listening) as crowd:
        crowd.grow(20)
        for client, server in crowd.ends:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
            server.sendall(bytes(HELD))
        until(lambda: [session["bytes_down"] for session in daemon.sessions()],
              lambda taken: min(taken) == HELD + 1)
        for _, server in crowd.ends:
            peers.reset(server)
        time.sleep(SECONDS)
        assert rests(daemon)
        assert daemon.active() == 20
        for client, _ in crowd.ends:
            peers.reset(client)
        until(daemon.active, lambda active: active == 0)
    daemon.await_error("reset")


def test_ticks_of_a_reader_that_has_stopped(hawserd):
    daemon = hawserd("--tick", "1000")

    def pour() -> None:
        with contextlib.suppress(OSError):
            while True:
                server.sendall(bytes(MEGABYTE))

    def take_and_look() -> int:
        read(client, 16 * MEGABYTE)
        return daemon.session()["tick_down_us"]

    with through(daemon) as (client, server):
        threading.Thread(target=pour, daemon=True).start()
        until(take_and_look)
        until(lambda: daemon.session()["tick_down_us"], lambda tick: tick == 0)
        assert rests(daemon)
        assert until(take_and_look)
        peers.reset(client)
        until(daemon.active, lambda active: active == 0)
