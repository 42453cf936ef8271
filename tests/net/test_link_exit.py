# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines that are dead behind a modem that answers, where there is an exit: requests notice nothing,
the link is at fault and the exit is not."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator

import pytest

import hop
import peers
from bed import Bed
from daemon import Hawserd
from dns import NameServer
from exit_net import PORTS, exits, hello, states
from links import LINK
from stalls import Stalls
from topology import LINKS, NOBODY4, SERVER4, SERVER6, far, near
from waiting import quickest, until

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
        # Longer than a busy machine keeps a process from running.
        config.write_text(f'upstream {{ exit-answer = 6 }}\nexit one {{ address = "{address}"  port = {PORT}  '
                          f'token-file = "{self.tokens}" }}\n{more}\n', "ascii")
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


def stalls_of(site: Site) -> Stalls:
    """Of all that a request goes through."""
    return Stalls(*site.daemons, links=site.bed.emulated.values())


def request_times(site: Site, router: Hawserd, port: int, limit_s: float, count: int = 12) -> int:
    """Requests, none of which takes as long as the limit, but for what a busy machine adds. How many they were."""
    times = []
    with stalls_of(site) as stalls:
        for _ in range(count):
            times.append(hello(router, port))
            time.sleep(0.1)
    assert max(times) < limit_s + stalls.allow_s(), (times, stalls.allow_s())
    return count


def is_left(bed: Bed, link: str) -> bool:
    """Whether nothing more is sent by it where another link works. Its endpoint may stay as a backup for a
    while: one of hawserd's own questions may stand there alone, closed, its end not acknowledged."""
    there = [each for each in bed.router.run("ip", "mptcp", "endpoint").splitlines()
             if near(link)[0] in each.split()]
    return all("backup" in each.split() for each in there)


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
        count = request_times(site, router, echo.port, 0.9)
        assert exits(router)["one"]["sessions"]["total"] == count
        until(lambda: state(router, link) == "no-answer")
        until(lambda: is_left(site.bed, link))
        assert states(router) == {"one": "up"}
        assert state(router, LINKS.replace(link, "")) == "up"
    until(lambda: state(router, link) == "up")


def test_a_backup_takes_over(site, echo):
    """Not at once, as a link that is far away is no reason to use it; but before anybody gives up."""
    site.exit()
    router = site.router("--link", "one=a", "--link", "two=b,backup")
    until(lambda: states(router) == {"one": "up"})
    count = request_times(site, router, echo.port, 0.7, 3)
    with site.dead("a"):
        count += request_times(site, router, echo.port, 2)
        assert exits(router)["one"]["sessions"]["total"] == count
        until(lambda: state(router, "a") == "no-answer")


def test_in_mid_transfer(site, echo):
    """A session that runs is on the other link soon."""
    site.exit()
    router = site.router(*LINK)
    until(lambda: states(router) == {"one": "up"})
    with router.dial(SERVER4, echo.port) as client:
        longest, began, dead = 0.0, time.monotonic(), contextlib.ExitStack()
        with dead, stalls_of(site) as stalls:
            while time.monotonic() - began < 6:
                asked = time.monotonic()
                client.sendall(bytes(1000))
                left = 1000
                while left:
                    left -= len(client.recv(left))
                longest = max(longest, time.monotonic() - asked)
                if time.monotonic() - began > 1 and not dead._exit_callbacks:
                    dead.enter_context(site.dead("a"))
            assert longest < 3 + stalls.allow_s(), (longest, stalls.allow_s())
            until(lambda: state(router, "a") == "no-answer")


def test_an_exit_that_nobody_reaches_is_no_links_fault(site):
    """Not each time; an emulated link whose process a busy machine stops for seconds is at fault."""
    exit_ = site.exit()
    router = site.router(*LINK, "--exit-probe", "1", "--exit-answer", "2.5")

    def silences() -> int:
        return sum(each["event"] == "no-answer" for each in router.ask("links")["events"])

    def blamed() -> int:
        """How often a link is, meanwhile."""
        before = silences()
        with site.dead("a"), site.dead("b"):
            until(lambda: states(router) == {"one": "down"})
            time.sleep(5)
        until(lambda: states(router) == {"one": "up"})
        time.sleep(2)
        return silences() - before

    until(lambda: states(router) == {"one": "up"})
    until(blamed, lambda count: count == 0, 90)
    assert exit_.status()


# Targets of one's own choice.

@pytest.mark.parametrize(("quorum", "expected"), [(1, "up"), (2, "no-answer")])
def test_a_quorum_of_targets(site, quorum, expected):
    """Of two that answered one does not any more; who has targets of his own asks no exit."""
    site.exit()
    router = site.router(address=SERVER4, more=f"""
        link wan-a {{ device = a  probe = {{ {far("a")[0]}, {SERVER4} }} probe-quorum = {quorum} }}
        link wan-b {{ device = b }}""")
    # Both have answered: of each the first answer is not counted.
    until(lambda: next(each["probes"]["replies"] for each in router.ask("links")["links"] if each["device"] == "a"),
          lambda replies: replies >= 3)
    with site.dead("a"):
        if expected == "up":
            time.sleep(5)
        until(lambda: state(router, "a") == expected)


