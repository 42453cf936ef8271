# SPDX-License-Identifier: GPL-2.0-or-later
"""hawserd and hawser on a host that has next to nothing: no file in /etc, no bpffs nor BTF, no
environment but a locale with a decimal comma."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

import peers
from daemon import Hawserd
from handshakes import read
from namespace import MountNamespace
from topology import SERVER4

EMPTY = ("/etc", "/run", "/var", "/sys", "/usr/share")


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """Words before a command that put it on such a host. The locale is where glibc looks by itself:
    it leaks memory when LOCPATH tells it."""
    directory = tmp_path_factory.mktemp("locale")
    subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", directory / "de_DE.UTF-8"],
                   check=True, env={"PATH": "/usr/bin"})
    mounts = MountNamespace({"/usr/lib/locale": str(directory)}, empty=EMPTY)
    words = ("/usr/bin/nsenter", f"--mount={mounts.path}", "--",
             "/usr/bin/env", "-i", "LC_ALL=de_DE.UTF-8")
    shown = subprocess.run([*words, "/usr/bin/printf", "%.1f", "1"], capture_output=True, text=True,
                           check=True)
    assert shown.stdout == "1,0"
    yield words
    mounts.close()


def run(daemon: Hawserd, bare: tuple[str, ...], *arguments: str) -> str:
    with daemon.namespace.start([*bare, daemon.bed.build / "hawser", "--control", daemon.control,
                                 *arguments], stdout=subprocess.PIPE, text=True) as process:
        return process.communicate(timeout=120)[0]


@pytest.mark.parametrize("host", [SERVER4, "bare.test"])
def test_carries(hawserd, serve, dns, bare, host):
    dns.records["bare.test"] = [SERVER4]
    server = serve(peers.echo)
    with hawserd(prefix=bare).dial(host, server.port) as client:
        client.sendall(b"hello")
        assert read(client, 5) == b"hello"


def test_numbers_have_points(hawserd, bare, tmp_path):
    """In options, configuration, and what is shown, to people too."""
    (tmp_path / "conf").write_text("timeouts { idle = 2.5 }\n", "ascii")
    daemon = hawserd("-c", str(tmp_path / "conf"), "--timeout", "connect=1.5", prefix=bare)
    assert daemon.status()["uptime_s"] >= 0
    status = json.loads(run(daemon, bare, "--json", "status"))
    assert status["pid"] == daemon.pid and isinstance(status["uptime_s"], float)
    assert not re.search(r"\d,\d", run(daemon, bare, "status") + run(daemon, bare, "doctor"))
    with subprocess.Popen([*bare, daemon.bed.build / "hawser", "--control", daemon.control,
                           "--json", "--watch=0.1", "status"], stdout=subprocess.PIPE) as watching:
        assert json.loads(watching.stdout.readline())["pid"] == daemon.pid
        watching.terminate()


def test_doctor(hawserd, bare):
    """Finds something to say about each, and none of it for want of a file."""
    report = json.loads(run(hawserd(prefix=bare), bare, "--json", "doctor"))
    found = {check["check"]: check["verdict"] for check in report["checks"]}
    assert found["hawserd"] == found["firewall"] == "ok", found
