# SPDX-License-Identifier: GPL-2.0-or-later
"""In the virtual machine: a plugin of pytest that chooses among the tests, and tells of each in a line
of JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from kernel_log import KernelLog

_FD = int(os.environ["HAWSER_REPORT_FD"])
_DONE = Path("/run/hawser-check/done")
_TEXT_MAX = 6000
# They bring about what kernels do wrong.
_MAY_WARN = "limits_shown.py"
_LOG = pytest.StashKey[KernelLog]()


def _tell(**what: object) -> None:
    text = json.dumps(what).encode() + b"\n"
    while text:
        text = text[os.write(_FD, text):]


def _pytest_process(config: pytest.Config) -> bool:
    return not hasattr(config, "workerinput")


def pytest_sessionstart(session: pytest.Session) -> None:
    if _pytest_process(session.config):
        session.config.stash[_LOG] = KernelLog()
        name = os.uname()
        _tell(kind="kernel", release=name.release, version=name.version)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]):
    """After -k, of each test so many that each value of each parameter comes once, the first of those
    that are equal: kernels do not differ by combinations. What an earlier machine has run is left
    out. The selection's order holds, not that of tests/order.py, which is for several processes."""
    numbers = {item: number for number, item in enumerate(items)}
    yield
    tests: dict[str, list[pytest.Item]] = {}
    for item in sorted(items, key=numbers.__getitem__):
        tests.setdefault(item.nodeid.partition("[")[0], []).append(item)
    chosen = {item for same in tests.values() for item in _cover(same)}
    done = set(_DONE.read_text("utf-8").splitlines())
    left = [item for item in items if item in chosen and item.nodeid not in done]
    config.hook.pytest_deselected(items=[item for item in items if item not in left])
    items[:] = sorted(left, key=lambda item: _place(item.nodeid, config.args))


def _cover(items: list[pytest.Item]) -> list[pytest.Item]:
    chosen: list[pytest.Item] = []
    seen: set[tuple[str, str]] = set()
    while len(chosen) < len(items):
        best = max(items, key=lambda item: len(_values(item) - seen))
        if chosen and not _values(best) - seen:
            break
        chosen.append(best)
        seen |= _values(best)
    return chosen


def _values(item: pytest.Item) -> set[tuple[str, str]]:
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    return {(name, repr(value)) for name, value in parameters.items()}


def _place(nodeid: str, chosen: list[str]) -> int:
    """Of the first of the chosen files and folders that the test lies in."""
    return next(place for place, path in enumerate(chosen) if nodeid.startswith(path))


def pytest_runtest_logstart(nodeid: str) -> None:
    _tell(kind="start", test=nodeid)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """A test in which the kernel warns has failed, whatever hawserd made of it."""
    outcome = yield
    if faults := item.config.stash[_LOG].faults():
        report = outcome.get_result()
        if item.path.name == _MAY_WARN:
            report.user_properties.append(("kernel warning", faults.partition("\n")[0]))
            return
        report.longrepr = "\n".join([report.longreprtext, "the kernel warned:", faults[:_TEXT_MAX // 2]]).strip()
        report.outcome = "failed"


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Of a test that passes, only the call; of another, what went wrong, or why it was skipped."""
    if report.passed and report.when != "call":
        return
    reason = report.longrepr[2] if report.skipped and isinstance(report.longrepr, tuple) else (
        report.longreprtext[-_TEXT_MAX:] if report.failed else "")
    said = "".join(text[-_TEXT_MAX:] for _, text in report.sections) if report.failed else ""
    _tell(kind="end", test=report.nodeid, outcome=report.outcome, reason=reason, said=said,
          features=dict(report.user_properties), seconds=round(report.duration, 2))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if _pytest_process(session.config):
        _tell(kind="finish", status=int(exitstatus))
