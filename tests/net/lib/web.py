# SPDX-License-Identifier: GPL-2.0-or-later
"""What a hawserd serves by HTTP: asked for, and read."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import peers
from daemon import Hawserd
from handshakes import read
from namespace import Namespace
from patience import PATIENCE
from topology import LAN4, SERVER4
from waiting import until

PORT = 9180
TOKEN = "t0ken-of-32-characters-or-so-0001"
FAR_S = 60 * PATIENCE
LOCAL = ("--metrics", f"127.0.0.1:{PORT}")
OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"
SAMPLE = re.compile(r'^(\w+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)",?')


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> dict:
        return json.loads(self.text)


class Visitor:
    """One connection, kept."""

    def __init__(self, namespace: Namespace, address: str = "127.0.0.1", port: int = PORT, source: str = "") -> None:
        self.host = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        self.connection = http.client.HTTPConnection(address, port)
        self.connection.sock = peers.connect(namespace, address, port, source=source)
        # As it would else connect anew, elsewhere.
        self.connection.auto_open = 0

    def get(self, *what: object, **headers: str) -> Answer:
        return patient(lambda: self.get_once(*what, **headers))

    def get_once(self, *what: object, **headers: str) -> Answer:
        self.ask(*what, **headers)
        return self.answer()

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, body, {"Host": self.host, **named})

    def answer(self) -> Answer:
        return Answer(self.connection.getresponse())

    def close(self) -> None:
        self.connection.close()


@contextlib.contextmanager
def visitor(*where: object, **settings: object) -> Iterator[Visitor]:
    made = Visitor(*where, **settings)
    try:
        yield made
    finally:
        made.close()


def patient(ask: Callable[[], Answer]) -> Answer:
    """Asks again while it is told to come later: where time is short, so is that for answers."""
    end = time.monotonic() + FAR_S
    while (answer := ask()).status == 503 and "Retry-After" in answer.headers and time.monotonic() < end:
        time.sleep(0.2)
    return answer


def get(namespace: Namespace, path: str, address: str = "127.0.0.1", port: int = PORT, **headers: str) -> Answer:
    def ask() -> Answer:
        with visitor(namespace, address, port) as one:
            return one.get_once(path, **headers)

    return patient(ask)


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Of a scrape: {("hawser_link_up", "link=a"): 1}."""
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, labels, value = SAMPLE.match(line).groups()
        key = (name, *(f"{label}={content}" for label, content in LABEL.findall(labels or "")))
        assert key not in found, f"{key} twice"
        found[key] = float(value)
    return found


def scrape(namespace: Namespace, **where: object) -> dict[tuple[str, ...], float]:
    answer = get(namespace, "/metrics", **where)
    assert answer.status == 200, answer.text
    return samples(answer.text)


@pytest.fixture
def echo(serve):
    return serve(peers.echo, mptcp=True)


@pytest.fixture
def token_file(tmp_path) -> Path:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n", "ascii")
    file.chmod(0o600)
    return file


def send(daemon: Hawserd, echo, size: int) -> None:
    with daemon.dial(SERVER4, echo.port) as client:
        client.sendall(bytes(size))
        read(client, size)
    until(daemon.active, lambda active: active == 0)


def conf(path: Path, port: int | None, more: str = "") -> Path:
    listener = f'listen "m" {{ address = "127.0.0.1:{port}" metrics = yes }}\n' if port else ""
    path.write_text(f'listen "s" {{ address = "{LAN4}:1080" }}\naccess {{ allow = {{ "10.77.0.0/24" }} }}\n'
                    f"{listener}{more}", "ascii")
    return path
