# SPDX-License-Identifier: GPL-2.0-or-later
"""Plain HTTP requests on the wire: each reaches its own origin, each response its own request."""

from __future__ import annotations

import select
import socket
import threading

import pytest

import peers
from causes import unreachable
from crowd import with_asan
from exit_net import Net
from http_origin import Client, get, named, origin_of, post, response  # pylint: disable=unused-import
from topology import SERVER4
from waiting import until

AUTHORIZATION = "Proxy-Authorization: Basic YWxpOm9wZW4gc2VzYW1l\r\n"  # ali:open sesame


@pytest.mark.parametrize("how", ["after", "at once", "byte by byte", "behind a body"])
def test_each_request_reaches_its_origin(hawserd, origin_of, tmp_path, how):
    """The first origin keeps its connection, and gets nothing that is for the other."""
    password = tmp_path / "password"
    password.write_text("open sesame\n", "utf-8")
    password.chmod(0o600)
    daemon = hawserd("--socks", "10.77.0.1:1080", "--user", f"ali:{password}", listen=False)
    evil, victim = origin_of(named(b"evil ")), origin_of(named(b"victim "))
    client = Client(daemon.connect())
    secret = ["Cookie: s=1", AUTHORIZATION.strip()]
    first = (post(evil, b"GET http://x/ HTTP/1.1\r\n\r\n", "/a", *secret)
             if how == "behind a body" else get(evil, "/a", *secret))
    second = get(victim, "/b", *secret)
    if how == "after":
        assert list(client.send(first).bodies(1)) == [b"evil /a"]
        assert list(client.send(second).bodies(1)) == [b"victim /b"]
    elif how == "byte by byte":
        for byte in (first + second).encode():
            client.send(bytes([byte]))
        assert list(client.bodies(2)) == [b"evil /a", b"victim /b"]
    else:
        assert list(client.send(first, second).bodies(2)) == [b"evil /a", b"victim /b"]
    assert [line.split()[1] for line in evil.lines()] == ["/a"]
    assert [line.split()[1] for line in victim.lines()] == ["/b"]
    for request in evil.seen + victim.seen:
        assert "proxy-authorization" not in request.fields()
        assert request.fields()["cookie"] == "s=1"
        assert request.fields()["via"] == "1.1 hawser"
    assert daemon.status()["protocols"]["http"] == 1


def test_every_request_is_authorized(hawserd, origin_of, tmp_path):
    password = tmp_path / "password"
    password.write_text("open sesame\n", "utf-8")
    password.chmod(0o600)
    daemon = hawserd("--socks", "10.77.0.1:1080", "--user", f"ali:{password}", listen=False)
    origin = origin_of(named(b""))
    client = Client(daemon.connect())
    assert list(client.send(get(origin, "/a", AUTHORIZATION.strip())).bodies(1)) == [b"/a"]
    assert client.send(get(origin, "/b")).read()[0] == 407
    assert client.rest() == b""
    assert len(origin.seen) == 1


def test_pipelined_requests_are_answered_in_order(hawserd, origin_of):
    daemon = hawserd()
    origin, other = origin_of(named(b"one ")), origin_of(named(b"two "))
    client = Client(daemon.connect())
    client.send(*(get(origin if number % 3 else other, f"/{number}") for number in range(30)))
    assert list(client.bodies(30)) == [
        (b"one" if number % 3 else b"two") + f" /{number}".encode() for number in range(30)]
    session = until(daemon.session, lambda now: now["state"] == "waiting")
    assert session["destination"].endswith(str(origin.port))


def test_connection_to_the_origin_is_kept_where_that_is_safe(hawserd, origin_of):
    daemon = hawserd()
    origin = origin_of(named(b""))
    client = Client(daemon.connect())
    for path in "/a", "/b":
        client.send(get(origin, path)).read()
    client.send(post(origin, b"body")).read()
    client.send(get(origin, "/c")).read()
    assert [request.connection for request in origin.seen] == [1, 1, 2, 2]
    assert origin.seen[2].body == b"body"


