# SPDX-License-Identifier: GPL-2.0-or-later
"""A router with exits: what it sends, which one it takes, and what it makes of their answers."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess

import pytest

import handshakes
import hop
import peers
from exit_net import PORTS, echo, exits, hello, net, states, totals  # pylint: disable=unused-import
from handshakes import Refused, at_end, read
from patience import PATIENCE
from pattern import MEGABYTE, Stream, together
from sessions import through
from topology import SERVER4, SERVER6, far
from waiting import until

pytestmark = pytest.mark.mptcp


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
    assert abs(stamp - hop.now_ms()) < 60_000 and name == "one"
    assert asked == b"\x05\x01\x00\x03\x0bexample.org\x00\x51"
    assert first.startswith(b"GET /path HTTP/1.1\r\n") and first.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("off_ms", [-3_600_000, 3_600_000])
def test_clock_off(net, request, off_ms):
    """The router takes the exit's time over, once for all sessions."""
    made, server = fake(net, lambda sock, exit_: exit_.serve(sock))
    made.clock_ms = off_ms
    request.addfinalizer(server.close)
    router = net.settled("one", more="upstream { exit-probe = 600 }")
    assert abs(exits(router)["one"]["clock_offset_ms"] - off_ms) < 60_000
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


def test_equals_by_weight(net, echo):
    net.serve("one")
    net.serve("two")
    router = net.settled("one", "two", two="weight = 3", more="upstream { sticky = no }")
    for _ in range(100):
        hello(router, echo.port)
    counts = totals(router)
    # Of 100 with a share of a quarter, 25 +- 4.3; six times that is one in 500 million.
    assert 3 <= counts["one"] <= 50 and sum(counts.values()) == 100


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
        config.write_text(config.read_text("ascii").splitlines()[2], "ascii")
        router.signal(signal.SIGHUP)
        until(lambda: states(router), lambda seen: seen == {"two": "up"})
        client.sendall(b"still")
        assert read(client, 5) == b"still"
        assert router.session()["exit"] == "one"
    hello(router, echo.port)
    assert totals(router) == {"two": 1}


def test_exact_both_ways(net):
    """Half-close travels, either way."""
    net.serve("one")
    router = net.settled("one")
    for first in "client", "server":
        up, down = Stream(1), Stream(2)
        with through(router, ("tcp", "mptcp")) as (client, server):
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
    with through(router, ("tcp", "mptcp")) as (client, server):
        near, far = (client, server) if first == "client" else (server, client)
        peers.reset(near)
        assert peers.was_reset(far)


@pytest.mark.parametrize(("text", "part"), [
    ('exit "a" { address = "b" }', ':1: exit "a" ends here without token-file'),
    ('exit "a" { token-file = "/x" }', ":1: exit \"a\" ends here without address"),
    ('exit "a" { address = "b"  token-file = "/x"  port = 0 }', "1 to 65535"),
    ('exit "a" { address = "b"  token-file = "/x"  weight = 0 }', "1 to 65535"),
    ('exit "a b" { address = "b"  token-file = "/x" }', "expected the name of an exit"),
    ('exit "a" { address = "b/c"  token-file = "/x" }', "expected a host name, an IP address, or an IPv4"),
    ('exit "a" { address = "192.0.2.1,192.0.2.2"  token-file = "/x" }', "as ADDR,ADDR6"),
    ('exit "a" { address = "b"  token-file = "/x" }', "/x: cannot be read"),
    ('upstream { when-no-exit = maybe }', "expected direct or refuse"),
    ('listen "a" { address = "127.0.0.1:1"  to = "b:1"  tokens = "/x" }', "tokens or to"),
    ('listen "a" { address = "127.0.0.1:1"  exit-name = "b" }', "expected tokens beside it")])
def test_wrong_files(build, tmp_path, text, part):
    config = tmp_path / "conf"
    config.write_text(text, "ascii")
    done = subprocess.run([build / "hawserd", "-c", config, "--check"], capture_output=True,
                          text=True, timeout=120 * PATIENCE, check=False)
    assert done.returncode == 2 and part in done.stderr and done.stderr.count("\n") == 1
