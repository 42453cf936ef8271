# SPDX-License-Identifier: GPL-2.0-or-later
"""What would cut the LAN off, and what interception does about it: it goes before it, or has the LAN routed and says
so."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

import pytest

from lan import CLIENTS, METHODS, SERVERS, asks
from lan_fixtures import interceptor, lan, serve  # pylint: disable=unused-import
from test_intercept_state import is_taken, kept
from topology import CLIENT4, LAN_PREFIX4, LAN_PREFIX6, SERVER4
from waiting import until


@contextlib.contextmanager
def rule_of_others(lan, family: int, *rule: str):
    lan.router.run("ip", f"-{family}", "rule", "add", *rule)
    try:
        yield
    finally:
        lan.router.run("ip", f"-{family}", "rule", "del", *rule)


def our_rule(lan, family: int) -> list[int]:
    """The priority of it; it is for a moment at two places when it moves."""
    return [int(line.partition(":")[0]) for line in lan.router.run("ip", f"-{family}", "rule").splitlines()
            if "lookup 8684" in line]


def prefix_of(family: int) -> str:
    return LAN_PREFIX4 if family == 4 else LAN_PREFIX6


# Without a priority, as of wg-quick, the kernel numbers it so that it comes before ours.
RULES_OF_OTHERS = [("not", "fwmark", "0xca6c"), ("priority", "220", "from", "LAN"),
                   ("priority", "100", "iif", "lan"), ("priority", "1")]


@pytest.mark.parametrize("method", ["tproxy", "bpf"])
@pytest.mark.parametrize("family", [4, 6])
def test_a_rule_before_ours(lan, interceptor, serve, method, family):
    """Ours goes before it, also where it is for the LAN's packets alone, and where it is there already."""
    server = serve()
    daemon = interceptor(method)
    daemon.up()
    until(lambda: kept(daemon)["wanted"])
    for count, words in enumerate(RULES_OF_OTHERS, 1):
        rule = [prefix_of(family) if word == "LAN" else word for word in words]
        with rule_of_others(lan, family, *rule, "lookup", "main"):
            until(lambda: kept(daemon)["put_back"], lambda n: n == count)  # pylint: disable=cell-var-from-loop
            until(lambda: is_taken(lan, server.port))
        until(lambda: our_rule(lan, family) == [684])
    state = kept(daemon)
    assert (state["fault"], state["put_back"]) == ("", len(RULES_OF_OTHERS))
    daemon.down()
    with rule_of_others(lan, family, "iif", "lan", "lookup", "main"):
        daemon.up()
        until(lambda: is_taken(lan, server.port))


@pytest.mark.parametrize(("method", "family"), [("tproxy", 4), ("bpf", 6)])
def test_rules_that_come_and_go(lan, interceptor, serve, method, family):
    """Ours is back each time, so that those without a priority keep theirs and their order, as wg-quick's two; also where
    rule 1 has it at 0, and others without a priority get that, too."""
    server = serve()
    daemon = interceptor(method)
    daemon.up()
    until(lambda: kept(daemon)["wanted"])
    for _ in range(5):
        with rule_of_others(lan, family, "not", "fwmark", "0xca6c", "lookup", "main"):
            until(lambda: our_rule(lan, family) == [682])
            with rule_of_others(lan, family, "lookup", "main", "suppress_prefixlength", "0"):
                until(lambda: our_rule(lan, family) == [680])
                assert [line.partition(":")[0] for line in
                        lan.router.run("ip", f"-{family}", "rule").splitlines()[1:4]] == ["680", "681", "683"]
            until(lambda: our_rule(lan, family) == [682])
        until(lambda: our_rule(lan, family) == [684])
    before = kept(daemon)["put_back"]
    for priority in "1", "2":
        with rule_of_others(lan, family, "priority", priority, "iif", "lan", "lookup", "main"):
            until(lambda: kept(daemon)["put_back"], lambda count: count > before)  # pylint: disable=cell-var-from-loop
            with rule_of_others(lan, family, "iif", "lan", "lookup", "main"):
                until(lambda: is_taken(lan, server.port))
                assert our_rule(lan, family) == [0]
        until(lambda: our_rule(lan, family) == [684])
        before = kept(daemon)["put_back"]
    with rule_of_others(lan, family, "priority", "100", "lookup", "main"):
        until(lambda: our_rule(lan, family) == [99])
        with rule_of_others(lan, family, "priority", "50", "iif", "a", "lookup", "main"):
            assert our_rule(lan, family) == [99]
        daemon.down()
        daemon.up()
        assert our_rule(lan, family) == [99]
    until(lambda: kept(daemon)["wanted"] and our_rule(lan, family) == [684])
    assert kept(daemon)["fault"] == ""