@pytest.mark.parametrize("more", [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", b"\r\n"],
                         ids=["response", "line"])
@pytest.mark.parametrize("late", [False, True])
def test_what_nobody_asked_for_answers_nothing(hawserd, origin_of, more, late):
    daemon = hawserd()
    sent = threading.Event()

    def answer(_, sock):
        if not late:
            return response(b"good") + more
        sock.sendall(response(b"good"))
        sent.wait(peers.TIMEOUT_S)
        return more

    origin = origin_of(answer)
    client = Client(daemon.connect())
    for _ in range(3):
        assert client.send(get(origin)).read()[2] == b"good"
        if late:
            sent.set()
            until(lambda: daemon.session()["upstream_transport"], lambda now: now == "none")
    assert origin.connections == 3


def test_request_is_said_again_if_a_kept_connection_was_closed(hawserd, origin_of):
    """The origin closes when the second request arrives; it is a GET without a body."""
    daemon = hawserd()
    origin = origin_of(lambda request, _: None if len(origin.seen) == 2 else response(b"good"))
    client = Client(daemon.connect())
    for _ in range(2):
        assert client.send(get(origin)).read()[2] == b"good"
    assert [request.connection for request in origin.seen] == [1, 1, 2]


@pytest.mark.parametrize("method", ["POST", "PUT", "GET"])
def test_no_request_is_said_twice_to_an_origin_that_fails(hawserd, origin_of, method):
    daemon = hawserd()
    origin = origin_of(lambda *_: None)
    client = Client(daemon.connect())
    client.send(post(origin, b"body").replace(b"POST", method.encode(), 1))
    status, head, body = client.read()
    assert status == 502 and b"HTTP" in body and "connection: close" in head.lower()
    assert client.rest() == b""
    assert len(origin.seen) == 1
    daemon.await_error("bad-response")


BROKEN = [b"<html>\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
          b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
          b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
          b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", b"HTTP/1.1 200 OK\r\nX : a\r\n\r\n",
          b"HTTP/1.1 200 OK\r\nX: \0\r\n\r\n", b"HTTP/1.1 101 No\r\nUpgrade: x\r\n\r\n",
          b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 257 + b"\r\n",
          b"HTTP/1.1 200 OK\r\nX: " + b"a" * 65536,
          b"HTTP/1.1 103 Early\r\nConnection: " + b"," * 60000 + b"\r\n\r\n"]


@pytest.mark.parametrize("answer", BROKEN, ids=range(len(BROKEN)))
def test_broken_response_is_an_error(hawserd, origin_of, answer):
    daemon = hawserd()
    origin = origin_of(lambda *_: answer)
    assert Client(daemon.connect()).send(get(origin)).read()[0] == 502
    daemon.await_error("bad-response")


@pytest.mark.parametrize("request_text", [
    "POST http://{0}/ HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
    "POST http://{0}/ HTTP/1.1\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n",
    "POST http://{0}/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "GET http://{0}/ HTTP/1.1\nHost: a\r\n\r\n",
    "POST http://{0}/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4 \r\nbody\r\n"])
def test_unclear_request_reaches_nobody(hawserd, origin_of, request_text):
    """What may be read in two ways; of a body, what is read before that is never completed."""
    daemon = hawserd()
    origin = origin_of(named(b""))
    client = Client(daemon.connect())
    client.send(request_text.format(f"{SERVER4}:{origin.port}"))
    assert client.read()[0] == 400
    assert origin.seen == []
    daemon.await_error("bad-request")


def test_longest_heads(hawserd, origin_of):
    daemon = hawserd()
    fields = [f"X-{number}: a" for number in range(240)]
    long = f"X-Long: {'a' * 60000}"
    origin = origin_of(lambda *_: response(b"good", *fields, long))
    client = Client(daemon.connect())
    for _ in range(2):
        status, head, _ = client.send(get(origin, "/", *fields, long)).read()
        assert status == 200 and f"\r\n{long}\r\n" in head and "\r\nX-239: a\r\n" in head
    assert all(request.head.count("\r\nX-") == 241 for request in origin.seen)


LONG_HEAD = f"X: {'a' * 60000}"
# 40 are 2.4 MB, and one source has 1 MiB.
MANY, REFUSED_AT_LEAST = 40, 20


def check_many(clients: list[Client]) -> None:
    """Of their long requests some get in, and are not answered; the others are refused."""
    sockets = {client.sock: client for client in clients}
    answered = until(lambda: select.select(sockets, [], [], 0)[0],
                     lambda answered: REFUSED_AT_LEAST <= len(answered) < MANY)
    assert [sockets[sock].read()[0] for sock in answered] == [503] * len(answered)
    for client in clients:
        peers.reset(client.sock)


def test_long_heads_of_one_client_are_bounded(hawserd, origin_of):
    """Some get in, more are refused, and others are not in their way."""
    daemon = hawserd("--workers", "1")
    origin = origin_of(named(b""))
    clients = [Client(daemon.connect()) for _ in range(MANY)]
    for client in clients:
        client.send(f"GET http://a/ HTTP/1.1\r\n{LONG_HEAD}")
    check_many(clients)
    until(daemon.active, lambda active: active == 0)
    assert Client(daemon.connect()).send(get(origin, "/", LONG_HEAD)).read()[0] == 200
    assert with_asan(daemon.bed.build) or daemon.resident_bytes() < 20_000_000


def test_so_are_those_of_one_household(bed, hawserd, origin_of):
    """Who has an IPv6 /64 has many addresses."""
    daemon = hawserd("--workers", "1")
    origin = origin_of(named(b""))
    sources = [f"fd77::77:{number:x}" for number in range(1, 21)]
    bed.client.batch("ip", [f"addr add {source}/64 dev lan nodad" for source in sources])
    try:
        clients = [Client(daemon.connect(family=socket.AF_INET6, source=source))
                   for source in sources * 2]
        for client in clients:
            client.send(f"GET http://a/ HTTP/1.1\r\n{LONG_HEAD}")
        # Others are not in their way.
        assert Client(daemon.connect()).send(get(origin, "/", LONG_HEAD)).read()[0] == 200
        check_many(clients)
    finally:
        bed.client.batch("ip", [f"addr del {source}/64 dev lan" for source in sources])


@pytest.mark.parametrize("until_when", ["connected", "answered"])
def test_long_heads_count_until_they_are_not_needed(bed, hawserd, origin_of, until_when):
    """While a destination is dialled, and while a request may have to be said again."""
    daemon = hawserd("--workers", "1", "--timeout", "connect=600")
    going_silent = origin_of(lambda request, sock: response(b"good") if request.line.split()[1] == "/"
                             else peers.silent(sock))
    good = origin_of(named(b""))
    clients = [Client(daemon.connect()) for _ in range(MANY)]
    with unreachable(bed, "connect-timeout") as (host, port):
        if until_when == "connected":
            request = get(good, "/", LONG_HEAD).replace(f"{SERVER4}:{good.port}", f"{host}:{port}")
        else:
            for client in clients:
                assert client.send(get(going_silent)).read()[2] == b"good"
            request = get(going_silent, "/silent", LONG_HEAD)
        for client in clients:
            client.send(request)
        check_many(clients)
    until(daemon.active, lambda active: active == 0)
    assert Client(daemon.connect()).send(get(good, "/", LONG_HEAD)).read()[0] == 200


def test_long_heads_that_have_left_take_no_room(hawserd, serve, origin_of):
    """Though they are not answered."""
    daemon = hawserd("--workers", "1")
    silent, good = serve(peers.silent), origin_of(named(b""))
    clients = [Client(daemon.connect()) for _ in range(MANY)]
    for number, client in enumerate(clients, 1):
        client.send(get(silent, "/", LONG_HEAD))
        until(lambda: [each["bytes_up"] > 60000 for each in daemon.sessions()].count(True),
              lambda sent, number=number: sent == number)
    assert Client(daemon.connect()).send(get(good, "/", LONG_HEAD)).read()[0] == 200
    assert daemon.errors() == {}


def test_silent_origin_and_idle_client(hawserd, serve):
    daemon = hawserd("--timeout", "idle=1")
    server = serve(peers.silent)
    client = Client(daemon.connect()).send(get(server))
    assert client.read()[0] == 504
    assert client.rest() == b""
    client.sock.close()
    daemon.await_error("idle-timeout")


def test_connect_after_plain_requests(hawserd, origin_of, serve):
    daemon = hawserd()
    origin, echo = origin_of(named(b"")), serve(peers.echo)
    client = Client(daemon.connect())
    assert client.send(get(origin)).read()[2] == b"/"
    client.send(f"CONNECT {SERVER4}:{echo.port} HTTP/1.1\r\n\r\nearly")
    assert client.head()[0] == 200
    assert client._file.read(5) == b"early"
    assert daemon.session()["protocol"] == "http-connect"


def test_by_an_exit(bed, hawserd, tmp_path, origin_of):
    """Each origin by a session of its own at the exit."""
    net = Net(bed, hawserd, tmp_path)
    net.serve("one")
    router = net.settled("one")
    first, second = origin_of(named(b"one ")), origin_of(named(b"two "))
    client = Client(router.connect())
    client.send(get(first, "/a"), get(first, "/b"), post(second, b"body", "/c"), get(first, "/d"))
    assert list(client.bodies(4)) == [b"one /a", b"one /b", b"two /c", b"one /d"]
    assert [request.connection for request in first.seen] == [1, 1, 2]
    assert second.seen[0].body == b"body"
    assert router.session()["exit"] == "one"
    client.sock.close()


def test_proxy_protocol_to_each_origin(hawserd, serve):
    """Once on each connection, before all else."""
    def handler(sock):
        with sock.makefile("rb") as file:
            assert file.read(28).startswith(b"\r\n\r\n\0\r\nQUIT\n\x21\x11")
            while line := file.readline():
                if line == b"\r\n":
                    sock.sendall(response(b"good"))

    servers = [serve(handler), serve(handler)]
    daemon = hawserd(*(word for server in servers
                       for word in ("--send-proxy-protocol", f"{SERVER4}:{server.port}")))
    client = Client(daemon.connect())
    for server in (servers[0], servers[0], servers[1]):
        assert client.send(get(server)).read()[2] == b"good"
