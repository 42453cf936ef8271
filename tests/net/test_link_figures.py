# SPDX-License-Identifier: GPL-2.0-or-later
"""hawser links and hawser session: what they tell of links and subflows."""

from __future__ import annotations

import json
import threading
import time

import pytest

from daemon import Hawserd
from handshakes import read
from links import LINK, bare  # pylint: disable=unused-import
from sessions import through
from topology import CLIENT4, LAN4, LINKS, SERVER4, far, near
from waiting import until

MEGABYTE = 1_000_000


@pytest.fixture
def daemon(bare):
    running = Hawserd(bare, *LINK[:2], "--link", "wan-b=b,backup,7")
    yield running
    running.finish()


def links(daemon: Hawserd) -> dict[str, dict]:
    return {link["name"]: link for link in daemon.ask("links")["links"]}


def one_session(daemon: Hawserd) -> dict:
    done = daemon.run_cli("--json", "session", str(daemon.session()["id"]))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def upstream(daemon: Hawserd) -> dict[str, dict]:
    """Subflows of the only session, by link."""
    return {subflow["link"]: subflow for subflow in one_session(daemon)["subflows"]
            if subflow["leg"] == "upstream"}


def transfer(source, target, size: int) -> None:
    thread = threading.Thread(target=source.sendall, args=(bytes(size),))
    thread.start()
    read(target, size)
    thread.join(60)


def test_links(bare, daemon):
    one, two = links(daemon)["wan-a"], links(daemon)["wan-b"]
    assert (one["device"], one["role"], one["weight"], one["state"]) == ("a", "shared", 1, "up")
    assert (two["device"], two["role"], two["weight"], two["state"]) == ("b", "backup", 7, "up")
    for link, figures in zip(LINKS, (one, two)):
        assert figures["ipv4"] == {"address": near(link)[0], "gateway": far(link)[0],
                                   "routed": True, "taken": False, "works": True}
        assert figures["ipv6"]["address"] == near(link)[1]
    until(lambda: links(daemon)["wan-a"]["rate_1s"])
    time.sleep(2)
    before = links(daemon)["wan-a"]["bytes"]["rx"]
    with through(daemon) as (client, server):
        transfer(server, client, 5 * MEGABYTE)
    after = until(lambda: links(daemon)["wan-a"],
                  lambda link: link["bytes"]["rx"] >= before + 5 * MEGABYTE)
    assert after["bytes"]["rx"] < before + 6 * MEGABYTE
    assert after["rate_1min"]["rx"] > 10_000 and after["rate_1h"]["rx"] > 10_000
    until(lambda: links(daemon)["wan-a"]["rate_1s"]["rx"], lambda rate: rate < 10_000)
    assert links(daemon)["wan-b"]["bytes"]["rx"] < MEGABYTE
    shown = daemon.run_cli("links")
    assert (shown.returncode, shown.stderr) == (0, "")
    row = next(line for line in shown.stdout.splitlines() if line.startswith("wan-b")).split()
    assert row[:7] == ["wan-b", "b", "backup", "7", "up", *near("b")] and len(row) == 12


def test_events(bare, daemon):
    bare.server.run("ip", "link", "set", "dev", "a", "down")
    until(lambda: links(daemon)["wan-a"]["state"] == "no-carrier")
    events = daemon.ask("links")["events"]
    assert [event["event"] for event in events if event["link"] == "wan-a"] == [
        f"{near('a')[0]} via {far('a')[0]}", f"{near('a')[1]} via {far('a')[1]}", "no-carrier"]
    times = [event["time"] for event in events]
    assert times == sorted(times) and abs(times[-1] - time.time()) < 120
    assert daemon.run_cli("links").stdout.splitlines()[-1].endswith("wan-a: no-carrier")


def test_events_are_bounded(bare, daemon):
    for number in range(40):
        bare.router.run("ip", "route", "replace", "default", "via", f"10.77.1.{number + 3}",
                        "dev", "a", "metric", "101")
        until(lambda number=number: links(daemon)["wan-a"]["ipv4"]["gateway"]
              == f"10.77.1.{number + 3}")
        bare.router.run("ip", "route", "replace", "default", "via", far("a")[0], "dev", "a",
                        "metric", "101")
        until(lambda: links(daemon)["wan-a"]["ipv4"]["gateway"] == far("a")[0])
    events = daemon.ask("links")["events"]
    assert len(events) == 64
    assert events[-2]["event"] == f"{near('a')[0]} via 10.77.1.42"


@pytest.mark.mptcp
def test_subflows(bare, daemon):
    with through(daemon, ("tcp", "mptcp")) as (client, server):
        transfer(server, client, 3 * MEGABYTE)
        transfer(client, server, 2 * MEGABYTE)
        seen = until(lambda: upstream(daemon), lambda seen: set(seen) == {"wan-a", "wan-b"} and
                     all(subflow["state"] == "established" for subflow in seen.values()))
        assert {name: seen[name]["backup"] for name in seen} == {"wan-a": False, "wan-b": True}
        assert sum(subflow["bytes_received"] for subflow in seen.values()) >= 3 * MEGABYTE
        assert sum(subflow["bytes_sent"] for subflow in seen.values()) >= 2 * MEGABYTE
        for link in LINKS:
            subflow = seen[f"wan-{link}"]
            assert subflow["local"].split(":")[0] == near(link)[0]
            assert subflow["remote"].split(":")[0] == SERVER4
            assert 0 < subflow["rtt_us"] < 60_000_000 and subflow["cwnd"] > 0
            assert subflow["retransmissions"] >= 0
        near_leg, = (subflow for subflow in one_session(daemon)["subflows"]
                     if subflow["leg"] == "client")
        assert near_leg["local"] == f"{LAN4}:1080" and near_leg["link"] == ""
        assert near_leg["remote"] == f"{CLIENT4}:{client.getsockname()[1]}"
        assert near_leg["bytes_received"] >= 2 * MEGABYTE
        shown = daemon.run_cli("session", str(daemon.session()["id"])).stdout.splitlines()
        assert shown[0].startswith(f"session {daemon.session()['id']}: {CLIENT4}:")
        assert len(shown) == 5 and all(len(line.split()) == 11 for line in shown[1:])


def test_a_tcp_session_has_one_subflow(bare, daemon):
    with through(daemon) as (client, server):
        transfer(client, server, MEGABYTE)
        seen = upstream(daemon)
        assert set(seen) == {"wan-a"}
        assert seen["wan-a"]["bytes_sent"] >= MEGABYTE
        assert seen["wan-a"]["remote"] == f"{SERVER4}:{server.getsockname()[1]}"


def test_no_such_session(daemon):
    done = daemon.run_cli("session", "4711")
    assert done.returncode == 1 and "no such session" in done.stderr
    assert "\"id\"" in daemon.ask("session")["error"]
    for arguments in (["session"], ["session", "0"], ["session", "x"], ["session", "1", "2"],
                      ["links", "1"]):
        done = daemon.run_cli(*arguments)
        assert done.returncode == 2 and "try: hawser help" in done.stderr, arguments


def test_without_links(bare):
    running = Hawserd(bare)
    try:
        done = running.run_cli("links")
        assert done.returncode == 0 and "no links" in done.stderr
        assert running.ask("links") == {"reason": "", "left_out": "", "fault": "", "without_endpoint": "",
                                        "put_back": 0, "last": "", "last_age_s": 0, "links": [], "events": []}
    finally:
        running.finish()
