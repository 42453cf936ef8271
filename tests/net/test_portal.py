# SPDX-License-Identifier: GPL-2.0-or-later
"""A link behind a captive portal: noticed, left alone but by who logs in, and used again then."""

from __future__ import annotations

import contextlib
import signal
import socket
import struct
import time

import pytest

import hop
import peers
from daemon import Hawserd
from dns import NameServer
from exit_net import PORTS, exits, hello, states
from handshakes import Refused
from lan_fixtures import interceptor, lan, serve  # pylint: disable=unused-import
from links import LINK, bare  # pylint: disable=unused-import
from portal import DOOR, NOBODY, PAGE, Portal, get
from stalls import Stalls
from test_on_event import await_events, events, program  # pylint: disable=unused-import
from topology import LINKS, SERVER4, far, near
from waiting import until

pytestmark = pytest.mark.mptcp

OTHER_CLIENT = "10.77.0.9"
ELSEWHERE = "198.51.100.200"  # nobody's
BYTES_OF_A_ROUND = 3000


def state(daemon: Hawserd, link: str) -> str:
    return next(each["state"] for each in daemon.ask("links")["links"] if each["device"] == link)


def told(daemon: Hawserd) -> set[str]:
    return {each["event"] for each in daemon.ask("links")["events"]}


class Site:
    """A router with two links, and an exit beyond them."""

    def __init__(self, bed, directory) -> None:
        self.bed, self.directory = bed, directory
        self.tokens = hop.write_tokens(directory / "tokens", hop.Token("home").line())
        self.daemons: list[Hawserd] = []

    def exit(self) -> None:
        self.daemons.append(Hawserd(
            self.bed, "--serve-exit", f"{SERVER4}:{PORTS['one']}", "--tokens", str(self.tokens),
            "--exit-name", "one", "--exit-allow", "10.77.9.0/24", listen=False,
            namespace=self.bed.server))

    def router(self, *options: str, exit_: bool = True, more: str = "") -> Hawserd:
        config = self.directory / "router.conf"
        # A busy machine is not to be taken for a dead exit.
        config.write_text((f'upstream {{ exit-answer = 6 }}\nexit one {{ address = "{SERVER4}"  port = {PORTS["one"]}  '
                           f'token-file = "{self.tokens}" }}\n' if exit_ else "") + more, "ascii")
        made = Hawserd(self.bed, "-c", str(config), *LINK, "--exit-probe", "1", *options)
        self.daemons.append(made)
        if exit_:
            until(lambda: states(made) == {"one": "up"})
        return made


@pytest.fixture
def site(bare, tmp_path):
    made = Site(bare, tmp_path)
    yield made
    for daemon in reversed(made.daemons):
        daemon.finish()


@pytest.fixture
def echo(site):
    server = peers.Server(site.bed.server, peers.echo, mptcp=site.bed.mptcp)
    yield server
    server.close()


@pytest.fixture
def portal(site):
    with Portal(site.bed.server) as made:
        yield made


def await_portal(daemon: Hawserd) -> dict:
    until(lambda: state(daemon, "b"), lambda seen: seen == "portal")
    return until(lambda: next(each for each in daemon.ask("links")["links"]
                              if each["device"] == "b")["portal"], lambda seen: seen["url"])


def not_asked(portal: Portal) -> list[str]:
    """The requests that hawserd has not made itself."""
    return [each for each in portal.requests if f"Host: {NOBODY}\r\n" not in each]


def log_in(daemon: Hawserd, source: str = "") -> None:
    """As somebody at a browser that is told nothing but the URL that hawserd shows."""
    with daemon.dial(DOOR, 80, source=source) as client:
        status, fields, _ = get(client, f"http://{DOOR}/")
    assert status == "302" and fields["Location"] == PAGE
    host, _, port = PAGE.removeprefix("http://").partition("/")[0].partition(":")
    with daemon.dial(host, int(port), source=source) as client:
        assert get(client, PAGE)[2] == "<form>log in"
    with daemon.dial(host, int(port), source=source) as client:
        assert get(client, f"{PAGE}?ok")[2] == "welcome"


