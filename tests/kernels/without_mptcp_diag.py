# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel without CONFIG_INET_MPTCP_DIAG, as OpenWrt's: its module is out of reach here. hawserd asks
about subflows by other means."""

from __future__ import annotations

import errno
import json
import socket
import struct
import subprocess
from pathlib import Path

import pytest

from daemon import Hawserd
from handshakes import read
from links import LINK, bare  # pylint: disable=unused-import
from sessions import through
from waiting import until

RULE = Path("/etc/modprobe.d/hawser-check.conf")
_NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY, _NLMSG_ERROR, _NLMSG_DONE = 4, 20, 2, 3
_REQUEST_DUMP, _REQ_PROTOCOL, _IPPROTO_MPTCP = 0x301, 3, 262


def diag_error(protocol: int) -> int:
    """What the kernel says to a question about all sockets of a protocol; 0 when it answers."""
    request = struct.pack("=BBBxI48xHHI", socket.AF_INET, protocol & 0xff, 0, 0xffffffff, 8,
                          _REQ_PROTOCOL, protocol)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as asking:
        asking.settimeout(60)
        asking.send(struct.pack("=IHHII", 16 + len(request), _SOCK_DIAG_BY_FAMILY, _REQUEST_DUMP,
                                1, 0) + request)
        answer = asking.recv(1 << 16)
    kind, = struct.unpack_from("=H", answer, 4)
    # The end of a list carries its error, too.
    return -struct.unpack_from("=i", answer, 16)[0] if kind in (_NLMSG_ERROR, _NLMSG_DONE) else 0


@pytest.fixture(autouse=True)
def without_mptcp_diag():
    RULE.parent.mkdir(exist_ok=True)
    RULE.write_text("install mptcp_diag /bin/false\n", "utf-8")
    subprocess.run(["modprobe", "-r", "mptcp_diag"], check=False)
    try:
        assert "mptcp_diag " not in Path("/proc/modules").read_text("ascii")
        error = diag_error(_IPPROTO_MPTCP)
        if error == 0:
            pytest.skip("mptcp_diag is built in here")
        assert error == errno.ENOENT
        assert diag_error(socket.IPPROTO_TCP) == 0
        yield
        assert diag_error(_IPPROTO_MPTCP) == errno.ENOENT
    finally:
        RULE.unlink()


@pytest.mark.mptcp
def test_subflows_are_known(bare):
    daemon = Hawserd(bare, *LINK[:2], "--link", "wan-b=b,backup")
    try:
        off = {each["feature"]: each["reason"] for each in daemon.status()["kernel"]
               if not each["available"]}
        assert "subflow-diag" not in off

        def backups() -> dict[str, bool | None]:
            done = daemon.run_cli("--json", "session", str(daemon.session()["id"]))
            return {each["link"]: each["backup"] for each in json.loads(done.stdout)["subflows"]
                    if each["leg"] == "upstream"}

        with through(daemon, ("tcp", "mptcp")) as (client, server):
            client.sendall(b"question")
            assert read(server, 8) == b"question"
            server.sendall(b"answer")
            assert read(client, 6) == b"answer"
            until(backups, lambda found: found == {"wan-a": False, "wan-b": True})
    finally:
        daemon.finish()
