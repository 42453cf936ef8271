# SPDX-License-Identifier: GPL-2.0-or-later
"""Starting: what hawserd refuses, and how it says so; defaults; the control socket."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest

import peers
from handshakes import http_connect, read, socks5
from patience import PATIENCE
from topology import LAN4, LAN6, SERVER4
from waiting import until

NOBODY = 65534


def start(bed, *options: str) -> subprocess.CompletedProcess:
    """A hawserd that is expected to end by itself."""
    with bed.router.start([str(bed.build / "hawserd"), *options], bed.mounts, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            output, complaints = process.communicate(timeout=120 * PATIENCE)
        finally:
            process.kill()
    return subprocess.CompletedProcess(options, process.returncode, output, complaints)


@pytest.mark.parametrize(("options", "says"), [
    (["--socks", f"{LAN4}:1080"], "--allow"),
    (["--socks", f"[{LAN6}]:1080"], "--allow"),
    (["--socks", "0.0.0.0:1080"], "--allow"),
    (["--forward", f"{LAN4}:5000=server.test:80"], "--allow"),
    (["--socks", "nonsense"], "nonsense"),
    (["--socks", "127.0.0.1:0"], "127.0.0.1:0"),
    (["--socks", "127.0.0.1:65536"], "65536"),
    (["--socks", "127.0.0.1:1080", "--transparent", "0.0.0.0:1080"], "overlaps"),
    (["--socks", "[::1]:1080", "--transparent", "[::]:1080"], "overlaps"),
    (["--transparent", "[fe80::1]:1080"], "link-local"),
    (["--forward", "127.0.0.1:5000"], "127.0.0.1:5000"),
    (["--allow", "10.0.0.1/8"], "10.0.0.1/8"),
    (["--allow", "10.0.0.0/33"], "10.0.0.0/33"),
    (["--user", "ali:/nonexistent"], "/nonexistent"),
    (["--user", "ali"], "ali"),
    (["--mptcp", "maybe"], "auto, on or off"),
    (["--tier", "magic"], "auto, copy, splice"),
    (["--congestion", "nonsense"], "nonsense"),
    (["--workers", "0"], "1 to 64"),
    (["--timeout", "connect=never"], "never"),
    (["--timeout", "lunch=1"], "lunch"),
    (["--log-level", "loud"], "loud"),
    (["--no-such-option"], "no-such-option"),
    (["-c", "/nonexistent"], "/nonexistent"),
    (["argument"], "argument"),
])
def test_refused(bed, options, says):
    """Exit status 2 and one line that names the culprit, and nothing listens."""
    for more in ([], ["--check"]):
        done = start(bed, *options, *more)
        assert done.returncode == 2, done
        assert says in done.stderr
        assert len(done.stderr.strip().splitlines()) <= 2, done.stderr
        assert done.stdout == ""


def test_check_starts_nothing(bed, tmp_path):
    control = tmp_path / "control.sock"
    done = start(bed, "--check", "--socks", "127.0.0.1:1080", "--control", str(control))
    assert (done.returncode, done.stderr) == (0, "")
    assert not control.exists()


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_information(bed, option):
    done = start(bed, option)
    assert done.returncode == 0 and "hawserd" in done.stdout and done.stderr == ""


def test_defaults(bed, hawserd, serve):
    """Without any configuration: loopback only, both families, all protocols; and a line that
    says how to try it."""
    daemon = hawserd(listen=False)
    listening = {entry["address"] for entry in daemon.status()["listeners"]}
    assert listening == {"127.0.0.1:1080", "[::1]:1080"}
    assert "curl -x socks5h://127.0.0.1:1080" in daemon.log()
    server = serve(peers.echo)
    for address, handshake in (("127.0.0.1", socks5), ("::1", http_connect)):
        with peers.connect(bed.router, address, 1080) as client:
            handshake(client, "server.test", server.port)
            client.sendall(b"hello")
            assert read(client, 5) == b"hello"
    with pytest.raises(ConnectionRefusedError):
        daemon.connect()


def test_address_in_use(bed, hawserd):
    with peers.listen(bed.router, LAN4, 1080):
        done = start(bed, "--socks", f"{LAN4}:1080", "--allow", "10.77.0.0/24")
    assert done.returncode == 1
    assert f"{LAN4}:1080" in done.stderr and "in use" in done.stderr


def test_second_daemon_does_not_take_the_listeners(bed, hawserd):
    """SO_REUSEPORT alone would let it have every other connection."""
    daemon = hawserd()
    done = start(bed, "--socks", f"{LAN4}:1080", "--allow", "10.77.0.0/24",
                 "--control", f"{daemon.directory}/other.sock")
    assert done.returncode == 1
    assert f"{LAN4}:1080" in done.stderr and "in use" in done.stderr


def test_control_socket(bed, hawserd):
    """Only its user may use it; gone when hawserd is."""
    daemon = hawserd()
    status = os.stat(daemon.control)
    assert stat.S_ISSOCK(status.st_mode) and stat.S_IMODE(status.st_mode) == 0o600
    daemon.signal(signal.SIGINT)
    assert daemon.wait() == 0
    assert not Path(daemon.control).exists()


def test_second_daemon_on_one_control_socket(bed, hawserd):
    daemon = hawserd()
    done = start(bed, "--socks", "127.0.0.1:1081", "--control", daemon.control)
    assert done.returncode == 1
    assert daemon.control in done.stderr and "another hawserd" in done.stderr
    assert daemon.active() == 0


def test_control_socket_of_a_killed_daemon_is_replaced(hawserd):
    first = hawserd()
    first.signal(signal.SIGKILL)
    first.wait()
    assert Path(first.control).exists()
    assert hawserd(directory=first.directory).active() == 0


def test_control_socket_takes_no_nonsense(hawserd):
    daemon = hawserd()
    assert "unknown command" in daemon.ask("nonsense")["error"]
    for nonsense in b"nonsense\n", b"x" * 100_000:
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(10)
            control.connect(daemon.control)
            # It may hang up before it has seen all.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                control.sendall(nonsense)
            assert b"error" in control.recv(4096)
    assert daemon.answers()


def test_control_socket_outlives_a_crowd(hawserd):
    """That connects and asks nothing."""
    daemon = hawserd()
    with contextlib.ExitStack() as crowd:
        for _ in range(100):
            crowd.enter_context(socket.socket(socket.AF_UNIX)).connect(daemon.control)
    until(daemon.answers)


@pytest.fixture
def nobody():
    """A directory that the user nobody owns, and gets to, with hawserd's binary."""
    with tempfile.TemporaryDirectory() as directory:
        os.chown(directory, NOBODY, NOBODY)
        yield Path(directory)


def test_unprivileged(nobody, bed, hawserd):
    """As a user with no capability at all."""
    binary = nobody / "hawserd"
    binary.write_bytes((bed.build / "hawserd").read_bytes())
    binary.chmod(0o755)
    daemon = hawserd(
        prefix=("setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups",
                "--bounding-set", "-all", "--inh-caps", "-all", "--no-new-privs",
                "--pdeathsig", "KILL", "--"), directory=str(nobody), binary=binary)
    status = Path(f"/proc/{daemon.pid}/status").read_text("ascii")
    fields = dict(line.split(":\t", 1) for line in status.splitlines())
    assert fields["Uid"].split() == [str(NOBODY)] * 4
    assert all(int(fields[name], 16) == 0 for name in ("CapPrm", "CapEff", "CapBnd"))
    with peers.listen(bed.server, mptcp=bed.mptcp) as listening:
        client = daemon.dial(SERVER4, peers.port_of(listening))
        with peers.accept(listening) as server:
            client.sendall(b"hello")
            assert read(server, 5) == b"hello"
            assert daemon.session()["upstream_transport"] == ("mptcp" if bed.mptcp else "tcp")
