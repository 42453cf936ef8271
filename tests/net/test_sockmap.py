# SPDX-License-Identifier: GPL-2.0-or-later
"""Pairs of TCP sockets in the sockmap: who enters and leaves and why, that no byte is lost or moved on
the way, what it costs, and that everything works without."""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct
import termios
import time
from pathlib import Path

import pytest

import peers
from crowd import IDLE, PATIENT, Crowd, open_files_limit, with_asan
from flows import SOCKMAP as ALWAYS
from flows import TCP_ONLY, chat, feature_of, flows, only_with, reasons, tiers
from handshakes import NO_PASSWORD, read, read_socks5_reply, socks5_request
from patience import PATIENCE, load
from pattern import MEGABYTE, Stream, exchange, together
from sessions import auto_tier, through
from topology import SERVER4
from waiting import until

# Enters again at once after it has left.
EAGER = (*ALWAYS, "--tune", "chat-backoff-ms=1", "--tune", "chat-backoff-max-ms=2")
# Chat enters, whether it gains by that here and now or not.
WITHOUT_TRIAL = ("--tune", "chat-trial-ms=0")
HELD_MAX = 1 * MEGABYTE
NO_CAPABILITY = ("setpriv", "--bounding-set", "-all", "--inh-caps", "-all", "--no-new-privs", "--")


@pytest.fixture(scope="module", autouse=True)
def only_where_the_kernel_can(bed):
    only_with(bed, ALWAYS, "sockmap-tcp")


def queued(sock: socket.socket, request: int) -> int:
    return struct.unpack("i", fcntl.ioctl(sock, request, bytes(4)))[0]


# Who enters, who leaves.

def test_chat_enters(hawserd):
    daemon = hawserd(*TCP_ONLY, *WITHOUT_TRIAL, "--tune", "chat-window-us=1000000")
    with through(daemon) as (client, server):
        chat(client, server, 5)
        assert tiers(daemon) == {"splice"}
        # On a busy machine a while may be too slow for chat.
        for _ in range(50):
            chat(client, server, 100)
            if tiers(daemon) == {"sockmap"}:
                break
        assert reasons(daemon) == {"chat"}
        before = flows(daemon)
        chat(client, server, 50, 1000)
        after = flows(daemon)
        for direction in "up", "down":
            assert after[direction]["bytes"] == before[direction]["bytes"] + 50_000
            assert after[direction]["redirected"] == before[direction]["redirected"] + 50_000
            assert (after[direction]["entries"], after[direction]["exits"]) == (1, 0)
        session = daemon.session()
        assert session["bytes_up"] == after["up"]["bytes"]
        assert session["idle_s"] < 10
    # Of this daemon only.
    assert daemon.status()["sockmap"] == {"entries": 1, "refused": 0, "trials": 0, "won": 0}
    assert daemon.status()["bytes"]["up"] == after["up"]["bytes"]


def test_chat_is_tried(hawserd):
    """It enters in a trial, and after that goes on in the tier that won. Several connections, so that their worker has
    more than one to let in and out."""
    daemon = hawserd(*TCP_ONLY, "--workers", "1", "--tune", "chat-trial-ms=20", "--tune", "chat-trial-rest-s=2",
                     "--tune", "chat-turns=8")
    with contextlib.ExitStack() as stack:
        pairs = [stack.enter_context(through(daemon)) for _ in range(3)]

        def trials() -> dict[str, int]:
            for client, server in pairs:
                chat(client, server, 20)
            return daemon.status()["sockmap"]

        def used() -> set[str]:
            return {flow["tier"] for flow in daemon.ask("flows")["flows"]}

        def what_won_holds() -> bool:
            """For longer than a part of a trial, after another one."""
            before = trials()
            after = until(trials, lambda now: now["trials"] > before["trials"])
            won = after["won"] - before["won"]
            since = time.monotonic()
            while after["trials"] == before["trials"] + 1 == trials()["trials"]:
                if used() != {"sockmap" if won else "copy"}:
                    since = time.monotonic()
                elif time.monotonic() - since > 0.5:  # as the trial's own clock, not scaled
                    return True
            return False

        assert daemon.status()["sockmap"] == {"entries": 0, "refused": 0, "trials": 0, "won": 0}
        until(what_won_holds, seconds=120)
        # Once in, and out again, by a trial or by another.
        until(lambda: trials() and daemon.ask("flows")["flows"],
              lambda found: all(flow["entries"] > 0 and flow["exits"] > 0 for flow in found), seconds=120)
        for client, server in pairs:
            chat(client, server, 200, 1000)
            exchange(client, server, MEGABYTE)


