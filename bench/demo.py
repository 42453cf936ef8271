# SPDX-License-Identifier: GPL-2.0-or-later
"""Two links in one connection, to be watched on one machine: the same download over link a, over
link b, and over both. The router runs what a router runs, a hawserd that sets up both links and
knows an exit; the server speaks plain TCP, and so does the client. Links with delay, jitter or loss
are the emulator's. The client uses hawserd's SOCKS5, or knows nothing of it; or both ends are houses, each
with a router that does (bridge.py)."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import paths  # noqa: F401
import bridge
import router
import socks
from emulator import BINARY as EMULATOR
from ending import end_in_order
from namespace import Namespace, Unavailable
from processes import HAWSER, HAWSERD, Failed
from topology import LAN4, LINKS, Topology

# An address of the server's that is not the exit's: what goes to an exit itself is not intercepted.
WEB4, WEB_PORT, TRANSPARENT_PORT = "10.77.9.2", 8000, 1090
_EXIT = ("between a router and its exit, which both run hawserd. A client behind the router downloads through\n"
         "{}, from a server beside the exit; both speak plain TCP.")
MODES = {"socks": _EXIT.format("hawserd's SOCKS5"),
         "transparent": _EXIT.format("it, and knows nothing of hawserd"),
         "bridge": "by radio between the routers of two houses, which both run hawserd, for their LAN and as the other's\n"
                   "exit. A client in one house downloads from a server in the other; both speak plain TCP, and know\n"
                   "nothing of hawserd."}
# Until congestion control has found the rate: a start, and round trips of the slowest link.
SETTLING_S, SETTLING_RTTS = 2, 25
# In which hawserd finds out whether a link does harm; a trial takes 5 of them.
JUDGING_S = 60
HARM, MANY_S = 0.95, 1e6
TIMEOUT_S = 10


@dataclass
class Sight:
    """What a download over these links came to; links: what hawserd said of them then."""
    mbits: float
    links: dict[str, dict]
    tried: set[str]


def serve(namespace: Namespace, address: str) -> None:
    """A plain server that sends to everybody as fast as they read."""
    listening = namespace.socket(socket.AF_INET)
    listening.bind((address, WEB_PORT))
    listening.listen()

    def send(sock: socket.socket) -> None:
        data = os.urandom(1 << 20)
        with contextlib.suppress(OSError), sock:
            while True:
                sock.sendall(data)

    def accept() -> None:
        while True:
            accepted, _ = listening.accept()
            threading.Thread(target=send, args=(accepted,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def download(namespace: Namespace, mode: str) -> socket.socket:
    """Connects to the server; or asks hawserd for it."""
    if mode != "socks":
        return socks.connect(namespace, bridge.FAR_HOST4 if mode == "bridge" else WEB4, WEB_PORT,
                             TIMEOUT_S)
    return socks.dial(namespace, (LAN4, router.PROXY_PORT), (WEB4, WEB_PORT), TIMEOUT_S)


def await_exit(daemon: router.Daemon) -> None:
    """It may have seen that there was none while the other house's router was started anew."""
    deadline = time.monotonic() + TIMEOUT_S
    while any(known["state"] != "up" for known in json.loads(daemon.cli("--json", "exits"))["exits"]):
        if time.monotonic() > deadline:
            raise Failed("the far house's router does not find the near one's")
        time.sleep(0.1)


def mbits(count: int, seconds: float) -> float:
    return count * 8e-6 / seconds


def name(links: str) -> str:
    return "both links" if len(links) > 1 else f"link {links}"


def congestion(server: Namespace) -> str:
    """What the exit's connections to the router are sent with."""
    known = server.sysctl("ipv4/tcp_available_congestion_control").split()
    words = server.run("ss", "-tinHO", "state", "established", "sport", "=",
                       f":{router.EXIT_PORT}").split()
    return ", ".join(sorted({word for word in words if word in known})) or "nothing"


