# SPDX-License-Identifier: GPL-2.0-or-later
"""A link that lowers the sum is demoted, in the middle of a transfer, and comes back when it is
quick again."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest

from daemon import Hawserd
from downloads import download
from links import LINK
from topology import LINKS, SERVER6
from waiting import until

pytestmark = pytest.mark.mptcp

QUICK = {"rate": 50, "delay": 10}
# What this one has under way keeps a window's worth of the other's bytes waiting.
HOLDS_UP = {"rate": 5, "delay": 300}
EQUAL_S = 8  # longer than it takes to suspect a link
# On a busy machine a good pair's rates may say by themselves what a bad one's would, and a trial is right then.
TRIES_S = 120


@pytest.fixture
def start(emulated_bed):
    """Has hawserd set up links with these settings of the emulator."""
    started: list[Hawserd] = []

    def run(*links: dict[str, object], options: tuple[str, ...] = LINK) -> Hawserd:
        bed = emulated_bed(**dict(zip(LINKS, links)))
        bed.router.run("ip", "mptcp", "endpoint", "flush")
        for link in LINKS[1:]:
            for family, number in ("-4", "10.77.2.2"), ("-6", "fd77:2::2"):
                bed.router.run("ip", family, "route", "add", "default", "via", number, "dev", link,
                               "metric", "2000")
        started.append(Hawserd(bed, *options, "--workers", "1"))
        return started[-1]

    yield run
    for daemon in started:
        daemon.finish()


def states(daemon: Hawserd) -> list[str]:
    return [link["state"] for link in daemon.ask("links")["links"]]


def decisions(daemon: Hawserd) -> int:
    """Trials and demotions so far."""
    return sum(event["event"].partition(":")[0] in ("trial", "demoted") for event in daemon.ask("links")["events"])


def await_states(daemon: Hawserd, expected: Callable[[list[str]], bool], seconds: float) -> None:
    until(lambda: states(daemon), expected, seconds)


def test_demoted_and_back(start):
    daemon = start(QUICK, HOLDS_UP)
    slow = daemon.bed.emulated["b"]
    with download(daemon) as came:
        # One trial may come at a bad moment, and the next is half a minute later.
        await_states(daemon, lambda seen: seen == ["up", "demoted"], 120)
        found = daemon.ask("links")["links"][1]["demoted"]
        assert found["without"] > found["with"] * 1.1
        assert "demoted: all links together" in daemon.log()
        assert "wan-b is demoted: all links together carried" in daemon.run_cli("links").stdout

        def carried() -> tuple[float, int]:
            """All of it, in Mbit/s, and bytes of the slow link, over two seconds."""
            began, before, slow_before = time.monotonic(), came[0], slow.stats()["down"]["bytes"]
            time.sleep(2)
            return ((came[0] - before) * 8e-6 / (time.monotonic() - began),
                    slow.stats()["down"]["bytes"] - slow_before)

        # A while may be too slow on a busy machine, but none too quick; and a backup is used where the other stalls.
        until(carried, lambda seen: seen[0] >= 0.8 * QUICK["rate"] and seen[1] < 100_000, 45)
        slow.set(delay=10)
        await_states(daemon, lambda seen: seen == ["up", "up"], 60)
        before = slow.stats()["down"]["bytes"]
        until(lambda: slow.stats()["down"]["bytes"] - before, lambda grown: grown > 500_000)


def test_forbidden_by_a_reload(start, tmp_path):
    """Of a link that is demoted at that time, by IPv6."""
    config = tmp_path / "conf"
    lines = 'link "wan-a" {{ device = a }}\nlink "wan-b" {{ device = b  demote = {} }}\n'
    config.write_text(lines.format("yes"), "ascii")
    daemon = start(QUICK, HOLDS_UP, options=("-c", str(config)))
    with download(daemon, SERVER6):
        await_states(daemon, lambda seen: seen == ["up", "demoted"], 120)
        config.write_text(lines.format("no"), "ascii")
        daemon.signal(signal.SIGHUP)
        await_states(daemon, lambda seen: seen == ["up", "up"], 25)  # by itself it would be a minute
        tried = decisions(daemon)
        time.sleep(EQUAL_S)
        assert decisions(daemon) == tried


def test_a_good_pair_is_left_alone(start):
    """One that is always tried would be so each time."""
    def decided() -> int:
        daemon = start(QUICK, {"rate": 20, "delay": 100})
        with download(daemon):
            time.sleep(EQUAL_S)
            return decisions(daemon)

    until(decided, lambda count: count == 0, TRIES_S)
