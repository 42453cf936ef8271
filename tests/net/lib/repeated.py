# SPDX-License-Identifier: GPL-2.0-or-later
"""What is done again and again beside a test."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Repeated:
    """Makes these calls again and again, each on a thread of its own, with a pause in between, as long as it is
    entered."""

    def __init__(self, *calls: Callable[[], object], pause_s: float = 0.02) -> None:
        self._stop, self._pause_s = threading.Event(), pause_s
        self.failed: list[Exception] = []
        self.made = 0
        self._threads = [threading.Thread(target=self._run, args=(call,), daemon=True) for call in calls]

    def _run(self, call: Callable[[], object]) -> None:
        while True:
            try:
                call()
                self.made += 1
            except Exception as problem:  # pylint: disable=broad-exception-caught
                self.failed.append(problem)
            if self._stop.wait(self._pause_s):
                return

    def __enter__(self) -> Repeated:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(120)
        assert kind or not any(thread.is_alive() for thread in self._threads)