@pytest.mark.parametrize("refuse", ["drop", "reject with tcp reset"])
def test_from_the_start_until_somebody_logs_in(site, echo, portal, program, refuse):
    portal.log_in()
    portal.refuse = refuse
    portal.log_out()
    site.exit()
    daemon = site.router("--on-event", str(program))
    assert await_portal(daemon) == {"login": f"http://{DOOR}/", "url": PAGE}
    until(lambda: near("b")[0] not in site.bed.endpoints())
    assert f"to log in, open http://{DOOR}/" in daemon.run_cli("links").stdout
    # Nothing goes there but what asks, once a second, and whoever wants to log in. Seconds that are
    # begun, and a round that is under way at either end.
    began, before, begun = time.monotonic(), site.bed.link_bytes("b")[1], portal.begun()
    with Stalls(daemon) as stalls:
        waited = [hello(daemon, echo.port) for _ in range(8)]
    assert exits(daemon)["one"]["sessions"]["total"] == 8
    more, carried = portal.begun() - begun, site.bed.link_bytes("b")[1] - before
    took = time.monotonic() - began
    # Each greeting of an exit may be sent twice.
    assert more < 2 * took + 4
    assert carried < (took + 3) * BYTES_OF_A_ROUND
    assert sorted(waited)[4] < 1 + stalls.allow_s()
    assert not not_asked(portal)
    check = daemon.doctor("wan-b")["use"]
    assert check["verdict"] == "fail" and f"open http://{DOOR}/" in check["mend"]
    site.bed.client.run("ip", "address", "replace", f"{OTHER_CLIENT}/24", "dev", "lan")
    with daemon.dial(SERVER4, echo.port, source=OTHER_CLIENT) as other:
        log_in(daemon)
        until(lambda: state(daemon, "b") == "up")
        other.sendall(b"hello")
        assert other.recv(5, socket.MSG_WAITALL) == b"hello"
    until(lambda: near("b")[0] in site.bed.endpoints())
    hello(daemon, echo.port)  # also the guest goes by all links again
    seen = await_events(program, "link-down", "portal-found", "link-up", "portal-gone")
    # Where all else is dropped, its silence may be noticed first.
    assert seen[0]["STATE"] in ({"portal", "no-answer"} if refuse == "drop" else {"portal"})
    assert seen[3]["STATE"] == "up"
    assert seen[1]["LOGIN"] == f"http://{DOOR}/" and seen[1]["PORTAL"] == PAGE
    assert seen[1]["LINK"] == "wan-b" and DOOR in seen[1]["TEXT"]


def test_a_log_in_that_runs_out(site, echo, portal):
    """Within seconds, as the exit cannot be reached any more. A guest alone goes by the link, and
    only while it is behind a portal; when that comes back, he is none."""
    portal.log_in()
    site.exit()
    log = site.directory / "access.log"
    daemon = site.router("--access-log", str(log))
    for _ in range(4):
        hello(daemon, echo.port)
    until(lambda: near("b")[0] in site.bed.endpoints())
    time.sleep(1)
    portal.log_out()
    until(lambda: state(daemon, "b") == "portal")
    # As an image of some page would: no way to log in, so nobody is a guest yet.
    for host, port in ((DOOR, 443), (NOBODY, 80)):
        with contextlib.suppress(Refused, OSError), daemon.dial(host, port):
            pass
    hello(daemon, echo.port)
    with daemon.dial(DOOR, 80) as guest:
        assert get(guest, f"http://{DOOR}/")[0] == "302"
    assert " links=wan-b:" in until(lambda: next((line for line in log.read_text("ascii").splitlines()
                                                  if f" asked={DOOR}:80 " in line), ""))
    # By that link there is nobody but the portal.
    with pytest.raises(Refused):
        daemon.dial(SERVER4, echo.port)
    site.bed.client.run("ip", "address", "replace", f"{OTHER_CLIENT}/24", "dev", "lan")
    with daemon.dial(SERVER4, echo.port, source=OTHER_CLIENT) as other:
        other.sendall(b"hello")
        assert other.recv(5, socket.MSG_WAITALL) == b"hello"
    portal.log_in()
    until(lambda: state(daemon, "b"), lambda seen: seen == "up")
    site.bed.server.run("ip", "link", "set", "dev", "b", "down")
    portal.log_out()
    site.bed.server.run("ip", "link", "set", "dev", "b", "up")  # a link that comes is asked about at once
    until(lambda: state(daemon, "b"), lambda seen: seen == "portal", 60)
    hello(daemon, echo.port)


