# SPDX-License-Identifier: GPL-2.0-or-later
"""The processes of one measurement: hawserd, and both ends of the load."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Collection

from namespace import MountNamespace, Namespace
from patience import PATIENCE

BUILD = os.path.abspath(os.environ.get("HAWSER_BUILD", "build"))
HAWSERD = os.path.join(BUILD, "hawserd")
HAWSER = os.path.join(BUILD, "hawser")
LOAD = os.path.join(BUILD, "bench", "load", "load")
SPIN = os.path.join(BUILD, "bench", "spin")
PATIENCE_S = 60 * PATIENCE
WRONG_BYTES = 3  # the status of a load that saw some


class Failed(Exception):
    """A measurement that came to nothing."""


class WrongBytes(Failed):
    """Bytes were lost, doubled, changed or out of order: that must not be tried again until it is not seen."""


def arguments(options: dict[str, object]) -> list[str]:
    return [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]


def _stop(process: subprocess.Popen) -> None:
    """Gently first: a hawserd that is killed leaves its pins in the BPF file system."""
    process.terminate()
    try:
        process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


def start(stack: contextlib.ExitStack, namespace: Namespace, *command: str,
          mounts: MountNamespace | None = None) -> subprocess.Popen:
    """Stopped with the stack."""
    errors = stack.enter_context(tempfile.TemporaryFile("w+"))
    process = namespace.start(command, mounts, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=errors, text=True)
    process.errors = errors
    stack.callback(_stop, process)
    return process


def wait_for(namespace: Namespace, address: str, port: int, process: subprocess.Popen) -> None:
    """Until it listens there."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        with namespace.socket(socket.AF_INET) as probe:
            if probe.connect_ex((address, port)) == 0:
                return
        time.sleep(0.01)
    raise Failed(f"nobody listens on {address}:{port}: {errors(process) or 'no reason given'}")


def errors(process: subprocess.Popen) -> str:
    process.errors.seek(0)
    return process.errors.read().strip()


def _failure(reason: str, load: subprocess.Popen, servers: Collection[subprocess.Popen]) -> Failed:
    """A server says something only when it is about to end, and its client then sees no more than that."""
    ended = [load]
    for server in servers:
        if said := errors(server):
            reason += f"; at the server: {said}"
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(PATIENCE_S)
            ended.append(server)
    return (WrongBytes if any(each.returncode == WRONG_BYTES for each in ended) else Failed)(reason)


def result(process: subprocess.Popen, timeout_s: float, servers: Collection[subprocess.Popen] = ()) -> dict:
    """The JSON that a load prints at its end. servers: those that it talks to. Failed has what they say, too."""
    try:
        output, _ = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise _failure("the load does not end", process, servers) from None
    if process.returncode != 0:
        raise _failure(errors(process) or f"exit {process.returncode}", process, servers)
    if any(map(errors, servers)):
        raise _failure("the load went well", process, servers)
    try:
        return json.loads(output)
    except ValueError:
        raise _failure(f"the load says {output!r}, which is no result", process, servers) from None
