# SPDX-License-Identifier: GPL-2.0-or-later
"""The LuCI application: its pages run by mujs with what a running hawserd answers, and what they ask is what
the rpcd plugin offers and the ACL allows."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import time

import pytest

import peers
from conftest import ROOT
from openwrt import PACKAGE, settings_of_manual
from topology import SERVER4
from waiting import until

APP = ROOT / "openwrt" / "luci-app-hawser"
RESOURCES = APP / "htdocs/luci-static/resources"
STATUS, TILE, WIZARD, SETTINGS = "view.hawser.status", "view.status.include.72_hawser", "view.hawser.wizard", \
    "view.hawser.settings"
QUESTIONS = ("status", "links", "exits", "sessions")
# What a router has beside hawser.conf(5); openwrt/README.md.
OWN = {"daemon": {"jail"}, "link": {"name", "interface"}, "exit": {"name", "token"}, "user": {"name", "password"},
       "listen": {"name", "interface", "port", "token"}, "access": {"allow_interface"},
       "metrics": {"allow_interface", "token"},
       "intercept": {"lan_interface"}}


def offered() -> dict[str, list[str]]:
    """{method: [argument]} of the plugin."""
    text = (PACKAGE / "files/hawser.uc").read_text("utf-8")
    return {name: re.findall(r"(\w+): 0", args) for name, args in
            re.findall(r"^\t\t(\w+): \{(?: args: (\{.*?\}),)? call: ", text, re.M)}


def run(tmp_path, view: str, answers: dict, line: str = "") -> dict:
    given = tmp_path / "given.json"
    sections = [{".type": "link", ".name": "wan", "interface": "wan"}]
    given.write_text(json.dumps({"answers": answers, "uci": sections, "line": line}), "utf-8")
    done = subprocess.run(["mujs", "-s", ROOT / "tests/net/lib/luci.js", RESOURCES, view, given], timeout=30,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def answers(hawserd):
    """Of a hawserd with a session."""
    daemon = hawserd("--link", "dsl=lo,backup", "--link", "lte=nowhere", "--links", "manual")
    with peers.listen(daemon.bed.server) as listening, daemon.dial(SERVER4, peers.port_of(listening)), \
            peers.accept(listening):
        found = {question: daemon.ask(question) for question in QUESTIONS}
    found["events"] = {"events": [{"time": 1.5, "link": "dsl", "event": "no-carrier"}]}
    checks = [{"subject": "host", "name": "", "via": "", "family": "", "check": "mptcp", "verdict": verdict,
               "seen": f"seen {verdict}", "mend": ""} for verdict in ("ok", "warn", "fail")]
    found["doctor"] = {"running": False, "time": 1.5, "verdict": "fail", "checks": checks}
    found["speedtest"] = {"running": False, "last": {"time": 1.5, "exit": "vps", "said": "", "links": [
        {"name": "dsl", "together": False, "said": "", "latency": {"median_ms": 20},
         "download": {"yielded": False, "bits_per_s": 38000000, "latency": {"median_ms": 71}},
         "upload": {"yielded": True, "others_bits_per_s": 30000000, "latency": None}},
        {"name": "lte", "together": False, "said": "no answer", "latency": None,
         "download": {"yielded": False, "bits_per_s": 400000, "others_bits_per_s": 70000000, "latency": None},
         "upload": {"yielded": False, "bits_per_s": 2000000, "others_bits_per_s": 10000, "latency": None}}]}}
    found["status"]["settings"] = [{"level": "err", "text": "hawser.lte.role: wrong"}]
    return found


@pytest.mark.parametrize("view", [STATUS, TILE])
def test_shows_what_hawserd_says(tmp_path, answers, view):
    made = run(tmp_path, view, answers)
    for word in ("dsl", "lte", "no-device", "hawser.lte.role: wrong"):
        assert word in made["text"], word
    if view == STATUS:
        assert made["polls"] == 1
        for word in ("38 Mbit/s", "20 ms", "71 ms", "in use by others", "vps", "Up: others moved 30 Mbit/s",
                     "no answer; Down: others moved 70 Mbit/s"):
            assert word in made["text"], word
        assert made["text"].count("others moved") == 2
        text = made["text"]
        assert text.index("seen fail") < text.index("seen warn") < text.index("seen ok")
        session, = answers["sessions"]["sessions"]
        assert session["client"] in text


@pytest.mark.parametrize("view", [STATUS, TILE, WIZARD, SETTINGS])
def test_shows_that_hawserd_does_not_answer(tmp_path, view):
    told = {"error": "hawserd does not answer at X"}
    made = run(tmp_path, view, dict.fromkeys((*QUESTIONS, "events", "doctor", "speedtest"), told))
    assert view == WIZARD or told["error"] in made["text"]


def test_asks_what_is_offered_and_allowed(tmp_path):
    methods = offered()
    acl = json.loads((APP / "root/usr/share/rpcd/acl.d/luci-app-hawser.json").read_text("ascii"))
    rights = acl["luci-app-hawser"]
    read, write = (set(rights[kind]["ubus"]["hawser"]) for kind in ("read", "write"))
    assert len(methods) > 5 and read | write == set(methods) and not read & write
    assert write == {"doctor_run", "reload", "speedtest_run", "speedtest_stop"} and "uci" not in rights["read"]
    # Tokens and passwords are there: rpcd gives it to those who may write. This notation says what they may.
    assert acl["luci-app-hawser-settings"].keys() == {"description", "write"}
    assert acl["luci-app-hawser-settings"]["write"] == {"uci": {"hawser": ["read", "write"]}}
    made = run(tmp_path, STATUS, dict.fromkeys((*QUESTIONS, "events", "doctor", "speedtest"), {"error": "none"}))
    assert made["declared"] == {f"hawser.{name}": arguments for name, arguments in methods.items()}
    used = {name for path in RESOURCES.rglob("*.js")
            for name in re.findall(r"\bcalls\.(\w+)\(", path.read_text("utf-8"))}
    assert used == set(methods)
    assert set(made["called"]) <= read, "what is only looked at changes nothing"


def test_no_more_sessions_than_asked_for(hawserd):
    """But those that moved bytes last."""
    daemon = hawserd("--workers", "2")
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(peers.listen(daemon.bed.server))
        clients = [stack.enter_context(daemon.dial(SERVER4, peers.port_of(listening))) for _ in range(5)]
        for _ in clients:
            stack.enter_context(peers.accept(listening))
        until(daemon.active, lambda active: active == 5)
        time.sleep(0.1)
        for client in clients[1], clients[3]:
            client.sendall(b"x")
        moved = {"%s:%d" % client.getsockname()[:2] for client in (clients[1], clients[3])}
        until(daemon.sessions, lambda sessions: sum(session["bytes_up"] for session in sessions) == 2)
        answer = daemon.ask("sessions", limit=2)
        assert {session["client"] for session in answer["sessions"]} == moved and answer["count"] == 5
        assert len(daemon.ask("sessions", limit=9)["sessions"]) == len(daemon.sessions()) == 5
        assert len({flow["session"] for flow in daemon.ask("flows", limit=3)["flows"]}) == 3
        for wrong in 0, -1, "2", 1.5, None:
            assert "\"limit\": expected" in daemon.ask("sessions", limit=wrong)["error"], wrong


def test_plugin_asks_what_hawserd_knows(hawserd):
    daemon = hawserd()
    text = (PACKAGE / "files/hawser.uc").read_text("utf-8")
    commands = set(re.findall(r"command: '([\w-]+)'", text))
    assert {"status", "links", "sessions", "session", "exits", "events", "reload", "speedtest",
            "speedtest-start", "speedtest-stop"} == commands
    for command in commands - {"session", "reload", "speedtest-start"}:
        assert "error" not in daemon.ask(command), command


def test_settings_have_every_option(tmp_path):
    made = run(tmp_path, SETTINGS, {"status": {}})
    expected: dict[str, set[str]] = {}
    for section, name in settings_of_manual():
        expected.setdefault(section, {"enabled"}).add(name.replace("-", "_"))
    for section, names in OWN.items():
        expected[section] |= names
    assert {section: set(names) for section, names in made["options"].items()} == expected
    assert all(len(names) == len(set(names)) for names in made["options"].values())


def test_wizard_offers_what_leads_outside(tmp_path):
    made = run(tmp_path, WIZARD, {})
    assert made["options"] == {"exit": ["line", "address"], "link_lan": ["use", "role"],
                               "link_wan": ["use", "role"], "lan": ["up", "interfaces"]}


KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"


@pytest.mark.parametrize("before", ["", "hawser exit-add ", "\n hawser exit-add  "])
@pytest.mark.parametrize(("where", "address", "port", "name"), [
    ("vps.example.org:1080", "vps.example.org", "1080", "vps"), ("[2001:db8::1]:99", "2001:db8::1", "99", "a.b:[c]-"),
    ("192.0.2.1,[2001:db8::1]:99", "192.0.2.1,2001:db8::1", "99", "vps"),
    ("192.0.2.1:65535", "192.0.2.1", "65535", "N" * 255)])
def test_wizard_takes_the_line_that_is_printed(tmp_path, before, where, address, port, name):
    made = run(tmp_path, WIZARD, dict.fromkeys(("reload", "doctor", "doctor_run"), {}),
               f"{before}hawser://router:{KEY}@{where}/{name}\n")
    taken = {option.rpartition(".")[2]: value for option, value in made["set"].items()}
    assert {"address": address, "port": port, "name": name, "token": f"router {KEY}"}.items() <= taken.items()


@pytest.mark.parametrize("line", [
    f"hawser://router:{KEY}@192.0.2.1/vps", f"hawser://router:{KEY}@192.0.2.1:65536/vps", f"{'N' * 65} {KEY}", f"r {KEY}A", f"hawser://router:{KEY}@192.0.2.1:1080/v%ps",
    f"hawser://router:{KEY}@192.0.2.1:1080/{'N' * 256}", f"hawser://router:{KEY[1:]}@192.0.2.1:1080/vps",
    f"hawser exit-setup hawser://router:{KEY}@192.0.2.1:1080/vps"])
def test_wizard_takes_no_other(tmp_path, line):
    made = run(tmp_path, WIZARD, dict.fromkeys(("reload", "doctor", "doctor_run"), {}), line)
    assert not any(option.endswith(".token") for option in made["set"]) and made["set"]


def test_menu_leads_to_pages():
    menu = json.loads((APP / "root/usr/share/luci/menu.d/luci-app-hawser.json").read_text("ascii"))
    views = {entry["action"]["path"] for entry in menu.values() if entry["action"]["type"] == "view"}
    assert views == {path.relative_to(RESOURCES / "view").with_suffix("").as_posix()
                     for path in (RESOURCES / "view/hawser").glob("*.js")}
    assert menu["admin/services/hawser"]["depends"]["acl"] == ["luci-app-hawser"]
    needing = {f"admin/services/{view}" for view in views
               if re.search(r"'require (uci|form)'", (RESOURCES / f"view/{view}.js").read_text("utf-8"))}
    assert needing == {name for name, entry in menu.items()
                       if entry.get("depends", {}).get("acl") == ["luci-app-hawser-settings"]} != set()


def texts() -> set[str]:
    found = {title for title in re.findall(r'"title": "([^"]+)"', (
        APP / "root/usr/share/luci/menu.d/luci-app-hawser.json").read_text("ascii"))}
    for path in RESOURCES.rglob("*.js"):
        source = path.read_text("utf-8")
        literal = re.findall(r"\b_\('((?:\\.|[^'\\])*)'\)", source)
        assert len(literal) == len(re.findall(r"\b_\(", source)), f"{path}: _() wants one literal"
        found |= {text.replace("\\'", "'") for text in literal}
    return found


def test_template_has_every_text():
    template = (APP / "po/templates/hawser.pot").read_text("utf-8")
    listed = [json.loads(text) for text in re.findall(r'^msgid (".+")$', template, re.M)]
    assert listed == ["", *sorted(texts())] or listed == sorted(texts())
