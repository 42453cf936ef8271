# SPDX-License-Identifier: GPL-2.0-or-later
"""A LAN that is a bridge, where bridge-netfilter, if it is on, loses TPROXY's connections: refused
with what mends it, and the LAN is routed when it comes later."""

from __future__ import annotations

import pytest

from lan import METHODS, asks
from lan_fixtures import interceptor, lan, serve  # pylint: disable=unused-import
from test_doctor_intercept import look
from test_intercept_obstacles import mend
from test_intercept_state import is_taken, kept
from topology import CLIENT4, LAN4, LAN6, SERVER4
from waiting import until

SETTINGS = ("bridge/bridge-nf-call-iptables", "bridge/bridge-nf-call-ip6tables")


@pytest.fixture(scope="module", autouse=True)
def bridge(lan):
    """As on most routers."""
    lan.router.run("ip", "link", "set", "lan", "down")
    lan.router.run("ip", "link", "set", "lan", "name", "port0")
    lan.router.batch("ip", ["addr flush dev port0", "link add lan type bridge", "link set lan up",
                            "link set port0 master lan", "link set port0 up",
                            f"addr add {LAN4}/24 dev lan", f"addr add {LAN6}/64 dev lan nodad"])
    until(lambda: "state UP" in lan.router.run("ip", "link", "show", "lan"))
    until(lambda: "fe80" in lan.router.run("ip", "-6", "addr", "show", "dev", "lan"))


@pytest.fixture(autouse=True)
def netfilter(lan):
    """On for all bridges, as Docker has it."""
    for each in SETTINGS:
        lan.router.sysctl(each, 1)


@pytest.mark.parametrize("setting", SETTINGS)
def test_tproxy_is_refused(lan, interceptor, serve, setting):
    """One family after the other; what it gives mends it."""
    server = serve()
    daemon = interceptor("tproxy")
    for each in SETTINGS:
        lan.router.sysctl(each, int(each == setting))
    with pytest.raises(RuntimeError, match=setting.replace("/", ".")) as refusal:
        daemon.up()
    assert asks(lan, SERVER4, server.port) == CLIENT4
    lan.router.run(*mend(str(refusal.value)).split())
    daemon.up()
    assert "bridge" not in look(daemon)
    lan.router.sysctl(setting, 1)
    found = look(daemon)["bridge"]
    assert found["verdict"] == "fail" and found["mend"].endswith(mend(str(refusal.value)) +
                                                                 "; or --method bpf or redirect")
    lan.router.sysctl(setting, 0)
    until(lambda: is_taken(lan, server.port))


def test_both_families(lan, interceptor, serve):
    """One command mends them."""
    server = serve()
    daemon = interceptor("tproxy")
    with pytest.raises(RuntimeError, match="IPv4 and IPv6") as refusal:
        daemon.up()
    lan.router.run(*mend(str(refusal.value)).split())
    daemon.up()
    until(lambda: is_taken(lan, server.port))


@pytest.mark.parametrize("method", METHODS)
def test_switched_on_later(lan, interceptor, serve, method):
    """For all bridges, or for this one; the other methods do not mind."""
    server = serve()
    daemon = interceptor(method)
    for each in SETTINGS:
        lan.router.sysctl(each, 0)
    daemon.up()
    until(lambda: kept(daemon)["wanted"])
    switches = [[("sysctl", "-w", f"net.{each.replace('/', '.')}={value}") for value in (1, 0)]
                for each in SETTINGS]
    switches.append([("ip", "link", "set", "lan", "type", "bridge", "nf_call_iptables", str(value))
                     for value in (1, 0)])
    for on, off in switches:
        lan.router.run(*on)
        if method == "tproxy":
            until(lambda: kept(daemon)["fault"])
            assert mend(f"fix: {kept(daemon)['mend']}").split() == list(off)
            assert asks(lan, SERVER4, server.port) == CLIENT4
        else:
            until(lambda: is_taken(lan, server.port))
        lan.router.run(*off)
        until(lambda: is_taken(lan, server.port))
        assert kept(daemon)["fault"] == ""
