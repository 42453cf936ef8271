# SPDX-License-Identifier: GPL-2.0-or-later
"""`make mesh`: what is right in topology files, and what is said of what is wrong; what daemons that Debian lacks are
told of a topology."""

from __future__ import annotations

import contextlib
import re
import socket
import sys
from pathlib import Path

import pytest

MESH = Path(__file__).resolve().parent.parent / "mesh"
sys.path.append(str(MESH))

# pylint: disable=wrong-import-position
import control
import namespace
import network
import processes
import routing
from place import Plan

RIGHT = """
nodes = ["house"]
proxies = ["house"]
[gateways.north]
rate = 20
[gateways.south]
rate = 5
[[links]]
ends = ["house", "north"]
rate = 10
[[links]]
ends = ["house", "south"]
rate = 30
[[events]]
at = 5
cut = ["north", "house"]
"""


def read(tmp_path: Path, text: str) -> network.Network:
    path = tmp_path / "some.toml"
    path.write_text(text, "utf-8")
    return network.read(path)


def test_what_it_says(tmp_path):
    some = read(tmp_path, RIGHT)
    assert some.nodes == ["house", "north", "south"] and some.gateways == ["north", "south"]
    assert (some.most("house"), some.best_path("house")) == (15, 10)
    event, = some.events
    assert (event.at_s, str(event)) == (5, "cut north-house")
    assert some.link(event.target).device == "house-north"


@pytest.mark.parametrize(("wrong", "right", "complaint"), [
    ('nodes = ["house"]', 'nodes = ["house", "north"]', "each named once"),
    ('nodes = ["house"]', 'nodes = ["much-too-long"]', "expected 1 to 7 of a-z 0-9"),
    ('proxies = ["house"]', 'proxies = ["barn"]', "unknown node 'barn'"),
    ("rate = 10", "rate = 0", "rate = 0; expected 0.1 to 1000"),
    ("rate = 10", "speed = 10", "unexpected 'speed'"),
    ("rate = 10", "", "expected a rate"),
    ('cut = ["north", "house"]', 'cut = ["north", "south"]', "there is no link north-south"),
    ('cut = ["north", "house"]', "", "expected one of cut, mend"),
    ('cut = ["north", "house"]', 'cut = ["north", "house"]\nloss = 1', "unexpected 'loss'; expected nothing"),
    ('cut = ["north", "house"]', 'metric = ["north", "house"]', "event at 5: expected a cost"),
    ('cut = ["north", "house"]', 'metric = ["north", "house"]\ncost = 0', "cost = 0; expected 1 to 60000"),
    ('cut = ["north", "house"]', 'part = "north"\nrate = 5', "unexpected 'rate'; expected nothing"),
    ('ends = ["house", "south"]', 'ends = ["house", "house"]', "expected two ends"),
    ("[gateways.north]\nrate = 20\n[gateways.south]\nrate = 5", "", "expected a gateway"),
    ("nodes", "knots", "unexpected 'knots'"),
    ("at = 5", "at = ", "Invalid value"),
], ids=str)
def test_complaints(tmp_path, wrong, right, complaint):
    assert wrong in RIGHT
    with pytest.raises(network.BadTopology, match=complaint.replace("[", r"\[")) as told:
        read(tmp_path, RIGHT.replace(wrong, right, 1))
    assert "some.toml" in str(told.value)


def test_what_a_metric_is_changed_to(tmp_path):
    some = read(tmp_path, RIGHT.replace("cut =", "cost = 2000\nmetric ="))
    event, = some.events
    assert (event.action, str(event)) == ("metric", "metric north-house cost=2000")
    node = routing.Node(Plan(some, False), "house", tmp_path, {"house-north": 2000})
    assert dict(node.links()) == {"house-north": 2000, "house-south": 160}


@pytest.mark.parametrize(("answer", "complaint"), [
    (b"ok\n", None), (b"BABEL 1.0\nversion x\nok\n", None), (b"bad\n", "greeting: bad"),
    (b"no Couldn't\n", "greeting: no Couldn't"), (b"o", "it has hung up"), (b"", "it has hung up")])
