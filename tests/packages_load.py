# SPDX-License-Identifier: GPL-2.0-or-later
"""New connections through the router's hawserd, on the router itself, for tests/packages.sh. "once": one;
"load": many until the file stop is there, beside a session that lasts, and none may fail."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "lib"))

import handshakes  # noqa: E402
from crossing import Crossing  # noqa: E402
from handshakes import read  # noqa: E402

PROXY, ECHO = ("127.0.0.1", 1080), ("203.0.113.2", 7000)
LONGEST_S = 120


def connect() -> socket.socket:
    return socket.create_connection(PROXY, 20)


def exchange(client: socket.socket) -> None:
    client.sendall(b"hello")
    assert read(client, 5) == b"hello"


def main() -> int:
    with connect() as lasting:
        lasting.settimeout(20)
        handshakes.socks5(lasting, *ECHO)
        exchange(lasting)
        if sys.argv[1] == "once":
            return 0
        with Crossing(connect, *ECHO) as load:
            end = time.monotonic() + LONGEST_S
            while not (HERE / "stop").exists() and time.monotonic() < end:
                time.sleep(0.05)
        exchange(lasting)
    print(f"{load.done} connections, {sum(load.failures.values())} failed {dict(load.failures)}, "
          f"slowest {load.slowest_s:.2f} s, the session that was there before went on")
    return 1 if load.failures or load.done < 20 else 0


if __name__ == "__main__":
    sys.exit(main())
