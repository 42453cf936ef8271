# SPDX-License-Identifier: GPL-2.0-or-later
"""`hawser exit-setup` where something is in its way, or ends it halfway: nothing of the host's breaks,
and --undo takes back what was done."""

from __future__ import annotations

import contextlib
import ctypes
import json
import signal
import socket
import socketserver
import subprocess
import threading
import time
from pathlib import Path

import pytest

import handshakes
import peers
from exit_machine import (  # pylint: disable=unused-import
    ACCESS, FIREWALL, firewalled, line_of, machines, rules_of, state_of, verdicts)
from namespace import Namespace
from process_tree import CHILDREN_IGNORED
from topology import SERVER4
from waiting import until

pytestmark = pytest.mark.mptcp
IPT_SO_GET_INFO = 64
KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
LINE = f"hawser://router:{KEY}@{SERVER4}:1080/vps"


@pytest.mark.parametrize(("file", "said"), [
    ("flush ruleset\n", "does not make the chain"), ("", "does not make the chain"),
    ("# table inet filter { chain input { } }\n", "does not make the chain"),
    (FIREWALL + "table inet filter { chain input { jump nowhere\n", "cannot be loaded with the rule")])
def test_a_file_that_cannot_have_the_rule(bed, machines, file, said):
    """It stays as it was: at the next boot all of it would fail."""
    exit_ = machines("exit", bed.server, ACCESS)
    with firewalled(exit_):
        (exit_.directory / "etc/nftables.conf").write_text(file, "ascii")
        first = exit_.hawser("exit-setup", "--address", SERVER4)
        line_of(first)
        assert said in first.stdout and "your firewall's own file: insert rule inet filter input" in first.stdout
        assert (exit_.directory / "etc/nftables.conf").read_text("ascii") == file
        assert "dport 1080 accept" in rules_of(exit_)
        assert exit_.hawser("exit-setup", "--undo").returncode == 0
        assert "1080" not in rules_of(exit_)


def test_undo_is_for_what_was_changed(bed, machines):
    """For the file that hawserd has read then; one that was removed since does not come back."""
    exit_ = machines("exit", bed.server)
    other = exit_.directory / "etc/hawser/other.conf"
    other.parent.mkdir()
    other.write_text(ACCESS, "ascii")
    with firewalled(exit_):
        daemon = exit_.start(str(exit_.build / "hawserd"), "-c", "/etc/hawser/other.conf")
        until(lambda: exit_.hawser("status").returncode == 0)
        exit_.run("touch", str(exit_.directory / "no-service"))
        line_of(exit_.hawser("exit-setup", "--address", SERVER4))
        daemon.kill()
        daemon.wait()
        assert "1080" in other.read_text("ascii")
        assert exit_.hawser("exit-setup", "--undo").returncode == 0
        assert {path.name: path.read_text("ascii") for path in other.parent.iterdir()} == {"other.conf": ACCESS}


def test_a_removed_file_stays_away(bed, machines):
    exit_ = machines("exit", bed.server)
    with firewalled(exit_):
        line_of(exit_.hawser("exit-setup", "--address", SERVER4))
        record = exit_.directory / "etc/hawser/exit-setup.done"
        assert record.stat().st_mode & 0o7777 == 0o600
        # What was made by the first run is so after another, which finds something there.
        token = exit_.directory / "etc/hawser/tokens"
        token.write_text("# mine\n", "ascii")
        line_of(exit_.hawser("exit-setup"))
        assert "token made" in record.read_text("ascii").splitlines()
        (exit_.directory / "etc/hawser/hawser.conf").unlink()
        token.unlink()
        assert exit_.hawser("exit-setup", "--undo").returncode == 0
        assert list((exit_.directory / "etc/hawser").iterdir()) == []


def test_a_file_that_is_made_of_another(bed, machines):
    """As OpenWrt's: what would be written there would be lost."""
    exit_ = machines("exit", bed.server, "# Made of /etc/config/hawser.\n" + ACCESS)
    with firewalled(exit_):
        before = state_of(exit_)
        for words in (("exit-setup", "--address", SERVER4), ("exit-setup", "--address", SERVER4, "--dry-run"),
                      ("exit-add", "--force", LINE)):
            done = exit_.hawser(*words)
            assert done.returncode == 1 and "/etc/config/hawser" in done.stdout and "Set-up" in done.stdout
            assert state_of(exit_) == before


