# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines that are dead behind a modem that answers, where there is an exit: requests notice nothing,
the link is at fault and the exit is not."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import pytest

import hop
import peers
from bed import Bed
from daemon import Hawserd
from exit_net import PORTS, exits, hello, states
from links import LINK
from topology import LINKS, SERVER4, SERVER6, far, near
from waiting import until

pytestmark = pytest.mark.mptcp

PORT = PORTS["one"]


class Site:
    """A router with two emulated links, and an exit beyond them."""

    def __init__(self, bed: Bed, directory) -> None:
        self.bed, self.directory = bed, directory
        self.token = hop.Token("home")
        self.tokens = hop.write_tokens(directory / "tokens", self.token.line())
        self.daemons: list[Hawserd] = []
        bed.router.run("ip", "mptcp", "endpoint", "flush")
        for number, link in enumerate(LINKS, 1):
            for gateway in far(link):
                bed.router.run("ip", "route", "add", "default", "via", gateway, "dev", link,
                               "metric", str(1000 + number))

    def exit(self) -> Hawserd:
        self.daemons.append(Hawserd(
            self.bed, "--serve-exit", f"{SERVER4}:{PORT}", "--serve-exit", f"[{SERVER6}]:{PORT}",
            "--tokens", str(self.tokens), "--exit-name", "one", "--exit-allow", "10.77.9.0/24",
            "--exit-allow", "fd77:9::/64", listen=False, namespace=self.bed.server))
        return self.daemons[-1]

    def router(self, *options: str, address: str = SERVER4, more: str = "") -> Hawserd:
        config = self.directory / "router.conf"
        config.write_text(f'exit one {{ address = "{address}"  port = {PORT}  token-file = '
                          f'"{self.tokens}" }}\n{more}\n', "ascii")
        self.daemons.append(Hawserd(self.bed, "-c", str(config), "--state-dir",
                                    str(self.directory / "state"), *options))
        return self.daemons[-1]

    @contextlib.contextmanager
    def dead(self, link: str) -> Iterator[None]:
        """The line beyond the modem: its own addresses go on answering."""
        with self.bed.rules(f'iifname "{link}" ip daddr {SERVER4} drop; '
                            f'iifname "{link}" ip6 daddr {SERVER6} drop'):
            yield


@pytest.fixture
def site(emulated_bed, tmp_path):
    made = Site(emulated_bed(a={"rate": 50, "delay": 10}, b={"rate": 50, "delay": 20}), tmp_path)
    yield made
    for daemon in reversed(made.daemons):
        daemon.finish()


@pytest.fixture
def echo(site):
    server = peers.Server(site.bed.server, peers.echo, mptcp=True)
    yield server
    server.close()


def state(daemon: Hawserd, link: str) -> str:
    return next(each["state"] for each in daemon.ask("links")["links"] if each["device"] == link)


def request_times(router: Hawserd, port: int, count: int = 12) -> list[float]:
    times = []
    for _ in range(count):
        times.append(hello(router, port))
        time.sleep(0.1)
    return times


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("when", ["before-the-start", "while-idle"])
def test_no_request_notices(site, echo, link, when):
    """Whichever link, the first included: none waits for a second, none goes directly, the exit
    stays up, and the link is found out."""
    site.exit()
    with contextlib.ExitStack() as leave:
        if when == "before-the-start":
            leave.enter_context(site.dead(link))
        router = site.router(*LINK)
        until(lambda: states(router) == {"one": "up"})
        if when != "before-the-start":
            leave.enter_context(site.dead(link))
        times = request_times(router, echo.port)
        assert max(times) < 1, times
        assert exits(router)["one"]["sessions"]["total"] == len(times)
        until(lambda: state(router, link) == "no-answer", seconds=20)
        assert near(link)[0] not in site.bed.router.run("ip", "mptcp", "endpoint")
        assert states(router) == {"one": "up"}
        assert state(router, LINKS.replace(link, "")) == "up"
    until(lambda: state(router, link) == "up", seconds=20)


def test_in_mid_transfer(site, echo):
    """A session that runs is on the other link soon."""
    site.exit()
    router = site.router(*LINK)
    until(lambda: states(router) == {"one": "up"})
    with router.dial(SERVER4, echo.port) as client:
        client.settimeout(20)
        longest, began, dead = 0.0, time.monotonic(), contextlib.ExitStack()
        with dead:
            while time.monotonic() - began < 6:
                asked = time.monotonic()
                client.sendall(bytes(1000))
                left = 1000
                while left:
                    left -= len(client.recv(left))
                longest = max(longest, time.monotonic() - asked)
                if time.monotonic() - began > 1 and not dead._exit_callbacks:
                    dead.enter_context(site.dead("a"))
            assert longest < 3, longest
            until(lambda: state(router, "a") == "no-answer")


def test_an_exit_that_nobody_reaches_is_no_links_fault(site):
    exit_ = site.exit()
    router = site.router(*LINK, "--exit-probe", "1")
    until(lambda: states(router) == {"one": "up"})
    with site.dead("a"), site.dead("b"):
        until(lambda: states(router) == {"one": "down"}, seconds=20)
        time.sleep(5)
        assert [state(router, link) for link in LINKS] == ["up", "up"]
    until(lambda: states(router) == {"one": "up"}, seconds=20)
    time.sleep(2)
    assert "no-answer" not in {each["event"] for each in router.ask("links")["events"]}
    assert exit_.status()


# Targets of one's own choice.

@pytest.mark.parametrize(("quorum", "expected"), [(1, "up"), (2, "no-answer")])
def test_a_quorum_of_targets(site, quorum, expected):
    """Of two that answered one does not any more; who has targets of his own asks no exit."""
    site.exit()
    router = site.router(address=SERVER4, more=f"""
        link wan-a {{ device = a  probe = {{ {far("a")[0]}, {SERVER4} }} probe-quorum = {quorum} }}
        link wan-b {{ device = b }}""")
    time.sleep(1.5)
    with site.dead("a"):
        if expected == "up":
            time.sleep(5)
        until(lambda: state(router, "a") == expected)
