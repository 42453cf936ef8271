# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of a connection that was taken when interception goes down."""

from __future__ import annotations

import signal
import time

import pytest

import lacking
import peers
from lan import LISTEN, METHODS
from lan_fixtures import interceptor, lan, serve  # pylint: disable=unused-import
from topology import SERVER4
from waiting import until

NAT = """
    table inet foreign {
        chain c {
            type nat hook postrouting priority srcnat;
            oifname a masquerade;
        }
    }"""


@pytest.mark.parametrize("others", [False, True], ids=["no other NAT", "another NAT"])
@pytest.mark.parametrize("method", METHODS)
def test_down_under_a_connection(lan, interceptor, serve, method, others):
    """The kernel translates only while somebody has a rule for that; then what was redirected goes
    on. Everything else ends at once, and does not hang: the kernel drops what is to be forwarded
    and has a socket here."""
    server = serve(peers.echo)
    daemon = interceptor(method)
    if others:
        lan.router.run("nft", "-f", "-", text=NAT)
    try:
        daemon.up()
        with peers.connect(lan.client, SERVER4, server.port) as sock:
            sock.sendall(b"1")
            assert sock.recv(1) == b"1"
            daemon.relaying()
            until(lambda: daemon.status()["interception"]["wanted"])
            daemon.down()
            sock.settimeout(30)
            try:
                sock.sendall(b"2")
                goes_on = sock.recv(1) == b"2"
            except (ConnectionResetError, BrokenPipeError):
                goes_on = False
        assert goes_on == (method == "redirect" and others)
    finally:
        if others:
            lan.router.run("nft", "delete", "table", "inet", "foreign")


@pytest.mark.parametrize("method", ["tproxy", "bpf"])
def test_another_method_under_a_connection(lan, interceptor, serve, method):
    """A redirect does nothing for it."""
    server = serve(peers.echo)
    daemon = interceptor(method, listeners=LISTEN["redirect"])
    daemon.up()
    until(lambda: daemon.status()["interception"]["wanted"])
    with peers.connect(lan.client, SERVER4, server.port) as sock:
        sock.sendall(b"1")
        assert sock.recv(1) == b"1"
        lan.hawser("--lan", "lan", "--method", "redirect", "intercept", "up",
                   control=daemon.control)
        sock.settimeout(30)
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            while True:
                sock.sendall(b"2")
                sock.recv(1)
                time.sleep(0.1)


@pytest.mark.parametrize("method", METHODS)
def test_rules_go_before_the_wish(lan, interceptor, method):
    """hawserd ends what was taken when the wish is gone: what rules bring later would hang. Here the CLI ends at the
    moment when it deletes that."""
    before = lan.steering()
    daemon = interceptor(method)
    daemon.up()
    until(lambda: daemon.status()["interception"]["wanted"])
    daemon.freeze()
    try:
        with pytest.raises(RuntimeError):
            lan.router.run("nsenter", f"--mount={lan.mounts.path}", "--", *lacking.words("life to delete"),
                           str((lan.build / "hawser").resolve()), "intercept", "down")
        assert lan.steering() == before
    finally:
        daemon.signal(signal.SIGCONT)
    until(lambda: daemon.status()["interception"]["put_back"])
