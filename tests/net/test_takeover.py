# SPDX-License-Identifier: GPL-2.0-or-later
"""A new hawserd that starts while an old one drains: it gets the control socket, the links and the
interception at once, as they are."""

from __future__ import annotations

import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon import ALLOW, LISTEN, Hawserd
from handshakes import read
from links import LINK, bare  # pylint: disable=unused-import
from manager import ask
from namespace import MountNamespace
from sessions import through
from topology import near
from verdict import ENDS, judge_end
from waiting import until


class Newcomer:
    """A hawserd with a control socket that another one may still have."""

    def __init__(self, bed, directory: Path, *options: str, prefix: tuple[str, ...] = ()) -> None:
        self.log_file = Path(tempfile.mkdtemp(dir=directory)) / "log"
        with self.log_file.open("w") as log:
            self.process = bed.router.start(
                [*prefix, str(bed.build / "hawserd"), *options],
                None if prefix else bed.mounts, stderr=log)

    def log(self) -> str:
        return self.log_file.read_text("utf-8")

    def waits(self) -> bool:
        return "when the other releases it" in self.log()

    def has(self, control: str) -> bool:
        return ask(control, "status").get("pid") == self.process.pid

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(60) == 0, self.log()


@pytest.fixture
def newcomer(bed, tmp_path) -> Iterator:
    started = []

    def start(*options: str, on=bed, **settings) -> Newcomer:
        started.append(Newcomer(on, tmp_path, *options, **settings))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        judge_end(one.process.wait(), one.log(), (*ENDS, 1))


@pytest.fixture
def run_of_its_own() -> Iterator[tuple[str, ...]]:
    """Words before a command that has an empty /run."""
    mounts = MountNamespace({}, empty=("/run",))
    yield ("/usr/bin/nsenter", f"--mount={mounts.path}", "--")
    mounts.close()


def drain(daemon) -> None:
    daemon.signal(signal.SIGTERM)
    until(lambda: "draining" in daemon.log())
    assert daemon.status()["draining"] is True
    assert "takes no new sessions" in daemon.run_cli("status").stdout


@pytest.mark.parametrize("end", ["its last session ends", "it is stopped", "it is killed"])
def test_control_socket_and_links(hawserd, newcomer, end):
    """The path was asked for. The old one lets go of both as they are, and its session goes on."""
    old = hawserd(*LINK)
    with through(old) as (near, far):
        rules = old.namespace.run("ip", "rule", "list")
        drain(old)
        new = newcomer(*LISTEN, *ALLOW, *LINK, "--control", old.control)
        until(lambda: new.has(old.control))
        until(lambda: ask(old.control, "status")["links"]["set_up"] is True)
        assert ask(old.control, "status")["links"]["reason"] == ""
        assert old.namespace.run("ip", "rule", "list") == rules
        assert old.process.poll() is None
        near.sendall(b"on")
        assert read(far, 2) == b"on"
        if end != "its last session ends":
            old.signal(signal.SIGINT if end == "it is stopped" else signal.SIGKILL)
            old.wait()
    assert old.wait() == (-signal.SIGKILL if end == "it is killed" else 0)
    assert old.namespace.run("ip", "rule", "list") == rules
    assert new.has(old.control)
    new.stop()
    assert not Path(old.control).exists()
    assert len(old.namespace.run("ip", "rule", "list").splitlines()) < len(rules.splitlines())


def carries(near: socket.socket, far: socket.socket) -> None:
    for one, other in (near, far), (far, near):
        one.sendall(b"on")
        assert read(other, 2) == b"on"


@pytest.fixture
def began_on_b(bare) -> Iterator:
    """A hawserd with a session that goes by b, which the main table does not lead there; and what the kernel had
    before, and has now."""
    listed = [["ip", "rule"], ["ip", "route", "show", "table", "all"],
              *([["ip", "mptcp", "endpoint"], ["ip", "mptcp", "limits"]] if bare.mptcp else [])]

    def state() -> list[str]:
        return [bare.router.run(*command) for command in listed]

    before = state()
    daemon = Hawserd(bare, "--link", "wan-a=a,backup", "--link", "wan-b=b")
    try:
        until(state, lambda now: now != before)
        until(lambda: daemon.run_cli("ready").returncode == 0)
        with through(daemon) as (near_end, far_end):
            assert far_end.getpeername()[0] in near("b")
            yield daemon, near_end, far_end, before, state
    finally:
        daemon.finish()


