# SPDX-License-Identifier: GPL-2.0-or-later
"""MPTCP on both sides of hawserd: who speaks it, who falls back, and what hawserd says of it."""

from __future__ import annotations

import pytest

import peers
from handshakes import Refused, read
from pattern import MEGABYTE, exchange
from topology import SERVER4, SERVER6
from waiting import until

STRIP = "reset tcp option mptcp"


@pytest.mark.mptcp
@pytest.mark.parametrize("host", [SERVER4, SERVER6])
def test_upstream_gets_a_subflow_on_each_link(bed, hawserd, host):
    daemon = hawserd()
    with peers.listen(bed.server, host, mptcp=True) as listening:
        client = daemon.dial(host, peers.port_of(listening))
        with peers.accept(listening) as server:
            client.sendall(b"up")
            assert read(server, 2) == b"up"
            server.sendall(b"down")
            assert read(client, 4) == b"down"
            session = until(daemon.session, lambda now: now["upstream_subflows"] == 2)
            assert session["upstream_transport"] == "mptcp"
            assert session["client_transport"] == "tcp"
            assert (session["bytes_up"], session["bytes_down"]) == (2, 4)
    assert daemon.status()["upstream"] == {"tcp": 0, "mptcp": 1, "fallback": 0}


@pytest.mark.mptcp
def test_client_that_speaks_it(bed, hawserd):
    daemon = hawserd()
    with peers.listen(bed.server, mptcp=True) as listening:
        client = daemon.dial(SERVER4, peers.port_of(listening), mptcp=True)
        with peers.accept(listening) as server:
            session = daemon.session()
            assert session["client_transport"] == "mptcp"
            assert session["client_subflows"] == 1
            exchange(client, server, MEGABYTE)
    assert daemon.status()["client"] == {"tcp": 0, "mptcp": 1, "fallback": 0}


@pytest.mark.mptcp
def test_destination_that_does_not_speak_it(bed, hawserd):
    daemon = hawserd()
    with peers.listen(bed.server) as listening:
        client = daemon.dial(SERVER4, peers.port_of(listening))
        with peers.accept(listening) as server:
            assert daemon.session()["upstream_transport"] == "fallback"
            exchange(client, server, MEGABYTE)
    assert daemon.status()["upstream"] == {"tcp": 0, "mptcp": 0, "fallback": 1}


@pytest.mark.mptcp
@pytest.mark.parametrize("where", ["SYN", "all"])
def test_path_that_strips_the_options(bed, hawserd, where):
    """Either from the first packet, or so that only the answers lose them."""
    daemon = hawserd()
    rule = STRIP if where == "all" else f"tcp flags syn {STRIP}"
    with bed.rules(rule), peers.listen(bed.server, mptcp=True) as listening:
        client = daemon.dial(SERVER4, peers.port_of(listening))
        with peers.accept(listening) as server:
            assert daemon.session()["upstream_transport"] == "fallback"
            exchange(client, server, MEGABYTE)


@pytest.mark.mptcp
def test_path_that_strips_the_options_after_the_handshake(bed, hawserd):
    """A middlebox that lets the SYN pass and not what follows: RFC 8684 section 3.7."""
    daemon = hawserd()
    with bed.rules(f"tcp flags & syn == 0 {STRIP}"), \
            peers.listen(bed.server, mptcp=True) as listening:
        client = daemon.dial(SERVER4, peers.port_of(listening))
        with peers.accept(listening) as server:
            exchange(client, server, MEGABYTE)


@pytest.mark.mptcp
def test_on_refuses_a_fallback(bed, hawserd):
    daemon = hawserd("--mptcp", "on")
    with peers.listen(bed.server) as listening, pytest.raises(Refused) as refused:
        daemon.dial(SERVER4, peers.port_of(listening))
    assert refused.value.code == 1
    daemon.await_error("not-mptcp")


@pytest.mark.mptcp
def test_on_refuses_a_stripped_path(bed, hawserd):
    daemon = hawserd("--mptcp", "on")
    with bed.rules(STRIP), peers.listen(bed.server, mptcp=True) as listening:
        with pytest.raises(Refused) as refused:
            daemon.dial(SERVER4, peers.port_of(listening))
        assert refused.value.code == 1


@pytest.mark.mptcp
def test_off_dials_plain_tcp_and_listens_to_both(bed, hawserd):
    daemon = hawserd("--mptcp", "off")
    with peers.listen(bed.server, mptcp=True) as listening:
        with daemon.dial(SERVER4, peers.port_of(listening), mptcp=True):
            session = daemon.session()
            assert (session["client_transport"], session["upstream_transport"]) == ("mptcp", "tcp")


def test_kernel_is_reported(bed, hawserd):
    status = hawserd().status()
    mptcp = next(entry for entry in status["kernel"] if entry["feature"] == "mptcp")
    assert mptcp["available"] == bed.mptcp
    assert bool(mptcp["reason"]) != bed.mptcp


def test_on_follows_the_kernel(bed, hawserd):
    """Where the kernel has none, "on" refuses every connection and says so at the start."""
    daemon = hawserd("--mptcp", "on")
    with peers.listen(bed.server, mptcp=bed.mptcp) as listening:
        if bed.mptcp:
            with daemon.dial(SERVER4, peers.port_of(listening)):
                assert daemon.session()["upstream_transport"] == "mptcp"
        else:
            with pytest.raises(Refused) as refused:
                daemon.dial(SERVER4, peers.port_of(listening))
            assert refused.value.code == 1
            assert "every connection will fail" in daemon.log()


def test_auto_follows_the_kernel(bed, hawserd):
    daemon = hawserd()
    with peers.listen(bed.server, mptcp=bed.mptcp) as listening:
        client = daemon.dial(SERVER4, peers.port_of(listening), bed.mptcp)
        with peers.accept(listening) as server:
            session = daemon.session()
            expected = "mptcp" if bed.mptcp else "tcp"
            assert session["client_transport"] == session["upstream_transport"] == expected
            exchange(client, server, MEGABYTE)
