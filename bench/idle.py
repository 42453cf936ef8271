# SPDX-License-Identifier: GPL-2.0-or-later
"""What sessions that do nothing cost: memory of the proxy's processes and of the kernel, and how often
the processes are woken."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

# Of /proc/meminfo: sockets, epoll entries, stacks of threads, tables of pages.
_KERNEL_FIELDS = ("Slab", "KernelStack", "PageTables", "Percpu")


@dataclass(frozen=True)
class Look:
    user_bytes: int
    kernel_bytes: int
    switches: int
    at_s: float


def _text(path: Path) -> str:
    """"" of a process that has ended."""
    try:
        return path.read_text("ascii")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def kernel_bytes(meminfo: str) -> int:
    found = dict(re.findall(r"^(\w+): +(\d+) kB$", meminfo, re.M))
    return sum(int(found.get(name, 0)) for name in _KERNEL_FIELDS) * 1024


def user_bytes(rollup: str) -> int:
    """Its share of what others have mapped as well (PSS)."""
    found = re.search(r"^Pss: +(\d+) kB$", rollup, re.M)
    return int(found[1]) * 1024 if found else 0


def switches(status: str) -> int:
    return sum(map(int, re.findall(r"^(?:non)?voluntary_ctxt_switches:\s+(\d+)$", status, re.M)))


def tree(roots: Iterable[int]) -> list[int]:
    """The processes and all that they started."""
    found, waiting = [], list(roots)
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        for task in Path(f"/proc/{pid}/task").glob("*"):
            waiting += map(int, _text(task / "children").split())
    return found


def look(roots: Iterable[int], now_s: Callable[[], float]) -> Look:
    pids = tree(roots)
    tasks = [task for pid in pids for task in Path(f"/proc/{pid}/task").glob("*")]
    return Look(sum(user_bytes(_text(Path(f"/proc/{pid}/smaps_rollup"))) for pid in pids),
                kernel_bytes(_text(Path("/proc/meminfo"))),
                sum(switches(_text(task / "status")) for task in tasks), now_s())


def cost(before: Look, first: Look, last: Look, sessions: int) -> dict[str, float]:
    """before there was any session; first and last while they were silent."""
    return {"user_bytes": (last.user_bytes - before.user_bytes) / sessions,
            "kernel_bytes": (last.kernel_bytes - before.kernel_bytes) / sessions,
            "wakeups_per_s": (last.switches - first.switches) / (last.at_s - first.at_s)}
