# SPDX-License-Identifier: GPL-2.0-or-later
"""A router with exits: what it sends, and what it does when an exit is dead, slow or wrong."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from functools import partial

import pytest

import handshakes
import hop
import peers
from bed import Bed
from daemon import Hawserd
from exit_net import PORTS, Net, exits, hello, hellos_until, states, totals
from filled import measured_while_full
from handshakes import Refused, at_end, read
from pattern import MEGABYTE, Stream, together
from topology import SERVER4, SERVER6, far
from waiting import until

pytestmark = pytest.mark.mptcp

# Known within 3 s, and what a busy machine may add.
DEAD_S = 3.5


@pytest.fixture
def net(bed, hawserd, tmp_path):
    return Net(bed, hawserd, tmp_path)


@pytest.fixture
def echo(serve):
    return serve(peers.echo, mptcp=True)


@pytest.mark.parametrize("host", [SERVER4, SERVER6, "server.test"])
def test_through_an_exit(net, echo, host):
    one = net.serve("one")
    router = net.settled("one")
    hello(router, echo.port, host)
    assert totals(router) == {"one": 1}
    assert one.status()["client"]["mptcp"] >= 1
    assert router.status()["upstream"] == {"tcp": 0, "mptcp": 1, "fallback": 0}


def test_by_options(net, echo, hawserd):
    net.serve("one")
    router = hawserd("--exit", f"server.test:{PORTS['one']}", "--exit-token", str(net.tokens),
                     "--when-no-exit", "refuse")
    with pytest.raises(Refused):  # the exit has another name
        router.dial(SERVER4, echo.port)
    assert exits(router)[f"server.test:{PORTS['one']}"]["last_failure"] == "auth-failed"


def fake(net, handler):
    """A router whose exit is handler(sock, fake), which is given its connections."""
    made = hop.FakeExit(net.token)
    return made, peers.Server(net.bed.server, lambda sock: handler(sock, made),
                              mptcp=True, port=PORTS["one"])


def test_all_leaves_at_once(net, request):
    """Nothing waits: an exit that is silent has got greeting, authentication, request and the
    client's first bytes."""
    heads = []

    def handler(sock, exit_):
        stamp, name, asked = exit_.read_head(sock)
        if asked[1] == hop.PROBE:
            sock.sendall(exit_.answer(hop.ACCEPTED) + bytes([5, 0, 0, 1]) + bytes(6))
            return
        heads.append((stamp, name, asked, sock.recv(1000)))
        sock.sendall(exit_.answer(hop.ACCEPTED) + bytes([5, 0, 0, 1]) + bytes(6)
                     + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nanswer")

    _, server = fake(net, handler)
    request.addfinalizer(server.close)
    router = net.settled("one")
    assert re.search(r" (<1|\d+)ms ", router.run_cli("exits").stdout)
    with router.connect() as client:
        client.sendall(b"GET http://example.org:81/path HTTP/1.1\r\nHost: example.org:81\r\n\r\n")
        assert handshakes.read_http_head(client)[0] == 200
        assert read(client, 6) == b"answer"
    (stamp, name, asked, first), = heads
    assert abs(stamp - hop.now_ms()) < 2000 and name == "one"
    assert asked == b"\x05\x01\x00\x03\x0bexample.org\x00\x51"
    assert first.startswith(b"GET /path HTTP/1.1\r\n") and first.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("off_ms", [-3_600_000, 3_600_000])
def test_clock_off(net, request, off_ms):
    """The router takes the exit's time over, once for all sessions."""
    made, server = fake(net, lambda sock, exit_: exit_.serve(sock))
    made.clock_ms = off_ms
    request.addfinalizer(server.close)
    router = net.settled("one")
    assert abs(exits(router)["one"]["clock_offset_ms"] - off_ms) < 1000
    before = len(server.families)
    hello(router, 80, "192.0.2.1")
    assert len(server.families) == before + 1


def test_clock_that_is_not_the_exits(net, request):
    """A MAC by another key: the clock stays, and the exit is none."""
    def handler(sock, exit_):
        exit_.read_head(sock)
        stranger = hop.FakeExit(hop.Token(), 3_600_000)
        stranger.nonce = exit_.nonce
        sock.sendall(stranger.answer(hop.CLOCK))

    _, server = fake(net, handler)
    request.addfinalizer(server.close)
    router = net.router("one")
    until(lambda: states(router), lambda seen: seen == {"one": "down"})
    assert exits(router)["one"]["clock_offset_ms"] == 0
    assert exits(router)["one"]["last_failure"] == "exit-broken"


def test_replies_are_handed_on(bed, net):
    net.serve("one")
    router = net.settled("one")
    with bed.server.socket(socket.AF_INET) as closed:
        closed.bind((SERVER4, 0))
        for host, port, reply, status in ((SERVER4, peers.port_of(closed), 5, 502),
                                          ("127.0.0.1", 80, 2, 403)):
            with pytest.raises(Refused) as refused:
                router.dial(host, port)
            assert refused.value.code == reply
            with router.connect() as client, pytest.raises(Refused) as refused:
                handshakes.http_connect(client, host, port)
            assert refused.value.code == status
    assert states(router) == {"one": "up"}


def test_wrong_token(net, echo, tmp_path):
    net.serve("one")
    net.tokens = hop.write_tokens(tmp_path / "wrong", hop.Token("home").line())
    router = net.router("one", more="upstream { when-no-exit = refuse }")
    with pytest.raises(Refused):
        router.dial(SERVER4, echo.port)
    assert states(router) == {"one": "down"}
    assert exits(router)["one"]["last_failure"] == "auth-failed"
    done = router.run_cli("exits")
    assert done.returncode == 0 and "auth-failed" in done.stdout
    assert json.loads(router.run_cli("--json", "exits").stdout)["exits"][0]["name"] == "one"
    for command in "status", "links":
        shown = router.run_cli(command).stdout
        assert re.search(r"^exits +0 of 1 up; no exit for .*: new sessions are refused$", shown,
                         re.MULTILINE)


@pytest.mark.parametrize("refuse", [False, True])
def test_no_exit(net, echo, refuse):
    router = net.router("one", more="upstream { when-no-exit = refuse }" if refuse else "")
    if not refuse:
        hello(router, echo.port)
        return
    with pytest.raises(Refused) as refused:
        router.dial(SERVER4, echo.port)
    assert refused.value.code == 1
    router.await_error("no-exit")


def silent(bed, net, how: str):
    """Makes the exit "one" dead in a way that nobody is told of, and what undoes it."""
    if how == "stopped":
        net.exits["one"].freeze()
        return lambda: net.exits["one"].signal(signal.SIGCONT)
    rules = bed.rules(f"tcp dport {PORTS['one']} drop")
    rules.__enter__()
    return lambda: rules.__exit__(None, None, None)


@pytest.mark.parametrize("how", ["killed", "stopped", "dropped"])
def test_dead_exit(bed, net, echo, how):
    """A session that is being opened moves on within 3 s, later ones at once; sessions on the
    living exit go on; the dead one is used again when it is back for a while."""
    net.serve("one")
    net.serve("two")
    router = net.settled("one", "two", two="priority = 2")
    hello(router, echo.port)
    assert totals(router) == {"one": 1, "two": 0}
    if how == "killed":
        net.kill("one")
        revive = lambda: net.serve("one")
    else:
        revive = silent(bed, net, how)
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: revive())
        assert hello(router, echo.port) < DEAD_S
        assert states(router) == {"one": "down", "two": "up"}
        assert hello(router, echo.port) < 0.5
        assert totals(router) == {"one": 1, "two": 2}
        wanted = {"killed": "refused", "stopped": "exit-silent", "dropped": "exit-silent"}
        assert exits(router)["one"]["last_failure"] == wanted[how]
        with router.dial(SERVER4, echo.port) as living:
            stack.close()
            until(lambda: states(router), lambda seen: seen["one"] == "up", seconds=15)
            living.sendall(b"still")
            assert read(living, 5) == b"still"
    hello(router, echo.port)
    assert totals(router) == {"one": 2, "two": 3}


