# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a row is run: the topology with forwarding, so that the transfer without a proxy takes the
same way as the one through it, and the processes of one measurement.

Without a proxy, MPTCP goes from end to end: whoever has the TCP side otherwise speaks MPTCP itself,
with two addresses of its own, and the router forwards its subflows, one per link."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass

from cgroup import Cgroup
from cpu import Disturbance, Spinners
from modem import ModemTopology
from namespace import MountNamespace, Namespace
from rows import Contender, Row
from topology import CLIENT4, LAN4, LINKS, SERVER4, Topology, far, near

CLIENT4_B = "10.77.0.3"
_EVERYBODY = "10.77.0.0/16"
_TABLE_B = 102
_PROXY_PORT, _PORT, _BESIDE_PORT = 1080, 5001, 5002
# BBR, where it is the default, paces: without a shaper a stream is then bounded by its timers, at a
# quarter of what the CPU could do, and with one it keeps the queue empty. Every kernel has reno.
_CONGESTION = "reno"
_PATIENCE_S = 10
_BESIDE_LASTS_S = 1.0

BUILD = os.path.abspath(os.environ.get("HAWSER_BUILD", "build"))
HAWSERD = os.path.join(BUILD, "hawserd")
LOAD = os.path.join(BUILD, "bench", "load")
SPIN = os.path.join(BUILD, "bench", "spin")


class Failed(Exception):
    """A measurement that came to nothing."""


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


def _arguments(options: dict[str, object]) -> list[str]:
    return [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]


def _wait_for(namespace: Namespace, address: str, port: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        with namespace.socket(socket.AF_INET) as probe:
            if probe.connect_ex((address, port)) == 0:
                return
        time.sleep(0.01)
    raise Failed(f"nobody listens on {address}:{port}")


def _stop(process: subprocess.Popen) -> None:
    """Gently first: a hawserd that is killed leaves its pins in the BPF file system."""
    process.terminate()
    try:
        process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


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

    def _start(self, stack: contextlib.ExitStack, namespace: Namespace, *command: str,
               mounts: MountNamespace | None = None) -> subprocess.Popen:
        errors = stack.enter_context(tempfile.TemporaryFile("w+"))
        process = namespace.start(command, mounts, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=errors, text=True)
        process.errors = errors
        stack.callback(_stop, process)
        return process

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
        _wait_for(router, LAN4, _PROXY_PORT,
                  self._start(stack, router, HAWSERD, *_arguments(options), mounts=mounts))

    def _start_server(self, stack: contextlib.ExitStack, port: int, mptcp: bool) -> None:
        command = [LOAD, "serve", f"--listen=0.0.0.0:{port}"] + ["--mptcp"] * mptcp
        _wait_for(self._to, "127.0.0.1", port, self._start(stack, self._to, *command))

    def _start_load(self, stack: contextlib.ExitStack, contender: Contender, address: str,
                    options: dict[str, object]) -> subprocess.Popen:
        command = [LOAD, "run", f"--to={address}", *_arguments(options)]
        if contender.proxied:
            command.append(f"--proxy={LAN4}:{_PROXY_PORT}")
        if self.row.leg == "far" or (self.row.mptcp and not contender.proxied):
            command.append("--mptcp")
        if self._cgroup:
            command = self._cgroup.command(*command, "--nonblocking")
        return self._start(stack, self._from, *command)

    @staticmethod
    def _result(process: subprocess.Popen, timeout_s: float) -> dict:
        try:
            output, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            raise Failed("the load does not end") from None
        if process.returncode != 0:
            process.errors.seek(0)
            raise Failed(process.errors.read().strip() or f"exit {process.returncode}")
        return json.loads(output)

    def _run_loads(self, stack: contextlib.ExitStack, contender: Contender, times: Times,
                   ) -> tuple[dict, dict | None]:
        timed = {"warm_up": times.warm_up_s, "seconds": times.seconds}
        patience_s = sum(timed.values()) + _PATIENCE_S
        beside = None
        if self.row.beside:
            lasting = {**timed, "seconds": times.seconds + _BESIDE_LASTS_S}
            beside = self._start_load(stack, contender, f"{self._address}:{_BESIDE_PORT}",
                                      {**self.row.beside, **lasting})
        load = self._start_load(stack, contender, f"{self._own_address}:{_PORT}",
                                {**self.row.load, **timed})
        result = self._result(load, patience_s)
        return result, beside and self._result(beside, patience_s)

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
                result, beside = self._run_loads(stack, contender, times)
            moved = [after - before for after, before in zip(self._link_bytes(), before)]
        return {**result, "beside": beside,
                "cpus": spinners.cpus,
                "idle_at_rest": spinners.idle_share(spinners.start_ns, rest_ns),
                "idle": spinners.idle_share(result["start_ns"], result["end_ns"]),
                "second_link_share": min(moved) / max(1, sum(moved))}

    def measure(self, contender: Contender, times: Times) -> dict:
        """What the load saw, the idle share of the CPUs at rest and under load, and what others
        had of them."""
        with Disturbance() as disturbance:
            measured = self._measure(contender, times)
        return {**measured, "others": disturbance.others, "steal": disturbance.steal}
