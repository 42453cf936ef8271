# SPDX-License-Identifier: GPL-2.0-or-later
"""File descriptors: whatever sessions, dials and lookups take, some are left for everything else, and
while there are some nobody waits."""

from __future__ import annotations

import contextlib
import socket
import time

import peers
from causes import unreachable
from dns import NameServer
from handshakes import NO_PASSWORD, read, read_socks5_reply, socks5_request
from pattern import Stream
from topology import SERVER4
from waiting import until

LIMIT = 300
# More than there can be.
STORM = 150
# Kept small, so that a target that takes nothing is soon full.
SMALL = ("--tune", "receive-bytes=131072", "--tune", "unsent-bytes=16384")
PIECE = 4096
# Who is not answered for so long is not answered, on a busy machine too.
UNANSWERED_S = 4


def used(daemon) -> int:
    return sum(daemon.open_files().values())


def grow(daemon, listening: socket.socket, stack: contextlib.ExitStack,
         count: int) -> list[tuple[socket.socket, socket.socket]]:
    """Sessions, one after the other, until there are so many or no more are answered."""
    ends = []
    for _ in range(count):
        client = stack.enter_context(daemon.connect())
        client.sendall(NO_PASSWORD + socks5_request(SERVER4, peers.port_of(listening)))
        client.settimeout(UNANSWERED_S)
        try:
            assert read(client, 2) == b"\x05\x00"
        except TimeoutError:
            return ends
        client.settimeout(peers.TIMEOUT_S)
        assert read_socks5_reply(client) == 0
        server = stack.enter_context(peers.accept(listening))
        ends.append((client, server))
    return ends


def fill(sock: socket.socket, stream: Stream) -> int:
    """Sends until nobody takes more."""
    sent = 0
    sock.settimeout(0.02)
    with contextlib.suppress(TimeoutError):
        while True:
            sent += sock.send(stream.part(sent, PIECE))
    sock.settimeout(peers.TIMEOUT_S)
    return sent


def test_stalled_sessions_take_no_more_than_their_share(bed, hawserd):
    """Each holds bytes in both directions; those beyond the pipes are copied. Every session that is taken
    is answered, hawser status as well, and every byte arrives."""
    daemon = hawserd("--tier", "splice", "--workers", "2", *SMALL, open_files=LIMIT)
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(peers.listen(bed.server))
        ends: list[tuple[socket.socket, socket.socket]] = []
        stalled = []
        for number in range(STORM):
            more = grow(daemon, listening, stack, 1)
            if not more:
                break
            ends += more
            assert daemon.run_cli("status").returncode == 0
            stalled.append([fill(sock, Stream(2 * number + side))
                            for side, sock in enumerate(more[0])])
        assert 60 < len(ends) < STORM
        assert daemon.active() == len(ends) and daemon.errors() == {}
        held = [flow["held"] > 0 for flow in daemon.ask("flows")["flows"]]
        pipes = daemon.open_files()["pipe"] // 2
        assert 0 < pipes < held.count(True)
        # Reload, control clients, a name server, a probe: there is room for all of them.
        assert used(daemon) <= LIMIT - 24
        for number, (client, server) in enumerate(ends):
            up, down = stalled[number]
            Stream(2 * number).receive(server, up)
            Stream(2 * number + 1).receive(client, down)
    until(daemon.active, lambda active: active == 0)


def test_a_full_worker_strands_nobody(bed, hawserd):
    """As many sessions as there can be in all are answered, whichever worker they come to."""
    daemon = hawserd("--workers", "4", open_files=LIMIT)
    with contextlib.ExitStack() as stack, peers.listen(bed.server) as listening:
        most = len(grow(daemon, listening, stack, STORM))
        assert 40 < most < STORM
    until(daemon.active, lambda active: active == 0)
    for _ in range(3):
        with contextlib.ExitStack() as stack, peers.listen(bed.server) as listening:
            assert len(grow(daemon, listening, stack, most)) == most
        until(daemon.active, lambda active: active == 0)


def test_dials_of_many_addresses(bed, hawserd, dns: NameServer):
    """Five attempts of each of sixty sessions are silent; the first is enough to begin with."""
    daemon = hawserd("--workers", "1", "--timeout", "connect=30", open_files=LIMIT)
    dns.records["many.test"] = [f"10.77.9.{number}" for number in range(201, 206)] + [SERVER4]
    with unreachable(bed, "connect-timeout"), bed.rules("ip daddr 10.77.9.200/29 drop"), \
            contextlib.ExitStack() as stack:
        waiting = []
        for _ in range(60):
            waiting.append(stack.enter_context(daemon.connect()))
            waiting[-1].sendall(NO_PASSWORD + socks5_request("many.test", 80))
        until(lambda: [session["state"] for session in daemon.sessions()].count("connecting"),
              lambda connecting: connecting == len(waiting))
        # Five attempts begin within so long.
        for _ in range(20):
            time.sleep(0.1)
            assert used(daemon) <= LIMIT - 24
            assert daemon.run_cli("status").returncode == 0
        until(lambda: used(daemon), lambda now: now > sum(daemon.baseline.values()) + 2 * len(waiting))
    until(daemon.active, lambda active: active == 0)


def test_questions_to_name_servers(bed, hawserd, dns: NameServer):
    """Which nobody answers; sessions that need none begin meanwhile."""
    daemon = hawserd("--workers", "1", "--timeout", "resolve=30", "--socks", "127.0.0.1:1090",
                     open_files=LIMIT)
    with contextlib.ExitStack() as stack, peers.listen(bed.server) as listening:
        before = used(daemon)
        for number in range(60):
            name = f"n{number}.silent.test"
            dns.silent.add(name)
            # Of this host, as one client of the LAN has few questions at once.
            client = stack.enter_context(peers.connect(bed.router, "127.0.0.1", 1090))
            client.sendall(NO_PASSWORD + socks5_request(name, 80))
        until(lambda: [session["state"] for session in daemon.sessions()].count("resolving"),
              lambda resolving: resolving == 60)
        assert used(daemon) - before - 60 <= LIMIT / 16
        assert len(grow(daemon, listening, stack, 5)) == 5
    until(daemon.active, lambda active: active == 0)
