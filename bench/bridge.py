# SPDX-License-Identifier: GPL-2.0-or-later
"""Two houses with two radio links between their routers, each of which runs hawserd in router mode and is the
other's exit: what a client of one says to a server of the other is TCP at both ends, and Multipath TCP over
both radios between them. Neither of the two knows of it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

import router
from namespace import Namespace
from topology import CLIENT4, LAN4, LAN_PREFIX4, LINKS, SERVER4, Topology, near

FAR_LAN4, FAR_HOST4, _FAR_LAN_PREFIX4 = "10.78.0.1", "10.78.0.2", "10.78.0.0/24"
_TRANSPARENT_PORT = 1090


@dataclass(frozen=True)
class _House:
    """exit4: the address at which the other one's router finds this one's."""
    name: str
    exit4: str
    lan_prefix4: str


_NEAR, _FAR = _House("near", LAN4, LAN_PREFIX4), _House("far", SERVER4, _FAR_LAN_PREFIX4)
NEAR_HOST4 = CLIENT4


def build_far_house(topology: Topology) -> Namespace:
    """Its router is the server of the topology. Returns its host, which stays while the caller has it."""
    host = Namespace()
    topology.server.run("ip", "link", "add", "name", "lan", "type", "veth",
                        "peer", "name", "lan", "netns", host.path)
    topology.server.batch("ip", [f"addr add {FAR_LAN4}/24 dev lan", "link set dev lan up"])
    host.batch("ip", [f"addr add {FAR_HOST4}/24 dev lan", "link set dev lan up",
                      f"route add default via {FAR_LAN4}"])
    topology.server.batch("ip", [f"route add default via {near(link)[0]} dev {link} metric {1000 + number}"
                                 for number, link in enumerate(LINKS)])
    topology.client.run("ip", "route", "add", "default", "via", LAN4)
    return host


def _start(stack: contextlib.ExitStack, namespace: Namespace, directory: Path, own: _House, other: _House,
           used: str) -> router.Daemon:
    tokens = router.token_file(directory)
    config = router.write(directory, f"{own.name}.conf", f"""{router.link_sections(used)}
        listen "lan" {{ address = "127.0.0.1:{_TRANSPARENT_PORT}" transparent = yes }}
        listen "radio" {{ address = "{own.exit4}:{router.EXIT_PORT}" tokens = "{tokens}"
                         exit-name = "{own.name}" }}
        access {{ exit-allow = {{ "{own.lan_prefix4}" }} }}
        exit "{other.name}" {{ address = "{other.exit4}" port = {router.EXIT_PORT} token-file = "{tokens}" }}
        upstream {{ when-no-exit = refuse }}
        """)
    daemon = router.Daemon(stack, namespace, own.exit4, router.EXIT_PORT, "-c", str(config))
    daemon.cli("--lan", "lan", "intercept", "up")
    stack.callback(daemon.cli, "intercept", "down")
    return daemon


def start_far(stack: contextlib.ExitStack, topology: Topology, directory: Path) -> router.Daemon:
    return _start(stack, topology.server, directory, _FAR, _NEAR, LINKS)


def start_near(stack: contextlib.ExitStack, topology: Topology, directory: Path,
               used: str) -> router.Daemon:
    """used: the radios that it may use."""
    return _start(stack, topology.router, directory, _NEAR, _FAR, used)
