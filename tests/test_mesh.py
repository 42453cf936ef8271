# SPDX-License-Identifier: GPL-2.0-or-later
"""The topology files of `make mesh`: what is right in them, and what is said of what is wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

MESH = Path(__file__).resolve().parent.parent / "mesh"
sys.path.append(str(MESH))

# pylint: disable=wrong-import-position
import network

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


def test_the_ready_ones(tmp_path):
    ready = sorted((MESH / "topologies").glob("*.toml"))
    assert len(ready) >= 4
    for path in ready:
        described = network.read(path)
        assert described.most(described.proxies[0]) >= described.best_path(described.proxies[0]) > 0
        assert described.events