def test_first_bytes_go_once(net, serve):
    """A stopped exit that goes on later does not act on what was given up, and nobody else gets it:
    how should the router know?"""
    seen = []

    def handler(sock):
        seen.append(sock.recv(1000))
        sock.sendall(b"HTTP/1.0 204 No Content\r\n\r\n")

    server = serve(handler)

    def put() -> int:
        with router.connect() as client:
            client.sendall(f"PUT http://{SERVER4}:{server.port}/ HTTP/1.1\r\n"
                           f"Host: {SERVER4}\r\nContent-Length: 0\r\n\r\n".encode())
            return handshakes.read_http_head(client)[0]

    net.serve("one")
    net.serve("two")
    router = net.settled("one", "two", two="priority = 2")
    net.exits["one"].freeze()
    try:
        assert put() == 504
        assert put() == 204
    finally:
        net.exits["one"].signal(signal.SIGCONT)
    until(lambda: states(router), lambda now: now["one"] == "up", seconds=15)
    assert len([data for data in seen if data]) == 1


@pytest.mark.parametrize("how", ["reset", "closed", "silent"])
def test_exit_lost_after_it_accepted(net, request, how):
    """The first bytes may have arrived: the client gets an error, and no other exit gets the bytes.
    Where there were none, the session moves on."""
    got: dict[str, list[bytes]] = {"one": [], "two": []}
    reply = bytes([5, 0, 0, 1]) + bytes(6)

    def serve(name, sock):
        exit_ = hop.FakeExit(net.token)
        _, _, asked = exit_.read_head(sock)
        if asked[1] == hop.PROBE:
            sock.sendall(exit_.answer(hop.ACCEPTED) + reply)
            return
        # The port says whether the client sends first.
        got[name].append(sock.recv(1000) if asked.endswith(b"\0\x50") else b"")
        if name == "two":
            sock.sendall(exit_.answer(hop.ACCEPTED) + reply + b"answer")
            return
        sock.sendall(exit_.answer(hop.ACCEPTED))
        if how == "reset":
            peers.reset(sock)
        elif how == "silent":
            peers.silent(sock)

    for name, port in PORTS.items():
        server = peers.Server(net.bed.server, partial(serve, name), mptcp=True, port=port)
        request.addfinalizer(server.close)
    # Before a reset TCP delivers what has arrived; MPTCP need not, and an answer that is lost so
    # was never there.
    mptcp = "off" if how == "reset" else "auto"
    router = net.settled("one", "two", two="priority = 2", more=f"""
        upstream {{ mptcp = {mptcp}  exit-probe = 600 }}
        timeouts {{ connect = 4 }}""")
    with router.connect() as client:
        client.sendall(b"GET http://192.0.2.1/ HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n")
        status, _ = handshakes.read_http_head(client)
        assert status == (504 if how == "silent" else 502)
    (first,), none = got.values()
    assert first.startswith(b"GET / HTTP/1.1\r\n") and first.endswith(b"\r\n\r\n")
    assert none == []
    router.await_error("connect-timeout" if how == "silent" else "exit-broken")
    assert states(router) == {"one": "up", "two": "up"}
    if how != "silent":
        with router.dial("192.0.2.1", 81) as client:
            assert read(client, 6) == b"answer"
        assert got == {"one": [first, b""], "two": [b""]}


