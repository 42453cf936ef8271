# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients on hawserd's own host, in the cgroup of --local-accel: byte-exact, bounded, in order at
the end."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import struct
import subprocess
import sys
import time

import pytest

import peers
from handshakes import read
from local_clients import PORT, cgroup, counters, dial, local, through  # pylint: disable=unused-import
from origin import PAYLOAD
from patience import PATIENCE
from pattern import MEGABYTE, Stream, exchange, together
from programs import path_of
from topology import LAN4, LAN6, SERVER4

SO_ZEROCOPY, MSG_ZEROCOPY = 60, 0x4000000


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6], ids=["ipv4", "ipv6"])
def test_bulk_both_ways(bed, cgroup, local, family):
    daemon = local()
    with through(bed, cgroup, family=family) as (client, server):
        session = daemon.session()
        assert (session["tier_up"], session["tier_down"] != "local") == ("local", True)
        exchange(client, server, 64 * MEGABYTE)
    assert daemon.status()["bytes"] == {"up": 64 * MEGABYTE, "down": 64 * MEGABYTE}
    assert daemon.errors() == {}
    assert counters(daemon)["redirected"] > 0


@pytest.mark.parametrize("size", [1, 64, 16384])
def test_requests_and_responses_do_not_touch_tcp(bed, cgroup, local, size):
    daemon = local()
    up, down, count = Stream(1), Stream(2), 500
    with through(bed, cgroup) as (client, server):
        for number in range(count):
            first, last = number * size, (number + 1) * size
            client.sendall(up.part(first, size))
            up.receive(server, last, first)
            server.sendall(down.part(first, size))
            down.receive(client, last, first)
    assert counters(daemon)["redirected"] == count * size


def test_exact_while_tiers_change(bed, cgroup, local):
    """--torture changes the way back; what comes past TCP is neither spliced nor in the sockmap."""
    daemon = local("--torture")
    with through(bed, cgroup) as (client, server):
        end = time.monotonic() + 2
        while time.monotonic() < end:
            client.sendall(b"question" * 100)
            assert read(server, 800) == b"question" * 100
            server.sendall(b"answer" * 100)
            assert read(client, 600) == b"answer" * 100
        up, down = daemon.ask("flows")["flows"]
        assert (up["tier"], up["reason"]) == ("local", "the client is on this host")
        assert up["entries"] == down["entries"] == 0
        exchange(client, server, 32 * MEGABYTE)
    assert daemon.errors() == {}
    assert counters(daemon)["redirected"] > 0


def test_pipelining(bed, cgroup, local):
    """Requests ahead of their responses: more than the budgets of bytes and of messages."""
    daemon = local()
    up, down, size, count = Stream(3), Stream(4), 1000, 2000
    with through(bed, cgroup) as (client, server):
        def answer() -> None:
            for number in range(count):
                up.receive(server, (number + 1) * size, number * size)
                server.sendall(down.part(number * size, size))

        def ask() -> None:
            for number in range(count):
                client.sendall(up.part(number * size, size))

        together(ask, answer, lambda: down.receive(client, count * size))
    assert counters(daemon)["redirected"] > 0


def test_many_connections_at_once(bed, cgroup, local, serve):
    """What one says never reaches another's server; and their slots come back."""
    daemon = local()
    server = serve(peers.echo)
    for _ in range(2):
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(dial(bed, cgroup, server.port)) for _ in range(100)]
            for round_number in range(20):
                for number, client in enumerate(clients):
                    client.sendall(struct.pack("<II", number, round_number) * 20)
                for number, client in enumerate(clients):
                    assert read(client, 160) == struct.pack("<II", number, round_number) * 20
    state = counters(daemon)
    assert state["clients"] == 200 and state["redirected"] > 0


SHARED = """
import os, socket, sys
sock = socket.socket(fileno=int(sys.argv[1])); sock.settimeout(30)
mine, its = int(sys.argv[2]), int(sys.argv[3])
for number in range(300):
    os.read(mine, 1)
    sock.sendall(bytes([number % 256, int(sys.argv[4])]) * (1 + number * 37 % 9000))
    os.write(its, b"x")
"""


def test_processes_that_share_a_socket(bed, cgroup, local):
    """Two processes take turns in sending on one connection, as a shell's children do."""
    daemon = local()
    turn = [os.pipe(), os.pipe()]
    with through(bed, cgroup) as (client, server):
        processes = []
        for number in (0, 1):
            fds = client.fileno(), turn[number][0], turn[1 - number][1]
            processes.append(subprocess.Popen(
                [sys.executable, "-c", SHARED, *map(str, fds), str(number)], pass_fds=fds))
        os.write(turn[0][1], b"x")
        for number in range(300):
            for sender in (0, 1):
                size = 1 + number * 37 % 9000
                assert read(server, 2 * size) == bytes([number % 256, sender]) * size
        assert [process.wait(60) for process in processes] == [0, 0]
    for fd in (*turn[0], *turn[1]):
        os.close(fd)
    assert counters(daemon)["redirected"] > 0


def _send_more(client, part) -> None:
    half = len(part) // 2
    client.send(part[:half], socket.MSG_MORE)
    client.sendall(part[half:])


def _send_corked(client, part) -> None:
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    for first in range(0, len(part), 777):
        client.sendall(part[first:first + 777])
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)


def _wait_for_room(client) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(client, selectors.EVENT_WRITE)
        assert selector.select(peers.TIMEOUT_S)


def _send_file(client, part) -> None:
    with open(os.memfd_create("part"), "wb+", buffering=0) as file:
        file.write(part)
        done = 0
        while done < len(part):
            try:
                done += os.sendfile(client.fileno(), file.fileno(), done, len(part) - done)
            except BlockingIOError:
                _wait_for_room(client)


