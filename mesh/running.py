# SPDX-License-Identifier: GPL-2.0-or-later
"""Routing daemons that run, one on each node, and whether they lead anywhere."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import time
from pathlib import Path

import processes
from namespace import MountNamespace
from network import Event
from place import SERVER6, Place
from routing import DAEMONS, Node

CONVERGE_S = 90
# FRR's daemons lower their rights. Nobody reads what is said elsewhere than in the file of errors.
_OWN_RUN = 'mkdir -p /run/frr && { chown frr:frr /run/frr 2>/dev/null || true; } && exec "$@" >&2'


class Running:
    """Each with a /run of its own. Stopped with the stack."""

    def __init__(self, stack: contextlib.ExitStack, place: Place, name: str, directory: Path) -> None:
        self._place, self._daemon = place, DAEMONS[name]
        self._nodes = {node: Node(place, node, directory) for node in place.network.nodes}
        self._run: dict[str, Path] = {}
        for node in self._nodes.values():
            if self._daemon.link_addresses:
                place.address_links(node.name)
            mounts = stack.enter_context(contextlib.closing(MountNamespace({}, ["/run"])))
            for command in self._daemon.commands(node):
                process = processes.start(stack, place.spaces[node.name], "sh", "-c",
                                          _OWN_RUN, "sh", *command, mounts=mounts)
                time.sleep(0.3 if len(self._nodes) < 3 else 0.05)
                if process.poll() is not None:
                    raise processes.Failed(f"{command[0]} on {node.name} ended: {processes.errors(process)}")
                self._run[node.name] = Path(f"/proc/{process.pid}/root/run")

    def happen(self, event: Event) -> None:
        """What the event does to metrics: at both ends of the link."""
        if event.action != "metric" or not self._daemon.metric:
            return
        device = self._place.network.link(event.target).device
        for name in event.target:
            before = self._nodes[name]
            node = dataclasses.replace(before, costs={**before.costs, device: int(event.qualities["cost"])})
            self._nodes[name] = node
            self._daemon.commands(node)  # writes its configuration
            self._daemon.metric(node, self._run[name], device)


def has_way(place: Place, node: str, address: str) -> bool:
    """There and back: nobody listens, and says so."""
    with place.spaces[node].socket(socket.AF_INET6) as probe:
        probe.settimeout(1)
        try:
            probe.bind((address, 0))
            probe.connect((SERVER6, 9))
        except ConnectionRefusedError:
            return True
        except OSError:
            pass
    return False


def wait(place: Place, node: str, addresses: list[str]) -> float:
    """Until the node has a way out from each of these, and back. Seconds."""
    began = time.monotonic()
    while not all(has_way(place, node, address) for address in addresses):
        if time.monotonic() > began + CONVERGE_S:
            raise processes.Failed(f"{node} has no way out by each gateway after {CONVERGE_S} s")
        time.sleep(0.1)
    return time.monotonic() - began