def test_reload_and_restart(site, portal, tmp_path):
    """What is known is not found out again: no session begins there meanwhile."""
    site.exit()
    daemon = site.router()
    await_portal(daemon)
    began, asked = time.monotonic(), len(portal.requests)
    assert daemon.run_cli("reload").returncode == 0
    assert state(daemon, "b") == "portal"
    assert len(portal.requests) - asked <= time.monotonic() - began + 2
    # A temporary IPv6 address gives way to the next: by IPv4 the portal is asked.
    other6 = near("b")[1] + "9"
    site.bed.router.run("ip", "address", "add", f"{other6}/64", "dev", "b", "nodad")
    site.bed.router.run("ip", "address", "del", f"{near('b')[1]}/64", "dev", "b")
    until(lambda: next(each for each in daemon.ask("links")["links"]
                       if each["device"] == "b")["ipv6"]["address"], lambda seen: seen == other6)
    assert state(daemon, "b") == "portal"
    site.bed.router.run("ip", "address", "add", f"{near('b')[1]}/64", "dev", "b", "nodad")
    site.bed.router.run("ip", "address", "del", f"{other6}/64", "dev", "b")
    assert [each["event"] for each in daemon.ask("links")["events"]
            if each["link"] == "wan-b"].count("portal") == 1
    daemon.signal(signal.SIGKILL)
    daemon.wait()
    site.daemons.remove(daemon)
    after = site.router()
    assert await_portal(after)["url"] == PAGE
    assert "up" not in {each["event"] for each in after.ask("links")["events"]
                        if each["link"] == "wan-b"}
    # Another way to ask: all is forgotten.
    (tmp_path / "router.conf").write_text("upstream { portal-check = off }\n", "ascii")
    assert after.run_cli("reload").returncode == 0
    until(lambda: state(after, "b") == "up")


def test_the_only_link(site, portal):
    """Whoever opens any page sees the portal's, as nothing else is there to go by. Without an exit,
    what answers nobody any more is no portal."""
    site.bed.router.run("ip", "link", "set", "dev", "a", "down")
    daemon = site.router(exit_=False)
    await_portal(daemon)
    with daemon.dial(SERVER4, 80) as client:
        assert get(client, f"http://{SERVER4}/")[1]["Location"] == PAGE
    log_in(daemon)
    until(lambda: state(daemon, "b") == "up")
    site.bed.router.run("ip", "link", "set", "dev", "a", "up")


@pytest.mark.parametrize("down", [False, True], ids=["one", "one-of-two"])
def test_what_answers_for_all_but_lets_the_exit_by(site, portal, down):
    """A filter in the way, as offices have them, is no portal, also where another exit is down."""
    portal.log_in()
    portal.refuse = ""
    portal.log_out()
    site.exit()
    exits_ = "".join(f'exit {name} {{ address = "{SERVER4}"  port = {PORTS[name]}  '
                     f'token-file = "{site.tokens}" }}\n' for name in ("two", "one")[not down:])

    def taken_for_one() -> bool:
        """Rightly where the exit does not say a word for 2.5 s, as on a busy machine."""
        asked = len(portal.requests)
        daemon = site.router(exit_=False, more=exits_)
        until(lambda: states(daemon)["one"] == "up")
        until(lambda: len(portal.requests) >= asked + 2)
        time.sleep(3 if down else 1)
        found = "portal" in told(daemon)
        site.daemons.remove(daemon)
        daemon.finish()
        return found

    until(taken_for_one, lambda found: not found)


