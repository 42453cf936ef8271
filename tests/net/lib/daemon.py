# SPDX-License-Identifier: GPL-2.0-or-later
"""A hawserd on the test bed's router: started, asked, connected through, and judged at the end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import handshakes
import peers
from bed import Bed
from namespace import Namespace
from patience import PATIENCE
from topology import LAN4, LAN6, LAN_PREFIX4, LAN_PREFIX6
from verdict import ENDS, judge_end
from waiting import until

PORT = 1080
LISTEN = ("--socks", f"{LAN4}:{PORT}", "--socks", f"[{LAN6}]:{PORT}")
ALLOW = ("--allow", LAN_PREFIX4, "--allow", LAN_PREFIX6)
# See peers.py.
BRISK = ("--tune", f"keepalive-idle-s={peers.KEEPALIVE_S}",
         "--tune", f"keepalive-interval-s={peers.KEEPALIVE_S}",
         *(("--tune", f"chat-window-us={100_000 * PATIENCE:.0f}") if PATIENCE != 1 else ()))
# A worker may keep this many pipes for reuse; of two fds each.
POOLED_PIPE_FDS = 64


class Hawserd:
    """Options are hawserd's. listen: whether to add the listeners and allowed prefixes of the LAN.
    prefix: words before the command, as a program that lowers its rights. namespace: where it runs,
    if not on the router."""

    def __init__(self, bed: Bed, *options: str, listen: bool = True, open_files: int | None = None,
                 prefix: tuple[str, ...] = (), directory: str | None = None,
                 binary: Path | None = None, namespace: Namespace | None = None) -> None:
        self.bed = bed
        self.namespace = namespace or bed.router
        # Short, as the path of a socket must be.
        self.directory = directory or tempfile.mkdtemp(dir=bed.scratch)
        self.control = f"{self.directory}/control.sock"
        self._log = Path(self.directory) / "stderr"
        self._clients = contextlib.ExitStack()
        self._stopped = False
        command = [*prefix, str(binary or bed.build / "hawserd"),
                   *(LISTEN + ALLOW if listen else ()), *BRISK,
                   "--control", self.control, "--state-dir", f"{self.directory}/state",
                   "--log-level", "debug", *options]
        limit = ["prlimit", f"--nofile={open_files}:{open_files}"] if open_files else []
        with self._log.open("w", encoding="utf-8") as log:
            self.process = self.namespace.start(
                [*limit, *command],
                bed.mounts, stderr=log, stdin=subprocess.DEVNULL)
        self.pid = self.process.pid
        until(self._ready)
        self._pooled_pipe_fds = POOLED_PIPE_FDS * self.status()["workers"]
        self.baseline = self.open_files()

    def _ready(self) -> bool:
        assert self.process.poll() is None, f"hawserd ended at once:\n{self.log()}"
        return self.answers()

    # What it says.

    def log(self) -> str:
        return self._log.read_text("utf-8", "replace")

    def ask(self, command: str, **more: object) -> dict:
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(peers.TIMEOUT_S)
            control.connect(self.control)
            control.sendall(json.dumps({"command": command, **more}).encode() + b"\n")
            with control.makefile("rb") as answer:
                line = answer.readline()
                control.shutdown(socket.SHUT_WR)
                answer.read()  # it has closed its end then
                return json.loads(line)

    def status(self) -> dict:
        return self.ask("status")

    def answers(self) -> bool:
        """Not so before it listens, and while its control socket is crowded."""
        try:
            return "version" in self.status()
        except OSError:
            return False

    def sessions(self) -> list[dict]:
        return self.ask("sessions")["sessions"]

    def session(self) -> dict:
        """The only one, when those whose client has just gone have gone too."""
        return until(self.sessions, lambda sessions: len(sessions) == 1)[0]

    def active(self) -> int:
        return self.status()["sessions"]["active"]

    def errors(self) -> dict[str, int]:
        """Those that happened."""
        return {name: count for name, count in self.status()["errors"].items() if count}

    def await_error(self, cause: str) -> None:
        """Waits until sessions ended for this cause and for none other."""
        until(self.errors, lambda errors: set(errors) == {cause})

    def run_cli(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run([self.bed.build / "hawser", "--control", self.control, *arguments],
                              capture_output=True, text=True, timeout=peers.TIMEOUT_S, check=False)

    def doctor(self, subject: str, prefix: tuple[str, ...] = ()) -> dict[str, dict]:
        """What the doctor says where it runs, of subjects of this kind or name, by check. prefix: as of hawserd."""
        process = self.namespace.start(
            [*prefix, self.bed.build / "hawser", "--control", self.control, "--json", "doctor"],
            self.bed.mounts, stdout=subprocess.PIPE)
        answer, _ = process.communicate(timeout=120 * PATIENCE)
        return {check["check"]: check for check in json.loads(answer)["checks"]
                if subject in (check["subject"], check.get("name"))}

    # What it costs.

    def open_files(self) -> dict[str, int]:
        """How many fds of each kind: "socket", "pipe", "anon_inode"…, or a path."""
        kinds: dict[str, int] = {}
        for entry in os.scandir(f"/proc/{self.pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                kind = os.readlink(entry.path).partition(":")[0]
                kinds[kind] = kinds.get(kind, 0) + 1
        return kinds

    def resident_bytes(self, kind: str = "RssAnon") -> int:
        for line in Path(f"/proc/{self.pid}/status").read_text("ascii").splitlines():
            if line.startswith(f"{kind}:"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"no {kind}")

    # Through it.

    def connect(self, mptcp: bool = False, family: int = socket.AF_INET,
                port: int = PORT, source: str = "") -> socket.socket:
        """A client's connection to a listener of it, closed at the end."""
        address = LAN4 if family == socket.AF_INET else LAN6
        return self._clients.enter_context(
            peers.connect(self.bed.client, address, port, mptcp, source))

    def dial(self, host: str, port: int, mptcp: bool = False, source: str = "") -> socket.socket:
        """A client's connection through it, by SOCKS5."""
        client = self.connect(mptcp, source=source)
        try:
            handshakes.socks5(client, host, port)
        except handshakes.Refused:
            client.close()
            raise
        return client

    # Its end.

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def freeze(self) -> None:
        """Stops it, until SIGCONT: on return no thread runs any more."""
        self.signal(signal.SIGSTOP)
        until(lambda: {status.read_text("ascii").rpartition(")")[2].split()[0]
                       for status in Path(f"/proc/{self.pid}/task").glob("*/stat")},
              lambda states: states == {"T"})

    def wait(self, seconds: float = peers.TIMEOUT_S) -> int:
        """The exit status; it counts as stopped from then on."""
        self._stopped = True
        return self.process.wait(seconds)

    def finish(self) -> None:
        """Judges it, also one whose end the test has waited for."""
        try:
            with self._clients:
                pass
            if not self._stopped:
                assert self.process.poll() is None, f"hawserd died:\n{self.log()[-4000:]}"
                until(self.sessions, lambda sessions: sessions == [])
                until(self._left_over, lambda left: left == {})
                self.signal(signal.SIGINT)
                judge_end(self.wait(), self.log(), (0,))
            judge_end(self.process.poll(), self.log())
        except Exception:
            # Who dies refuses questions before it is dead.
            with contextlib.suppress(subprocess.TimeoutExpired):
                judge_end(self.process.wait(5), self.log(), ENDS if self._stopped else ())
            raise
        finally:
            self.process.kill()
            self.process.wait()

    def _left_over(self) -> dict[str, int]:
        """More open files than before the first session; a worker's pool of pipes is no leak."""
        return {kind: count - self.baseline.get(kind, 0)
                for kind, count in self.open_files().items()
                if count - self.baseline.get(kind, 0)
                > (self._pooled_pipe_fds if kind == "pipe" else 0)}
