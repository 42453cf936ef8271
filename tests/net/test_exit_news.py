# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said when sessions cannot go by an exit, and when that is over."""

from __future__ import annotations

import time

import pytest

import hop
import peers
from exit_net import exits, hello, net, states  # pylint: disable=unused-import
from sessions import through
from terminal import Terminal
from waiting import until


def lines(router, *commands: str) -> list[str]:
    """The one about exits, of each."""
    found = []
    for command in commands:
        output = router.run_cli(command).stdout
        found.append(next(line for line in output.splitlines() if line.startswith("exits ")))
    return found


@pytest.mark.parametrize(("setting", "way"), [("direct", "new sessions go directly"),
                                              ("refuse", "new sessions are refused")])
def test_the_only_exit_goes_and_comes(net, setting, way):
    net.serve("one")
    router = net.settled("one", more=f"upstream {{ when-no-exit = {setting} exit-probe = 1 }}")
    assert lines(router, "status", "links") == ["exits       1 of 1 up"] * 2
    net.kill("one")
    until(lambda: states(router)["one"] == "down")
    until(lambda: f"no exit is left: {way}" in router.log())
    for line in lines(router, "status", "links"):
        assert line.startswith("exits       0 of 1 up; no exit for ") and line.endswith(way)
    assert exits(router)["one"]["down_for_s"] >= 0
    screen = Terminal([str(router.bed.build / "hawser"), "--control", router.control, "top"])
    try:
        screen.until(lambda shown: any("exits: no exit for " in line for line in shown))
    finally:
        screen.close()
    net.serve("one")
    until(lambda: "exit one is up again, after " in router.log())
    assert lines(router, "status", "links") == ["exits       1 of 1 up"] * 2


def test_another_exit_is_left(net):
    net.serve("one")
    net.serve("two")
    router = net.settled("one", "two", more="upstream { exit-probe = 1 }")
    net.kill("one")
    until(lambda: "exit one is down" in router.log())
    assert "no exit is left" not in router.log()
    assert lines(router, "status") == ["exits       1 of 2 up"]


def test_a_token_at_its_limit(bed, net, serve):
    """The exit is up, and takes no more of its sessions."""
    server = serve(peers.echo)
    hop.write_tokens(net.tokens, net.token.line("sessions=1"))
    exit_ = net.serve("one")
    router = net.settled("one", more="upstream { exit-probe = 1 }")
    with through(router):
        until(lambda: exit_.status()["tokens"][0]["sessions"] == 1)
        hello(router, server.port)
        hello(router, server.port)
        assert exit_.log().count("token home has all of its sessions=1; more are refused") == 1
        assert router.log().count("exit one takes no more sessions of token home") == 1
        assert exit_.status()["tokens"][0]["full_for_s"] >= 0
        assert "home is full for" in exit_.run_cli("status").stdout
        for who, subject, check in (exit_, "host", "tokens"), (router, "exit", "room"):
            said = who.doctor(subject)[check]
            assert said["verdict"] == "warn" and "sessions=N" in said["mend"], said
        for line in lines(router, "status", "links"):
            assert line.endswith("1 of 1 up; 1 full (sessions= of the token): new sessions go "
                                 "directly")
    end = time.monotonic() + 120
    while "exit one takes sessions of token home again" not in router.log():
        assert time.monotonic() < end
        hello(router, server.port)
        time.sleep(0.5)
    assert "token home has room for sessions again" in exit_.log()
    assert lines(router, "status") == ["exits       1 of 1 up"]
