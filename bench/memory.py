#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What hawserd keeps in memory: idle, and with sessions that are open and silent. Usage: memory.py
[--workers 2] [--open-files 4096] [--sessions 100,1000] [-- OPTION-OF-HAWSERD…]
By the limit of open files hawserd sizes what it shares with BPF. In all (RSS) are pages of files that
others have mapped too; PSS has a share of them. Own is what no file has."""

from __future__ import annotations

import argparse
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "testbed"), str(ROOT / "tests/net/lib")]

import handshakes  # noqa: E402  pylint: disable=wrong-import-position
from namespace import Namespace  # noqa: E402  pylint: disable=wrong-import-position

PORT = 1080


def kib(pid: int, field: str) -> int:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    return int(re.search(rf"^{field}: +(\d+) kB$", text, re.M)[1])


def show(pid: int, what: str, since: int, count: int) -> None:
    own = kib(pid, "Anonymous")
    each = f"  {(own - since) * 1024 / count:6.0f} bytes a session" if count else ""
    print(f"{what:>16}  {kib(pid, 'Rss'):6} KiB (PSS {kib(pid, 'Pss'):5}), of which own {own:6} KiB{each}",
          flush=True)


def show_files(pid: int) -> None:
    """What is of files, and what each is that takes the most."""
    found: dict[str, int] = {}
    for part in re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", Path(f"/proc/{pid}/smaps").read_text("utf-8"), flags=re.M):
        if head := re.match(r"(?:\S+ +){5}(\S+)\n", part):
            size = {name: int(kb) for name, kb in re.findall(r"^(Rss|Anonymous): +(\d+) kB$", part, re.M)}
            name = Path(head[1]).name
            found[name] = found.get(name, 0) + size["Rss"] - size["Anonymous"]
    print("        of files  " + ", ".join(f"{name} {size}" for name, size in
                                            sorted(found.items(), key=lambda item: -item[1]) if size >= 100))


def open_session(network: Namespace, server: socket.socket) -> tuple[socket.socket, socket.socket]:
    client = network.socket(socket.AF_INET)
    client.settimeout(20)
    client.connect(("127.0.0.1", PORT))
    handshakes.socks5(client, "127.0.0.1", server.getsockname()[1])
    accepted, _ = server.accept()
    client.sendall(b"x" * 100)
    assert accepted.recv(100, socket.MSG_WAITALL) == b"x" * 100
    accepted.sendall(b"y" * 100)
    assert client.recv(100, socket.MSG_WAITALL) == b"y" * 100
    return client, accepted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--open-files", type=int, default=4096)
    parser.add_argument("--sessions", default="100,1000")
    parser.add_argument("options", nargs="*")
    words = parser.parse_args()
    counts = sorted(int(count) for count in words.sessions.split(","))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    network = Namespace()
    with tempfile.TemporaryDirectory() as directory, network.socket(socket.AF_INET) as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1024)
        process = network.start(
            ["prlimit", f"--nofile={words.open_files}", "--", str(ROOT / "build/hawserd"), "--socks", f"127.0.0.1:{PORT}", "--workers", str(words.workers),
             "--control", f"{directory}/control.sock", "--state-dir", directory, "--log-level", "error",
             *words.options], stderr=sys.stderr, stdin=subprocess.DEVNULL)
        try:
            while not Path(f"{directory}/control.sock").exists():
                assert process.poll() is None, "hawserd does not start"
                time.sleep(0.05)
            time.sleep(2)
            show(process.pid, "idle", 0, 0)
            show_files(process.pid)
            since, held = kib(process.pid, "Anonymous"), []
            for count in counts:
                while len(held) < count:
                    held.append(open_session(network, server))
                time.sleep(2)
                show(process.pid, f"{count} sessions", since, count)
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
