# SPDX-License-Identifier: GPL-2.0-or-later
"""A disk on which fsync(2) and write(2) take long, as flash that is worn or busy: links are looked after all the same."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import signal
from pathlib import Path

import pytest

import peers
from daemon import Hawserd
from dns import NameServer
from handshakes import read
from links import bare  # pylint: disable=unused-import
from topology import SERVER4
from waiting import until

pytestmark = pytest.mark.mptcp


@pytest.fixture
def slow(tmp_path) -> Path:
    """The disk is slow while this file is there."""
    return tmp_path / "slow"


CONF = """listen "s" { address = "10.77.0.1:1080" }
access { allow = "10.77.0.0/24" }
link "dsl" { device = "a"  quota = 1M }
link "lte" { device = "b"  quota = 1M }
"""


@pytest.fixture
def daemon(build, bare, slow, tmp_path):
    path = tmp_path / "conf"
    path.write_text(f'daemon {{ access-log = "{tmp_path}/access.log" }}\n{CONF}', "ascii")
    prefix = ("env", f"LD_PRELOAD={(build / 'tests/slow_disk.so').resolve()}", f"SLOW_DISK={slow}",
              "ASAN_OPTIONS=verify_asan_link_order=0:" + os.environ.get("ASAN_OPTIONS", ""))
    made = Hawserd(bare, "-c", str(path), "--state-dir", str(tmp_path / "state"), listen=False, prefix=prefix)
    yield made
    slow.unlink(missing_ok=True)
    made.finish()


def send(daemon: Hawserd, echo, size: int) -> None:
    with daemon.dial(SERVER4, echo.port) as client:
        client.sendall(bytes(size))
        read(client, size)
    until(daemon.active, lambda active: active == 0)


def of_clients(daemon: Hawserd) -> list[int]:
    return [each["up"] for each in daemon.ask("usage", by="client")["usage"]]


def is_written(state: Path) -> bool:
    return (state / "history").exists() and not (state / "history.hawser-new").exists()


def of_quota(state: Path) -> int:
    return sum(link["bytes"] for link in json.loads((state / "links.json").read_text("utf-8"))["links"].values())


@pytest.fixture
def echo(bare):
    with contextlib.closing(peers.Server(bare.server, peers.echo, mptcp=True)) as made:
        yield made


def test_all_goes_on(bare, daemon, echo, slow, tmp_path):
    """Questions and links; what is written late is written whole, and nothing counts twice or not at all."""
    state = tmp_path / "state"
    send(daemon, echo, 1000)
    until(lambda: daemon.ask("usage", by="link")["usage"])
    until(lambda: (state / "links.json").exists() and not (state / "links.json.hawser-new").exists())
    slow.touch()
    daemon.signal(signal.SIGUSR1)
    until(lambda: (state / "history.hawser-new").exists())
    assert of_clients(daemon) == [1000]
    # More than a thousandth of each quota.
    send(daemon, echo, 50_000)
    until(lambda: (state / "links.json.hawser-new").exists())
    assert of_clients(daemon) == [51_000]
    # What is to be written anew waits for its turn.
    daemon.signal(signal.SIGUSR1)
    bare.server.run("ip", "link", "set", "dev", "b", "down")
    until(lambda: {link["name"]: link["state"] for link in daemon.ask("links")["links"]}["lte"],
          lambda state: state == "no-carrier")
    assert (state / "history.hawser-new").exists() and slow.exists()
    slow.unlink()
    until(lambda: is_written(state) and "51000 51000" in (state / "history").read_text("ascii"))
    assert of_clients(daemon) == [51_000]
    until(lambda: of_quota(state), lambda found: found > 50_000)


def test_killed_meanwhile(bare, daemon, echo, slow, tmp_path, build):
    """What was written before is there."""
    state = tmp_path / "state"
    send(daemon, echo, 1000)
    daemon.signal(signal.SIGUSR1)
    until(lambda: is_written(state))
    slow.touch()
    send(daemon, echo, 50_000)
    daemon.signal(signal.SIGUSR1)
    until(lambda: (state / "history.hawser-new").exists())
    daemon.signal(signal.SIGKILL)
    daemon.wait()
    slow.unlink()
    again = Hawserd(bare, "--state-dir", str(state))
    try:
        assert "makes no sense" not in again.log()
        assert of_clients(again) == [1000]
    finally:
        again.finish()


def test_stopped_meanwhile(daemon, echo, slow, tmp_path):
    """It ends when all is written."""
    state = tmp_path / "state"
    slow.touch()
    send(daemon, echo, 1000)
    daemon.signal(signal.SIGUSR1)
    until(lambda: (state / "history.hawser-new").exists())
    send(daemon, echo, 200)
    daemon.signal(signal.SIGINT)
    with pytest.raises(AssertionError):
        until(daemon.process.poll, lambda status: status is not None, 0.3)
    slow.unlink()
    assert daemon.wait() == 0
    assert "1200 1200" in (state / "history").read_text("ascii")


def test_reloaded_meanwhile(bare, daemon, slow, tmp_path):
    """When the address of an exit has just been found."""
    state, conf, token = tmp_path / "state", tmp_path / "conf", tmp_path / "token"
    token.write_text("router " + base64.urlsafe_b64encode(bytes(32)).decode().rstrip("=") + "\n", "ascii")
    token.chmod(0o600)
    slow.touch()
    with contextlib.ExitStack() as stack:
        stack.callback(Hawserd(bare, "--serve-exit", f"{SERVER4}:1082", "--tokens", str(token), listen=False,
                               namespace=bare.server).finish)
        dns = stack.enter_context(NameServer(bare.router))
        dns.records["exit.test"] = [SERVER4]
        conf.write_text(f'{CONF}exit "far" {{ address = "exit.test"  port = 1082  token-file = "{token}" }}\n', "ascii")
        assert daemon.run_cli("reload").returncode == 0
        until(lambda: (state / "exits.json.hawser-new").exists())
        assert daemon.run_cli("reload").returncode == 0
    assert slow.exists() and not (state / "exits.json").exists()
    slow.unlink()
    until(lambda: (state / "exits.json").exists())
    assert SERVER4 in (state / "exits.json").read_text("ascii")


def sizes(log: Path) -> list[str]:
    """What the sessions that have a line have sent."""
    return re.findall(r" up=(\d+) ", log.read_text("ascii")) if log.exists() else []


@pytest.mark.parametrize("then", ["goes on", "is reloaded", "is stopped"])
def test_access_log(bare, daemon, echo, slow, tmp_path, then):
    """Each line once, in order, whatever was asked meanwhile; those that are being written at a rename are in the old file."""
    log, old = tmp_path / "access.log", tmp_path / "access.log.1"
    send(daemon, echo, 1)
    until(lambda: sizes(log) == ["1"])
    slow.touch()
    send(daemon, echo, 2)
    until(slow.with_suffix(".log").exists)  # the thread waits for the disk
    send(daemon, echo, 3)
    if then == "is reloaded":
        assert daemon.run_cli("reload").returncode == 0
    log.rename(old)
    daemon.signal(signal.SIGUSR1)
    bare.server.run("ip", "link", "set", "dev", "b", "down")
    until(lambda: {link["name"]: link["state"] for link in daemon.ask("links")["links"]}["lte"],
          lambda state: state == "no-carrier")
    send(daemon, echo, 4)
    assert daemon.status()["access_log"]["lines"] == 1 and sizes(old) == ["1"] and slow.exists()
    if then != "is stopped":
        slow.unlink()
        until(lambda: daemon.status()["access_log"]["lines"] == 4)
        send(daemon, echo, 5)
        until(lambda: sizes(log)[-1:] == ["5"])
        assert daemon.status()["access_log"]["dropped"] == 0
    else:
        daemon.signal(signal.SIGINT)
        with pytest.raises(AssertionError):
            until(daemon.process.poll, lambda status: status is not None, 0.3)
        slow.unlink()
        assert daemon.wait() == 0
    assert sizes(old) + sizes(log) == ["1", "2", "3", "4", "5"][:4 if then == "is stopped" else 5]
    assert sizes(old)[:2] == ["1", "2"]
