# SPDX-License-Identifier: GPL-2.0-or-later
"""What a router does when an exit is dead, or dies while it has a session."""

from __future__ import annotations

import contextlib
import signal
from functools import partial

import pytest

import handshakes
import hop
import peers
from exit_net import PORTS, echo, exits, hello, net, states, totals  # pylint: disable=unused-import
from handshakes import read
from topology import SERVER4
from waiting import quickest, until

pytestmark = pytest.mark.mptcp
# Longer than a process of a busy machine may not run, and far less than a client waits.
ANSWER = "upstream { exit-answer = 4 }"
DEAD_S = 20


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
    """A session that is being opened moves on, later ones at once; sessions on the living exit go on; the dead one is
    used again when it is back for a while."""
    net.serve("one")
    net.serve("two")
    router = net.settled("one", "two", two="priority = 2", more=ANSWER)
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
        assert quickest(lambda: hello(router, echo.port), 2) < 2
        seen = totals(router)
        assert seen["one"] == 1 and seen["two"] >= 2
        wanted = {"killed": "refused", "stopped": "exit-silent", "dropped": "exit-silent"}
        assert exits(router)["one"]["last_failure"] == wanted[how]
        with router.dial(SERVER4, echo.port) as living:
            stack.close()
            until(lambda: states(router), lambda seen: seen["one"] == "up")
            living.sendall(b"still")
            assert read(living, 5) == b"still"
    hello(router, echo.port)
    assert totals(router) == {"one": 2, "two": seen["two"] + 1}


def connected(bed, port: int) -> set[str]:
    """Who is connected to this port of the server, as its kernel sees it."""
    lines = bed.server.run("ss", "-tnHO", "state", "established", "sport", "=", f":{port}").splitlines()
    return {line.split()[3] for line in lines}


def test_first_bytes_go_once(bed, net, serve):
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
    router = net.settled("one", "two", two="priority = 2", more=ANSWER)
    net.exits["one"].freeze()
    try:
        assert put() == 504
        # A busy host's kernel may take a while to hear of it, above all with MPTCP.
        given_up = connected(bed, PORTS["one"])
        assert put() == 204
        until(lambda: given_up & connected(bed, PORTS["one"]), lambda left: not left)
    finally:
        net.exits["one"].signal(signal.SIGCONT)
    until(lambda: states(router), lambda now: now["one"] == "up")
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