def test_equals_by_weight(net, echo):
    net.serve("one")
    net.serve("two")
    router = net.settled("one", "two", two="weight = 3", more="upstream { sticky = no }")
    for _ in range(100):
        hello(router, echo.port)
    counts = totals(router)
    # Of 100 with a share of a quarter, 25 +- 4.3; six times that is one in 500 million.
    assert 3 <= counts["one"] <= 50 and sum(counts.values()) == 100


def test_two_behind_one_name(bed, net, echo, dns, hawserd):
    """Sessions are spread over the addresses; where one is dead, the other takes them all, and nobody
    calls the exit dead."""
    addresses = [SERVER4, far("a")[0]]
    dns.records["exits.test"] = addresses
    both = [hawserd("--serve-exit", f"{address}:{PORTS['one']}", "--tokens", str(net.tokens),
                    "--exit-allow", "10.77.9.0/24", listen=False, namespace=bed.server)
            for address in addresses]
    router = hawserd("--exit", f"exits.test:{PORTS['one']}", "--exit-token", str(net.tokens),
                     "--sticky", "no")
    for _ in range(60):
        hello(router, echo.port)
    assert all(exit_.status()["sessions"]["total"] >= 10 for exit_ in both)
    both[0].signal(signal.SIGINT)
    assert both[0].wait() == 0
    for _ in range(10):
        assert hello(router, echo.port) < 0.5
    (known,) = exits(router).values()
    assert known["state"] == "up" and known["failures"] == 0
    assert known["sessions"]["total"] == 70


