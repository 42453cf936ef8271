# SPDX-License-Identifier: GPL-2.0-or-later
"""A router with BusyBox for all tools: the package's init script starts hawserd, keeps it over
changes of the configuration and of interfaces, and takes it down."""

from __future__ import annotations

import contextlib
import json
import os
import re

import pytest

import handshakes
import peers
from conftest import ROOT
from lan import CLIENTS, SERVERS, Lan, asks, seen_by_server
from lan_fixtures import lan  # pylint: disable=unused-import
from openwrt import CONF, OpenWrt
from topology import LAN4, LAN6, SERVER4, far, near
from waiting import until

PORT = 1080
CONTROL = "/var/run/hawser/control.sock"
BASE = {
    "daemon": {"control": CONTROL, "state_dir": "/etc/hawser/state"},
    "lan": {"interface": "lan", "port": PORT}, "access": {"allow_interface": ["lan"]},
    "wan": {"interface": "wan"}, "wanb": {"interface": "wanb"},
    "intercept": {"up": 0, "lan_interface": ["lan"]},
}
KINDS = {"lan": "listen", "wan": "link", "wanb": "link"}


class Router(OpenWrt):
    """With the test bed's LAN, and its two links as interfaces wan and wanb."""

    def __init__(self, lan, root) -> None:
        super().__init__(lan.build, root, lan.router)
        self.lan = lan
        self.interface("lan", "lan", ipaddrs=LAN4, subnets=f"{LAN4}/24", ipaddrs6=LAN6, subnets6=f"{LAN6}/64")
        self.interface("wan", "a", ipaddrs=near("a")[0])
        self.interface("wanb", "b", ipaddrs=near("b")[0])

    def set(self, **changes: dict[str, object]) -> None:
        """The configuration that all tests begin with, but for these options of its sections."""
        self.configure(*((KINDS.get(name, name), name, {**options, **changes.pop(name, {})})
                         for name, options in BASE.items()), *((name, "", options)
                                                              for name, options in changes.items()))

    def pid(self) -> int:
        return int(self.read("/tmp/procd/hawser.pid"))

    def is_alive(self) -> bool:
        with contextlib.suppress(OSError, ValueError):
            return "hawserd" in os.readlink(f"/proc/{self.pid()}/exe")
        return False

    def signals(self) -> int:
        path = self.path("/tmp/procd/hawser.signals")
        return len(path.read_text("ascii").splitlines()) if path.exists() else 0

    def hawser(self, *words: str) -> dict:
        done = self.run("hawser", "--control", CONTROL, "--json", *words)
        return json.loads(done.stdout) if done.returncode == 0 else {}

    def links(self) -> dict[str, str]:
        """{"wan": "a up"}"""
        return {link["name"]: f"{link['device']} {link['state']}"
                for link in self.hawser("links").get("links", [])}

    def boot(self) -> None:
        done = self.service("start")
        assert (done.returncode, done.stderr) == (0, "")
        until(lambda: self.hawser("status"))

    def reload(self) -> None:
        self.fire("config.change/hawser")


@contextlib.contextmanager
def running_router(lan, tmp_path):
    made = Router(lan, tmp_path / "root")
    made.set()
    try:
        yield made
    finally:
        if made.path("/tmp/procd/hawser.pid").exists():
            made.service("stop")
        until(lambda: not made.is_alive())
        made.close()


@pytest.fixture
def router(lan, tmp_path):
    before = lan.steering()
    with running_router(lan, tmp_path) as made:
        yield made
    until(lambda: lan.steering() == before)


@pytest.fixture
def server(lan):
    with contextlib.closing(peers.Server(lan.server, seen_by_server)) as made:
        yield made


def by_socks(lan, port: int) -> str:
    """The address that the server sees of who asks the proxy."""
    with peers.connect(lan.client, LAN4, PORT) as sock, sock.makefile("rb") as answer:
        handshakes.socks5(sock, SERVER4, port)
        return answer.readline().decode().strip()


def test_from_start_to_stop(lan, router, server):
    """Router mode is a switch, a running hawserd is told by SIGHUP, and once only."""
    router.boot()
    pid = router.pid()
    until(router.links, lambda links: links == {"wan": "a up", "wanb": "b up"})
    assert by_socks(lan, server.port) in (near("a")[0], near("b")[0])
    assert asks(lan, SERVER4, server.port) == CLIENTS[4]
    router.set(intercept={"up": 1})
    router.reload()
    until(lambda: asks(lan, SERVER4, server.port) != CLIENTS[4])
    until(lambda: asks(lan, SERVERS[6], server.port) != CLIENTS[6])
    for _ in range(2):
        router.reload()
        router.fire("interface.update")
    assert (router.pid(), router.signals()) == (pid, 1)
    router.set(daemon={"enabled": 0})
    router.reload()
    until(lambda: not router.is_alive())
    until(lambda: asks(lan, SERVER4, server.port) == CLIENTS[4])
    router.set()
    router.reload()
    until(router.is_alive)


