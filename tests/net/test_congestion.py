# SPDX-License-Identifier: GPL-2.0-or-later
"""The congestion control of MPTCP sockets, as the kernel shows it for each subflow."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

import peers
from bed import Bed
from daemon import Hawserd
from topology import CLIENT4, LINKS, SERVER4
from waiting import until

# What Linux has always, and hawserd never chooses by itself.
SYSTEM = "reno"


@contextlib.contextmanager
def system_default(bed: Bed) -> Iterator[None]:
    """To be changed before hawserd starts: what an MPTCP listener accepts has the congestion control
    that was the default when it was made, once an option is set on the listener."""
    before = bed.router.sysctl("ipv4/tcp_congestion_control", SYSTEM)
    try:
        yield
    finally:
        bed.router.sysctl("ipv4/tcp_congestion_control", before)


def require(bed: Bed, name: str) -> None:
    if name not in bed.router.sysctl("ipv4/tcp_available_congestion_control").split():
        pytest.skip(f"this kernel has no congestion control {name}")


def in_use(bed: Bed, peer: str) -> list[str]:
    """Of each of the router's TCP connections with this peer."""
    lines = bed.router.run("ss", "-tinH", "state", "established", "dst", peer).splitlines()
    return [line.split()[0] for line in lines if line.startswith("\t")]


@contextlib.contextmanager
def connected(daemon, mptcp: bool) -> Iterator[None]:
    """Through the daemon, with all subflows there."""
    with peers.listen(daemon.bed.server, mptcp=mptcp) as listening, \
            daemon.dial(SERVER4, peers.port_of(listening), mptcp) as client, \
            peers.accept(listening) as server:
        client.sendall(b"x")
        server.sendall(server.recv(1))
        assert client.recv(1) == b"x"
        if mptcp:
            until(daemon.session, lambda now: now["upstream_subflows"] == 2)
        yield


@pytest.mark.mptcp
@pytest.mark.parametrize(("option", "expected"), [("system", SYSTEM), ("cubic", "cubic"),
                                                  ("auto", SYSTEM)])
def test_of_mptcp_sockets(bed, hawserd, option, expected):
    """Auto leaves a path with next to no round-trip time alone, which this one has now and then, also on a busy machine."""
    require(bed, expected)
    with system_default(bed):
        daemon = hawserd("--congestion", option)

        wanted = [expected] * 2, [expected]

        def seen() -> tuple[list[str], list[str]]:
            return in_use(bed, SERVER4), in_use(bed, CLIENT4)

        def seen_of_another() -> tuple[list[str], list[str]]:
            with connected(daemon, mptcp=True):
                return seen()

        if option == "auto":
            until(seen_of_another, lambda found: found == wanted)
            return
        # The kernel gives a subflow that has joined what the connection has, a little later.
        with connected(daemon, mptcp=True):
            until(seen, lambda found: found == wanted)


@pytest.mark.mptcp
def test_auto_with_a_round_trip_time(bed, emulated_bed):
    require(bed, "bbr")
    far = emulated_bed(**{link: {"delay": 10} for link in LINKS})
    with system_default(far):
        daemon = Hawserd(far, "--congestion", "auto")
        with connected(daemon, mptcp=True):
            until(lambda: in_use(far, SERVER4), lambda found: found == ["bbr"] * 2)
        daemon.finish()


def test_plain_tcp_is_left_alone(bed, hawserd):
    require(bed, "cubic")
    with system_default(bed), \
            connected(hawserd("--congestion", "cubic", "--mptcp", "off"), mptcp=False):
        assert in_use(bed, SERVER4) == [SYSTEM]
        assert in_use(bed, CLIENT4) == [SYSTEM]
