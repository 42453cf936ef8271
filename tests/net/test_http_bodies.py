# SPDX-License-Identifier: GPL-2.0-or-later
"""Bodies of plain HTTP: they arrive whole, what ends too early is seen to, and nobody waits for one
that does not come."""

from __future__ import annotations

import socket
import threading

import pytest

import peers
from crowd import with_asan
from handshakes import read
from http_origin import Client, get, named, origin_of, response  # pylint: disable=unused-import
from waiting import until


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
        read_it.wait(peers.TIMEOUT_S)
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


def test_many_interim_responses(hawserd, origin_of):
    """However many, and behind a long one: each is passed on."""
    daemon = hawserd()
    long = f"X: {'a' * 60000}"
    origin = origin_of(lambda *_: f"HTTP/1.1 103 Early\r\n{long}\r\n\r\n".encode()
                       + b"HTTP/1.1 102 \r\n\r\n" * 10000 + response(b"done"))
    client = Client(daemon.connect()).send(get(origin))
    assert long in client.head()[1]
    for _ in range(10000):
        assert client.head()[0] == 102
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


@pytest.mark.mptcp
@pytest.mark.parametrize("before", ["", "other other", "same other", "same same"])
def test_upgrade_of_a_client_that_fell_back(bed, hawserd, origin_of, before):
    """Its heads were longer than what went on of them, and other responses came before: nothing is lost."""
    def echo(request, sock):
        if "Upgrade" not in request.head:
            return response(b"good")
        sock.sendall(b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
        peers.echo(sock)
        return None

    daemon = hawserd()
    origins = {"same": origin_of(echo), "other": origin_of(echo)}
    with bed.rules("tcp dport 1080 tcp flags & psh != 0 reset tcp option mptcp", bed.router):
        client = Client(daemon.connect(mptcp=True))
        long = "Proxy-Authorization: Basic " + "a" * 3000
        for name in before.split():
            assert client.send(get(origins[name], "/", long)).read()[2] == b"good"
        client.send(get(origins["same"], "/", *UPGRADE, long))
        assert client.head()[0] == 101
        session = until(daemon.session, lambda now: now["state"] == "relaying")
        assert session["client_transport"] == "fallback"
        # What is known to have no MPTCP is dialled without the next time.
        assert (session["upstream_transport"] == "fallback") == (before != "same other")
        client.send(LONG).sock.shutdown(socket.SHUT_WR)
        assert client.rest() == LONG
    until(daemon.active, lambda active: active == 0)
    assert daemon.errors() == {}


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
                sent[0].wait(peers.TIMEOUT_S)
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
          lambda now, seen=[]: seen.append(now) or (now[0] > 0 and len(seen) > 20 and seen[-20] == now))
    assert 0 < len(sent) < size // 1_000_000
    assert with_asan(daemon.bed.build) or daemon.resident_bytes() - before < 4_000_000
    assert client._file.read(size) == b"x" * size
    # The other way.
    sent[:] = [threading.Event()]
    put = get(server, "/", f"Content-Length: {size}").replace("GET", "PUT")
    writer = threading.Thread(target=client.send, args=(put, b"y" * size), daemon=True)
    writer.start()
    writer.join(1)
    assert writer.is_alive()
    assert with_asan(daemon.bed.build) or daemon.resident_bytes() - before < 4_000_000
    sent[0].set()
    assert client.read()[2] == b"got it"
    writer.join(60)
