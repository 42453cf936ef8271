# SPDX-License-Identifier: GPL-2.0-or-later
"""Two links in one connection, to be watched on one machine: the same download through hawserd over
link a, over link b, and over both. Links with delay, jitter or loss are the emulator's, and show what
each congestion control makes of them. The client uses hawserd's SOCKS5, or knows nothing of it."""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import paths  # noqa: F401
from emulator import BINARY as EMULATOR
from namespace import IPPROTO_MPTCP, MountNamespace, Namespace, Unavailable
from topology import LAN4, LAN_PREFIX4, LINKS, SERVER4, Topology, near

ROOT = Path(__file__).resolve().parent.parent
SOCKS_PORT, SERVER_PORT, TRANSPARENT_PORT = 1080, 8000, 1090
# What links with delay or loss are tried with, where the kernel has it.
CONGESTIONS = ("cubic", "bbr")
MODES = {"socks": "hawserd's SOCKS5", "transparent": "it, and knows nothing of hawserd"}
# Until congestion control has found the rate.
SETTLING_S = 2
TIMEOUT_S = 10


class Failure(Exception):
    """Ends the demo with a message."""


def serve(namespace: Namespace, congestion: list[str]) -> None:
    """An MPTCP server that sends to everybody as fast as they read, with the congestion control
    that is the one item of the list at that time, or the system's if it is empty."""
    listening = namespace.socket(socket.AF_INET, protocol=IPPROTO_MPTCP)
    listening.bind((SERVER4, SERVER_PORT))
    listening.listen()

    def send(sock: socket.socket) -> None:
        data = os.urandom(1 << 20)
        with contextlib.suppress(OSError), sock:
            for name in congestion:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, name.encode())
            while True:
                sock.sendall(data)

    def accept() -> None:
        while True:
            accepted, _ = listening.accept()
            threading.Thread(target=send, args=(accepted,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def start_hawserd(topology: Topology, binary: Path, control: Path) -> subprocess.Popen:
    # With files of its own, so that it does not meet a hawserd of this machine.
    daemon = topology.router.start(
        [str(binary), "--socks", f"{LAN4}:{SOCKS_PORT}", "--allow", LAN_PREFIX4,
         "--transparent", f"127.0.0.1:{TRANSPARENT_PORT}", "--control", str(control),
         "--timeout", "drain=1", "--log-level", "warning"],
        MountNamespace({}, empty=["/run"]), stdin=subprocess.DEVNULL)
    end = time.monotonic() + TIMEOUT_S
    while time.monotonic() < end:
        if daemon.poll() is not None:
            raise Failure(f"hawserd ended at once, with status {daemon.returncode}")
        with contextlib.suppress(ConnectionRefusedError), \
                connect(topology.client, LAN4, SOCKS_PORT):
            # It listens before it opens that.
            if control.exists():
                return daemon
        time.sleep(0.05)
    raise Failure("hawserd does not listen")


def intercept(topology: Topology, cli: Path, control: Path) -> None:
    """Has hawserd take the client's connections on their way."""
    topology.client.run("ip", "route", "add", "default", "via", LAN4)
    topology.router.run(str(cli), "--control", str(control), "--lan", "lan", "intercept", "up")


def connect(namespace: Namespace, address: str, port: int) -> socket.socket:
    """A plain TCP connection, as any client of a LAN makes it."""
    client = namespace.socket(socket.AF_INET)
    client.settimeout(TIMEOUT_S)
    try:
        client.connect((address, port))
    except OSError:
        client.close()
        raise
    return client


def download(namespace: Namespace, mode: str) -> socket.socket:
    """Connects to the server; or asks hawserd for it, by SOCKS5 (RFC 1928)."""
    if mode == "transparent":
        return connect(namespace, SERVER4, SERVER_PORT)
    client = connect(namespace, LAN4, SOCKS_PORT)
    client.sendall(b"\x05\x01\x00" + b"\x05\x01\x00\x01" + socket.inet_aton(SERVER4)
                   + SERVER_PORT.to_bytes(2, "big"))
    answer = b""
    while len(answer) < 12:
        chunk = client.recv(12 - len(answer))
        if not chunk:
            raise Failure("hawserd closed the connection")
        answer += chunk
    if answer[3] != 0:
        raise Failure(f"hawserd cannot reach the server: SOCKS5 reply {answer[3]}")
    return client


def subflow_bytes(router: Namespace) -> dict[str, int]:
    """What hawserd's subflows have received by each link."""
    received = dict.fromkeys(LINKS, 0)
    output = router.run("ss", "-tinHO", "state", "established", "dst", SERVER4)
    for line in output.splitlines():
        for link in LINKS:
            if near(link)[0] in line:
                _, _, figures = line.partition(" bytes_received:")
                received[link] += int(figures.split()[0]) if figures else 0
    return received


def mbits(count: int, seconds: float) -> float:
    return count * 8e-6 / seconds


def measure(topology: Topology, links: str, seconds: int, mode: str) -> float:
    """Downloads over these links, printing each second. Returns Mbit/s, settled."""
    topology.use(links)
    print(f"\n{name(links)}\n{'second':>8}" + "".join(f"{'subflow ' + link:>12}" for link in LINKS)
          + f"{'download':>12}   Mbit/s")
    settled_at = settled_bytes = total = 0
    with download(topology.client, mode) as client:
        last_at, last_total = time.monotonic(), 0
        last_subflows = subflow_bytes(topology.router)
        for second in range(1, SETTLING_S + seconds + 1):
            while (now := time.monotonic()) < last_at + 1:
                chunk = client.recv(1 << 20)
                if not chunk:
                    raise Failure("the download ended early")
                total += len(chunk)
            subflows = subflow_bytes(topology.router)
            rates = [mbits(subflows[link] - last_subflows[link], now - last_at) for link in LINKS]
            print(f"{second:>8}" + "".join(f"{rate:>12.1f}" for rate in rates)
                  + f"{mbits(total - last_total, now - last_at):>12.1f}", flush=True)
            last_at, last_total, last_subflows = now, total, subflows
            if second == SETTLING_S:
                settled_at, settled_bytes = now, total
    return mbits(total - settled_bytes, last_at - settled_at)


def name(links: str) -> str:
    return "both links" if len(links) > 1 else f"link {links}"


def stop(daemon: subprocess.Popen, cli: Path, control: Path) -> None:
    """Clients have gone, but on a link that loses packets it may be long until more of a download
    arrives, by which hawserd learns of that. It gives up waiting when the drain time is over."""
    daemon.terminate()
    try:
        daemon.wait(TIMEOUT_S)
    except subprocess.TimeoutExpired:
        left = subprocess.run([cli, "--control", control, "--json", "sessions"],
                              capture_output=True, text=True, check=False)
        raise Failure(f"hawserd does not end: {left.stdout or left.stderr}") from None


@contextlib.contextmanager
def scene(topology: Topology, build: Path, mode: str) -> Iterator[list[str]]:
    """hawserd and the server, which sends with the congestion control in the list."""
    print("between a router, which runs hawserd, and a server that speaks MPTCP; a plain TCP client\n"
          f"behind the router downloads through {MODES[mode]}.")
    congestion: list[str] = []
    serve(topology.server, congestion)
    with tempfile.TemporaryDirectory() as scratch:
        control = Path(scratch, "control.sock")
        daemon = start_hawserd(topology, build / "hawserd", control)
        if mode == "transparent":
            intercept(topology, build / "hawser", control)
        yield congestion
        if daemon.poll() is not None:
            raise Failure(f"hawserd ended, with status {daemon.returncode}")
        stop(daemon, build / "hawser", control)


def ratio(speeds: dict[str, float]) -> float:
    return speeds[LINKS] / max(speeds[link] for link in LINKS)


def run(build: Path, rates: list[float], seconds: int, mode: str) -> None:
    with Topology(*rates) as topology:
        print(f"links of {rates[0]:g} and {rates[1]:g} Mbit/s", end=" ")
        with scene(topology, build, mode):
            speeds = {links: measure(topology, links, seconds, mode)
                      for links in (*LINKS, LINKS)}
    print(f"\n{'':12}{'Mbit/s':>8}")
    for links, speed in speeds.items():
        print(f"{name(links):12}{speed:>8.1f}")
    print(f"ratio {ratio(speeds):.2f}")


def describe(link: str, settings: dict[str, float]) -> str:
    text = f"link {link}: {settings['rate']:g} Mbit/s, {settings['delay']:g} ms each way"
    if settings["jitter"]:
        text += f" ± {settings['jitter']:g} ms"
    if settings["loss"]:
        text += f", {settings['loss']:g} % of the packets lost"
    return text


def run_emulated(build: Path, settings: dict[str, dict[str, float]], seconds: int,
                 mode: str) -> None:
    with Topology(emulated=settings) as topology:
        print("\n".join(describe(link, settings[link]) for link in LINKS))
        available = topology.server.sysctl("ipv4/tcp_available_congestion_control").split()
        speeds: dict[str, dict[str, float]] = {}
        with scene(topology, build, mode) as congestion:
            for each in [each for each in CONGESTIONS if each in available] or available[:1]:
                congestion[:] = [each]
                print(f"\n--- the server sends with {each}", end="")
                speeds[each] = {links: measure(topology, links, seconds, mode)
                                for links in (*LINKS, LINKS)}
    print(f"\n{'Mbit/s':12}" + "".join(f"{name(links):>12}" for links in (*LINKS, LINKS))
          + f"{'ratio':>8}")
    for each, row in speeds.items():
        print(f"{each:12}" + "".join(f"{speed:>12.1f}" for speed in row.values())
              + f"{ratio(row):>8.2f}")
    best = max(speeds, key=lambda each: speeds[each][LINKS])
    print(f"with {best}:\nratio {ratio(speeds[best]):.2f}")


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
    parser.add_argument("--seconds", type=int, default=6, choices=range(1, 3601), metavar="N",
                        help=f"of each download, after {SETTLING_S} s to settle; default 6")
    parser.add_argument("--mode", default="socks", choices=list(MODES),
                        help="how the client's connection comes to hawserd; default socks")
    options = parser.parse_args()
    settings = {link: {key: getattr(options, f"{key}_{link}")
                       for key in ("rate", "delay", "jitter", "loss")} for link in LINKS}
    for link in LINKS:
        if settings[link]["jitter"] > settings[link]["delay"]:
            parser.error(f"--jitter-{link} is more than --delay-{link}")
    emulated = any(settings[link][key] for link in LINKS for key in ("delay", "jitter", "loss"))
    build = (ROOT / os.environ.get("HAWSER_BUILD", "build")).resolve()
    try:
        if os.geteuid() != 0:
            raise Failure("needs root, as it makes network namespaces")
        for needed in [build / "hawserd", build / "hawser"] + [EMULATOR] * emulated:
            if not needed.exists():
                raise Failure(f"{needed} is not there; run make demo")
        if emulated:
            run_emulated(build, settings, options.seconds, options.mode)
        else:
            run(build, [options.rate_a, options.rate_b], options.seconds, options.mode)
    except (Failure, Unavailable, OSError, RuntimeError, subprocess.SubprocessError) as failure:
        print(f"demo: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
