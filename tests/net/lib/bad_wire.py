# SPDX-License-Identifier: GPL-2.0-or-later
"""Wires of the test bed that lose, double and overtake packets, each by itself, on the way to its router
and from it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

from bed import Bed
from namespace import Namespace

# What is held up goes by a queue of its own, so that what comes later overtakes it: by 0.3 ms with a
# packet of 64 bytes, by 13 ms with 64 KB.
_LATE, _IN_TIME = "20:20", "20:10"
_LATE_RATE = "40mbit"


@contextlib.contextmanager
def bad_wires(bed: Bed, loss: int, double: int, late: int) -> Iterator[None]:
    """Percent. Each packet passes one of these wires on each leg."""
    with contextlib.ExitStack() as stack:
        for host, devices in (bed.client, ("lan",)), (bed.server, ("a", "b")):
            stack.enter_context(_sink(host))
            for device in devices:
                stack.enter_context(_slow_queue(host, device))
            stack.enter_context(_rules(host, devices, loss, double, late))
        yield


@contextlib.contextmanager
def _sink(host: Namespace) -> Iterator[None]:
    """A device to lose packets in. The sender is told when a rule drops them, and sends again at once."""
    host.batch("ip", ["link add name sink type veth peer name drain", "link set dev sink up",
                      "link set dev drain up"])
    try:
        yield
    finally:
        host.run("ip", "link", "del", "dev", "sink")


@contextlib.contextmanager
def _slow_queue(host: Namespace, device: str) -> Iterator[None]:
    """Below that which shapes the device."""
    shaper = next(qdisc for qdisc in json.loads(host.run("tc", "-j", "qdisc", "show", "dev", device))
                  if qdisc["kind"] == "tbf")
    parent = f"{shaper['handle']}1"
    major, minor = _IN_TIME.split(":")
    host.batch("tc", [
        f"qdisc replace dev {device} parent {parent} handle {major}: htb default {minor}",
        f"class add dev {device} parent {major}: classid {_IN_TIME} htb rate 10gbit quantum 60000",
        f"class add dev {device} parent {major}: classid {_LATE} htb rate {_LATE_RATE} burst 1600 quantum 60000",
        f"qdisc add dev {device} parent {_IN_TIME} pfifo limit 2000",
        f"qdisc add dev {device} parent {_LATE} pfifo limit 200"])
    shape = shaper["options"]
    limit = int(shape["rate"] * shape["lat"] / 1_000_000) + shape["burst"]
    try:
        yield
    finally:
        # As it was made with the shaper. With none below it, that would pass nothing.
        host.run("tc", "qdisc", "replace", "dev", device, "parent", parent, "bfifo", "limit", str(limit))


@contextlib.contextmanager
def _rules(host: Namespace, devices: tuple[str, ...], loss: int, double: int,
           late: int) -> Iterator[None]:
    chains = "".join(f"""
        chain egress_{device} {{
            type filter hook egress device {device} priority 0;
            numgen random mod 100 < {loss} fwd to sink
            numgen random mod 100 < {double} dup to {device}
            numgen random mod 100 < {late} meta priority set {_LATE}
        }}
        chain ingress_{device} {{
            type filter hook ingress device {device} priority 0;
            numgen random mod 100 < {loss} drop
        }}""" for device in devices)
    host.run("nft", "-f", "-", text=f"table netdev bad {{\n{chains}\n}}\n")
    try:
        yield
    finally:
        host.run("nft", "delete", "table", "netdev", "bad")
