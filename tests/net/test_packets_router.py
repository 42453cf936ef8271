# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets of connections that a router takes on their way: our end of the client's has an address of somebody else."""

from __future__ import annotations

import signal

import pytest

import peers
from flows import chat, reasons, tiers
from forwarded import ALWAYS, take
from lan import SERVERS
from lan_fixtures import interceptor, lan  # pylint: disable=unused-import
from pattern import MEGABYTE, Stream
from test_steer import old_kernel  # pylint: disable=unused-import
from waiting import until

pytestmark = pytest.mark.no_mptcp


@pytest.mark.parametrize(("method", "family"), [("tproxy", 4), ("tproxy", 6), ("bpf", 4)])
def test_taken_and_back(lan, interceptor, method, family):
    """And taken again."""
    daemon = interceptor(method, *ALWAYS, "--tune", "keepalive-idle-s=1")
    daemon.up()
    stream = Stream(3)
    with peers.listen(lan.server, SERVERS[family]) as listening, \
            peers.connect(lan.client, SERVERS[family], peers.port_of(listening)) as client, \
            peers.accept(listening) as server:
        daemon.relaying()
        for back in True, False:
            take(daemon, client, server)
            for sender, receiver in (client, server), (server, client):
                stream.carry(sender, receiver, MEGABYTE)
            if back:
                until(lambda: tiers(daemon), lambda found: "packets" not in found)
    daemon.await_end()
    assert daemon.status()["packets"]["taken"] >= 2
    assert daemon.errors() == {}


def test_not_where_addresses_change(lan, interceptor):
    """Nothing of what comes is as the socket has it."""
    daemon = interceptor("redirect", *ALWAYS)
    daemon.up()
    with peers.listen(lan.server, SERVERS[4]) as listening, \
            peers.connect(lan.client, SERVERS[4], peers.port_of(listening)) as client, \
            peers.accept(listening) as server:
        daemon.relaying()
        chat(client, server, 200)
        assert "packets" not in tiers(daemon)
        assert reasons(daemon) == {"packets: no quiet moment yet"}
    daemon.await_end()


@pytest.fixture(params=["nobody's", "somebody's"])
def clsact(request, lan):
    """Whose qdisc both programs hang on, before tcx. Somebody's stays, though it has no filters."""
    if request.param == "nobody's":
        yield
        return
    lan.router.run("tc", "qdisc", "add", "dev", "lan", "clsact")
    try:
        yield
        assert "clsact" in lan.router.run("tc", "qdisc", "show", "dev", "lan")
    finally:
        lan.router.run("tc", "qdisc", "del", "dev", "lan", "clsact")


@pytest.mark.parametrize("last", ["rules", "hawserd"])
@pytest.mark.usefixtures("old_kernel", "clsact")
def test_the_last_of_two_on_an_interface(lan, interceptor, last):
    """Before tcx both programs hang on one qdisc, which is as before in the end: interceptor() looks."""
    daemon = interceptor("bpf", *ALWAYS)
    daemon.up()
    with peers.listen(lan.server, SERVERS[4]) as listening, \
            peers.connect(lan.client, SERVERS[4], peers.port_of(listening)) as client, \
            peers.accept(listening) as server:
        daemon.relaying()
        take(daemon, client, server)
    daemon.await_end()
    if last == "rules":
        daemon.signal(signal.SIGTERM)
        daemon.wait()
    else:
        daemon.down()
