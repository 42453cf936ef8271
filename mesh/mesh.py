# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds a mesh from a topology file, with a real routing daemon on each node, hawserd where the
file says so and an exit beyond the gateways; downloads through it while things happen, and tells
what came of it."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path += [str(HERE.parent / folder) for folder in ("testbed", "bench")]

# pylint: disable=wrong-import-position
import network
import plot
import routing
import running
from emulator import BINARY as EMULATOR
from ending import end_in_order
from namespace import Unavailable
from network import INTERNET, BadTopology, Event, Network
from place import SERVER4, SERVER6, Place
from processes import HAWSER, HAWSERD, Failed
from router import EXIT_PORT, PROXY_PORT, Daemon, write
from transfer import Download, Web

SETTLING_S, MEASURED_S, AFTER_S = 6, 10, 20
SAMPLE_S = 0.2


class Counters:
    """Bytes that came by each gateway, sampled until closed."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self.samples: list[tuple[float, dict[str, int]]] = []
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ends.wait(SAMPLE_S):
            seen = {gateway: self._place.spaces[gateway].device_bytes(f"{gateway}-{INTERNET}")[0]
                    for gateway in self._place.network.gateways}
            self.samples.append((time.monotonic(), seen))

    def close(self) -> None:
        self._ends.set()
        self._thread.join()

    def curve(self, gateway: str, began: float) -> plot.Curve:
        return [(at - began, (now[gateway] - before[gateway]) * 8e-6 / (at - last))
                for (last, before), (at, now) in zip(self.samples, self.samples[1:])
                if last >= began]

    def rate(self, gateway: str, start: float, end: float) -> float:
        within = [(at, seen[gateway]) for at, seen in self.samples if start <= at <= end]
        return (within[-1][1] - within[0][1]) * 8e-6 / (within[-1][0] - within[0][0])


def start_proxies(stack: contextlib.ExitStack, place: Place, directory: Path) -> dict[str, Daemon]:
    token = subprocess.run([HAWSER, "token", "new", "mesh"], capture_output=True, text=True,
                           check=True).stdout
    tokens = write(directory, "tokens", token)
    Daemon(stack, place.spaces[INTERNET], SERVER4, EXIT_PORT,
           "--serve-exit", f"{SERVER4}:{EXIT_PORT}", "--serve-exit", f"[{SERVER6}]:{EXIT_PORT}",
           "--tokens", str(tokens), "--exit-allow", "10.99.0.0/16")
    daemons = {}
    for proxy in place.network.proxies:
        own = place.number(proxy)
        config = write(directory, f"{proxy}.conf", f"""
            upstream {{ links = auto when-no-exit = refuse }}
            exit "exit" {{ address = "{SERVER6}" port = {EXIT_PORT} token-file = "{tokens}" }}
            """)
        daemons[proxy] = Daemon(stack, place.spaces[proxy], f"10.62.{own}.1", PROXY_PORT, "-c",
                                str(config), "--socks", f"10.62.{own}.1:{PROXY_PORT}",
                                "--allow", f"10.62.{own}.0/24")
    return daemons


def links_of(daemon: Daemon) -> list[dict]:
    return json.loads(daemon.cli("--json", "links"))["links"]


class Run:
    """One network with one routing daemon, and what came of it."""

    def __init__(self, described: Network, routed_by: str, out: Path | None) -> None:
        self._network, self._routed_by, self._out = described, routed_by, out

    def __call__(self) -> dict:
        translated = not routing.DAEMONS[self._routed_by].source_specific
        with Place(self._network, translated) as place, contextlib.ExitStack() as stack:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            directory.chmod(0o755)  # FRR's daemons read theirs without root's rights
            routers = running.Running(stack, place, self._routed_by, directory)
            proxy = self._network.proxies[0]
            converged_s = running.wait(place, proxy, place.addresses(proxy))
            daemons = start_proxies(stack, place, directory)
            web = stack.enter_context(contextlib.closing(Web(place.spaces[INTERNET])))
            counters = stack.enter_context(contextlib.closing(Counters(place)))
            download = Download(place.clients[proxy], f"10.62.{place.number(proxy)}.1", web)
            result = self._follow((place, routers), download, counters, daemons[proxy])
            return {"converged_s": round(converged_s, 1), **result}

    def _events(self) -> list[Event]:
        """Those that the daemon can take part in."""
        return [event for event in self._network.events
                if event.action != "metric" or routing.DAEMONS[self._routed_by].metric]

    def _follow(self, concerned: tuple[Place, running.Running], download: Download, counters: Counters,
                daemon: Daemon) -> dict:
        def until(at_s: float) -> None:
            while download.runs and time.monotonic() < download.began + at_s:
                time.sleep(0.01)

        start_s = SETTLING_S + MEASURED_S
        until(start_s)
        links = links_of(daemon)
        happened: list[tuple[float, str]] = []
        for event in self._events():
            until(start_s + event.at_s)
            for each in concerned:
                each.happen(event)
            happened.append((time.monotonic() - download.began, str(event)))
        end_s = (happened[-1][0] if happened else start_s) + AFTER_S
        until(end_s)
        fault = ""
        try:
            download.finish()
        except Failed as failure:
            fault = str(failure)
        self._plot(download, counters, happened)
        proxy = self._network.proxies[0]
        most, best = self._network.most(proxy), self._network.best_path(proxy)
        got = download.rate(SETTLING_S, start_s)
        ends = [at for at, _ in happened[1:]] + [end_s]
        return {
            "links": [f"{link['name']}: {link['state']}" for link in links],
            "mbits": got, "of_most": got / most, "of_best_path": got / best,
            "gateways": {gateway: counters.rate(gateway, download.began + SETTLING_S,
                                                download.began + start_s)
                         for gateway in self._network.gateways},
            "events": [{"event": what, "gap_s": download.longest_gap(at, end),
                        "back_s": download.back_after(at, end), "mbits": download.rate(end - 5, end)}
                       for (at, what), end in zip(happened, ends)],
            "bytes": download.total, "fault": fault}

    def _plot(self, download: Download, counters: Counters, happened: list[tuple[float, str]]) -> None:
        if not self._out:
            return
        length = len(download.bins) * 0.02
        came = [(at, download.rate(at - SAMPLE_S, at))
                for at in (SAMPLE_S * step for step in range(1, int(length / SAMPLE_S)))]
        curves = {"download": came}
        curves |= {f"by {gateway}": counters.curve(gateway, download.began)
                   for gateway in self._network.gateways}
        title = f"{self._network.about}, {self._routed_by}"
        path = self._out / f"{self._network.name}-{self._routed_by}.svg"
        path.write_text(plot.draw(title, curves, happened), "utf-8")


def show(title: str, result: dict) -> None:
    print(f"\n{title}\n  a way by each gateway after {result['converged_s']} s; "
          f"links {', '.join(result['links'])}")
    by = ", ".join(f"{rate:.1f} by {gateway}" for gateway, rate in result["gateways"].items())
    print(f"  {result['mbits']:.1f} Mbit/s ({by} with headers): {result['of_most']:.2f} of the minimal "
          f"cut, {result['of_best_path']:.2f} of the best path")
    for event in result["events"]:
        back = "never" if event["back_s"] is None else f"{event['back_s']:.2f} s"
        print(f"  {event['event']:24} longest gap {event['gap_s']:6.2f} s, back after {back:>8}, "
              f"then {event['mbits']:5.1f} Mbit/s")
    print(f"  {result['bytes']} bytes, {result['fault'] or 'all right, and the end after them'}",
          flush=True)


def main() -> int:
    ready = {path.stem: path for path in sorted((HERE / "topologies").glob("*.toml"))}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--topology", action="append", metavar="NAME|FILE",
                        help=f"one of {', '.join(ready)}, or a file; default all of these")
    parser.add_argument("--daemon", action="append", choices=list(routing.DAEMONS),
                        help="default all that are installed")
    parser.add_argument("--out", type=Path, metavar="DIRECTORY",
                        help="for a plot of each (SVG), and mesh.json")
    options = parser.parse_args()
    results = {}
    failed = False
    try:
        if os.geteuid() != 0:
            raise Failed("needs root, as it makes network namespaces")
        for needed in HAWSERD, HAWSER, EMULATOR:
            if not os.path.exists(needed):
                raise Failed(f"{needed} is not there; run make mesh")
        if options.out:
            options.out.mkdir(parents=True, exist_ok=True)
        missing = [name for name, each in routing.DAEMONS.items() if each.optional and not routing.installed(name)]
        daemons = options.daemon or [name for name in routing.DAEMONS if name not in missing]
        if missing and not options.daemon:
            print(f"mesh: without {', '.join(missing)}: not installed")
        for name in options.topology or ready:
            described = network.read(ready.get(name, Path(name)))
            for daemon in daemons:
                title = f"{described.about}, {daemon} ({routing.version(daemon)})"
                result = Run(described, daemon, options.out)()
                show(title, result)
                results[f"{described.name}, {daemon}"] = result
                failed = failed or bool(result["fault"])
        if options.out:
            (options.out / "mesh.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    except (BadTopology, Failed, Unavailable, OSError, RuntimeError) as failure:
        print(f"mesh: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 1 if failed else 0


if __name__ == "__main__":
    end_in_order()
    sys.exit(main())
