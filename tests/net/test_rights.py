# SPDX-License-Identifier: GPL-2.0-or-later
"""What hawserd and hawser trust, and what hawserd keeps of root's rights."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest

from namespace import MountNamespace
from patience import PATIENCE
from sessions import through
from waiting import until

CAPABILITIES = {"net_bind_service": 10, "net_admin": 12, "net_raw": 13, "dac_read_search": 2, "sys_admin": 21,
                "perfmon": 38, "bpf": 39}
ALWAYS = {"net_admin", "net_bind_service", "dac_read_search"}
BPF = {"bpf", "perfmon"}
TRANSPARENT = ("--transparent", "127.0.0.1:1090")
NOBODY, STRANGER = 65534, 65533


def run(bed, *command: str) -> subprocess.CompletedProcess:
    process = bed.router.start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, err = process.communicate(timeout=120 * PATIENCE)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def status_fields(task: Path) -> dict[str, str]:
    lines = (task / "status").read_text("utf-8").splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def sets(names: set[str]) -> int:
    return sum(1 << CAPABILITIES[name] for name in names)


@pytest.mark.parametrize(("options", "kept"), [
    (("--no-bpf",), ALWAYS),
    ((), ALWAYS | BPF),
    (("--no-bpf", "--links=auto"), ALWAYS | {"net_raw"}),
    (("--no-bpf", *TRANSPARENT), ALWAYS | BPF | {"sys_admin", "net_raw"}),
    (("--no-bpf", "--connect-first=no", *TRANSPARENT), ALWAYS | BPF | {"sys_admin"}),
], ids=["least", "bpf", "links", "transparent", "accepts-first"])
def test_keeps_what_it_needs(hawserd, options, kept):
    """In each thread, and nothing can bring more back."""
    daemon = hawserd(*options)
    tasks = {}
    for task in Path(f"/proc/{daemon.pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # one that writes a file ends
            tasks[task] = status_fields(task)
    assert len(tasks) >= 3
    for task, fields in tasks.items():
        for name in "CapPrm", "CapEff", "CapBnd":
            assert int(fields[name], 16) == sets(kept), (task, name)
        assert int(fields["CapInh"], 16) == 0 and fields["NoNewPrivs"] == "1"
    with through(daemon) as (client, server):
        client.sendall(b"works")
        assert server.recv(5) == b"works"


def test_without_any(hawserd):
    """Who was given none keeps none, and relays."""
    daemon = hawserd(prefix=("setpriv", "--bounding-set", "-all", "--inh-caps", "-all", "--"))
    assert int(status_fields(Path(f"/proc/{daemon.pid}"))["CapPrm"], 16) == 0
    with through(daemon) as (client, server):
        client.sendall(b"works")
        assert server.recv(5) == b"works"


def test_a_reload_wants_more(hawserd, tmp_path):
    file = tmp_path / "conf"
    text = 'listen "x" { address = "10.77.0.1:1081" }\naccess { allow = { "10.77.0.0/24" } }\nrelay { bpf = off }\n'
    file.write_text(text, "utf-8")
    daemon = hawserd("-c", str(file), listen=False)
    file.write_text(text + 'listen "t" { address = "127.0.0.1:1090" transparent = yes }\n', "utf-8")
    daemon.signal(signal.SIGHUP)
    until(daemon.log, lambda log: "a transparent listener needs CAP_SYS_ADMIN, which was given up" in log)
    assert "links needs" not in daemon.log()
    until(daemon.log, lambda log: "configuration reloaded" in log)
    daemon.baseline = daemon.open_files()  # with one more listener


@pytest.mark.parametrize("fault", ["stranger", "writable", "link"])
def test_control_directory(bed, hawserd, tmp_path, fault):
    """Nobody else's directory is taken for the control socket."""
    directory = tmp_path / "control"
    if fault == "link":
        (tmp_path / "real").mkdir()
        directory.symlink_to(tmp_path / "real")
    else:
        directory.mkdir()
    if fault == "stranger":
        os.chown(directory, NOBODY, NOBODY)
    if fault == "writable":
        directory.chmod(stat.S_IRWXU | stat.S_IWOTH | stat.S_IXOTH)
    done = run(bed, str(bed.build / "hawserd"), "--control", f"{directory}/control.sock")
    assert done.returncode == 1
    expected = {"stranger": "belongs to somebody else", "writable": "others may write to its directory",
                "link": "Not a directory"}[fault]
    assert expected in done.stderr
    assert not list(directory.iterdir())


