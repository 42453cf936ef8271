# SPDX-License-Identifier: GPL-2.0-or-later
"""What a topology file says, checked: nodes, gateways, links, clients, and what happens when."""

from __future__ import annotations

import re
import tomllib
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

# "one-two" is the name of a device: 15 characters at most.
_NAME = re.compile(r"[a-z][a-z0-9]{0,6}")
_QUALITIES = {"rate": (0.1, 1000), "delay": (0, 2000), "jitter": (0, 2000), "loss": (0, 50)}
# What routing daemons reckon that a link costs.
_METRIC = {"cost": (1, 60000)}
# Of what: a link, or a node. A node that is parted goes on by itself, and so do its clients.
ACTIONS = {"cut": "link", "mend": "link", "unplug": "link", "plug": "link", "change": "link", "metric": "link",
           "kill": "node", "revive": "node", "part": "node", "heal": "node"}
_OF_ACTION = {"change": _QUALITIES, "metric": _METRIC}
INTERNET = "inet"


class BadTopology(Exception):
    """Names the file, what is wrong in it, and what is expected."""


@dataclass(frozen=True)
class Link:
    """rate in Mbit/s, delay and jitter in ms one way, loss in percent."""
    ends: tuple[str, str]
    qualities: dict[str, float]

    @property
    def device(self) -> str:
        return "-".join(self.ends)


@dataclass(frozen=True)
class Event:
    at_s: float
    action: str
    target: tuple[str, ...]
    qualities: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        settings = "".join(f" {key}={value:g}" for key, value in self.qualities.items())
        return f"{self.action} {'-'.join(self.target)}{settings}"


@dataclass
class Network:
    name: str
    about: str
    nodes: list[str]
    gateways: list[str]
    links: list[Link]
    proxies: list[str]
    events: list[Event]

    def link(self, ends: tuple[str, ...]) -> Link:
        return next(link for link in self.links if set(link.ends) == set(ends))

    def neighbours(self, node: str) -> list[Link]:
        return [link for link in self.links if node in link.ends]

    def most(self, node: str) -> float:
        """Mbit/s from the internet to the node by all paths at once: the minimal cut."""
        return _max_flow(self.links, node)

    def best_path(self, node: str) -> float:
        """Mbit/s by the best of all single paths."""
        rates = sorted({link.qualities["rate"] for link in self.links}, reverse=True)
        return next(rate for rate in rates
                    if _max_flow([link for link in self.links if link.qualities["rate"] >= rate],
                                 node) > 0)


def _max_flow(links: list[Link], node: str) -> float:
    """By Edmonds and Karp."""
    room: dict[tuple[str, str], float] = {}
    for link in links:
        for pair in link.ends, link.ends[::-1]:
            room[pair] = room.get(pair, 0) + link.qualities["rate"]
    flow = 0.0
    while True:
        came: dict[str, str] = {INTERNET: ""}
        queue = deque([INTERNET])
        while queue and node not in came:
            here = queue.popleft()
            for (start, end), left in room.items():
                if start == here and left > 0 and end not in came:
                    came[end] = here
                    queue.append(end)
        if node not in came:
            return flow
        path, here = [], node
        while came[here]:
            path.append((came[here], here))
            here = came[here]
        least = min(room[pair] for pair in path)
        for start, end in path:
            room[start, end] -= least
            room[end, start] += least
        flow += least


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._data = tomllib.loads(path.read_text("utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise BadTopology(f"{path}: {error}") from None

    def refuse(self, what: str) -> BadTopology:
        return BadTopology(f"{self._path}: {what}")

    def read(self) -> Network:
        known = {"about", "nodes", "gateways", "links", "proxies", "events"}
        if odd := set(self._data) - known:
            raise self.refuse(f"unexpected {sorted(odd)[0]!r}; expected {', '.join(sorted(known))}")
        uplinks = self._data.get("gateways", {})
        nodes = [self._name(name) for name in [*self._data.get("nodes", []), *uplinks]]
        if len(set(nodes)) != len(nodes) or not nodes:
            raise self.refuse("expected nodes, each named once")
        if not uplinks:
            raise self.refuse("expected a gateway at least: [gateways.NAME] with rate and delay")
        links = [self._link({"ends": [name, INTERNET], **uplink}, [*nodes, INTERNET])
                 for name, uplink in uplinks.items()]
        links += [self._link(entry, nodes) for entry in self._data.get("links", [])]
        network = Network(self._path.stem, self._data.get("about", self._path.stem), nodes, list(uplinks), links,
                          [self._node(name, nodes) for name in self._data.get("proxies", [])], [])
        if not network.proxies:
            raise self.refuse("expected proxies: the nodes on which hawserd runs")
        for proxy in network.proxies:
            if network.most(proxy) == 0:
                raise self.refuse(f"no path leads from {proxy} to a gateway")
        network.events = [self._event(entry, network) for entry in self._data.get("events", [])]
        return network

    def _name(self, name: object) -> str:
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name == INTERNET:
            raise self.refuse(f"node {name!r}; expected 1 to 7 of a-z 0-9, a letter first, "
                              f"and not {INTERNET}")
        return name

    def _node(self, name: object, nodes: list[str]) -> str:
        if name not in nodes:
            raise self.refuse(f"unknown node {name!r}; expected one of {', '.join(nodes)}")
        return name

    def _qualities(self, entry: dict, what: str, known: dict, needed: str | None) -> dict[str, float]:
        for key, value in entry.items():
            if key not in known:
                raise self.refuse(f"{what}: unexpected {key!r}; expected {', '.join(known) or 'nothing'}")
            low, high = known[key]
            if not isinstance(value, (int, float)) or not low <= value <= high:
                raise self.refuse(f"{what}: {key} = {value!r}; expected {low:g} to {high:g}")
        if needed and needed not in entry:
            raise self.refuse(f"{what}: expected a {needed}")
        return dict(entry)

    def _link(self, entry: dict, nodes: list[str]) -> Link:
        entry = dict(entry)
        ends = tuple(self._node(name, nodes) for name in entry.pop("ends", []))
        if len(ends) != 2 or ends[0] == ends[1]:
            raise self.refuse(f"link {'-'.join(ends) or '?'}: expected two ends")
        return Link(ends, self._qualities(entry, f"link {'-'.join(ends)}", _QUALITIES, "rate"))

    def _event(self, entry: dict, network: Network) -> Event:
        entry = dict(entry)
        at = entry.pop("at", None)
        if not isinstance(at, (int, float)) or at < 0:
            raise self.refuse(f"event at {at!r}; expected seconds from the start")
        actions = [action for action in ACTIONS if action in entry]
        if len(actions) != 1:
            raise self.refuse(f"event at {at}: expected one of {', '.join(ACTIONS)}")
        action, = actions
        target = entry.pop(action)
        if ACTIONS[action] == "node":
            names: tuple[str, ...] = (self._node(target, network.nodes),)
        else:
            names = tuple(target)
            if not any(set(link.ends) == set(names) for link in network.links):
                raise self.refuse(f"event at {at}: there is no link {'-'.join(names)}")
        return Event(at, action, names, self._qualities(entry, f"event at {at}", _OF_ACTION.get(action, {}),
                                                        "cost" if action == "metric" else None))


def read(path: Path) -> Network:
    """BadTopology if it is none."""
    return _Reader(path).read()
