# SPDX-License-Identifier: GPL-2.0-or-later
"""Where two TCPs do better than one, auto does not have packets forwarded: over legs of the emulator that are long,
or lose packets, in either direction."""

from __future__ import annotations

import contextlib

import pytest

import peers
from daemon import Hawserd
from flows import TCP_ONLY, chat, reasons, tiers
from forwarded import STAYING, packets_needed  # pylint: disable=unused-import
from handshakes import socks5
from pattern import MEGABYTE, Stream
from topology import SERVER4, far, near
from waiting import until

pytestmark = [pytest.mark.no_mptcp, pytest.mark.usefixtures("packets_needed")]

LOSSY, LONG = "packets: a leg loses packets", "packets: a leg is long"
# However long a turn takes: without that, long legs are left for it.
CHATTY = ("--tune", "chat-turns=8", "--tune", "chat-window-us=1000000")
SHORT = {"rate": 500, "delay": 0.2}
WIFI = {"rate": 100, "delay": 1, "loss": 2}
WAN = {"rate": 100, "delay": 25}


@pytest.fixture
def session(emulated_bed):
    """The two ends of a session whose client comes by one emulated leg, and whose server is at the end of the other."""
    with contextlib.ExitStack() as stack:
        def start(client_leg: dict[str, object], server_leg: dict[str, object]):
            bed = emulated_bed(a=server_leg, b=client_leg)
            daemon = Hawserd(bed, *TCP_ONLY, "--packets", *CHATTY, *STAYING, "--socks", f"{near('b')[0]}:1080",
                             "--allow", f"{far('b')[0]}/32", listen=False)
            stack.callback(daemon.finish)
            listening = stack.enter_context(peers.listen(bed.server))
            client = stack.enter_context(peers.connect(bed.server, near("b")[0], 1080, source=far("b")[0]))
            socks5(client, SERVER4, peers.port_of(listening))
            return daemon, client, stack.enter_context(peers.accept(listening))

        yield start


def test_short_legs(session):
    """An emulated leg whose process a busy machine stops for a moment is long, or loses packets; not each time."""
    def stays() -> set[str]:
        daemon, client, server = session(SHORT, SHORT)
        until(lambda: chat(client, server, 10) or tiers(daemon),
              lambda found: found == {"packets"} or reasons(daemon) <= {LOSSY, LONG})
        Stream(9).carry(server, client, MEGABYTE)
        chat(client, server, 20)
        return tiers(daemon)

    until(stays, lambda found: found == {"packets"}, 120)


@pytest.mark.parametrize(("client_leg", "server_leg"), [(WIFI, WAN), (SHORT, WAN), (WAN, SHORT), (WAN, WAN)],
                         ids=["wifi", "wired", "reversed", "both"])
def test_a_long_leg(session, client_leg, server_leg):
    """Never, whatever was lost so far."""
    daemon, client, server = session(client_leg, server_leg)
    until(lambda: chat(client, server, 2) or reasons(daemon), lambda found: found <= {LOSSY, LONG})
    Stream(9).carry(server, client, MEGABYTE)
    chat(client, server, 5)
    assert reasons(daemon) <= {LOSSY, LONG}
    assert daemon.status()["packets"] == {"taken": 0, "refused": 1}


def test_losses(session):
    """Of a short leg they may be seen before it is taken, or after that."""
    daemon, client, server = session(WIFI, SHORT)

    def use() -> set[str]:
        chat(client, server, 10)
        Stream(9).carry(server, client, MEGABYTE // 4)
        return reasons(daemon)

    until(use, lambda found: found == {LOSSY})
    for _ in range(5):
        use()
    assert reasons(daemon) == {LOSSY} and "packets" not in tiers(daemon)
    chat(client, server, 10)
    assert LOSSY in daemon.run_cli("flows").stdout


@pytest.mark.parametrize("lossy", ["client", "server"])
def test_losses_on_the_way_to_us(session, lossy):
    """We send nothing again; what comes out of turn tells."""
    # Of the emulator's two directions, that to the router.
    legs = {"client": SHORT, "server": SHORT, lossy: SHORT | {"loss_down": 2}}
    daemon, client, server = session(legs["client"], legs["server"])
    Stream(9).carry(*((client, server) if lossy == "client" else (server, client)), 2 * MEGABYTE)
    until(lambda: chat(client, server, 10) or reasons(daemon), lambda found: found == {LOSSY})
    assert daemon.status()["packets"] == {"taken": 0, "refused": 1}
