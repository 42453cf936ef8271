# SPDX-License-Identifier: GPL-2.0-or-later
"""What the owner of a router with two lines and a rented machine runs: a hawserd that sets up both
links, and its exit, each with a /run of its own, so that neither meets another hawserd."""

from __future__ import annotations

import contextlib
import subprocess
import time
from pathlib import Path

import processes
from namespace import MountNamespace, Namespace
from processes import HAWSER, HAWSERD, Failed
from topology import LAN4, LAN_PREFIX4, LINKS, SERVER4, Topology, far

PROXY_PORT, EXIT_PORT = 1080, 1081


def leave_links_alone(topology: Topology) -> Topology:
    """Addresses and default routes, as two DHCP clients leave them; the rest is hawserd's."""
    gateway = far("b")[0]
    topology.router.batch("ip", ["mptcp endpoint flush",
                                 f"route add default via {gateway} dev b metric 2000"])
    return topology


def write(directory: Path, name: str, text: str) -> Path:
    path = directory / name
    path.touch(0o600)
    path.write_text(text, "ascii")
    return path


class Daemon:
    """Stopped with the stack."""

    def __init__(self, stack: contextlib.ExitStack, namespace: Namespace, address: str, port: int,
                 *options: str) -> None:
        self._namespace = namespace
        self._mounts = stack.enter_context(contextlib.closing(MountNamespace({}, ["/run"])))
        self.process = processes.start(
            stack, namespace, HAWSERD, "--control", "/run/control", "--log-level", "warning",
            "--timeout", "drain=1", "--history", "no", *options, mounts=self._mounts)
        processes.wait_for(namespace, address, port, self.process)
        # It listens before it opens that.
        control = Path(f"/proc/{self.process.pid}/root/run/control")
        deadline = time.monotonic() + processes.PATIENCE_S
        while not control.exists() and time.monotonic() < deadline:
            time.sleep(0.01)

    def cli(self, *words: str) -> str:
        """What hawser prints. Failed if it fails."""
        with self._namespace.start([HAWSER, "--control", "/run/control", *words], self._mounts,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True) as asked:
            output, errors = asked.communicate(timeout=processes.PATIENCE_S)
        if asked.returncode != 0:
            raise Failed(errors.strip() or output.strip())
        return output


def link_sections(used: str) -> str:
    """used: the links that hawserd may use."""
    return "\n".join(f'link "{link}" {{ device = "{link}" {"" if link in used else "role = off"} }}'
                     for link in LINKS)


def token_file(directory: Path) -> Path:
    """Of the exits of this directory, which all take one token, and of their clients."""
    path = directory / "tokens"
    if not path.exists():
        made = subprocess.run([HAWSER, "token", "new", "bench"], capture_output=True, text=True, check=True)
        write(directory, path.name, made.stdout)
    return path


def start_exit(stack: contextlib.ExitStack, topology: Topology, directory: Path, *options: str) -> Daemon:
    return Daemon(stack, topology.server, SERVER4, EXIT_PORT, "--serve-exit",
                  f"{SERVER4}:{EXIT_PORT}", "--tokens", str(token_file(directory)),
                  "--exit-name", "exit", "--exit-allow", "10.77.9.0/24", *options)


def start_router(stack: contextlib.ExitStack, topology: Topology, directory: Path, used: str,
                 *options: str) -> Daemon:
    """used: the links that it may use. With the directory of start_exit()."""
    config = write(directory, "router.conf", f"""{link_sections(used)}
        exit "exit" {{ address = "{SERVER4}" port = {EXIT_PORT}
                      token-file = "{token_file(directory)}" }}
        upstream {{ when-no-exit = refuse }}
        """)
    return Daemon(stack, topology.router, LAN4, PROXY_PORT, "-c", str(config), "--socks",
                  f"{LAN4}:{PROXY_PORT}", "--allow", LAN_PREFIX4, *options)