def _send_spliced(client, part) -> None:
    output, entry = os.pipe()
    try:
        for first in range(0, len(part), 4096):
            left = os.write(entry, part[first:first + 4096])
            while left > 0:
                try:
                    left -= os.splice(output, client.fileno(), left)
                except BlockingIOError:
                    _wait_for_room(client)
    finally:
        os.close(output)
        os.close(entry)


def _send_zerocopy(client, part) -> None:
    """Asked for after the connection was made: noticed at the first bytes."""
    client.setsockopt(socket.SOL_SOCKET, SO_ZEROCOPY, 1)
    while part:
        try:
            part = part[client.send(part, MSG_ZEROCOPY):]
        except BlockingIOError:
            _wait_for_room(client)


@pytest.mark.parametrize("send", [_send_more, _send_corked, _send_file, _send_spliced,
                                  _send_zerocopy])
def test_ways_of_sending(bed, cgroup, local, send):
    daemon = local()
    stream, sizes = Stream(9), [100, 5000, 70_000, 1 << 18, 1, 33_333] * 8
    with through(bed, cgroup) as (client, server):
        def give() -> None:
            first = 0
            for number, size in enumerate(sizes):
                send(client, stream.part(first, size))
                first += size
                if number % 3 == 0:
                    time.sleep(0.01)
            client.shutdown(socket.SHUT_WR)

        def take() -> None:
            stream.receive(server, sum(sizes))
            assert server.recv(1) == b""

        together(give, take)
    redirected = counters(daemon)["redirected"]
    assert redirected == 0 if send is _send_zerocopy else redirected > 0


@pytest.mark.parametrize("piece", [1 << 16, 100])
def test_stalled_reader(bed, cgroup, local, piece):
    """The client's send() must say EAGAIN, not ENOMEM, before anybody has collected much."""
    daemon = local()
    stream, sent = Stream(6), 0
    with through(bed, cgroup) as (client, server):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 17)
        client.settimeout(0)
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < 1:
            try:
                sent += client.send(stream.part(sent, piece))
                quiet_since = time.monotonic()
                assert sent < 24 * MEGABYTE, "nothing holds the client back"
            except BlockingIOError:
                time.sleep(0.01)
        client.shutdown(socket.SHUT_WR)
        stream.receive(server, sent)
        assert server.recv(1) == b""
    assert 0 < counters(daemon)["redirected"] < 24 * MEGABYTE


def test_slow_reader_then_requests(bed, cgroup, local):
    """After the credit was used up it is redirected again, once all is read."""
    daemon = local()
    stream = Stream(12)
    with through(bed, cgroup) as (client, server):
        def send() -> None:
            stream.send(client, 2 * MEGABYTE)

        def receive() -> None:
            first = 0
            while first < 2 * MEGABYTE:
                last = min(first + 50_000, 2 * MEGABYTE)
                stream.receive(server, last, first)
                first = last
                time.sleep(0.005)

        together(send, receive)
        for _ in range(100):
            client.sendall(b"question")
            assert read(server, 8) == b"question"
            server.sendall(b"answer")
            assert read(client, 6) == b"answer"
    assert counters(daemon)["redirected"] >= 8 * 90


def test_end_comes_after_what_waits(bed, cgroup, local):
    daemon = local()
    for size in (1, 1000, 100_000, MEGABYTE):
        with through(bed, cgroup) as (client, server):
            stream = Stream(size)
            together(lambda: (stream.send(client, size), client.shutdown(socket.SHUT_WR)),
                     lambda: stream.receive(server, size))
            assert server.recv(1) == b""
            server.sendall(b"late answer")
            server.shutdown(socket.SHUT_WR)
            assert read(client, 11) == b"late answer" and client.recv(1) == b""
    assert daemon.errors() == {}
    assert counters(daemon)["redirected"] > 1000


def test_resets(bed, cgroup, local):
    local()
    with through(bed, cgroup) as (client, server):
        client.sendall(b"before the reset")
        peers.reset(client)
        assert read(server, 16) == b"before the reset"
        assert peers.was_reset(server)
    with through(bed, cgroup) as (client, server):
        server.sendall(b"before the reset")
        peers.reset(server)
        assert read(client, 16) == b"before the reset"
        assert peers.was_reset(client)


def curl(bed, cgroup, *arguments: str) -> bytes:
    command = cgroup.command(path_of("curl"), "-q", "--silent", "--show-error", "--fail",
                             "--max-time", "100", *arguments)
    with bed.router.start(command, bed.mounts, stdout=subprocess.PIPE) as process:
        output, _ = process.communicate(timeout=120 * PATIENCE)
    assert process.returncode == 0
    return output


@pytest.mark.parametrize("proxy", [f"socks5h://{LAN4}:{PORT}", f"http://{LAN4}:{PORT}",
                                   f"socks5h://[{LAN6}]:{PORT}"])
def test_curl(bed, cgroup, local, origin, proxy):
    daemon = local()
    assert curl(bed, cgroup, "-x", proxy, origin.url("server.test", "payload")) == PAYLOAD
    curl(bed, cgroup, "-x", proxy, "-p", "--upload-file", str(origin.directory / "payload"),
         origin.url(SERVER4, "copy"))
    assert (origin.directory / "copy").read_bytes() == PAYLOAD
    state = counters(daemon)
    # Plain requests are copied; what CONNECT makes is not.
    assert state["clients"] == (1 if proxy.startswith("http") else 2) and state["redirected"] > 0