def shim(machine, name: str, words: str, does: str) -> None:
    """The program does something more when it is called with these words."""
    program = machine.directory / "bin" / name
    head, rest = program.read_text("ascii").split("\n", 1)
    program.write_text(f"{head}\ncase $* in {words}) {does} ;; esac\n{rest}", "ascii")


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize(("program", "words"), [
    ("ufw", "*"), ("firewall-cmd", "*"), ("systemctl", "is-enabled*"), ("systemctl", "enable*"),
    ("systemctl", "start*")])
def test_ended_halfway(bed, machines, program, words, by):
    """Another run does the rest; and all of it is taken back, also without that run."""
    exit_ = machines("exit", bed.server, ACCESS)
    shim(exit_, program, words, f"test -e {exit_.directory}/once || {{ touch {exit_.directory}/once; kill -{by} $PPID; }}")
    with firewalled(exit_):
        untouched = state_of(exit_)
        for again in False, True:
            (exit_.directory / "once").unlink(missing_ok=True)
            assert exit_.hawser("exit-setup", "--address", SERVER4).returncode == -by
            if again:
                line_of(exit_.hawser("exit-setup"))
                assert exit_.hawser("status").returncode == 0
            undone = exit_.hawser("exit-setup", "--undo")
            assert undone.returncode == 0, undone.stdout
            assert state_of(exit_) == untouched
            assert exit_.hawser("status").returncode == 1


def test_killed_while_it_writes(bed, machines):
    """Neither a file that it had no time to rename stays, nor one that it had emptied and not yet removed."""
    exit_ = machines("exit", bed.server)
    etc = exit_.directory / "etc"
    with firewalled(exit_):
        bed.server.sysctl("ipv4/tcp_wmem", "4096 16384 4194304")
        untouched = state_of(exit_)
        line_of(exit_.hawser("exit-setup", "--address", SERVER4))
        for name in ("hawser/exit-setup.done", "hawser/tokens", "hawser/hawser.conf", "sysctl.d/60-hawser-exit.conf",
                     "nftables.conf", "nftables.conf.hawser-setup-check"):
            (etc / f"{name}.hawser-new").write_text("half", "ascii")
        (etc / "nftables.conf.hawser-setup-check").write_text("flush ruleset\n", "ascii")
        (etc / "hawser/hawser.conf").write_text("", "ascii")
        own = etc / "hawser/hawser.conf.new"
        own.write_text("the administrator's", "ascii")
        line_of(exit_.hawser("exit-setup"))
        (etc / "hawser/hawser.conf").write_text("", "ascii")
        undone = exit_.hawser("exit-setup", "--undo")
        assert undone.returncode == 0, undone.stdout
        assert own.read_text("ascii") == "the administrator's"
        own.unlink()
        assert state_of(exit_) == untouched
        assert not [*etc.glob("nftables.conf*.hawser-new"), *etc.glob("nftables.conf.hawser-setup-check")]


def test_a_file_that_is_no_text(bed, machines):
    """It is named, and nothing of it is lost."""
    exit_ = machines("exit", bed.server)
    add, setup = ("exit-add", "--force", LINE), ("exit-setup", "--address", SERVER4)
    with firewalled(exit_):
        for file, command in (("hawser/hawser.conf", add), ("hawser/exits/vps.token", add), ("hawser/tokens", setup),
                              ("nftables.conf", setup)):
            path = exit_.directory / "etc" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(0o640)
            for text in ACCESS.encode("utf-16"), ACCESS.encode("utf-16-le"), f"{ACCESS}\0{ACCESS}".encode(), b"\0":
                path.write_bytes(text)
                done = exit_.hawser(*command)
                assert (done.returncode, path.read_bytes()) == (1, text), done.stdout
                assert f"/etc/{file} has a NUL byte; expected text" in done.stdout
            path.write_text(FIREWALL if file == "nftables.conf" else "", "ascii")
        assert exit_.hawser("exit-setup", "--undo").returncode == 0


BEGIN, END = "# hawser exit-setup: begin\n", "# hawser exit-setup: end\n"
BLOCK = f"{BEGIN}insert rule inet filter input tcp dport 1080 accept\n{END}"
POSTRM = Path(__file__).parents[2] / "debian/hawserd.postrm"


