# SPDX-License-Identifier: GPL-2.0-or-later
"""The HTTP proxy on the wire: status codes for each cause, limits, and what stays of a head."""

from __future__ import annotations

import socket
import time

import pytest

import peers
from causes import UNREACHABLE, unreachable
from handshakes import at_end, authority, http_connect_request, read, read_http_head
from topology import SERVER4, SERVER6

LIMIT = 65536


@pytest.fixture
def user(tmp_path) -> list[str]:
    """Options of a listener that asks for a password."""
    file = tmp_path / "password"
    file.write_text("open sesame\n", "utf-8")
    file.chmod(0o600)
    return ["--socks", "10.77.0.1:1080", "--user", f"ali:{file}"]


def read_refusal(client: socket.socket) -> tuple[int, str]:
    code, head = read_http_head(client)
    length = int(head.lower().split("content-length: ")[1].split()[0])
    read(client, length)
    assert at_end(client)
    client.close()
    return code, head


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("method", ["CONNECT", "GET"])
@pytest.mark.parametrize("cause", UNREACHABLE)
def test_status_names_the_cause(bed, hawserd, cause, method, family):
    daemon = hawserd("--timeout", f"connect={0.5 if cause == 'connect-timeout' else 60}")
    client = daemon.connect()
    with unreachable(bed, cause, family) as (host, port):
        client.sendall(http_connect_request(host, port) if method == "CONNECT" else
                       f"GET http://{authority(host, port)}/ HTTP/1.1\r\n\r\n".encode())
        assert read_refusal(client)[0] == UNREACHABLE[cause][1]
    daemon.await_error(cause)


def test_unknown_name(hawserd, dns):
    daemon = hawserd()
    client = daemon.connect()
    client.sendall(http_connect_request("nowhere.test", 443))
    assert read_refusal(client)[0] == 502
    daemon.await_error("name-not-found")


@pytest.mark.parametrize("credentials", ["", "ali:close sesame", "baba:open sesame", "ali:", ":"])
def test_407(hawserd, user, credentials):
    daemon = hawserd(*user, listen=False)
    client = daemon.connect()
    client.sendall(http_connect_request(SERVER4, 80, credentials))
    code, head = read_refusal(client)
    assert code == 407
    assert "\r\nproxy-authenticate: basic realm=" in head.lower()
    daemon.await_error("auth-failed")


def test_password(bed, hawserd, user):
    daemon = hawserd(*user, listen=False)
    with peers.listen(bed.server) as listening:
        client = daemon.connect()
        client.sendall(http_connect_request(SERVER4, peers.port_of(listening), "ali:open sesame"))
        assert read_http_head(client)[0] == 200
        with peers.accept(listening) as server:
            server.sendall(b"hello")
            assert read(client, 5) == b"hello"


@pytest.mark.parametrize("request_text", [
    "CONNECT\r\n\r\n", "CONNECT server.test HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
    "CONNECT server.test:0 HTTP/1.1\r\n\r\n", "CONNECT server.test:65536 HTTP/1.1\r\n\r\n",
    "CONNECT :80 HTTP/1.1\r\n\r\n", "GET ftp://server.test/ HTTP/1.1\r\n\r\n",
    "CONNECT server.test:80 HTTP/1.1\r\nno colon\r\n\r\n",
    "CONNECT server.test:80 HTTP/1.1\r\nA: b\x00c\r\n\r\n"])
def test_400(hawserd, request_text):
    daemon = hawserd()
    client = daemon.connect()
    client.sendall(request_text.encode())
    assert read_refusal(client)[0] == 400
    daemon.await_error("bad-request")


def test_source_not_allowed(hawserd):
    daemon = hawserd("--socks", "10.77.0.1:1080", "--allow", "10.99.0.0/16", listen=False)
    client = daemon.connect()
    client.sendall(http_connect_request(SERVER4, 80))
    assert read_refusal(client)[0] == 403
    daemon.await_error("not-allowed")


def padded(request: bytes, size: int) -> bytes:
    """The request with a field that makes it size bytes long."""
    room = size - len(request) - len(b"X: \r\n")
    return request[:-2] + b"X: " + b"x" * room + b"\r\n\r\n"


def test_longest_head(bed, hawserd):
    daemon = hawserd()
    with peers.listen(bed.server) as listening:
        client = daemon.connect()
        request = padded(http_connect_request(SERVER4, peers.port_of(listening)), LIMIT)
        assert len(request) == LIMIT
        client.sendall(request + b"early")
        assert read_http_head(client)[0] == 200
        with peers.accept(listening) as server:
            assert read(server, 5) == b"early"


def test_head_too_long(hawserd):
    daemon = hawserd()
    client = daemon.connect()
    client.sendall(padded(http_connect_request(SERVER4, 80), LIMIT + 1))
    assert read_refusal(client)[0] == 431
    daemon.await_error("bad-request")


def test_endless_head(hawserd):
    """The refusal comes while the client still sends."""
    daemon = hawserd()
    client = daemon.connect()
    client.sendall(b"GET http://server.test/" + b"x" * LIMIT)
    assert read_refusal(client)[0] == 431
    daemon.await_error("bad-request")


@pytest.mark.parametrize("host", [SERVER4, SERVER6])
def test_one_byte_at_a_time(bed, hawserd, host):
    daemon = hawserd()
    with peers.listen(bed.server, host) as listening:
        client = daemon.connect()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in http_connect_request(host, peers.port_of(listening)) + b"early":
            client.sendall(bytes([byte]))
            time.sleep(0.0005)
        assert read_http_head(client)[0] == 200
        with peers.accept(listening) as server:
            assert read(server, 5) == b"early"


def test_plain_request_becomes_one_for_an_origin(bed, hawserd):
    """RFC 9112 section 3.2.1; and nothing of the client's credentials goes on."""
    daemon = hawserd()
    with peers.listen(bed.server) as listening:
        where = f"{SERVER4}:{peers.port_of(listening)}"
        client = daemon.connect()
        client.sendall(f"POST http://eve:pw@{where}/a?b HTTP/1.1\r\nHost: elsewhere\r\n"
                       "Proxy-Authorization: Basic YTpi\r\nProxy-Connection: keep-alive\r\n"
                       "Connection: keep-alive, X-Secret\r\nX-Secret: 1\r\nX-Open: 2\r\n"
                       "Content-Length: 4\r\n\r\nbody".encode())
        with peers.accept(listening) as server:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += read(server, 1)
            assert read(server, 4) == b"body"
            lines = head.decode().split("\r\n")
            assert lines[0] == "POST /a?b HTTP/1.1"
            fields = dict(line.lower().split(": ") for line in lines[1:] if line)
            assert fields == {"host": where, "x-open": "2", "content-length": "4",
                              "via": "1.1 hawser"}
            server.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            assert read_http_head(client)[0] == 204