def serve_at(net, hawserd, address: str) -> Hawserd:
    """An exit that has this address only, by whatever name it is called."""
    return hawserd("--serve-exit", handshakes.authority(address, PORTS["one"]), "--tokens",
                   str(net.tokens), "--exit-allow", "10.77.9.0/24", listen=False,
                   namespace=net.bed.server)


@pytest.mark.parametrize(("dead", "living"), [(SERVER6, SERVER4), (SERVER4, far("a")[0])])
def test_one_address_is_silent(bed, net, echo, dns, hawserd, dead, living):
    """AAAA and A, or two A; nothing says that one is dead: sessions go by the other, before the exit
    would be called dead, which nobody does."""
    dns.records["exits.test"] = [dead, living]
    at = {address: serve_at(net, hawserd, address) for address in (dead, living)}
    family = "ip6" if ":" in dead else "ip"
    with bed.rules(f"{family} daddr {dead} tcp dport {PORTS['one']} counter drop"):
        router = hawserd("--exit", f"exits.test:{PORTS['one']}", "--exit-token", str(net.tokens),
                         "--when-no-exit", "refuse", "--exit-probe", "1", "--sticky", "no")

        def dropped() -> bool:
            return "packets 0 " not in bed.server.run("nft", "list", "ruleset")

        # Which of two A is tried first is left to chance.
        total = hellos_until(router, echo.port, dropped, least=6)
        (known,) = until(lambda: list(exits(router).values()), lambda one: one[0]["probes"] >= 2)
        assert known["state"] == "up" and known["failures"] == 0
        assert known["sessions"]["total"] == total
        assert at[dead].status()["sessions"]["total"] == 0
    assert router.errors() == {}


@contextlib.contextmanager
def half_dead(bed: Bed, address: str, how: str) -> Iterator[None]:
    """Who takes connections to an exit's port, and says nothing, or closes them."""
    stop = threading.Event()

    def close_all() -> None:
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                listening.accept()[0].close()

    with peers.listen(bed.server, address, PORTS["one"]) as listening:
        listening.settimeout(0.1)
        thread = threading.Thread(target=close_all)
        if how == "broken":
            thread.start()
        try:
            yield
        finally:
            stop.set()
            if how == "broken":
                thread.join()


@pytest.mark.parametrize(("dead", "living", "how"), [(SERVER6, SERVER4, "silent"),
                                                    (SERVER4, far("a")[0], "broken")])
def test_one_address_takes_and_does_not_answer(bed, net, echo, dns, hawserd, dead, living, how):
    """As a middlebox, or a machine that hangs: sessions move on, the exit stays up, the address is
    left alone from then on, and is used again when it answers again and again."""
    dns.records["exits.test"] = [dead, living]

    def avoided() -> list[str]:
        return next(iter(exits(router).values()))["avoided"]

    serve_at(net, hawserd, living)
    router = hawserd("--exit", f"exits.test:{PORTS['one']}", "--exit-token", str(net.tokens),
                     "--when-no-exit", "refuse", "--exit-probe", "600", "--exit-answer", "1",
                     "--sticky", "no")
    with half_dead(bed, dead, how):
        hellos_until(router, echo.port, avoided)
        assert avoided() == [dead]
        assert f": {dead}: " in router.log()
        assert max(hello(router, echo.port) for _ in range(8)) < 0.4
        (known,) = exits(router).values()
        assert known["state"] == "up" and known["failures"] == 0
        assert f"{dead} does not answer" in router.run_cli("exits").stdout
    alive = serve_at(net, hawserd, dead)
    until(avoided, lambda seen: seen == [], seconds=20)
    hellos_until(router, echo.port, lambda: alive.status()["sessions"]["total"])
    assert router.errors() == {}


@pytest.mark.parametrize("known_late", [[SERVER4], []])
def test_an_address_is_silent_before_others_are_known(bed, net, echo, dns, hawserd, known_late):
    """It took the connection while the name server still thought about the other family."""
    dns.records["exits.test"] = [SERVER6, *known_late]
    dns.delays_s["exits.test", "A"] = 0.2
    serve_at(net, hawserd, SERVER4)
    with half_dead(bed, SERVER6, "silent"):
        router = hawserd("--exit", f"exits.test:{PORTS['one']}", "--exit-token", str(net.tokens),
                         "--when-no-exit", "refuse", "--exit-probe", "600", "--exit-answer", "1")
        if known_late:
            hello(router, echo.port)
        (known,) = until(lambda: list(exits(router).values()),
                         lambda one: one[0]["state"] == ("up" if known_late else "down"))
        assert known["avoided"] == [SERVER6]
    if not known_late:
        assert known["last_failure"] == "exit-silent"
        with pytest.raises(Refused):
            hello(router, echo.port)