def test_a_slow_pair_does_not_enter(hawserd):
    daemon = hawserd(*TCP_ONLY)
    with through(daemon) as (client, server):
        for _ in range(100):
            chat(client, server, 1)
            time.sleep(0.005 * PATIENCE)
        assert tiers(daemon) == {"splice"}


@pytest.mark.parametrize("direction", ["up", "down"])
def test_bulk_leaves(hawserd, direction):
    daemon = hawserd(*ALWAYS)
    stream = Stream(51)
    with through(daemon) as (client, server):
        chat(client, server, 5)
        assert tiers(daemon) == {"sockmap"}
        sender, receiver = (client, server) if direction == "up" else (server, client)
        # On a busy machine the sender may rest, and the pair come back.
        until(lambda: stream.carry(sender, receiver, 4 * MEGABYTE) or tiers(daemon), lambda found: found == {"copy"})
        # The last: a slow machine is still busy with it when the pair tries to come back.
        assert reasons(daemon) <= {"bulk, not chat", "the target does not keep up",
                                   "the other direction could not enter the sockmap"}
        chat(client, server, 5)
        found = flows(daemon)
        assert found[direction]["redirected"] + found[direction]["passed"] \
            == found[direction]["bytes"]


@pytest.mark.parametrize("tier", ["copy", "splice"])
def test_neither_copy_nor_splice_enter(hawserd, tier):
    daemon = hawserd(*TCP_ONLY, "--tier", tier)
    with through(daemon) as (client, server):
        chat(client, server, 500)
        assert tiers(daemon) == {tier}
    assert daemon.status()["sockmap"] == {"entries": 0, "refused": 0, "trials": 0, "won": 0}


@pytest.mark.mptcp
def test_an_mptcp_leg_says_why_not(hawserd):
    daemon = hawserd("--tier", "sockmap")
    feature = feature_of(daemon, "sockmap-mptcp")
    with through(daemon, ("tcp", "mptcp")) as (client, server):
        chat(client, server, 500)
        if feature["available"]:
            assert tiers(daemon) == {"sockmap"}
        else:
            assert feature["reason"]
            found = flows(daemon)
            assert found["up"]["tier"] == auto_tier(daemon, "tcp", "mptcp")
            assert found["down"]["tier"] == auto_tier(daemon, "mptcp", "tcp")
            copied = [flow["reason"] for flow in found.values() if flow["tier"] == "copy"]
            assert copied == ["a leg is an MPTCP socket"] * len(copied)


# Bytes: the traps of entering, leaving and ending.

@pytest.mark.parametrize("options", [EAGER, (*EAGER, "--torture")], ids=["eager", "torture"])
def test_switched_in_mid_stream(hawserd, options):
    daemon = hawserd(*options)
    with through(daemon) as (client, server):
        exchange(client, server, 64 * MEGABYTE)
    assert daemon.errors() == {}


def test_early_data(bed, hawserd):
    """Sent with the request and before the answer, so unread when the pair enters."""
    daemon = hawserd(*ALWAYS)
    up, down = Stream(52), Stream(53)
    with peers.listen(bed.server) as listening:
        client = daemon.connect()
        client.sendall(NO_PASSWORD + socks5_request(SERVER4, peers.port_of(listening)))
        up.send(client, 100_000)
        with peers.accept(listening) as server:
            down.send(server, 100_000)
            assert read(client, 2) == b"\x05\x00"
            assert read_socks5_reply(client) == 0
            together(lambda: up.receive(server, 100_000), lambda: down.receive(client, 100_000))
            until(lambda: tiers(daemon), lambda found: found == {"sockmap"})


def test_end_without_data(hawserd):
    """The FIN comes as an empty segment; the other direction goes on."""
    daemon = hawserd(*ALWAYS)
    for first in 0, 1:
        with through(daemon) as ends:
            chat(*ends, 5)
            assert tiers(daemon) == {"sockmap"}
            ends[first].shutdown(socket.SHUT_WR)
            assert ends[1 - first].recv(1) == b""
            ends[1 - first].sendall(b"still here")
            assert read(ends[first], 10) == b"still here"
            ends[1 - first].shutdown(socket.SHUT_WR)
            assert ends[first].recv(1) == b""
    assert daemon.errors() == {}


