# SPDX-License-Identifier: GPL-2.0-or-later
"""A program on a terminal of its own, and what its screen shows: as much of a VT100 as ncurses
uses."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Sequence

from patience import PATIENCE

_SEQUENCE = re.compile(rb"\x1b(?:\[([?0-9;]*)([A-Za-z])|[()][AB0]|[=>78M])")


class Terminal:
    """TERM is vt100, unless another is given, whose screen is not understood."""

    def __init__(self, command: Sequence[str], lines: int = 24, columns: int = 80,
                 term: str = "vt100") -> None:
        self.output = b""  # all of it
        self._pending = b""
        self._fd, slave = pty.openpty()
        self._slave = slave
        self.resize(lines, columns, tell=False)
        self.attributes_before = termios.tcgetattr(slave)
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={"PATH": os.defpath, "TERM": term})

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.hang_up()
        os.close(self._slave)

    def hang_up(self) -> None:
        """As when a connection breaks."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def resize(self, lines: int, columns: int, tell: bool = True) -> None:
        self._lines, self._columns = lines, columns
        self._screen = [[" "] * columns for _ in range(lines)]
        self._row = self._column = self._top = 0
        self._bottom = lines - 1  # of what scrolls
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        if tell:
            self.process.send_signal(signal.SIGWINCH)

    def type(self, keys: bytes) -> None:
        os.write(self._fd, keys)

    def attributes(self) -> list:
        return termios.tcgetattr(self._slave)

    def screen(self) -> list[str]:
        self._read(0)
        return ["".join(line).rstrip() for line in self._screen]

    def until(self, expected: Callable[[list[str]], bool], seconds: float = 60) -> list[str]:
        end = time.monotonic() + seconds * PATIENCE
        while not expected(self.screen()):
            assert time.monotonic() < end, "\n".join(self.screen())
            self._read(0.1)
        return self.screen()

    def wait(self, seconds: float = 60) -> int:
        status = self.process.wait(seconds)
        if self._fd >= 0:
            self._read(0)
        return status

    def _read(self, seconds: float) -> None:
        while select.select([self._fd], [], [], seconds)[0]:
            data = os.read(self._fd, 65536)
            self.output += data
            self._pending += data
            seconds = 0
        self._interpret()

    def _interpret(self) -> None:
        while self._pending:
            if self._pending[0] == 0x1b:
                found = _SEQUENCE.match(self._pending)
                if not found:
                    assert len(self._pending) < 16, f"not understood: {self._pending[:16]!r}"
                    return
                if found[2]:
                    self._do(found[2].decode(), found[1])
                elif found[0] == b"\x1bM":
                    self._reverse_index()
                self._pending = self._pending[found.end():]
            else:
                self._put(chr(self._pending[0]))
                self._pending = self._pending[1:]

    def _put(self, char: str) -> None:
        if char == "\r":
            self._column = 0
        elif char == "\n" and self._row == self._bottom:
            self._scroll(1)
        elif char == "\n":
            self._row = min(self._row + 1, self._lines - 1)
        elif char == "\t":
            self._column = min(self._column // 8 * 8 + 8, self._columns - 1)
        elif char == "\b":
            self._column = max(self._column - 1, 0)
        elif char >= " " and self._row < self._lines and self._column < self._columns:
            self._screen[self._row][self._column] = char
            self._column += 1

    def _scroll(self, lines: int) -> None:
        """Up by one line, or down by -1."""
        region = self._screen[self._top:self._bottom + 1]
        blank = [" "] * self._columns
        moved = [*region[1:], blank] if lines > 0 else [blank, *region[:-1]]
        self._screen[self._top:self._bottom + 1] = moved

    def _reverse_index(self) -> None:
        if self._row == self._top:
            self._scroll(-1)
        else:
            self._row = max(self._row - 1, 0)

    def _do(self, what: str, parameters: bytes) -> None:
        numbers = [int(number) if number.isdigit() else 0 for number in parameters.split(b";")]
        first = max(numbers[0], 1)
        if what == "H":
            self._row = min(first, self._lines) - 1
            self._column = min(max(numbers[1] if len(numbers) > 1 else 1, 1), self._columns) - 1
        elif what == "r":
            self._top, self._bottom = first - 1, (numbers[1] if len(numbers) > 1 else
                                                  self._lines) - 1
            self._row = self._column = 0
        elif what == "A":
            self._row = max(self._row - first, 0)
        elif what == "B":
            self._row = min(self._row + first, self._lines - 1)
        elif what == "C":
            self._column = min(self._column + first, self._columns - 1)
        elif what == "D":
            self._column = max(self._column - first, 0)
        elif what == "K":
            assert numbers[0] in (0, 1), parameters
            span = (range(self._column, self._columns) if numbers[0] == 0
                    else range(self._column + 1))
            for column in span:
                self._screen[self._row][column] = " "
        elif what == "J":
            assert numbers[0] in (0, 2), parameters
            if numbers[0] == 0:
                self._do("K", b"")
            for row in range(self._row + 1 if numbers[0] == 0 else 0, self._lines):
                self._screen[row] = [" "] * self._columns
