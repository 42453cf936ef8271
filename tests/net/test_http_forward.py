# SPDX-License-Identifier: GPL-2.0-or-later
"""Plain HTTP requests on the wire: each reaches its own origin, each response its own request, and
what ends too early is seen to."""

from __future__ import annotations

import socket
import threading

import pytest

import peers
from exit_net import Net
from handshakes import read
from http_origin import Client, HttpOrigin, response
from topology import SERVER4
from waiting import until

AUTHORIZATION = "Proxy-Authorization: Basic YWxpOm9wZW4gc2VzYW1l\r\n"  # ali:open sesame


@pytest.fixture
def origin_of(bed, hawserd):
    """Makes origins; they stop before the daemons are looked at."""
    made: list[HttpOrigin] = []

    def make(answer, **settings) -> HttpOrigin:
        made.append(HttpOrigin(bed.server, answer, **settings))
        return made[-1]

    yield make
    for each in made:
        each.close()


def named(name: bytes):
    """Answers with its name and the request's target, and keeps the connection."""
    return lambda request, _: response(name + request.line.split()[1].encode())


def get(origin: HttpOrigin, path: str = "/", *fields: str, version: str = "1.1") -> str:
    lines = [f"GET http://{SERVER4}:{origin.port}{path} HTTP/{version}",
             f"Host: {SERVER4}:{origin.port}", *fields, "", ""]
    return "\r\n".join(lines)


def post(origin: HttpOrigin, body: bytes, path: str = "/", *fields: str) -> bytes:
    return get(origin, path, f"Content-Length: {len(body)}", *fields).replace(
        "GET", "POST", 1).encode() + body


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
    assert daemon.session()["destination"].endswith(str(origin.port))
    assert daemon.session()["state"] == "waiting"


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
        sent.wait(5)
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
          b"HTTP/1.1 200 OK\r\nX: " + b"a" * 65536]


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


def chunked(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces) + end


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LONG = bytes(range(256)) * 4000