@pytest.mark.parametrize(("method", "family"), [("tproxy", 4), ("bpf", 6)])
def test_a_rule_that_none_comes_before(lan, interceptor, serve, method, family):
    """What is marked would be lost: the LAN is routed, and it is said, until the rule has gone."""
    server = serve()
    daemon = interceptor(method)
    rules = [("priority", "0", *words, "lookup", "main")
             for words in ((), ("iif", "lan"), ("from", prefix_of(family)))]
    with rule_of_others(lan, family, *rules[1]), pytest.raises(RuntimeError, match="before rule 0"):
        daemon.up()
    assert asks(lan, SERVERS[family], server.port) == CLIENTS[family]
    with rule_of_others(lan, family, "priority", "0", "iif", "a", "lookup", "main"):
        daemon.up()
        until(lambda: is_taken(lan, server.port))
        until(lambda: kept(daemon)["wanted"])
    for rule in rules:
        with rule_of_others(lan, family, *rule):
            until(lambda: kept(daemon)["fault"])
            assert asks(lan, SERVERS[family], server.port) == CLIENTS[family]
            shown = lan.hawser("intercept", "show", control=daemon.control)
            assert "broken" in shown and "before rule 0" in shown
            assert "broken" in daemon.run_cli("status").stdout
        until(lambda: is_taken(lan, server.port))
        assert kept(daemon)["fault"] == ""


def firewall(*rules: str) -> str:
    return "\n".join(("table inet guard {", "chain in {", "type filter hook input priority 0; policy drop",
                      "ct state established,related accept", "iifname lo accept",
                      "meta l4proto icmpv6 accept", *rules, "}", "}"))


@contextlib.contextmanager
def guarded(lan, text: str, table: str = "guard"):
    lan.router.run("nft", "-f", "-", text=text)
    try:
        yield
    finally:
        lan.router.run("nft", "delete", "table", "inet", table)


def mend(complaint: str) -> str:
    """The command that a complaint gives."""
    return complaint.partition("fix: ")[2].partition(" (")[0].partition("; or ")[0].strip()


FIREWALLS = [firewall(), firewall("tcp dport 22 accept", "iifname \"lan\" reject"),
             firewall("iifname \"a\" accept", "meta nfproto ipv6 accept"),
             firewall("tcp dport { 22, 53 } accept", "udp dport 53 accept"),
             firewall("iifname @wan-ifs accept", "tcp dport @f2b-0/x.y accept").replace(
                 "chain in", "set wan-ifs { type ifname; elements = { \"a\" }; }\n"
                             "set f2b-0/x.y { type inet_service; }\nchain in")]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("text", FIREWALLS, ids=range(len(FIREWALLS)))
def test_firewall(lan, interceptor, serve, method, text):
    """Refused with the command that mends it; that which closes later has the LAN routed."""
    server = serve()
    daemon = interceptor(method)
    before = lan.steering()
    with guarded(lan, text):
        with pytest.raises(RuntimeError, match="chain inet guard in") as refusal:
            daemon.up()
        assert asks(lan, SERVER4, server.port) == CLIENT4
        command = mend(str(refusal.value))
        for _ in range(3):  # a family after the other, where both are closed
            lan.router.run(*command.split())
            try:
                daemon.up()
                break
            except RuntimeError as again:
                command = mend(str(again))
        until(lambda: is_taken(lan, server.port))
    until(lambda: is_taken(lan, server.port))
    until(lambda: kept(daemon)["wanted"])
    with guarded(lan, text):
        until(lambda: "guard" in kept(daemon)["fault"])
        assert asks(lan, SERVER4, server.port) == CLIENT4
    until(lambda: is_taken(lan, server.port))
    daemon.down()
    assert lan.steering() == before


