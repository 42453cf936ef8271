# SPDX-License-Identifier: GPL-2.0-or-later
"""Whom --local-accel takes and whom it leaves alone, and that nothing of it is left."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import termios
import threading

import pytest

import peers
from feature import lacks
from handshakes import read, socks5
from local_clients import PORT, cgroup, counters, local, through  # pylint: disable=unused-import
from pattern import MEGABYTE, exchange
from test_start import start
from topology import LAN4, LAN6, SERVER4
from waiting import until


def unread(client: socket.socket) -> int:
    return struct.unpack("i", fcntl.ioctl(client, termios.FIONREAD, bytes(4)))[0]


def assert_left_alone(client: socket.socket, server: socket.socket) -> None:
    """Its socket is in no sockmap: there, this would count another queue (run on 6.18)."""
    server.sendall(b"answer")
    until(lambda: unread(client), lambda count: count == 6)
    assert read(client, 6) == b"answer"


def test_blocking_client_is_left_alone(bed, cgroup, local):
    """In a sockmap, its recv() would fail with EAGAIN when a signal comes."""
    daemon = local()
    with through(bed, cgroup, blocking=True) as (client, server):
        assert daemon.session()["tier_up"] != "local"
        assert_left_alone(client, server)
        threading.Timer(0.2, signal.raise_signal, [signal.SIGURG]).start()
        threading.Timer(0.5, server.sendall, [b"at last"]).start()
        assert client.recv(7) == b"at last"
    assert counters(daemon)["clients"] == 0


def test_client_that_becomes_blocking_is_let_go(bed, cgroup, local):
    daemon = local()
    with through(bed, cgroup) as (client, server):
        assert daemon.session()["tier_up"] == "local"
        client.settimeout(None)
        client.sendall(b"question")
        assert read(server, 8) == b"question"
        assert_left_alone(client, server)
    assert counters(daemon)["redirected"] == 0


def test_client_outside_the_cgroup(bed, local):
    daemon = local()
    with peers.listen(bed.server) as listening, \
            peers.connect(bed.router, LAN4, PORT) as client:
        socks5(client, SERVER4, peers.port_of(listening))
        with peers.accept(listening) as server:
            assert daemon.session()["tier_up"] != "local"
            assert_left_alone(client, server)


def test_other_destinations_are_left_alone(bed, cgroup, local):
    """A client in the cgroup that talks to somebody else, on another port or address."""
    local()
    with peers.listen(bed.router, "127.0.0.1", PORT) as listening:
        with cgroup.entered():
            client = bed.router.socket(socket.AF_INET)
        with client:
            client.settimeout(peers.TIMEOUT_S)
            client.connect(("127.0.0.1", PORT))
            with peers.accept(listening) as server:
                assert_left_alone(client, server)


@pytest.mark.parametrize(("listen", "address"), [
    (f"0.0.0.0:{PORT + 1}", LAN4), (f"[::]:{PORT + 1}", LAN6)])
def test_listener_on_every_address(bed, cgroup, local, listen, address):
    daemon = local("--socks", listen)
    with peers.listen(bed.server) as listening:
        with cgroup.entered():
            client = bed.router.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        with client:
            client.settimeout(peers.TIMEOUT_S)
            client.connect((address, PORT + 1))
            socks5(client, SERVER4, peers.port_of(listening))
            with peers.accept(listening):
                assert daemon.session()["tier_up"] == "local"


def test_reload_moves_it_to_new_listeners(bed, cgroup, local, tmp_path):
    file = tmp_path / "hawser.conf"
    file.write_text(f'listen "more" {{ address = "127.0.0.1:{PORT + 1}" }}\n', "ascii")
    daemon = local("-c", str(file))
    with peers.listen(bed.server) as listening:
        file.write_text(f'listen "more" {{ address = "127.0.0.1:{PORT + 2}" }}\n', "ascii")
        daemon.signal(signal.SIGHUP)
        until(lambda: str(daemon.status()["listeners"]), lambda text: str(PORT + 2) in text)
        with cgroup.entered():
            client = bed.router.socket(socket.AF_INET)
        with client:
            client.settimeout(peers.TIMEOUT_S)
            client.connect(("127.0.0.1", PORT + 2))
            socks5(client, SERVER4, peers.port_of(listening))
            with peers.accept(listening):
                assert daemon.session()["tier_up"] == "local"


def attached(cgroup) -> bool:
    bpftool = shutil.which("bpftool", path=os.defpath + ":/usr/sbin:/sbin")
    assert bpftool, "the set-up installs bpftool"
    return "hawser" in subprocess.run([bpftool, "cgroup", "show", str(cgroup.path)], check=True,
                                      capture_output=True, text=True).stdout


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_nothing_is_left(bed, cgroup, local, number):
    """However it ends: the program is detached and the client's socket is its own again."""
    daemon = local()
    with through(bed, cgroup) as (client, _):
        client.sendall(b"x" * 1000)
        assert attached(cgroup)
        daemon.signal(number)
        daemon.wait()
        assert peers.was_reset(client) or number == signal.SIGKILL
        until(lambda: attached(cgroup), lambda still: not still)
    with peers.listen(bed.router, LAN4, PORT) as listening:
        with cgroup.entered():
            client = bed.router.socket(socket.AF_INET)
        with client:
            client.settimeout(peers.TIMEOUT_S)
            client.connect((LAN4, PORT))
            with peers.accept(listening) as server:
                assert_left_alone(client, server)


@pytest.mark.parametrize(("path", "says"), [
    ("/nonexistent", "No such file"), ("/tmp", "not in a cgroup2"), ("", "No such file")])
def test_wrong_path(bed, path, says):
    done = start(bed, "--local-accel", path)
    assert done.returncode == 2
    assert f"--local-accel {path}" in done.stderr
    assert says in done.stderr and "expected the directory of a cgroup" in done.stderr


def test_without_rights_it_serves_by_tcp(bed, cgroup, hawserd):
    """A kernel's refusal is a line and a reason, no failure."""
    daemon = hawserd("--local-accel", str(cgroup.path),
                     prefix=("setpriv", "--bounding-set=-all", "--inh-caps=-all"))
    state = daemon.status()["local_accel"]
    assert state["available"] is False
    if "too old" in state["reason"]:
        lacks(state["reason"], "local-accel")
    if "BPF" not in state["reason"]:
        assert "not permitted" in state["reason"]
    assert f"local-accel: no, {state['reason']}" in daemon.log()
    with through(bed, cgroup) as (client, server):
        exchange(client, server, MEGABYTE)


@pytest.mark.mptcp
def test_no_sessions_of_mptcp_clients(bed, cgroup, local):
    daemon = local()
    with peers.listen(bed.server) as listening:
        with cgroup.entered():
            client = peers.connect(bed.router, LAN4, PORT, mptcp=True)
        with client:
            socks5(client, SERVER4, peers.port_of(listening))
            with peers.accept(listening) as server:
                assert daemon.session()["tier_up"] != "local"
                exchange(client, server, MEGABYTE)
