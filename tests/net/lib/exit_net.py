# SPDX-License-Identifier: GPL-2.0-or-later
"""A router and its exits, and what the router says of them."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest

import hop
import peers
from daemon import Hawserd
from handshakes import read
from topology import SERVER4, SERVER6
from waiting import until

# Below those that connections begin on (topology.py): for a minute after one has ended nobody can
# listen where it was.
PORTS = {"one": 1081, "two": 1082}


class Net:
    """Exits in the server's namespace, as rented machines, and a router that uses them."""

    def __init__(self, bed, hawserd, directory) -> None:
        self.bed, self._hawserd, self.directory = bed, hawserd, directory
        self.token = hop.Token("home")
        self.tokens = hop.write_tokens(directory / "tokens", self.token.line())
        self.exits: dict[str, Hawserd] = {}

    def serve(self, name: str, *options: str, prefix: tuple[str, ...] = ()) -> Hawserd:
        """Starts an exit, or starts it again."""
        self.exits[name] = self._hawserd(
            "--serve-exit", f"{SERVER4}:{PORTS[name]}", "--serve-exit",
            f"[{SERVER6}]:{PORTS[name]}", "--tokens", str(self.tokens), "--exit-name", name,
            "--exit-allow", "10.77.9.0/24", "--exit-allow", "fd77:9::/64", *options,
            listen=False, namespace=self.bed.server, prefix=prefix)
        return self.exits[name]

    def kill(self, name: str) -> None:
        """As a machine that loses power; the test does not want it to be judged."""
        dead = self.exits.pop(name)
        dead.signal(signal.SIGKILL)
        dead.wait()

    def router(self, *names: str, more: str = "", prefix: tuple[str, ...] = (),
               options: tuple[str, ...] = (), **settings: str) -> Hawserd:
        """options: of the router. settings: of each exit. A busy machine is not taken for a dead exit, unless more
        says so."""
        config = self.directory / "router.conf"
        config.write_text("upstream { exit-answer = 20 }\n" + "\n".join(
            f'exit "{name}" {{ address = "{SERVER4}"  port = {PORTS[name]} '
            f'token-file = "{self.tokens}" {settings.get(name, "")} }}'
            for name in names) + f"\n{more}\n", "ascii")
        return self._hawserd("-c", str(config), *options, prefix=prefix)

    def settled(self, *names: str, **settings) -> Hawserd:
        """The same, once every exit was found to answer."""
        made = self.router(*names, **settings)
        until(lambda: states(made), lambda seen: set(seen.values()) == {"up"})
        return made


def exits(router: Hawserd) -> dict[str, dict]:
    return {exit_["name"]: exit_ for exit_ in router.ask("exits")["exits"]}


def states(router: Hawserd) -> dict[str, str]:
    return {name: exit_["state"] for name, exit_ in exits(router).items()}


def totals(router: Hawserd) -> dict[str, int]:
    return {name: exit_["sessions"]["total"] for name, exit_ in exits(router).items()}


def hello(router: Hawserd, port: int, host: str = SERVER4) -> float:
    """A session, and how long it took."""
    started = time.monotonic()
    with router.dial(host, port) as client:
        client.sendall(b"hello")
        assert read(client, 5) == b"hello"
    return time.monotonic() - started


def hellos_until(router: Hawserd, port: int, enough: Callable[[], object], least: int = 1) -> int:
    """Sessions one after the other, at least so many, until it is enough, which is left to chance.
    How many they were."""
    for count in range(1, 200):
        hello(router, port)
        if count >= least and enough():
            return count
    raise AssertionError("200 sessions and not enough")


@pytest.fixture
def net(bed, hawserd, tmp_path):
    return Net(bed, hawserd, tmp_path)


@pytest.fixture
def echo(serve):
    return serve(peers.echo, mptcp=True)
