# SPDX-License-Identifier: GPL-2.0-or-later
"""Which file is read, what the log, hawser reload and hawser status say of it, and what --check
refuses."""

from __future__ import annotations

import signal
import subprocess

import pytest

import peers
from namespace import MountNamespace
from patience import PATIENCE
from test_reload import daemon, file, text  # pylint: disable=unused-import
from test_start import start
from topology import LAN4
from waiting import until

DEFAULT = "/etc/hawser/hawser.conf"


def hawserd_with(bed, content: str | None, *options: str,
                 stop_when=lambda said: "listening on" in said) -> tuple[int, str]:
    """On a host with this default file: the exit status and what was said."""
    mounts = MountNamespace({}, empty=("/etc", "/run"))
    prepare = "" if content is None else \
        f"mkdir /etc/hawser && printf %s '{content}' > {DEFAULT} &&"
    process = bed.router.start(
        ["/usr/bin/nsenter", f"--mount={mounts.path}", "--", "/bin/sh", "-c",
         f'{prepare} exec "$@" 2>&1', "sh", str(bed.build / "hawserd"), *options],
        stdout=subprocess.PIPE, text=True)
    said = ""
    try:
        for line in process.stdout:
            said += line
            if stop_when(said):
                process.send_signal(signal.SIGINT)
        return process.wait(60), said
    finally:
        process.kill()
        process.wait()
        mounts.close()


def test_default_file(bed):
    status, said = hawserd_with(bed, 'listen "x" { address = "127.0.0.1:1234" }\n')
    assert status == 0 and "listening on 127.0.0.1:1234" in said
    assert said.splitlines()[0].endswith(f"configuration: {DEFAULT}")


@pytest.mark.parametrize("options", [(), ("--socks", "127.0.0.1:1234"), ("--workers", "2")])
def test_default_file_is_not_there_or_options_are(bed, options):
    content = 'listen "x" { address = "127.0.0.1:1235" }\n' if options else None
    status, said = hawserd_with(bed, content, *options)
    assert status == 0 and "1235" not in said
    assert said.splitlines()[0].endswith("configuration: no file, the command line and defaults")


def test_default_file_is_broken(bed):
    status, said = hawserd_with(bed, "relay { tier = magic }\n")
    assert status == 2 and f"{DEFAULT}:1: " in said


def test_check_of_the_default_file(bed):
    status, said = hawserd_with(bed, "relay { tier = copy }\n", "--check")
    assert (status, said) == (0, f"{DEFAULT}: ok\n")


@pytest.mark.parametrize(("content", "said_of_it"), [
    ('listen "t" { address = "127.0.0.1:1090"  transparent = on }  intercept { up = yes }', "no interface to take"),
    ('intercept { up = yes  lan = { "lan" } }', "no transparent listener"),
    ('listen "t" { address = "127.0.0.1:1090"  transparent = on }  '
     'intercept { up = yes  lan = { "lan" }  method = redirect }', "not on a loopback address")])
def test_check_of_an_interception_that_cannot_be(bed, content, said_of_it):
    """hawserd starts with it, and says it then."""
    status, said = hawserd_with(bed, content + "\n", "--check")
    assert status == 0 and "up = yes" in said and said_of_it in said


def test_named_file(daemon, file):
    assert f"configuration: {file}" in daemon.log().splitlines()[0]
    assert daemon.status()["configuration"] == {"file": str(file)}


def test_reload(daemon, file):
    file.write_text(text("relay { tier = copy }"), "utf-8")
    done = daemon.run_cli("reload")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{file} reloaded\n", "")
    assert daemon.status()["tier"] == "copy"
    reload = daemon.status()["configuration"]["reload"]
    assert reload["ok"] is True and reload["said"] == "" and 0 <= reload["age_s"] < 60
    assert f"{file}\n" in daemon.run_cli("status").stdout


def test_reload_that_warns(daemon, file):
    file.write_text(text("daemon { workers = 7 }"), "utf-8")
    done = daemon.run_cli("reload")
    assert done.returncode == 0 and "until hawserd restarts" in done.stdout


@pytest.mark.parametrize(("line", "says"), [
    ("relay { tier = magic }", "magic"), ("nonsense", ""),
    ('user "ali" { password-file = "/nonexistent" }', "/nonexistent"),
    (f'listen "x" {{ address = "{LAN4}:1099" }}', f"{LAN4}:1099: Address already in use")])
def test_reload_says_what_is_wrong(bed, daemon, file, line, says):
    """To who asked, and later to who asks how it stands."""
    file.write_text(text(line), "utf-8")
    with peers.listen(bed.router, LAN4, 1099):
        done = daemon.run_cli("reload")
    assert done.returncode == 1 and done.stdout == ""
    assert says in done.stderr and "stays as it was" in done.stderr
    assert str(file) in done.stderr or "1099" in says
    reload = daemon.status()["configuration"]["reload"]
    assert reload["ok"] is False and says in reload["said"]
    assert "failed: " in daemon.run_cli("status").stdout
    file.write_text(text(), "utf-8")
    assert daemon.run_cli("reload").returncode == 0
    assert "failed: " not in daemon.run_cli("status").stdout


def test_reload_by_signal_counts(daemon, file):
    file.write_text(text("nonsense"), "utf-8")
    daemon.signal(signal.SIGHUP)
    until(lambda: "reload" in daemon.status()["configuration"])
    assert "failed: " in daemon.run_cli("status").stdout


@pytest.mark.parametrize(("prefix", "options", "says"), [
    (("prlimit", "--nofile=16:16"), ("--socks", "127.0.0.1:1080"), "too few file descriptors"),
    (("setpriv", "--bounding-set", "-all", "--inh-caps", "-all"),
     ("--transparent", "127.0.0.1:1090"), "needs CAP_NET_ADMIN"),
    (("setpriv", "--bounding-set", "-all", "--inh-caps", "-all"), ("--socks", "127.0.0.1:80"),
     "127.0.0.1:80: Permission denied"),
    ((), ("--control", "/etc/passwd/control.sock"), "/etc/passwd"),
    ((), ("--control", "/nonexistent/directory/control.sock"), "/nonexistent")])
def test_what_cannot_start_is_refused(bed, prefix, options, says):
    """By --check too, with the same word."""
    for more in ((), ("--check",)):
        with bed.router.start([*prefix, str(bed.build / "hawserd"), *options, *more], bed.mounts,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                output, complaints = process.communicate(timeout=120 * PATIENCE)
            finally:
                process.kill()
        assert process.returncode == 1, complaints
        assert says in complaints or not more
        assert "ok" not in output


def test_check_beside_the_one_that_runs(bed, daemon, file):
    """Its own listeners are no reason to refuse."""
    done = start(bed, "-c", str(file), "--check")
    assert done.returncode == 0 and done.stdout == f"{file}: ok\n"
    assert "in use now" in done.stderr
