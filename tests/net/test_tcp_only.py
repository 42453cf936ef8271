# SPDX-License-Identifier: GPL-2.0-or-later
"""Destinations that turned out not to speak MPTCP are dialled as plain TCP for a while. The server's
side is asked too: what the SYN that made a connection carried."""

from __future__ import annotations

import contextlib
import signal
import socket
import time
from collections.abc import Iterator

import pytest

import peers
from daemon import Hawserd
from handshakes import Refused
from namespace import IPPROTO_MPTCP
from patience import PATIENCE
from pattern import MEGABYTE, exchange
from topology import SERVER4, SERVER6
from waiting import until

RETRY = 4
# One worker, as each has a memory of its own.
OPTIONS = ("--workers", "1", "--tcp-only-retry", str(RETRY))
STRIP = "reset tcp option mptcp"

TCP_SAVE_SYN, TCP_SAVED_SYN = 27, 28
OPTION_END, OPTION_NOP, OPTION_MPTCP = 0, 1, 30


def asked_for_mptcp(accepted: socket.socket) -> bool:
    """Whether MP_CAPABLE came with the SYN. What an MPTCP socket accepts is one just then; a TCP
    socket has saved the SYN."""
    if accepted.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL) == IPPROTO_MPTCP:
        return True
    packet = accepted.getsockopt(socket.IPPROTO_TCP, TCP_SAVED_SYN, 512)
    if not packet:  # of an MPTCP listener's TCP connection none is saved
        return False
    segment = packet[(packet[0] & 15) * 4 if packet[0] >> 4 == 4 else 40:]
    options = segment[20:(segment[12] >> 4) * 4]
    while options and options[0] != OPTION_END:
        if options[0] == OPTION_MPTCP:
            return True
        options = options[1 if options[0] == OPTION_NOP else options[1]:]
    return False


def listen(bed, host: str, port: int = 0, mptcp: bool = False) -> socket.socket:
    listening = peers.listen(bed.server, host, port, mptcp)
    if not mptcp:
        listening.setsockopt(socket.IPPROTO_TCP, TCP_SAVE_SYN, 1)
    return listening


@contextlib.contextmanager
def dialled(daemon: Hawserd, listening: socket.socket, host: str = SERVER4,
            ) -> Iterator[tuple[dict, bool, socket.socket, socket.socket]]:
    """The session's row, what the SYN asked for, the client's and the server's socket."""
    with daemon.dial(host, peers.port_of(listening)) as client, \
            peers.accept(listening) as server:
        yield daemon.session(), asked_for_mptcp(server), client, server
    until(daemon.sessions, lambda sessions: sessions == [])


def dial(daemon: Hawserd, listening: socket.socket, host: str = SERVER4) -> str:
    """The transport it got, which the SYN must agree with."""
    with dialled(daemon, listening, host) as (session, asked, _, _):
        assert asked == (session["upstream_transport"] != "tcp")
        return session["upstream_transport"]


def counts(daemon: Hawserd) -> tuple[int, int, int, int]:
    now = daemon.status()["tcp_only"]
    return now["remembered"], now["tcp_dials"], now["retries"], now["learnt"]


def reload(daemon: Hawserd) -> None:
    says = "configuration reloaded"
    before = daemon.log().count(says)
    daemon.signal(signal.SIGHUP)
    until(lambda: daemon.log().count(says) > before)


@pytest.mark.mptcp
@pytest.mark.parametrize("host", [SERVER4, SERVER6])
def test_the_second_dial_is_tcp(bed, hawserd, host):
    daemon = hawserd(*OPTIONS)
    with listen(bed, host) as listening:
        with dialled(daemon, listening, host) as (session, asked, _, _):
            assert (session["upstream_transport"], asked) == ("fallback", True)
        with dialled(daemon, listening, host) as (session, asked, client, server):
            assert (session["upstream_transport"], asked) == ("tcp", False)
            # Both sides are TCP, so the bytes need not pass through user space.
            assert "copy" not in (session["tier_up"], session["tier_down"])
            exchange(client, server, MEGABYTE)
    assert counts(daemon) == (1, 1, 0, 0)
    assert daemon.status()["upstream"] == {"tcp": 1, "mptcp": 0, "fallback": 1}
    line, = (line for line in daemon.run_cli("status").stdout.splitlines()
             if line.startswith("tcp only"))
    assert line.split(maxsplit=2)[2] == \
        "1 servers known, 1 dialled by TCP, 0 tried again, 0 speak MPTCP now"


