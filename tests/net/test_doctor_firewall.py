# SPDX-License-Identifier: GPL-2.0-or-later
"""What hawser doctor makes of its host's nftables rules: only what is certain is a complaint. Whether
the host has names for protocols and ports, as Debian's netbase brings, makes no difference."""

from __future__ import annotations

import contextlib
import json
import subprocess

import pytest

from daemon import Hawserd
from dns import NameServer
from namespace import MountNamespace
from patience import PATIENCE
from topology import LAN4, LAN6, LAN_PREFIX4

pytestmark = pytest.mark.mptcp

PORT = 1085
LISTENERS = {4: f"{LAN4}:{PORT}", 6: f"[{LAN6}]:{PORT}"}

SETS = f"""
set ports {{
    type inet_service; flags interval
    elements = {{ 22, {PORT - 5}-{PORT + 5} }}
}}
set others {{
    type inet_service
    elements = {{ 22, 80 }}
}}"""

PROTOCOLS = "icmp 1 ICMP\ntcp 6 TCP\nudp 17 UDP\n"

# So that the doctor need not wait for them.
NAMES = "meta l4proto udp accept"


@pytest.fixture(scope="module")
def daemon(bed):
    running = Hawserd(bed, "--socks", LISTENERS[4], "--socks", LISTENERS[6], "--socks",
                      "127.0.0.1:1086", "--allow", LAN_PREFIX4, listen=False)
    with NameServer(bed.router):
        yield running
    running.finish()


@contextlib.contextmanager
def rules(daemon: Hawserd, ruleset: str):
    router, family = daemon.namespace, ruleset.split()[1]
    router.run("nft", "-f", "-", text=ruleset)
    try:
        yield
    finally:
        router.run("nft", "delete", "table", family, "doctor")


@pytest.fixture(params=["names", "no names"])
def look(request, daemon, tmp_path):
    """Asks for the doctor's line about the firewall, on a host whose /etc has no other file."""
    (tmp_path / "protocols").write_text(PROTOCOLS, "ascii")
    names = {"/etc/protocols": str(tmp_path / "protocols")} if request.param == "names" else {}
    mounts = MountNamespace(names, empty=["/etc"])

    def ask() -> dict:
        command = [daemon.bed.build / "hawser", "--control", daemon.control, "--json", "doctor"]
        process = daemon.namespace.start(command, mounts, stdout=subprocess.PIPE)
        answer, _ = process.communicate(timeout=120 * PATIENCE)
        return next(each for each in json.loads(answer)["checks"] if each["check"] == "firewall")

    yield ask
    mounts.close()


def table(policy: str, *rules: str, family: str = "inet", call: tuple[str, ...] = ("accept",),
          hook: str = "input") -> str:
    return "\n".join((f"table {family} doctor {{", SETS, "chain call {", *call, "}", "chain in {",
                      f"type filter hook {hook} priority 0; policy {policy}", NAMES, *rules,
                      "}", "}"))


@pytest.mark.parametrize("ruleset", [
    table("accept"),
    table("drop", f"tcp dport {PORT} accept"),
    table("drop", f"tcp dport {{ 22, {PORT} }} accept"),
    table("drop", "tcp dport @ports accept"),
    table("drop", "ct state established,related accept", "iifname \"lan\" accept"),
    table("drop", f"ip saddr {LAN_PREFIX4} accept", "ip6 saddr fd00::/8 accept"),
    table("drop", "ct state vmap { established : accept, new : jump call }",
          call=("counter accept",)),
    table("accept", "udp dport 53 drop", "tcp dport != @ports drop", "tcp dport @others drop"),
    table("accept", "ct state invalid drop", "meta l4proto icmp drop", "iifname \"wan*\" reject"),
    table("accept", "ip daddr 192.0.2.1 drop", "jump call",
          call=("tcp dport 22 drop", "return", "drop")),
    table("drop", f"tcp dport {PORT} limit rate 100/second accept"),
    table("accept", "ip protocol { udp, icmp } drop", "meta nfproto ipv6 meta l4proto != 6 drop"),
    table("drop", 'iifname "lo" accept', 'iifname "lan" accept'),
    table("drop", hook="forward"),
    table("accept", "tcp option mptcp exists drop", hook="forward"),
], ids=range(15))
def test_some_get_in(daemon, look, ruleset):
    with rules(daemon, ruleset):
        found = look()
    assert found["verdict"] == "ok", found


@pytest.mark.parametrize("family, ruleset", [
    (4, table("drop")),
    (4, table("drop", "ct state established,related accept", "iifname \"lo\" counter jump call",
              call=("tcp dport 22 accept",))),
    (4, table("drop", 'iifname "lo" accept', "ct state established accept")),
    (4, table("drop", "iif lo accept", "iifname \"none*\" accept")),
    (4, table("drop", "tcp dport @others accept", f"udp dport {PORT} accept",
              "ct state untracked accept")),
    (4, table("accept", "tcp dport @ports log reject with tcp reset")),
    (4, table("accept", "jump call", call=("meta l4proto tcp drop",))),
    (4, table("drop", "goto call", "accept", call=("counter",))),
    (4, table("accept", "ct state vmap { invalid : accept, new : drop }")),
    (4, table("accept", f"ip daddr {LAN4} drop")),
    (4, table("accept", f"iifname \"lan\" tcp dport {PORT} drop", f"tcp dport {PORT} drop")),
    (4, table("accept", "ip protocol { udp, tcp } drop")),
    (4, table("drop", "meta l4proto != tcp accept", "ct state { established, untracked } accept")),
    (4, table("accept", "meta l4proto 6-17 ct state new,untracked drop")),
    (6, table("drop", family="ip6")),
    (6, table("accept", "ip6 nexthdr tcp reject")),
    (6, table("accept", "meta nfproto ipv6 drop")),
    (6, table("accept", f"ip6 daddr {LAN6}/64 tcp dport {PORT} drop")),
], ids=range(18))
def test_nobody_gets_in(daemon, look, family, ruleset):
    with rules(daemon, ruleset):
        found = look()
    assert found["verdict"] == "fail" and LISTENERS[family] in found["seen"], found
    assert f"tcp dport {PORT} accept" in found["mend"]


@pytest.mark.parametrize("rule", ["reset tcp option mptcp", "tcp option mptcp exists counter drop",
                                  "tcp option mptcp subtype 1 reject with tcp reset"])
def test_mptcp_is_kept_out(daemon, look, rule):
    with rules(daemon, table("accept", rule)):
        found = look()
    assert found["verdict"] == "warn", found
    assert found["mend"].startswith("nft delete rule inet doctor in handle ")


def test_what_it_gives_mends_it(daemon, look):
    with rules(daemon, table("drop")):
        command, _, _ = look()["mend"].partition(" (")
        daemon.namespace.run(*command.split())
        assert look()["verdict"] == "ok"
