# SPDX-License-Identifier: GPL-2.0-or-later
"""OpenSSH by way of nc, wget and git, as their users set them up for a proxy."""

from __future__ import annotations

import os
import random
import subprocess

import pytest

from origin import PAYLOAD
from programs import openssh, path_of, run, ssh
from topology import LAN4, LAN6, SERVER4, SERVER6


@pytest.fixture
def sshd(bed, hawserd, tmp_path):
    with openssh(bed, tmp_path):
        yield tmp_path


@pytest.mark.parametrize("host", [SERVER4, SERVER6])
@pytest.mark.parametrize("protocol", ["5", "connect"])
def test_ssh(bed, hawserd, sshd, protocol, host):
    daemon = hawserd()
    netcat = path_of("nc.openbsd", "nc")
    text = random.Random(3).randbytes(1_000_003)
    proxy = LAN4 if host == SERVER4 else LAN6
    echoed = ssh(bed, sshd, host, "cat", text=text, options=(
        f"ProxyCommand={netcat} -X {protocol} -x {bracketed(proxy)}:1080 %h %p",))
    assert echoed == text
    assert daemon.status()["sessions"]["total"] == 1


def bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


@pytest.mark.parametrize("host", [SERVER4, SERVER6, "server.test"])
def test_wget(bed, hawserd, origin, host):
    daemon = hawserd()
    got = run(bed, "wget", "--no-config", "--quiet", "--tries=1", "-O", "-",
              origin.url(host, "payload"),
              environment={"http_proxy": f"http://{LAN4}:1080"})
    assert got == PAYLOAD
    assert daemon.status()["protocols"]["http"] == 1


@pytest.mark.parametrize("host", [SERVER4, SERVER6])
def test_git_clone(bed, hawserd, origin, host):
    daemon = hawserd()
    source = origin.directory / "source"
    git(origin.directory, "init", "--quiet", str(source))
    for number in range(3):
        (source / "file").write_bytes(PAYLOAD[number * 1000:])
        git(source, "add", "file")
        git(source, "commit", "--quiet", "--message", f"change {number}")
    git(source, "update-server-info")
    copy = origin.directory / "copy"
    run(bed, "git", "clone", "--quiet", origin.url(host, "source/.git"), str(copy),
        environment={"http_proxy": f"http://{LAN4}:1080", "GIT_CONFIG_NOSYSTEM": "1"})
    assert git(copy, "rev-parse", "HEAD") == git(source, "rev-parse", "HEAD")
    assert (copy / "file").read_bytes() == PAYLOAD[2000:]
    assert daemon.status()["protocols"]["http"] > 1


def git(directory: os.PathLike, *arguments: str) -> str:
    """On this machine, with nobody's configuration."""
    identity = {f"GIT_{role}_{part}": "tests@hawser" for role in ("AUTHOR", "COMMITTER")
                for part in ("NAME", "EMAIL")}
    return subprocess.run(
        [path_of("git"), *arguments], cwd=directory, check=True, capture_output=True, text=True,
        env={"PATH": os.defpath, "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", **identity},
    ).stdout