def test_a_target_that_is_not_needed_keeps_no_dead_link(site):
    """The other link is up without it, and in no doubt."""
    site.exit()
    router = site.router(address=SERVER4, more=f"""
        link wan-a {{ device = a  probe = {far("a")[0]} }}
        link wan-b {{ device = b  probe = {{ {far("b")[0]}, {SERVER4} }} }}""")

    def probes(link: str) -> dict:
        return next(each["probes"] for each in router.ask("links")["links"] if each["device"] == link)

    def unanswered(link: str) -> int:
        return probes(link)["requests"] - probes(link)["replies"]

    def missed_until_found_out() -> int:
        until(lambda: state(router, "a") == "up")
        before = unanswered("a")
        with site.bed.rules('iifname "a" icmp type echo-request drop'):
            until(lambda: state(router, "a") == "no-answer")
            return unanswered("a") - before

    until(lambda: probes("b")["replies"] >= 3 and probes("a")["replies"] > 0)
    with site.dead("b"):
        until(lambda: unanswered("b") >= 6)
        # The third tells, and another is sent then; two a second follow.
        assert quickest(missed_until_found_out, 6, 3) < 6


# Exits that have a name, and the way to the name server is dead.

@pytest.fixture
def names(site):
    """A name server that links lead to, and that the router asks."""
    with NameServer(site.bed.server, (SERVER4, 53)) as server:
        (site.bed.scratch / "resolv.conf").write_text(f"nameserver {SERVER4}\n", "ascii")
        server.records["exit.test"] = [SERVER4]
        yield server


def named(site, **settings) -> Hawserd:
    return site.router(*LINK, address="exit.test", **settings)


def direct(router: Hawserd, requests: int) -> int:
    return requests - exits(router)["one"]["sessions"]["total"]


def test_the_name_servers_way_dies(site, names, echo):
    """Link a is the kernel's way to anywhere."""
    site.exit()
    router = named(site)
    until(lambda: states(router) == {"one": "up"})
    with site.dead("a"):
        assert direct(router, request_times(site, router, echo.port, 0.9)) == 0
        assert states(router) == {"one": "up"}


def test_a_start_while_the_name_servers_way_is_dead(site, names, echo):
    """Nothing is known of the exit, but another link leads to the name server."""
    site.exit()
    with site.dead("a"):
        router = named(site)
        until(lambda: states(router) == {"one": "up"})
        assert direct(router, request_times(site, router, echo.port, 0.9)) == 0


@pytest.mark.parametrize("server", [SERVER4, SERVER6])
def test_a_name_server_with_a_zone_before_it(site, names, echo, server):
    """Nobody answers there; the other one is asked from the address of each link all the same, and one leads to it."""
    (site.bed.scratch / "resolv.conf").write_text(f"nameserver fe80::53%a\nnameserver {server}\n", "ascii")
    site.exit()
    with contextlib.ExitStack() as stack:
        if server == SERVER6:
            also = stack.enter_context(NameServer(site.bed.server, (SERVER6, 53)))
            also.records.update(names.records)
        stack.enter_context(site.dead("a"))
        router = named(site)
        until(lambda: states(router) == {"one": "up"})
        hello(router, echo.port)
        assert direct(router, 1) == 0


@pytest.mark.parametrize("trouble", ["silent", "failing", "forgotten"])
def test_a_start_without_a_name_server(site, names, echo, trouble):
    """What it knew survives; the name server says nothing, that it cannot, or that there is no such
    name."""
    site.exit()
    first = named(site)
    until(lambda: states(first) == {"one": "up"})
    site.daemons.remove(first)
    first.finish()
    if trouble == "forgotten":
        names.records.clear()
    else:
        getattr(names, trouble).add("exit.test")
    router = named(site)
    until(lambda: states(router) == {"one": "up"})
    assert direct(router, request_times(site, router, echo.port, 0.9)) == 0


def test_a_name_that_leads_elsewhere_now(site, names, echo):
    """What was known is no longer true: the name is, once it is answered."""
    site.exit()
    first = named(site)
    until(lambda: states(first) == {"one": "up"})
    site.daemons.remove(first)
    first.finish()
    file = site.directory / "state" / "exits.json"
    saved = json.loads(file.read_text("ascii"))
    assert saved["exits"]["one"]["addresses"] == [SERVER4]
    saved["exits"]["one"]["addresses"] = [NOBODY4]
    file.write_text(json.dumps(saved), "ascii")
    router = named(site)
    until(lambda: states(router) == {"one": "up"})
    for _ in range(4):
        hello(router, echo.port)
    assert direct(router, 4) == 0


def test_a_late_name_with_several_addresses(site, names):
    """What was known is tried before the name is answered, then each of the others."""
    site.exit()
    names.records["exit.test"] = [NOBODY4, SERVER4]
    names.delays_s["exit.test", "A"] = 0.5
    (site.directory / "state").mkdir()
    for _ in range(5):  # with an order by lot
        (site.directory / "state" / "exits.json").write_text(json.dumps({"exits": {"one": {
            "at": f"exit.test:{PORT}", "addresses": [NOBODY4]}}}), "ascii")
        router = named(site)
        assert until(lambda: states(router)["one"], lambda state: state != "untried") == "up"
        site.daemons.remove(router)
        router.finish()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"exits": 7}', '{"exits": {"one": [7]}}',
                                  '{"exits": {"one": {"at": "exit.test:1081", "addresses": [7]}}}'])
def test_a_file_of_nonsense(site, names, text):
    (site.directory / "state").mkdir()
    (site.directory / "state" / "exits.json").write_text(text, "ascii")
    site.exit()
    router = named(site)
    until(lambda: states(router) == {"one": "up"})
