# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP Fast Open: hops do not use it, as with MPTCP this kernel loses what is answered early. Where
the first test is skipped because it does not, a hop could save a round trip."""

from __future__ import annotations

import contextlib
import socket

import pytest

import peers
from daemon import Hawserd
from exit_net import Net, hello
from namespace import IPPROTO_MPTCP
from topology import SERVER4

pytestmark = pytest.mark.mptcp

# Of ip-sysctl.rst: connect and serve, both without a cookie; for all listeners.
ON, FOR_ALL = 0x207, 0x607
SYN_DATA_DROPPED = "tcp flags & (syn | ack) == syn meta length > 100 drop"
DELAY_MS = 50
ROUND_TRIP_S = 2 * DELAY_MS / 1e3
QUESTION, ANSWER = b"q" * 100, b"a" * 100


@pytest.fixture
def slow(emulated_bed):
    return emulated_bed(a={"rate": 50, "delay": DELAY_MS}, b={"rate": 50, "delay": DELAY_MS})


def ask_early(bed, mptcp: bool, patience_s: float) -> bytes:
    """What comes of an answer to bytes that came with the SYN."""
    for namespace in bed.router, bed.server:
        namespace.sysctl("ipv4/tcp_fastopen", ON)
    with peers.listen(bed.server, mptcp=mptcp) as listening:
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
        with bed.router.socket(socket.AF_INET, protocol=IPPROTO_MPTCP if mptcp else 0) as client:
            client.sendto(QUESTION, socket.MSG_FASTOPEN, (SERVER4, peers.port_of(listening)))
            with peers.accept(listening) as server:
                assert server.recv(1000) == QUESTION
                server.sendall(ANSWER)
                client.settimeout(patience_s)
                try:
                    return client.recv(1000)
                except TimeoutError:
                    return b""


def test_the_kernel_loses_early_answers(slow):
    """With MPTCP only; the path is good."""
    assert ask_early(slow, mptcp=False, patience_s=10) == ANSWER
    try:
        answer = ask_early(slow, mptcp=True, patience_s=2)
    except OSError as error:
        pytest.skip(f"this kernel has no Fast Open with MPTCP: {error}")
    if answer == ANSWER:
        pytest.skip("this kernel delivers it: hops could use Fast Open")
    assert answer == b""


@pytest.mark.parametrize(("setting", "rule"), [(0, ""), (ON, ""), (FOR_ALL, ""),
                                              (FOR_ALL, SYN_DATA_DROPPED)])
def test_hops_are_the_same_with_it(slow, tmp_path, setting, rule):
    """A round trip for the handshake, one for the client's reply, one for the echo, whatever hosts
    and path do."""
    for namespace in slow.router, slow.server:
        namespace.sysctl("ipv4/tcp_fastopen", setting)
    with contextlib.ExitStack() as leave:

        def hawserd(*options: str, **settings) -> Hawserd:
            made = Hawserd(slow, *options, **settings)
            leave.callback(made.finish)
            return made

        if rule:
            leave.enter_context(slow.rules(rule))
        net = Net(slow, hawserd, tmp_path)
        net.serve("one")
        router = net.settled("one")
        echo = leave.enter_context(contextlib.closing(peers.Server(slow.server, peers.echo)))
        took = [hello(router, echo.port) for _ in range(3)]
        assert 3 * ROUND_TRIP_S <= min(took) < 4 * ROUND_TRIP_S, took
