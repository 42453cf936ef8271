# SPDX-License-Identifier: GPL-2.0-or-later
"""The configuration file, and signals: SIGHUP reloads, SIGTERM drains, SIGINT stops."""

from __future__ import annotations

import signal
import socket
import threading
import time
from pathlib import Path

import pytest

import peers
from daemon import PORT
from handshakes import at_end, read
from http_origin import Client, get, named, origin_of, response  # pylint: disable=unused-import
from patience import PATIENCE
from sessions import through
from test_start import start
from topology import LAN4, LAN6, LAN_PREFIX4, LAN_PREFIX6
from waiting import until


def text(*more: str, ports: tuple[int, ...] = (PORT,)) -> str:
    """A configuration that listens on the LAN."""
    listeners = "".join(f'listen "lan {port}" {{ address = "{LAN4}:{port}" }}\n'
                        for port in ports)
    return (f'# A comment.\n{listeners}'
            f'access {{ allow = {{ "{LAN_PREFIX4}", "{LAN_PREFIX6}" }} }}\n'
            + "\n".join(more) + "\n")


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "hawser.conf"
    path.write_text(text(), "utf-8")
    return path


@pytest.fixture
def daemon(hawserd, file):
    return hawserd("-c", str(file), listen=False)


def reload(daemon, says: str) -> None:
    before = daemon.log().count(says)
    daemon.signal(signal.SIGHUP)
    until(lambda: daemon.log().count(says) > before)


def works(daemon) -> None:
    with through(daemon) as (client, server):
        client.sendall(b"hello")
        assert read(server, 5) == b"hello"


def test_every_section(bed, hawserd, file, serve, tmp_path):
    server = serve(peers.echo)
    (tmp_path / "password").write_text("open sesame\n", "utf-8")
    file.write_text(text(
        f'listen "fixed" {{ address = "[{LAN6}]:5000" to = "server.test:{server.port}" }}',
        'daemon { workers = 3 }', 'upstream { mptcp = off congestion = system }',
        'relay { tier = copy }',
        'timeouts { handshake = 61 resolve = 62 connect = 63 idle = 64.5 half-closed = 65 drain = 66 }',
        f'user "ali" {{ password-file = "{tmp_path}/password" }}'), "utf-8")
    daemon = hawserd("-c", str(file), listen=False)
    status = daemon.status()
    assert (status["workers"], status["mptcp"], status["tier"], status["congestion"]) == \
        (3, "off", "copy", "system")
    assert {entry["address"]: entry.get("to") for entry in status["listeners"]} == \
        {f"{LAN4}:{PORT}": None, f"[{LAN6}]:5000": f"server.test:{server.port}"}
    with through(daemon):
        assert daemon.session()["tier_up"] == "copy"


def test_options_go_before_the_file(hawserd, file):
    file.write_text(text("relay { tier = copy }", "daemon { workers = 3 }"), "utf-8")
    daemon = hawserd("-c", str(file), "--tier", "splice", listen=False)
    status = daemon.status()
    assert (status["tier"], status["workers"]) == ("splice", 3)


@pytest.mark.parametrize(("line", "says"), [
    ("relay { tier = magic }", "copy"), ("relay { teir = copy }", "tier"),
    ("upstream { mptcp = 1 ", ""), ("timeouts { connect = -1 }", "0.1"),
    ("daemon { workers = 65 }", "64"), ("nonsense", ""),
    ('user "ali" { }', "password-file"), ('listen "x" { }', "address")])
def test_broken_file(bed, file, line, says):
    """One line: the file, the line, what is wrong, what is expected."""
    file.write_text(text(line), "utf-8")
    at = 1 + text().count("\n") - 1
    for more in ([], ["--check"]):
        done = start(bed, "-c", str(file), *more)
        assert done.returncode == 2
        complaint, = done.stderr.strip().splitlines()
        where, _, what = complaint.partition(": ")[2].partition(": ") \
            if complaint.startswith("error: ") else complaint.partition(": ")
        name, _, number = where.rpartition(":")
        assert name == str(file) and at <= int(number) <= at + 2, complaint
        assert says in what and "expected" in what


def test_reload_takes_the_new_and_keeps_sessions(bed, daemon, file):
    with through(daemon) as (client, server):
        file.write_text(text("upstream { mptcp = off }", "relay { tier = copy }", ports=(1081,)),
                        "utf-8")
        reload(daemon, "configuration reloaded")
        status = daemon.status()
        assert (status["mptcp"], status["tier"]) == ("off", "copy")
        assert [entry["address"] for entry in status["listeners"]] == [f"{LAN4}:1081"]
        with pytest.raises(ConnectionRefusedError):
            daemon.connect()
        with daemon.connect(port=1081):
            pass
        for sender, receiver in ((client, server), (server, client)):
            sender.sendall(b"still here")
            assert read(receiver, 10) == b"still here"
    file.write_text(text(), "utf-8")
    reload(daemon, "configuration reloaded")
    works(daemon)


