# SPDX-License-Identifier: GPL-2.0-or-later
"""A link with rate, delay, jitter, loss and a queue between two namespaces, by testbed/emulator.c."""

from __future__ import annotations

import json
import os
import select
import subprocess
from pathlib import Path

from namespace import Namespace, Unavailable
from patience import PATIENCE

BINARY = (Path(__file__).resolve().parent.parent / os.environ.get("HAWSER_BUILD", "build")
          / "testbed" / "emulator")
_PATIENCE_S = 60 * PATIENCE


class EmulatedLink:
    """Makes a TUN device of this name in both namespaces, without addresses and down. Settings are
    those of `emulator --help`, with _ for -: rate_up=20, delay=10. The link dies with the thread
    that made it, and at the latest with this process."""

    def __init__(self, near: Namespace, far: Namespace, device: str, seed: int = 1,
                 **settings: object) -> None:
        if not Path("/dev/net/tun").exists():
            raise Unavailable("there is no /dev/net/tun (CONFIG_TUN)")
        command = [str(BINARY), "--seed", str(seed), near.path, device, far.path, device,
                   *self._words(settings)]
        self.process = near.start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, bufsize=1)
        try:
            self._expect_ok(self._answer())
        except BaseException:
            self.close()
            raise

    @staticmethod
    def _words(settings: dict[str, object]) -> list[str]:
        return [f"{name.replace('_', '-')}={value}" for name, value in settings.items()]

    def _answer(self) -> str:
        """One line; there is never more than one to be read."""
        if not select.select([self.process.stdout], [], [], _PATIENCE_S)[0]:
            raise RuntimeError("the emulator does not answer")
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the emulator ended: {self.process.stderr.read().strip()}")
        return line.strip()

    @staticmethod
    def _expect_ok(answer: str) -> None:
        if answer != "ok":
            raise ValueError(answer)

    def _ask(self, line: str) -> str:
        try:
            self.process.stdin.write(line + "\n")
        except BrokenPipeError:
            pass  # the answer tells why
        return self._answer()

    def set(self, **settings: object) -> None:
        """In force when this returns; all or, with a ValueError, none of them."""
        self._expect_ok(self._ask(" ".join(self._words(settings))))

    def stats(self) -> dict[str, dict[str, int]]:
        """Counters of "up", from near to far, and "down"."""
        return json.loads(self._ask("stats"))

    def close(self) -> None:
        """The devices are gone when this returns."""
        self.process.kill()
        self.process.wait()
        for pipe in self.process.stdin, self.process.stdout, self.process.stderr:
            try:
                pipe.close()
            except BrokenPipeError:
                pass
