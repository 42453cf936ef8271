# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether somebody reads the log is no matter to the sessions."""

from __future__ import annotations

import contextlib
import os
import re

import pytest

from daemon import ALLOW
from handshakes import read
from sessions import through
from topology import LAN4
from waiting import until

PIPE_BYTES = 65536
TOLD = re.compile(rb"^warning: (\d+) lines of this log were dropped: nobody read them$", re.MULTILINE)


@pytest.fixture
def log_pipe(tmp_path):
    """A pipe that is open for reading, by its path, and that nobody reads unless the test does."""
    path = tmp_path / "log"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    yield str(path), reader
    os.close(reader)


def read_all(reader: int) -> bytes:
    with os.fdopen(os.dup(reader), "rb", buffering=0) as pipe:
        return pipe.read(1 << 20) or b""


def talk(daemon, words: int) -> None:
    with through(daemon) as (client, server):
        for number in range(words):
            client.sendall(b"%8d" % number)
            assert server.recv(8) == b"%8d" % number


def test_nobody_reads(hawserd, log_pipe):
    """A worker goes on when the pipe that takes its log is full, so does the control socket, and the log
    tells later what is missing."""
    path, reader = log_pipe
    daemon = hawserd(prefix=("sh", "-c", 'exec "$@" 2>"$0"', path))
    for _ in range(2000):
        talk(daemon, 1)
        if daemon.status()["log_dropped"] > 100:
            break
    assert daemon.status()["log_dropped"] > 100
    talk(daemon, 100)
    assert "lines dropped: nobody read them" in daemon.run_cli("status").stdout
    text = read_all(reader)
    assert len(text) >= PIPE_BYTES / 4

    def told() -> int:
        nonlocal text
        talk(daemon, 1)
        text += read_all(reader)
        return sum(map(int, TOLD.findall(text)))

    until(told, lambda count: count == daemon.status()["log_dropped"])
    assert text.endswith(b"\n") and b"\n\n" not in text


def test_reader_is_gone(hawserd, log_pipe):
    """A closed pipe is no reason to stop, either."""
    path, reader = log_pipe
    daemon = hawserd(prefix=("sh", "-c", 'exec 2>"$0"; exec "$@"', path))
    os.close(os.dup(reader))
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, reader)
    os.close(null)
    talk(daemon, 10)
    assert daemon.status()["log_dropped"] > 0


def test_without_standard_error(hawserd, tmp_path):
    """No socket gets its number, and the log: neither a listener's, nor a client's after that."""
    file = tmp_path / "conf"
    text = f'listen "a" {{ address = "{LAN4}:1080" }}\n'
    file.write_text('listen "first" { address = "127.0.0.1:1082" }\n' + text, "ascii")
    daemon = hawserd("-c", str(file), *ALLOW, listen=False, prefix=("sh", "-c", 'exec "$@" 2>&-', "sh"))
    file.write_text(text, "ascii")
    assert daemon.run_cli("reload").returncode == 0
    with contextlib.ExitStack() as sessions:
        pairs = [sessions.enter_context(through(daemon)) for _ in range(4)]
        assert daemon.run_cli("reload").returncode == 0  # which is logged
        for number, pair in enumerate(pairs):
            for one, other in pair, pair[::-1]:
                one.sendall(b"%8d" % number)
                assert read(other, 8) == b"%8d" % number
    daemon.baseline = daemon.open_files()
