# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a contender is started, for one measurement: the router and the host at its far end, the way
in, the way out, and a /run and a directory of its own. All that is stopped with the stack."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import processes
from cgroup import Cgroup
from namespace import MountNamespace, Namespace
from processes import BUILD
from rows import Row
from topology import LAN4, Topology

EVERYBODY = "10.77.0.0/16"
PROXY_PORT = 1080
MPTCP_LISTEN = os.path.join(BUILD, "bench", "mptcp_listen.so")


@dataclass(frozen=True)
class Target:
    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


@dataclass(frozen=True)
class Forward:
    """One port that leads to one target."""
    listen: Target
    to: Target


@dataclass(frozen=True)
class Door:
    """How the load comes in: by SOCKS at proxy, by ports that lead to targets, or straight away."""
    proxy: Target | None = None
    ports: dict[Target, Target] = field(default_factory=dict)

    def words(self, target: Target) -> list[str]:
        """Options of the load."""
        socks = [f"--proxy={self.proxy}"] if self.proxy else []
        return [f"--to={self.ports.get(target, target)}", *socks]


class Site:
    def __init__(self, stack: contextlib.ExitStack, topology: Topology, row: Row,
                 targets: list[Target], cgroup: Cgroup | None = None,
                 quota: Cgroup | None = None) -> None:
        self.topology, self.row, self.targets, self.cgroup = topology, row, targets, cgroup
        self.stack, self._quota = stack, quota
        self.started: list[subprocess.Popen] = []
        self._directory: Path | None = None
        self._mounts: MountNamespace | None = None
        self._awaited: list[tuple[Namespace, Target]] = []

    @property
    def directory(self) -> Path:
        if not self._directory:
            self._directory = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        return self._directory

    def _own_run(self) -> MountNamespace:
        """So that it meets no other's control socket or file of its process id."""
        if not self._mounts:
            self._mounts = self.stack.enter_context(
                contextlib.closing(MountNamespace({}, ["/run"])))
        return self._mounts

    def run(self, *command: str, namespace: Namespace | None = None) -> subprocess.Popen:
        """On the router, unless another host is named; what it may take of the CPU is limited there."""
        if self._quota and namespace is None:
            command = tuple(self._quota.command(*command))
        process = processes.start(self.stack, namespace or self.topology.router, *command,
                                  mounts=self._own_run())
        self.started.append(process)
        return process

    def wait(self) -> None:
        """Until the last that was started listens wherever a door was asked for."""
        for namespace, target in self._awaited:
            processes.wait_for(namespace, target.address, target.port, self.started[-1])
        self._awaited.clear()

    def socks_door(self) -> Door:
        here = Target(LAN4, PROXY_PORT)
        self.expect(here)
        return Door(proxy=here)

    def expect(self, target: Target, namespace: Namespace | None = None) -> None:
        self._awaited.append((namespace or self.topology.router, target))

    def forwards(self) -> list[Forward]:
        return [Forward(Target(LAN4, PROXY_PORT + number), target)
                for number, target in enumerate(self.targets)]

    def forward_door(self) -> Door:
        entries = self.forwards()
        for entry in entries:
            self.expect(entry.listen)
        return Door(ports={entry.to: entry.listen for entry in entries})


def mptcp_words(listens: bool, dials: bool) -> list[str]:
    """What a command is preceded by so that its sockets speak MPTCP. Who dials MPTCP may listen so as
    well: for a TCP client accept() then returns a TCP socket."""
    if dials:
        return ["mptcpize", "run"]
    return ["env", f"LD_PRELOAD={MPTCP_LISTEN}"] if listens else []
