# SPDX-License-Identifier: GPL-2.0-or-later
"""bench/demo.py runs what a router runs, tells the share of the sum, and never shows a second link
that is of no use without saying why."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT

sys.path.append(str(ROOT / "bench"))
import demo  # noqa: E402
from topology import LINKS  # noqa: E402

KNOWN = Path("/proc/sys/net/ipv4/tcp_available_congestion_control")


def figure(output: str, what: str) -> float:
    (found,) = re.findall(rf"^{what} +([0-9.]+)$", output, re.MULTILINE)
    return float(found)


@pytest.mark.mptcp
@pytest.mark.parametrize("mode", ["transparent", "bridge"])
def test_tells_the_share(build, mode):
    """A client that knows of no proxy, whose router and exit are set up as the manual says; and two
    houses whose routers are each other's exit."""
    done = subprocess.run([sys.executable, "-B", str(ROOT / "bench" / "demo.py"), "--rate-a", "40",
                           "--rate-b", "10", "--seconds", "1", "--mode", mode],
                          capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    alone = [figure(done.stdout, f"link {link}") for link in LINKS]
    both = figure(done.stdout, "both links")
    # A busy machine shows other rates than the links have, but never the wrong share of them.
    assert both > 0 and min(alone) > 0, done.stdout
    assert figure(done.stdout, "share of the sum") == pytest.approx(both / sum(alone), rel=0.05, abs=0.1)
    assert figure(done.stdout, "ratio to the better link") == \
        pytest.approx(both / max(alone), rel=0.05, abs=0.1)
    if mode == "bridge":
        assert float(re.search(r"^the other way +([0-9.]+) Mbit/s", done.stdout, re.MULTILINE)[1]) > 0
    sent, = re.findall(r"^the exit sends with (.*)$", done.stdout, re.MULTILINE)
    assert sent in KNOWN.read_text("ascii").split()


def explained(mbits: float, tried: set[str], **states: dict) -> str:
    links = {link: {"state": "up", **states.get(link, {})} for link in LINKS}
    sights = {link: demo.Sight(rate, links, set()) for link, rate in zip(LINKS, (50, 5))}
    sights[LINKS] = demo.Sight(mbits, links, tried)
    return "\n".join(demo.explain(sights, {"a": 0.02, "b": 0.6}))


@pytest.mark.parametrize(("mbits", "tried", "states", "reason"), [
    (54, set(), {}, None),
    (48, {"b"}, {}, None),
    (49, {"b"}, {"b": {"demoted": {"with": 3e6, "without": 6e6}}}, "24.0 Mbit/s, without it 48.0"),
    (25, {"b"}, {}, "tried it without link b, and saw no gain"),
    (25, set(), {}, "did not hold for link b"),
])
def test_says_why(mbits, tried, states, reason):
    said = explained(mbits, tried, **states)
    assert reason in said if reason else said == ""
    assert mbits != 25 or ("600 ms" in said and "role = backup" in said)


@pytest.mark.parametrize("words", [("--rate-b", "0"), ("--delay-a", "-1"),
                                   ("--jitter-b", "5"), ("--mode", "nonsense")])
def test_refuses_nonsense(words):
    done = subprocess.run([sys.executable, "-B", str(ROOT / "bench" / "demo.py"), *words],
                          capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 2 and words[0] in done.stderr