@pytest.mark.parametrize(("answer", "body"), [
    (CHUNKED + chunked(b"a", b"bcd" * 1000, LONG), b"a" + b"bcd" * 1000 + LONG),
    (CHUNKED + chunked(*[b"x"] * 5000), b"x" * 5000),
    (CHUNKED + chunked(b"a", end=b"0;x\r\nX-Sum: 1\r\nHost: evil\r\n\r\n"), b"a"),
    (response(LONG), LONG), (response(), b""),
    (b"HTTP/1.0 200 OK\r\n\r\n" + LONG, LONG), (b"HTTP/1.1 200 OK\r\n\r\n", b"")],
    ids=["chunked", "small chunks", "trailers", "length", "empty", "until close", "closed"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_bodies_arrive_whole(hawserd, origin_of, answer, body, version):
    """In whatever way their end is told; where the client understands it, the connection is kept."""
    daemon = hawserd()

    def answer_once(_, sock):
        sock.sendall(answer)
        sock.shutdown(socket.SHUT_WR)
        return b""

    origin = origin_of(answer_once)
    client = Client(daemon.connect()).send(get(origin, version=version))
    if version == "1.1":
        assert client.read()[2] == body
        assert client.send(get(origin)).read()[2] == body
    else:
        _, head = client.head()
        assert "transfer-encoding" not in head.lower()
        assert client.rest() == body


def test_chunked_upload(hawserd, origin_of):
    daemon = hawserd()
    origin = origin_of(named(b""))
    client = Client(daemon.connect())
    head = get(origin, "/", "Transfer-Encoding: chunked").replace("GET", "PUT", 1)
    client.send(head, chunked(*[b"x"] * 3000, LONG), get(origin, "/next"))
    assert list(client.bodies(2)) == [b"/", b"/next"]
    assert origin.seen[0].body == b"x" * 3000 + LONG and len(origin.seen) == 2


CUT = [b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 500, CHUNKED + b"1f4\r\n" + b"x" * 500,
       CHUNKED + chunked(b"x" * 500, end=b""), CHUNKED + chunked(b"x" * 500, end=b"0\r\n"),
       CHUNKED + chunked(b"x" * 500, end=b"5\nx")]


@pytest.mark.parametrize("answer", CUT, ids=range(len(CUT)))
@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("reset", [False, True])
def test_what_ends_too_early_is_seen_to(hawserd, origin_of, answer, version, reset):
    daemon = hawserd()
    read_it = threading.Event()

    def cut(_, sock):
        sock.sendall(answer)
        read_it.wait(5)
        if reset:
            peers.reset(sock)
        return None

    origin = origin_of(cut)
    client = Client(daemon.connect()).send(get(origin, version=version))
    _, head = client.head()
    if answer != CUT[-1]:  # that ends the session by itself
        until(lambda: daemon.session()["bytes_down"], lambda count: count >= len(answer))
    read_it.set()
    if version == "1.0" and "content-length" not in head.lower():
        with pytest.raises(ConnectionResetError):
            client.rest()
    else:
        got = client.rest()
        assert got.count(b"x") == 500 and not got.endswith(b"\r\n0\r\n\r\n")
    daemon.await_error("reset")


def test_reset_of_an_endless_body_is_seen(hawserd, origin_of):
    """For its orderly end would be its end."""
    daemon = hawserd()

    def cut(_, sock):
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\nabc")
        until(lambda: daemon.session()["bytes_down"], lambda count: count > 20)
        peers.reset(sock)

    origin = origin_of(cut)
    client = Client(daemon.connect()).send(get(origin))
    client.head()
    assert client.rest() == b"3\r\nabc\r\n"


@pytest.mark.parametrize(("request_line", "answer"), [
    ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
    ("HEAD", CHUNKED), ("GET", b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"),
    ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
    ("GET", b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n")])
def test_responses_without_a_body(hawserd, origin_of, request_line, answer):
    daemon = hawserd()
    origin = origin_of(lambda request, _: response(b"next") if request.line.split()[1] == "/next"
                       else answer)
    client = Client(daemon.connect())
    client.send(get(origin).replace("GET", request_line, 1), get(origin, "/next"))
    status, _ = client.head()
    assert str(status).encode() == answer.split()[1]
    assert client.read()[2] == b"next"
    assert origin.connections == 1


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_interim_responses(hawserd, origin_of, version):
    """They are for clients that know of them."""
    daemon = hawserd()
    origin = origin_of(lambda *_: b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n"
                       b"Link: x\r\n\r\n" + response(b"done"))
    client = Client(daemon.connect()).send(get(origin, version=version))
    if version == "1.1":
        assert client.head()[0] == 100
        status, head = client.head()
        assert status == 103 and "Link: x" in head
    assert client.read()[::2] == (200, b"done")


def test_expectation(hawserd, serve):
    """The client sends its body when the origin says so."""
    def handler(sock):
        with sock.makefile("rb") as file:
            while file.readline() != b"\r\n":
                pass
            sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            sock.sendall(response(file.read(4)))

    server = serve(handler)
    client = Client(hawserd().connect())
    client.send(get(server, "/", "Expect: 100-continue", "Content-Length: 4").replace("GET", "PUT"))
    assert client.head()[0] == 100
    assert client.send(b"body").read()[2] == b"body"


UPGRADE = ("Connection: Upgrade", "Upgrade: websocket")


def test_upgrade(hawserd, serve):
    """After 101 bytes are bytes, also those that came with it."""
    def handler(sock):
        with sock.makefile("rb") as file:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += file.readline()
            assert b"\r\nConnection: Upgrade\r\n" in head and b"\r\nUpgrade: websocket\r\n" in head
            sock.sendall(b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket"
                         b"\r\n\r\nhello")
            sock.sendall(file.read(21))
            sock.sendall(b"".join(iter(lambda: file.read(1), b"")))

    server = serve(handler)
    daemon = hawserd()
    client = Client(daemon.connect()).send(get(server, "/", *UPGRADE), b"GET / HTTP/1.1 \r\n\r\n..")
    status, head = client.head()
    assert status == 101 and "\r\nUpgrade: websocket\r\n" in head
    assert read(client.sock, 0) == b"" and client._file.read(26) == b"helloGET / HTTP/1.1 \r\n\r\n.."
    assert daemon.session()["state"] == "relaying"
    client.send(LONG).sock.shutdown(socket.SHUT_WR)
    assert client.rest() == LONG


@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request", "426 Upgrade Required"])
def test_declined_upgrade(hawserd, origin_of, status):
    """Then what comes next is a request."""
    daemon = hawserd()
    origin = origin_of(lambda *_: response(b"no", "Upgrade: other", status=status))
    other = origin_of(named(b""))
    client = Client(daemon.connect())
    client.send(get(origin, "/", *UPGRADE), get(other, "/next"))
    code, head, body = client.read()
    assert (str(code), body) == (status.split()[0], b"no")
    assert ("upgrade: other" in head.lower()) == status.startswith("426")
    assert client.read()[2] == b"/next" and len(origin.seen) == 1


def test_refusal_before_the_end_of_the_body(hawserd, serve):
    """It arrives, and nothing comes after it."""
    def handler(sock):
        with sock.makefile("rb") as file:
            while file.readline() != b"\r\n":
                pass
            sock.sendall(response(b"too much", status="413 Content Too Large"))

    server = serve(handler)
    client = Client(hawserd().connect())
    client.send(get(server, "/", "Content-Length: 5000000").replace("GET", "PUT"), b"x" * 100000)
    status, head, body = client.read()
    assert (status, body) == (413, b"too much") and "connection: close" in head.lower()
    assert client.rest() == b""


def test_slow_reader_stops_the_origin(hawserd, serve):
    """And memory stays bounded, both ways; then all arrives."""
    size = 60_000_000
    sent = []

    def handler(sock):
        with sock.makefile("rb") as file:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += file.readline()
            if head.startswith(b"PUT"):
                sent[0].wait(20)
                assert len(file.read(size)) == size
                sock.sendall(response(b"got it"))
                return
            sock.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
            for _ in range(size // 1_000_000):
                sock.sendall(b"x" * 1_000_000)
                sent.append(True)

    server = serve(handler)
    daemon = hawserd()
    before = daemon.resident_bytes()
    client = Client(daemon.connect()).send(get(server))
    client.head()
    until(lambda: (len(sent), daemon.session()["bytes_down"]),
          lambda now, seen=[]: seen.append(now) or (len(seen) > 20 and seen[-20] == now), seconds=20)
    assert 0 < len(sent) < size // 1_000_000
    assert daemon.resident_bytes() - before < 4_000_000
    assert client._file.read(size) == b"x" * size
    # The other way.
    sent[:] = [threading.Event()]
    put = get(server, "/", f"Content-Length: {size}").replace("GET", "PUT")
    writer = threading.Thread(target=client.send, args=(put, b"y" * size), daemon=True)
    writer.start()
    writer.join(1)
    assert writer.is_alive()
    assert daemon.resident_bytes() - before < 4_000_000
    sent[0].set()
    assert client.read()[2] == b"got it"
    writer.join(5)


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


def test_long_heads_of_one_client_are_bounded(hawserd, origin_of):
    """Some get in, more are refused, and others are not in their way."""
    daemon = hawserd("--workers", "1")
    origin = origin_of(named(b""))
    begun = [daemon.connect() for _ in range(40)]
    for client in begun:
        client.sendall(b"GET http://a/ HTTP/1.1\r\nX: " + b"a" * 60000)
    until(lambda: daemon.errors().get("resources", 0), lambda refused: 5 < refused < 30)
    for client in begun:
        client.close()
    assert Client(daemon.connect()).send(get(origin, "/", "X: " + "a" * 60000)).read()[0] == 200
    assert daemon.resident_bytes() < 20_000_000


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
