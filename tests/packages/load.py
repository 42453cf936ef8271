# SPDX-License-Identifier: GPL-2.0-or-later
"""New connections through the router's hawserd, on the router itself, for tests/packages.sh. "once": one;
"load": many until the file stop is there, beside a session that lasts and who looks at the page and its figures,
and none may fail."""

from __future__ import annotations

import http.client
import socket
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "lib"))

import handshakes  # noqa: E402
from crossing import Crossing  # noqa: E402
from handshakes import read  # noqa: E402
from repeated import Repeated  # noqa: E402

PROXY, PAGE, ECHO = ("127.0.0.1", 1080), ("127.0.0.1", 9180), ("203.0.113.2", 7000)
LONGEST_S = 120
MARKS = {"/": b"<!DOCTYPE html>", "/metrics": b"\nhawser_sessions "}


def connect() -> socket.socket:
    return socket.create_connection(PROXY, 20)


def exchange(client: socket.socket) -> None:
    client.sendall(b"hello")
    assert read(client, 5) == b"hello"


def look(path: str, served: Counter[str]) -> None:
    """By a new connection. One that hawserd asks to come again later has not failed."""
    asking = http.client.HTTPConnection(*PAGE, timeout=20)
    asking.request("GET", path)
    answer = asking.getresponse()
    text = answer.read()
    asking.close()
    if answer.status == 503 and answer.getheader("Retry-After"):
        return
    assert answer.status == 200 and MARKS[path] in text, (path, answer.status, text[:200])
    served[path] += 1


def load() -> int:
    served: Counter[str] = Counter()
    with Repeated(*(partial(look, path, served) for path in MARKS), pause_s=0.1) as reading, \
            Crossing(connect, *ECHO) as crossing:
        end = time.monotonic() + LONGEST_S
        while not (HERE / "stop").exists() and time.monotonic() < end:
            time.sleep(0.05)
    failures = crossing.failures + Counter(map(repr, reading.failed))
    print(f"{crossing.done} connections, {sum(failures.values())} failed {dict(failures)}, slowest "
          f"{crossing.slowest_s:.2f} s, the session that was there before went on, served {dict(served)}")
    return 1 if failures or crossing.done < 20 or len(served) < len(MARKS) else 0


def main() -> int:
    with connect() as lasting:
        lasting.settimeout(20)
        handshakes.socks5(lasting, *ECHO)
        exchange(lasting)
        if sys.argv[1] == "once":
            return 0
        status = load()
        exchange(lasting)
    return status


if __name__ == "__main__":
    sys.exit(main())