@pytest.fixture
def strangers(bed):
    """A directory of another user with the programs, where everybody may go."""
    with tempfile.TemporaryDirectory() as directory:
        os.chown(directory, STRANGER, STRANGER)
        os.chmod(directory, 0o755)
        for name in "hawserd", "hawser":
            shutil.copy(bed.build / name, directory)
        yield directory


def test_a_reload_of_a_service_wants_more(strangers, hawserd):
    """As a user who was given some capabilities; it is not told of those that it never had."""
    file = Path(strangers) / "conf"
    text = 'listen "x" { address = "10.77.0.1:1081" }\naccess { allow = { "10.77.0.0/24" } }\n'
    file.write_text(text, "utf-8")
    caps = "+net_admin,+net_raw"
    daemon = hawserd("-c", str(file), listen=False, directory=strangers, binary=Path(strangers) / "hawserd",
                     prefix=("setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups",
                             f"--inh-caps={caps}", f"--ambient-caps={caps}", "--pdeathsig", "KILL", "--"))
    file.write_text(text + 'link "wan-a" { device = "a" }\n'
                    'listen "t" { address = "127.0.0.1:1090" transparent = yes }\n', "utf-8")
    done = daemon.run_cli("reload")
    assert "links and connect-first needs CAP_NET_RAW, which was given up" in done.stdout + done.stderr
    assert "CAP_SYS_ADMIN" not in done.stdout + done.stderr
    daemon.baseline = daemon.open_files()


def test_cli_looks_who_answers(strangers, bed, hawserd):
    """A socket of another user is not asked, not even by who may open it."""
    daemon = hawserd(prefix=("setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups", "--pdeathsig",
                             "KILL", "--"),
                     directory=strangers, binary=Path(strangers) / "hawserd")
    os.chmod(daemon.control, 0o666)
    nobody = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--", f"{strangers}/hawser",
              "--control", daemon.control)
    why = f"user {STRANGER} answers there, expected root or user {NOBODY}"
    done = run(bed, *nobody, "status")
    assert done.returncode == 1 and why in done.stderr
    # What advises does so without it.
    done = run(bed, *nobody, "doctor", "--json")
    first = json.loads(done.stdout)["checks"][0]
    assert (done.returncode, first["check"], first["verdict"]) == (1, "hawserd", "fail") and why in first["seen"]
    assert "--control" in first["mend"] and "version" not in done.stdout
    assert why not in run(bed, *nobody, "intercept", "show", "--json").stdout
    assert daemon.run_cli("status").returncode == 0


def test_root_shares_the_directory_of_a_service(bed):
    """As systemd makes it for the service's user: what root's hawser leaves there, hawserd looks after."""
    mounts = MountNamespace({}, empty=("/run",))
    inside = ("/usr/bin/nsenter", f"--mount={mounts.path}", "--")
    caps = ",".join(f"+{name}" for name in ("net_admin", "net_raw", "net_bind_service"))
    for words in ("chmod", "755", "/run"), ("install", "-d", "-o", str(NOBODY), "/run/hawser"):
        assert run(bed, *inside, *words).returncode == 0
    daemon = bed.router.start(
        [*inside, "/usr/bin/env", "XDG_RUNTIME_DIR=/run", "/usr/bin/setpriv", f"--reuid={NOBODY}",
         f"--regid={NOBODY}", "--clear-groups", f"--inh-caps={caps}", f"--ambient-caps={caps}",
         str(bed.build / "hawserd"), *TRANSPARENT], stderr=subprocess.PIPE, text=True)
    hawser = (*inside, str(bed.build / "hawser"))
    try:
        until(lambda: run(bed, *hawser, "status").returncode == 0)
        done = run(bed, *hawser, "--lan", "lan", "intercept", "up")
        assert done.returncode == 0, done.stderr
        bed.router.run("nft", "delete", "table", "inet", "hawser")
        until(lambda: "table inet hawser" in bed.router.run("nft", "list", "tables"))
        assert run(bed, *hawser, "intercept", "down").returncode == 0
    finally:
        daemon.send_signal(signal.SIGINT)
        daemon.communicate(timeout=120)
        mounts.close()
    assert "table inet hawser" not in bed.router.run("nft", "list", "tables")
