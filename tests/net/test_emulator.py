# SPDX-License-Identifier: GPL-2.0-or-later
"""The link emulator does to packets what it was told. The machine may be busy: nothing is asserted
to be quick, only not too quick, and where a rate must be reached the best of a few counts."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import time

import pytest

import peers
from emulator import BINARY, EmulatedLink
from namespace import Namespace
from pattern import MEGABYTE, exchange, together
from waiting import quickest, until

_SO_RCVBUFFORCE = 33  # which Python does not name
NEAR4, FAR4 = "10.78.0.1", "10.78.0.2"
NEAR6, FAR6 = "fd78::1", "fd78::2"
PORT = 7000
PAYLOAD = 1000
DATAGRAM = PAYLOAD + 28  # with its headers


class Ends:
    """Two namespaces and the link between them."""

    def __init__(self, **settings: object) -> None:
        self.near, self.far = Namespace(), Namespace()
        self.link = EmulatedLink(self.near, self.far, "link", **settings)
        for end, address4, address6 in (self.near, NEAR4, NEAR6), (self.far, FAR4, FAR6):
            # Only what the test sends is to be counted.
            end.sysctl("ipv6/conf/link/addr_gen_mode", 1)
            end.sysctl("ipv6/conf/link/router_solicitations", 0)
            end.batch("ip", [f"addr add {address4}/24 dev link",
                             f"addr add {address6}/64 dev link nodad", "link set dev link up"])

    def close(self) -> None:
        self.link.close()
        self.near.close()
        self.far.close()

    def udp(self, end: Namespace) -> socket.socket:
        made = end.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.settimeout(peers.TIMEOUT_S)
        made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 64 * MEGABYTE)
        made.bind(("0.0.0.0", PORT))
        return made


@pytest.fixture
def ends():
    made: list[Ends] = []

    def make(**settings: object) -> Ends:
        made.append(Ends(**settings))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def sockets(ends):
    """A link and a UDP socket at each end of it."""
    with contextlib.ExitStack() as stack:
        def make(**settings: object) -> tuple[EmulatedLink, socket.socket, socket.socket]:
            made = ends(**settings)
            return (made.link, stack.enter_context(made.udp(made.near)),
                    stack.enter_context(made.udp(made.far)))

        yield make


def send(sock: socket.socket, numbers: range, payload: int = PAYLOAD) -> None:
    address = FAR4, PORT
    for number in numbers:
        sock.sendto(struct.pack("!I", number).ljust(payload, b"."), address)


def number_of(datagram: bytes) -> int:
    return struct.unpack_from("!I", datagram)[0]


def passed(link: EmulatedLink, direction: str = "up") -> int:
    """Packets whose fate is sealed."""
    counters = link.stats()[direction]
    return sum(counters[name] for name in ("segments", "dropped", "lost", "swallowed"))


def receive(sock: socket.socket) -> list[int]:
    """The numbers of all that are there."""
    numbers = []
    while select.select([sock], [], [], 0)[0]:
        numbers.append(number_of(sock.recv(65536)))
    return numbers


def round_trip(near: socket.socket, far: socket.socket) -> float:
    started = time.monotonic()
    near.sendto(b"ping", (FAR4, PORT))
    assert far.recv(100) == b"ping"
    far.sendto(b"pong", (NEAR4, PORT))
    assert near.recv(100) == b"pong"
    return time.monotonic() - started


def quickest_round_trip(near: socket.socket, far: socket.socket, enough: float = 1) -> float:
    return quickest(lambda: round_trip(near, far), enough, tries=200)


def test_delay_each_way(sockets):
    link, near, far = sockets(delay_up=10, delay_down=40)
    assert 0.05 <= quickest_round_trip(near, far, 0.06) < 0.08
    link.set(delay=5)
    assert 0.01 <= quickest_round_trip(near, far, 0.02) < 0.03


def test_rate(sockets):
    """By the packets' own times of arrival: 8 Mbit/s, 1000 bytes in a ms."""
    link, near, far = sockets(rate_up=8, queue=2 * MEGABYTE)
    near.sendto(b"first", (FAR4, PORT))
    assert far.recv(100) == b"first"
    rates = []
    # A machine with other things to do may begin or end a measurement late.
    while len(rates) < 20 and not any(7.8 <= rate < 8.4 for rate in rates):
        send(near, range(1000))
        assert number_of(far.recv(65536)) == 0
        started = time.monotonic()
        for number in range(1, 1000):
            assert number_of(far.recv(65536)) == number
        rates.append(999 * DATAGRAM * 8e-6 / (time.monotonic() - started))
    assert 7.8 <= rates[-1] < 8.4, rates