@pytest.mark.parametrize("end", ["it is there", "it is stopped"])
@pytest.mark.parametrize("options", [(), (*LINK, "--links", "manual")], ids=["none", "manual"])
def test_links_that_the_new_one_does_not_set_up(bare, began_on_b, newcomer, options, end):
    """It takes back what the old one leaves, but not before that has ended; also when it is stopped meanwhile."""
    old, client, server, before, state = began_on_b
    drain(old)
    new = newcomer(*LISTEN, *ALLOW, *options, "--control", old.control, on=bare)
    until(lambda: new.has(old.control))
    kept = state()
    if end == "it is stopped":
        new.process.send_signal(signal.SIGTERM)
        until(lambda: "draining" in new.log())
    else:
        time.sleep(2.5)  # its looks
    assert state() == kept != before
    carries(client, server)
    client.close()
    server.close()
    assert old.wait() == 0
    if end == "it is stopped":
        assert new.process.wait(60) == 0
        assert state() == before
    else:
        until(state, lambda now: now == before)
        new.stop()


def test_links_that_a_reload_takes_out(bare, began_on_b, newcomer, tmp_path):
    """While one that was left behind uses them."""
    old, client, server, before, state = began_on_b
    file = tmp_path / "conf"
    text = 'link "wan-a" { device = "a" role = backup }\nlink "wan-b" { device = "b" }\n'
    file.write_text(text, "ascii")
    drain(old)
    new = newcomer(*LISTEN, *ALLOW, "-c", str(file), "--control", old.control, on=bare)
    until(lambda: new.has(old.control))
    until(lambda: ask(old.control, "status")["links"]["set_up"] is True)
    kept = state()
    for changed in f'upstream {{ links = manual }}\n{text}', "":
        file.write_text(changed, "ascii")
        new.process.send_signal(signal.SIGHUP)
        until(lambda: ask(old.control, "status")["links"]["set_up"] is not True)
        assert state() == kept != before
    carries(client, server)
    client.close()
    server.close()
    assert old.wait() == 0
    until(state, lambda now: now == before)
    new.stop()


def test_interception(bed, hawserd, newcomer, tmp_path):
    """What the setting wants is kept in force by whoever has the control socket."""
    file = tmp_path / "conf"
    file.write_text('intercept { up = yes  lan = { "lan" } }\n', "utf-8")
    options = ("-c", str(file), "--transparent", "127.0.0.1:1090")
    old = hawserd(*options)
    until(lambda: old.status()["interception"] and old.status()["interception"]["fault"] == "")
    with through(old):
        drain(old)
        new = newcomer(*LISTEN, *ALLOW, *options, "--control", old.control)
        until(lambda: new.has(old.control))
        assert "table inet hawser" in bed.router.run("nft", "list", "tables")
        old.signal(signal.SIGINT)
    assert old.wait() == 0
    until(lambda: (ask(old.control, "status").get("interception") or {}).get("wanted") is True)
    until(lambda: "table inet hawser" in bed.router.run("nft", "list", "tables"))
    new.stop()
    assert "hawser" not in bed.router.run("nft", "list", "tables")


def test_default_control_socket(newcomer, run_of_its_own):
    """Nobody asked for it: it is waited for, whatever the one does that has it."""
    first = newcomer("--socks", "127.0.0.1:1081", prefix=run_of_its_own)
    control = f"/proc/{first.process.pid}/root/run/hawser/control.sock"
    until(lambda: first.has(control))
    second = newcomer("--socks", "127.0.0.1:1082", prefix=run_of_its_own)
    control = control.replace(str(first.process.pid), str(second.process.pid))
    until(second.waits)
    assert first.has(control)
    first.stop()
    until(lambda: second.has(control))
    second.stop()


def test_one_that_serves_is_not_waited_for(hawserd, newcomer):
    """By who was told to have its control socket."""
    old = hawserd()
    new = newcomer("--socks", "127.0.0.1:1081", "--control", old.control)
    assert new.process.wait(60) == 1
    assert "another hawserd answers there" in new.log()
