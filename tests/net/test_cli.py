# SPDX-License-Identifier: GPL-2.0-or-later
"""hawser: what it shows, to people and to scripts."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from handshakes import read
from sessions import through
from terminal import Terminal
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
        assert watching.wait(60) == 0
    assert uptimes == sorted(set(uptimes))


def test_no_daemon(bed, tmp_path):
    done = subprocess.run([bed.build / "hawser", "--control", tmp_path / "none", "status"],
                          capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1 and done.stdout == ""
    line, = done.stderr.splitlines()
    assert str(tmp_path / "none") in line and "running" in line


def start(daemon, *words: str) -> subprocess.Popen:
    """Where hawserd runs."""
    return daemon.namespace.start([daemon.bed.build / "hawser", "--control", daemon.control, *words], daemon.bed.mounts,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(started: subprocess.Popen) -> subprocess.CompletedProcess:
    out, err = started.communicate(timeout=120)
    return subprocess.CompletedProcess([], started.returncode, out, err)


@contextlib.contextmanager
def hanging(daemon):
    daemon.freeze()
    try:
        yield "it does not answer within 5 s"
    finally:
        daemon.signal(signal.SIGCONT)


@contextlib.contextmanager
def crowded(daemon):
    with contextlib.ExitStack() as clients:
        for _ in range(16):
            clients.enter_context(socket.socket(socket.AF_UNIX)).connect(daemon.control)
        yield "busy: 16 clients are connected"


@pytest.mark.mptcp
@pytest.mark.parametrize("silenced", [hanging, crowded])
def test_hawserd_that_does_not_answer(hawserd, silenced):
    """What is meant for that moment tells all else; the others end and say why."""
    daemon = hawserd()
    with silenced(daemon) as why, \
            Terminal([str(daemon.bed.build / "hawser"), "--control", daemon.control, "top"]) as top:
        commands = [start(daemon, *words.split()) for words in (
            "doctor --json", "intercept show --json", "intercept show", "status", "usage", "run true", "intercept up")]
        doctor, shown, for_people, *others = map(ended, commands)
        checks = {check["check"]: check for check in json.loads(doctor.stdout)["checks"]}
        assert (doctor.returncode, doctor.stderr) == (1, "")
        assert (checks["hawserd"]["verdict"], checks["mptcp"]["verdict"]) == ("fail", "ok")
        assert why in checks["hawserd"]["seen"] and "hawserd -c" not in checks["hawserd"]["mend"]
        assert json.loads(shown.stdout)["hawserd"] is None and shown.returncode == 0
        assert f"does not answer: {why}" in for_people.stdout
        for other in others:
            assert (other.returncode, other.stdout) == (1, "") and f"hawserd on {daemon.control}: {why}" in other.stderr
        assert top.wait() == 1 and why in top.output.decode()
    assert daemon.run_cli("status").returncode == 0


def of_the_man_page(program: str) -> list[str]:
    """The examples that go through this program, as a shell has them."""
    page = (Path(__file__).parents[2] / "man" / "hawser.1").read_text("utf-8")
    lines = [line.replace(r"\(dq", '"') for line in re.findall(r"^\.Dl (hawser .*)", page, re.M)]
    return [line for line in lines if f"| {program} " in line]


@pytest.mark.mptcp
def test_examples_of_the_man_page(hawserd):
    """They pick what they say."""
    daemon = hawserd("--tier=copy")
    found = {}
    with through(daemon, ("tcp", "mptcp")) as (_, server), through(daemon):
        for line in of_the_man_page("awk"):
            command = line.replace("hawser", f"{daemon.bed.build}/hawser --control {daemon.control}", 1)
            found[line.split()[1]] = subprocess.run(
                ["sh", "-c", command.replace("sockmap", "copy")], capture_output=True, text=True, timeout=120,
                check=True).stdout.splitlines()
        assert found["sessions"] == [f"{SERVER4}:{server.getsockname()[1]}"]
    assert len(found["flows"]) == 4


def hawser(build, *words: str, **settings) -> subprocess.CompletedProcess:
    return subprocess.run([build / "hawser", *words], capture_output=True, text=True, timeout=120,
                          check=False, **settings)


@pytest.mark.parametrize("words", [
    [], ["nonsense"], ["help", "nonsense"], ["--nonsense", "status"], ["status", "--nonsense"],
    ["status", "sessions"], ["--json", "run", "true"], ["run"], ["sessions", "--json=1"],
    ["status", "--control"], ["--watch=0", "links"], ["session", "1", "--watch=nan"],
    ["--control", "x" * 108, "flows"], ["token", "old"], ["doctor", "--watch"]], ids=" ".join)
def test_bad_usage(build, words):
    """One line that names what is wrong, and a hint."""
    done = hawser(build, *words)
    assert done.returncode == 2 and done.stdout == ""
    complaint, hint = done.stderr.splitlines()
    assert complaint.startswith("hawser: ") and hint.startswith("try: hawser help")


def commands(build) -> list[str]:
    lines = hawser(build, "help").stdout.split("commands:\n")[1].split("\n\n")[0].splitlines()
    return [line.split()[0] for line in lines]


def test_help_everywhere(build):
    assert {"status", "run", "doctor", "help", "version"} <= set(commands(build))
    for words in ["--help"], ["-h"], ["help"]:
        assert hawser(build, *words).stdout == hawser(build, "help").stdout
    for command in commands(build):
        usual = hawser(build, command, "--help")
        assert usual.returncode == 0 and usual.stderr == ""
        assert usual.stdout.startswith(f"usage: hawser {command} ")
        for words in [command, "-h"], ["help", command], ["-h", command], ["--json", "-h", command]:
            if words[0] != "--json" or "--json" in usual.stdout:
                assert hawser(build, *words).stdout == usual.stdout, words
    assert hawser(build, "links", "help").stdout == hawser(build, "help", "links").stdout


@pytest.mark.parametrize("words", [["version"], ["--version"]], ids=" ".join)
def test_version(build, words):
    done = hawser(build, *words)
    assert done.returncode == 0 and done.stdout.startswith("hawser 0.")


def test_the_man_page_has_each_command_and_option(build):
    page = (Path(__file__).parents[2] / "man" / "hawser.1").read_text("utf-8")
    for command in commands(build):
        assert re.search(rf"^\.It Cm {command}(?![a-z-])", page, re.M), command
        for option in re.findall(r"^  --([a-z-]+)", hawser(build, "help", command).stdout, re.M):
            assert re.search(rf"^\.It Fl -(?:.* Fl -)?{option}(?![a-z-])", page, re.M), option
    described = set(re.findall(r"^\.It Cm ([a-z-]+)(?: up| down| show| new| Ar [a-z]+| Op .*)*$",
                               page.split(".Sh JSON")[0], re.M))
    assert described == set(commands(build))


def test_options_before_and_after(hawserd):
    daemon = hawserd()
    for words in (["--json", "status"], ["status", "--json"], ["--watch", "--json", "--help", "status"]):
        assert daemon.run_cli(*words).returncode == 0
    before, after = (hawser(daemon.bed.build, *words) for words in (
        ["--control", daemon.control, "--json", "sessions"],
        ["sessions", "--json", f"--control={daemon.control}"]))
    assert before.stdout == after.stdout == '{"sessions":[]}\n'


@pytest.mark.parametrize("words", [["echo", "-n", "--json"], ["--", "echo", "-n", "--json"],
                                   ["--bypass", "echo", "-n", "--json"]], ids=" ".join)
def test_run_leaves_options_to_its_command(build, words):
    """Whether or not it may run here, it is the command's option, not ours."""
    done = hawser(build, "run", *words)
    assert done.returncode != 2 and "option" not in done.stderr
    assert done.returncode or done.stdout == "--json"


@pytest.mark.parametrize("limit", [8, 16, 70])
def test_too_few_descriptors(build, tmp_path, limit):
    """hawserd names what lacks, whatever would have failed first."""
    done = subprocess.run(["sh", "-c", f"ulimit -n {limit}; exec \"$@\"", "sh", build / "hawserd",
                           "--workers", "2", "--control", tmp_path / "socket"],
                          capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    _, line = done.stderr.splitlines()
    assert "too few file descriptors" in line and str(limit) in line and "ulimit -n" in line


def test_cli_with_few_descriptors(build, tmp_path):
    for limit in range(4, 9):
        done = subprocess.run(["sh", "-c", f"ulimit -n {limit}; exec \"$@\"", "sh",
                               build / "hawser", "intercept", "show"],
                              capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode >= 0, (limit, done)
