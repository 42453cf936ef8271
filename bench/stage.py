# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a row is run: the topology with forwarding, so that the transfer without a proxy takes the
same way as the one through it, and the processes of one measurement.

Without a proxy, MPTCP goes from end to end: whoever has the TCP side otherwise speaks MPTCP itself,
with two addresses of its own, and the router forwards its subflows, one per link."""

from __future__ import annotations

import contextlib
import subprocess
import time
from dataclasses import dataclass

from cgroup import Cgroup
from cpu import Disturbance, Spinners
from modem import ModemTopology
from namespace import MountNamespace
from processes import HAWSERD, LOAD, PATIENCE_S, SPIN, arguments, result, start, wait_for
from rows import Contender, Row
from topology import CLIENT4, LAN4, LINKS, SERVER4, Topology, far, near

CLIENT4_B = "10.77.0.3"
_EVERYBODY = "10.77.0.0/16"
_TABLE_B = 102
_PROXY_PORT, _PORT, _BESIDE_PORT = 1080, 5001, 5002
# BBR, where it is the default, paces: without a shaper a stream is then bounded by its timers, at a
# quarter of what the CPU could do, and with one it keeps the queue empty. Every kernel has reno.
_CONGESTION = "reno"
_BESIDE_LASTS_S = 1.0


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


def _has_endpoints(stage: Topology, leg: str) -> None:
    """Gives only those the second address that begin connections in this leg."""
    if leg == "near":
        stage.client.batch("ip", [f"mptcp endpoint add {CLIENT4_B} dev lan subflow"])
    elif leg == "far":
        stage.router.batch("ip", ["mptcp endpoint flush"])
        stage.server.batch("ip", [f"mptcp endpoint add {far('b')[0]} dev b subflow"])


class Stage:
    """Everything is started afresh for each measurement: what a daemon has learned or grown in one
    round is not there in the next."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self._topology = ModemTopology(rate_a=row.rate_a, rate_b=row.rate_b)
        for namespace in self._topology.client, self._topology.router, self._topology.server:
            namespace.sysctl("ipv4/tcp_congestion_control", _CONGESTION)
        _lets_forward(self._topology)
        _has_endpoints(self._topology, row.leg)
        ends = self._topology.client, self._topology.server
        self._from, self._to = ends if row.leg != "far" else reversed(ends)
        self._cgroup = None
        if row.local:
            self._from = self._topology.router
            self._cgroup = Cgroup()
        self._address = CLIENT4 if row.leg == "far" else SERVER4
        # See ROWS: its way does not meet that of the load beside it.
        self._own_address = far("b")[0] if row.beside else self._address

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self._topology.close()
        if self._cgroup:
            self._cgroup.close()

    def _start_proxy(self, stack: contextlib.ExitStack, contender: Contender) -> None:
        """With a /run of its own, so that it meets no other hawserd's control socket."""
        options = {"socks": f"{LAN4}:{_PROXY_PORT}", "allow": _EVERYBODY,
                   "mptcp": "on" if self.row.leg == "near" else "off",
                   # Otherwise a better congestion control would pass for a better relay.
                   "congestion": "system",
                   "control": "/run/control", "log-level": "warning", **contender.options}
        if contender.local:
            options["local-accel"] = str(self._cgroup.path)
        mounts = stack.enter_context(contextlib.closing(MountNamespace({}, ["/run"])))
        router = self._topology.router
        wait_for(router, LAN4, _PROXY_PORT,
                  start(stack, router, HAWSERD, "--history", "no", *arguments(options), mounts=mounts))

    def _start_server(self, stack: contextlib.ExitStack, port: int, mptcp: bool) -> None:
        command = [LOAD, "serve", f"--listen=0.0.0.0:{port}"] + ["--mptcp"] * mptcp
        wait_for(self._to, "127.0.0.1", port, start(stack, self._to, *command))

    def _start_load(self, stack: contextlib.ExitStack, contender: Contender, address: str,
                    options: dict[str, object]) -> subprocess.Popen:
        command = [LOAD, "run", f"--to={address}", *arguments(options)]
        if contender.proxied:
            command.append(f"--proxy={LAN4}:{_PROXY_PORT}")
        if self.row.leg == "far" or (self.row.mptcp and not contender.proxied):
            command.append("--mptcp")
        if self._cgroup:
            command = self._cgroup.command(*command, "--nonblocking")
        return start(stack, self._from, *command)

    def _run_loads(self, stack: contextlib.ExitStack, contender: Contender, times: Times,
                   ) -> tuple[dict, dict | None]:
        timed = {"warm_up": times.warm_up_s, "seconds": times.seconds}
        patience_s = sum(timed.values()) + PATIENCE_S
        beside = None
        if self.row.beside:
            lasting = {**timed, "seconds": times.seconds + _BESIDE_LASTS_S}
            beside = self._start_load(stack, contender, f"{self._address}:{_BESIDE_PORT}",
                                      {**self.row.beside, **lasting})
        load = self._start_load(stack, contender, f"{self._own_address}:{_PORT}",
                                {**self.row.load, **timed})
        found = result(load, patience_s)
        return found, beside and result(beside, patience_s)

    def _link_bytes(self) -> list[int]:
        return [sum(self._topology.link_bytes(link)) for link in LINKS]

    def _measure(self, contender: Contender, times: Times) -> dict:
        with contextlib.ExitStack() as stack:
            mptcp_end = self.row.leg == "near" or (self.row.mptcp and not contender.proxied)
            for port in (_PORT, _BESIDE_PORT)[:2 if self.row.beside else 1]:
                self._start_server(stack, port, mptcp_end)
            if contender.proxied:
                self._start_proxy(stack, contender)
            spinners = Spinners(SPIN)
            before = self._link_bytes()
            with spinners:
                time.sleep(times.idle_s)
                rest_ns = time.monotonic_ns()
                found, beside = self._run_loads(stack, contender, times)
            moved = [after - before for after, before in zip(self._link_bytes(), before)]
        return {**found, "beside": beside,
                "cpus": spinners.cpus,
                "idle_at_rest": spinners.idle_share(spinners.start_ns, rest_ns),
                "idle": spinners.idle_share(found["start_ns"], found["end_ns"]),
                "second_link_share": min(moved) / max(1, sum(moved))}

    def measure(self, contender: Contender, times: Times) -> dict:
        """What the load saw, the idle share of the CPUs at rest and under load, and what others
        had of them."""
        with Disturbance() as disturbance:
            measured = self._measure(contender, times)
        return {**measured, "others": disturbance.others, "steal": disturbance.steal}
