# SPDX-License-Identifier: GPL-2.0-or-later
"""The load of the torture (its program is in tests/net/lib/torture_load/), the daemons that it goes through,
and what these must show after it."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile

from bed import Bed
from cgroup import Cgroup
from crowd import with_asan
from daemon import ALLOW, Hawserd
from patience import PATIENCE, load
from topology import LAN4, LAN6, SERVER4, SERVER6
from waiting import until

SESSIONS = int(os.environ.get("TORTURE_SESSIONS", load(200)))
_PORT, _PORT_TCP = 1080, 1081
# What runs when the time is up may go on for a while.
_LATE_S = 150 * PATIENCE
# Not all that malloc() keeps can be given back: 1.3 to 3.4 MB were seen with 25 sessions, and no more
# with 120.
_MEMORY_MAX = 6 * 1024 * 1024


class Torture:
    """Two daemons. Sessions to TCP servers go through the second, which dials plain TCP: an MPTCP
    socket that fell back can lose bytes in the kernel, see docs/kernel-notes.md, and that is not what
    this is about."""

    def __init__(self, bed: Bed, start, *options: str, sockmap: bool = False, brief: bool = False,
                 ipv6: bool = False, cgroup: Cgroup | None = None) -> None:
        self._bed, self._sockmap, self._brief, self._cgroup = bed, sockmap, brief, cgroup
        self._proxy, self._server = (f"[{LAN6}]", SERVER6) if ipv6 else (LAN4, SERVER4)
        self._daemons: list[Hawserd] = [
            start("--socks", f"{self._proxy}:{port}", *ALLOW, "--log-level", "info", *options, *more,
                  listen=False)
            for port, more in ((_PORT, ()), (_PORT_TCP, ("--mptcp", "off")))]
        self._memory = [daemon.resident_bytes() for daemon in self._daemons]

    def run(self, seconds: int) -> None:
        """The load, and what is to be said of the daemons after it."""
        seed = os.environ.get("SEED") or str(int.from_bytes(os.urandom(4), "big"))
        status, output, complaints = self._load(seconds, seed)
        assert status == 0, (f"make check SEED={seed} draws the same plans again\n{complaints}\n"
                             f"{output}\n{mptcp_counters(self._bed)}\n{self._flows()}")
        counts = json.loads(output)
        print(f"seed {seed}: {output.strip()}")
        self._judge(counts)

    def taken(self) -> int:
        """How many pairs the kernel has forwarded packets of."""
        return sum(daemon.status()["packets"]["taken"] for daemon in self._daemons)

    def _load(self, seconds: int, seed: str) -> tuple[int, str, str]:
        command = [str(self._bed.build / "tests" / "torture"),
                   "--server-net", self._bed.server.path, "--server", self._server,
                   "--proxy", f"{self._proxy}:{_PORT}", "--proxy-tcp", f"{self._proxy}:{_PORT_TCP}",
                   "--sessions", str(SESSIONS), "--seconds", str(seconds), "--seed", seed,
                   *(["--mptcp"] if self._bed.mptcp else []),
                   *(["--sockmap"] if self._sockmap else []),
                   *(["--brief"] if self._brief else [])]
        with tempfile.TemporaryFile("w+", encoding="utf-8") as complaints:
            process = self._start(command, stdout=subprocess.PIPE, stderr=complaints, text=True)
            try:
                output, _ = process.communicate(timeout=2 * seconds + _LATE_S)
            finally:
                process.kill()
                process.wait()
            complaints.seek(0)
            return process.returncode, output, complaints.read()

    def _start(self, command: list[str], **settings) -> subprocess.Popen:
        """In the client's namespace; on hawserd's host, if there is a cgroup to be in."""
        if self._cgroup:
            return self._bed.router.start(self._cgroup.command(*command), **settings)
        return self._bed.client.start(command, **settings)

    def _flows(self) -> str:
        """Of the sessions that are still there."""
        return "\n".join(daemon.run_cli("flows").stdout for daemon in self._daemons)

    def _judge(self, counts: dict) -> None:
        assert sum(counts["sessions"].values()) >= SESSIONS
        for daemon in self._daemons:
            until(lambda daemon=daemon: left_over(daemon), lambda left: left == {})
        self._judge_errors(counts)
        if with_asan(self._bed.build):
            return
        for daemon, before in zip(self._daemons, self._memory):
            until(lambda daemon=daemon: daemon.resident_bytes(),
                  lambda now, before=before: now - before <= _MEMORY_MAX)

    def _judge_errors(self, counts: dict) -> None:
        """Each abnormal end is one that the load has made. A reset of a session that was about to
        end anyway, or before hawserd knew its client, is none."""
        errors: dict[str, int] = {}
        for daemon in self._daemons:
            for cause, count in daemon.errors().items():
                errors[cause] = errors.get(cause, 0) + count
        assert errors.keys() <= {"refused", "reset", "client-gone"}, errors
        assert errors.get("refused", 0) == counts["sessions"]["refused"], (errors, counts)
        reset, gone = errors.get("reset", 0), errors.get("client-gone", 0)
        assert gone <= counts["sessions"]["leave"], (errors, counts)
        assert counts["resets"]["seen"] <= reset <= counts["resets"]["made"] - gone, (errors, counts)


def left_over(daemon: Hawserd) -> dict[str, int]:
    """What a daemon without clients must not have any more. Its descriptors are looked at when it
    is finished."""
    left = {"sessions": len(daemon.sessions()), "active": daemon.active()}
    return {name: count for name, count in left.items() if count}


def mptcp_counters(bed: Bed) -> str:
    """What the kernels' MPTCP counted so far, in each namespace, where it is not 0."""
    return "\n".join(
        f"{name}: " + ", ".join(f"{counter} {value}" for counter, value in
                                bed.mptcp_counters(getattr(bed, name)).items() if value)
        for name in ("client", "router", "server"))
