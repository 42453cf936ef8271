# SPDX-License-Identifier: GPL-2.0-or-later
"""curl through every protocol that it and hawserd share, over IPv4 and IPv6, down and up."""

from __future__ import annotations

import pytest

from origin import PAYLOAD, Origin
from programs import run
from topology import LAN4, LAN6, SERVER4, SERVER6


def curl(bed, *arguments: str) -> bytes:
    return run(bed, "curl", "-q", "--silent", "--show-error", "--fail", "--max-time", "100",
               *arguments)


SCHEMES = {
    "socks5h": ["-x", "socks5h://{proxy}:1080"],
    "socks5": ["-x", "socks5://{proxy}:1080"],
    "socks4a": ["-x", "socks4a://{proxy}:1080"],
    "socks4": ["-x", "socks4://{proxy}:1080"],
    "http": ["-x", "http://{proxy}:1080"],
    "tunnel": ["-p", "-x", "http://{proxy}:1080"],
}
PROTOCOLS = {"socks5h": "socks5", "socks5": "socks5", "socks4a": "socks4a", "socks4": "socks4",
             "http": "http", "tunnel": "http-connect"}
# SOCKS4 and 4a carry no IPv6 address.
HOSTS = [(scheme, host) for scheme in SCHEMES for host in (SERVER4, SERVER6, "server.test")
         if not (scheme.startswith("socks4") and host == SERVER6)]


@pytest.mark.parametrize(("scheme", "host"), HOSTS)
def test_download(bed, hawserd, origin, scheme, host):
    daemon = hawserd()
    proxy = f"[{LAN6}]" if host == SERVER6 else LAN4
    options = [option.format(proxy=proxy) for option in SCHEMES[scheme]]
    assert curl(bed, *options, origin.url(host, "payload")) == PAYLOAD
    assert origin.requests() == [("GET", "/payload", origin.url(host, "").split("/")[2])]
    status = daemon.status()
    assert {name: count for name, count in status["protocols"].items() if count} == \
        {PROTOCOLS[scheme]: 1}
    assert status["bytes"]["down"] > len(PAYLOAD)
    assert status["upstream"]["mptcp" if bed.mptcp else "tcp"] == 1


@pytest.mark.parametrize("scheme", ["socks5h", "http", "tunnel"])
def test_upload(bed, hawserd, origin, scheme):
    hawserd()
    options = [option.format(proxy=LAN4) for option in SCHEMES[scheme]]
    curl(bed, *options, "--upload-file", str(origin.directory / "payload"),
         origin.url(SERVER4, "copy"))
    assert (origin.directory / "copy").read_bytes() == PAYLOAD


def test_two_hosts_by_one_proxy_connection(bed, hawserd, origin):
    """A client of an HTTP proxy may keep its connection and ask for another host on it."""
    hawserd()
    (origin.directory / "small").write_bytes(b"small")
    with Origin(bed.server, origin.directory, bed.mptcp) as second:
        urls = [origin.url(SERVER4, "small"), second.url(SERVER6, "small"),
                origin.url(SERVER6, "small")]
        assert curl(bed, "-x", f"http://{LAN4}:1080", *urls) == b"small" * 3
        assert (len(origin.requests()), len(second.requests())) == (2, 1)


@pytest.mark.parametrize("scheme", ["socks5h", "http", "tunnel"])
def test_password(bed, hawserd, origin, tmp_path, scheme):
    secret = tmp_path / "secret"
    secret.write_text("open sesame\n", "utf-8")
    secret.chmod(0o600)
    daemon = hawserd("--socks", f"{LAN4}:1080", "--user", f"ali:{secret}", listen=False)
    options = [option.format(proxy=LAN4) for option in SCHEMES[scheme]]
    assert curl(bed, *options, "--proxy-user", "ali:open sesame",
                origin.url(SERVER4, "payload")) == PAYLOAD
    with pytest.raises(AssertionError, match="curl: "):
        curl(bed, *options, "--proxy-user", "ali:close sesame", origin.url(SERVER4, "payload"))
    daemon.await_error("auth-failed")
