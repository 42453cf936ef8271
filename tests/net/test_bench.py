# SPDX-License-Identifier: GPL-2.0-or-later
"""bench/ measures what it says, its load notices what a proxy loses, and an interrupted run leaves nothing
behind. Figures are not judged."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading

import pytest

from conftest import ROOT
from waiting import until

BENCH = [sys.executable, "-B", str(ROOT / "bench" / "bench.py")]
PATIENCE_S = 120


@pytest.fixture
def load(build):
    return str(build / "bench" / "load" / "load")


@pytest.fixture
def server(load):
    """The port of a load's server on loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen([load, "serve", f"--listen=127.0.0.1:{port}"], stderr=subprocess.DEVNULL) as process:
        def listens() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0
        until(listens)
        yield port
        process.kill()


def run(load: str, port: int, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run([load, "run", f"--to=127.0.0.1:{port}", "--warm-up=0.05", "--seconds=0.3", *words],
                          capture_output=True, text=True, check=False, timeout=PATIENCE_S)


def found(done: subprocess.CompletedProcess) -> dict:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@contextlib.contextmanager
def bad_proxy(port: int, spoil):
    """Forwards; spoil(data, position, downwards) says what becomes of bytes of the stream: None ends the session
    in order, for both sides."""
    listener = socket.create_server(("127.0.0.1", 0))

    def move(source, target, downwards):
        position = 0
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                spoilt = spoil(data, position, downwards)
                position += len(data)
                if spoilt is None:
                    break
                target.sendall(spoilt)
        for end in source, target:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def serve():
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                upstream = socket.create_connection(("127.0.0.1", port))
                for ends in (client, upstream, False), (upstream, client, True):
                    threading.Thread(target=move, args=ends, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def at(place: int, change):
    """Changes what comes down behind place."""
    def spoil(data, position, downwards):
        return change(data) if downwards and position <= place < position + len(data) else data
    return spoil


@pytest.mark.parametrize(("name", "change"), [
    ("some lost", lambda data: data[64:]), ("some doubled", lambda data: data[-64:] + data),
    ("swapped", lambda data: data[len(data) // 2:] + data[:len(data) // 2]), ("cut", lambda data: None)])
@pytest.mark.parametrize("work", ["download", "duplex"])
def test_wrong_streams_are_noticed(load, server, work, name, change):
    with bad_proxy(server, at(1 << 20, change)) as port:
        done = run(load, port, f"--work={work}")
    assert done.returncode != 0
    assert ("was cut" if name == "cut" else "wrong bytes") in done.stderr


def test_wrong_answers_are_noticed(load, server):
    with bad_proxy(server, at(64 * 20, lambda data: bytes(len(data)))) as port:
        done = run(load, port, "--work=exchange")
    assert done.returncode != 0 and "wrong response" in done.stderr


def test_good_ones_are_not(load, server):
    for work in "download", "upload", "duplex":
        moved = found(run(load, server, f"--work={work}", "--connections=3"))
        assert moved["bytes"] > 0 and moved["half_closes_lost"] == 0 and moved["work"] == work
    ends = found(run(load, server, "--work=ends"))
    assert ends == {"work": "ends", "half_close": "kept", "server_reset": "reset", "client_reset": "reset"}
    for work in "exchange", "churn":
        talked = found(run(load, server, f"--work={work}", "--connections=5", "--request=1000", "--response=9"))
        assert talked["exchanges"] > 0 and talked["bytes"] == talked["exchanges"] * 1009
        times = [us for _, us in talked["distribution_us"]]
        assert times == sorted(times) and talked["latency_us"]["p50"] in times
    idle = found(run(load, server, "--work=idle", "--connections=20"))
    assert idle["connections"] == 20 and idle["seconds"] == 0.3


def test_lost_ends_are_noticed(load, server):
    with bad_proxy(server, lambda data, position, downwards: data) as port:
        assert found(run(load, port, "--work=ends")) == {
            "work": "ends", "half_close": "lost", "server_reset": "clean end", "client_reset": "clean end"}
        assert found(run(load, port, "--work=download", "--connections=2"))["half_closes_lost"] == 2


@pytest.mark.mptcp
def test_preloaded_listener(build):
    """It keeps its address, options and flags; what is dialled stays TCP."""
    program = """
import socket, fcntl, os
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", 0))
s.setblocking(False); before = s.getsockname(), fcntl.fcntl(s, fcntl.F_GETFL), fcntl.fcntl(s, fcntl.F_GETFD)
s.listen(5)
assert (s.getsockname(), fcntl.fcntl(s, fcntl.F_GETFL), fcntl.fcntl(s, fcntl.F_GETFD)) == before
c = socket.socket(); c.connect(s.getsockname())
print(*(each.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL) for each in (s, c)),
      s.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False,
                          env={"LD_PRELOAD": str(build / "bench" / "mptcp_listen.so")})
    assert done.stdout.split() == ["262", "6", "1"], done.stderr


def test_measures_and_leaves_its_results(build, tmp_path):
    done = subprocess.run([*BENCH, "--rows", "talk-1x64,router50-talk", "--contenders", "direct,auto", "--rounds", "1",
                           "--warm-up", "0.1", "--seconds", "0.3", "--idle", "0.2", "--out", str(tmp_path)],
                          capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    if done.returncode == 77:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    kept = json.loads((tmp_path / "bench.json").read_text("utf-8"))
    for row, contender in ("talk-1x64", "direct"), ("talk-1x64", "auto"), ("router50-talk", "auto"):
        measured = kept["rows"][row]["measurements"][0][contender]
        assert measured.get("per_second", 0) > 0, measured
    assert kept["rows"]["talk-1x64"]["ends"]["auto"]["half_close"] == "kept"
    assert {"bench.tsv", "bench.md", "latency.svg"} <= {path.name for path in tmp_path.iterdir()}
    assert "talk-1x64: TCP→TCP, 1 × 64 B" in done.stdout and "auto: hawserd" in done.stdout


def test_interrupted(build, tmp_path):
    with subprocess.Popen([*BENCH, "--rows", "down-1", "--contenders", "auto", "--out", str(tmp_path)],
                          start_new_session=True, stdout=subprocess.PIPE) as running:
        assert running.stdout.readline().startswith(b"hawserd ")
        running.send_signal(signal.SIGINT)
        assert running.wait(PATIENCE_S) in (130, 77)


@pytest.mark.parametrize(("words", "known"), [(("--rows", "nonsense"), "talk-32x64"),
                                              (("--contenders", "nonsense"), "haproxy")])
def test_says_what_there_is(build, words, known):
    done = subprocess.run([*BENCH, *words], capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert done.returncode == 1 and "no such" in done.stderr and known in done.stderr