def test_the_other_direction_has_its_own_rate(sockets):
    link, near, far = sockets(rate_up=0.1, rate_down=1000, queue=MEGABYTE)
    least = 9 * DATAGRAM * 8 / 1e5

    def other_direction_s() -> float:
        send(near, range(10))
        started = time.monotonic()
        far.sendto(b"x", (NEAR4, PORT))
        assert near.recv(10) == b"x"
        quick = time.monotonic() - started
        for number in range(10):
            assert number_of(far.recv(65536)) == number
        assert time.monotonic() - started >= least
        return quick

    assert quickest(other_direction_s, least) < least


def test_jitter_varies_the_delay_and_keeps_the_order(sockets):
    link, near, far = sockets(delay_up=30, jitter_up=25)
    delays = []
    for number in range(400):
        near.sendto(struct.pack("!Id", number, time.monotonic()), (FAR4, PORT))
        time.sleep(0.001)
        while select.select([far], [], [], 0)[0]:
            number, sent = struct.unpack("!Id", far.recv(100))
            assert number == len(delays)
            delays.append(time.monotonic() - sent)
    while len(delays) < 400:
        number, sent = struct.unpack("!Id", far.recv(100))
        assert number == len(delays)
        delays.append(time.monotonic() - sent)
    assert min(delays) >= 0.005
    assert min(delays) < 0.03 and max(delays) > 0.035
    assert link.stats()["up"]["lost"] == 0


def test_loss_share(sockets):
    """Of 10,000 packets within four standard deviations; what the counters say is what arrives."""
    link, near, far = sockets(loss_up=10)
    total, arrived = 10_000, []
    for first in range(0, total, 100):
        send(near, range(first, first + 100), payload=100)
        until(lambda: passed(link), lambda count: count == first + 100)
        arrived += receive(far)
    counters = link.stats()["up"]
    assert arrived == sorted(set(arrived))
    assert len(arrived) == counters["segments"] == total - counters["lost"]
    assert abs(counters["lost"] - 1000) <= 120
    assert link.stats()["down"]["lost"] == 0


def lost_numbers(ends, seed: int) -> set[int]:
    made = ends(loss=20, seed=seed)
    with made.udp(made.near) as near, made.udp(made.far) as far:
        send(near, range(500), payload=100)
        until(lambda: passed(made.link), lambda count: count == 500)
        return set(range(500)) - set(receive(far))


def test_loss_is_the_same_with_the_same_seed(ends):
    first = lost_numbers(ends, 5)
    assert first == lost_numbers(ends, 5)
    assert first != lost_numbers(ends, 6)


def test_loss_of_tcp_is_by_segment(ends):
    """Though the emulator is handed up to 64 KiB at once: far fewer are lost in a row."""
    made = ends(loss_up=1, rate=200, delay=2)
    with peers.listen(made.far, FAR4) as listening, \
            peers.connect(made.near, FAR4, peers.port_of(listening)) as near, \
            peers.accept(listening) as far:
        exchange(near, far, 8 * MEGABYTE)
    up = made.link.stats()["up"]
    sent = up["segments"] + up["lost"]
    assert sent > 5000 and up["dropped"] == 0
    # Four standard deviations.
    assert abs(up["lost"] - sent / 100) <= 4 * (sent * 0.01 * 0.99) ** 0.5


@pytest.mark.parametrize("rate", ["none", 400, 20])
@pytest.mark.parametrize("address", [FAR4, FAR6])
def test_tcp_is_byte_exact(ends, rate, address):
    made = ends(rate=rate, delay=3, jitter=2, loss=0.5)
    with peers.listen(made.far, address) as listening, \
            peers.connect(made.near, address, peers.port_of(listening)) as near, \
            peers.accept(listening) as far:
        exchange(near, far, 2 * MEGABYTE)
    for end in made.near, made.far:
        lines = end.run("nstat", "-asz", "TcpInCsumErrors", "TcpInErrs", "IpInHdrErrors")
        assert all(line.split()[1] == "0" for line in lines.splitlines()[1:]), lines


def test_queue_drops_the_tail(sockets):
    """1 Mbit/s and room for 20 packets: of a burst these come, the first ones, and the one that was
    on the wire; none waits longer than the queue is."""
    link, near, far = sockets(rate_up=1, queue_up=20 * DATAGRAM)
    started = time.monotonic()
    send(near, range(200))
    until(lambda: passed(link), lambda count: count == 200)
    arrived = receive(far)
    waited = time.monotonic() - started
    assert waited >= 20 * DATAGRAM * 8 / 1e6
    # While the burst was sent, on a busy machine, some may have left already.
    assert arrived[:20] == list(range(20))
    assert 20 <= len(arrived) <= 20 + waited * 1e6 / 8 / DATAGRAM
    assert link.stats()["up"]["dropped"] == 200 - len(arrived)


