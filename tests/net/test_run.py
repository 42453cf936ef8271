# SPDX-License-Identifier: GPL-2.0-or-later
"""hawser run: a command's TCP is taken, however it is made, and nothing else; nothing is left."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

import peers
from feature import lacks
from lan import PORT, SERVERS, Interceptor
from lan_fixtures import lan  # pylint: disable=unused-import
from local_clients import cgroup  # pylint: disable=unused-import
from patience import PATIENCE
from process_tree import CHILDREN_IGNORED
from terminal import Terminal
from topology import LAN4
from waiting import until

AF = {4: socket.AF_INET, 6: socket.AF_INET6}
OTHER_PORT = PORT + 1
BYPASSED_PORT = 7
LOOPBACK = {4: "127.0.0.1", 6: "::1"}
TIMEOUT_S = 60 * PATIENCE

# Programs of UAPI types need no kernel BTF.
WITHOUT_BTF = ("unshare", "--mount", "sh", "-c",
               'mount -t tmpfs none /sys/kernel/btf && exec "$@"', "sh")


@pytest.fixture(scope="module")
def client(build):
    return str(build / "tests" / "static_client")


@pytest.fixture(scope="module")
def home(lan, cgroup):
    """The cgroup that runs begin in: one of our own, so that others' do not show."""
    lan.skip_without("bpf")
    return cgroup


@pytest.fixture(scope="module")
def daemon(lan, home):
    made = Interceptor(lan, "tproxy", "--bypass-port", str(BYPASSED_PORT))
    first = run(made, home, "true")
    if first.returncode and "the kernel" in first.stderr:
        lacks(first.stderr, "run")
    # The programs stay loaded.
    until(lambda: links(made), lambda count: count == 0)
    made.baseline = made.open_files()
    yield made
    made.finish()


@pytest.fixture(scope="module")
def server(lan):
    with contextlib.closing(peers.Server(lan.server, lambda sock: sock.sendall(b"hello"))) as made:
        yield made


@pytest.fixture(params=[4, 6], ids=["ipv4", "ipv6"])
def family(request):
    return request.param


def words(daemon, home, *command: str) -> list[str]:
    return [*home.command(str(daemon.bed.build / "hawser"), "--control", daemon.control, "run",
                          *command)]


def run(daemon, home, *command: str) -> subprocess.CompletedProcess:
    with daemon.bed.router.entered():
        return subprocess.run(words(daemon, home, "--", *command), capture_output=True, text=True,
                              timeout=TIMEOUT_S, check=False)


@contextlib.contextmanager
def running(daemon, home, *command: str, stdin: bool = False):
    """In the background, killed at the end."""
    with daemon.bed.router.entered():
        process = subprocess.Popen(words(daemon, home, "--", *command),
                                   stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, text=True)
    with process:
        try:
            yield process
        finally:
            process.kill()


def links(daemon) -> int:
    """Of BPF, that hawserd holds."""
    count = 0
    for entry in os.scandir(f"/proc/{daemon.pid}/fdinfo"):
        with contextlib.suppress(FileNotFoundError):
            count += "link_type" in Path(entry.path).read_text("ascii")
    return count


def left(home) -> list[str]:
    """cgroups of runs."""
    return [path.name for path in home.path.glob("hawser-run-*")]


def await_none_left(home) -> None:
    """Who has just ended may still be in one for a moment."""
    until(lambda: left(home), lambda found: found == [])


def taken(daemon) -> int:
    return daemon.status()["protocols"]["transparent"]


@pytest.mark.parametrize("kind", ["tcp", "child", "mptcp"])
def test_taken(daemon, home, client, server, family, kind):
    before, errors = taken(daemon), daemon.errors()
    answer = SERVERS[family]
    done = run(daemon, home, client, kind, answer, str(server.port))
    # An MPTCP socket is asked for its peer, but another one below it connects.
    peer = LOOPBACK[family] if kind == "mptcp" else answer
    assert done.stdout == f"{LOOPBACK[family]} {peer} hello", done.stderr
    assert taken(daemon) == before + 1
    await_none_left(home)
    assert daemon.errors() == errors


