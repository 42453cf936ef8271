# SPDX-License-Identifier: GPL-2.0-or-later
"""In the virtual machine: a plugin of pytest that tells of each test in a line of JSON, and leaves
out those that an earlier machine has run."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

_FD = int(os.environ["HAWSER_REPORT_FD"])
_DONE = Path("/run/hawser-check/done")
_TEXT_MAX = 6000


def _tell(**what: object) -> None:
    text = json.dumps(what).encode() + b"\n"
    while text:
        text = text[os.write(_FD, text):]


def _pytest_process(config: pytest.Config) -> bool:
    return not hasattr(config, "workerinput")


def pytest_sessionstart(session: pytest.Session) -> None:
    if _pytest_process(session.config):
        name = os.uname()
        _tell(kind="kernel", release=name.release, version=name.version)


@pytest.hookimpl(hookwrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]):
    """After tests/order.py, whose order is for several processes: here the selection's holds."""
    yield
    done = set(_DONE.read_text("utf-8").splitlines())
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid in done])
    items[:] = sorted((item for item in items if item.nodeid not in done),
                      key=lambda item: _place(item.nodeid, config.args))


def _place(nodeid: str, chosen: list[str]) -> int:
    """Of the first of the chosen files and folders that the test lies in."""
    return next(place for place, path in enumerate(chosen) if nodeid.startswith(path))


def pytest_runtest_logstart(nodeid: str) -> None:
    _tell(kind="start", test=nodeid)


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
