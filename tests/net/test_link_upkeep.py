# SPDX-License-Identifier: GPL-2.0-or-later
"""What hawserd has set up for its links is put back when others delete it, and no connection fails
meanwhile; what cannot be put back is said."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import time
from functools import partial

import pytest

import handshakes
import peers
from daemon import Hawserd
from links import LINK, bare  # pylint: disable=unused-import
from patience import PATIENCE
from repeated import Repeated
from test_link_setup import kernel
from topology import SERVER4, SERVER6, far, near
from waiting import until

TABLE, RULE = 28000, 900


def rules_of(family: int) -> list[str]:
    return [f"-{family} rule del from {address[family == 6]} priority {RULE + number}"
            for number, address in enumerate((near("a"), near("b")), 1)]


DELETIONS = {
    **{f"rules-{family}": rules_of(family) for family in (4, 6)},
    **{f"all-rules-{family}": [f"-{family} rule flush protocol 104"] for family in (4, 6)},
    **{f"routes-{family}": [f"-{family} route flush table {TABLE + 1}",
                            f"-{family} route flush table {TABLE + 2}"] for family in (4, 6)},
}
DELETIONS_MPTCP = {
    "endpoints": ["mptcp endpoint flush"],
    "limits": ["mptcp limits set subflow 0 add_addr_accepted 0"],
}


@pytest.mark.mptcp
@pytest.mark.parametrize("commands", [
    ["link set dev b down", "link set dev b up", "addr add {1}/64 dev b nodad"],
    ["addr del {0}/24 dev b", "addr add {0}/24 dev b"],
    ["addr flush dev b scope global", "addr add {0}/24 dev b", "addr add {1}/64 dev b nodad"]])
def test_nobody_deleted_what_an_interface_lost(bare, commands):
    """Down and up again, or an address gone and there again, before hawserd looks."""
    daemon = Hawserd(bare, *LINK, "--workers", "1")
    try:
        until(lambda: [link["state"] for link in daemon.ask("links")["links"]],
              lambda states: states == ["up", "up"])
        daemon.freeze()
        for command in commands:
            bare.router.run("ip", *command.format(*near("b")).split())
        for family, gateway in zip("46", far("b")):
            bare.router.run("ip", f"-{family}", "route", "replace", "default", "via", gateway,
                            "dev", "b", "metric", "2000")
        daemon.signal(signal.SIGCONT)
        until(lambda: "default" in bare.router.run("ip", "route", "show", "table", str(TABLE + 2)))
        until(lambda: [link["state"] for link in daemon.ask("links")["links"]],
              lambda states: states == ["up", "up"])
        assert daemon.ask("links")["put_back"] == 0, daemon.log()
    finally:
        daemon.signal(signal.SIGCONT)
        daemon.finish()


def echoes(daemon, address: str, port: int) -> None:
    """A new connection by the proxy."""
    with daemon.connect() as sock:
        handshakes.socks5(sock, address, port)
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"


def is_put_back(bare, what: str, commands: list[str]) -> None:
    daemon = Hawserd(bare, *LINK)
    running = kernel(bare)
    with contextlib.closing(peers.Server(bare.server, peers.echo)) as server, \
            Repeated(*(partial(echoes, daemon, address, server.port)
                       for address in (SERVER4, SERVER6))) as clients:
        for count in range(1, 3):
            for command in commands:
                bare.router.run("ip", *command.split())
            until(lambda: kernel(bare) == running or ids_apart(kernel(bare)) == ids_apart(running))
            until(lambda: daemon.status()["links"]["put_back"], lambda n: n >= count)  # pylint: disable=cell-var-from-loop
            made = clients.made
            until(lambda: clients.made > made + 4)  # pylint: disable=cell-var-from-loop
    assert clients.failed == []
    links = daemon.status()["links"]
    subject = what.rpartition("-")[0].removeprefix("all-")
    assert links["fault"] == "" and subject in links["last"]
    # What is noticed in two steps is told once.
    assert re.search(rf"set up \([^)]*{subject}[^)]*\); put back", daemon.log())
    assert "put back" in daemon.run_cli("links").stderr
    daemon.finish()


@pytest.mark.parametrize("what", DELETIONS)
def test_is_put_back(bare, what):
    is_put_back(bare, what, DELETIONS[what])


@pytest.mark.mptcp
@pytest.mark.parametrize("what", DELETIONS_MPTCP)
def test_mptcp_is_put_back(bare, what):
    is_put_back(bare, what, DELETIONS_MPTCP[what])


def ids_apart(state: dict[str, str]) -> dict[str, list[str]]:
    """Endpoints have new ids, and rules of one priority another order."""
    return {command: sorted(line if "endpoint" not in command else line.replace("id ", "").split()[0]
                            for line in text.splitlines()) for command, text in state.items()}


def test_ours_is_no_disturbance(bare):
    """What hawserd changes by itself, or a link that goes, is not counted."""
    daemon = Hawserd(bare, *LINK)
    for state in "down", "up":
        bare.router.run("ip", "link", "set", "dev", "b", state)
        until(lambda: daemon.status()["links"]["up"], lambda up: up == (1 if state == "down" else 2))  # pylint: disable=cell-var-from-loop
    time.sleep(1.5)
    links = daemon.status()["links"]
    assert (links["put_back"], links["last"]) == (0, ""), links
    daemon.finish()


@pytest.mark.mptcp
def test_cannot_be_put_back(bare):
    """Others have all the endpoints that the kernel keeps: it is said, until there is room."""
    daemon = Hawserd(bare, *LINK)
    others = [f"198.51.100.{number}" for number in range(1, 9)]
    bare.router.batch("ip", ["mptcp endpoint flush",
                             *(f"mptcp endpoint add {each} signal" for each in others)])
    until(lambda: daemon.status()["links"]["without_endpoint"],
          lambda named: set(named.split(", ")) == {*near("a"), *near("b")})
    links = daemon.status()["links"]
    assert (links["fault"], links["put_back"]) == ("", 0), links
    assert f"no more MPTCP endpoints: none for {near('a')[0]}" in daemon.run_cli("status").stdout
    assert f"no more MPTCP endpoints: none for {near('a')[0]}" in daemon.run_cli("links").stderr
    process = bare.router.start([bare.build / "hawser", "--control", daemon.control, "doctor"],
                                bare.mounts, stdout=subprocess.PIPE, text=True)
    found = process.communicate(timeout=120 * PATIENCE)[0]
    assert "keeps no more than 8 MPTCP endpoints" in found
    assert re.search(r"fail  ipv4 endpoint .*\n +fix: see links above", found), found
    bare.router.run("ip", "mptcp", "endpoint", "delete", "id", "1")
    until(bare.endpoints, lambda there: near("a")[0] in there)
    bare.router.run("ip", "mptcp", "endpoint", "flush")
    until(lambda: daemon.status()["links"]["without_endpoint"] == "")
    assert len(bare.router.run("ip", "mptcp", "endpoint").splitlines()) == 4
    assert daemon.log().count("keeps no more") == 2
    daemon.finish()


@pytest.mark.mptcp
def test_what_the_kernel_refuses_of_one_link(bare, tmp_path):
    """It is named, and the other link is looked after."""
    path = tmp_path / "hawser.conf"
    path.write_text('link a { device = a  gateway = "10.77.1.255" }\nlink b { device = b }\n', "ascii")
    daemon = Hawserd(bare, "-c", str(path))
    try:
        until(lambda: daemon.status()["links"]["fault"],
              lambda fault: fault == "cannot be set up: route default via 10.77.1.255 dev a: Invalid argument")
        assert set(near("b")) < set(bare.endpoints())
        bare.router.run("ip", "link", "set", "dev", "b", "down")
        until(bare.endpoints, lambda there: not set(near("b")) & set(there))
        assert daemon.status()["links"]["put_back"] == 0
    finally:
        daemon.finish()