def test_mapped_address(daemon, home, client, server):
    """IPv4 by an IPv6 socket."""
    done = run(daemon, home, client, "tcp", f"::ffff:{SERVERS[4]}", str(server.port))
    assert done.stdout == f"::ffff:127.0.0.1 ::ffff:{SERVERS[4]} hello", done.stderr


def test_udp_is_left_alone(lan, daemon, home, client, family):
    with lan.server.socket(AF[family], socket.SOCK_DGRAM) as answering:
        answering.settimeout(TIMEOUT_S)
        answering.bind((SERVERS[family], 0))
        with running(daemon, home, client, "udp", SERVERS[family],
                     str(peers.port_of(answering))) as process:
            _, asked = answering.recvfrom(1)
            answering.sendto(b"hello", asked)
            output, _ = process.communicate(timeout=TIMEOUT_S)
    assert output == f"{asked[0]} {SERVERS[family]} hello"
    assert asked[0] != LOOPBACK[family]


def test_loopback_is_left_alone(lan, daemon, home, client, family):
    before = taken(daemon)
    with peers.listen(lan.router, LOOPBACK[family]) as listening, \
            running(daemon, home, client, "tcp", LOOPBACK[family],
                    str(peers.port_of(listening))) as process:
        with peers.accept(listening) as accepted:
            accepted.sendall(b"hello")
        assert process.communicate(timeout=TIMEOUT_S)[0].endswith(" hello")
    assert taken(daemon) == before


def test_a_socket_that_was_refused_is_left_alone_the_next_time(lan, daemon, home, client, family):
    """What it connected to before is forgotten."""
    before = taken(daemon)
    with lan.rules(f"iif lo tcp dport {PORT} reject with tcp reset", lan.router), \
            peers.listen(lan.router, LOOPBACK[family]) as listening, \
            running(daemon, home, client, "again", SERVERS[family],
                    str(peers.port_of(listening))) as process:
        with peers.accept(listening) as accepted:
            accepted.sendall(b"hello")
        output, _ = process.communicate(timeout=TIMEOUT_S)
    assert output == f"{LOOPBACK[family]} {LOOPBACK[family]} hello"
    assert taken(daemon) == before


def test_own_address_is_dialled_by_ourselves(lan, daemon, home, client):
    """An exit could not."""
    with peers.listen(lan.router, LAN4) as listening, \
            running(daemon, home, client, "tcp", LAN4,
                    str(peers.port_of(listening))) as process:
        with peers.accept(listening) as accepted:
            assert daemon.relaying()["upstream_transport"] == "tcp"
            accepted.sendall(b"hello")
        assert process.communicate(timeout=TIMEOUT_S)[0].endswith(f" {LAN4} hello")


def test_bypassed_address_is_dialled_plainly(lan, daemon, home, client):
    with peers.listen(lan.server, SERVERS[4], BYPASSED_PORT, mptcp=True) as listening, \
            running(daemon, home, client, "tcp", SERVERS[4], str(BYPASSED_PORT)) as process:
        with peers.accept(listening) as accepted:
            assert daemon.relaying()["upstream_transport"] == "tcp"
            accepted.sendall(b"hello")
        assert process.communicate(timeout=TIMEOUT_S)[0].endswith(" hello")


def test_who_dials_the_listener_is_refused(daemon, home, client):
    before = daemon.status()["sessions"]["total"]
    assert run(daemon, home, client, "tcp", "127.0.0.1", str(PORT)).returncode != 0
    assert daemon.status()["sessions"]["total"] == before + 1


@pytest.mark.parametrize("script, code", [
    ("exit 7", 7), ("kill -TERM $$", 128 + signal.SIGTERM), ("kill -KILL $$", 128 + signal.SIGKILL)])
def test_exit_status(daemon, home, script, code):
    assert run(daemon, home, "sh", "-c", script).returncode == code
    await_none_left(home)


@pytest.mark.parametrize("command, code", [("/nonexistent", 127), ("/etc/passwd", 126)])
def test_what_cannot_be_executed(daemon, home, command, code):
    done = run(daemon, home, command)
    assert (done.returncode, command in done.stderr) == (code, True)
    await_none_left(home)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_signals_are_passed_on(daemon, home, number):
    script = f"trap 'exit 9' {number.value}; echo ready; while :; do sleep 0.05; done"
    with running(daemon, home, "sh", "-c", script) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.wait(TIMEOUT_S) == 9
    await_none_left(home)