def test_only_where_the_kernel_has_mptcp(bed, hawserd):
    """Without MPTCP here, nobody there is to blame."""
    daemon = hawserd(*OPTIONS)
    with listen(bed, SERVER4) as listening:
        got = [dial(daemon, listening) for _ in range(2)]
    assert got == (["fallback", "tcp"] if bed.mptcp else ["tcp", "tcp"])
    assert counts(daemon) == ((1, 1, 0, 0) if bed.mptcp else (0, 0, 0, 0))


@pytest.mark.mptcp
def test_one_in_so_many_tries_mptcp(bed, hawserd):
    daemon = hawserd(*OPTIONS)
    with listen(bed, SERVER4) as listening:
        got = [dial(daemon, listening) for _ in range(2 * RETRY + 1)]
    once = ["tcp"] * (RETRY - 1) + ["fallback"]
    assert got == ["fallback", *once, *once]
    assert counts(daemon) == (1, 2 * (RETRY - 1), 2, 0)


@pytest.mark.mptcp
def test_retry_1_remembers_to_no_effect(bed, hawserd):
    daemon = hawserd("--workers", "1", "--tcp-only-retry", "1")
    with listen(bed, SERVER4) as listening:
        assert [dial(daemon, listening) for _ in range(3)] == ["fallback"] * 3


@pytest.mark.mptcp
@pytest.mark.parametrize("host", [SERVER4, SERVER6])
def test_a_server_that_learns_mptcp_is_noticed(bed, hawserd, host):
    daemon = hawserd(*OPTIONS)
    with listen(bed, host) as listening:
        port = peers.port_of(listening)
        assert dial(daemon, listening, host) == "fallback"
    with listen(bed, host, port, mptcp=True) as listening:
        got = [dial(daemon, listening, host) for _ in range(2 * RETRY)]
    assert got == ["tcp"] * (RETRY - 1) + ["mptcp"] * (RETRY + 1)
    assert counts(daemon) == (0, RETRY - 1, 1, 1)


@pytest.mark.mptcp
def test_a_path_that_lets_mptcp_through_again_is_noticed(bed, hawserd):
    daemon = hawserd(*OPTIONS)
    with listen(bed, SERVER4, mptcp=True) as listening:
        with bed.rules(STRIP):
            with daemon.dial(SERVER4, peers.port_of(listening)), peers.accept(listening):
                assert daemon.session()["upstream_transport"] == "fallback"
            until(daemon.sessions, lambda sessions: sessions == [])
            assert dial(daemon, listening) == "tcp"
        got = [dial(daemon, listening) for _ in range(RETRY)]
    assert got == ["tcp"] * (RETRY - 2) + ["mptcp"] * 2


@pytest.mark.mptcp
def test_the_kernels_own_pause_is_held_against_nobody(bed, hawserd):
    """After SYNs with MPTCP were lost on the way to one destination, the kernel connects to all
    others without it, too."""
    bed.router.sysctl("mptcp/blackhole_timeout", 3600)
    daemon = hawserd(*OPTIONS)
    try:
        with listen(bed, SERVER4, mptcp=True) as lost, listen(bed, SERVER4, mptcp=True) as other:
            with bed.rules(f"tcp dport {peers.port_of(lost)} tcp option mptcp exists drop"), \
                    daemon.dial(SERVER4, peers.port_of(lost)), peers.accept(lost):
                assert daemon.session()["upstream_transport"] == "fallback"
            until(daemon.sessions, lambda sessions: sessions == [])
            for _ in range(2):
                with daemon.dial(SERVER4, peers.port_of(other)), peers.accept(other):
                    assert daemon.session()["upstream_transport"] == "fallback"
                until(daemon.sessions, lambda sessions: sessions == [])
            # That path is to blame for its own.
            assert counts(daemon) == (1, 0, 0, 0)
            bed.router.sysctl("mptcp/blackhole_timeout", 3600)  # ends the pause
            assert dial(daemon, other) == "mptcp"
    finally:
        bed.router.sysctl("mptcp/blackhole_timeout", 3600)


@pytest.mark.mptcp
def test_a_well_known_service_is_dialled_anew(bed, hawserd):
    """At once, as TCP, since the kernel may lose bytes of what fell back."""
    daemon = hawserd(*OPTIONS)
    with listen(bed, SERVER4, port=989) as listening:
        with daemon.dial(SERVER4, 989) as client, peers.accept(listening) as given_up, \
                peers.accept(listening) as server:
            assert given_up.recv(1) == b""
            assert asked_for_mptcp(given_up) and not asked_for_mptcp(server)
            assert daemon.session()["upstream_transport"] == "tcp"
            exchange(client, server, 4 * MEGABYTE)
        until(daemon.sessions, lambda sessions: sessions == [])
        assert dial(daemon, listening) == "tcp"
    assert counts(daemon)[:2] == (1, 1)
    assert daemon.errors() == {}


