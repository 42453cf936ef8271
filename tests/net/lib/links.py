# SPDX-License-Identifier: GPL-2.0-or-later
"""A bed whose links nobody has set up but hawserd."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

import peers
from bed import Bed
from daemon import Hawserd
from topology import LINKS, SERVER4, far, near
from waiting import until

LINK = tuple(option for link in LINKS for option in ("--link", f"wan-{link}={link}"))


def bare_bed(build: Path, scratch: Path, mptcp: bool, rate_a: float = 100, rate_b: float = 100,
             ) -> Bed:
    """The router has addresses and default routes of both links in the main table, as two DHCP
    clients leave them, and nothing else."""
    made = Bed(build, scratch, mptcp=mptcp, rate_a=rate_a, rate_b=rate_b)
    commands = []
    for number, link in enumerate(LINKS, 1):
        commands += [f"-{family} rule del from {address} lookup {100 + number}"
                     for family, address in zip((4, 6), near(link))]
        commands += [f"-{family} route flush table {100 + number}" for family in (4, 6)]
        commands += [f"route replace default via {gateway} dev {link} metric {100 + number}"
                     for gateway in far(link)]
    # Those that the bed begins with, of no metric or of the kernel's.
    commands += [f"-4 route del default via {far('a')[0]} dev a metric 0",
                 f"-6 route del default via {far('a')[1]} dev a metric 1024"]
    if mptcp:
        commands += ["mptcp endpoint flush", "mptcp limits set subflow 2 add_addr_accepted 0"]
    for command in commands:
        made.router.run("ip", *command.split())
    # The kernel gives them when it has seen the carrier, and routes with them.
    until(lambda: made.router.run("ip", "-6", "address").count("inet6 fe80:"), lambda count: count == 1 + len(LINKS))
    return made


def began_on(daemon: Hawserd, listening: socket.socket, host: str = SERVER4,
             source: str = "") -> str:
    """The link of a new connection's first subflow."""
    with daemon.dial(host, peers.port_of(listening), source=source), \
            peers.accept(listening) as server:
        address = server.getpeername()[0]
    return next(link for link in LINKS if address in near(link))


@pytest.fixture
def bare(request, build, bed, tmp_path):
    """RATE of the test's file is that of each link, in Mbit/s."""
    rate = getattr(request.module, "RATE", 100)
    with bare_bed(build, tmp_path, bed.mptcp, rate, rate) as made:
        yield made


@pytest.fixture
def daemon(bare):
    running = Hawserd(bare, *LINK)
    yield running
    running.finish()
