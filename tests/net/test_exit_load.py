# SPDX-License-Identifier: GPL-2.0-or-later
"""Router and exit with many sessions at once, and with thousands of garbage handshakes."""

from __future__ import annotations

import collections
import contextlib
import ipaddress
import os
import random
import socket
import threading
import warnings

import pytest

import hop
import peers
from crowd import IDLE_BYTES_MAX, PATIENT, Crowd, open_files_limit, with_asan
from exit_net import PORTS, exits, hello, net, states  # pylint: disable=unused-import
from handshakes import at_end, read, read_socks5_reply, socks5_request
from pattern import Stream, together
from topology import SERVER4
from waiting import until

pytestmark = pytest.mark.mptcp

MANY = 1000
# What a session carries each way at a time.
PIECE = 8191
# make soak has more than there are rows for those who fail (auth_penalty.c).
GARBAGE = 10_000 if "SOAK_SECONDS" in os.environ else 2_000
SEED = int(os.environ.get("SEED", "6"))
HOUR_MS = 3_600_000
# One worker, as in test_scale: allocators of several make the figures for so few sessions uneven. A
# busy machine is not to be taken for a dead exit, and no session is to go on without one.
ROUTER = """daemon { workers = 1 }
            upstream { when-no-exit = refuse  exit-answer = 20  exit-probe = 600 }"""


def await_joined(router) -> None:
    """All sessions use both links. One that joins while bytes arrive may be the end of them
    (docs/kernel-notes.md)."""
    until(lambda: {session["upstream_subflows"] for session in router.sessions()},
          lambda subflows: subflows == {2})