# A server of one's own to ask.

class CheckServer:
    """Answers with bytes, on port 80 of the server."""

    def __init__(self, namespace, answer: str) -> None:
        self.answer = answer.encode()
        self.asked = 0
        self.server = peers.Server(namespace, self._serve, port=80)

    def _serve(self, client: socket.socket) -> None:
        self.asked += 1
        client.recv(4096)
        client.sendall(self.answer)

    def close(self) -> None:
        self.server.close()


WELL = f"HTTP/1.0 200 OK\r\nSet-Cookie: {4000 * 'a'}\r\n\r\nall is well\n"
ASK = ("--portal-check", f"http://{SERVER4}/check", "--portal-answer", "all is well")


@pytest.mark.parametrize("page", [False, True], ids=["redirect", "page"])
def test_a_server_of_ones_own(site, page):
    server = CheckServer(site.bed.server, WELL)
    with contextlib.closing(server), Portal(site.bed.server, page=page) as portal:
        daemon = site.router(*ASK, exit_=False)
        until(lambda: state(daemon, "b") == "portal")
        with daemon.dial(DOOR, 80) as guest:
            status, fields, body = get(guest, f"http://{DOOR}/")
        assert body == "<form>log in" if page else fields["Location"] == PAGE
        until(lambda: server.asked)
        assert state(daemon, "a") == "up"
        portal.log_in()
        until(lambda: state(daemon, "b") == "up")


@pytest.mark.parametrize("trouble", ["down", "silent", "HTTP/1.0 503 x\r\n\r\nlater",
                                     f"HTTP/1.0 301 x\r\nLocation: https://{SERVER4}/\r\n\r\n"],
                         ids=["down", "silent", "error", "moved"])
def test_a_server_in_trouble_is_no_portal(site, trouble):
    """Nor is one that is slow."""
    with contextlib.ExitStack() as leave:
        if trouble == "silent":
            silent = leave.enter_context(peers.listen(site.bed.server, port=80))
        elif trouble != "down":
            server = leave.enter_context(
                contextlib.closing(CheckServer(site.bed.server, trouble)))
        daemon = site.router(*ASK, exit_=False)
        if trouble == "silent":
            for _ in range(2):
                leave.enter_context(peers.accept(silent))
        time.sleep(3 if trouble == "silent" else 1.5)
        until(lambda: trouble in ("down", "silent") or server.asked >= 2)
        assert [state(daemon, link) for link in LINKS] == ["up", "up"]
        assert "portal" not in told(daemon)


def test_a_name_that_the_portal_answers_for(site):
    """By link b the name server is the portal's, and so is what it names."""
    (site.bed.scratch / "resolv.conf").write_text(f"nameserver {SERVER4}\n", "ascii")
    server = CheckServer(site.bed.server, WELL)
    with contextlib.closing(server), \
            NameServer(site.bed.server, (SERVER4, 53)) as names, \
            NameServer(site.bed.server, (far("b")[0], 5353)) as hijacked, \
            Portal(site.bed.server, page=True, names=5353) as portal:
        names.records["check.test"] = [SERVER4]
        hijacked.records["check.test"] = [far("b")[0]]
        daemon = site.router("--portal-check", "http://check.test/", *ASK[2:], exit_=False)
        until(lambda: state(daemon, "b") == "portal")
        assert hijacked.asked and state(daemon, "a") == "up"
        # The door leads to whoever answered.
        with daemon.dial(DOOR, 80) as guest:
            assert get(guest, f"http://{DOOR}/")[2] == "<form>log in"
        portal.log_in()
        until(lambda: state(daemon, "b") == "up")


@pytest.mark.parametrize("role", ["metered", "off"])
def test_a_link_that_rests_is_not_asked(site, portal, role):
    daemon = Hawserd(site.bed, "--link", "one=a", "--link", f"two=b,{role}")
    site.daemons.append(daemon)
    until(lambda: state(daemon, "b"), lambda seen: seen == {"metered": "standby"}.get(role, role))
    time.sleep(1)
    assert not portal.requests


