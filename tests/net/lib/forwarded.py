# SPDX-License-Identifier: GPL-2.0-or-later
"""Sessions whose packets the kernel forwards, for the tests of that tier."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import re
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from bed import Bed
from flows import TCP_ONLY, chat, flows, only_with, reasons, tiers
from handshakes import socks5
from namespace import Namespace
from tcx import tcx_programs
from waiting import until

ALWAYS = (*TCP_ONLY, "--tier", "packets")
# Pairs stay taken while a busy machine keeps the test from saying anything; then one that is idle gets keepalives again.
STAYING = ("--tune", "keepalive-idle-s=60")
TURN = 64


@pytest.fixture(scope="module")
def packets_needed(bed: Bed) -> None:
    only_with(bed, ALWAYS, "packets")


def take(daemon, client, server, size: int = TURN) -> int:
    """Chats until the only session is taken; how many bytes went each way."""
    for turn in range(1, 1000):
        chat(client, server, 1, size)
        if tiers(daemon) == {"packets"}:
            return size * turn
    raise AssertionError(f"not taken: {reasons(daemon)}")


def moved(daemon, up: int, down: int) -> None:
    """Waits until both directions have moved so many bytes, as the receivers have acknowledged."""
    until(lambda: [flows(daemon)[direction]["bytes"] for direction in ("up", "down")],
          lambda found: found == [up, down])


def programs(host: Namespace) -> int:
    """How many look at packets there: all by tcx, and ours by tc."""
    found = sum(len(each or []) for each in tcx_programs(host).values())
    for device in "lan", "a", "b":
        shown = host.run("tc", "filter", "show", "dev", device, "ingress")
        found += sum("hawser_packets" in line for line in shown.splitlines())
    return found


def keys(daemon) -> int:
    """Connections whose packets the program looks for."""
    def bpftool(*words: str) -> dict | list:
        return json.loads(daemon.bed.router.run("bpftool", "-j", "map", *words))

    for entry in os.scandir(f"/proc/{daemon.pid}/fdinfo"):
        text = ""
        with contextlib.suppress(FileNotFoundError):
            text = Path(entry.path).read_text("ascii")
        number = re.search(r"^map_id:\s*(\d+)$", text, re.MULTILINE)
        if number and bpftool("show", "id", number[1])["name"] == "keys":
            return len(bpftool("dump", "id", number[1]))
    raise AssertionError("no map is called so")


def dial(daemon, address: str, port: int) -> socket.socket:
    """By the family of the destination: both legs are to be of one."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    client = daemon.connect(family=family)
    socks5(client, address, port)
    return client


@contextlib.contextmanager
def swallowed(host: Namespace, device: str, rule: str = "") -> Iterator[None]:
    """For a while nothing leaves the host by the device, of what a rule of nftables matches."""
    host.run("nft", "-f", "-", text=f"""
        table netdev swallowed_{device} {{
            chain egress {{
                type filter hook egress device {device} priority 0;
                {rule} drop
            }}
        }}""")
    try:
        yield
    finally:
        host.run("nft", "delete", "table", "netdev", f"swallowed_{device}")


# Of linux/sockios.h and linux/ethtool.h, as (get, set): checksums sent, TSO, GSO, GRO.
_SIOCETHTOOL = 0x8946
_OFFLOADS = (0x16, 0x17), (0x1E, 0x1F), (0x23, 0x24), (0x2B, 0x2C)


@contextlib.contextmanager
def no_offloads(host: Namespace, device: str) -> Iterator[None]:
    """As ethtool -K does."""
    with host.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        def ethtool(command: int, value: int = 0) -> int:
            argument = bytearray(struct.pack("II", command, value))
            at = (ctypes.c_char * len(argument)).from_buffer(argument)
            fcntl.ioctl(asking, _SIOCETHTOOL, struct.pack("16sP", device.encode(), ctypes.addressof(at)))
            return struct.unpack("II", argument)[1]

        before = [ethtool(get) for get, _ in _OFFLOADS]
        try:
            for _, change in _OFFLOADS:
                ethtool(change, 0)
            yield
        finally:
            for (_, change), value in reversed(list(zip(_OFFLOADS, before))):
                ethtool(change, value)
