# SPDX-License-Identifier: GPL-2.0-or-later
"""`hawser exit-setup` on the machine that becomes an exit, and `hawser exit-add` on its router."""

from __future__ import annotations

import contextlib
import json
import subprocess
from pathlib import Path

import pytest

import handshakes
import peers
from exit_machine import (  # pylint: disable=unused-import
    ACCESS, FIREWALL, firewalled, line_of, machines, rules_of, state_of, verdicts)
from handshakes import read
from machine import Machine
from topology import LAN4, SERVER4, SERVER6
from waiting import until

pytestmark = pytest.mark.mptcp

ROUTER = f'listen "lan" {{ address = "{LAN4}:1080" }}\naccess {{ allow = {{ "10.77.0.0/24" }} }}\n'


def hello(bed, port: int) -> None:
    with peers.connect(bed.client, LAN4, 1080, False, "") as client:
        handshakes.socks5(client, SERVER4, port)
        client.sendall(b"hello")
        assert read(client, 5) == b"hello"


def test_from_nothing_to_traffic_and_back(bed, serve, machines):
    """Shown, done, done again, used by a router, and taken back."""
    exit_ = machines("exit", bed.server, ACCESS)
    echo = serve(peers.echo, mptcp=True)
    with firewalled(exit_):
        bed.server.sysctl("ipv4/tcp_wmem", "4096 16384 4194304")
        untouched = state_of(exit_)
        shown = exit_.hawser("exit-setup", "--dry-run", "--address", f"{SERVER4},{SERVER6}")
        assert shown.returncode == 0, shown.stdout
        assert state_of(exit_) == untouched
        assert verdicts(shown)["firewall"] == verdicts(shown)["service"] == "would"

        first = exit_.hawser("exit-setup", "--address", f"{SERVER4},{SERVER6}", "--name", "vps")
        line = line_of(first)
        assert line.endswith(f"@{SERVER4},[{SERVER6}]:1080/vps")
        assert set(verdicts(first).values()) <= {"done", "ok"}, first.stdout
        assert "ok    ipv6 mtu" in first.stdout and "fail" not in first.stdout, first.stdout
        assert verdicts(first)["firewall"] == "done"
        assert bed.server.sysctl("ipv4/tcp_wmem").split()[2] == "16777216"
        made = state_of(exit_)

        again = exit_.hawser("exit-setup", "--name", "vps")
        assert line_of(again) == line
        assert set(verdicts(again).values()) == {"ok"}, again.stdout
        assert state_of(exit_) == made
        # As at the next boot.
        bed.server.run("nft", "-f", "-", text="delete table inet filter\n" + (
            exit_.directory / "etc/nftables.conf").read_text("ascii"))
        assert "dport 1080 accept" in rules_of(exit_)

        router = machines("router", bed.router, ROUTER)
        router.start(str(router.build / "hawserd"))
        until(lambda: router.hawser("status").returncode == 0)
        added = router.hawser("exit-add", line)
        assert added.returncode == 0, added.stdout
        assert "exit vps is added" in added.stdout
        assert all(f"ok    ipv{family} mptcp" in added.stdout for family in (4, 6)), added.stdout
        there = router.files()
        assert router.hawser("exit-add", f" hawser exit-add {line} ").returncode == 0
        assert router.files() == there
        assert (router.directory / "etc/hawser/exits/vps.token").stat().st_mode & 0o777 == 0o640
        until(lambda: " up " in router.hawser("exits").stdout)
        hello(bed, echo.port)
        (known,) = json.loads(router.hawser("--json", "exits").stdout)["exits"]
        assert (known["name"], known["sessions"]["total"]) == ("vps", 1)

        undone = exit_.hawser("exit-setup", "--undo")
        assert undone.returncode == 0, undone.stdout
        assert state_of(exit_) == untouched
        assert exit_.hawser("status").returncode == 1  # it was started by exit-setup
        assert exit_.hawser("exit-setup", "--undo").returncode == 0
        assert state_of(exit_) == untouched


def boot(machine: Machine) -> str:
    """The rules after it."""
    machine.namespace.run("nft", "-f", "-", text="delete table inet filter\n" + (
        machine.directory / "etc/nftables.conf").read_text("ascii"))
    return rules_of(machine)


SECOND = """table inet filter {
    chain later {
        type filter hook input priority 10; policy drop;
        iif lo accept
    }
}
"""


def test_rules_of_all_runs_are_kept(bed, machines):
    """Those of a second run come beside those of the first, each once."""
    exit_ = machines("exit", bed.server, ACCESS)
    with firewalled(exit_):
        untouched = state_of(exit_)
        line_of(exit_.hawser("exit-setup", "--address", SERVER4))
        file = exit_.directory / "etc/nftables.conf"
        file.write_text(file.read_text("ascii").replace(FIREWALL, FIREWALL + SECOND), "ascii")
        exit_.namespace.run("nft", "-f", "-", text=SECOND)
        assert verdicts(exit_.hawser("exit-setup"))["firewall"] == "done"
        assert boot(exit_).count("dport 1080 accept") == 2
        # It is opened now, and need not be noted again.
        exit_.namespace.run("nft", "-f", "-", text="flush chain inet filter later\n"
                            "add rule inet filter later iif lo accept\n")
        assert verdicts(exit_.hawser("exit-setup"))["firewall"] == "done"
        assert boot(exit_).count("dport 1080 accept") == 2
        assert exit_.hawser("exit-setup", "--undo").returncode == 0
        assert "1080" not in boot(exit_)
        exit_.namespace.run("nft", "delete", "chain", "inet", "filter", "later")
        file.write_text(FIREWALL, "ascii")
        assert state_of(exit_) == untouched


