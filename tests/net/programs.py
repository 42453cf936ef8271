# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs of the distribution, run on the test bed's client."""

from __future__ import annotations

import os
import shutil
import subprocess

from bed import Bed

TIMEOUT_S = 60


def path_of(*names: str) -> str:
    """The first of the names that is installed."""
    for name in names:
        if found := shutil.which(name, path=os.defpath + ":/usr/sbin:/sbin:/usr/local/bin"):
            return found
    raise AssertionError(f"none of {names} is installed; tests/setup.sh check installs it")


def run(bed: Bed, program: str, *arguments: str, text: bytes = b"",
        environment: dict[str, str] | None = None) -> bytes:
    """Its output; an AssertionError that holds its complaints when it fails. Nothing of the
    environment of the tests reaches it but PATH."""
    process = bed.client.start(
        [path_of(program), *arguments], bed.mounts, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={"PATH": os.defpath, "HOME": str(bed.scratch), **(environment or {})})
    try:
        output, complaints = process.communicate(text, TIMEOUT_S)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, f"{program}: {complaints.decode(errors='replace')}"
    return output
