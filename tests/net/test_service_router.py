# SPDX-License-Identifier: GPL-2.0-or-later
"""The LAN's connections while one hawserd takes the place of another, or is reloaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

import peers
from lan import METHODS, asks, seen_by_server
from peers import Server
from repeated import Repeated
from service import goes_on, manage, run_cli  # pylint: disable=unused-import
from topology import CLIENT4, LAN4, LAN_PREFIX4, SERVER4, near
from waiting import until

pytestmark = pytest.mark.mptcp


@pytest.fixture
def ask_server(bed, serve) -> Iterator:
    """Whom the server sees when a client of the LAN connects to it, which the router would forward by itself."""
    server = serve(seen_by_server)
    with bed.router.setting("ipv4/ip_forward", 1):
        bed.client.run("ip", "route", "add", "default", "via", LAN4)
        bed.server.run("ip", "route", "add", LAN_PREFIX4, "via", near("a")[0])
        try:
            yield lambda: asks(bed, SERVER4, server.port)
        finally:
            bed.client.run("ip", "route", "del", "default")
            bed.server.run("ip", "route", "del", LAN_PREFIX4)


@pytest.mark.parametrize("method", METHODS)
def test_the_lan_is_not_routed_meanwhile(bed, manage, ask_server, tmp_path, method):
    """By an upgrade, a reload that changes the rules, and one that does not."""
    file = tmp_path / "conf"
    listener = "0.0.0.0:1090" if method == "redirect" else "127.0.0.1:1090"

    def write(port: int) -> None:
        file.write_text(f'intercept {{ up = yes  method = {method}  lan = {{ "lan" }}  bypass-port = {{ {port} }} }}\n'
                        f'listen "t" {{ address = "{listener}"  transparent = on }}\n', "ascii")

    write(9)
    manager = manage("-c", str(file), "--keeper")
    manager.start()
    until(ask_server, lambda seen: seen != CLIENT4)
    seen: Counter[str] = Counter()
    with Repeated(lambda: seen.update([ask_server()]), pause_s=0.01) as asking:
        for change in "upgrade", "upgrade", "reload", "rules", "reload", "rules":
            if change == "rules":
                write(9 + asking.made)
            done = run_cli(manager, "upgrade" if change == "upgrade" else "reload")
            assert done.returncode == 0, (done.stderr, manager.log()[-3000:])
            made = asking.made
            until(lambda: asking.made >= made + 20)  # pylint: disable=cell-var-from-loop
            assert CLIENT4 not in seen, (change, seen)
    assert not asking.failed, asking.failed


@pytest.mark.parametrize("change", ["upgrade", "reload"])
def test_held_first_packets_are_let_in(emulated_bed, manage, tmp_path, change):
    """At the end of the holding, by a hand-over or by a setting: the client need not send them again."""
    file = tmp_path / "conf"
    text = ('intercept {{ up = yes  lan = {{ "lan" }}  connect-first = {} }}\n'
            'listen "t" {{ address = "127.0.0.1:1090"  transparent = on }}\n')
    file.write_text(text.format("yes"), "ascii")
    away = emulated_bed(a={"delay": 100})
    away.client.run("ip", "route", "add", "default", "via", LAN4)
    server = Server(away.server, peers.echo)
    manager = manage("-c", str(file), "--keeper", on=away)
    manager.start()

    def holds() -> bool:
        return "elements" in away.router.run("nft", "list", "set", "inet", "hawser", "holding")

    def once() -> None:
        with peers.connect(away.client, SERVER4, server.port) as client:
            goes_on(client)

    until(holds)
    again = away.syns_again(away.client)
    with Repeated(*8 * [once], pause_s=0.01) as opening:
        for _ in range(2):
            until(holds)
            made = opening.made
            until(lambda: opening.made >= made + 16)  # pylint: disable=cell-var-from-loop
            if change == "reload":
                file.write_text(text.format("no"), "ascii")
            done = run_cli(manager, change)
            assert done.returncode == 0, done.stderr
            made = opening.made
            until(lambda: opening.made >= made + 16)  # pylint: disable=cell-var-from-loop
            if change == "reload":
                file.write_text(text.format("yes"), "ascii")
                assert run_cli(manager, "reload").returncode == 0
    assert not opening.failed, opening.failed
    # Else all 8 do, each time. One that a busy machine keeps waiting for a second may.
    assert away.syns_again(away.client) - again < 8
    server.close()
