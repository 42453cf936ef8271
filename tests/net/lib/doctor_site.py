# SPDX-License-Identifier: GPL-2.0-or-later
"""A router with two links and an exit for hawser doctor, and what it finds there."""

from __future__ import annotations

import contextlib
import json
import subprocess

import pytest

import hop
from daemon import Hawserd
from dns import NameServer
from links import LINK, bare_bed
from namespace import Unavailable
from patience import PATIENCE
from topology import LINKS, SERVER4, SERVER6, far, near
from waiting import until

PORT = 1091


class Report:
    """What the doctor found: by "check", or "name check" of a link or exit, with " ipv4" or " ipv6"
    in between where it is of a family, and the link before that where it is about a way to an exit:
    "one wan-a ipv4 mtu"."""

    def __init__(self, done: subprocess.CompletedProcess) -> None:
        assert done.returncode in (0, 1) and done.stderr == "", done
        answer = json.loads(done.stdout)
        self.code, self.verdict = done.returncode, answer["verdict"]
        self.found = {" ".join(filter(None, (check["name"], check["via"], check["family"],
                                             check["check"]))): check
                      for check in answer["checks"]}
        assert len(self.found) == len(answer["checks"])
        verdicts = {check["verdict"] for check in answer["checks"]}
        assert self.verdict == next(word for word in ("fail", "warn", "ok") if word in verdicts)
        assert self.code == (self.verdict == "fail")
        for check in answer["checks"]:
            assert check["seen"] and bool(check["mend"]) == (check["verdict"] != "ok"), check

    def __repr__(self) -> str:
        return f"{self.faults()}"

    def faults(self) -> dict[str, str]:
        return {name: check["verdict"] for name, check in self.found.items()
                if check["verdict"] != "ok"}

    def seen(self, name: str) -> str:
        return self.found[name]["seen"]

    def mend(self, name: str) -> str:
        return self.found[name]["mend"]


class Site:
    """A router with two links and an exit, all of it well."""

    def __init__(self, build, directory, leave: contextlib.ExitStack) -> None:
        self.directory = directory
        self.bed = leave.enter_context(bare_bed(build, directory, True, 1000, 1000))
        # SYNs that are lost on purpose must not be held against later tests.
        with contextlib.suppress(Unavailable):
            self.bed.router.sysctl("mptcp/blackhole_timeout", 0)
        for family in "ipv4", "ipv6":
            self.bed.router.sysctl(f"{family}/neigh/b/retrans_time_ms", 50)
        self.token = hop.Token("home")
        self.tokens = hop.write_tokens(directory / "tokens", self.token.line())
        self.exit = self.start(leave, "--serve-exit", f"{SERVER4}:{PORT}", "--serve-exit",
                               f"[{SERVER6}]:{PORT}", "--tokens", str(self.tokens), "--exit-name",
                               "one", namespace=self.bed.server)
        # A link that is tried just when a test has spoiled it would be out for longer than the test.
        self.router = self.start(leave, *LINK, "-c", str(self.config("well", one="server.test")),
                                 "--socks", "127.0.0.1:1081", "--exit-probe", "600", "--exit-answer", "20")
        self.names = leave.enter_context(NameServer(self.bed.router))

    def start(self, leave: contextlib.ExitStack, *options: str, **settings) -> Hawserd:
        made = Hawserd(self.bed, *options, listen=False, **settings)
        leave.callback(made.finish)
        return made

    def config(self, name: str, tokens=None, **exits: str):
        """exits: name and address[:port]."""
        path = self.directory / f"{name}.conf"
        lines = []
        for exit_, address in exits.items():
            host, _, port = address.partition(":")
            lines.append(f'exit "{exit_}" {{ address = "{host}"  port = {port or PORT} '
                         f'token-file = "{tokens or self.tokens}" }}')
        path.write_text("\n".join(lines) + "\n", "ascii")
        return path

    def run(self, *words: str, control: str | None = None, host=None,
            prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess:
        command = [*prefix, str(self.bed.build / "hawser"), "--control",
                   control or self.router.control, *words]
        process = (host or self.bed.router).start(command, self.bed.mounts, text=True,
                                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            output, complaints = process.communicate(timeout=120 * PATIENCE)
        finally:
            process.kill()
            process.wait()
        return subprocess.CompletedProcess(command, process.returncode, output, complaints)

    def doctor(self, *words: str, **settings) -> Report:
        return Report(self.run("--json", "doctor", *words, **settings))

    def finds(self, *expected: dict[str, str], words: tuple[str, ...] = (), **settings) -> Report:
        """What the doctor says once its faults are one of these: who is to answer it a busy machine may keep from it for
        longer than it waits."""
        return until(lambda: self.doctor(*words, **settings), lambda report: report.faults() in expected)

    def links(self) -> dict[str, dict]:
        return {link["name"]: link for link in self.router.ask("links")["links"]}

    def mend_link(self, link: str) -> None:
        """Addresses and routes as at the start, whatever was done to it; and hawserd knows."""
        number = LINKS.index(link) + 1
        for host, addresses in (self.bed.server, far(link)), (self.bed.router, near(link)):
            host.run("ip", "link", "set", "dev", link, "up")
            host.run("ip", "addr", "flush", "dev", link, "scope", "global")
            for address, bits in zip(addresses, ("24", "64")):
                host.run("ip", "addr", "add", f"{address}/{bits}", "dev", link,
                         *(("nodad",) if bits == "64" else ()))
        for family, gateway in zip("46", far(link)):
            self.bed.router.run("ip", f"-{family}", "route", "replace", "default", "via", gateway,
                                "dev", link, "metric", str(100 + number))
        until(lambda: self.links()[f"wan-{link}"],
              lambda now: now["ipv4"]["works"] and now["ipv6"]["works"]
              and (now["ipv4"]["gateway"], now["ipv6"]["gateway"]) == far(link))


@pytest.fixture(scope="module")
def site(build, tmp_path_factory):
    with contextlib.ExitStack() as leave:
        yield Site(build, tmp_path_factory.mktemp("doctor"), leave)