def test_firewall_against_what_is_received_again(lan, interceptor, serve):
    """Of connect-first; refused, too, and not when nothing is held."""
    server = serve()
    first = interceptor("tproxy")
    text = firewall("iifname \"lan\" accept").replace("iifname lo", "iifname lo meta mark 0")
    with guarded(lan, text):
        with pytest.raises(RuntimeError, match="taken from lo") as refusal:
            first.up()
        assert asks(lan, SERVER4, server.port) == CLIENT4
        first.signal(signal.SIGTERM)
        first.wait()
        daemon = interceptor("tproxy", "--connect-first", "no")
        daemon.up()
        until(lambda: is_taken(lan, server.port))
        daemon.down()
        daemon.signal(signal.SIGTERM)
        daemon.wait()
        lan.router.run(*mend(str(refusal.value)).split())
        interceptor("tproxy").up()
        until(lambda: is_taken(lan, server.port))


@pytest.mark.parametrize("rules", [
    ("meta mark and 0x1000000 == 0x1000000 accept",), ("meta mark and 0x1000000 != 0x0 accept",),
    ("iifname \"lan\" accept",), ("iifname \"l*\" ct state new jump more",),
    ("ip saddr 10.77.0.0/24 accept", "ip6 saddr fd00::/8 accept")])
def test_open_firewall(lan, interceptor, serve, rules):
    """What lets connections in, or may, is no reason to refuse."""
    server = serve()
    daemon = interceptor("tproxy")
    with guarded(lan, firewall(*rules).replace("chain in", "chain more { accept; }\nchain in")):
        daemon.up()
        until(lambda: is_taken(lan, server.port))


MANY = 50_000


def test_many_addresses_of_others(lan, interceptor, serve):
    """A list of a country's addresses, or of bad ones, costs hawserd neither memory nor time; also one that is loaded
    while all is in force, whose events are more than it can read."""
    server = serve()
    addresses = ", ".join(f"198.{18 + n // 65536}.{n // 256 % 256}.{n % 256}" for n in range(MANY))
    text = firewall("ip saddr @bad drop", "accept").replace(
        "chain in", f"set bad {{ type ipv4_addr; elements = {{ {addresses} }}; }}\nchain in")
    with guarded(lan, text):
        daemon = interceptor("tproxy")
        before = daemon.resident_bytes("VmHWM")
        daemon.up()
        until(lambda: kept(daemon)["wanted"])
        with guarded(lan, "table inet more { chain c { type filter hook input priority 1; }\n}", "more"):
            pass
        until(lambda: is_taken(lan, server.port))
        daemon.up()
        until(lambda: is_taken(lan, server.port))
    with guarded(lan, text):
        until(lambda: is_taken(lan, server.port))
    assert kept(daemon)["put_back"] == 0
    assert daemon.resident_bytes("VmHWM") - before < 8 << 20


def cpu_s(daemon) -> float:
    """Of its main thread, which looks after interception."""
    fields = Path(f"/proc/{daemon.pid}/task/{daemon.pid}/stat").read_text("ascii").rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_many_rules_while_broken(lan, interceptor):
    """What others do all the time then has them listed no more often than when all is well."""
    daemon = interceptor("tproxy", "--connect-first", "no")
    daemon.up()
    until(lambda: kept(daemon)["wanted"])
    rules = firewall("accept", *(f"ip saddr 198.18.{n // 256}.{n % 256} drop" for n in range(4000)))
    with guarded(lan, rules), rule_of_others(lan, 4, "priority", "0", "lookup", "main"):
        until(lambda: kept(daemon)["fault"])
        start_s, before_s = time.monotonic(), cpu_s(daemon)
        for _ in range(40):
            with rule_of_others(lan, 4, "priority", "1000", "lookup", "main"):
                kept(daemon)
        spent = (cpu_s(daemon) - before_s) / (time.monotonic() - start_s)
        assert spent < 0.3 and kept(daemon)["fault"]
    until(lambda: kept(daemon)["fault"] == "")


@pytest.mark.parametrize("device", ["a", "b"])
def test_a_link_is_no_lan(lan, interceptor, device):
    """What leads to the Internet: by its default route, or as hawserd's link."""
    daemon = interceptor("tproxy", *(("--link", "dsl=b") if device == "b" else ()))
    with pytest.raises(RuntimeError, match=f"{device} leads to the Internet"):
        lan.hawser("--lan", f"lan,{device}", "intercept", "up", control=daemon.control)
