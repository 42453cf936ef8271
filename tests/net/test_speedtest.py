# SPDX-License-Identifier: GPL-2.0-or-later
"""hawser speedtest on a router with two emulated links: the figures are right, it yields, and what
goes wrong is said."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import time

import pytest

import handshakes
import hop
import peers
import speed
from daemon import ALLOW, LISTEN, Hawserd
from downloads import download
from handshakes import read
from links import LINK
from manager import Manager
from patience import PATIENCE
from speed import by_name
from terminal import Terminal
from test_link_exit import PORT, Site, stalls_of
from topology import LAN4, LINKS, SERVER4
from waiting import until

pytestmark = pytest.mark.mptcp

RATES = {"wan-a": (40, 10), "wan-b": (20, 8)}  # Mbit/s down and up
DELAYS = {"wan-a": 20, "wan-b": 50}  # there and back, in ms
SHORT = ("--seconds", "2")


@pytest.fixture
def site(emulated_bed, tmp_path):
    made = Site(emulated_bed(a={"rate": 40, "rate_up": 10, "delay": 10},
                             b={"rate": 20, "rate_up": 8, "delay": 25}), tmp_path)
    yield made
    for daemon in reversed(made.daemons):
        daemon.finish()


def allow(site: Site, limits: str) -> None:
    hop.write_tokens(site.tokens, site.token.line(limits))


def follow(router, doing: str) -> dict:
    """Until a test does so."""
    return until(lambda: router.ask("speedtest"),
                 lambda seen: seen["running"] and doing in seen["doing"])


def last(router) -> dict:
    """The result, once no test runs any more."""
    return until(lambda: router.ask("speedtest"), lambda seen: not seen["running"])["last"]


def rates_of(row: dict) -> tuple[float, float]:
    return tuple(row[direction].get("bits_per_s", 0) / 1e6 for direction in ("download", "upload"))


def is_close(row: dict, rates: tuple[int, int]) -> bool:
    """As the link is, but for what a busy machine takes of it; and a queue that fills."""
    return (all(0.6 * most < rate for rate, most in zip(rates_of(row), rates))
            and all(row[direction]["latency"]["median_ms"] > row["latency"]["median_ms"] + 2
                    for direction in ("download", "upload") if row[direction]["latency"])
            and row["latency"]["median_ms"] < 10 * DELAYS.get(row["name"], max(DELAYS.values())))


def is_more_than_each(rows: dict[str, dict]) -> bool:
    """All together, whatever the machine has just then."""
    return all(together > 1.1 * max(alone) for together, *alone in
               zip(rates_of(rows["all"]), *(rates_of(rows[name]) for name in RATES)))


def test_figures(site):
    """Rates as the links have them, each alone and all together; latencies as well, and more with a
    full queue. A busy machine may take something of it, so a test may be made again; but never does
    a link carry more than it can, and what it was kept from carrying before."""
    site.exit()
    router = site.router(*LINK)
    sums = tuple(sum(rates) for rates in zip(*RATES.values()))
    expected = {**RATES, "all": sums}
    missing = set(expected)
    for _ in range(5):
        with stalls_of(site) as stalls:
            status, out, _ = speed.run(router, "--json", "--seconds", "3")
        told = router.ask("speedtest")["last"]
        assert told["exit"] == "one" and not told["stopped"]
        rows = by_name(told)
        assert list(rows) == list(expected) and all(row["together"] == (name == "all") for name, row in rows.items())
        # Where nothing has moved for a second it says so.
        well = {name: row for name, row in rows.items() if not row["said"]}
        for name, row in well.items():
            assert all(rate < (1.15 + stalls.allow_s() / 3) * most for rate, most in zip(rates_of(row), expected[name]))
            assert DELAYS.get(name, 0) <= row["latency"]["median_ms"] <= row["latency"]["p95_ms"]
        assert status or (json.loads(out) == told and well == rows)
        missing -= {name for name, row in well.items() if is_close(row, expected[name])
                    and (name != "all" or (well == rows and is_more_than_each(rows)))}
        if not status and not missing:
            break
    assert not status and not missing, (missing, told)
    status, out, _ = speed.run(router, "--last")
    assert status == 0 and [line.split()[0] for line in out.splitlines()] == [
        "LINK", *rows, "exit"]


def test_yields(site):
    """A download beside it keeps most of its rate: two flows more would leave it a third. Not each time, as the download
    itself may rest on a busy machine."""
    site.exit()
    router = site.router("--link", "wan-a=a")
    with download(router) as came:

        def rate(seconds: float, what=time.sleep) -> float:
            before, began = came[0], time.monotonic()
            what(seconds)
            return (came[0] - before) / (time.monotonic() - began)

        def seen() -> tuple[float, float, dict | None]:
            alone = rate(3)
            beside = rate(0, lambda _: speed.run(router, *SHORT))
            row, = router.ask("speedtest")["last"]["links"]
            return alone, beside, row["download"]

        def yields(figures: tuple[float, float, dict | None]) -> bool:
            alone, beside, told = figures
            # As much as the download had.
            return beside > 0.5 * alone and told and told.get("yielded") and told["others_bits_per_s"] > 0.3 * 8 * alone

        until(lambda: came[0] > 5e6)
        _, _, told = until(seen, yields)
        assert "bits_per_s" not in told


def test_limit_of_the_day(site):
    """The exit stops it in the middle, and says which limit, and when it ends."""
    allow(site, "speedtest=1M")
    exit_ = site.exit()
    router = site.router(*LINK)
    for _ in range(2):
        status, out, err = speed.run(router, *SHORT, "wan-a")
        assert status == 1 and out.startswith("LINK")
        assert "token home has used up the 0.001 GB a day" in err and "ends in 2" in err
    allow(site, "speedtest=0")
    assert exit_.run_cli("reload").returncode == 0
    status, _, err = speed.run(router, *SHORT, "wan-a")
    assert status == 1 and "may have no speed tests" in err


def test_ctrl_c_and_kill(site):
    """It is over at once; and soon where nobody says so."""
    exit_ = site.exit()
    router = site.router(*LINK)
    with speed.start(router, "wan-a", "--seconds", "20") as asking:
        follow(router, "download")
        assert "under way" in speed.run(router, "wan-b")[2]
        began = time.monotonic()
        asking.send_signal(signal.SIGINT)
        _, err = asking.communicate(timeout=20 * PATIENCE)
        assert asking.returncode == 1 and "stopped: by request" in err
        assert time.monotonic() - began < 20 * PATIENCE  # half of what is left
    assert last(router)["stopped"]
    until(exit_.active, lambda active: active == 0)
    with speed.start(router, "wan-a", "--seconds", "20") as asking:
        follow(router, "download")
        asking.kill()
    assert last(router)["said"] == "stopped: who asked for it has gone"


def test_bar(site):
    """On a terminal; and a reload in the middle does no harm."""
    site.exit()
    router = site.router(*LINK)

    def shows_it() -> bool:
        """All of it, unless a busy machine lets nothing move for so long that it says so."""
        with Terminal([str(router.bed.build / "hawser"), "--control", router.control, "speedtest",
                       *SHORT, "wan-a"]) as terminal:
            # What it has shown, as this look may come too late.
            terminal.until(lambda _: re.search(rb"% [^\n]*download", terminal.output))
            assert router.run_cli("reload").returncode == 0
            status = terminal.wait()
            screen = terminal.screen()
            if status:
                assert any("nothing moves" in line for line in screen), screen
                return False
            assert b"upload" in terminal.output
            assert screen[0].split()[0] == "LINK" and screen[1].split()[0] == "wan-a"
            return True

    until(shows_it)


@pytest.mark.parametrize("end", ["exit dies", "link dies"])
def test_lost_in_the_middle(site, end):
    exit_ = site.exit()
    router = site.router(*LINK)
    with speed.start(router, "--seconds", "20", "wan-a") as asking:
        follow(router, "download")
        until(lambda: router.ask("speedtest")["bits_per_s"])
        if end == "exit dies":
            site.daemons.remove(exit_)
            exit_.signal(signal.SIGKILL)
            exit_.wait()
        else:
            site.bed.emulated["a"].set(loss=100)
        out, _ = asking.communicate(timeout=40 * PATIENCE)
    assert asking.returncode == 1
    if end == "exit dies":
        # On a busy machine its second connection may still be opening: "exit one: who answers there".
        assert "wan-a: exit one" in out
    else:
        assert "wan-a: download: nothing moves any more" in out
        # Nobody tells the exit, who notices it by itself.
        until(exit_.active, lambda active: active == 0)


def test_quota_ends_in_the_middle(site):
    """The link is filled no longer."""
    site.exit()
    router = site.router(more="link wan-a { device = a  quota = 4M }\n")
    began = time.monotonic()
    status, _, err = speed.run(router, "wan-a", "--seconds", "20")
    assert status == 1 and "stopped: the quota of link wan-a is used up" in err
    assert time.monotonic() - began < 40  # both directions
    status, _, err = speed.run(router, "wan-a")
    assert status == 1 and "quota" in err


@pytest.fixture
def manager(site):
    """A router that can be upgraded, and an exit."""
    site.exit()
    config = site.directory / "router.conf"
    config.write_text(f'exit one {{ address = "{SERVER4}"  port = {PORT}  token-file = '
                      f'"{site.tokens}" }}\n', "ascii")
    directory = site.directory / "manager"
    directory.mkdir()
    made = Manager(site.bed, site.bed.router, directory, "-c", str(config), *LISTEN, *ALLOW, *LINK,
                   "--log-level", "debug", "--keeper")
    made.start()
    yield made
    made.close()
    until(lambda: manager_ask(made, "status") == {})


def manager_ask(manager: Manager, command: str, **more: object) -> dict:
    with contextlib.suppress(OSError, ValueError):
        return Hawserd.ask(manager, command, **more)
    return {}


def test_upgrade_in_the_middle(site, manager):
    """The old hawserd, which has the links no longer, ends its test and goes on with its sessions."""
    server = peers.Server(site.bed.server, peers.echo, mptcp=True)
    with contextlib.closing(server), peers.connect(site.bed.client, LAN4, 1080, False) as client:
        client.settimeout(60)
        handshakes.socks5(client, SERVER4, server.port)
        old = manager_ask(manager, "status")["pid"]
        # Nobody has to renew it.
        assert manager_ask(manager, "speedtest-start", links=["wan-a"], seconds=20)["id"] == 1
        until(lambda: "download" in manager_ask(manager, "speedtest").get("doing", ""))
        with speed.command(manager, "upgrade") as upgrade:
            _, err = upgrade.communicate(timeout=100 * PATIENCE)
        assert upgrade.returncode == 0, (err, manager.log()[-3000:])
        assert manager_ask(manager, "status")["pid"] != old
        until(lambda: "speed test 1: stopped: hawserd stops" in manager.log())
        os.kill(old, 0)
        client.sendall(b"still here")
        assert read(client, 10) == b"still here"


def answering(site, serve):
    return peers.Server(site.bed.server, serve, mptcp=True, port=PORT)


def test_older_exit(site, request):
    """It takes the token and does not know the command; and what is no hawserd at all."""
    exit_ = hop.FakeExit(site.token)

    def serve(sock):
        _, _, asked = exit_.read_head(sock)
        code = 0 if asked[1] == hop.PROBE else 7
        sock.sendall(exit_.answer(hop.ACCEPTED) + bytes([5, code, 0, 1]) + bytes(6))

    server = answering(site, serve)
    request.addfinalizer(server.close)
    router = site.router(*LINK)
    status, _, err = speed.run(router)
    assert status == 1 and "exit one does not know of speed tests" in err
    server.close()

    def plain(sock):
        sock.recv(1000)
        sock.sendall(b"\x05\xff")

    server = answering(site, plain)
    request.addfinalizer(server.close)
    status, out, err = speed.run(router, "wan-a")
    assert status == 1 and "no hawserd with tokens" in out + err


def test_reports_without_end(site, request):
    """An exit whose sink says the same for ever is told from one that takes something."""

    def serve(sock):
        exit_ = hop.FakeExit(site.token)
        _, _, asked = exit_.read_head(sock)
        answer = exit_.answer(hop.ACCEPTED) + bytes([5, 0, 0, 4]) + bytes(16 + 2)
        if asked[1] == hop.PROBE:
            answer = exit_.answer(hop.ACCEPTED) + bytes([5, 0, 0, 1]) + bytes(6)
        sock.sendall(answer)
        while asked[1] == speed.COMMAND:
            if asked[4] == speed.ECHO:
                if not (data := sock.recv(4096)):
                    return
                sock.sendall(data)
            else:
                sock.sendall(bytes(65536))

    server = answering(site, serve)
    request.addfinalizer(server.close)
    router = site.router("--link", "wan-a=a")

    def said() -> str:
        status, out, err = speed.run(router, *SHORT)
        assert status == 1
        return out + err

    until(said, lambda text: "exit one: it reports what cannot be" in text)
    row, = router.ask("speedtest")["last"]["links"]
    assert row["download"]["bits_per_s"] > 1e5 and row["upload"] is None


def test_what_cannot_be(site, hawserd):
    """Wrong token, no exit, no such link, and what the command line does not take."""
    site.exit()
    hop.write_tokens(site.tokens, hop.Token("home").line())
    router = site.router(*LINK)
    status, _, err = speed.run(router, "wan-a")
    assert status == 1 and "exit one refuses token home" in err
    assert "expected wan-a, wan-b" in speed.run(router, "wan-c")[2]
    assert 'no exit "two"' in speed.run(router, "--exit", "two")[2]
    assert "from 2 to 20" in speed.run(router, "--seconds", "1")[2]
    assert "no exit is configured" in speed.run(hawserd())[2]
    for wrong in {"seconds": 1}, {"links": [1]}, {"exit": 2}, {"lease": -1}, {"links": "wan-a"}:
        assert next(iter(wrong)) + ": expected" in router.ask("speedtest-start", **wrong)["error"]
    assert json.loads(json.dumps(router.ask("speedtest-stop"))) == {"stopped": False}
    site.daemons.remove(router)
    router.finish()
    router = site.router(more="\n".join(f"link wan-{link} {{ device = {link}  role = off }}" for link in LINKS))
    for named, said in ((), 'each has role "off"'), (("wan-b",), "wan-b: off"):
        status, _, err = speed.run(router, *named)
        assert status == 1 and "no link can be measured" in err and said in err


def other_router(site: Site, port: int, token: hop.Token) -> Hawserd:
    """One more, which has no links."""
    hop.write_tokens(site.tokens, token.line())
    site.daemons.append(Hawserd(site.bed, "-c", str(site.directory / "router.conf"), "--socks",
                                f"127.0.0.1:{port}", listen=False))
    return site.daemons[-1]


def test_two_routers(site):
    """With the same token one waits for the other, with another one it does not."""
    token = hop.Token("other")
    hop.write_tokens(site.tokens, site.token.line(), token.line())
    site.exit()
    hop.write_tokens(site.tokens, site.token.line())
    first = site.router(*LINK)
    second, third = other_router(site, 1083, site.token), other_router(site, 1084, token)
    with speed.start(first, "wan-a", "--seconds", "20") as asking:
        follow(first, "download")
        status, _, err = speed.run(second)
        assert status == 1 and "another speed test of token home is under way" in err
        with speed.start(third) as beside:
            follow(third, "download")
            beside.send_signal(signal.SIGINT)
            beside.communicate(timeout=60 * PATIENCE)
        asking.send_signal(signal.SIGINT)
        asking.communicate(timeout=60 * PATIENCE)