def test_many_sessions_through_an_exit(bed, net):
    """Idle ones cost little at both ends; each is byte-exact; nothing is left."""
    # Two sockets of each session here, two in each daemon.
    count = min(MANY, (open_files_limit() - 500) // 2)
    if count < MANY:
        warnings.warn(f"only {count} sessions: the limit of open files is {open_files_limit()}")
    one = net.serve("one", "--workers", "1", *PATIENT)
    router = net.settled("one", more=ROUTER, options=PATIENT)
    both = router, one
    up, down = Stream(1), Stream(2)
    with peers.listen(bed.server) as listening, Crowd(router, listening) as crowd:
        # What sessions need while they are opened leaves holes; those of the first are for all.
        crowd.grow(100)
        before = [daemon.resident_bytes() for daemon in both]
        crowd.grow(count - 100)

        def each() -> list[float]:
            return [(daemon.resident_bytes() - bytes_) / (count - 100)
                    for daemon, bytes_ in zip(both, before)]

        if not with_asan(bed.build):
            # What 500 needed at once for their openings is given back two seconds later.
            until(each, lambda now: max(now) <= IDLE_BYTES_MAX)
        # To be asked for them is no lasting cost. The first time, what was opened is given back.
        idle = router.resident_bytes()
        for _ in range(2):
            assert len(router.sessions()) == count
            if not with_asan(bed.build):
                until(lambda: router.resident_bytes() - idle, lambda more: more < count * 1024)
        assert [daemon.active() for daemon in both] == [count] * 2
        assert exits(router)["one"]["sessions"] == {"active": count, "total": count}
        await_joined(router)
        for number, (client, server) in enumerate(crowd.ends):
            client.sendall(up.part(number * PIECE, PIECE))
            server.sendall(down.part(number * PIECE, PIECE))
        for number, (client, server) in enumerate(crowd.ends):
            assert read(server, PIECE) == up.part(number * PIECE, PIECE), number
            assert read(client, PIECE) == down.part(number * PIECE, PIECE), number
        for client, _ in crowd.ends[::2]:
            client.close()
        for _, server in crowd.ends[1::2]:
            server.close()
        for sock in (sock for ends in crowd.ends for sock in ends if sock.fileno() >= 0):
            assert at_end(sock)
            sock.close()
    for daemon in both:
        until(daemon.active, lambda active: active == 0)
        assert daemon.errors() == {}
        until(lambda: daemon.open_files()["socket"], lambda now: now <= daemon.baseline["socket"])
    assert exits(router)["one"]["sessions"] == {"active": 0, "total": count}
    assert states(router) == {"one": "up"}


class Garbage:
    """What comes from those who have no token, or only have seen it used."""

    def __init__(self, token: hop.Token, requests: list[bytes], seen: bytes) -> None:
        """requests: to begin with. seen: a message that the exit has taken."""
        self._token, self._requests, self._seen = token, requests, seen
        self.dice = random.Random(SEED)
        self._kinds = [self._noise, self._greeted_noise, self._flipped, self._cut, self._shifted,
                       self._other_key, self._other_time, self._replayed]

    def make(self) -> bytes:
        return self.dice.choice(self._kinds)()

    def _good(self, token: hop.Token | None = None, time_ms: int | None = None) -> bytes:
        return hop.Message(token or self._token, self.dice.choice(self._requests), "one",
                           time_ms).head

    def _noise(self) -> bytes:
        return self.dice.randbytes(self.dice.randint(1, 400))

    def _greeted_noise(self) -> bytes:
        return hop.GREETING + self._noise()

    def _flipped(self) -> bytes:
        head = bytearray(self._good())
        for at in self.dice.sample(range(len(head)), self.dice.randint(1, 3)):
            head[at] ^= self.dice.randint(1, 255)
        return bytes(head)

    def _cut(self) -> bytes:
        head = self._good()
        return head[:self.dice.randrange(1, len(head))]

    def _shifted(self) -> bytes:
        """By a piece of it that is left out, or there twice."""
        while True:
            head = self._good()
            first, end = sorted(self.dice.sample(range(len(head)), 2))
            left = first if self.dice.random() < 0.5 else end
            bent = head[:left] + head[first + end - left:]
            # Equal bytes side by side: that would be the same, and more behind it.
            if not bent.startswith(head):
                return bent

    def _other_key(self) -> bytes:
        return self._good(hop.Token(self.dice.choice(["home", "nobody"])))

    def _other_time(self) -> bytes:
        return self._good(time_ms=hop.now_ms() + self.dice.choice([-HOUR_MS, HOUR_MS]))

    def _replayed(self) -> bytes:
        return self._seen


def refused(sock: socket.socket, head: bytes) -> None:
    """Whatever the answer is, it is not that the message was taken."""
    answer = b""
    with sock, contextlib.suppress(ConnectionResetError):
        while data := sock.recv(4096):
            answer += data
    assert answer[:4] != bytes([5, hop.METHOD, 1, hop.ACCEPTED]), head.hex()


def test_garbage_while_sessions_run(bed, net, serve):
    """From thousands of addresses, a fifth from one; half of them do not wait for the answer, which
    is late. Sessions through the exit stay byte-exact, new ones open, and nothing else gets in."""
    echo = serve(peers.echo, mptcp=True)
    one = net.serve("one", "--log-level", "info")
    router = net.settled("one", more=ROUTER)
    request = socks5_request(SERVER4, echo.port)
    seen = hop.Message(net.token, request, "one")
    with peers.connect(bed.server, SERVER4, PORTS["one"]) as sock:
        sock.sendall(seen.head + b"hello")
        assert hop.read_answer(sock, seen)[0] == hop.ACCEPTED
        assert read_socks5_reply(sock) == 0 and read(sock, 5) == b"hello"
    over = threading.Event()
    sessions = 1

    def send() -> None:
        garbage = Garbage(net.token, [request, socks5_request("server.test", echo.port),
                                      socks5_request("::1", 80), hop.probe()], seen.head)
        waiting: collections.deque[tuple[socket.socket, bytes]] = collections.deque()
        first = ipaddress.IPv4Address("127.1.0.0")
        for number in range(GARBAGE):
            head = garbage.make()
            source = first if number % 5 == 0 else first + number
            sock = peers.connect(bed.server, SERVER4, PORTS["one"], source=str(source))
            sock.sendall(head)
            if number % 5 == 0 or garbage.dice.random() < 0.4:
                garbage.dice.choice([socket.socket.close, peers.reset])(sock)
                continue
            sock.shutdown(socket.SHUT_WR)
            waiting.append((sock, head))
            if len(waiting) > 500:
                refused(*waiting.popleft())
        for left in waiting:
            refused(*left)

    def run() -> None:
        nonlocal sessions
        stream, at = Stream(1), 0
        running = [router.dial(SERVER4, echo.port) for _ in range(4)]
        await_joined(router)
        sessions += len(running)
        while not over.is_set() or at < 10 * PIECE:
            for number, client in enumerate(running):
                client.sendall(stream.part(at + number, PIECE))
            for number, client in enumerate(running):
                assert read(client, PIECE) == stream.part(at + number, PIECE), (number, at)
            hello(router, echo.port)
            sessions += 1
            at += PIECE
        for client in running:
            client.close()

    def send_all() -> None:
        try:
            send()
        finally:
            over.set()

    together(send_all, run)
    assert states(router) == {"one": "up"} and router.errors() == {}
    # Of protocols it counts what got in.
    probes = exits(router)["one"]["probes"]
    assert sum(one.status()["protocols"].values()) == sessions + probes
    assert len(echo.families) == sessions
    until(one.active, lambda active: active == 0)
