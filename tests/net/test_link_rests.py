# SPDX-License-Identifier: GPL-2.0-or-later
"""A link that hawserd takes out by its own will stays while a connection has nothing else, and a
join that failed is offered again."""

from __future__ import annotations

import contextlib
import signal

import pytest

import peers
from daemon import Hawserd
from links import bare  # pylint: disable=unused-import
from pattern import MEGABYTE, Stream
from topology import SERVER4, near
from waiting import until

pytestmark = pytest.mark.mptcp

BEGINS_ON_B = 'link a { device = a  role = backup }\nlink b { device = b  quota = 100M }\n'
# The kernel never tries that join again.
REFUSED = 'iifname "{}" tcp flags syn counter reject with tcp reset'
THEN = {
    "standby": "link a { device = a }\nlink b { device = b  role = metered }\n",
    "quota": "link a { device = a }\nlink b { device = b  quota = 1M }\n",
    "removed": "link a { device = a }\n",
}
JOINS_S = 90  # an endpoint is offered again after 2, 6 and 14 seconds


@pytest.fixture
def start(bare, tmp_path):
    started: list[Hawserd] = []
    conf = tmp_path / "hawser.conf"

    def run(text: str) -> Hawserd:
        conf.write_text(text, "ascii")
        started.append(Hawserd(bare, "-c", str(conf), "--workers", "1",
                               "--state-dir", str(tmp_path / "state")))
        return started[-1]

    yield run
    for daemon in started:
        daemon.finish()


@pytest.mark.parametrize("then", THEN.values(), ids=THEN)
def test_stays_until_all_have_joined_another(bare, start, tmp_path, then):
    daemon = start(BEGINS_ON_B)
    stream, sent = Stream(5), 0
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(peers.listen(bare.server, mptcp=True))
        with bare.rules(REFUSED.format("a")):
            client = stack.enter_context(daemon.dial(SERVER4, peers.port_of(listening)))
            server = stack.enter_context(peers.accept(listening))

            def move(count: int) -> None:
                nonlocal sent
                first, sent = sent, sent + count
                stream.carry(server, client, sent, first)

            assert server.getpeername()[0] == near("b")[0]
            move(MEGABYTE)
            (tmp_path / "hawser.conf").write_text(then, "ascii")
            daemon.signal(signal.SIGHUP)

            def stays() -> bool:
                move(MEGABYTE // 16)
                return f"{near('b')[0]} stays: connections without another" in daemon.log()

            until(stays)
            until(lambda: bare.endpoints()[near("b")[0]].get("backup") and near("b")[1] not in bare.endpoints())
            assert f"from {near('b')[0]} lookup" in bare.router.run("ip", "rule")
            before = [sum(bare.link_bytes(link)) for link in "ab"]
            move(MEGABYTE)
            on_a, on_b = (sum(bare.link_bytes(link)) - was for link, was in zip("ab", before))
            assert on_b > MEGABYTE and on_a < MEGABYTE // 4, (on_a, on_b)
        until(lambda: near("b")[0] not in bare.endpoints(), seconds=JOINS_S)
        if then == THEN["removed"]:
            until(lambda: f"from {near('b')[0]} lookup" not in bare.router.run("ip", "rule"))
            until(lambda: not bare.router.run("ip", "route", "show", "table", "28002"))
        until(lambda: daemon.session()["upstream_subflows"] == 1)
        before = sum(bare.link_bytes("b"))
        move(MEGABYTE)
        assert sum(bare.link_bytes("b")) - before < MEGABYTE // 4


def test_stays_for_who_cannot_join(bare, start, tmp_path):
    """A connection that fell back to TCP: the kernel ends it too when its endpoint goes."""
    daemon = start(BEGINS_ON_B)
    with peers.listen(bare.server) as listening:
        with daemon.dial(SERVER4, peers.port_of(listening)) as client, \
                peers.accept(listening) as server:
            assert server.getpeername()[0] == near("b")[0]
            (tmp_path / "hawser.conf").write_text(THEN["standby"], "ascii")
            daemon.signal(signal.SIGHUP)
            until(lambda: near("b")[1] not in bare.endpoints())
            until(lambda: "stays: connections without another subflow: 1\n" in daemon.log())
            stream = Stream(6)
            stream.carry(server, client, MEGABYTE)
        until(lambda: near("b")[0] not in bare.endpoints())


def test_offered_again(bare, start):
    daemon = start("link a { device = a }\nlink b { device = b  role = backup }\n")
    with peers.listen(bare.server, mptcp=True) as listening, contextlib.ExitStack() as stack:
        with bare.rules(REFUSED.format("b")):
            client = stack.enter_context(daemon.dial(SERVER4, peers.port_of(listening)))
            server = stack.enter_context(peers.accept(listening))
            stream = Stream(7)
            stream.carry(server, client, 9)
            until(lambda: "counter packets 0 " not in bare.server.run("nft", "list", "ruleset"))
            until(lambda: daemon.session()["upstream_subflows"] == 1)
        until(lambda: daemon.session()["upstream_subflows"], lambda count: count == 2, JOINS_S)
        until(lambda: "offered again: connections that have not joined: 1\n" in daemon.log())


def test_stranded_on_a_lost_link(bare, start):
    """The only subflow is on a link that swallows packets, while the other works and could not be
    joined: when the link comes back the connection goes on."""
    daemon = start(BEGINS_ON_B)
    stream = Stream(8)
    with peers.listen(bare.server, mptcp=True) as listening, bare.rules(REFUSED.format("a")), \
            daemon.dial(SERVER4, peers.port_of(listening)) as client, \
            peers.accept(listening) as server:
        stream.carry(server, client, 9)
        assert server.getpeername()[0] == near("b")[0]
        until(lambda: daemon.session()["upstream_subflows"] == 1)
        bare.cut("b")
        until(lambda: f"{near('b')[0]} stays: connections without another subflow: 1\n" in daemon.log())
        assert daemon.active() == 1
        bare.mend("b")
        stream.carry(server, client, MEGABYTE, 9)
    until(lambda: not bare.endpoints().get(near("b")[0], {"backup": True}).get("backup"))
