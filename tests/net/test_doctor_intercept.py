# SPDX-License-Identifier: GPL-2.0-or-later
"""What hawser doctor says of interception: each fault is named, with what mends it."""

from __future__ import annotations

import signal

import pytest

from daemon import Hawserd
from lan import METHODS, asks
from lan_fixtures import interceptor, lan, serve  # pylint: disable=unused-import
from test_intercept_obstacles import firewall, guarded, rule_of_others
from test_intercept_state import delete, kept
from topology import CLIENT4, SERVER4
from waiting import until


def look(daemon) -> dict[str, dict]:
    """The doctor's lines about interception, by their check."""
    return daemon.doctor("interception")


@pytest.mark.parametrize("method", METHODS)
def test_all_is_well(lan, interceptor, method):
    daemon = interceptor(method)
    assert not look(daemon)
    daemon.up()
    until(lambda: kept(daemon)["wanted"])
    found = look(daemon)
    assert {each["verdict"] for each in found.values()} == {"ok"}, found
    assert f"up, {method}" in found["state"]["seen"]


@pytest.mark.parametrize(("method", "options", "verdict", "seen"), [
    ("tproxy", (), "ok", "once their destination is"),
    ("tproxy", ("--connect-first", "no"), "ok", "connect-first = no"),
    ("redirect", (), "ok", "always by redirect"), ("bpf", (), "ok", "always by bpf"),
    ("tproxy", ("setpriv", "--bounding-set", "-net_raw"), "warn", "holds no first packets")])
def test_connect_first(lan, interceptor, method, options, verdict, seen):
    """Who has no right to send what was held accepts first."""
    prefix = options if options[:1] == ("setpriv",) else ()
    daemon = interceptor(method, *(() if prefix else options), prefix=prefix)
    daemon.up()
    until(lambda: kept(daemon)["wanted"])
    found = look(daemon)["connect-first"]
    assert (found["verdict"], seen in found["seen"]) == (verdict, True), found
    assert (verdict == "warn") == ("CAP_NET_RAW" in found["mend"])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rules", [(), ("tcp dport 22 accept",),
                                   ("iifname \"lan\" reject", "accept")])
def test_firewall(lan, interceptor, method, rules):
    """Also before anything is up, and what it gives mends it."""
    daemon = interceptor(method, "--intercept", method, "--lan", "lan")
    with guarded(lan, firewall(*rules)):
        for _ in range(3):  # listeners of both families may have different rules
            found = look(daemon)["firewall"]
            if found["verdict"] == "ok":
                break
            assert found["verdict"] == "fail" and "inet guard in" in found["seen"], found
            lan.router.run(*found["mend"].partition(" (")[0].split())
        assert found["verdict"] == "ok"
        daemon.up()


def test_a_rule_before_ours(lan, interceptor):
    daemon = interceptor("tproxy")
    daemon.up()
    with rule_of_others(lan, 4, "priority", "0", "iif", "lan", "lookup", "main"):
        until(lambda: kept(daemon)["fault"])
        found = look(daemon)
        for check in "state", "routing":
            assert found[check]["verdict"] == "fail" and "before rule 0" in found[check]["seen"], found
            assert "ip rule" in found[check]["mend"]


@pytest.mark.parametrize("method", METHODS)
def test_who_may_not_look(lan, interceptor, method):
    """Does not take for down what is not seen."""
    daemon = interceptor(method)
    daemon.up()
    until(lambda: kept(daemon)["wanted"])
    found = daemon.doctor("interception", ("setpriv", "--bounding-set", "-all", "--inh-caps", "-all"))
    assert "fail" not in {each["verdict"] for each in found.values()}, found
    assert found["state"]["verdict"] == "warn" and "CAP_NET_ADMIN" in found["state"]["seen"]


def test_somebody_deletes_again_and_again(lan, interceptor):
    daemon = interceptor("tproxy")
    daemon.up()
    until(lambda: kept(daemon)["wanted"])
    for count in range(1, 4):
        delete(lan, "ip -4 rule del priority 684")
        until(lambda: kept(daemon)["put_back"], lambda n: n == count)  # pylint: disable=cell-var-from-loop
    found = look(daemon)["state"]
    assert found["verdict"] == "warn" and "3 times" in found["seen"]
    assert "ManageForeignRoutingPolicyRules=no" in found["mend"]


def test_hawserd_is_dead(lan, interceptor, serve):
    server = serve()
    daemon = interceptor("tproxy")
    daemon.up()
    daemon.signal(signal.SIGKILL)
    daemon.wait()
    found = look(daemon)
    assert found["state"]["verdict"] == "warn" and "intercept down" in found["state"]["mend"]
    assert asks(lan, SERVER4, server.port) == CLIENT4


def test_nobody_keeps_it(lan, interceptor):
    """As when hawserd has another /run than who brought it up."""
    daemon = interceptor("tproxy")
    daemon.up()
    lan.router.run("nsenter", f"--mount={lan.mounts.path}", "--", "sh", "-c",
                   "rm /run/hawser/intercept.*")
    until(lambda: not kept(daemon)["wanted"])
    found = look(daemon)["state"]
    assert found["verdict"] == "warn" and "/run" in found["mend"]


def test_a_lan_alone_is_for_later(lan):
    """As in a router's first configuration: nothing takes connections, nobody wants it to."""
    daemon = Hawserd(lan, "--lan", "lan")
    try:
        assert look(daemon) == {}
    finally:
        daemon.finish()


@pytest.mark.parametrize(("lan_of", "verdict", "seen"), [
    ("a", "fail", "leads to the Internet"), ("no-such", "warn", "no interface \"no-such\"")])
def test_lan(lan, interceptor, lan_of, verdict, seen):
    found = look(interceptor("tproxy", "--lan", lan_of))["lan"]
    assert found["verdict"] == verdict and seen in found["seen"] and found["mend"]


@pytest.mark.parametrize("setting", ["ipv4/ip_forward", "ipv6/conf/all/forwarding"])
def test_forwarding(lan, interceptor, setting):
    daemon = interceptor("tproxy", "--lan", "lan")
    lan.router.sysctl(setting, 0)
    try:
        found = look(daemon)["forwarding"]
    finally:
        lan.router.sysctl(setting, 1)
    assert found["verdict"] == "fail" and f"net/{setting}=1" in found["mend"]