class Demo:
    def __init__(self, topology: Topology, directory: Path, mode: str, seconds: int,
                 rtts: dict[str, float]) -> None:
        self._topology, self._directory = topology, directory
        self._mode, self._seconds, self._rtts = mode, seconds, rtts

    def _start_router(self, stack: contextlib.ExitStack, links: str) -> router.Daemon:
        if self._mode == "bridge":
            return bridge.start_near(stack, self._topology, self._directory, links)
        options = ["--transparent", f"127.0.0.1:{TRANSPARENT_PORT}"]
        daemon = router.start_router(stack, self._topology, self._directory, links,
                                     *options if self._mode == "transparent" else [])
        if self._mode == "transparent":
            daemon.cli("--lan", "lan", "intercept", "up")
            stack.callback(daemon.cli, "intercept", "down")
        return daemon

    def _links(self, daemon: router.Daemon) -> dict[str, dict]:
        return {link["name"]: link for link in json.loads(daemon.cli("--json", "links"))["links"]}

    def measure(self, links: str) -> Sight:
        """Downloads over these links, printing each second."""
        with contextlib.ExitStack() as stack:
            daemon = self._start_router(stack, links)
            print(f"\n{name(links)}\n{'second':>8}"
                  + "".join(f"{'on link ' + link:>12}" for link in LINKS)
                  + f"{'download':>12}   Mbit/s")
            with download(self._topology.client, self._mode) as client:
                return self._watch(daemon, links, client)

    def measure_back(self, host: Namespace, far: router.Daemon) -> float:
        """Mbit/s of a download by the far house from the near one, over both links."""
        serve(self._topology.client, bridge.NEAR_HOST4)
        with contextlib.ExitStack() as stack:
            self._start_router(stack, LINKS)
            await_exit(far)
            stack.enter_context(contextlib.closing(
                client := socks.connect(host, bridge.NEAR_HOST4, WEB_PORT, TIMEOUT_S)))
            settled_at = time.monotonic() + SETTLING_S + SETTLING_RTTS * max(self._rtts.values())
            total = 0
            while (at := time.monotonic()) < settled_at + self._seconds:
                count = len(client.recv(1 << 20))
                if not count:
                    raise Failed("the download ended early")
                total += count if at >= settled_at else 0
            return mbits(total, at - settled_at)

    def _carried(self) -> list[int]:
        return [self._topology.link_bytes(link)[0] for link in LINKS]

    def _watch(self, daemon: router.Daemon, links: str, client: socket.socket) -> Sight:
        """Figures count from when the rates have settled and hawserd tries no link."""
        began = at = time.monotonic()
        settled_at = began + SETTLING_S + SETTLING_RTTS * max(self._rtts[link] for link in links)
        states: dict[str, dict] = {}
        counted_at, counted, total, tried = 0.0, 0, 0, set()
        carried = self._carried()
        while not counted_at or at < counted_at + self._seconds:
            last_at, last_total, last_carried = at, total, carried
            while (at := time.monotonic()) < last_at + 1:
                chunk = client.recv(1 << 20)
                if not chunk:
                    raise Failed("the download ended early")
                total += len(chunk)
            carried, last_states, states = self._carried(), states, self._links(daemon)
            rates = [mbits(now - before, at - last_at)
                     for now, before in zip(carried, last_carried)]
            unusual = {link: state["state"] for link, state in states.items()
                       if link in links and state["state"] != "up"}
            tried |= {link for link, state in unusual.items() if state == "trial"}
            print(f"{round(at - began):>8}" + "".join(f"{rate:>12.1f}" for rate in rates)
                  + f"{mbits(total - last_total, at - last_at):>12.1f}"
                  + "".join(f"   link {link}: {state}" for link, state in unusual.items()),
                  flush=True)
            changed = any(states[link]["state"] != last_states[link]["state"]
                          for link in last_states)
            if changed and at < began + JUDGING_S:
                settled_at, counted_at = max(settled_at, at + SETTLING_S), 0.0
            if not counted_at and at >= settled_at and "trial" not in unusual.values():
                counted_at, counted = at, total
        if links == LINKS:
            print(f"the exit sends with {congestion(self._topology.server)}")
        return Sight(mbits(total - counted, at - counted_at), states, tried)


def explain(sights: dict[str, Sight], rtts: dict[str, float]) -> list[str]:
    """Why both links carry less than their sum, where one of them is of no use to the other."""
    both, better = sights[LINKS], max(LINKS, key=lambda link: sights[link].mbits)
    lines = []
    for link in LINKS:
        if demoted := both.links[link].get("demoted"):
            lines.append(f"link {link} is demoted: with it all carried "
                         f"{demoted['with'] * 8 / MANY_S:.1f} Mbit/s, without it "
                         f"{demoted['without'] * 8 / MANY_S:.1f}")
    if not lines and both.mbits < HARM * sights[better].mbits:
        worse, = set(LINKS) - {better}
        lines.append(f"both carry less than link {better} alone: what link {worse} still owes, at "
                     f"{rtts[worse] * 1000:g} ms there and back, holds up\nwhat came by link "
                     f"{better}, as far as `receive-bytes` goes (docs/performance.md).")
        lines.append(f"hawserd tried it without link {worse}, and saw no gain of a tenth."
                     if worse in both.tried else
                     "hawserd tries it without a link that answers late when it carries at most a "
                     "fifth, when the\nother stands idle for it, or has carried more than both do; "
                     f"this did not hold for link {worse} (`demote` in hawser.conf(5)).")
        lines.append(f"`role = backup` in the section of link {worse} decides (hawser.conf(5)).")
    return lines


