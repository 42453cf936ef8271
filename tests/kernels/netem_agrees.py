# SPDX-License-Identifier: GPL-2.0-or-later
"""The emulator (testbed/emulator.c) agrees with the kernel's netem, on a kernel that has it: a
download over 50 Mbit/s and 20 ms of round-trip time is as quick over the one as over the other."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

import peers
from emulator import EmulatedLink
from namespace import Namespace
from patience import PATIENCE

NEAR, FAR = "10.78.0.1", "10.78.0.2"
RATE_MBIT, DELAY_MS = 50, 10
QUEUE_PACKETS = 200  # 50 ms at this rate, as the emulator has
WARM_UP_S, ROUND_S = 2, 12
# Losses by chance make rounds differ: some more are taken before a difference is believed.
ROUNDS_MAX = 6
TOLERANCE = 0.1


@contextlib.contextmanager
def emulated(near: Namespace, far: Namespace, loss: float, number: int) -> Iterator[None]:
    with contextlib.closing(EmulatedLink(near, far, "link", seed=number, rate=RATE_MBIT,
                                         delay=DELAY_MS, loss=loss, queue="50ms")):
        yield


@contextlib.contextmanager
def by_netem(near: Namespace, far: Namespace, loss: float, _number: int) -> Iterator[None]:
    """netem would lose whole bundles of packets, so there are none."""
    near.run("ip", "link", "add", "name", "link", "type", "veth", "peer", "name", "link", "netns",
             far.path)
    for end in near, far:
        end.run("ip", "link", "set", "dev", "link", "gso_max_segs", "1")
        end.run("tc", "qdisc", "add", "dev", "link", "root", "handle", "1:", "netem",
                "delay", f"{DELAY_MS}ms", "loss", f"{loss}%", "rate", f"{RATE_MBIT}mbit",
                "limit", str(QUEUE_PACKETS))
    try:
        yield
    finally:
        near.run("ip", "link", "del", "dev", "link")


def download(near: Namespace, far: Namespace) -> float:
    """In Mbit/s, once it has found its pace."""
    def send() -> None:
        with contextlib.suppress(OSError):
            while True:
                server.sendall(bytes(65536))

    with peers.listen(far, FAR) as listening, \
            peers.connect(near, FAR, peers.port_of(listening)) as client, \
            peers.accept(listening) as server:
        thread = threading.Thread(target=send)
        thread.start()
        began, count = time.monotonic(), 0
        try:
            while (now := time.monotonic()) < began + WARM_UP_S + ROUND_S:
                got = len(client.recv(1 << 18))
                count += got if now > began + WARM_UP_S else 0
        finally:
            client.shutdown(socket.SHUT_RDWR)
            with contextlib.suppress(OSError):  # what is under way resets it
                server.shutdown(socket.SHUT_RDWR)
            thread.join()
    return count * 8e-6 / ROUND_S


def measure(link, loss: float, number: int) -> float:
    near, far = Namespace(), Namespace()
    with contextlib.closing(near), contextlib.closing(far), link(near, far, loss, number):
        for end, address in (near, NEAR), (far, FAR):
            end.batch("ip", [f"addr add {address}/24 dev link", "link set dev link up"])
        return download(near, far)


@pytest.fixture(scope="module", autouse=True)
def the_link_is_the_limit():
    """And not this machine: busy, it makes both as slow. Emulated, it has a clock of its own and is never busy."""
    reached = 0.0
    for number in range(3):
        reached = max(reached, measure(by_netem, 0, number))
        if reached >= 0.8 * RATE_MBIT:
            return
    text = f"netem carries {reached:.1f} of {RATE_MBIT} Mbit/s"
    if PATIENCE == 1:
        pytest.skip(f"this machine is too slow to tell: {text}")
    pytest.fail(text)


@pytest.mark.parametrize("loss", [0, 1])
def test_netem_agrees(loss, record_property):
    sums = {emulated: 0.0, by_netem: 0.0}
    for number in range(1, ROUNDS_MAX + 1):
        for link in sums:
            sums[link] += measure(link, loss, number)
        ours, kernels = (total / number for total in sums.values())
        found = f"emulator {ours:.1f}, netem {kernels:.1f} Mbit/s in {number} rounds"
        if abs(ours - kernels) <= TOLERANCE * kernels:
            record_property(f"{loss} % loss", found)
            return
    pytest.fail(found)
