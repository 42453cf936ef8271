# SPDX-License-Identifier: GPL-2.0-or-later
"""What a client sends early (here through a tunnel that it does not wait for) is acted on once at most, whatever
becomes of the exit that got it: a timeout does not say that nothing was done."""

from __future__ import annotations

import contextlib
import threading

import pytest

import hop
import peers
from daemon import Hawserd
from dns import NameServer
from exit_net import PORTS, Net, exits, states
from handshakes import read, read_http_head
from topology import SERVER4, SERVER6
from waiting import until

# The hops are plain TCP in either mode.
pytestmark = pytest.mark.no_mptcp

# Seconds: so much longer than a round trip that a busy machine is not taken for a dead exit.
ANSWER_S = 4
# There and back longer than half of that; with the handshake's longer than all of it.
DELAY_MS = 1050
REPLY = bytes([5, 0, 0, 1]) + bytes(6)
WAYS = ("address", "exit", "direct")


class Site:
    """Counts what it is asked to do."""

    def __init__(self, namespace) -> None:
        self.got: list[bytes] = []
        self.server = peers.Server(namespace, self._serve)

    def _serve(self, sock) -> None:
        head = b""
        while not head.endswith(b"once"):
            data = sock.recv(1000)
            if not data:
                return
            head += data
        self.got.append(head)
        sock.sendall(b"HTTP/1.0 204 No Content\r\n\r\n")

    def ask(self, router: Hawserd, tunnel: bool = True) -> int:
        """The status of the answer, of the proxy's if it is a refusal. A client that does not wait for the proxy's."""
        authority = f"{SERVER4}:{self.server.port}"
        connect = f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n" if tunnel else ""
        target = "/" if tunnel else f"http://{authority}/"
        with router.connect() as client:
            client.sendall(f"{connect}POST {target} HTTP/1.1\r\nHost: {authority}\r\n"
                           "Content-Length: 4\r\n\r\nonce".encode())
            status = read_http_head(client)[0]
            return read_http_head(client)[0] if tunnel and status == 200 else status


@pytest.fixture
def leave():
    with contextlib.ExitStack() as stack:
        yield stack


def site_of(bed, leave) -> Site:
    site = Site(bed.server)
    leave.callback(site.server.close)
    return site


def router_of(net: Net, dns, way: str) -> Hawserd:
    """Which could go on to another address of the exit "one", to the exit "two", or by itself."""
    dns.records["exits.test"] = [SERVER4, SERVER6] if way == "address" else [SERVER4]
    two = (f'exit "two" {{ address = "{SERVER4}"  port = {PORTS["two"]}  priority = 2\n'
           f'token-file = "{net.tokens}" }}\n') if way == "exit" else ""
    config = net.directory / "router.conf"
    config.write_text(
        f'exit "one" {{ address = "exits.test"  port = {PORTS["one"]}\n'
        f'token-file = "{net.tokens}" }}\n{two}upstream {{ mptcp = off  exit-probe = 600  exit-answer = {ANSWER_S} '
        f'when-no-exit = {"direct" if way == "direct" else "refuse"} }}\n', "ascii")
    router = net.start("-c", str(config))
    until(lambda: states(router), lambda seen: set(seen.values()) == {"up"})
    return router


class Started(Net):
    """As Net, on another bed."""

    def __init__(self, bed, directory, leave) -> None:
        def start(*options: str, **settings) -> Hawserd:
            made = Hawserd(bed, *options, **settings)
            leave.callback(made.finish)
            return made

        super().__init__(bed, start, directory)
        self.start = start


@pytest.mark.parametrize("tunnel", [True, False], ids=["tunnel", "plain"])
@pytest.mark.parametrize("way", WAYS)
def test_long_round_trip(emulated_bed, tmp_path, leave, way, tunnel):
    """Nobody dies: it is just slow. A busy machine may add so much that the exit counts as dead; it acts once at most."""
    link = {"rate": 50, "delay": 10}
    net = Started(emulated_bed(a=link, b=link), tmp_path, leave)
    for name in ("one", "two")[:2 if way == "exit" else 1]:
        net.serve(name)
    site = site_of(net.bed, leave)
    names = leave.enter_context(NameServer(net.bed.router))

    def delay(milliseconds: int) -> None:
        for each in net.bed.emulated.values():
            each.set(delay=milliseconds)

    def answer() -> int:
        delay(link["delay"])
        router, before = router_of(net, names, way), len(site.got)
        delay(DELAY_MS)
        status = site.ask(router, tunnel)
        until(lambda: [exit_.sessions() for exit_ in net.exits.values()],
              lambda sessions: not any(sessions))
        acted = len(site.got) - before
        assert (status, acted, router.errors()) == (204, 1, {}) or (status == 504 and acted <= 1)
        router.finish()
        return status

    until(answer, lambda status: status == 204)


