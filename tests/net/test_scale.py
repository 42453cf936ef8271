# SPDX-License-Identifier: GPL-2.0-or-later
"""Many sessions at once: none suffers, idle ones cost little, and running out of file descriptors
harms nobody who is connected."""

from __future__ import annotations

import contextlib
import socket
import time
from pathlib import Path

import pytest

import peers
import web
from causes import unreachable
from crowd import IDLE, IDLE_BYTES_MAX, PATIENT, Crowd, open_files_limit, with_asan
from handshakes import NO_PASSWORD, read, read_socks5_reply, socks5_request
from sessions import through
from topology import SERVER4
from waiting import until

MANY = 2000
STORM = 200


def test_many_sessions_at_once(bed, hawserd):
    daemon = hawserd(*web.LOCAL, *PATIENT)
    with peers.listen(bed.server, mptcp=bed.mptcp) as listening, \
            Crowd(daemon, listening) as crowd:
        crowd.grow(MANY)
        assert daemon.active() == MANY
        assert len(daemon.sessions()) == MANY
        # A page shows those that moved bytes last, and asks the kernel about no others.
        last = crowd.ends[MANY // 2][0]
        last.sendall(b"!")
        read(crowd.ends[MANY // 2][1], 1)
        assert web.scrape(bed.router)["hawser_sessions",] == MANY
        answer = web.get(bed.router, "/api/sessions?limit=10").json()
        assert answer["count"] == MANY and len(answer["sessions"]) == 10
        host, port = last.getsockname()[:2]
        assert f"{host}:{port}" in {session["client"] for session in answer["sessions"]}
        for number, (client, server) in enumerate(crowd.ends):
            client.sendall(b"up %d." % number)
            server.sendall(b"down %d." % number)
        for number, (client, server) in enumerate(crowd.ends):
            assert read(server, len(b"up %d." % number)) == b"up %d." % number
            assert read(client, len(b"down %d." % number)) == b"down %d." % number
        for client, _ in crowd.ends[::2]:
            client.close()
        for _, server in crowd.ends[1::2]:
            server.close()
        for ends in crowd.ends:
            for sock in ends:
                if sock.fileno() >= 0:
                    assert sock.recv(1) == b""
                    sock.close()
    until(daemon.active, lambda active: active == 0)
    assert daemon.errors() == {}


def test_idle_sessions_cost_little(bed, hawserd):
    if with_asan(bed.build):
        pytest.skip("AddressSanitizer's own memory is in the way")
    # Two sockets of each session here, two there, and an eighth for other uses.
    count = min(IDLE, (open_files_limit() - 500) * 7 // 16)
    assert count >= 1000, "the limit of open files is too low"
    daemon = hawserd("--workers", "1", "--log-level", "info", *PATIENT)
    with peers.listen(bed.server) as listening, Crowd(daemon, listening) as crowd:
        crowd.grow(100)
        before = daemon.resident_bytes()
        crowd.grow(count - 100)
        assert daemon.active() == count
        until(lambda: (daemon.resident_bytes() - before) / (count - 100), lambda each: each <= IDLE_BYTES_MAX)
        assert daemon.open_files().get("pipe", 0) <= 4
        client, server = crowd.ends[0]
        client.sendall(b"still here")
        assert read(server, 10) == b"still here"


def test_idle_costs_little_whatever_the_limit(bed, hawserd):
    """What is sized by the limit of open files takes no memory of the process before it is used."""
    if with_asan(bed.build):
        pytest.skip("AddressSanitizer's own memory is in the way")

    def idle(limit: int, port: int) -> int:
        return hawserd("--workers", "2", "--socks", f"127.0.0.1:{port}", listen=False,
                       open_files=limit).resident_bytes("VmRSS")

    high = open_files_limit()
    assert high >= 10_000, "the limit of open files is too low"
    # A fifth of what it was when all was mapped.
    assert idle(high, 1) - idle(1000, 2) < 64 * (high - 1000)


def test_limit_of_open_files(bed, hawserd):
    """A storm of connections past the limit: those that are connected go on, and when the storm is
    over all is as before."""
    daemon = hawserd(open_files=120)
    with peers.listen(bed.server) as listening, through(daemon) as (client, server), \
            contextlib.ExitStack() as storm:
        took = []
        for number in range(STORM):
            caught = storm.enter_context(daemon.connect())
            caught.sendall(NO_PASSWORD + socks5_request(SERVER4, peers.port_of(listening)))
            started = time.monotonic()
            message = b"message %d" % number
            client.sendall(message)
            assert read(server, len(message)) == message
            server.sendall(message)
            assert read(client, len(message)) == message
            took.append(time.monotonic() - started)
        # None waits while accepting pauses, for a second; a busy machine may hold up a few.
        assert sorted(took)[STORM * 9 // 10] < 0.7
        until(lambda: daemon.status()["accept"]["pauses"])
        assert sum(daemon.open_files().values()) <= 120
        storm.close()
        until(lambda: drain(listening) or daemon.status()["sessions"],
              lambda sessions: sessions == {"active": 1, "total": 1 + STORM})
        drain(listening)
        with daemon.dial(SERVER4, peers.port_of(listening)) as late, \
                peers.accept(listening) as answering:
            late.sendall(b"x")
            assert read(answering, 1) == b"x"
    assert daemon.log().count("accepting pauses") <= daemon.status()["workers"]


def drain(listening: socket.socket) -> None:
    """Accepts and closes what waits in the backlog."""
    listening.settimeout(0.05)
    with contextlib.suppress(TimeoutError):
        while True:
            listening.accept()[0].close()
    listening.settimeout(peers.TIMEOUT_S)


def test_destination_that_never_answers(bed, hawserd):
    """Costs others nothing, and its own clients no more than the connect time."""
    daemon = hawserd("--workers", "1", "--timeout", "connect=6")
    with unreachable(bed, "connect-timeout") as (host, port), through(daemon) as (client, server):
        waiting = [daemon.connect() for _ in range(50)]
        started = time.monotonic()
        for sock in waiting:
            sock.sendall(NO_PASSWORD + socks5_request(host, port))
        # A busy machine may have the first be over before the last begins.
        until(lambda: [session["state"] for session in daemon.sessions()].count("connecting"),
              lambda connecting: connecting == len(waiting) or time.monotonic() - started > 5.9)
        took = []
        while time.monotonic() - started < 2 or len(took) < 10:
            asked = time.monotonic()
            client.sendall(b"x")
            assert read(server, 1) == b"x"
            took.append(time.monotonic() - asked)
        assert sorted(took)[len(took) // 2] < 0.5
        for sock in waiting:
            assert read(sock, 2) == b"\x05\x00"
            assert read_socks5_reply(sock) == 6
            sock.close()
        assert 5.9 < time.monotonic() - started < 60
    until(daemon.errors, lambda errors: errors == {"connect-timeout": len(waiting)})


def test_open_files_limit_is_raised(bed, hawserd):
    """To the hard limit: 1024, which many systems start with, is 500 sessions."""
    daemon = hawserd(prefix=("prlimit", "--nofile=100:2000"))
    limits = Path(f"/proc/{daemon.pid}/limits").read_text("ascii")
    line = next(line for line in limits.splitlines() if line.startswith("Max open files"))
    assert line.split()[3:5] == ["2000", "2000"]
