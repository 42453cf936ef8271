# SPDX-License-Identifier: GPL-2.0-or-later
"""Who is compared: no proxy, and hawserd with its settings. Other proxies are in other_proxies.py, and such
as need a second program at the other end in chains.py."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field

import processes
from processes import HAWSER, HAWSERD, LOAD, PATIENCE_S, Failed, arguments
from rows import Row
from bench_site import EVERYBODY, Door, Site


@dataclass(frozen=True)
class Contender:
    """single: a setting of hawserd of which `auto` has to be as good as the best."""
    name: str
    single: bool = field(default=False, kw_only=True)

    @property
    def proxied(self) -> bool:
        return True

    @property
    def described(self) -> str:
        """How it is run, for readers of the report."""
        raise NotImplementedError

    def version(self) -> str:
        return ""

    def absence(self) -> str | None:
        """Why it cannot take part at all."""
        return None

    @property
    def foreign(self) -> bool:
        """Whether it is somebody else's proxy."""
        return False

    @property
    def is_given(self) -> bool:
        """Whether the environment has the path of its program: then it takes part without being chosen."""
        return False

    def takes(self, row: Row) -> bool:
        """Whether the row is its kind of work."""
        return not row.chain

    def start(self, site: Site) -> Door:
        """Stopped with the site. Failed when it does not start."""
        raise NotImplementedError

    def check(self, site: Site) -> None:
        """After the load. Failed if it has not done what it is there for."""


@dataclass(frozen=True)
class Direct(Contender):
    @property
    def proxied(self) -> bool:
        return False

    @property
    def described(self) -> str:
        return "no proxy; where a leg is MPTCP, MPTCP from end to end"

    def takes(self, row: Row) -> bool:
        return row.quota is None  # there is nobody whose CPU time could be limited

    def start(self, site: Site) -> Door:
        return Door()


def hawserd_version() -> str:
    done = subprocess.run([HAWSERD, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.strip()


@dataclass(frozen=True)
class Own(Contender):
    """local: with --local-accel, only where the clients are on the proxy's host. forward: by --forward, as
    proxies without SOCKS are used; matters where connections come and go."""
    options: dict[str, str] = field(default_factory=dict)
    local: bool = field(default=False, kw_only=True)
    forward: bool = field(default=False, kw_only=True)

    @property
    def described(self) -> str:
        door = "--forward" if self.forward else "--socks"
        return " ".join(["hawserd", door, *arguments(self.options), *["--local-accel"] * self.local])

    def version(self) -> str:
        return hawserd_version()

    def absence(self) -> str | None:
        done = subprocess.run([HAWSERD, "--check", *arguments(self.options)], capture_output=True,
                              text=True, check=False)
        return None if done.returncode == 0 else done.stderr.strip().removeprefix("error: ")

    def takes(self, row: Row) -> bool:
        return not row.chain and (row.local or not self.local) and \
            (not self.forward or row.load["work"] == "churn")

    def start(self, site: Site) -> Door:
        # Otherwise a better congestion control would pass for a better relay.
        options = {"allow": EVERYBODY, "mptcp": "on" if site.row.dials_mptcp else "off",
                   "congestion": "system", "control": "/run/control", "log-level": "warning",
                   "history": "no", **self.options}
        if self.local:
            options["local-accel"] = str(site.cgroup.path)
        words = arguments(options)
        door = site.forward_door() if self.forward else site.socks_door()
        if self.forward:
            words += [f"--forward={entry.listen}={entry.to}" for entry in site.forwards()]
        else:
            words.append(f"--socks={door.proxy}")
        site.run(HAWSERD, *words)
        site.wait()
        return door


@dataclass(frozen=True)
class Packets(Own):
    """Where both sides are TCP, take turns and may take all of the CPU."""

    def takes(self, row: Row) -> bool:
        return row.leg == "tcp" and row.quota is None and \
            (row.load["work"] in ("exchange", "churn") or bool(row.load.get("turns")))

    def check(self, site: Site) -> None:
        asked = site.run(HAWSER, "--control=/run/control", "--json", "status")
        status = processes.result(asked, PATIENCE_S)
        # Who comes and goes has no time to be taken.
        if site.row.load["work"] != "churn" and not status["packets"]["taken"]:
            raise Failed(f"no packets were forwarded: {json.dumps([status['packets'], status['kernel']])}")


@dataclass(frozen=True)
class PastPackets(Direct):
    """What is routed past the programs pays for them."""
    packets: Packets

    @property
    def described(self) -> str:
        return f"no proxy; past the programs of {self.packets.described}, which look at each packet"

    def absence(self) -> str | None:
        return self.packets.absence()

    def takes(self, row: Row) -> bool:
        return self.packets.takes(row)

    def start(self, site: Site) -> Door:
        """They hang on an interface once a session has gone by it."""
        door = self.packets.start(site)
        load = processes.start(site.stack, site.topology.client, LOAD, "run", *door.words(site.targets[0]),
                               "--work=exchange", "--warm-up=0", "--seconds=0.2")
        processes.result(load, PATIENCE_S)
        self.packets.check(site)
        return Door()


def _single(tier: str, tick: str) -> Own:
    return Own(tier + ("" if tick == "off" else "-tick"), {"tier": tier, "tick": tick}, single=True)


DIRECT = Direct("direct")
AUTO = Own("auto", {"tier": "auto", "tick": "auto"})
PACKETS = Packets("packets", {"tier": "packets", "tick": "auto"})
OWN = [
    DIRECT,
    AUTO,
    Own("auto-forward", {"tier": "auto", "tick": "auto"}, forward=True),
    _single("copy", "off"),
    _single("splice", "off"),
    _single("sockmap", "off"),
    _single("copy", "auto"),
    _single("splice", "auto"),
    Own("auto-off", {"tier": "auto", "tick": "off"}),
    # The longest tick, also where the round-trip time does not allow it: unshaped paths have next to
    # none, and over the fastest links auto takes shorter ones.
    Own("auto-4ms", {"tier": "auto", "tick": "4000"}),
    Own("local-accel", {"tier": "auto", "tick": "auto"}, local=True),
    PACKETS,
    PastPackets("past-packets", PACKETS),
]