@pytest.mark.mptcp
def test_each_port_is_its_own(bed, hawserd):
    daemon = hawserd(*OPTIONS)
    with listen(bed, SERVER4) as first, listen(bed, SERVER4) as second, \
            listen(bed, SERVER4, mptcp=True) as third:
        got = [dial(daemon, listening) for listening in (first, second, third) * 2]
    assert got == ["fallback", "fallback", "mptcp", "tcp", "tcp", "mptcp"]
    assert counts(daemon) == (2, 2, 0, 0)


@pytest.mark.mptcp
def test_each_attempt_of_happy_eyeballs_is_its_own(bed, hawserd, dns):
    """The IPv6 address is remembered and the IPv4 address is not, whichever name leads to them."""
    dns.records["host.test"] = [SERVER4, SERVER6]
    daemon = hawserd(*OPTIONS)
    with listen(bed, SERVER4) as listening4:
        port = peers.port_of(listening4)
        with listen(bed, SERVER6, port) as listening6:
            assert dial(daemon, listening6, SERVER6) == "fallback"
            assert dial(daemon, listening6, "host.test") == "tcp"
        # Refused there, by plain TCP, the other address is tried with MPTCP.
        assert dial(daemon, listening4, "host.test") == "fallback"
        assert counts(daemon) == (2, 2, 0, 0)
        assert dial(daemon, listening4, "host.test") == "tcp"
        assert counts(daemon) == (2, 4, 0, 0)


@pytest.mark.mptcp
def test_it_expires(bed, hawserd):
    daemon = hawserd("--workers", "1", "--tcp-only-expiry", "1.5")
    with listen(bed, SERVER4) as listening:
        started = time.monotonic()
        assert dial(daemon, listening) == "fallback"
        got = dial(daemon, listening)
        assert got == "tcp" or time.monotonic() - started > 1.5
        until(lambda: counts(daemon)[0] == 0)
        assert 1.5 <= time.monotonic() - started < 60 * PATIENCE
        started = time.monotonic()
        assert dial(daemon, listening) == "fallback"
    assert counts(daemon)[0] == 1 or time.monotonic() - started > 1.5


@pytest.mark.mptcp
def test_on_and_off_do_without(bed, hawserd, tmp_path):
    """Reloads change the mode and keep the memory."""
    file = tmp_path / "hawser.conf"
    file.write_text(f"upstream {{ mptcp = auto tcp-only-retry = {RETRY} }}", "utf-8")
    daemon = hawserd("-c", str(file), "--workers", "1")
    with listen(bed, SERVER4) as listening:
        assert dial(daemon, listening) == "fallback"
        file.write_text("upstream { mptcp = off }", "utf-8")
        reload(daemon)
        assert [dial(daemon, listening) for _ in range(3)] == ["tcp"] * 3
        file.write_text("upstream { mptcp = on }", "utf-8")
        reload(daemon)
        with pytest.raises(Refused) as refused:
            daemon.dial(SERVER4, peers.port_of(listening))
        assert refused.value.code == 1
        daemon.await_error("not-mptcp")
        with peers.accept(listening) as server:
            assert asked_for_mptcp(server)
        assert counts(daemon) == (1, 0, 0, 0)
        file.write_text(f"upstream {{ mptcp = auto tcp-only-retry = {RETRY} }}", "utf-8")
        reload(daemon)
        assert dial(daemon, listening) == "tcp"
    assert counts(daemon) == (1, 1, 0, 0)


@pytest.mark.mptcp
@pytest.mark.parametrize("mode", ["on", "off"])
def test_on_and_off_remember_nothing(bed, hawserd, mode):
    daemon = hawserd(*OPTIONS, "--mptcp", mode)
    with listen(bed, SERVER4) as listening, listen(bed, SERVER4, mptcp=True) as speaks_it:
        for _ in range(2):
            if mode == "off":
                assert dial(daemon, listening) == "tcp"
            else:
                with pytest.raises(Refused):
                    daemon.dial(SERVER4, peers.port_of(listening))
            assert dial(daemon, speaks_it) == ("mptcp" if mode == "on" else "tcp")
    assert counts(daemon) == (0, 0, 0, 0)


@pytest.mark.mptcp
def test_each_worker_finds_out_once(bed, hawserd):
    daemon = hawserd("--workers", "3")
    with listen(bed, SERVER4) as listening:
        got = [dial(daemon, listening) for _ in range(24)]
    assert 1 <= got.count("fallback") <= 3 and got.count("mptcp") == 0
    assert counts(daemon)[:2] == (got.count("fallback"), got.count("tcp"))
