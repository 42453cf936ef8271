# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a row is run: the topology with forwarding, so that the transfer without a proxy takes the
same way as the one through it, and the processes of one measurement.

Without a proxy, MPTCP goes from end to end: whoever has the TCP side otherwise speaks MPTCP itself,
with two addresses of its own, and the router forwards its subflows, one per link."""

from __future__ import annotations

import contextlib
import select
import subprocess
import time
from dataclasses import dataclass

import idle
from cgroup import Cgroup, QuotaCgroup
from contenders import Contender
from cpu import Disturbance, Spinners
from modem import ModemTopology
from bench_site import Door, Site, Target
from processes import LOAD, PATIENCE_S, SPIN, Failed, arguments, result, start, wait_for
from rows import Row
from topology import CLIENT4, LAN4, LINKS, SERVER4, Topology, far, near

CLIENT4_B = "10.77.0.3"
_TABLE_B = 102
_PORT, _BESIDE_PORT = 5001, 5002
# BBR, where it is the default, paces: without a shaper a stream is then bounded by its timers, at a
# quarter of what the CPU could do, and with one it keeps the queue empty. Every kernel has reno.
CONGESTION = "reno"
_BESIDE_LASTS_S = 1.0
# Of sessions that end a measurement, until what the kernel frees is free.
_SETTLE_S = 1.0


@dataclass(frozen=True)
class Times:
    idle_s: float
    warm_up_s: float
    seconds: float


def _lets_forward(stage: Topology) -> None:
    near_a, near_b = near("a")[0], near("b")[0]
    far_b = far("b")[0]
    stage.router.sysctl("ipv4/ip_forward", 1)
    stage.router.batch("ip", [f"rule add from {CLIENT4_B} lookup {_TABLE_B}"])
    stage.client.batch("ip", [f"addr add {CLIENT4_B}/24 dev lan",
                              f"route add default via {LAN4}"])
    stage.server.batch("ip", [f"route add {CLIENT4}/32 via {near_a} dev a",
                              f"route add {CLIENT4_B}/32 via {near_b} dev b",
                              f"route add default via {near_a} dev a",
                              f"route add default via {near_b} dev b table {_TABLE_B}",
                              f"rule add from {far_b} lookup {_TABLE_B}"])


def _has_endpoints(stage: Topology, row: Row, proxied: bool) -> None:
    """Gives only those the second address that begin connections with it."""
    stage.client.batch("ip", ["mptcp endpoint flush"])
    if row.leg in ("near", "both", "chain") and not proxied:
        stage.client.batch("ip", [f"mptcp endpoint add {CLIENT4_B} dev lan subflow"])
    elif row.leg == "far":
        stage.router.batch("ip", ["mptcp endpoint flush"])
        stage.server.batch("ip", ["mptcp endpoint flush",
                                  f"mptcp endpoint add {far('b')[0]} dev b subflow"])


def _build(row: Row) -> Topology:
    made = Topology(emulated={link: row.emulated for link in LINKS}) if row.emulated else \
        ModemTopology(rate_a=row.rate_a, rate_b=row.rate_b)
    for namespace in made.client, made.router, made.server:
        if not row.emulated:
            namespace.sysctl("ipv4/tcp_congestion_control", CONGESTION)
        # A port serves again after a second, not a minute: connections come and go by ten thousands.
        namespace.sysctl("ipv4/tcp_tw_reuse", 1)
    _lets_forward(made)
    return made


def _cpu(spinners: Spinners, rest_ns: int, found: dict) -> dict[str, object]:
    """Nothing where others left the spinners no CPU."""
    try:
        return {"idle_at_rest": spinners.idle_share(spinners.start_ns, rest_ns),
                "idle": spinners.idle_share(found["start_ns"], found["end_ns"]),
                "cpus": spinners.cpus}
    except Failed:
        return {}


class Stage:
    """Everything is started afresh for each measurement: what a daemon has learned or grown in one
    round is not there in the next. Of a chain the network is, too, as hawserd sets up its links."""

    def __init__(self, row: Row) -> None:
        self.row = row
        with contextlib.ExitStack() as undo:
            self._cgroup = undo.enter_context(Cgroup()) if row.local else None
            self._quota = undo.enter_context(QuotaCgroup(row.quota)) if row.quota else None
            self._topology = _build(row)
            self._groups = undo.pop_all()
        self._servers: list[subprocess.Popen] = []
        self._address = CLIENT4 if row.leg == "far" else SERVER4
        # See ROWS: its way does not meet that of the load beside it.
        apart = row.beside and row.leg == "tcp"
        self._target = Target(far("b")[0] if apart else self._address, _PORT)
        self._beside = Target(self._address, _BESIDE_PORT)
        self._paced_rate: float | None = None

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self._topology.close()
        self._groups.close()

    def _renew(self) -> None:
        before, self._topology = self._topology, _build(self.row)
        before.close()

    @property
    def _from(self):
        if self.row.local:
            return self._topology.router
        return self._topology.server if self.row.leg == "far" else self._topology.client

    @property
    def _to(self):
        return self._topology.client if self.row.leg == "far" else self._topology.server

    def _start_server(self, stack: contextlib.ExitStack, port: int, mptcp: bool) -> None:
        command = [LOAD, "serve", f"--listen=0.0.0.0:{port}"] + ["--mptcp"] * mptcp
        server = start(stack, self._to, *command)
        self._servers.append(server)
        wait_for(self._to, "127.0.0.1", port, server)

    def _start_load(self, stack: contextlib.ExitStack, contender: Contender, door: Door,
                    target: Target, options: dict[str, object]) -> subprocess.Popen:
        command = [LOAD, "run", *door.words(target), *arguments(options)]
        if self.row.accepts_mptcp or (self.row.mptcp and not contender.proxied):
            command.append("--mptcp")
        if self._cgroup:
            command = self._cgroup.command(*command, "--nonblocking")
        return start(stack, self._from, *command)

    def _run_loads(self, stack: contextlib.ExitStack, contender: Contender, door: Door, times: Times,
                   site: Site) -> tuple[dict, dict | None]:
        timed = {"warm_up": times.warm_up_s, "seconds": times.seconds}
        patience_s = sum(timed.values()) + PATIENCE_S
        beside = None
        if self.row.beside:
            lasting = {**timed, "seconds": times.seconds + _BESIDE_LASTS_S}
            beside = self._start_load(stack, contender, door, self._beside,
                                      {**self.row.beside, **lasting})
        own = {**self.row.load, **timed}
        if self._paced_rate:
            own["rate"] = round(self._paced_rate * self.row.paced)
        before = idle.look(self._pids(site), time.monotonic) if self.row.idle else None
        load = self._start_load(stack, contender, door, self._target, own)
        looks = self._look_at_silence(load, site, times) if before else ()
        found = result(load, patience_s, self._servers)
        if looks:
            if looks[-1].at_s * 1e9 > found["end_ns"]:
                raise Failed("others were in the way: looking took longer than the sessions were idle")
            found |= idle.cost(before, *looks, self.row.load["connections"])
        return found, beside and result(beside, patience_s, self._servers)

    @staticmethod
    def _pids(site: Site) -> list[int]:
        return [process.pid for process in site.started]

    def _look_at_silence(self, load: subprocess.Popen, site: Site, times: Times) -> tuple:
        if not select.select([load.stdout], [], [], times.warm_up_s + PATIENCE_S)[0]:
            raise Failed("the load does not say that its sessions stand")
        if not load.stdout.readline():
            return ()  # result() tells why
        first = idle.look(self._pids(site), time.monotonic)
        time.sleep(times.seconds / 2)
        return first, idle.look(self._pids(site), time.monotonic)

    def _link_bytes(self) -> list[int]:
        return [sum(self._topology.link_bytes(link)) for link in LINKS]

    def _open(self, stack: contextlib.ExitStack, contender: Contender) -> tuple[Door, Site]:
        """The server and the contender, started."""
        if self.row.chain:
            self._renew()
        _has_endpoints(self._topology, self.row, contender.proxied)
        targets = [self._target] + [self._beside] * bool(self.row.beside)
        self._servers.clear()
        mptcp = self.row.dials_mptcp or (self.row.mptcp and not contender.proxied)
        for target in targets:
            self._start_server(stack, target.port, mptcp)
        site = Site(stack, self._topology, self.row, targets, self._cgroup, self._quota)
        return contender.start(site), site

    def pace(self, contender: Contender, times: Times) -> None:
        """Measures the rate that a paced row takes a share of. Failed if that fails."""
        with contextlib.ExitStack() as stack:
            door, site = self._open(stack, contender)
            found, _ = self._run_loads(stack, contender, door, times, site)
        self._paced_rate = found["per_second"]

    def ends(self, contender: Contender) -> dict[str, str]:
        """What becomes of half-closed connections and of resets. Failed if it cannot be told."""
        with contextlib.ExitStack() as stack:
            door, _ = self._open(stack, contender)
            load = self._start_load(stack, contender, door, self._target, {"work": "ends"})
            return result(load, PATIENCE_S, self._servers)

    def _measure(self, contender: Contender, times: Times) -> dict:
        with contextlib.ExitStack() as stack:
            door, site = self._open(stack, contender)
            spinners = Spinners(SPIN)
            before = self._link_bytes()
            with spinners:
                time.sleep(times.idle_s + _SETTLE_S * self.row.idle)
                rest_ns = time.monotonic_ns()
                found, beside = self._run_loads(stack, contender, door, times, site)
            contender.check(site)
            moved = [after - before for after, before in zip(self._link_bytes(), before)]
        return {**found, "beside": beside,
                **_cpu(spinners, rest_ns, found),
                "second_link_share": min(moved) / max(1, sum(moved))}

    def measure(self, contender: Contender, times: Times) -> dict:
        """What the load saw, the idle share of the CPUs at rest and under load, and what others
        had of them. Failed if it came to nothing."""
        with Disturbance() as disturbance:
            measured = self._measure(contender, times)
        return {**measured, "others": disturbance.others, "steal": disturbance.steal}
