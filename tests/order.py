# SPDX-License-Identifier: GPL-2.0-or-later
"""Which tests pytest-xdist hands out together, and when. A unit is a test file's tests with MPTCP, or
the others: they share a test bed. Units that take long go first, lest one is left at the end."""

from __future__ import annotations

from pathlib import PurePath

import pytest

# Mostly as they wait for what takes hawserd, or the kernel, its time. The longest first.
LONG = ("intercept_state", "intercept", "exact", "sockmap", "speedtest", "link_exit", "link_demotion", "urgent",
        "ends", "http_bodies", "http_forward", "tick", "sticky", "connect_first", "packets", "torture",
        "packets_torture", "packets_ways", "bypass", "doctor", "last_bytes", "open_files", "backpressure",
        "link_metered")


def unit_of(nodeid: str) -> str:
    file, _, test = nodeid.partition("::")
    return f"{file} without MPTCP" if "[no-mptcp" in test else file


def _rank(nodeid: str) -> tuple[int, str]:
    subject = PurePath(nodeid.partition("::")[0]).stem.removeprefix("test_")
    return LONG.index(subject) if subject in LONG else len(LONG), unit_of(nodeid)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _rank(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log):
    from xdist.scheduler import LoadFileScheduling

    class _Units(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return unit_of(nodeid)

    return _Units(config, log) if config.getoption("dist") == "loadfile" else None