@pytest.mark.parametrize("direction", ["up", "down"])
def test_end_behind_a_slow_reader(hawserd, direction):
    """64 MB and the FIN at once; the reader begins late."""
    daemon = hawserd(*EAGER)
    stream, total = Stream(54), 64 * MEGABYTE
    with through(daemon) as (client, server):
        chat(client, server, 5)
        sender, receiver = (client, server) if direction == "up" else (server, client)

        def send() -> None:
            stream.send(sender, total)
            sender.shutdown(socket.SHUT_WR)

        def receive() -> None:
            time.sleep(1)
            stream.receive(receiver, total)
            assert receiver.recv(1) == b""

        together(send, receive)
        receiver.sendall(b"done")
        assert read(sender, 4) == b"done"
    assert daemon.errors() == {}


@pytest.mark.parametrize("first", ["client", "server"])
def test_reset_while_idle_in_it(hawserd, first):
    daemon = hawserd(*ALWAYS)
    with through(daemon) as (client, server):
        chat(client, server, 5)
        assert tiers(daemon) == {"sockmap"}
        resetting, other = (client, server) if first == "client" else (server, client)
        peers.reset(resetting)
        assert peers.was_reset(other)
    daemon.await_error("reset")


@pytest.mark.parametrize("first", ["client", "server"])
def test_what_came_before_a_reset_is_delivered(hawserd, first):
    daemon = hawserd(*ALWAYS)
    stream, total = Stream(55), 100_000
    with through(daemon) as (client, server):
        chat(client, server, 5)
        resetting, other = (client, server) if first == "client" else (server, client)
        stream.send(resetting, total)
        # A reset throws away what the sender still has.
        until(lambda: queued(resetting, termios.TIOCOUTQ), lambda count: count == 0)
        peers.reset(resetting)
        time.sleep(0.2)
        stream.receive(other, total)
        assert peers.was_reset(other)
    daemon.await_error("reset")


# What it costs.

def socket_queues(bed, ports: set[int]) -> int:
    """Bytes in the receive and send queues of the router's connections that have one of the ports."""
    rows = bed.router.run("ss", "-tnHO").splitlines()
    found = 0
    for row in rows:
        _, received, unsent, near, far = row.split()[:5]
        if {int(near.rpartition(":")[2]), int(far.rpartition(":")[2])} & ports:
            found += int(received) + int(unsent)
    return found


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_stalled_reader_holds_the_sender_back(bed, hawserd, direction):
    """Beyond what the sockets themselves hold there is little: neither in the sockmap's queue, which
    is charged to nobody, nor in hawserd."""
    daemon = hawserd(*EAGER)
    stream = Stream(56)
    with through(daemon) as (client, server):
        chat(client, server, 5)
        sender, receiver = (client, server) if direction == "up" else (server, client)
        sent, most, quiet_since = 0, 0, time.monotonic()
        sender.setblocking(False)
        while time.monotonic() - quiet_since < 2:
            with contextlib.suppress(BlockingIOError):
                sent += sender.send(stream.part(sent, 1 << 16))
                quiet_since = time.monotonic()
            arrived = queued(receiver, termios.FIONREAD)
            between = sent - queued(sender, termios.TIOCOUTQ) - arrived
            if between > HELD_MAX // 2:
                ports = {client.getsockname()[1], server.getsockname()[1]}
                held = between - socket_queues(bed, ports)
                # What came to the receiver meanwhile is in neither.
                most = max(most, held - (queued(receiver, termios.FIONREAD) - arrived))
            assert sent < 200 * MEGABYTE, "the sender is never held back"
        sender.settimeout(peers.TIMEOUT_S)
        assert most <= HELD_MAX
        stream.receive(receiver, sent)


def wakeups(pid: int) -> int:
    """Voluntary context switches of all its threads."""
    total = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        for line in status.read_text("ascii").splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                total += int(line.split()[1])
    return total