@pytest.mark.parametrize("options", [("--",), ("--bypass", "--")], ids=["taken", "bypass"])
def test_children_were_ignored(daemon, home, options):
    """By who started it: it learns of the end nevertheless, and so may the command."""
    script = "sh -c 'exit 7' & wait $!"
    with daemon.bed.router.entered():
        done = subprocess.run(
            home.command(*CHILDREN_IGNORED, str(daemon.bed.build / "hawser"), "--control", daemon.control, "run",
                         *options, "bash", "-c", script),
            capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 7, done.stderr
    await_none_left(home)


def says(word: str):
    return lambda screen: any(word in line for line in screen)


OF_ITS_OWN_GROUP = ("timeout", "1000")


@pytest.mark.parametrize("group", [(), OF_ITS_OWN_GROUP], ids=["same", "own"])
@pytest.mark.parametrize("number, key", [(signal.SIGINT, b"\3"), (signal.SIGQUIT, b"\x1c"), (signal.SIGHUP, b"")],
                         ids=["INT", "QUIT", "HUP"])
def test_signals_of_a_terminal(daemon, home, group, number, key):
    """Whoever it tells of them: of its end only the leader of the session, which hawser is here."""
    script = f"trap 'exit 9' {number.value}; echo ready; while :; do sleep 0.05; done"
    with Terminal(words(daemon, home, "--bypass", "--", *group, "sh", "-c", script)) as terminal:
        terminal.until(says("ready"))
        if key:
            terminal.type(key)
        else:
            terminal.hang_up()
        assert terminal.wait() == 9
    await_none_left(home)


@pytest.mark.parametrize("group", [(), OF_ITS_OWN_GROUP], ids=["same", "own"])
def test_stopped_and_continued_at_a_terminal(daemon, home, group):
    def states() -> set[str]:
        found = set()
        for path in home.path.glob("hawser-run-*/cgroup.procs"):
            for pid in path.read_text("ascii").split():
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    stat = Path(f"/proc/{pid}/stat").read_text("ascii")
                    found.add(stat.rpartition(")")[2].split()[0])
        return found

    script = "trap 'kill $!; exit 9' INT; sleep 1000 & echo ready; wait"
    run_it = words(daemon, home, "--bypass", "--", *group, "sh", "-c", script)
    shell = 'set -m; "$@"; echo "stopped $?"; read _; fg >/dev/null; echo "over $?"'
    with Terminal(["bash", "-c", shell, "-", *run_it]) as terminal:
        terminal.until(says("ready"))
        terminal.type(b"\x1a")
        terminal.until(says(f"stopped {128 + signal.SIGTSTP}"))
        until(states, lambda found: found == {"T"})
        terminal.type(b"\n")
        until(states, lambda found: "T" not in found)
        terminal.type(b"\3")
        terminal.until(says("over 9"))
        assert terminal.wait() == 0
    await_none_left(home)


def test_killed(daemon, home):
    """Nothing remains: no process, no cgroup, and no link of BPF."""
    script = "mkdir $(ls -d $0/hawser-run-*)/own; setsid sleep 1000 & echo ready; wait"
    with running(daemon, home, "sh", "-c", script, str(home.path)) as process:
        assert process.stdout.readline() == "ready\n"
        assert (len(left(home)), links(daemon) > 0) == (1, True)
        process.kill()
        process.wait(TIMEOUT_S)
        await_none_left(home)
    until(lambda: links(daemon), lambda count: count == 0)


def test_killed_with_its_guardian(daemon, home):
    """The next run removes what is left."""
    with running(daemon, home, "sh", "-c", "echo ready; exec sleep 1000") as process:
        assert process.stdout.readline() == "ready\n"
        # Besides the command, only hawser and its guardian are here. Neither sees the other's end.
        members = home.path / "cgroup.procs"
        pids = [int(pid) for pid in members.read_text("ascii").split()]
        for number in signal.SIGSTOP, signal.SIGKILL:
            for pid in pids:
                os.kill(pid, number)
        process.wait(TIMEOUT_S)
        until(lambda: members.read_text("ascii"), lambda pids: pids == "")
        assert len(left(home)) == 1
        assert run(daemon, home, "true").returncode == 0
        await_none_left(home)


def test_what_it_started_may_outlive_it(lan, daemon, home, client, server):
    """As any command's children; it is taken as before, and the cgroup goes with it."""
    with running(daemon, home, "sh", "-c",
                 f"exec 3<&0; (read go <&3; {client} tcp {SERVERS[4]} {server.port}) &",
                 stdin=True) as process:
        assert process.wait(TIMEOUT_S) == 0
        assert len(left(home)) == 1
        process.stdin.write("go\n")
        process.stdin.flush()
        assert process.stdout.read() == f"127.0.0.1 {SERVERS[4]} hello"
    await_none_left(home)


def test_two_side_by_side(lan, daemon, home, client):
    """The end of one is nothing to the other."""
    with peers.listen(lan.server, SERVERS[4]) as listening:
        ask = (client, "tcp", SERVERS[4], str(peers.port_of(listening)))
        with running(daemon, home, *ask) as one, peers.accept(listening) as first, \
                running(daemon, home, *ask) as two, peers.accept(listening) as second:
            assert len(left(home)) == 2
            first.sendall(b"one")
            first.close()
            assert one.communicate(timeout=TIMEOUT_S)[0].endswith("one")
            until(lambda: len(left(home)), lambda count: count == 1)
            second.sendall(b"two")
            second.close()
            assert two.communicate(timeout=TIMEOUT_S)[0].endswith("two")
    await_none_left(home)


@pytest.mark.parametrize("options, own", [(("--bypass",), False), ((), True)],
                         ids=["bypass", "again"])
def test_run_in_a_run(daemon, home, client, server, family, options, own):
    before = taken(daemon)
    done = run(daemon, home, str(daemon.bed.build / "hawser"), "--control", daemon.control, "run",
               *options, "--", client, "tcp", SERVERS[family], str(server.port))
    address = done.stdout.split()[0]
    assert done.stdout == f"{address} {SERVERS[family]} hello", done.stderr
    assert (address == LOOPBACK[family]) == own
    assert taken(daemon) == before + own
    await_none_left(home)


def test_without_hawserd(lan, home, client, server):
    """When it dies, what the command connects to is reached as if it had never been there; and none
    is started without."""
    dying = Interceptor(lan, "tproxy", listeners=("--transparent", f"127.0.0.1:{OTHER_PORT}"),
                        prefix=WITHOUT_BTF)
    try:
        script = f"echo ready; read go; exec {client} tcp {SERVERS[4]} {server.port}"
        with running(dying, home, "sh", "-c", script, stdin=True) as process:
            assert process.stdout.readline() == "ready\n"
            assert links(dying) > 0
            dying.signal(signal.SIGKILL)
            dying.wait()
            output, _ = process.communicate("go\n", timeout=TIMEOUT_S)
        assert output.endswith(f" {SERVERS[4]} hello") and not output.startswith("127.")
        done = run(dying, home, "true")
        assert (done.returncode, "is it running?" in done.stderr) == (1, True)
    finally:
        dying.finish()
    await_none_left(home)


@pytest.mark.parametrize("options, reason", [
    (("--socks", f"127.0.0.1:{OTHER_PORT}"), "needs a transparent listener"),
    (("--transparent", f"127.0.0.1:{OTHER_PORT}", "--no-bpf"), "bpf = off")])
def test_hawserd_that_cannot(lan, home, options, reason):
    other = Interceptor(lan, "tproxy", listeners=options)
    try:
        done = run(other, home, "echo", "ran")
        assert (done.returncode, done.stdout) == (1, "")
        assert reason in done.stderr
    finally:
        other.finish()
    await_none_left(home)


def test_other_network(lan, daemon, home):
    with lan.client.entered():
        done = subprocess.run(words(daemon, home, "--", "echo", "ran"), capture_output=True,
                              text=True, timeout=TIMEOUT_S, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "another network namespace" in done.stderr
    await_none_left(home)


def test_without_the_privilege(daemon, home):
    done = subprocess.run(
        [*home.command("setpriv", "--reuid=65534", "--clear-groups", "--bounding-set=-all",
                       str(daemon.bed.build / "hawser")), "run", "--", "echo", "ran"],
        capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "needs root" in done.stderr