def report(sights: dict[str, Sight], rtts: dict[str, float]) -> None:
    speeds = {links: sight.mbits for links, sight in sights.items()}
    print(f"\n{'':12}{'Mbit/s':>8}")
    for links, speed in speeds.items():
        print(f"{name(links):12}{speed:>8.1f}")
    alone = [speeds[link] for link in LINKS]
    print(f"share of the sum {speeds[LINKS] / sum(alone):.2f}\n"
          f"ratio to the better link {speeds[LINKS] / max(alone):.2f}")
    for line in explain(sights, rtts):
        print(line)


def describe(link: str, settings: dict[str, float]) -> str:
    text = f"link {link}: {settings['rate']:g} Mbit/s, {settings['delay']:g} ms each way"
    if settings["jitter"]:
        text += f" ± {settings['jitter']:g} ms"
    if settings["loss"]:
        text += f", {settings['loss']:g} % of the packets lost"
    return text


def run(settings: dict[str, dict[str, float]], emulated: bool, seconds: int, mode: str) -> None:
    rtts = {link: settings[link]["delay"] / 500 for link in LINKS}
    made = (Topology(emulated=settings) if emulated
            else Topology(*(settings[link]["rate"] for link in LINKS)))
    with router.leave_links_alone(made) as topology, contextlib.ExitStack() as stack:
        print("\n".join(describe(link, settings[link]) for link in LINKS)
              + f"\n{MODES[mode]}", flush=True)
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if mode == "bridge":
            host = stack.enter_context(contextlib.closing(bridge.build_far_house(topology)))
            serve(host, bridge.FAR_HOST4)
            far = bridge.start_far(stack, topology, directory)
        else:
            topology.server.run("ip", "addr", "add", f"{WEB4}/32", "dev", "lo")
            serve(topology.server, WEB4)
            router.start_exit(stack, topology, directory)
        if mode == "transparent":
            topology.client.run("ip", "route", "add", "default", "via", LAN4)
        demo = Demo(topology, directory, mode, seconds, rtts)
        report({links: demo.measure(links) for links in (*LINKS, LINKS)}, rtts)
        if mode == "bridge":
            print(f"the other way{demo.measure_back(host, far):>7.1f} Mbit/s, both links")


def main() -> int:
    def number(lowest: float, highest: float) -> Callable[[str], float]:
        def parse(text: str) -> float:
            if not lowest <= float(text) <= highest:
                raise argparse.ArgumentTypeError(f"{text} is not from {lowest:g} to {highest:g}")
            return float(text)

        return parse

    parser = argparse.ArgumentParser(description=__doc__)
    for link in LINKS:
        parser.add_argument(f"--rate-{link}", type=number(0.5, 10000), default=100,
                            metavar="MBITS", help=f"of link {link}, 0.5 to 10000, default 100")
        parser.add_argument(f"--delay-{link}", type=number(0, 2000), default=0, metavar="MS",
                            help="one way, 0 to 2000, default 0")
        parser.add_argument(f"--jitter-{link}", type=number(0, 2000), default=0, metavar="MS",
                            help="by which the delay varies, at most the delay, default 0")
        parser.add_argument(f"--loss-{link}", type=number(0, 50), default=0, metavar="PERCENT",
                            help="of the packets, 0 to 50, default 0")
    parser.add_argument("--seconds", type=int, choices=range(1, 3601), metavar="N",
                        help="of each download that count, once its rate has settled; default 6, or "
                             "10 with delay, as BBR lowers its rate now and then")
    parser.add_argument("--mode", default="socks", choices=list(MODES),
                        help="how the client's connection comes to hawserd; default socks")
    options = parser.parse_args()
    settings = {link: {key: getattr(options, f"{key}_{link}")
                       for key in ("rate", "delay", "jitter", "loss")} for link in LINKS}
    for link in LINKS:
        if settings[link]["jitter"] > settings[link]["delay"]:
            parser.error(f"--jitter-{link} is more than --delay-{link}")
    emulated = any(settings[link][key] for link in LINKS for key in ("delay", "jitter", "loss"))
    try:
        if os.geteuid() != 0:
            raise Failed("needs root, as it makes network namespaces")
        for needed in [HAWSERD, HAWSER] + [EMULATOR] * emulated:
            if not os.path.exists(needed):
                raise Failed(f"{needed} is not there; run make demo")
        run(settings, emulated, options.seconds or (10 if emulated else 6), options.mode)
    except (Failed, Unavailable, OSError, RuntimeError, subprocess.SubprocessError) as failure:
        print(f"demo: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    end_in_order()
    sys.exit(main())