def test_all_addresses_are_silent(bed, net, dns, hawserd):
    """Known as soon as if there were one, and well again when one is."""
    dns.records["exits.test"] = [SERVER6, SERVER4]
    with peers.listen(bed.server, SERVER6, PORTS["one"]), \
            peers.listen(bed.server, SERVER4, PORTS["one"]):
        started = time.monotonic()
        router = hawserd("--exit", f"exits.test:{PORTS['one']}", "--exit-token", str(net.tokens))
        (known,) = until(lambda: list(exits(router).values()), lambda one: one[0]["state"] == "down")
        assert time.monotonic() - started < 4
        assert known["last_failure"] == "exit-silent"
    serve_at(net, hawserd, SERVER6)
    until(lambda: list(exits(router).values()), lambda one: one[0]["state"] == "up")


def test_busy_moves_on(net, echo):
    net.tokens = hop.write_tokens(net.directory / "limited", net.token.line("sessions=2"))
    net.serve("one")
    net.serve("two")
    router = net.settled("one", "two", two="priority = 2",
                         more="upstream { exit-probe = 600 }")
    held = [router.dial(SERVER4, echo.port) for _ in range(3)]
    assert totals(router) == {"one": 2, "two": 1} and states(router) == {"one": "up", "two": "up"}
    for sock in held:
        sock.close()


@pytest.mark.parametrize("left", ["another", "none"])
def test_revoked(net, echo, left):
    one = net.serve("one")
    router = net.settled("one", more="upstream { when-no-exit = refuse }")
    with router.dial(SERVER4, echo.port) as client:
        hop.write_tokens(net.tokens, *[hop.Token("other").line()] * (left == "another"))
        one.signal(signal.SIGHUP)
        assert peers.was_reset(client)
    with pytest.raises(Refused):
        router.dial(SERVER4, echo.port)
    assert exits(router)["one"]["last_failure"] == "auth-failed"


def test_reload_keeps_what_is_known(net, echo):
    """And running sessions; an exit that is gone from the file carries its sessions on, and they name
    it."""
    net.serve("one")
    net.serve("two")
    router = net.settled("one", "two", two="priority = 2")
    with router.dial(SERVER4, echo.port) as client:
        header, row = (line.split() for line in router.run_cli("sessions").stdout.splitlines())
        assert row[header.index("EXIT")] == router.session()["exit"] == "one"
        config = net.directory / "router.conf"
        config.write_text(config.read_text("ascii").splitlines()[1], "ascii")
        router.signal(signal.SIGHUP)
        until(lambda: states(router), lambda seen: seen == {"two": "up"})
        client.sendall(b"still")
        assert read(client, 5) == b"still"
        assert router.session()["exit"] == "one"
    hello(router, echo.port)
    assert totals(router) == {"two": 1}


@contextlib.contextmanager
def through(net, router, mptcp=True):
    with peers.listen(net.bed.server, mptcp=mptcp) as listening, \
            router.dial(SERVER4, peers.port_of(listening)) as client, \
            peers.accept(listening) as server:
        yield client, server


def test_exact_both_ways(net):
    """Half-close travels, either way."""
    net.serve("one")
    router = net.settled("one")
    for first in "client", "server":
        up, down = Stream(1), Stream(2)
        with through(net, router) as (client, server):
            def send(sock, stream):
                stream.send(sock, 8 * MEGABYTE)
                sock.shutdown(socket.SHUT_WR)

            def receive(sock, stream):
                stream.receive(sock, 8 * MEGABYTE)
                assert at_end(sock)

            near, far = (client, server) if first == "client" else (server, client)
            together(lambda: send(near, up), lambda: receive(far, up))
            together(lambda: send(far, down), lambda: receive(near, down))


@pytest.mark.parametrize("first", ["client", "server"])
def test_reset_travels(net, first):
    net.serve("one")
    router = net.settled("one")
    with through(net, router) as (client, server):
        near, far = (client, server) if first == "client" else (server, client)
        peers.reset(near)
        assert peers.was_reset(far)


