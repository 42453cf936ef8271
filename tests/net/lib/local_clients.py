# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients on hawserd's own host, in the cgroup of --local-accel."""

from __future__ import annotations

import contextlib
import socket

import pytest

import peers
from cgroup import Cgroup
from feature import lacks
from handshakes import socks5
from topology import LAN4, LAN6, SERVER4
from waiting import until

PORT = 1080


@pytest.fixture(scope="module")
def cgroup():
    with Cgroup() as made:
        yield made


@pytest.fixture
def local(bed, hawserd, cgroup):
    """A daemon that the clients in the cgroup are accelerated by, with these options besides."""
    def begin(*options: str, **settings):
        daemon = hawserd("--local-accel", str(cgroup.path), *options, **settings)
        state = daemon.status()["local_accel"]
        if not state["available"]:
            lacks(f"local-accel: {state['reason']}", "local-accel")
        return daemon

    return begin


def dial(bed, cgroup, port: int, blocking: bool = False, family: int = socket.AF_INET,
         host: str = SERVER4) -> socket.socket:
    """A client on the router; its socket is in the cgroup. One with a timeout does not block."""
    with cgroup.entered():
        client = bed.router.socket(family)
    client.settimeout(None if blocking else peers.TIMEOUT_S)
    client.connect((LAN4 if family == socket.AF_INET else LAN6, PORT))
    socks5(client, host, port)
    return client


@contextlib.contextmanager
def through(bed, cgroup, **settings):
    with peers.listen(bed.server) as listening, \
            dial(bed, cgroup, peers.port_of(listening), **settings) as near, \
            peers.accept(listening) as far:
        yield near, far


def counters(daemon) -> dict:
    """Those of sessions that have ended."""
    until(daemon.active, lambda active: active == 0)
    return daemon.status()["local_accel"]