def test_purge(bed, machines):
    """Of the package, without an undo before: what is not certainly exit-setup's stays, and is told of."""
    exit_ = machines("exit", bed.server)
    directory = exit_.directory / "etc/hawser"
    file = exit_.directory / "etc/nftables.conf"
    for before, after in (
            (f"a\n{BLOCK}b\n", "a\nb\n"), (BLOCK, ""), ("a\n", "a\n"), (f"a\n{BLOCK}b\n{BEGIN}c\n", f"a\nb\n{BEGIN}c\n"),
            (f"a\n{END}b\n{BLOCK}c\n", f"a\n{END}b\nc\n"), (f"a\n{BEGIN}b\nc\n", None), (f"{END}a\n{BEGIN}b\n", None)):
        directory.mkdir()
        (directory / "exit-setup.done").write_text("port 1080\n", "ascii")
        file.write_text(before, "ascii")
        done = exit_.run("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /var/log && exec sh "$0" purge', str(POSTRM))
        assert done.returncode == 0, done.stdout
        assert file.read_text("ascii") == (before if after is None else after)
        assert ("/etc/nftables.conf: the end of the block" in done.stdout) == (after is None), (before, done.stdout)
        assert not directory.exists()


def test_exit_add_beside_a_hawserd_that_is_busy(bed, machines):
    """Nothing is done where nobody knows which file it reads, or what can be; and the next run has it take the file."""
    router = machines("router", bed.server, ACCESS)
    daemon = router.start(str(router.build / "hawserd"))
    until(lambda: router.hawser("status").returncode == 0)
    before = router.files()
    control = next(Path(f"/proc/{daemon.pid}/root/run/hawser").glob("*.sock"))
    with contextlib.ExitStack() as clients:
        for _ in range(16):
            clients.enter_context(socket.socket(socket.AF_UNIX)).connect(str(control))
        setup = router.hawser("exit-setup", "--address", SERVER4)
        assert setup.returncode == 1 and "busy: 16 clients are connected" in setup.stdout, setup.stdout
        plain = router.hawser("exit-add", LINE)
        assert plain.returncode == 1 and "busy: 16 clients are connected; --force" in plain.stdout, plain.stdout
        assert router.files() == before
        forced = router.hawser("exit-add", "--force", LINE)
        assert forced.returncode == 1 and "exit vps is added" in forced.stdout, forced.stdout
        assert "'hawser reload'" in forced.stdout and "uses it now" not in forced.stdout
    until(lambda: router.hawser("status").returncode == 0)
    assert "vps" not in router.hawser("exits").stdout
    again = router.hawser("exit-add", LINE)
    assert again.returncode == 0 and "uses it now" in again.stdout, again.stdout
    assert "vps" in router.hawser("exits").stdout


ANSWERS = {"status": {"pid": 1, "configuration": {"file": "/etc/hawser/hawser.conf"}}}


def test_exit_add_that_hawserd_does_not_say_it_takes(bed, machines):
    """It may take it yet, so the file stays."""
    router = machines("router", bed.server, ACCESS)
    asked = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for line in self.rfile:
                asked.append(json.loads(line)["command"])
                if asked[-1] == "reload":
                    return self.server.over.wait(60)
                self.wfile.write(json.dumps(ANSWERS.get(asked[-1], {"error": "unknown"})).encode() + b"\n")
            return None

    control = str(router.directory / "control")
    with socketserver.ThreadingUnixStreamServer(control, Handler) as server:
        server.over = threading.Event()
        threading.Thread(target=server.serve_forever).start()
        try:
            forced = router.hawser("--control", control, "exit-add", "--force", LINE)
        finally:
            server.over.set()
            server.shutdown()
    assert asked[-1] == "reload" and forced.returncode == 1, (asked, forced.stdout)
    assert "exit vps is added" in forced.stdout and "has not said whether it takes" in forced.stdout
    assert "vps" in (router.directory / "etc/hawser/hawser.conf").read_text("ascii")


def test_undo_beside_sessions(bed, machines, serve):
    """What exit-setup has started drains for half a minute: it takes nothing any more, and the next run starts another."""
    exit_ = machines("exit", bed.server, f'daemon {{ log-level = error }}\nlisten "own" {{ address = "{SERVER4}:1090" }}\n'
                     'access { allow = { "10.77.0.0/16" } }\n')
    ask = f"{exit_.build}/hawser --json status"
    shim(exit_, "systemctl", "stop*", f"kill -TERM $({ask} | sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/'); exit 0")
    echo = serve(peers.echo)
    with firewalled(exit_):
        untouched = state_of(exit_)
        line_of(exit_.hawser("exit-setup", "--address", SERVER4))
        with peers.connect(bed.server, SERVER4, 1090, False, "") as client:
            handshakes.socks5(client, SERVER4, echo.port)
            undone = exit_.hawser("exit-setup", "--undo")
            assert undone.returncode == 0, undone.stdout
            assert state_of(exit_) == untouched
            assert "takes no new sessions" in exit_.hawser("status").stdout
            line_of(exit_.hawser("exit-setup", "--address", SERVER4))
            assert "takes no new sessions" not in exit_.hawser("status").stdout
            client.sendall(b"hello")
            assert handshakes.read(client, 5) == b"hello"
        assert exit_.hawser("exit-setup", "--undo").returncode == 0
        assert state_of(exit_) == untouched


def test_children_were_ignored(bed, machines):
    """By who started it: what it asks of other programs counts as ever."""
    exit_ = machines("exit", bed.server, ACCESS)
    with firewalled(exit_):
        untouched = state_of(exit_)
        hawser = (*CHILDREN_IGNORED, str(exit_.build / "hawser"), "exit-setup")
        line_of(exit_.run(*hawser, "--address", SERVER4))
        assert exit_.run(*hawser, "--undo").returncode == 0
        assert state_of(exit_) == untouched


def test_two_at_once(bed, machines):
    """One waits for the other, and finds all done."""
    exit_ = machines("exit", bed.server, ACCESS)
    with firewalled(exit_):
        both = [exit_.start(str(exit_.build / "hawser"), "exit-setup", "--address", SERVER4, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True) for _ in range(3)]
        said = [each.communicate(timeout=60)[0] for each in both]
        assert [each.returncode for each in both] == [0, 0, 0], said
        assert len({text.splitlines()[-1] for text in said}) == 1
        assert sum("done   token" in text for text in said) == 1
        assert (exit_.directory / "etc/hawser/tokens").read_text("ascii").count("router ") == 1
        assert exit_.hawser("exit-setup", "--undo").returncode == 0


@pytest.mark.parametrize(("config", "tokens", "said"), [
    ('access { allow = { "10.77.0.0/16" } }\nlisten "own" { address = "0.0.0.0:1080" }\n', "", "a second listener on this address"),
    (ACCESS + 'listen "exit4" { address = "127.0.0.1:7" }\n', "", "exit4"),
    (ACCESS, "garbage\n", "/etc/hawser/tokens:1")])
def test_what_hawserd_does_not_take(bed, machines, config, tokens, said):
    """It would not start with it after the next boot, so the file is as before at once."""
    exit_ = machines("exit", bed.server, config)
    if tokens:
        (exit_.directory / "etc/hawser/tokens").write_text(tokens, "ascii")
        (exit_.directory / "etc/hawser/tokens").chmod(0o640)
    with firewalled(exit_):
        assert exit_.run("systemctl", "enable", "--now", "hawserd").returncode == 0
        until(lambda: exit_.hawser("status").returncode == 0)
        before = state_of(exit_)
        failed = exit_.hawser("exit-setup", "--address", SERVER4)
        assert failed.returncode == 1 and said in failed.stdout, failed.stdout
        assert (exit_.directory / "etc/hawser/hawser.conf").read_text("ascii") == config
        assert exit_.hawser("status").returncode == 0
        assert exit_.hawser("exit-setup", "--undo").returncode == 0
        assert state_of(exit_) == before
        assert exit_.run("systemctl", "disable", "--now", "hawserd").returncode == 0


def test_a_port_of_another_program(bed, machines):
    """hawserd that runs goes on with what it had, and so does its file."""
    exit_ = machines("exit", bed.server, ACCESS)
    exit_.start("/usr/bin/python3", "-m", "http.server", "1099", stderr=subprocess.DEVNULL)
    with firewalled(exit_):
        assert exit_.run("systemctl", "enable", "--now", "hawserd").returncode == 0
        until(lambda: exit_.hawser("status").returncode == 0 and ":1099" in exit_.namespace.run("ss", "-tln"))
        before = state_of(exit_)
        failed = exit_.hawser("exit-setup", "--address", SERVER4, "--port", "1099")
        assert failed.returncode == 1 and "hawser.conf is as it was" in failed.stdout, failed.stdout
        assert "1099" in failed.stdout and "in use" in failed.stdout and "hawserd.socket" not in failed.stdout
        # Who is to blame is who listens there.
        for listens, blamed in ("127.0.0.1:1080 (Stream)\n[::1]:10990 (Stream)\n", False), \
                ("127.0.0.1:1080 (Stream)\n[::1]:1099 (Stream)\n", True):
            (exit_.directory / "socket-unit").write_text(listens, "ascii")
            failed = exit_.hawser("exit-setup", "--address", SERVER4, "--port", "1099")
            assert "in use" in failed.stdout, failed.stdout
            assert ("systemctl disable --now hawserd.socket" in failed.stdout) == blamed, failed.stdout
        assert exit_.hawser("exit-setup", "--undo").returncode == 0
        assert state_of(exit_) == before
        assert exit_.run("systemctl", "disable", "--now", "hawserd").returncode == 0


@pytest.mark.parametrize(("tokens", "verdict"), [
    (f"# router {KEY}\n\n  \nother {KEY}", "done"), (f"other {KEY}\r\n# end\r\n", "done"), ("", "done"), ("\n", "done"),
    (f"router {KEY} sessions=9\n", "ok"), (f"router {KEY}\r\n", "ok"), (f"other {KEY}\n\trouter\t{KEY}\n", "ok"),
    (f"# a\n\nother {KEY}\n{'#' * 2000}", "done")])
def test_tokens_that_were_there(bed, machines, tokens, verdict):
    """Whatever they look like, they stay, and one of the router's own is used."""
    exit_ = machines("exit", bed.server, ACCESS)
    file = exit_.directory / "etc/hawser/tokens"
    file.write_bytes(tokens.encode())
    file.chmod(0o640)
    with firewalled(exit_):
        untouched = state_of(exit_)
        first = exit_.hawser("exit-setup", "--address", SERVER4)
        assert verdicts(first)["token"] == verdict, first.stdout
        assert (f":{KEY}@" in line_of(first)) == (verdict == "ok")
        assert line_of(exit_.hawser("exit-setup")) == line_of(first)
        assert exit_.hawser("exit-setup", "--undo").returncode == 0
        assert file.read_bytes().rstrip(b"\n") == tokens.encode().rstrip(b"\n")
        file.write_bytes(tokens.encode())
        assert state_of(exit_) == untouched


def test_two_firewalls(bed, machines):
    """ufw is turned on after the first run: undo is for both."""
    exit_ = machines("exit", bed.server, ACCESS)
    opened = exit_.directory / "opened"
    with firewalled(exit_):
        untouched = state_of(exit_)
        line_of(exit_.hawser("exit-setup", "--address", SERVER4))
        (exit_.directory / "bin/ufw").write_text(
            f"#!/bin/sh\ncase $* in status) echo Status: active; test ! -e {opened} || echo '1080/tcp ALLOW Anywhere' ;;\n"
            f"allow*) touch {opened} ;; delete*) rm {opened} ;; esac\n", "ascii")
        assert verdicts(exit_.hawser("exit-setup"))["firewall"] == "done" and opened.exists()
        assert exit_.hawser("exit-setup", "--undo").returncode == 0
        assert not opened.exists() and state_of(exit_) == untouched


def use_legacy_tables(namespace: Namespace) -> None:
    """As the first question by the program would."""
    info = ctypes.create_string_buffer(b"filter", 84)
    with namespace.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as asking:
        ctypes.CDLL(None).getsockopt(asking.fileno(), socket.IPPROTO_IP, IPT_SO_GET_INFO, info,
                                     ctypes.byref(ctypes.c_uint(len(info))))
    with namespace.entered():
        names = Path("/proc/thread-self/net/ip_tables_names")
        if not names.exists() or "filter" not in names.read_text("ascii"):
            pytest.skip("this kernel has no iptables-legacy")


def test_nftables_and_iptables_legacy(bed, machines):
    """Both keep routers out: a dry run tells of both, and a run does the one and asks for the other."""
    with contextlib.closing(Namespace()) as namespace:
        exit_ = machines("exit", namespace, ACCESS)
        namespace.batch("ip", ["link add wan type veth peer name far", "link set wan up", "link set far up", "link set lo up"])
        use_legacy_tables(namespace)
        program = exit_.directory / "bin/iptables-legacy"
        program.write_text("#!/bin/sh\necho '-P INPUT DROP'\n", "ascii")
        program.chmod(0o755)
        asks = "iptables-legacy -I INPUT -p tcp --dport 1080 -j ACCEPT"
        with firewalled(exit_):
            shown = exit_.hawser("exit-setup", "--address", SERVER4, "--dry-run")
            assert verdicts(shown).get("firewall") == "would", shown.stdout
            line = next(line for line in shown.stdout.splitlines() if line.split()[1:2] == ["firewall"])
            assert "nft insert rule inet filter input" in line and asks in line
            first = exit_.hawser("exit-setup", "--address", SERVER4)
            assert verdicts(first)["firewall"] == "done" and asks in first.stdout.splitlines(), first.stdout
            assert verdicts(exit_.hawser("exit-setup"))["firewall"] == "hand"
            program.write_text("#!/bin/sh\necho '-P INPUT ACCEPT'\n", "ascii")
            assert verdicts(exit_.hawser("exit-setup"))["firewall"] == "ok"
            assert exit_.hawser("exit-setup", "--undo").returncode == 0


def test_no_programs(bed, machines):
    """Neither systemctl nor nft, ufw, firewall-cmd and modprobe: what needs none is done, the rest is told."""
    exit_ = machines("exit", bed.server, ACCESS)
    hawser = str(exit_.build / "hawser")
    empty = exit_.directory / "empty"
    empty.mkdir()

    def run(*words: str) -> subprocess.CompletedProcess:
        return exit_.run("/usr/bin/env", f"PATH={empty}", hawser, *words)

    with firewalled(exit_):
        untouched = state_of(exit_)
        first = run("exit-setup", "--address", SERVER4)
        assert first.returncode == 1 and "start hawserd by hand and run this again" in first.stdout, first.stdout
        assert verdicts(first)["firewall"] == "done" and "dport 1080 accept" in rules_of(exit_)
        daemon = exit_.start(str(exit_.build / "hawserd"))
        until(lambda: exit_.hawser("status").returncode == 0)
        line_of(run("exit-setup"))
        assert run("exit-setup", "--undo").returncode == 0
        assert state_of(exit_) == untouched
        daemon.kill()
        daemon.wait()


def test_nothing_can_be_written(bed, machines):
    """It says where, and the machine is as it was."""
    exit_ = machines("exit", bed.server, ACCESS)
    with firewalled(exit_):
        untouched = state_of(exit_)
        assert exit_.run("mount", "-o", "remount,bind,ro", "/etc").returncode == 0
        failed = exit_.hawser("exit-setup", "--address", SERVER4)
        assert failed.returncode == 1 and "/etc/hawser/exit-setup.done: Read-only file system" in failed.stdout
        assert exit_.hawser("exit-setup", "--undo").returncode == 0
        assert state_of(exit_) == untouched


FULL = """mkdir /run/etc && mount -t tmpfs -o size=64m tmpfs /run/etc && cp -a /etc/. /run/etc &&
mount --bind /run/etc /etc && dd if=/dev/zero of=/etc/filler bs=4k; truncate -s -{}k /etc/filler"""
LOOK = """cd /etc && find hawser sysctl.d modules-load.d nftables.conf -type f | sort |
while read -r file; do stat -c '%n %a %U' "$file"; cat "$file"; done"""


@pytest.mark.parametrize("pages", [0, 2, 3, 64])
def test_a_full_disk(bed, machines, pages):
    """Wherever it gets full: it says so, no file is half written, and with room again all of it is taken back or done."""
    exit_ = machines("exit", bed.server, ACCESS)

    def state() -> tuple:
        return exit_.run("sh", "-c", LOOK).stdout, state_of(exit_)[1:]

    with firewalled(exit_):
        bed.server.sysctl("ipv4/tcp_wmem", "4096 16384 4194304")
        exit_.run("sh", "-c", FULL.format(4 * pages))
        untouched = state()
        first = exit_.hawser("exit-setup", "--address", SERVER4)
        assert first.returncode == ("No space left on device" in first.stdout), first.stdout
        assert (pages, first.returncode) not in ((0, 0), (64, 1))
        assert exit_.hawser("status").returncode == first.returncode
        undone = exit_.hawser("exit-setup", "--undo")
        assert undone.returncode == 0 or "No space left on device" in undone.stdout, undone.stdout
        exit_.run("truncate", "-s", "0", "/etc/filler")
        assert exit_.hawser("exit-setup", "--undo").returncode == 0
        assert state() == untouched
        line_of(exit_.hawser("exit-setup", "--address", SERVER4))
        assert exit_.hawser("exit-setup", "--undo").returncode == 0
        assert state() == untouched
