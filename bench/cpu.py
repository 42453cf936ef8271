# SPDX-License-Identifier: GPL-2.0-or-later
"""The CPU time of the whole machine, as what idle spinners no longer get. What /proc/stat books
misses softirqs and short jobs between two ticks."""

from __future__ import annotations

import bisect
import os
import subprocess
import time

from cgroup import IdleCgroup
from processes import Failed

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_STEAL_FIELD = 8
# Of /proc/PID/stat, counted from the state, which follows the name.
_PARENT_FIELD, _TIME_FIELDS = 1, slice(11, 15)
_KTHREADD = 2
# Samples, taken while the spinners start.
_SKIP = 5


def _steal_s() -> float:
    with open("/proc/stat", encoding="ascii") as file:
        return int(file.readline().split()[_STEAL_FIELD]) / _TICKS_PER_S


def _process_s(pid: int) -> float:
    """Its own CPU time and that of the children it has waited for."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    if _KTHREADD in (pid, int(fields[_PARENT_FIELD])):
        return 0
    return sum(map(int, fields[_TIME_FIELDS])) / _TICKS_PER_S


def _others_s() -> float:
    """CPU time of all other processes so far. Nothing of one that ends gets lost: it is added to
    its parent's. Kernel threads are left out, they may have worked for this one."""
    return sum(_process_s(int(name)) for name in os.listdir("/proc")
               if name.isdigit() and int(name) != os.getpid())


class Disturbance:
    """Of all CPU time within the with block: what other processes had, and what the hypervisor
    says it took, though many never say. Children that run in the block must be waited for before
    its end."""

    def __enter__(self) -> Disturbance:
        self._before = self._now()
        return self

    def __exit__(self, *_: object) -> None:
        others_s, steal_s, wall_s = (after - before
                                     for after, before in zip(self._now(), self._before))
        cpus = len(os.sched_getaffinity(0))
        self.others = others_s / wall_s / cpus
        self.steal = steal_s / wall_s / cpus

    @staticmethod
    def _now() -> tuple[float, float, float]:
        return _others_s(), _steal_s(), time.monotonic()


class Spinners:
    """Runs from the beginning to the end of the with block; then idle_share() can be asked about
    any time between, in ns of the monotonic clock.

    They need a group of their own. In one with others, as the kernel makes one of all processes of a
    terminal (sched_autogroup_enabled), the group's weight falls and rises as the others sleep and wake,
    and each time the kernel takes it for owed more than it is: kernel threads, which are in no group,
    then got no CPU for seconds (run on 6.18), and with them what sockmap redirects."""

    def __init__(self, tool: str) -> None:
        self._tool = tool
        self._samples: list[tuple[int, ...]] = []

    def __enter__(self) -> Spinners:
        self._group = IdleCgroup()
        try:
            self._process = subprocess.Popen(self._group.command(self._tool),
                                             stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                             text=True)
        except BaseException:
            self._group.close()
            raise
        return self

    def __exit__(self, failure: type | None, *_: object) -> None:
        try:
            output, _ = self._process.communicate()
        finally:
            self._process.kill()
            self._process.wait()
            self._group.close()
        if failure:
            return
        if self._process.returncode != 0:
            raise Failed("the spinners failed")
        self._samples = [tuple(map(int, line.split())) for line in output.splitlines()]

    @property
    def cpus(self) -> int:
        return len(self._samples[0]) - 1

    @property
    def start_ns(self) -> int:
        """Some samples after the first: by then they all spin."""
        if len(self._samples) <= _SKIP:
            raise Failed("others left the spinners no CPU, so nothing can be told")
        return self._samples[_SKIP][0]

    def _idle_ns(self, at_ns: int) -> float:
        index = bisect.bisect_left(self._samples, at_ns, key=lambda sample: sample[0])
        if index == 0 or index == len(self._samples):
            raise Failed("others left the spinners no CPU, so nothing can be told")
        before, after = self._samples[index - 1], self._samples[index]
        part = (at_ns - before[0]) / (after[0] - before[0])
        return sum(before[1:]) + part * (sum(after[1:]) - sum(before[1:]))

    def idle_share(self, from_ns: int, to_ns: int) -> float:
        """Of all CPUs, what nobody else had."""
        idle_ns = self._idle_ns(to_ns) - self._idle_ns(from_ns)
        return idle_ns / (to_ns - from_ns) / self.cpus


def busy_s(idle_share: float, idle_share_at_rest: float, seconds: float, cpus: int) -> float:
    """CPU seconds that a load had. Also at rest the spinners do not get all: the timer tick, and
    the host's work for its guest, which in some machines is a twentieth."""
    return (1 - idle_share / idle_share_at_rest) * seconds * cpus
