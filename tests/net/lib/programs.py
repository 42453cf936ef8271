# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs of the distribution, run on the test bed's client."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from bed import Bed
from patience import PATIENCE
from topology import SERVER4, SERVER6
from waiting import until

TIMEOUT_S = 120 * PATIENCE
SSH_PORT = 2222


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


@contextlib.contextmanager
def openssh(bed: Bed, directory: Path) -> Iterator[None]:
    """An OpenSSH server on the test bed's, with keys of its own in directory."""
    for name in "host", "user":
        subprocess.run([path_of("ssh-keygen"), "-q", "-t", "ed25519", "-N", "",
                        "-f", directory / name], check=True)
    (directory / "config").write_text(f"""
        Port {SSH_PORT}
        ListenAddress {SERVER4}
        ListenAddress {SERVER6}
        HostKey {directory}/host
        AuthorizedKeysFile {directory}/user.pub
        StrictModes no
        UsePAM no
        PermitRootLogin prohibit-password
        PidFile none
        """, "utf-8")
    # Its own /run is empty, and it wants this directory there.
    script = f"mkdir -p /run/sshd && exec {path_of('sshd')} -D -e -f {directory}/config"
    with (directory / "log").open("w", encoding="utf-8") as log:
        process = bed.server.start(["sh", "-c", script], bed.mounts, stderr=log)
    try:
        until(lambda: (directory / "log").read_text("utf-8").count("listening"),
              lambda count: count == 2)
        yield
    finally:
        process.terminate()
        process.wait()


def ssh(bed: Bed, directory: Path, host: str, *command: str, text: bytes = b"",
        options: tuple[str, ...] = ()) -> bytes:
    """The output of a command on the server of openssh()."""
    options = ("BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null",
               "LogLevel=ERROR", *options)
    return run(bed, "ssh", "-F", "none", "-i", f"{directory}/user", "-p", str(SSH_PORT),
               *(word for option in options for word in ("-o", option)), f"root@{host}", *command,
               text=text)