def test_links_come_and_go(build, tmp_path_factory, tmp_path):
    """Also for a connection that was taken on its way and is carried by both."""
    with Lan(build, tmp_path_factory.mktemp("lan"), rate_a=1000, rate_b=1000, rate_lan=2000) as lan, \
            contextlib.closing(peers.Server(lan.server, seen_by_server)) as server, \
            contextlib.closing(peers.Server(lan.server, peers.echo, mptcp=True)) as echoing, \
            running_router(lan, tmp_path) as router, contextlib.ExitStack() as stack:
        router.set(intercept={"up": 1})
        router.boot()
        pid = router.pid()
        until(router.links, lambda links: links == {"wan": "a up", "wanb": "b up"})
        until(lambda: asks(lan, SERVER4, server.port) != CLIENTS[4])
        taken = stack.enter_context(peers.connect(lan.client, SERVER4, echoing.port))
        answers = stack.enter_context(taken.makefile("rb"))

        def echoes(text: bytes) -> bool:
            taken.sendall(text)
            return answers.read(len(text)) == text

        assert echoes(b"x" * 100000)
        until(lambda: [session["upstream_subflows"] for session in router.hawser("sessions")["sessions"]] == [2])
        lan.router.run("ip", "link", "set", "dev", "a", "down")
        router.interface("wan")
        router.fire("interface.update")
        until(router.links, lambda links: links["wan"] != "a up")
        assert by_socks(lan, server.port) == asks(lan, SERVER4, server.port) == near("b")[0]
        assert echoes(b"y" * 100000)
        # As a modem that comes back.
        lan.router.batch("ip", ["link set dev b down", "link set dev b name wwan7", "link set dev wwan7 up",
                                f"route add default via {far('b')[0]} dev wwan7"])
        router.interface("wanb", "wwan7")
        router.fire("interface.update")
        until(router.links, lambda links: links["wanb"] == "wwan7 up")
        assert by_socks(lan, server.port) == asks(lan, SERVER4, server.port) == near("b")[0]
        assert echoes(b"z" * 100000)
        assert (router.pid(), router.is_alive()) == (pid, True)


def test_bad_configuration(router):
    """It is not started with, nor does a running hawserd lose what it has; the log says why."""
    router.set(access={"allow": ["everybody"]})
    done = router.service("start")
    assert done.returncode == 1 and not router.path("/tmp/procd/hawser.pid").exists()
    assert "hawser.access.allow" in done.stderr and "the configuration is not used" in done.stderr
    router.set()
    router.reload()
    until(lambda: router.hawser("status"))
    pid, conf = router.pid(), router.read(CONF)
    router.set(access={"allow": ["everybody"]})
    done = router.service("reload")
    assert done.returncode == 1 and "hawser.access.allow" in done.stderr
    assert (router.read(CONF), router.pid(), router.signals()) == (conf, pid, 0) and router.is_alive()


def test_what_procd_is_told(router):
    router.set(timeouts={"drain": "7"})
    router.boot()
    told = dict(line.split(" ", 1) for line in router.read("/tmp/procd/hawser.instance").splitlines())
    assert told["command"] == f"/usr/sbin/hawserd -c {CONF}" and told["term_timeout"] == "12"
    assert told["stderr"] == "1" and "jail" not in told
    files = re.fullmatch(r"nofile=(\d+) (\d+)", told["limits"]).groups()
    assert files[0] == files[1] and 1024 <= int(files[0]) <= 65536
    # Only where it is asked for, and there.
    router.set(daemon={"jail": 1})
    router.service("start")
    assert "jail" not in router.read("/tmp/procd/hawser.instance")
    router.write("/sbin/ujail", "#!/bin/sh\n")
    router.path("/sbin/ujail").chmod(0o755)
    router.service("start")
    assert "jail hawser log procfs sysfs\n" in router.read("/tmp/procd/hawser.instance")
    assert set(json.loads(router.read("/etc/capabilities/hawser.json"))["bounding"]) == NEEDED


@pytest.mark.parametrize(("drain", "seconds"), [
    ("7", 12), ("7s", 12), ("5m", 305), ("1h", 3605), ("2d", 172805), ("500ms", 6), ("2.5", 8), ("08", 13),
    ("010m", 605), ("0.5", 6), ("", 35), ("soon", 35), ("5 x", 35),
    ("7d", 604805), ("100000d", 35), ("9" * 400, 35), ("0.01", 35)])
def test_time_to_drain(router, drain, seconds):
    router.set(timeouts={"drain": drain})
    done = router.run("/bin/sh", "-c", ". /lib/functions.sh; initscript=/etc/init.d/hawser; . $initscript; drain_time")
    assert done.stdout.splitlines() == [str(seconds)], done.stderr


NEEDED = {"CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_NET_BIND_SERVICE", "CAP_DAC_READ_SEARCH", "CAP_BPF",
          "CAP_PERFMON", "CAP_SYS_ADMIN"}


def test_capabilities_are_those_that_hawserd_keeps():
    source = (ROOT / "user/daemon/privileges.c").read_text("utf-8")
    assert set(re.findall(r'{"(CAP_\w+)"', source)) == NEEDED
