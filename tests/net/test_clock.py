# SPDX-License-Identifier: GPL-2.0-or-later
"""The time of day is set back and forth under a hawserd that runs."""

from __future__ import annotations

import contextlib
import signal
import time

import pytest

import peers
from exit_net import echo, exits, hello, net, states, totals  # pylint: disable=unused-import
from handshakes import read
from stepped import Clock
from topology import SERVER4
from waiting import until
from web import LOCAL, get, samples

HOUR_S = 3600
STEPS = [-HOUR_S, HOUR_S, -30 * HOUR_S]


@pytest.fixture
def clock(build, tmp_path):
    made: list[Clock] = []

    def make() -> Clock:
        made.append(Clock(build, tmp_path / f"clock{len(made)}"))
        return made[-1]

    return make


def one_exit(net, clock, where: str):
    """An exit and a router, one of which has a clock that steps."""
    steps = clock()
    prefix = {"prefix": steps.prefix}
    net.serve("one", **(prefix if where == "exit" else {}))
    router = net.settled("one", more="upstream { when-no-exit = refuse  exit-probe = 1h }",
                         **(prefix if where == "router" else {}))
    return steps, router


@pytest.mark.mptcp
@pytest.mark.parametrize("step_s", STEPS)
@pytest.mark.parametrize("where", ["exit", "router"])
def test_sessions_go_through_an_exit(net, clock, echo, where, step_s):
    """New ones at once, and those that run go on."""
    steps, router = one_exit(net, clock, where)
    with router.dial(SERVER4, echo.port) as running:
        running.sendall(b"before")
        assert read(running, 6) == b"before"
        for moved_s in step_s, 0, step_s:
            steps.step(moved_s)
            for _ in range(3):
                hello(router, echo.port)
            running.sendall(b"after")
            assert read(running, 5) == b"after"
        assert states(router) == {"one": "up"}
        assert exits(router)["one"]["failures"] == 0
        assert totals(router) == {"one": 10}


@pytest.mark.mptcp
def test_an_exit_that_began_an_hour_ahead(net, clock, echo):
    """Its clock is mended later, and the router's need not follow."""
    steps = clock()
    steps.step(HOUR_S)
    net.serve("one", prefix=steps.prefix)
    router = net.settled("one", more="upstream { when-no-exit = refuse }")
    assert abs(exits(router)["one"]["clock_offset_ms"] - 1000 * HOUR_S) < 60_000
    steps.step(0)
    hello(router, echo.port)
    assert exits(router)["one"]["failures"] == 0


@pytest.mark.mptcp
def test_a_router_that_began_an_hour_behind(net, clock, echo):
    """As one without a battery does. When its clock is right, nobody is told that the exit's is wrong."""
    steps = clock()
    steps.step(-HOUR_S)
    net.serve("one")
    router = net.settled("one", more="upstream { when-no-exit = refuse }", prefix=steps.prefix)
    assert abs(exits(router)["one"]["clock_offset_ms"] - 1000 * HOUR_S) < 60_000
    steps.step(0)
    assert abs(exits(router)["one"]["clock_offset_ms"]) < 60_000
    hello(router, echo.port)
    assert exits(router)["one"]["failures"] == 0


@pytest.mark.mptcp
@pytest.mark.parametrize("step_s", STEPS)
def test_when_it_was_reloaded(bed, hawserd, clock, step_s):
    """Is told by the clock that there is then."""
    steps = clock()
    daemon = hawserd(*LOCAL, prefix=steps.prefix)
    steps.step(step_s)
    assert daemon.run_cli("reload").returncode == 0
    for told in (daemon.status()["configuration"]["reload"]["time"],
                 samples(get(bed.router, "/metrics").text)["hawser_config_reload_timestamp_seconds",]):
        assert abs(told - (time.time() + step_s)) < 60


@pytest.mark.parametrize("step_s", STEPS)
def test_idle_times_are_what_passes(hawserd, serve, clock, step_s):
    """A step neither ends a session that is young nor keeps one that is silent."""
    steps = clock()
    echo = serve(peers.echo)
    daemon = hawserd("--timeout", "idle=4s", prefix=steps.prefix)
    with daemon.dial(SERVER4, echo.port) as talks, daemon.dial(SERVER4, echo.port) as silent:
        steps.step(step_s)
        began = time.monotonic()
        silent.setblocking(False)
        with pytest.raises(ConnectionResetError):
            while time.monotonic() - began < peers.TIMEOUT_S:
                talks.sendall(b"x")
                assert read(talks, 1) == b"x"
                with contextlib.suppress(BlockingIOError):
                    silent.recv(1)
                time.sleep(0.02)
        (row,) = daemon.sessions()
        assert row["idle_s"] >= 0 and row["age_s"] > 3
    assert daemon.errors() == {"idle-timeout": 1}


def test_ages_are_what_passed(hawserd, serve, clock):
    steps = clock()
    echo = serve(peers.echo)
    daemon = hawserd(prefix=steps.prefix)
    with daemon.dial(SERVER4, echo.port):
        for step_s in STEPS:
            steps.step(step_s)
            row = daemon.session()
            assert 0 <= row["age_s"] < 100 and 0 <= row["idle_s"] < 100, row
            assert 0 <= daemon.status()["uptime_s"] < 100


def test_a_drain_takes_its_time(hawserd, serve, clock):
    """Set forward, it does not cut sessions short; set back, it ends."""
    for step_s, drain in (HOUR_S, "60s"), (-HOUR_S, "2s"):
        steps = clock()
        echo = serve(peers.echo)
        daemon = hawserd("--timeout", f"drain={drain}", prefix=steps.prefix)
        with daemon.dial(SERVER4, echo.port) as client:
            daemon.signal(signal.SIGTERM)
            until(lambda: "draining" in daemon.log())
            steps.step(step_s)
            if step_s > 0:
                time.sleep(1)
                client.sendall(b"still")
                assert read(client, 5) == b"still"
                client.close()
            assert daemon.wait() == 0