def test_what_a_daemon_answers(tmp_path, answer, complaint):
    path = str(tmp_path / "ctl")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        with control.Talk(path, *routing.BABELD_ANSWERS) as talk:
            daemon, _ = listening.accept()
            daemon.sendall(answer)
            daemon.shutdown(socket.SHUT_WR)
            with daemon, pytest.raises(processes.Failed, match=complaint) if complaint else contextlib.nullcontext():
                talk.hear("greeting")
    with pytest.raises(processes.Failed, match="Connection refused"):
        control.Talk(path, b"", b"")


def test_the_ready_ones(tmp_path):
    ready = sorted((MESH / "topologies").glob("*.toml"))
    assert len(ready) >= 5
    for path in ready:
        described = network.read(path)
        assert described.most(described.proxies[0]) >= described.best_path(described.proxies[0]) > 0
        assert described.events


VILLAGE = network.read(MESH / "topologies" / "village.toml")
# Of the way to the internet: of no node of the mesh.
DEVICES = {"house": {"house-hill": 30, "house-church": 30},
           "hill": {"house-hill": 30, "hill-north": 30, "hill-church": 10},
           "north": {"hill-north": 30}, "south": {"church-south": 30}}


def told(daemon: str, node: str, directory: Path) -> tuple[list[str], str]:
    """The command, and the file it names."""
    command, = routing.DAEMONS[daemon].commands(routing.Node(Plan(VILLAGE, True), node, directory))
    return command, "".join(path.read_text("ascii") for path in directory.iterdir())


@pytest.mark.parametrize("node", DEVICES)
def test_what_olsrd_is_told(tmp_path, node):
    command, text = told("olsrd", node, tmp_path)
    assert command == ["olsrd", "-nofork", "-f", str(tmp_path / f"{node}.olsrd")]
    assert f"MainIp fd61::{VILLAGE.nodes.index(node) + 1}\n" in text
    assert ("Hna6 { 0:: 0 }" in text) == (node in VILLAGE.gateways)
    shares = dict(re.findall(r'Interface "(\S+)" \{.* LinkQualityMult default (\S+) \}', text))
    assert {device: round(50 * float(share) ** 2) for device, share in shares.items()} == DEVICES[node]


@pytest.mark.parametrize("node", DEVICES)
def test_what_bmx7_is_told(tmp_path, node):
    command, _ = told("bmx7", node, tmp_path)
    pairs = [word.partition("=")[::2] for word in command]
    rates = [(device, int(rate)) for (key, device), (_, rate) in zip(pairs, pairs[1:]) if key == "dev"]
    assert dict(rates) == {device: rate * 1_000_000 for device, rate in DEVICES[node].items()}
    # Of two that announce one network it blocks one.
    own = f"fd61::{VILLAGE.nodes.index(node) + 1}/128"
    assert [value for key, value in pairs if key == "unicastHna"] == [own, *["fd99::1/128"] * (node == "north")]
    paths = [value for key, value in pairs if key.endswith("Path")]
    assert len(paths) == 2 and all(path.startswith(f"{tmp_path}/{node}.") for path in paths)


def test_a_daemon_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setitem(namespace.ENVIRONMENT, "PATH", str(tmp_path))
    for name in "olsrd", "bmx7", "babeld":
        assert not routing.installed(name)
        with pytest.raises(processes.Failed, match=f"{name} is not installed: expected {name} in PATH"):
            routing.version(name)


@pytest.mark.parametrize(("name", "script", "version"), [
    ("olsrd", "echo; echo ' *** olsr.org - 1.2 ***'; kill -TERM $$", "olsr.org - 1.2"),
    ("bmx7", 'case $2 in /keyPath=/*) echo "version=1.2 id=AB12";; esac', "version=1.2"),
    ("babeld", "echo babeld-1.2 >&2", "babeld-1.2"),
])
def test_versions(tmp_path, monkeypatch, name, script, version):
    program = tmp_path / name
    program.write_text("#!/bin/sh\n", "ascii")
    program.chmod(0o755)
    monkeypatch.setitem(namespace.ENVIRONMENT, "PATH", str(tmp_path))
    with pytest.raises(processes.Failed, match=f"{name}: {name} .* says nothing"):
        routing.version(name)
    program.write_text(f"#!/bin/sh\n{script}\n", "ascii")
    assert routing.installed(name) and routing.version(name) == version
