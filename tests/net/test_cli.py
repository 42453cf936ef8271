# SPDX-License-Identifier: GPL-2.0-or-later
"""hawser: what it shows, to people and to scripts."""

from __future__ import annotations

import json
import signal
import subprocess

from handshakes import read
from sessions import through
from topology import CLIENT4, SERVER4


def test_status(bed, hawserd):
    daemon = hawserd()
    with through(daemon) as (client, server):
        client.sendall(b"12345")
        assert read(server, 5) == b"12345"
        done = daemon.run_cli("--json", "status")
        assert done.returncode == 0 and done.stdout.count("\n") == 1
        status = json.loads(done.stdout)
        assert status["sessions"] == {"active": 1, "total": 1}
        assert status["bytes"] == {"up": 5, "down": 0}
        assert status["pid"] == daemon.pid
        assert status["protocols"]["socks5"] == 1
        assert set(status["errors"]) >= {"refused", "name-not-found", "reset", "other"}
        for_people = daemon.run_cli("status")
        assert for_people.returncode == 0 and for_people.stderr == ""
        for word in ("10.77.0.1:1080", "1 active", "mptcp", "splice"):
            assert word in for_people.stdout


def test_sessions(bed, hawserd):
    daemon = hawserd()
    assert json.loads(daemon.run_cli("--json", "sessions").stdout) == {"sessions": []}
    with through(daemon) as (client, server):
        client.sendall(b"12345")
        assert read(server, 5) == b"12345"
        session, = json.loads(daemon.run_cli("--json", "sessions").stdout)["sessions"]
        destination = f"{SERVER4}:{server.getsockname()[1]}"
        source = f"{CLIENT4}:{client.getsockname()[1]}"
        assert (session["client"], session["destination"]) == (source, destination)
        assert (session["state"], session["protocol"]) == ("relaying", "socks5")
        assert session["exit"] == ""
        assert (session["bytes_up"], session["bytes_down"]) == (5, 0)
        assert 0 <= session["idle_s"] <= session["age_s"] < 60
        row = daemon.run_cli("sessions").stdout.splitlines()[1]
        assert source in row and destination in row


def test_watch(bed, hawserd):
    daemon = hawserd()
    with subprocess.Popen([bed.build / "hawser", "--control", daemon.control, "--json",
                           "--watch=0.1", "status"], stdout=subprocess.PIPE) as watching:
        uptimes = [json.loads(watching.stdout.readline())["uptime_s"] for _ in range(3)]
        watching.send_signal(signal.SIGINT)
        assert watching.wait(10) == 0
    assert uptimes == sorted(set(uptimes))


def test_no_daemon(bed, tmp_path):
    done = subprocess.run([bed.build / "hawser", "--control", tmp_path / "none", "status"],
                          capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 1 and done.stdout == ""
    line, = done.stderr.splitlines()
    assert str(tmp_path / "none") in line and "running" in line


def test_bad_usage(hawserd):
    daemon = hawserd()
    for arguments in ([], ["nonsense"], ["--nonsense", "status"], ["status", "sessions"]):
        done = daemon.run_cli(*arguments)
        assert done.returncode == 2 and "usage" in done.stderr, arguments
