# SPDX-License-Identifier: GPL-2.0-or-later
"""The client's side of SOCKS5, SOCKS4(a) and HTTP CONNECT, in pieces that tests can bend."""

from __future__ import annotations

import base64
import ipaddress
import socket

NO_PASSWORD = b"\x05\x01\x00"
PASSWORD = b"\x05\x01\x02"
CONNECT, BIND, UDP_ASSOCIATE = 1, 2, 3


class Refused(Exception):
    """The proxy said no; code is its reply."""

    def __init__(self, code: int) -> None:
        super().__init__(f"refused with {code}")
        self.code = code


def read(sock: socket.socket, size: int) -> bytes:
    """Exactly size bytes; EOFError when they do not come."""
    data = bytearray()
    while len(data) < size:
        chunk = sock.recv(size - len(data))
        if not chunk:
            raise EOFError(f"end of stream after {bytes(data)!r}")
        data += chunk
    return bytes(data)


def at_end(sock: socket.socket) -> bool:
    """Whether the peer has ended its stream, in order."""
    return sock.recv(1) == b""


def proxy_header(source: str, source_port: int, to: str, to_port: int, tlvs: bytes = b"") -> bytes:
    """Section 2.2 of haproxy's doc/proxy-protocol.txt: version 2, PROXY, TCP."""
    pair = [ipaddress.ip_address(address) for address in (source, to)]
    body = b"".join(address.packed for address in pair)
    body += source_port.to_bytes(2, "big") + to_port.to_bytes(2, "big") + tlvs
    return (b"\r\n\r\n\0\r\nQUIT\n\x21" + (b"\x11" if pair[0].version == 4 else b"\x21")
            + len(body).to_bytes(2, "big") + body)


def socks5_host(host: str) -> bytes:
    """ATYP and DST.ADDR of RFC 1928 section 5."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return b"\x03" + bytes([len(host)]) + host.encode()
    return (b"\x01" if address.version == 4 else b"\x04") + address.packed


def socks5_request(host: str, port: int, command: int = CONNECT) -> bytes:
    return bytes([5, command, 0]) + socks5_host(host) + port.to_bytes(2, "big")


def socks5_password(name: str, password: str) -> bytes:
    return (b"\x01" + bytes([len(name)]) + name.encode() + bytes([len(password)])
            + password.encode())


def read_socks5_reply(sock: socket.socket) -> int:
    """The reply's code; takes the whole reply from the stream."""
    head = read(sock, 4)
    assert head[0] == 5 and head[2] == 0, head
    read(sock, {1: 4, 4: 16}[head[3]] + 2)
    return head[1]


def socks5(sock: socket.socket, host: str, port: int) -> None:
    sock.sendall(NO_PASSWORD)
    assert read(sock, 2) == b"\x05\x00"
    sock.sendall(socks5_request(host, port))
    code = read_socks5_reply(sock)
    if code != 0:
        raise Refused(code)


def socks4_request(host: str, port: int, user: str = "") -> bytes:
    """SOCKS4 for an IPv4 address, SOCKS4a for a name."""
    try:
        address, name = ipaddress.IPv4Address(host).packed, b""
    except ValueError:
        address, name = b"\0\0\0\x01", host.encode() + b"\0"
    return b"\x04\x01" + port.to_bytes(2, "big") + address + user.encode() + b"\0" + name


def read_socks4_reply(sock: socket.socket) -> int:
    reply = read(sock, 8)
    assert reply[0] == 0, reply
    return reply[1]


def authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def http_connect_request(host: str, port: int, user: str = "") -> bytes:
    """user is NAME:PASSWORD."""
    where = authority(host, port)
    credentials = (f"Proxy-Authorization: Basic {base64.b64encode(user.encode()).decode()}\r\n"
                   if user else "")
    return f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n{credentials}\r\n".encode()


def read_http_head(sock: socket.socket) -> tuple[int, str]:
    """Status code and the whole head; takes nothing behind it."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += read(sock, 1)
    return int(head.split()[1]), head.decode()


def http_connect(sock: socket.socket, host: str, port: int) -> None:
    sock.sendall(http_connect_request(host, port))
    code, _ = read_http_head(sock)
    if code != 200:
        raise Refused(code)
