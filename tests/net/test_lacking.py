# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels that lack something, by refusals of this one: hawserd runs, relays exactly, says in its
status what is off and why, and everything else stays on."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import threading

import pytest

import lacking
import peers
from cgroup import Cgroup
from daemon import Hawserd
from feature import lacks
from handshakes import Refused, read
from links import bare_bed
from namespace import MountNamespace
from pattern import MEGABYTE, exchange
from sessions import through
from topology import SERVER4, near

NO_MPTCP = ("mptcp-reset", "mptcp-options", "subflow-diag", "splice-from-mptcp", "splice-to-mptcp",
            "sockmap-mptcp")
# What is off then, and a part of the reason.
OFF = {
    "mptcp": {"mptcp": "built without CONFIG_MPTCP", **dict.fromkeys(NO_MPTCP, "no MPTCP")},
    "mptcp-options": {"mptcp-options": "refuses TCP_NOTSENT_LOWAT, IP_BIND_ADDRESS_NO_PORT, "
                                       "TCP_KEEPIDLE, TCP_FASTOPEN"},
    "inet-diag": {"subflow-diag": "lacks CONFIG_INET_DIAG"},
    "splice": {"splice": "Function not implemented", "splice-from-mptcp": "no splice(2)",
               "splice-to-mptcp": "no splice(2)"},
    "bpf": {"bpf": "does not load the program: Function not implemented",
            "sockmap-tcp": "no program", "sockmap-mptcp": "no program", "bpf-pins": "no program"},
}


def features(daemon) -> dict[str, str]:
    """The reason of each that is off, "" of one that is on."""
    return {each["feature"]: each["reason"] for each in daemon.status()["kernel"]}


def relays_exactly(daemon, pair=("tcp", "mptcp")) -> None:
    with through(daemon, pair) as (client, server):
        exchange(client, server, 4 * MEGABYTE)
    assert daemon.errors() == {}


@pytest.mark.mptcp
@pytest.mark.parametrize("what", OFF)
def test_a_kernel_without(hawserd, what):
    usual = features(hawserd("--socks", "127.0.0.1:1081", listen=False))
    daemon = hawserd(prefix=lacking.words(what))
    found = features(daemon)
    for name, reason in OFF[what].items():
        assert reason in found[name], name
    assert {name for name in found if found[name] != usual[name]} <= set(OFF[what])
    relays_exactly(daemon)


@pytest.mark.mptcp
def test_doctor_says_what_follows(bed, hawserd):
    """Of each option; nothing where none is refused."""
    daemon = hawserd()

    def options(*words: str) -> list[dict]:
        with bed.router.start([*words, bed.build / "hawser", "--json", "--control", daemon.control,
                               "doctor"], bed.mounts, stdout=subprocess.PIPE, text=True) as doctor:
            report = json.loads(doctor.communicate(timeout=120)[0])
        return [check for check in report["checks"] if check["check"] == "options"]

    assert options() == [] or features(daemon)["mptcp-options"]
    found, = options(*lacking.words("mptcp-options"))
    assert found["verdict"] == "warn"  # for want of TCP_KEEPIDLE
    for part in ("TCP_NOTSENT_LOWAT, send buffers", "IP_BIND_ADDRESS_NO_PORT, connections by one",
                 "TCP_KEEPIDLE, a peer that", "TCP_FASTOPEN, connections by TCP"):
        assert f"without {part}" in json.dumps(found)


@pytest.fixture
def cgroup():
    with Cgroup() as made:
        yield made


@pytest.mark.no_mptcp
@pytest.mark.parametrize(("what", "reason"), [
    ("btf", "the kernel has no BTF"),
    ("cgroup-bpf", "does not attach the programs to the cgroup: Invalid argument; "
                   "is CONFIG_CGROUP_BPF missing?")])
def test_local_clients_without(hawserd, cgroup, what, reason):
    """Only they are off: the sockmap needs neither."""
    with contextlib.ExitStack() as stack:
        if what == "btf":
            mounts = stack.enter_context(contextlib.closing(
                MountNamespace({}, empty=["/sys/kernel/btf"])))
            words = ("/usr/bin/nsenter", f"--mount={mounts.path}", "--")
        else:
            words = lacking.words(what)
        usual = hawserd("--local-accel", str(cgroup.path), "--socks", "127.0.0.1:1081",
                        listen=False)
        if not usual.status()["local_accel"]["available"]:
            lacks(usual.status()["local_accel"]["reason"], "local-accel")
        daemon = hawserd("--local-accel", str(cgroup.path), prefix=words)
        state = daemon.status()["local_accel"]
        assert not state["available"] and reason in state["reason"]
        assert features(daemon) == features(usual)
        relays_exactly(daemon, ("tcp", "tcp"))