def test_idle_sessions_cost_no_buffer_and_no_wakeup(bed, hawserd):
    daemon = hawserd(*ALWAYS, *PATIENT)
    # Two sockets of each session here, two there, and an eighth for other uses.
    warm = load(500)
    count = min(load(IDLE), (open_files_limit() - 500) * 7 // 16) - warm
    assert count >= warm, "the limit of open files is too low"
    with peers.listen(bed.server) as listening, Crowd(daemon, listening) as crowd:
        crowd.grow(warm)  # the buffers of so many handshakes at once are used again
        before, files = daemon.resident_bytes(), daemon.open_files()
        crowd.grow(count)
        until(lambda: daemon.status()["sockmap"]["entries"] == warm + count)
        # Before so long an answer as the next is made. A sanitizer's own memory is in the way.
        if not with_asan(bed.build):
            until(lambda: daemon.resident_bytes() - before, lambda more: more < 2 * 1024 * count)
        found = daemon.ask("flows")["flows"]
        assert {(flow["tier"], flow["held"]) for flow in found} == {("sockmap", 0)}
        assert daemon.open_files().get("pipe", 0) == files.get("pipe", 0)
        time.sleep(0.2)
        # Timers of the daemon's own wake it a few times a second, however many sessions there are.
        woken, began = wakeups(daemon.pid), time.monotonic()
        time.sleep(2)
        idle = wakeups(daemon.pid) - woken
        assert idle < count // 20
        per_s = idle / (time.monotonic() - began)
        # Bytes that the kernel moves wake nobody either.
        talking = crowd.ends[:200]
        woken, began = wakeups(daemon.pid), time.monotonic()
        for client, server in talking:
            client.sendall(b"?")
            assert read(server, 1) == b"?"
            server.sendall(b"!")
            assert read(client, 1) == b"!"
        assert wakeups(daemon.pid) - woken < len(talking) // 2 + 2 * per_s * (time.monotonic() - began)


# Without it.

@pytest.mark.parametrize("way", ["no-bpf", "refused", "no capability"])
@pytest.mark.parametrize("tier", ["auto", "sockmap"])
def test_everything_works_without(hawserd, way, tier):
    options, prefix, reason = {
        "no-bpf": (("--no-bpf",), (), "switched off"),
        "refused": ((), ("env", "HAWSER_TEST_REFUSE_BPF=1"), "does not load"),
        "no capability": ((), NO_CAPABILITY, "not permitted"),
    }[way]
    daemon = hawserd(*TCP_ONLY, "--tier", tier, *options, prefix=prefix)
    for name in "bpf", "sockmap-tcp", "sockmap-mptcp", "bpf-pins":
        assert not feature_of(daemon, name)["available"]
        assert feature_of(daemon, name)["reason"]
    assert reason in feature_of(daemon, "bpf")["reason"]
    assert reason in daemon.log()
    with through(daemon) as (client, server):
        chat(client, server, 500)
        assert tiers(daemon) == {"splice"}
        exchange(client, server, 8 * MEGABYTE)
    assert daemon.status()["sockmap"] == {"entries": 0, "refused": 0, "trials": 0, "won": 0}


# Looking inside.

def test_cli_shows_flows(hawserd):
    daemon = hawserd(*ALWAYS)
    assert "no sessions" in daemon.run_cli("flows").stderr
    with through(daemon) as (client, server):
        chat(client, server, 10, 100)
        lines = daemon.run_cli("flows").stdout.splitlines()
        assert lines[0].split()[:3] == ["SESSION", "DIRECTION", "TIER"]
        assert [line.split()[1:3] for line in lines[1:]] == [["up", "sockmap"],
                                                            ["down", "sockmap"]]
        assert all(line.endswith("tier = sockmap") for line in lines[1:])
    assert "1 entries, 0 refused" in daemon.run_cli("status").stdout


def test_idle_timeout_counts_what_the_kernel_moves(hawserd):
    """Bytes that user space never sees keep a session alive, and their absence ends it."""
    daemon = hawserd(*ALWAYS, "--timeout", "idle=3")

    def outlives_it() -> bool:
        """Unless a busy machine kept this from talking for so long."""
        with through(daemon) as (client, server):
            end = time.monotonic() + 3.9
            with contextlib.suppress(ConnectionError, EOFError):
                while time.monotonic() < end:
                    chat(client, server, 1)
                    time.sleep(0.05)
                found = daemon.sessions()
                assert all(session[way] == "sockmap" for session in found for way in ("tier_up", "tier_down"))
                return len(found) == 1 and peers.was_reset(client)
        return False

    until(outlives_it)
    daemon.await_error("idle-timeout")
