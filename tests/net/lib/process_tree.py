# SPDX-License-Identifier: GPL-2.0-or-later
"""What a program has started, and whether all of it is gone."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from idle import tree

# Words before a command that is started with SIGCHLD ignored, as by a shell's trap; dash would take that back.
CHILDREN_IGNORED = ("/usr/bin/python3", "-c", "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); "
                    "os.execvp(sys.argv[1], sys.argv[1:])")


def programs(root: int) -> set[str]:
    """The names of a process and of all that it has started."""
    found = set()
    for pid in tree([root]):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            found.add(Path(f"/proc/{pid}/comm").read_text("utf-8").strip())
    return found


def is_gone(group: int) -> bool:
    """Whether no process of a process group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False