@pytest.mark.no_mptcp
def test_run_without_cgroup_bpf(bed, hawserd, cgroup):
    """Says so, and has run nothing."""
    daemon = hawserd("--transparent", "127.0.0.1:1090", prefix=lacking.words("cgroup-bpf"))
    with bed.router.entered(), cgroup.entered():
        done = daemon.run_cli("run", "echo", "ran")
    assert done.returncode != 0 and done.stdout == ""
    assert "is CONFIG_CGROUP_BPF missing?" in done.stderr
    daemon.baseline = daemon.open_files()  # the programs stay loaded
    relays_exactly(daemon, ("tcp", "tcp"))


@pytest.mark.mptcp
def test_backups_are_not_known_without_inet_diag(hawserd):
    """All else of a subflow is."""
    daemon = hawserd(prefix=lacking.words("inet-diag"))
    with through(daemon, ("tcp", "mptcp")):
        session = json.loads(daemon.run_cli("--json", "session",
                                            str(daemon.session()["id"])).stdout)
        first = next(each for each in session["subflows"] if each["leg"] == "upstream")
    assert first["backup"] is None and first["state"] == "established"
    assert first["remote"].split(":")[0] == SERVER4


RECEIVE_BYTES = 5 << 20
PORTS = range(50000, 50006)


@pytest.mark.no_mptcp
def test_connections_by_a_link_share_ports(bed, build, tmp_path):
    """A port is taken before it is known whom it must differ for; when none is left, one that leads
    to others is as good."""
    with bare_bed(build, tmp_path, bed.mptcp) as bare, contextlib.ExitStack() as stack:
        daemon = Hawserd(bare, "--link", "one=a", prefix=lacking.words("mptcp-options"))
        stack.callback(daemon.finish)
        bare.router.sysctl("ipv4/ip_local_port_range", f"{PORTS[0]} {PORTS[-1]}")
        servers = [stack.enter_context(peers.listen(bare.server)) for _ in range(2)]

        def begin(server: socket.socket) -> int:
            """Another session, to the end; the port that it comes from."""
            client = stack.enter_context(daemon.dial(SERVER4, peers.port_of(server)))
            accepted = stack.enter_context(peers.accept(server))
            client.sendall(b"there")
            assert read(accepted, 5) == b"there"
            accepted.sendall(b"back")
            assert read(client, 4) == b"back"
            assert accepted.getpeername()[0] == near("a")[0]
            return accepted.getpeername()[1]

        assert {begin(servers[0]) for _ in PORTS} == set(PORTS)
        shared = {begin(servers[1]) for _ in range(4)}
        assert len(shared) == 4 and shared < set(PORTS)
        with pytest.raises(Refused):
            begin(servers[0])


def get_ahead(source: socket.socket, target: socket.socket, taken: int) -> int:
    """By how much a sender at full speed gets ahead of a reader that takes so much and then stops."""
    sent, is_read = 0, threading.Event()
    # What the sockets of the two hold by themselves is not what this is about.
    source.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 17)
    target.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 19)
    source.settimeout(0.5)

    def send() -> None:
        nonlocal sent
        while True:
            had_stopped = is_read.is_set()
            try:
                sent += source.send(bytes(1 << 16))
            except TimeoutError:
                if had_stopped:
                    return

    sender = threading.Thread(target=send)
    sender.start()
    read(target, taken)
    is_read.set()
    sender.join()
    return sent - taken


@pytest.mark.mptcp
@pytest.mark.parametrize("server", ["mptcp", "tcp"])
def test_a_stalled_reader(bed, hawserd, server):
    """Where unsent bytes have no bound of their own, send buffers have one, however far they might
    grow; a socket that fell back has two."""
    with bed.router.setting("ipv4/tcp_wmem", f"4096 16384 {64 * MEGABYTE}"):
        daemon = hawserd(prefix=lacking.words("mptcp-options"))
        with through(daemon, ("tcp", server)) as (client, accepted):
            ahead = get_ahead(client, accepted, 32 * MEGABYTE)
            sockets = bed.router.run("ss", "-tmOHn", "state", "established")
    sizes = [int(size) for size in re.findall(r"skmem:\(.*?,tb(\d+),", sockets)]
    assert sizes and max(sizes) <= RECEIVE_BYTES // 2
    assert ahead <= 2 * RECEIVE_BYTES + 3 * MEGABYTE
