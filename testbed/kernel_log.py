# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel says from now on of faults: its own warnings, and our programs that die."""

from __future__ import annotations

import os
import re

KMSG = "/dev/kmsg"
_FAULT = re.compile(r"WARNING: |BUG: |Oops|\bhawserd?\[\d+\][: ].*(segfault|trap|fault)")
_RECORD_MAX = 8192


class KernelLog:
    """PermissionError where it may not be read."""

    def __init__(self) -> None:
        self._fd = os.open(KMSG, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        os.lseek(self._fd, 0, os.SEEK_END)

    def _records(self) -> list[str]:
        found = []
        while True:
            try:
                record = os.read(self._fd, _RECORD_MAX)
            except BlockingIOError:
                return found
            except BrokenPipeError:  # it has forgotten the next
                continue
            if not record:  # of a file in its place
                return found
            found += record.decode("utf-8", "replace").splitlines()

    def faults(self) -> str:
        """Since it was asked last: from the first on, with what it says beside. "" if there were none."""
        lines = [line.partition(";")[2] or line for line in self._records()]
        first = next((place for place, line in enumerate(lines) if _FAULT.search(line)), len(lines))
        return "\n".join(lines[first:])

    def close(self) -> None:
        os.close(self._fd)
