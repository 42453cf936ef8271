# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a busy machine has kept processes from running: a control for what is measured meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial

from daemon import Hawserd
from emulator import EmulatedLink
from repeated import Repeated

_PAUSE_S = 0.02


class Stalls(Repeated):
    """Of these daemons and emulated links, which are asked how they are again and again, and of this process, as long as
    it is entered. Nobody else may ask a link then."""

    def __init__(self, *daemons: Hawserd, links: Iterable[EmulatedLink] = ()) -> None:
        self._longest_s = 0.0
        super().__init__(*(partial(self._watch, call)
                           for call in [lambda: None, *(daemon.answers for daemon in daemons),
                                        *(link.stats for link in links)]), pause_s=0)

    def _watch(self, call: Callable[[], object]) -> None:
        began = time.monotonic()
        call()
        time.sleep(_PAUSE_S)
        self._longest_s = max(self._longest_s, time.monotonic() - began - _PAUSE_S)

    def allow_s(self) -> float:
        """What may take longer for that: each of two steps waited so long at most."""
        assert self.failed == []
        return 2 * self._longest_s
