# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of a connection that was taken when interception goes down, or that is just being taken."""

from __future__ import annotations

import contextlib
import random
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

import lacking
import peers
from lan import LISTEN, METHODS, Interceptor, Lan
from lan_fixtures import interceptor, lan, serve  # pylint: disable=unused-import
from repeated import Repeated
from topology import CLIENT4, SERVER4
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


@pytest.fixture(scope="module")
def far_clients(build, tmp_path_factory) -> Iterator[Lan]:
    """Whose LAN is the link a: the handshake of a client there, on the host of the servers, takes 40 ms."""
    with Lan(build, tmp_path_factory.mktemp("lan"), emulated={"a": {"delay": 20}}, rate_b=1000, rate_lan=2000) as made:
        made.use("b")
        yield made


def greet(listening: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            with listening.accept()[0] as accepted:
                accepted.sendall(b"welcome")


@pytest.mark.parametrize("method", METHODS)
def test_a_stop_resets_none_that_is_being_opened(far_clients, method):
    """What was sent to hawserd before rules were told that it ends is still accepted."""
    listening = peers.listen(far_clients.client, CLIENT4)
    listening.settimeout(None)
    threading.Thread(target=greet, args=(listening,), daemon=True).start()
    outcomes: Counter[str] = Counter()

    def once() -> None:
        time.sleep(random.random() / 20)  # not all at once
        try:
            with peers.connect(far_clients.server, CLIENT4, peers.port_of(listening)) as client:
                outcome = "served" if client.recv(10) == b"welcome" else "cut"
        except ConnectionResetError:
            outcome = "reset"
        outcomes[outcome] += 1

    def serve_more(count: int) -> None:
        wanted = outcomes["served"] + count
        until(lambda: outcomes["served"] >= wanted)

    with Repeated(*16 * [once], pause_s=0) as opening:
        for _ in range(3):
            daemon = Interceptor(far_clients, method, "--connect-first=no")
            far_clients.hawser("--lan", "a", "--method", method, "intercept", "up", control=daemon.control)
            until(lambda: daemon.status()["sessions"]["total"] > 20)  # pylint: disable=cell-var-from-loop
            daemon.signal(signal.SIGTERM)
            assert daemon.wait() == 0
            serve_more(20)
            far_clients.hawser("intercept", "down")
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    assert not opening.failed, opening.failed
    # Each stop reset up to ten by tproxy. One that a busy machine keeps waiting for 0.2 s may be.
    assert outcomes["reset"] < 4 and not outcomes["cut"], outcomes
