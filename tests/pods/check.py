# SPDX-License-Identifier: GPL-2.0-or-later
"""The mesh of `make mesh` with pods as nodes: `podman kube play` runs what deploy/kubernetes says, each node with
the routing daemon of its image, the exit and the house with hawserd; the emulator is between them."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path += [str(ROOT / folder) for folder in ("testbed", "bench", "mesh")]

# pylint: disable=wrong-import-position
import network
import routing
from network import INTERNET, Network
from patience import PATIENCE
from place import Place, Plan
from pods import PATIENCE_S, Pod, podman
from processes import Failed
from transfer import Download, Web

# Of the image's daemons: how mesh/routing.py calls it, and what a container cannot do.
DAEMONS = {"babeld": ("babeld", "skip-kernel-setup true\n"), "bird": ("bird-babel", "")}
SETTLING_S, MEASURED_S = 6, 6
# On a busy machine one of so many looks shows what the others do not.
LOOKS_MAX = 8
# hawserd leaves the link, and waits neither for the routing daemon nor for TCP: 0.4 to 0.9 s were measured.
GAP_MAX_S = 4 * PATIENCE
# By each gateway: a twentieth of what its link carries meanwhile.
LEAST_BYTES = MEASURED_S * 20_000_000 // 8 // 20


def say(what: str) -> None:
    print(f"check-pods: {time.strftime('%T')} {what}", flush=True)


def until(what: Callable[[], bool], description: str, tell: Callable[[], str]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        if time.monotonic() > deadline:
            raise Failed(f"{description}: not after {PATIENCE_S} s: {tell()}")
        time.sleep(0.2)


def configuration(described: Network, node: str, daemon: str) -> str:
    called, before = DAEMONS[daemon]
    with tempfile.TemporaryDirectory() as directory:
        routing.DAEMONS[called].commands(routing.Node(Plan(described, False), node, Path(directory)))
        text = next(Path(directory).iterdir()).read_text("ascii")
    return before + text.replace(directory, "/run")


def token() -> str:
    return podman("run", "--rm", "--network", "none", "--entrypoint", "/usr/bin/hawser", "localhost/hawser",
                  "token", "new", "home")


def start(stack: contextlib.ExitStack, described: Network, daemon: str) -> dict[str, Pod]:
    secret = token()
    pods = {INTERNET: Pod("exit", "hawser-exit-0", {
        "tokens": secret, "hawser.conf": (ROOT / "deploy/kubernetes/exit/hawser.conf").read_text("utf-8")
        + 'access { exit-allow = { "10.99.0.0/16" } }\n'})}
    stack.callback(pods[INTERNET].close)
    for number, node in enumerate(described.nodes):
        environment = {"MESH_DAEMON": daemon, "MESH_PREFIXES": "fd60:0:1:: fd60:0:2::"}
        if node not in described.proxies:
            environment["MESH_PROXY"] = "no"
        pods[node] = Pod("mesh", f"hawser-mesh-{number}", {
            "token": secret, f"{daemon}.conf": configuration(described, node, daemon)}, environment)
        stack.callback(pods[node].close)
    return pods


def exam_rights(house: Pod) -> None:
    for command, means in (("touch", "/etc/new"), "the root can be written"), \
            (("chroot", "/"), "it has other capabilities"):
        if house.run(*command).returncode == 0:
            raise Failed(means)
    mode = house.run("stat", "-L", "-c", "%a", "/etc/hawser-secret/token").stdout.strip()
    if not mode.endswith("00"):
        raise Failed(f"the secret has the mode {mode}; expected that others cannot read it")


def exam(daemon: str) -> None:
    described = network.read(ROOT / "mesh/topologies/village.toml")
    with contextlib.ExitStack() as stack:
        pods = start(stack, described, daemon)
        house = pods["house"]
        place = stack.enter_context(Place(described, False,
                                          {node: pod.namespace() for node, pod in pods.items()}))
        say(f"{daemon}: {len(pods)} pods are wired")
        until(lambda: house.run("/usr/bin/hawser", "ready").returncode == 0, "the house is ready", house.log)

        def links() -> list[str]:
            answer = json.loads(house.run("/usr/bin/hawser", "--json", "links").stdout)
            return [link["state"] for link in answer["links"]]

        until(lambda: links().count("up") == 2, "a link by each gateway",
              lambda: house.run("/usr/bin/hawser", "links").stdout + house.log())
        for pod in house, pods[INTERNET]:
            until(pod.probe, f"{pod.name} is alive", pod.log)
        exam_rights(house)
        web = stack.enter_context(contextlib.closing(Web(place.spaces[INTERNET])))
        download = Download(place.clients["house"], "10.62.1.1", web)
        follow(download, SETTLING_S)
        share = add_up(place, download)
        cut = time.monotonic() - download.began
        place.links["house-hill"].set(blackhole="on")
        follow(download, cut + 8)
        gap = download.longest_gap(cut, cut + 8)
        say(f"{daemon}: {share:.2f} of the minimal cut by two gateways; longest gap {gap:.1f} s when a link was cut")
        if gap > GAP_MAX_S:
            raise Failed(f"{gap:.1f} s without a byte after a link was cut; expected {GAP_MAX_S} s at most")
        drain(house, download)


def add_up(place: Place, download: Download) -> float:
    """Both gateways carry, and together more than the best path alone could. Their share of the minimal cut."""
    most, best = place.network.most("house"), place.network.best_path("house")
    for _ in range(LOOKS_MAX):
        before, began = carried(place), time.monotonic() - download.began
        follow(download, began + MEASURED_S)
        by = {gateway: count - before[gateway] for gateway, count in carried(place).items()}
        rate = download.rate(began, began + MEASURED_S)
        if min(by.values()) >= LEAST_BYTES and rate > best:
            return rate / most
    raise Failed(f"{rate:.1f} Mbit/s, bytes by each gateway {by}; expected more than {best:g} Mbit/s, which the best "
                 f"path can carry, and {LEAST_BYTES} bytes by each")


def carried(place: Place) -> dict[str, int]:
    return {gateway: place.spaces[gateway].device_bytes(f"{gateway}-{INTERNET}")[0]
            for gateway in place.network.gateways}


def follow(download: Download, until_s: float) -> None:
    while download.runs and time.monotonic() < download.began + until_s:
        time.sleep(0.05)
    if not download.runs:
        raise Failed(f"the download ended: {download.fault}")


def drain(house: Pod, download: Download) -> None:
    """SIGTERM to the pod; the session goes on, and so do its routes."""
    ends = house.terminate(60)
    until(lambda: house.run("/usr/bin/hawser", "ready").returncode != 0, "the house drains", house.log)
    got = download.total
    follow(download, time.monotonic() - download.began + 5)
    if download.total - got < 1_000_000:
        raise Failed(f"{download.total - got} bytes while it drained")
    download.finish()
    ends.wait(PATIENCE_S)
    if house.exit_code() != 0:
        raise Failed(f"the house ended with {house.exit_code()}: {house.log()}")
    say(f"drained: {download.total} bytes, all right, and the end after them")


def main() -> int:
    try:
        for daemon in DAEMONS:
            exam(daemon)
    except (Failed, RuntimeError, OSError, subprocess.SubprocessError) as failure:
        print(f"check-pods: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
