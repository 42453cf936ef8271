# SPDX-License-Identifier: GPL-2.0-or-later
"""bench/ measures what it says, its load notices what a proxy loses, and an interrupted run leaves nothing
behind. Figures are not judged."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import processes
import pytest

from cgroup import IdleCgroup, QuotaCgroup
from conftest import ROOT
from namespace import Namespace
from process_tree import is_gone, programs
from waiting import until

BENCH = [sys.executable, "-B", str(ROOT / "bench" / "bench.py")]
PATIENCE_S = 120
PORT, SPOILT_PORT = 5001, 5002
# What must not be over before something happens in it, which ends it.
LONG = "--seconds=60"
HELLO_BYTES = 48  # what each connection of the load begins with
GOOD_ENDS = {"work": "ends", "half_close": "kept", "server_reset": "reset", "client_reset": "reset"}
LOST_ENDS = {"work": "ends", "half_close": "lost", "server_reset": "clean end", "client_reset": "clean end"}


@pytest.fixture
def load(build):
    return str(build / "bench" / "load" / "load")


@pytest.fixture
def here():
    """Whose ports nobody else has."""
    with contextlib.closing(Namespace()) as made:
        yield made


@pytest.fixture
def server(load, here):
    """A load's server, at PORT."""
    with contextlib.ExitStack() as stack:
        process = processes.start(stack, here, load, "serve", f"--listen=127.0.0.1:{PORT}")
        processes.wait_for(here, "127.0.0.1", PORT, process)
        yield process


def start_load(stack: contextlib.ExitStack, here: Namespace, load: str, port: int, *words: str) -> subprocess.Popen:
    return processes.start(stack, here, load, "run", f"--to=127.0.0.1:{port}", "--warm-up=0.05", *words)


def run(here: Namespace, load: str, port: int, *words: str) -> subprocess.CompletedProcess:
    with contextlib.ExitStack() as stack:
        process = start_load(stack, here, load, port, *words)
        output, _ = process.communicate(timeout=PATIENCE_S)
        return subprocess.CompletedProcess(process.args, process.returncode, output, processes.errors(process))


def found(done: subprocess.CompletedProcess) -> dict:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@contextlib.contextmanager
def bad_proxy(here: Namespace, spoil, ends_after_s: float = 0):
    """Forwards from SPOILT_PORT to PORT; spoil(data, position, downwards) says what becomes of bytes of the stream: None
    ends the session in order, for both sides. ends_after_s: from one side's end until both see one."""
    with here.entered():
        listener = socket.create_server(("127.0.0.1", SPOILT_PORT))

    def move(source, target, downwards):
        position = 0
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                spoilt = spoil(data, position, downwards)
                position += len(data)
                if spoilt is None:
                    break
                target.sendall(spoilt)
        time.sleep(ends_after_s)
        for end in source, target:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def begin(client):
        """Only the threads have the sockets: they are closed with the last of them, which tells who still sends."""
        upstream = here.socket(socket.AF_INET)
        upstream.connect(("127.0.0.1", PORT))
        for ends in (client, upstream, False), (upstream, client, True):
            threading.Thread(target=move, args=ends, daemon=True).start()

    def serve():
        with contextlib.suppress(OSError):
            while True:
                begin(listener.accept()[0])

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def at(place: int, change, down: bool = True):
    """Changes what comes down, or up, behind place."""
    def spoil(data, position, downwards):
        return change(data) if downwards == down and position <= place < position + len(data) else data
    return spoil


