# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a busy machine has kept processes from running: a control for what is measured meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from daemon import Hawserd

_PAUSE_S = 0.02


class Stalls:
    """Of these daemons, which are asked how they are again and again, and of this process, as long as it is entered."""

    def __init__(self, *daemons: Hawserd) -> None:
        self._stop = threading.Event()
        self._longest_s = 0.0
        self._threads = [threading.Thread(target=self._run, args=(call,), daemon=True)
                         for call in [lambda: None, *(daemon.answers for daemon in daemons)]]

    def _run(self, call: Callable[[], object]) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            call()
            time.sleep(_PAUSE_S)
            self._longest_s = max(self._longest_s, time.monotonic() - began - _PAUSE_S)

    def allow_s(self) -> float:
        """What may take longer for that: each of two steps waited so long at most."""
        return 2 * self._longest_s

    def __enter__(self) -> Stalls:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
