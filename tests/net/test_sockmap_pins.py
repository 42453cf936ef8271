# SPDX-License-Identifier: GPL-2.0-or-later
"""What bpftool shows of the sockmap, by the names of its maps in a bpffs."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from flows import SOCKMAP, chat, feature_of, flows, only_with, tiers
from sessions import through
from waiting import until


@pytest.fixture(scope="module", autouse=True)
def only_where_the_kernel_can(bed):
    only_with(bed, SOCKMAP, "sockmap-tcp")


@pytest.fixture
def pins(bed):
    """A directory in a bpffs that only the bed's processes see."""
    inside = ["nsenter", f"--mount={bed.mounts.path}", "--"]
    where = "/run/bpf"
    subprocess.run([*inside, "mkdir", where], check=True)
    mounted = subprocess.run([*inside, "mount", "-t", "bpf", "bpf", where], check=False,
                             capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no bpffs: {mounted.stderr}")

    def run(*command: str) -> str:
        done = subprocess.run([*inside, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    yield f"{where}/hawser", run
    run("umount", where)
    run("rmdir", where)


def test_pinned_maps_show_what_is_going_on(bed, pins, hawserd):
    directory, run = pins
    daemon = hawserd(*SOCKMAP, "--bpf-pins", directory)
    assert feature_of(daemon, "bpf-pins") == {"feature": "bpf-pins", "available": True,
                                              "reason": ""}
    with through(daemon) as (client, server):
        chat(client, server, 10, 100)
        assert tiers(daemon) == {"sockmap"}
        dump = json.loads(run("bpftool", "-j", "map", "dump", "pinned", f"{directory}/flows"))
        used = [entry["formatted"]["value"] for entry in dump
                if entry["formatted"]["value"]["session"]]
        assert len(used) == 2
        for flow in used:
            shown = flows(daemon)[{"HAWSER_UP": "up", "HAWSER_DOWN": "down"}[flow["direction"]]]
            assert flow["session"] == shown["session"]
            assert flow["mode"] == "HAWSER_REDIRECT"
            for key in "redirected", "passed", "granted", "entries", "exits":
                assert flow[key] == shown[key]
            assert flow["redirected"] > 0
        assert "redirected" in run("bpftool", "map", "dump", "pinned", f"{directory}/flows")
    until(daemon.active, lambda active: active == 0)
    # Nothing is left of the session, and nothing of the daemon once it has gone.
    dump = json.loads(run("bpftool", "-j", "map", "dump", "pinned", f"{directory}/flows"))
    assert not any(entry["formatted"]["value"]["session"] for entry in dump)
    assert json.loads(run("bpftool", "-j", "map", "dump", "pinned", f"{directory}/slots")) == []
    for name in "sources", "targets":
        # Of a socket that is gone a lookup finds nothing; keys are those of an array.
        entries = json.loads(run("bpftool", "-j", "map", "dump", "pinned", f"{directory}/{name}"))
        assert all("error" in entry["value"] for entry in entries)
    daemon.finish()
    assert Path(directory).name not in run("ls", str(Path(directory).parent))


def documented_commands() -> list[str]:
    """Those of docs/bpftool.md, in order."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "bpftool.md").read_text("utf-8")
    return text.partition("\n```sh\n")[2].partition("\n```\n")[0].splitlines()


def test_documented_commands(bed, pins, hawserd):
    """Each succeeds, and shows what docs/bpftool.md says; only paths are those of the test."""
    directory, run = pins
    bpffs = str(Path(directory).parent)

    def shell(command: str) -> str:
        return run("bash", "-o", "pipefail", "-c", command.replace("/sys/fs/bpf", bpffs))

    mount, *commands = documented_commands()
    run("umount", bpffs)
    shell(mount)
    daemon = hawserd(*SOCKMAP, "--bpf-pins", directory)
    assert feature_of(daemon, "bpf-pins")["available"]
    hawser = f"{bed.build}/hawser --control {daemon.control} "
    with through(daemon) as (client, server):
        chat(client, server, 10, 100)
        assert tiers(daemon) == {"sockmap"}
        up = flows(daemon)["up"]
        number, moved = up["session"], up["redirected"]
        assert moved > 0
        wanted = {
            "bpftool prog show": ["sk_skb", "name hawser_sockmap"],
            "bpftool map show": ["array", "name flows"],
            "bpftool map dump": [f'"session": {number},', f'"redirected": {moved},', '"exits": 0'],
            "hawser flows": [f" {number}  up         sockmap", f" {number}  down       sockmap"],
        }
        shown = set()
        for command in commands:
            output = shell(re.sub(r"^hawser ", hawser, command))
            about = next(start for start in wanted if command.startswith(start))
            for part in wanted[about]:
                assert part in output, (command, output)
            shown.add(about)
        assert shown == set(wanted)
