# SPDX-License-Identifier: GPL-2.0-or-later
"""hawser.uc, as far as it goes without ucode, which no Debian has: its language is almost a browser's, so Chromium
reads and runs it, with stand-ins for ucode's own functions (lib/ucode.js)."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from browser import Browser
from namespace import Namespace
from openwrt import CONF, PACKAGE

SOURCE = (PACKAGE / "files/hawser.uc").read_text("utf-8")
UCODE = (Path(__file__).parent / "lib/ucode.js").read_text("utf-8")
TOLD, DOCTOR = "/var/etc/hawser/told", "/var/run/hawser-doctor"
SOCKET = "/var/run/hawser/control.sock"


@pytest.fixture(scope="module")
def ubus() -> Iterator:
    """The answer of a method, and what was done for it."""
    with contextlib.ExitStack() as stack:
        network = stack.enter_context(contextlib.closing(Namespace()))
        browser = stack.enter_context(contextlib.closing(Browser(network)))
        stack.enter_context(browser.person())
        browser.run(f"window.eval({json.dumps(UCODE.replace(chr(39) + 'use strict' + chr(39) + ';', ''))}); 1")

        def ask(method: str, args: dict | None = None, **world) -> tuple[dict, list]:
            world = {"files": {}, "pieces": ["{}\n"], "control": None, "results": [], **world}
            words = ", ".join(json.dumps(word) for word in (SOURCE, world, method, args))
            found = browser.run(f"ask({words})")
            return found["answer"], found["did"]

        yield ask


@pytest.mark.parametrize("method", ["links", "exits", "events", "speedtest"])
def test_hands_on_what_hawserd_says(ubus, method):
    answer, did = ubus(method, pieces=['{"a": [1, ', '2]}\n'])
    assert answer == {"a": [1, 2]}
    assert did == [["connect", SOCKET], ["send", f'{{"command":"{method}"}}\n'], ["close"]]
    assert ubus(method, control="/elsewhere")[1][0] == ["connect", "/elsewhere"]


@pytest.mark.parametrize(("pieces", "complaint"), [
    (None, f"hawserd does not answer at {SOCKET}"), ([None], "hawserd has not answered within 2 s"),
    (['{"a"', None], "hawserd has not answered within 2 s"), (['{"a"', ""], "hawserd closed the control socket"),
    (["nonsense\n"], "hawserd did not answer with JSON"), (["x" * 65536] * 13, "longer than 786432 bytes")])
def test_no_answer(ubus, pieces, complaint):
    answer, did = ubus("links", pieces=pieces)
    assert complaint in answer["error"] and did[-1] == ["close"]


def test_status_has_faults_of_settings(ubus):
    answer, _ = ubus("status", pieces=['{"pid": 1}\n'], files={TOLD: "err hawser.a.b: wrong\nnotice x y\n"})
    assert answer == {"pid": 1, "settings": [{"level": "err", "text": "hawser.a.b: wrong"},
                                             {"level": "notice", "text": "x y"}]}
    assert ubus("status", pieces=None)[0]["settings"] == []


def test_sessions_are_bounded(ubus):
    for args, limit in ({}, 50), ({"limit": 0}, 50), ({"limit": 500}, 500):
        assert json.loads(ubus("sessions", args)[1][1][1]) == {"command": "sessions", "limit": limit}
    for limit in -1, 501:
        answer, did = ubus("sessions", {"limit": limit})
        assert answer == {"error": f"limit {limit}: expected 1 to 500"} and did == []
    assert json.loads(ubus("session", {"id": 7})[1][1][1]) == {"command": "session", "id": 7}
    for args in {}, {"id": 0}, {"id": -1}:
        assert "expected the number of a session" in ubus("session", args)[0]["error"]


def test_doctor(ubus):
    assert ubus("doctor")[0] == {"running": False}
    running = {f"{DOCTOR}/pid": "7\n", "/proc/7/cmdline": f"sh\0-c\0{DOCTOR}\0"}
    assert ubus("doctor", files=running)[0] == {"running": True}
    # The number is another process's by now.
    assert ubus("doctor", files={**running, "/proc/7/cmdline": "vi"})[0] == {"running": False}
    assert ubus("doctor", files={f"{DOCTOR}/last": '{"verdict": "ok"}'})[0] == {
        "verdict": "ok", "time": 42, "running": False}
    assert ubus("doctor", files={f"{DOCTOR}/last": "no such\n"})[0] == {"error": "no such", "running": False}
    answer, did = ubus("doctor_run", results=[0])
    assert answer == {"started": True, "running": True} and did[0] == ["mkdir", DOCTOR]
    assert did[1][1][3:5] == [DOCTOR, SOCKET]
    assert ubus("doctor_run", files=running) == ({"started": False, "running": True}, [])
    assert "cannot be started" in ubus("doctor_run", results=[127])[0]["error"]


@pytest.mark.parametrize(("result", "error"), [
    (0, None), (2, None), (3, "hawserd is switched off: hawser.daemon.enabled"), (1, "the configuration is not used"),
    (-15, "the configuration is not used")])
def test_reload(ubus, result, error):
    answer, did = ubus("reload", results=[result], files={TOLD: "err a\n"})
    assert answer.get("error") == error and answer["settings"] == [{"level": "err", "text": "a"}]
    assert did[0] == ["system", ["/usr/libexec/hawser/uci-config", CONF], 20000]
    assert (len(did) > 1) == (error is None)
