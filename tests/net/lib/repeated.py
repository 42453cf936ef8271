# SPDX-License-Identifier: GPL-2.0-or-later
"""What is done again and again beside a test."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Repeated:
    """Makes these calls again and again, each on a thread of its own, as long as it is entered."""

    def __init__(self, *calls: Callable[[], None]) -> None:
        self._stop = threading.Event()
        self.failed: list[Exception] = []
        self.made = 0
        self._threads = [threading.Thread(target=self._run, args=(call,)) for call in calls]

    def _run(self, call: Callable[[], None]) -> None:
        while not self._stop.is_set():
            try:
                call()
                self.made += 1
            except Exception as problem:  # pylint: disable=broad-exception-caught
                self.failed.append(problem)
            time.sleep(0.02)

    def __enter__(self) -> Repeated:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
