# SPDX-License-Identifier: GPL-2.0-or-later
"""hawser top, on a terminal of 80x24 and others."""

from __future__ import annotations

import contextlib
import signal

import pytest

import peers
from daemon import Hawserd
from links import bare, daemon  # pylint: disable=unused-import
from terminal import Terminal
from topology import CLIENT4, SERVER4, near
from waiting import until


def top(daemon: Hawserd, *options: str, **settings) -> Terminal:
    return Terminal([str(daemon.bed.build / "hawser"), "--control", daemon.control,
                     "--watch=0.2", *options, "top"], **settings)


@contextlib.contextmanager
def sessions(daemon: Hawserd, count: int):
    """Yields pairs of sockets."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(
            peers.listen(daemon.bed.server, mptcp=daemon.bed.mptcp))
        yield [(stack.enter_context(daemon.dial(SERVER4, peers.port_of(listening))),
                stack.enter_context(peers.accept(listening))) for _ in range(count)]


def has(*words: str):
    return lambda screen: all(any(word in line for line in screen) for word in words)


def well(terminal: Terminal, status: int = 0) -> None:
    """It ends, and the terminal is as it was."""
    assert terminal.wait() == status, terminal.output[-500:]
    assert terminal.attributes() == terminal.attributes_before


def test_what_it_shows(daemon):
    with sessions(daemon, 2) as ((client, server), _), top(daemon) as terminal:
        screen = terminal.until(has("2 sessions, 2 links", "wan-a", "wan-b", CLIENT4))
        assert len(screen) == 24 and all(len(line) <= 80 for line in screen)
        # A session that moves bytes comes first, and its subflows are shown when it is selected.
        port = client.getsockname()[1]
        client.sendall(bytes(500_000))
        server.recv(1 << 16)
        terminal.until(lambda screen: any(f"{CLIENT4}:{port}" in line and "500.0kB" in line
                                          for line in screen))
        terminal.until(lambda screen: any(address in line for line in screen if line.startswith("upstream")
                                          for address in (near("a")[0], near("b")[0])))
        terminal.type(b"q")
        well(terminal)


@pytest.mark.parametrize("how", [b"q", b"\x03", signal.SIGTERM])
def test_it_quits_cleanly(daemon, how):
    with top(daemon, term="xterm") as terminal:
        until(lambda: terminal.screen() and b"2 links" in terminal.output)
        assert terminal.attributes() != terminal.attributes_before
        if isinstance(how, bytes):
            terminal.type(how)
        else:
            terminal.process.send_signal(how)
        well(terminal)
        # Back from the alternate screen, with a cursor.
        assert b"\x1b[?1049l" in terminal.output
        assert terminal.output.rindex(b"\x1b[?1049l") > terminal.output.rindex(b"\x1b[?1049h")


def test_it_refreshes_in_place(daemon):
    with top(daemon) as terminal:
        terminal.until(has("0 sessions"))
        with sessions(daemon, 3):
            terminal.until(has("3 sessions", SERVER4))
        terminal.until(lambda screen: has("0 sessions")(screen) and not has(SERVER4)(screen))
        daemon.bed.server.run("ip", "link", "set", "dev", "a", "down")
        terminal.until(has("no-carrier"))
        terminal.type(b"q")
        well(terminal)


def test_selection(daemon):
    with sessions(daemon, 30), top(daemon) as terminal:
        terminal.until(has("30 sessions"))
        marked = lambda: [line for line in terminal.screen() if line.startswith(">")]
        first, = until(marked, lambda lines: len(lines) == 1)
        terminal.type(b"j" * 40)
        last, = until(marked, lambda lines: len(lines) == 1 and lines[0] != first)
        terminal.type(b"k" * 40)
        until(marked, lambda lines: len(lines) == 1 and lines != [last])
        terminal.type(b"q")
        well(terminal)


@pytest.mark.parametrize("size", [(50, 132), (12, 40), (4, 20), (1, 5), (2, 1)])
def test_it_is_resized(daemon, size):
    with sessions(daemon, 10), top(daemon) as terminal:
        terminal.until(has("10 sessions", "wan-b"))
        terminal.resize(*size)
        terminal.until(lambda screen: screen[0].startswith("hawser: 10 sessions"[:size[1] - 1]))
        if size[0] > 20:
            terminal.until(has("wan-b", "LEG"))
            terminal.until(lambda screen: sum(SERVER4 in line for line in screen) >= 10)
        terminal.resize(24, 80)
        screen = terminal.until(has("10 sessions", "wan-a", "wan-b", "LEG", SERVER4))
        assert screen[0].startswith("hawser: 10 sessions")
        terminal.type(b"q")
        well(terminal)


def test_the_daemon_goes(daemon):
    with top(daemon) as terminal:
        terminal.until(has("2 links"))
        daemon.signal(signal.SIGINT)
        daemon.wait()
        well(terminal, 1)
        assert b"hawserd on" in terminal.output


def test_not_on_a_terminal(daemon):
    done = daemon.run_cli("top")
    assert done.returncode == 2 and "terminal" in done.stderr


def test_without_links(bare):
    running = Hawserd(bare)
    try:
        with top(running) as terminal:
            terminal.until(has("0 sessions, 0 links"))
            terminal.type(b"q")
            well(terminal)
    finally:
        running.finish()