def fake(net: Net, leave, name: str, how: str) -> list[bytes]:
    """An exit that passes on what it gets, in that it is in the list, and then does as how says."""
    got: list[bytes] = []

    def serve(sock) -> None:
        exit_ = hop.FakeExit(net.token)
        _, _, asked = exit_.read_head(sock)
        if asked[1] == hop.PROBE:
            sock.sendall(exit_.answer(hop.ACCEPTED) + REPLY)
            return
        got.append(b"" if how == "left" else sock.recv(1000))
        if how == "silent":
            peers.silent(sock)
        elif how == "nonsense":
            sock.sendall(bytes(44))
        elif how == "refused":
            sock.sendall(bytes([5, hop.METHOD, 1, hop.REFUSED]) + bytes(40))
        elif how == "busy":
            sock.sendall(exit_.answer(hop.BUSY))
        elif how == "unreachable":
            sock.sendall(exit_.answer(hop.ACCEPTED) + bytes([5, 4, 0, 1]) + bytes(6))

    leave.callback(peers.Server(net.bed.server, serve, port=PORTS[name]).close)
    return got


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("how", "status"), [("silent", 504), ("closed", 502), ("nonsense", 502),
                                             ("refused", 502)])
def test_exit_that_may_have_acted(bed, tmp_path, leave, dns, way, how, status):
    net = Started(bed, tmp_path, leave)
    got = fake(net, leave, "one", how)
    if way == "exit":
        net.serve("two")
    site = site_of(bed, leave)
    router = router_of(net, dns, way)
    assert site.ask(router) == status
    assert len(got) == 1 and got[0].endswith(b"once")
    assert site.got == []


def test_one_address_is_silent(bed, tmp_path, leave, dns):
    """The session fails, but nobody calls the exit down, and the next one goes to another address."""
    net = Started(bed, tmp_path, leave)
    got = fake(net, leave, "one", "silent")
    router = router_of(net, dns, "address")
    assert site_of(bed, leave).ask(router) == 504
    assert exits(router)["one"]["state"] == "up" and len(exits(router)["one"]["avoided"]) == 1
    assert len(got) == 1


@pytest.mark.parametrize("way", ["exit", "direct"])
def test_exit_that_has_said_no(bed, tmp_path, leave, dns, way):
    """With a MAC, before it acts on anything: others may have the bytes."""
    net = Started(bed, tmp_path, leave)
    got = fake(net, leave, "one", "busy")
    if way == "exit":
        net.serve("two")
    site = site_of(bed, leave)
    assert site.ask(router_of(net, dns, way)) == 204
    assert len(got) == len(site.got) == 1


def test_nothing_was_sent_early(bed, tmp_path, leave, dns):
    """Then the request may go anywhere."""
    net = Started(bed, tmp_path, leave)
    got = fake(net, leave, "one", "left")
    net.serve("two")
    router = router_of(net, dns, "exit")
    server = peers.Server(bed.server, peers.echo)
    leave.callback(server.close)
    with router.dial(SERVER4, server.port) as client:
        client.sendall(b"hello")
        assert read(client, 5) == b"hello"
    assert got == [b""]


@pytest.mark.parametrize("tunnel", [True, False], ids=["tunnel", "plain"])
def test_exit_that_answers_before_it_has_all(bed, tmp_path, leave, dns, tunnel):
    """For that it needs the request only; the rest of what the client said follows."""
    net = Started(bed, tmp_path, leave)
    answered = threading.Event()
    got = bytearray()

    def serve(sock) -> None:
        exit_ = hop.FakeExit(net.token)
        _, _, asked = exit_.read_head(sock)
        sock.sendall(exit_.answer(hop.ACCEPTED) + REPLY)
        if asked[1] == hop.PROBE:
            return
        answered.wait(peers.TIMEOUT_S)
        while not got.endswith(b"\r\n\r\n"):
            got.extend(sock.recv(65536) or b"end of stream\r\n\r\n")
        sock.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    server = peers.Server(bed.server, serve, port=PORTS["one"], window=4096)
    leave.callback(server.close)
    router = router_of(net, dns, "direct")
    lines = "".join(f"X-{number:04}: {'x' * 50}\r\n" for number in range(200))
    lines += f"X-Long: {'y' * 45000}\r\nX-Last: 1\r\n\r\n"
    authority = f"{SERVER4}:80"
    with router.connect() as client:
        if tunnel:
            client.sendall(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode() + lines.encode())
        else:
            client.sendall(f"GET http://{authority}/ HTTP/1.1\r\nHost: {authority}\r\n{lines}".encode())
        until(lambda: [session["state"] for session in router.sessions()],
              lambda found: found and found[0] in ("relaying", "exchanging"))
        answered.set()
        assert [read_http_head(client)[0] for _ in range(1 + tunnel)] == [200] * tunnel + [204]
    if tunnel:
        assert got == lines.encode()
    else:
        assert all(line in got.decode() for line in lines.splitlines())