def test_reload_of_who_is_allowed(daemon, file):
    file.write_text(text().replace(LAN_PREFIX4, "10.99.0.0/16"), "utf-8")
    works(daemon)
    reload(daemon, "configuration reloaded")
    with daemon.connect() as client:
        client.sendall(b"\x05\x01\x00")
        assert read(client, 2) == b"\x05\xff"


@pytest.mark.parametrize("broken", [
    "relay { tier = magic }", "nonsense", f'listen "x" {{ address = "{LAN4}:1099" }}'])
def test_reload_of_a_broken_file(bed, daemon, file, broken):
    """All stays as it was; the last cannot be bound, as somebody else listens there."""
    before = daemon.status()["listeners"]
    with peers.listen(bed.router, LAN4, 1099), through(daemon) as (client, server):
        file.write_text(text("upstream { mptcp = off }", broken, ports=(PORT, 1081)), "utf-8")
        reload(daemon, "stays as it was")
        status = daemon.status()
        assert status["listeners"] == before and status["mptcp"] == "auto"
        client.sendall(b"still here")
        assert read(server, 10) == b"still here"
        with pytest.raises(ConnectionRefusedError):
            daemon.connect(port=1081)
    works(daemon)


def test_reload_under_load(daemon, file):
    """No connection is lost to a reload that leaves its listener as it was."""
    new = file.with_suffix(".new")
    for number in range(20):
        # hawserd may be at the signal before, and a file that is half written has no listener.
        new.write_text(text("relay { tier = copy }" if number % 2 else ""), "utf-8")
        new.replace(file)
        daemon.signal(signal.SIGHUP)
        for _ in range(10):
            works(daemon)


def test_term_waits_for_sessions(daemon):
    with through(daemon) as (client, server):
        daemon.signal(signal.SIGTERM)
        until(lambda: "draining" in daemon.log())
        with pytest.raises(ConnectionRefusedError):
            daemon.connect()
        time.sleep(0.5)
        for sender, receiver in ((client, server), (server, client)):
            sender.sendall(b"still here")
            assert read(receiver, 10) == b"still here"
        assert daemon.status()["sessions"]["active"] == 1
        client.close()
        assert at_end(server)
    assert daemon.wait() == 0


def test_term_without_sessions_stops(daemon):
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0


def drain(daemon) -> None:
    daemon.signal(signal.SIGTERM)
    until(lambda: "draining" in daemon.log())


def test_term_waits_for_no_further_request(hawserd, origin_of):
    daemon = hawserd("--timeout", "drain=6000")
    origin = origin_of(named(b""))
    idle = [Client(daemon.connect()) for _ in range(3)]
    for client in idle:
        assert "connection: close" not in client.send(get(origin)).read()[1].lower()
    drain(daemon)
    assert daemon.wait() == 0
    for client in idle:
        assert client.rest() == b""


@pytest.mark.parametrize("after", ["the request", "the head", "the next request"])
def test_term_waits_for_responses(hawserd, origin_of, after):
    """They are whole, and the last says that no other follows, if it can."""
    daemon = hawserd("--timeout", "drain=6000")
    arrived, go_on = threading.Event(), threading.Event()

    def answer(request, sock):
        whole = response(b"good")
        sent = 0 if after == "the request" else len(whole) - 2
        if request.line.split()[1] == "/":
            sock.sendall(whole[:sent])
            arrived.set()
            assert go_on.wait(peers.TIMEOUT_S)
            return whole[sent:]
        return whole

    client = Client(daemon.connect())
    client.send(get(origin := origin_of(answer)))
    assert arrived.wait(peers.TIMEOUT_S)
    if after != "the request":
        until(lambda: daemon.session()["bytes_down"] > 0)
    if after == "the next request":
        client.send(get(origin, "/next"))
    drain(daemon)
    go_on.set()
    heads = [client.read()]
    if after == "the next request":
        heads.append(client.read())
    assert [body for _, _, body in heads] == [b"good"] * len(heads)
    assert ("connection: close" in heads[-1][1].lower()) == (after != "the head")
    assert client.rest() == b""
    client.sock.shutdown(socket.SHUT_WR)
    assert daemon.wait() == 0


def test_term_waits_no_longer_than_the_drain_time(hawserd):
    daemon = hawserd("--timeout", "drain=1")
    with through(daemon) as (client, server):
        started = time.monotonic()
        daemon.signal(signal.SIGTERM)
        assert peers.was_reset(client) and peers.was_reset(server)
        assert 0.8 < time.monotonic() - started < 25 * PATIENCE  # 30 s without the setting
    assert daemon.wait() == 0


@pytest.mark.parametrize("signals", [[signal.SIGINT], [signal.SIGTERM, signal.SIGTERM],
                                     [signal.SIGTERM, signal.SIGINT]])
def test_stop_at_once(hawserd, signals):
    """Cuts sessions, and their ends see a reset."""
    daemon = hawserd()
    with through(daemon) as (client, server):
        for number in signals[:-1]:
            daemon.signal(number)
            until(lambda: "draining" in daemon.log())
        daemon.signal(signals[-1])
        assert daemon.wait() == 0
        assert peers.was_reset(client) and peers.was_reset(server)
