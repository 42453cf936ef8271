# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP Fast Open: hops by MPTCP do not use it, as this kernel loses what is answered early; where the
first test is skipped because it does not, they could save a round trip. Hops by plain TCP use it."""

from __future__ import annotations

import errno
import contextlib
import socket

import pytest

import peers
from daemon import Hawserd
from exit_net import PORTS, Net, exits, hello
from feature import lacks
from namespace import IPPROTO_MPTCP
from patience import PATIENCE
from topology import SERVER4
from waiting import quickest

pytestmark = pytest.mark.mptcp

# Of ip-sysctl.rst: connect and serve, both without a cookie; for all listeners.
ON, FOR_ALL = 0x207, 0x607
# The same with a cookie, as hosts are that have been told to serve it.
WITH_COOKIE = 3
SYN_DATA_DROPPED = "tcp flags & (syn | ack) == syn meta length > 100 drop"
# Far more than it takes to handle a packet.
DELAY_MS = int(50 * PATIENCE ** 0.75)
ROUND_TRIP_S = 2 * DELAY_MS / 1e3
WITHOUT_MPTCP = 'upstream { mptcp = "off" }'
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
        if error.errno not in (errno.EOPNOTSUPP, errno.ENOPROTOOPT):  # before 6.2, of the listener
            raise
        pytest.skip(f"this kernel has no Fast Open with MPTCP: {error}")
    if answer == ANSWER:
        pytest.skip("this kernel delivers it: hops could use Fast Open")
    assert answer == b""


@pytest.fixture
def net(slow, tmp_path):
    with contextlib.ExitStack() as leave:

        def hawserd(*options: str, **settings) -> Hawserd:
            made = Hawserd(slow, *options, **settings)
            leave.callback(made.finish)
            return made

        yield Net(slow, hawserd, tmp_path)


def allow(bed, setting: int) -> None:
    for namespace in bed.router, bed.server:
        namespace.sysctl("ipv4/tcp_fastopen", setting)


def echo_server(net: Net, leave: contextlib.ExitStack) -> int:
    return leave.enter_context(
        contextlib.closing(peers.Server(net.bed.server, peers.echo))).port


@pytest.mark.parametrize(("setting", "rule"), [(0, ""), (ON, ""), (FOR_ALL, ""),
                                              (FOR_ALL, SYN_DATA_DROPPED)])
def test_hops_are_the_same_with_it(net, setting, rule):
    """A round trip for the handshake, one for the client's reply, one for the echo, whatever hosts
    and path do."""
    allow(net.bed, setting)
    with contextlib.ExitStack() as leave:
        if rule:
            leave.enter_context(net.bed.rules(rule))
        net.serve("one")
        router = net.settled("one")
        port = echo_server(net, leave)
        took = quickest(lambda: hello(router, port), 4 * ROUND_TRIP_S)
        assert 3 * ROUND_TRIP_S <= took < 4 * ROUND_TRIP_S


def early(bed) -> tuple[int, int]:
    """What the router sent with SYNs: how often it was taken, and how often not."""
    counted = bed.counters(bed.router, "TcpExt")
    return counted["TCPFastOpenActive"], counted["TCPFastOpenActiveFail"]


def refusal(exit_: Hawserd) -> str:
    """Why an exit's listener has no Fast Open, by its own trial; "" if it has."""
    reason = next(each["reason"] for each in exit_.status()["kernel"]
                  if each["feature"] == "mptcp-options")
    return reason if "TCP_FASTOPEN" in reason else ""


@pytest.mark.parametrize(("setting", "round_trips"), [(0, 3), (WITH_COOKIE, 2)])
def test_plain_hops(net, setting, round_trips):
    """Two are what the client would need without a proxy; one more where the exit cannot."""
    allow(net.bed, setting)
    if refusal(net.serve("one")):
        setting, round_trips = 0, 3
    router = net.settled("one", more=WITHOUT_MPTCP)
    with contextlib.ExitStack() as leave:
        port = echo_server(net, leave)
        hello(router, port)
        took = quickest(lambda: hello(router, port), (round_trips + 1) * ROUND_TRIP_S)
        assert round_trips <= took / ROUND_TRIP_S < round_trips + 1, took
        assert (early(net.bed)[0] > 0) == (setting != 0)


def test_plain_hops_where_the_path_drops_it(net):
    """It costs one connection a second, and then it is known."""
    allow(net.bed, WITH_COOKIE)
    if reason := refusal(net.serve("one")):
        lacks(reason, "fast-open")
    with net.bed.rules(SYN_DATA_DROPPED), contextlib.ExitStack() as leave:
        router = net.settled("one", more=WITHOUT_MPTCP)
        port = echo_server(net, leave)
        hello(router, port)
        took = quickest(lambda: hello(router, port), 4 * ROUND_TRIP_S)
        assert 3 <= took / ROUND_TRIP_S < 4, took
    assert early(net.bed) == (0, 1)


@pytest.mark.parametrize("how", ["killed", "cut"])
def test_early_to_a_dead_exit(net, how):
    """The connection seems to be there at once; the session goes on to the next exit all the same."""
    allow(net.bed, WITH_COOKIE)
    for name in "one", "two":
        if reason := refusal(net.serve(name)):
            lacks(reason, "fast-open")
    router = net.settled("one", "two", one="priority = 1", two="priority = 2",
                         more=f"{WITHOUT_MPTCP}\nupstream {{ exit-answer = 4 }}")
    with contextlib.ExitStack() as leave:
        port = echo_server(net, leave)
        for _ in range(2):
            hello(router, port)
        if how == "killed":
            net.kill("one")
        else:
            leave.enter_context(net.bed.rules(f"tcp dport {PORTS['one']} drop"))
        assert hello(router, port) < 20
        exit_ = exits(router)["one"]
        assert (exit_["state"], exits(router)["two"]["state"]) == ("down", "up")
        assert exit_["last_failure"] == ("refused" if how == "killed" else "exit-silent")
        assert quickest(lambda: hello(router, port), 4 * ROUND_TRIP_S) < 4 * ROUND_TRIP_S
