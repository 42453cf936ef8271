# SPDX-License-Identifier: GPL-2.0-or-later
"""Sessions whose packets the kernel forwards are counted, told of and ended like others: by quotas, history, the
access log, and an administrator."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import peers
from flows import chat, tiers
from forwarded import ALWAYS, STAYING, keys, moved, packets_needed, take  # pylint: disable=unused-import
from pattern import MEGABYTE, Stream
from sessions import through
from test_access_log import lines
from topology import CLIENT4
from waiting import until

pytestmark = [pytest.mark.no_mptcp, pytest.mark.usefixtures("packets_needed")]


def test_quota(hawserd, tmp_path):
    """What is forwarded counts, both ways, and uses it up. The session goes on, as one in another tier."""
    file = tmp_path / "hawser.conf"
    file.write_text("link wan-a { device = a  quota = 4M }\n", "ascii")
    daemon = hawserd(*ALWAYS, *STAYING, "-c", str(file))

    def link() -> dict:
        (found,) = daemon.ask("links")["links"]
        return found

    with through(daemon) as (client, server):
        take(daemon, client, server)
        # What the interface had carried before hawserd first looked does not count.
        before = until(lambda: chat(client, server, 1) or link()["quota"]["used"])
        assert link()["state"] == "up" and before < MEGABYTE
        for source, target in (client, server), (server, client):
            Stream(4).carry(source, target, MEGABYTE)
        until(lambda: link()["quota"]["used"], lambda used: before + 2 * MEGABYTE <= used < before + 3 * MEGABYTE)
        Stream(4).carry(server, client, 2 * MEGABYTE)
        until(lambda: link()["state"], lambda state: state == "quota")
        assert tiers(daemon) == {"packets"}
        chat(client, server, 5)


@pytest.mark.parametrize("end", ["closed", "reset", "killed", "idle"])
def test_access_log(hawserd, tmp_path, end):
    """Bytes, also of the link, and what moved them, however it ends."""
    log = tmp_path / "access.log"
    idle = ("--timeout", "idle=4s") if end == "idle" else ()
    daemon = hawserd(*ALWAYS, *STAYING, "--link", "wan-a=a", "--access-log", str(log), *idle)
    with through(daemon) as (client, server):
        size = take(daemon, client, server)
        Stream(4).carry(server, client, MEGABYTE)
        Stream(4).carry(client, server, MEGABYTE // 2)
        moved(daemon, size + MEGABYTE // 2, size + MEGABYTE)
        number = daemon.session()["id"]
        if end == "reset":
            peers.reset(client)
            assert peers.was_reset(server)
        elif end == "killed":
            assert daemon.run_cli("kill", str(number)).returncode == 0
        elif end == "idle":
            assert peers.was_reset(client)
    (line,) = lines(log, 1)
    assert line["session"] == str(number) and line["client"].startswith(f"{CLIENT4}:")
    assert line["tier"] == "packets/packets"
    assert (line["up"], line["down"]) == (str(size + MEGABYTE // 2), str(size + MEGABYTE))
    assert line["links"] == f"wan-a:{line['up']}/{line['down']}"
    assert line["cause"] == {"closed": "none", "idle": "idle-timeout"}.get(end, end)


def test_history(hawserd):
    daemon = hawserd(*ALWAYS, *STAYING)
    with through(daemon) as (client, server):
        size = take(daemon, client, server)
        Stream(4).carry(server, client, MEGABYTE)
        moved(daemon, size, size + MEGABYTE)
        (found,) = json.loads(daemon.run_cli("usage", "--json", "--by", "client").stdout)["usage"]
        assert (found["up"], found["down"]) == (size, size + MEGABYTE)


@pytest.mark.parametrize("options", [(), ("--tier", "copy"), ALWAYS], ids=["auto", "copy", "packets"])
def test_an_administrator_ends_it(hawserd, options):
    """Both sides see a reset, the other session goes on, and the kernel keeps nothing of it."""
    daemon = hawserd("--mptcp", "off", *options, *STAYING)
    with through(daemon) as (client, server), through(daemon) as (near, far):
        if options == ALWAYS:
            until(lambda: chat(client, server, 1) or chat(near, far, 1) or
                  {session["tier_up"] for session in daemon.sessions()}, lambda found: found == {"packets"})
            until(lambda: keys(daemon), lambda count: count == 4)
        else:
            chat(client, server, 20)
        port = client.getsockname()[1]
        number = next(session["id"] for session in daemon.sessions() if session["client"].endswith(f":{port}"))
        done = daemon.run_cli("kill", str(number))
        assert (done.returncode, done.stdout) == (0, f"session {number} was reset\n")
        for sock in client, server:
            assert peers.was_reset(sock)
        chat(near, far, 20)
        if options == ALWAYS:
            until(lambda: keys(daemon), lambda count: count == 2)
        assert daemon.session()["id"] != number
    until(daemon.active, lambda active: active == 0)
    assert daemon.errors() == {"killed": 1}
    again = daemon.run_cli("kill", str(number))
    assert again.returncode == 1 and "no such session" in again.stderr
    wrong = daemon.run_cli("kill", "first")
    assert wrong.returncode == 2 and "first: expected the ID of a session" in wrong.stderr