@contextlib.contextmanager
def daemons(bed):
    """Starts them on a bed of their own, and judges them at the end."""
    started = []

    def start(*options: str, **settings) -> Hawserd:
        started.append(Hawserd(bed, *options, **settings))
        return started[-1]

    yield start
    for daemon in reversed(started):
        daemon.finish()


def first_byte(router: Hawserd, port: int, early: bool) -> float:
    """Seconds from connect to the first byte from the server. early: the client does not wait for our
    answer; the best of a few, as the machine may be busy."""
    seconds = []
    for _ in range(5):
        started = time.monotonic()
        with router.connect() as client:
            if early:
                client.sendall(f"GET http://{SERVER4}:{port}/ HTTP/1.1\r\n"
                               f"Host: {SERVER4}\r\n\r\n".encode())
            else:
                handshakes.socks5(client, SERVER4, port)
                client.sendall(b"hello")
            assert read(client, 8) == (b"HTTP/1.1" if early else b"HTTP/1.0")
            seconds.append(time.monotonic() - started)
    return min(seconds)


def test_round_trips(emulated_bed, tmp_path):
    """With links of 100 ms: one round trip to the exit more than directly for a client that waits for
    our answer, none more for one whose first bytes come with the request."""
    def handler(sock):
        sock.recv(1000)
        sock.sendall(b"HTTP/1.0 200 OK\r\n\r\n")

    bed = emulated_bed(a={"delay": 50}, b={"delay": 50})
    with daemons(bed) as start, contextlib.closing(peers.Server(bed.server, handler)) as server:
        net = Net(bed, start, tmp_path)
        net.serve("one")
        direct = start()
        waiting, early = (first_byte(direct, server.port, early) for early in (False, True))
        direct.finish()
        router = net.settled("one")
        assert 0.1 <= exits(router)["one"]["rtt_s"] < 0.2
        assert 0.08 < first_byte(router, server.port, False) - waiting < 0.14
        assert abs(first_byte(router, server.port, True) - early) < 0.04
        assert totals(router) == {"one": 10}


RATE = 50  # Mbit/s of each link


@pytest.mark.parametrize("direction", ["down", "up"])
def test_links_add_up(build, tmp_path_factory, tmp_path, direction):
    """Through both hops, to a server without MPTCP: at least 90 % of the links' sum."""
    with Bed(build, tmp_path_factory.mktemp("bed"), rate_a=RATE, rate_b=RATE) as bed, \
            daemons(bed) as start:
        net = Net(bed, start, tmp_path)
        net.serve("one")
        router = net.settled("one")
        with through(net, router, mptcp=False) as (client, server):
            source, target = (client, server) if direction == "up" else (server, client)

            def measure() -> float:
                started, received, seconds = time.monotonic(), 0, 0.0
                while seconds < 2:
                    received += len(target.recv(1 << 18))
                    seconds = time.monotonic() - started
                return received * 8e-6 / seconds

            seen = measured_while_full(source, target, measure,
                                       lambda rate: rate >= 0.9 * 2 * RATE)
    assert max(seen) >= 0.9 * 2 * RATE, seen


@pytest.mark.parametrize(("text", "part"), [
    ('exit "a" { address = "b" }', ':1: exit "a" ends here without token-file'),
    ('exit "a" { token-file = "/x" }', ":1: exit \"a\" ends here without address"),
    ('exit "a" { address = "b"  token-file = "/x"  port = 0 }', "1 to 65535"),
    ('exit "a" { address = "b"  token-file = "/x"  weight = 0 }', "1 to 65535"),
    ('exit "a b" { address = "b"  token-file = "/x" }', "expected the name of an exit"),
    ('exit "a" { address = "b/c"  token-file = "/x" }', "expected a host name or an IP address"),
    ('exit "a" { address = "b"  token-file = "/x" }', "/x: cannot be read"),
    ('upstream { when-no-exit = maybe }', "expected direct or refuse"),
    ('listen "a" { address = "127.0.0.1:1"  to = "b:1"  tokens = "/x" }', "tokens or to"),
    ('listen "a" { address = "127.0.0.1:1"  exit-name = "b" }', "expected tokens beside it")])
def test_wrong_files(build, tmp_path, text, part):
    config = tmp_path / "conf"
    config.write_text(text, "ascii")
    done = subprocess.run([build / "hawserd", "-c", config, "--check"], capture_output=True,
                          text=True, timeout=30, check=False)
    assert done.returncode == 2 and part in done.stderr and done.stderr.count("\n") == 1