def test_queue_bounds_the_latency_of_a_full_link(ends):
    """Slow start fills the 100 ms of queue, and the emulator never has more."""
    made = ends(rate=20, delay=5, queue="100ms")
    assert made.link.stats()["up"]["queue_bytes"] == 250_000
    with peers.listen(made.far, FAR4) as listening, \
            peers.connect(made.near, FAR4, peers.port_of(listening)) as near, \
            peers.accept(listening) as far:
        seen = []
        # Cubic may see the delay grow and leave slow start before the queue is full.
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")

        def fill() -> None:
            with contextlib.suppress(OSError):
                while True:
                    near.sendall(bytes(1 << 16))

        def drain() -> None:
            began = time.monotonic()
            while (seconds := time.monotonic() - began) < 2 or (max(seen, default=0) <= 150_000 and seconds < 60):
                far.recv(1 << 16)
                seen.append(made.link.stats()["up"]["queued_bytes"])
            until(lambda: far.recv(1 << 16) and made.link.stats()["up"]["dropped"])
            peers.reset(far)

        together(fill, drain)
    assert 150_000 < max(seen) <= 250_000
    assert made.link.stats()["up"]["dropped"] > 0


def test_automatic_queue(sockets):
    link, _, _ = sockets(rate_up=10, rate_down=100, delay=100)
    assert link.stats()["up"]["queue_bytes"] == 250_000
    assert link.stats()["down"]["queue_bytes"] == 2_500_000


def test_changes_while_it_runs(sockets):
    """Blackhole, loss, rate and the way back; what is wrong changes nothing."""
    link, near, far = sockets(rate=100, delay=1)
    quickest_round_trip(near, far)
    link.set(blackhole="on")
    send(near, range(10))
    until(lambda: link.stats()["up"]["swallowed"], lambda count: count == 10)
    link.set(blackhole="off", loss_up=100)
    send(near, range(10))
    until(lambda: link.stats()["up"]["lost"], lambda count: count == 10)
    assert receive(far) == []
    for wrong in {"loss": 101}, {"rate": "fast"}, {"colour": 1}, {"delay": 50, "jitter": 51}:
        with pytest.raises(ValueError, match="|".join(wrong)):
            link.set(**wrong)
    link.set(loss=0)
    assert quickest_round_trip(near, far, 0.05) < 0.05


def test_blackhole_in_one_direction(sockets):
    link, near, far = sockets(blackhole_down="on")
    near.sendto(b"x", (FAR4, PORT))
    assert far.recv(10) == b"x"
    far.sendto(b"y", (NEAR4, PORT))
    until(lambda: link.stats()["down"]["swallowed"], lambda count: count == 1)


def test_carrier(ends):
    made = ends()

    def shown() -> list[dict]:
        return [json.loads(end.run("ip", "-j", "link", "show", "link"))[0] for end in (made.near, made.far)]

    def states() -> list[bool]:
        return ["LOWER_UP" in each["flags"] for each in shown()]

    assert states() == [True, True]
    made.link.set(carrier="off")
    assert states() == [False, False]
    made.link.set(carrier="on")
    assert states() == [True, True]
    # Until then the kernel drops what is sent.
    until(shown, lambda ends: all(each["operstate"] == "UP" for each in ends))
    with made.udp(made.near) as near, made.udp(made.far) as far:
        round_trip(near, far)


def test_sleeps_while_nothing_is_due(sockets):
    """Far less than a CPU, also with packets that wait for their time."""
    link, near, far = sockets(delay=2000, rate=10)
    near.sendto(b"x", (FAR4, PORT))

    def cpu_s() -> float:
        with open(f"/proc/{link.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before = cpu_s()
    assert far.recv(10) == b"x"
    assert cpu_s() - before <= 0.2


@pytest.mark.parametrize("end_it", ["SIGKILL", "SIGTERM", "end of input"])
def test_nothing_is_left(ends, end_it):
    made = ends(delay=100)
    with made.udp(made.near) as near:
        near.sendto(b"under way", (FAR4, PORT))
        if end_it == "end of input":
            made.link.process.stdin.close()
        else:
            made.link.process.send_signal(getattr(signal, end_it))
        made.link.process.wait(60)
    for end in made.near, made.far:
        assert [each["ifname"] for each in json.loads(end.run("ip", "-j", "link"))] == ["lo"]


def run_binary(*arguments: str) -> tuple[int, str]:
    done = subprocess.run([BINARY, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=120, check=False)
    return done.returncode, done.stderr


def test_bad_command_lines():
    with contextlib.closing(Namespace()) as near, contextlib.closing(Namespace()) as far:
        where = near.path, "a", far.path, "a"
        assert run_binary(*where, "loss=x") == (
            1, "emulator: loss=x: not a number from 0 to 100\n")
        assert run_binary(*where, "delay=5", "jitter=6") == (
            1, "emulator: jitter is more than delay\n")
        assert run_binary("--seed", "x", *where)[0] == 1
        assert run_binary("/nonexistent", *where[1:]) == (
            1, "emulator: /nonexistent: No such file or directory\n")
        status, complaint = run_binary(near.path, "a" * 20, far.path, "a")
        assert status == 1 and "a" * 20 in complaint
    status, complaint = run_binary()
    assert status == 2 and "usage" in complaint
