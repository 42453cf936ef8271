# SPDX-License-Identifier: GPL-2.0-or-later
"""No test hangs the run. One that takes TEST_S fails, with what all threads do (pytest-timeout), and
its fixtures are torn down. If that hangs too, or nothing of Python runs any more, its process ends
END_S later; pytest-xdist calls the test failed, and starts no more files. A run ends after
HAWSER_RUN_S, if that is set, with the failures so far."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import time

import pytest

# Many times the longest test, but for those that are told how long to run.
TEST_S = float(os.environ.setdefault("PYTEST_TIMEOUT", "240"))
END_S = float(os.environ.get("HAWSER_END_S", "60"))
# pytest-xdist gives its processes 10 s.
EXIT_S = float(os.environ.get("HAWSER_EXIT_S", "60"))
RUN_S = float(os.environ.get("HAWSER_RUN_S", "0"))
_PR_SET_PDEATHSIG = 1


class _Deadlines:
    """Of a process that hands out tests, or runs them, or both."""

    def __init__(self, config: pytest.Config) -> None:
        self.hands_out = not hasattr(config, "workerinput")
        self.runs = not self.hands_out or not getattr(config.option, "tx", None)
        self._usepdb = config.getoption("usepdb")
        self._stderr = os.dup(2)  # tests get another
        self._began = time.monotonic()

    def _die_in(self, seconds: float) -> None:
        """With the stacks of all threads."""
        faulthandler.dump_traceback_later(seconds, exit=True, file=self._stderr)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        if RUN_S and not self.runs:
            # Each test ends before, unless its process cannot be killed.
            self._die_in(RUN_S + TEST_S + 2 * END_S)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self):
        self._die_in(TEST_S + END_S)
        yield
        faulthandler.cancel_dump_traceback_later()

    @pytest.hookimpl(trylast=True)
    def pytest_exception_interact(self) -> None:
        """pytest calls that off, lest it disturbs a debugger; but the fixtures come after it."""
        if self.runs and not self._usepdb:
            self._die_in(TEST_S + END_S)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logfinish(self) -> None:
        if self.hands_out and RUN_S and time.monotonic() - self._began > RUN_S:
            pytest.exit(f"the run takes longer than {RUN_S:.0f} s", returncode=1)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        self._die_in(EXIT_S)

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        if self.hands_out:
            # pytest removes what runs before this one left, which may be much.
            self._die_in(5 * EXIT_S)
        else:  # it is told when to end
            faulthandler.cancel_dump_traceback_later()


def pytest_configure(config: pytest.Config) -> None:
    deadlines = _Deadlines(config)
    config.pluginmanager.register(deadlines)
    # It would run the test that ended the process again and again.
    config.option.maxworkerrestart = "0"
    follow_signals(deadlines.hands_out, deadlines.runs)
    if hasattr(config, "workerinput"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def follow_signals(is_asked: bool, runs: bool) -> None:
    """Asked to end, or when the terminal goes, the run says what has failed so far, and tears down what stands; as at
    SIGINT. What this process was started to ignore (nohup, a shell's &) it goes on ignoring. If it runs tests, by a
    handler that does nothing: else the programs that they start would inherit that, too."""
    for number in signal.SIGHUP, signal.SIGINT, signal.SIGQUIT:
        if runs and signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:
        signal.signal(signal.SIGHUP, signal.default_int_handler)
    if is_asked:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
