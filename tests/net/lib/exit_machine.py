# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines that `hawser exit-setup` makes exits of: what it may change there, and what it prints."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator

import pytest

from machine import Machine

ACCESS = 'access { exit-allow = { "10.77.9.0/24" } }\n'
FIREWALL = """#!/usr/sbin/nft -f
table inet filter {
    chain input {
        type filter hook input priority 0; policy drop;
        iif lo accept
        ct state established,related accept
        meta l4proto { icmp, icmpv6 } accept
    }
}
"""
SETTINGS = ("ipv4/tcp_rmem", "ipv4/tcp_wmem", "ipv4/tcp_fastopen", "mptcp/enabled")


@pytest.fixture
def machines(bed, build, tmp_path) -> Iterator:
    made: list[Machine] = []

    def make(name: str, namespace, config: str = "") -> Machine:
        machine = Machine(namespace, build, tmp_path / name)
        made.append(machine)
        if config:
            (machine.directory / "etc/hawser").mkdir()
            (machine.directory / "etc/hawser/hawser.conf").write_text(config, "ascii")
        return machine

    yield make
    for machine in made:
        machine.close()


def rules_of(machine: Machine) -> str:
    return machine.namespace.run("nft", "list", "ruleset")


@contextlib.contextmanager
def firewalled(machine: Machine) -> Iterator[None]:
    """A firewall that lets nobody in; all of what may be changed is as it was at the end."""
    (machine.directory / "etc/nftables.conf").write_text(FIREWALL, "ascii")
    machine.namespace.run("nft", "-f", "-", text=FIREWALL)
    before = {name: machine.namespace.sysctl(name) for name in SETTINGS}
    try:
        yield
    finally:
        machine.namespace.run("nft", "delete", "table", "inet", "filter")
        for name, value in before.items():
            machine.namespace.sysctl(name, value)


def state_of(machine: Machine) -> tuple:
    return (machine.files(), rules_of(machine),
            [machine.namespace.sysctl(name).split() for name in SETTINGS])


def verdicts(done: subprocess.CompletedProcess) -> dict[str, str]:
    """Of the steps."""
    names = ("kernel", "congestion", "token", "configuration", "firewall", "service")
    return {words[1]: words[0] for words in map(str.split, done.stdout.split("\n\n")[0].splitlines())
            if len(words) > 2 and words[1] in names}


def line_of(done: subprocess.CompletedProcess) -> str:
    assert done.returncode == 0, done.stdout
    last = done.stdout.splitlines()[-1]
    assert last.startswith("hawser exit-add hawser://router:"), done.stdout
    return last.split()[-1]
