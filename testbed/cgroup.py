# SPDX-License-Identifier: GPL-2.0-or-later
"""Control groups of our own, for sockets and processes that shall be in one."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from namespace import Unavailable
from patience import PATIENCE

_PATIENCE_S = 30 * PATIENCE


def _hierarchy() -> Path:
    """Where cgroup2 is mounted."""
    for line in Path("/proc/self/mounts").read_text("ascii").splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(where)
    raise Unavailable("no cgroup2 file system is mounted")


def _home(hierarchy: Path) -> Path:
    """The group that this process is in."""
    for line in Path("/proc/self/cgroup").read_text("ascii").splitlines():
        if line.startswith("0::/"):
            return hierarchy / line.removeprefix("0::/")
    raise Unavailable("this process is in no group of cgroup2")


def _cpu_hierarchy() -> Path:
    """Where groups that share out the CPU can be made, by either version."""
    for line in Path("/proc/self/mounts").read_text("ascii").splitlines():
        _, where, kind, options, *_ = line.split()
        if kind == "cgroup" and "cpu" in options.split(","):
            return Path(where)
        if kind == "cgroup2" and "cpu" in (Path(where) / "cgroup.subtree_control").read_text(
                "ascii").split():
            return Path(where)
    raise Unavailable("no control groups share out the CPU here")


class Cgroup:
    """Of version 2, unless another home is given. Removed by close(), when nobody is in it any
    more."""

    def __init__(self, home: Path | None = None) -> None:
        self._home = home or _home(_hierarchy())
        self.path = self._home / f"hawser-{os.getpid()}-{time.monotonic_ns()}"
        try:
            self.path.mkdir()
        except OSError as reason:
            raise Unavailable(f"cannot make a cgroup: {reason}") from None

    def __enter__(self) -> Cgroup:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        end = time.monotonic() + _PATIENCE_S
        while True:
            try:
                self.path.rmdir()
                return
            except OSError:  # a process is about to leave
                if time.monotonic() > end:
                    raise
            time.sleep(0.02)

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Moves this process into it for a moment. Sockets that it makes there stay there."""
        (self.path / "cgroup.procs").write_text("0", "ascii")
        try:
            yield
        finally:
            (self._home / "cgroup.procs").write_text("0", "ascii")

    def command(self, *words: str) -> Sequence[str]:
        """The command, such that it runs in the group."""
        return ["/bin/sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', str(self.path), *words]


class IdleCgroup(Cgroup):
    """Gets what CPU time all other groups leave."""

    def __init__(self) -> None:
        super().__init__(_cpu_hierarchy())
        try:
            (self.path / "cpu.idle").write_text("1", "ascii")
        except OSError as reason:
            self.close()
            raise Unavailable(f"no idle control groups: {reason}") from None


class QuotaCgroup(Cgroup):
    """Its processes get this share of one CPU. The period is short, as a slow CPU does not rest for
    tenths of a second. What kernel threads do for them is not counted."""

    _PERIOD_US = 10000  # the least quota is 1 ms

    def __init__(self, share: float) -> None:
        home = _cpu_hierarchy()
        super().__init__(home)
        quota_us = round(self._PERIOD_US * share)
        files = {"cpu.max": f"{quota_us} {self._PERIOD_US}"} if (self.path / "cpu.max").exists() else \
            {"cpu.cfs_period_us": str(self._PERIOD_US), "cpu.cfs_quota_us": str(quota_us)}
        try:
            for name, text in files.items():
                (self.path / name).write_text(text, "ascii")
        except OSError as reason:
            self.close()
            raise Unavailable(f"no quotas of CPU time: {reason}") from None