def test_the_key_is_not_in_the_command_line(bed, machines):
    """While the exit is asked; and what is made is as it is to be with any umask."""
    key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
    router = machines("router", bed.router)
    with peers.listen(bed.server) as listening:
        line = f"hawser://router:{key}@{SERVER4}:{peers.port_of(listening)}/vps"
        adding = router.start("sh", "-c", 'umask 077; exec "$@"', "-", str(router.build / "hawser"), "exit-add",
                              "--force", line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with peers.accept(listening):
            words = Path(f"/proc/{adding.pid}/cmdline").read_bytes()
        assert b"exit-add" in words and key.encode() not in words
        assert adding.wait(60) == 0
    directory = router.directory / "etc/hawser/exits"
    assert directory.stat().st_mode & 0o777 == 0o750
    assert (directory / "vps.token").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("config", [ACCESS, ""])
def test_a_service_that_ran_before_goes_on(bed, machines, config):
    """It takes the exit by a reload, also from a file that was not there, and loses it by undo; another
    port needs undo first."""
    exit_ = machines("exit", bed.server, config)
    with firewalled(exit_):
        assert exit_.run("systemctl", "enable", "--now", "hawserd").returncode == 0
        until(lambda: exit_.hawser("status").returncode == 0)
        before = state_of(exit_)
        line_of(exit_.hawser("exit-setup", "--address", SERVER4, "--port", "1099"))
        # One that has read the file that exit-setup has made, as after a boot.
        assert exit_.run("systemctl", "disable", "--now", "hawserd").returncode == 0
        assert exit_.run("systemctl", "enable", "--now", "hawserd").returncode == 0
        until(lambda: exit_.hawser("status").returncode == 0)
        assert "1099" in exit_.hawser("status").stdout
        other = exit_.hawser("exit-setup", "--port", "1098")
        assert other.returncode == 1 and "--undo" in other.stdout
        assert exit_.hawser("exit-setup", "--undo").returncode == 0
        assert state_of(exit_) == before
        assert "1099" not in exit_.hawser("status").stdout
        assert exit_.run("systemctl", "disable", "--now", "hawserd").returncode == 0


def test_without_a_service(bed, machines):
    """systemd is there, and `make install` was all: hawserd runs by hand."""
    exit_ = machines("exit", bed.server)
    (exit_.directory / "no-service").touch()
    with firewalled(exit_):
        before = state_of(exit_)
        first = exit_.hawser("exit-setup", "--address", SERVER4)
        assert first.returncode == 1 and "start hawserd by hand" in first.stdout
        daemon = exit_.start(str(exit_.build / "hawserd"))
        try:
            until(lambda: exit_.hawser("status").returncode == 0)
            again = exit_.hawser("exit-setup", "--address", SERVER4)
            line_of(again)
            assert "also after the next boot" not in again.stdout
            assert exit_.hawser("exit-setup", "--undo").returncode == 0
        finally:
            daemon.kill()
            daemon.wait()
        assert state_of(exit_) == before


# As ufw 0.36.2 of Debian 12 answers, in English only if asked so.
UFW = """#!/bin/sh
rules={directory}/ufw.rules
[ "$LC_ALL" = C ] || { echo "Status: Aktiv"; exit 0; }
case "$*" in
status)
    printf 'Status: active\\n\\nTo                         Action      From\\n'
    printf -- '--                         ------      ----\\n'
    while read -r port; do
        printf '%-27s%-12s%-26s\\n' "$port" ALLOW Anywhere "$port (v6)" ALLOW "Anywhere (v6)"
    done <$rules ;;
"allow "*) echo "$2" >>$rules; echo "Rule added" ;;
"delete allow "*) sed -i "\\|^$3$|d" $rules; echo "Rule deleted" ;;
*) exit 2 ;;
esac
"""


def test_ufw(bed, machines):
    """Where it is active it is asked, also by one who speaks German; a rule that was there before stays."""
    exit_ = machines("exit", bed.server, ACCESS)
    exit_.environment.update(LC_ALL="de_DE.UTF-8")
    (exit_.directory / "bin/ufw").write_text(UFW.replace("{directory}", str(exit_.directory)), "ascii")
    rules = exit_.directory / "ufw.rules"
    for before, verdict, during in (("22/tcp\n", "done", "22/tcp\n1099/tcp\n"),
                                    ("11099/tcp\n", "done", "11099/tcp\n1099/tcp\n"),
                                    ("1099/tcp\n", "ok", "1099/tcp\n")):
        rules.write_text(before, "ascii")
        with firewalled(exit_):
            text = rules_of(exit_)
            first = exit_.hawser("exit-setup", "--address", SERVER4, "--port", "1099")
            line_of(first)
            assert verdicts(first)["firewall"] == verdict, first.stdout
            assert "ufw allows 1099/tcp" in first.stdout
            assert verdicts(exit_.hawser("exit-setup"))["firewall"] == "ok"
            assert (rules.read_text("ascii"), rules_of(exit_)) == (during, text)
            assert exit_.hawser("exit-setup", "--undo").returncode == 0
            assert rules.read_text("ascii") == before


def test_firewalld(bed, machines):
    """Its port is opened by hand, by the command that is printed."""
    exit_ = machines("exit", bed.server, ACCESS)
    opened = exit_.directory / "opened"
    (exit_.directory / "bin/firewall-cmd").write_text(
        f"#!/bin/sh\ncase $* in *--query-port=1080/tcp) test -e {opened} ;; *--state) ;; *) exit 2 ;; esac\n",
        "ascii")
    command = "firewall-cmd --permanent --add-port=1080/tcp && firewall-cmd --reload"
    with firewalled(exit_):
        text = rules_of(exit_)
        first = exit_.hawser("exit-setup", "--address", SERVER4)
        line_of(first)
        assert verdicts(first)["firewall"] == "hand" and first.stdout.splitlines().count(command) == 1
        opened.touch()
        again = exit_.hawser("exit-setup")
        assert verdicts(again)["firewall"] == "ok" and command not in again.stdout
        assert rules_of(exit_) == text
        assert exit_.hawser("exit-setup", "--undo").returncode == 0


@pytest.mark.parametrize("own, said", [
    ((4, 6), "198.51.100.9,[2001:db8:9::1]:1080"), ((4,), "198.51.100.9:1080"), ((6,), "[2001:db8:9::1]:1080")])
def test_its_own_address(bed, machines, own, said):
    """IPv4 first; both if there are both."""
    exit_ = machines("exit", bed.server, ACCESS)
    given = {4: ("addr 198.51.100.9/32", "route 192.0.2.1 src 198.51.100.9"),
             6: ("addr 2001:db8:9::1/128 nodad", "route 2001:db8::1 src 2001:db8:9::1")}
    with contextlib.ExitStack() as after, firewalled(exit_):
        for family in own:
            for each in given[family]:
                kind, what, *more = each.split()
                bed.server.run("ip", f"-{family}", kind, "add", what, "dev", "lo", *more)
                after.callback(bed.server.run, "ip", f"-{family}", kind, "del", what, "dev", "lo")
        first = exit_.hawser("exit-setup")
        assert f"@{said}/" in line_of(first)
        assert all(f"ok    ipv{family} mptcp" in first.stdout for family in own), first.stdout
        assert exit_.hawser("exit-setup", "--undo").returncode == 0


def test_a_wrong_line_adds_nothing(bed, machines):
    """It is cut, has another key, leads to where no exit is, or names an exit that is there."""
    key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
    good = f"hawser://router:{key}@{SERVER4}:1080/vps"
    own = ('exit "vps" { address = "192.0.2.1" token-file = "/etc/hawser/own.token" }\n')
    router = machines("router", bed.router, own)
    token = router.directory / "etc/hawser/own.token"
    token.write_text(f"own {key}\n", "ascii")
    token.chmod(0o600)
    before = router.files()
    for line, complaint, status in (
            ("", "expected the word hawser://", 2),
            (good[:-4], "is the end cut off?", 2),
            (good.replace(key, key[:-1]), "no key after the name", 2),
            (good.replace(":1080", ""), "expected HOST:PORT", 2),
            (good.replace("/vps", "/v p s"), "is no exit's name", 2),
            (good, "--force adds it nevertheless", 1)):
        done = router.hawser("exit-add", line)
        assert (done.returncode, complaint in done.stdout) == (status, True), done.stdout
        assert key not in done.stdout
        assert router.files() == before
    forced = router.hawser("exit-add", "--force", good)
    assert forced.returncode == 1 and "found duplicate title 'vps'" in forced.stdout, forced.stdout
    assert router.files() == before
    forced = router.hawser("exit-add", "--force", good.replace("/vps", "/other"))
    assert forced.returncode == 0, forced.stdout
    assert Path(router.directory / "etc/hawser/exits/other.token").exists()


@pytest.mark.parametrize("words, complaint", [
    (("--port", "0"), "expected 1 to 65535"), (("--name", "a b"), "expected 1 to 255 of"),
    (("--address", "a b"), "expected a host name, an IP address"), ((), "give its address with --address"),
    (("--dry-run", "--undo"), "do not go together"), (("word",), 'unexpected "word"')])
def test_bad_words(bed, machines, words, complaint):
    exit_ = machines("exit", bed.server)
    before = exit_.files()
    done = exit_.hawser("exit-setup", *words)
    assert done.returncode in (1, 2) and complaint in done.stdout, done.stdout
    assert exit_.files() == before