@pytest.mark.parametrize(("name", "change"), [
    ("some lost", lambda data: data[64:]), ("some doubled", lambda data: data[-64:] + data),
    ("swapped", lambda data: data[len(data) // 2:] + data[:len(data) // 2]), ("cut", lambda data: None)])
@pytest.mark.parametrize("work", ["download", "duplex"])
def test_wrong_streams_are_noticed(load, here, server, work, name, change):
    with bad_proxy(here, at(1 << 20, change)):
        done = run(here, load, SPOILT_PORT, f"--work={work}", LONG)
    if name == "cut":
        # Who sends may meet the end before who receives.
        assert done.returncode == 1
        assert any(words in done.stderr for words in ("was cut", "Broken pipe", "Connection reset"))
    else:
        assert done.returncode == processes.WRONG_BYTES and "wrong bytes" in done.stderr


def late(data: bytes) -> bytes:
    """Behind the word that a message begins with."""
    return data[:-8] + bytes(8)


def early(data: bytes) -> bytes:
    return bytes(8) + data[8:]


@pytest.mark.parametrize(("change", "words"), [(early, "wrong response"), (late, "wrong bytes")])
def test_wrong_answers_are_noticed(load, here, server, change, words):
    with bad_proxy(here, at(64 * 20, change)):
        done = run(here, load, SPOILT_PORT, "--work=exchange", LONG)
    assert done.returncode == processes.WRONG_BYTES and words in done.stderr


@pytest.mark.parametrize("work", ["exchange", "upload", "duplex"])
def test_wrong_bytes_at_the_server_are_told(load, here, server, work):
    """It ends, and the client sees no more than that."""
    place, change = (HELLO_BYTES + 64 * 20, late) if work == "exchange" else (1 << 20, lambda data: data[64:])
    with contextlib.ExitStack() as stack:
        stack.enter_context(bad_proxy(here, at(place, change, down=False)))
        client = start_load(stack, here, load, SPOILT_PORT, f"--work={work}", LONG)
        with pytest.raises(processes.WrongBytes, match="; at the server: load: wrong bytes"):
            processes.result(client, PATIENCE_S, [server])
        assert client.returncode != processes.WRONG_BYTES


def doubled(data: bytes) -> bytes:
    return data + data[-64:]


@pytest.mark.parametrize(("work", "down"), [
    ("upload", False), ("download", True), ("duplex", False), ("churn", False), ("churn", True), ("idle", True),
    ("ends", True)])
def test_an_end_that_comes_twice_is_wrong(load, here, server, work, down):
    """Behind it nobody expects anything."""
    words = (f"--work={work}", "--connections=1", "--bytes=1000000" if "load" in work or work == "duplex" else "--seconds=0.3")
    counted = Counted()
    with bad_proxy(here, counted):
        found(run(here, load, SPOILT_PORT, *words))
    with contextlib.ExitStack() as stack:
        stack.enter_context(bad_proxy(here, at(counted.last(down), doubled, down)))
        client = start_load(stack, here, load, SPOILT_PORT, *words)
        with pytest.raises(processes.WrongBytes, match="wrong bytes"):
            processes.result(client, PATIENCE_S, [server])


def test_a_load_that_tells_no_result_has_failed(here):
    with contextlib.ExitStack() as stack:
        quiet = processes.start(stack, here, "true")
        with pytest.raises(processes.Failed, match="no result"):
            processes.result(quiet, PATIENCE_S)


def test_good_ones_are_not(load, here, server):
    each = 1 << 20
    for work in "download", "upload", "duplex":
        moved = found(run(here, load, PORT, f"--work={work}", "--connections=3", f"--bytes={each}"))
        assert moved["bytes"] == 3 * each * (1 + (work == "duplex"))
        assert moved["half_closes_lost"] == 0 and moved["work"] == work
    assert found(run(here, load, PORT, "--work=ends")) == GOOD_ENDS


class Counted:
    """What a proxy in between has seen go by."""

    def __init__(self):
        self._seen = []

    def __call__(self, data, position, downwards):
        self._seen.append((position, len(data), downwards))
        return data

    def bytes(self, downwards: bool) -> int:
        return sum(count for _, count, down in self._seen if down == downwards)

    def last(self, downwards: bool) -> int:
        """The place of the last byte of the first connection."""
        ways = [(position, count) for position, count, down in self._seen if down == downwards]
        first = itertools.takewhile(lambda one: one[0] or one is ways[0], ways)
        return sum(list(first)[-1]) - 1

    @property
    def connections(self) -> int:
        return sum(position == 0 and not down for position, _, down in self._seen)


@pytest.mark.parametrize("work", ["exchange", "churn"])
def test_exchanges_are_those_that_went_by(load, here, server, work):
    sessions = 5

    def talk() -> tuple[Counted, subprocess.CompletedProcess]:
        counted = Counted()
        with bad_proxy(here, counted):
            return counted, run(here, load, SPOILT_PORT, f"--work={work}", f"--connections={sessions}",
                                "--request=1000", "--response=9", "--warm-up=0", "--seconds=1")

    # A busy machine may stop it for all of its second.
    counted, talked = until(talk, lambda seen: "no exchange was finished" not in seen[1].stderr)
    done = found(talked)["exchanges"]
    assert done > 0 and counted.bytes(True) >= 9 * done
    hellos = HELLO_BYTES * counted.connections
    # Each session may be in the midst of one, or have begun another, at the end.
    assert 1000 * done <= counted.bytes(False) - hellos <= 1000 * (done + 2 * sessions)
    fewest, most = (sessions, sessions) if work == "exchange" else (done, done + 2 * sessions)
    assert fewest <= counted.connections <= most


def test_idle_sessions_say_a_word_before_and_after(load, here, server):
    counted = Counted()
    with bad_proxy(here, counted):
        found(run(here, load, SPOILT_PORT, "--work=idle", "--connections=20", "--seconds=0.3"))
    assert counted.connections == 20
    assert counted.bytes(False) == 20 * (HELLO_BYTES + 2 * 64) and counted.bytes(True) == 20 * 2 * 64


def test_lost_ends_are_noticed(load, here, server):
    # What the server saw of an earlier session tells nothing of this one, whose end comes late.
    assert found(run(here, load, PORT, "--work=ends")) == GOOD_ENDS
    with bad_proxy(here, lambda data, position, downwards: data, ends_after_s=0.1):
        assert found(run(here, load, SPOILT_PORT, "--work=ends")) == LOST_ENDS
        lost = found(run(here, load, SPOILT_PORT, "--work=download", "--connections=2", "--bytes=100000"))
        assert lost["half_closes_lost"] == 2


@pytest.mark.mptcp
def test_preloaded_listener(build):
    """It keeps its address, options and flags, but for options that MPTCP of this kernel does not have; what is
    dialled stays TCP."""
    program = """
import socket, fcntl, os
def can(option):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) as m:
        try:
            m.setsockopt(socket.IPPROTO_TCP, option, 5)
            return m.getsockopt(socket.IPPROTO_TCP, option) != 0
        except OSError:
            return False
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", 0))
kept = {each: s.setsockopt(socket.IPPROTO_TCP, each, 5) or s.getsockopt(socket.IPPROTO_TCP, each)
        for each in (socket.TCP_NODELAY, socket.TCP_DEFER_ACCEPT, socket.TCP_FASTOPEN) if can(each)}
assert all(kept.values())
s.setblocking(False); before = s.getsockname(), fcntl.fcntl(s, fcntl.F_GETFL), fcntl.fcntl(s, fcntl.F_GETFD)
s.listen(5)
assert (s.getsockname(), fcntl.fcntl(s, fcntl.F_GETFL), fcntl.fcntl(s, fcntl.F_GETFD)) == before
assert {each: s.getsockopt(socket.IPPROTO_TCP, each) for each in kept} == kept
c = socket.socket(); c.connect(s.getsockname())
print(*(each.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL) for each in (s, c)),
      s.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False,
                          env={"LD_PRELOAD": str(build / "bench" / "mptcp_listen.so")})
    assert done.stdout.split() == ["262", "6", "1"], done.stderr


def test_measures_and_leaves_its_results(build, tmp_path):
    with IdleCgroup(), QuotaCgroup(0.5):  # where there are none, this is the skip
        pass
    done = subprocess.run([*BENCH, "--rows", "talk-1x64,router50-talk", "--contenders", "direct,auto", "--rounds", "1",
                           "--warm-up", "0.1", "--seconds", "0.3", "--idle", "0.2", "--retries", "3",
                           "--out", str(tmp_path)],
                          capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stdout + done.stderr
    kept = json.loads((tmp_path / "bench.json").read_text("utf-8"))
    for row, contender in ("talk-1x64", "direct"), ("talk-1x64", "auto"), ("router50-talk", "auto"):
        measured = kept["rows"][row]["measurements"][0][contender]
        assert measured.get("per_second", 0) > 0, measured
    assert kept["rows"]["talk-1x64"]["ends"]["auto"]["half_close"] == "kept"
    assert {"bench.tsv", "bench.md", "latency.svg"} <= {path.name for path in tmp_path.iterdir()}
    assert "talk-1x64: TCP→TCP, 1 × 64 B" in done.stdout and "auto: hawserd" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_interrupted(build, tmp_path, number):
    with IdleCgroup() as group:
        groups = group.path.parent
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with subprocess.Popen([*BENCH, "--rows", "down-1", "--contenders", "auto", "--out", str(tmp_path / "out"),
                           "--rounds", "1", "--seconds", "60"], env={**os.environ, "TMPDIR": str(scratch)},
                          start_new_session=True, stdout=subprocess.PIPE) as running:
        assert running.stdout.readline().startswith(b"hawserd ")
        until(lambda: programs(running.pid) >= {"hawserd", "load", "spin"})
        running.send_signal(number)
        assert running.wait(PATIENCE_S) == 128 + number
    until(lambda: is_gone(running.pid))
    assert not list(scratch.iterdir()) and not list(groups.glob(f"hawser-{running.pid}-*"))


@pytest.mark.parametrize(("words", "known"), [(("--rows", "nonsense"), "talk-32x64"),
                                              (("--contenders", "nonsense"), "haproxy")])
def test_says_what_there_is(build, words, known):
    done = subprocess.run([*BENCH, *words], capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert done.returncode == 1 and "no such" in done.stderr and known in done.stderr