# Router mode: the browser knows nothing of a proxy.

PREFER = ("--exit", f"{SERVER4}:{PORTS['one']}", "--prefer-name", "yes")


@pytest.mark.parametrize("names", [False, True], ids=["addresses", "names"])
def test_a_browser_in_the_lan(lan, interceptor, tmp_path, names):
    """names: the exit would get the name, but the portal gets the client, which has found an address."""
    tokens = hop.write_tokens(tmp_path / "tokens", hop.Token("home").line())
    with Portal(lan.server) as portal:
        daemon = interceptor("tproxy", *LINK, *((*PREFER, "--exit-token", str(tokens)) if names else ()))
        daemon.up()
        until(lambda: state(daemon, "b"), lambda seen: seen == "portal")
        # Whoever goes there by name, too, has opened the door.
        with peers.connect(lan.client, DOOR, 80) as client:
            status, fields, _ = get(client, f"http://{'log-in.invalid' if names else DOOR}/")
        assert status == "302" and fields["Location"] == PAGE
        with peers.connect(lan.client, ELSEWHERE, 80) as client:
            assert get(client, "http://nowhere.invalid/")[1]["Location"] == PAGE
        with peers.connect(lan.client, far("b")[0], 2050) as client:
            assert get(client, f"{PAGE}?ok")[2] == "welcome"
        assert not portal.closed


def forged_syn(source: str, to: str, port: int) -> bytes:
    """With its IPv4 header."""
    ends = socket.inet_aton(source) + socket.inet_aton(to)
    tcp = struct.pack("!HHIIBBHHH", 4321, port, 1, 0, 5 << 4, 2, 1024, 0, 0)
    total = sum(struct.unpack("!16H", ends + struct.pack("!HH", socket.IPPROTO_TCP, len(tcp)) + tcp))
    total = (total & 0xffff) + (total >> 16)
    tcp = tcp[:16] + struct.pack("!H", ~(total + (total >> 16)) & 0xffff) + tcp[18:]
    return struct.pack("!BBHHHBBH", 0x45, 0, 40, 1, 0, 64, socket.IPPROTO_TCP, 0) + ends + tcp


def test_a_forged_packet_makes_no_guest(lan, interceptor, serve):
    """Its sender need not be there. Whoever shakes hands is."""
    server = serve(peers.echo)
    lan.client.run("ip", "address", "replace", f"{OTHER_CLIENT}/24", "dev", "lan")
    with Portal(lan.server):
        daemon = interceptor("tproxy", *LINK)
        daemon.up()
        until(lambda: state(daemon, "b"), lambda seen: seen == "portal")
        daemon.await_holding()
        with lan.client.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
            raw.sendto(forged_syn(OTHER_CLIENT, DOOR, 80), (DOOR, 0))
        until(lambda: daemon.show()["counters"]["held"])
        with peers.connect(lan.client, SERVER4, server.port, source=OTHER_CLIENT) as victim:
            victim.sendall(b"hello")
            assert victim.recv(5, socket.MSG_WAITALL) == b"hello"
        with peers.connect(lan.client, DOOR, 80, source=OTHER_CLIENT) as guest:
            assert get(guest, f"http://{DOOR}/")[0] == "302"
        with peers.connect(lan.client, ELSEWHERE, 80, source=OTHER_CLIENT) as guest:
            assert get(guest, "http://nowhere.invalid/")[0] == "302"


@pytest.mark.parametrize("more", ["", "\r\nSet-Cookie: " + 9000 * "a"], ids=["short", "long"])
def test_a_login_beside_the_question(site, portal, more):
    """Many portals send on to a page of whoever was asked. Nobody is there but by the door."""
    portal.location = "http://{host}/login" + more
    site.exit()
    daemon = site.router()
    assert await_portal(daemon)["url"] == f"http://{DOOR}/login"
