# SPDX-License-Identifier: GPL-2.0-or-later
"""Metered links join only when needed, and a quota is the end of a link's use."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
from pathlib import Path

import pytest

import peers
from bed import Bed
from daemon import Hawserd
from downloads import download
from handshakes import NO_PASSWORD, read, read_socks5_reply, socks5_request
from links import bare  # pylint: disable=unused-import
from namespace import Unavailable
from patience import PATIENCE
from pattern import MEGABYTE, Stream
from topology import SERVER4, near
from waiting import until

RATE = 20  # Mbit/s of each link
NETWORK_UNREACHABLE = 3
OUR_LINK = f'link dsl {{ device = a  rate-down = {RATE}M  rate-up = {RATE}M }}\n'
# What a link may carry that is not in use, far less than its share: neighbours looking for each other, and probes.
NEXT_TO_NOTHING = 100_000


@pytest.fixture
def conf(tmp_path) -> Path:
    return tmp_path / "hawser.conf"


@pytest.fixture
def start(bare, conf, tmp_path):
    started: list[Hawserd] = []
    if bare.mptcp:
        # Between two links a session may have no subflow until a SYN is repeated.
        for host in bare.router, bare.server:
            with contextlib.suppress(Unavailable):  # before 6.6: always 60
                host.sysctl("mptcp/close_timeout", 60)

    def run(text: str) -> Hawserd:
        # Two downloads without MPTCP are one on each link.
        conf.write_text(f"upstream {{ sticky = no }}\n{text}", "ascii")
        started.append(Hawserd(bare, "-c", str(conf), "--workers", "1",
                               "--state-dir", str(tmp_path / "state")))
        return started[-1]

    yield run
    for daemon in started:
        daemon.finish()


def link(daemon: Hawserd, name: str = "lte") -> dict:
    return next(each for each in daemon.ask("links")["links"] if each["name"] == name)


def await_state(daemon: Hawserd, expected: str) -> None:
    until(lambda: link(daemon)["state"], lambda state: state == expected)


def doctor(daemon: Hawserd) -> dict[str, str]:
    """What it says of the metered link: check to verdict."""
    process = daemon.bed.router.start(
        [str(daemon.bed.build / "hawser"), "--control", daemon.control, "--json", "doctor"],
        daemon.bed.mounts, stdout=subprocess.PIPE)
    checks = json.loads(process.communicate(timeout=120 * PATIENCE)[0])["checks"]
    return {check["check"]: check["verdict"] for check in checks if check["name"] == "lte"}


def carried(bare: Bed) -> int:
    return sum(bare.link_bytes("b"))


def test_joins_when_the_others_are_gone(bare, start):
    """In the middle of a transfer, and leaves it again, without a byte lost."""
    daemon = start(OUR_LINK + "link lte { device = b  role = metered }\n")
    await_state(daemon, "standby")
    before = carried(bare)
    stream, total = Stream(3), 12 * MEGABYTE
    with peers.listen(bare.server, mptcp=bare.mptcp) as listening, \
            daemon.dial(SERVER4, peers.port_of(listening)) as client, \
            peers.accept(listening) as server:
        stream.carry(server, client, MEGABYTE)
        assert carried(bare) - before < NEXT_TO_NOTHING
        if bare.mptcp:
            assert near("b")[0] not in bare.endpoints()
        bare.server.run("ip", "link", "set", "dev", "a", "down")
        await_state(daemon, "up")
        if bare.mptcp:
            stream.carry(server, client, total, MEGABYTE)
            assert carried(bare) - before > total // 2
            assert near("b")[0] in bare.endpoints()
        bare.server.run("ip", "link", "set", "dev", "a", "up")
        bare.server.run("ip", "-6", "address", "replace", "fd77:1::2/64", "dev", "a", "nodad")
        await_state(daemon, "standby")
        if bare.mptcp:
            # It stays while the join of the other has failed and is to be offered again.
            until(lambda: near("b")[0] not in bare.endpoints())
            until(lambda: daemon.session()["upstream_subflows"] == 1)
            before = carried(bare)
            stream.carry(server, client, total + MEGABYTE, total)
            assert carried(bare) - before < MEGABYTE // 4


def test_joins_when_the_others_are_full(bare, start):
    daemon = start(OUR_LINK + "link lte { device = b  role = metered }\n")
    await_state(daemon, "standby")
    found = doctor(daemon)
    assert found["use"] == "ok" and "endpoint" not in found
    with download(daemon):
        await_state(daemon, "up")
        if bare.mptcp:
            before = carried(bare)
            until(lambda: carried(bare) > before + 2 * MEGABYTE)
    await_state(daemon, "standby")


def dials(daemon: Hawserd, port: int) -> int:
    """The answer of SOCKS."""
    with daemon.connect() as client:
        client.sendall(NO_PASSWORD + socks5_request(SERVER4, port))
        assert read(client, 2) == b"\x05\x00"
        return read_socks5_reply(client)


def test_quota(bare, start, conf, tmp_path):
    """Used up in the middle of a transfer that goes on by another link, and for no connection
    after it, also where there is no other link; a restart makes no difference."""
    text = "link lte { device = b  quota = 4M  reset-day = 15 }\n"
    daemon = start(OUR_LINK + text)
    with download(daemon) as came, \
            contextlib.nullcontext() if bare.mptcp else download(daemon):
        await_state(daemon, "quota")
        until(lambda: near("b")[0] not in bare.endpoints() if bare.mptcp else True)
        if bare.mptcp:
            until(lambda: daemon.session()["upstream_subflows"] == 1)
            came_before, before = came[0], carried(bare)
            until(lambda: came[0] > came_before + 3 * MEGABYTE)
            assert carried(bare) - before < MEGABYTE // 2
    until(daemon.active, lambda count: count == 0)
    quota = link(daemon)["quota"]
    assert quota["bytes"] == 4_000_000 <= quota["used"]
    assert quota["since"].endswith("-15") and quota["until"].endswith("-15")
    assert f"of its quota of 4.0 MB; the count starts anew on {quota['until']}\n" in \
        daemon.run_cli("links").stdout
    daemon.finish()
    assert json.loads((tmp_path / "state" / "links.json").read_text())["links"]["lte"]["bytes"] \
        >= quota["used"]

    daemon = start(OUR_LINK + text)
    await_state(daemon, "quota")
    assert doctor(daemon)["use"] == "warn"
    with peers.listen(bare.server) as listening:
        port = peers.port_of(listening)
        for _ in range(3):
            with daemon.dial(SERVER4, port), peers.accept(listening) as server:
                assert server.getpeername()[0] == near("a")[0]
        bare.server.run("ip", "link", "set", "dev", "a", "down")
        until(lambda: link(daemon, "dsl")["state"] == "no-carrier")
        # As its DHCP client does: now the kernel would go out by the other link.
        bare.router.run("ip", "route", "del", "default", "dev", "a")
        assert dials(daemon, port) == NETWORK_UNREACHABLE
        conf.write_text(OUR_LINK + text.replace("4M", "40M"), "ascii")
        daemon.signal(signal.SIGHUP)
        await_state(daemon, "up")
        assert dials(daemon, port) == 0


def test_state_that_cannot_be_kept(bare, start, tmp_path):
    """Is said, and hurts nobody."""
    (tmp_path / "state").write_text("not a directory", "ascii")
    daemon = start("link lte { device = b  quota = 4M }\n")
    until(lambda: "a restart will forget what links have used" in daemon.log())
    assert link(daemon)["quota"]["bytes"] == 4_000_000
    assert daemon.answers()
