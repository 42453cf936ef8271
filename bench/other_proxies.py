# SPDX-License-Identifier: GPL-2.0-or-later
"""The other proxies, a table row each. Those of Debian are installed by `make setup-bench`; another
one takes part when its variable in the environment has the path of its program. Their options are as
their own users would set them, but for limits that the number of sessions would meet."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass

from contenders import Contender
from namespace import Namespace
from rows import Row
from topology import LAN4, near
from bench_site import Door, Forward, Site, Target, mptcp_words


@dataclass(frozen=True)
class Peer(Contender):
    """Words and texts are templates: {program}; {config}, the path of a file with the text config;
    {address}, {port} to listen at; {to_address}, {to_port}; {near_a}, {near_b}, {lan}, the router's
    addresses; {listens_mptcp}, {dials_mptcp}: "true" or "false". A SOCKS server has no `each`. What
    forwards has the text of each port in `each`, which {each} in config stands for; without config it
    is more words, and a process for each port.

    speaks: how it comes to speak MPTCP: "preload", "go" (its runtime's setting) or "config".
    kinds_from: the version from which {listen_kind} and {dial_kind} do it, which are "mptcp@" then."""
    program: str
    words: str = "{program} {config}"
    config: str = ""
    each: str = ""
    path_variable: str = ""
    package: str = ""
    version_words: tuple[str, ...] = ()
    sessions: int = 10000  # that it is asked to hold; more would be another program's figures
    speaks: str = "preload"
    kinds_from: tuple[int, ...] = ()

    @property
    def path(self) -> str | None:
        """None: not there."""
        named = os.environ.get(self.path_variable) if self.path_variable else None
        search = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
        return named or shutil.which(self.program, path=search)

    @property
    def foreign(self) -> bool:
        return True

    @property
    def is_given(self) -> bool:
        return bool(self.path_variable) and self.path_variable in os.environ

    @property
    def described(self) -> str:
        parts = [self.words.replace("{program}", self.program), self.config, self.each]
        words = " ".join(" ".join(filter(None, parts)).split())
        return words.replace("{{", "{").replace("}}", "}")

    def version(self) -> str:
        if self.version_words:
            done = subprocess.run([self.path, *self.version_words], capture_output=True, text=True,
                                  check=False)
            return (done.stdout + done.stderr).strip().partition("\n")[0]
        done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", self.package or self.name],
                              capture_output=True, text=True, check=False)
        return f"{self.name} {done.stdout}".strip() if done.returncode == 0 else str(self.path)

    def absence(self) -> str | None:
        if self.path:
            return None
        if self.path_variable:
            return f"not here; {self.path_variable}=PATH lets it take part"
        return "not here; make setup-bench installs it"

    def takes(self, row: Row) -> bool:
        if row.load["work"] == "idle" and row.load["connections"] > self.sessions:
            return False
        return not row.chain and not row.local

    def _has_kinds(self) -> bool:
        return bool(self.kinds_from) and version_numbers(self.version()) >= self.kinds_from

    def _before(self, listens: bool, dials: bool) -> list[str]:
        if self.speaks == "go" and (listens or dials):
            return ["env", f"GODEBUG=multipathtcp={_GO[listens, dials]}"]
        if self.speaks == "preload" and not self._has_kinds():
            return mptcp_words(listens, dials)
        return []

    def _fill(self, template: str, **names: object) -> str:
        return template.format_map({"program": self.path, "near_a": near("a")[0],
                                    "near_b": near("b")[0], "lan": LAN4, **names})

    def serve(self, site: Site, entries: list[Forward], namespace: Namespace | None,
              listens: bool, dials: bool) -> None:
        """Starts it at the entries; of SOCKS, the only one leads nowhere yet."""
        kinds = self._has_kinds()
        names = [{"address": entry.listen.address, "port": entry.listen.port,
                  "to_address": entry.to.address, "to_port": entry.to.port,
                  "listen_kind": "mptcp@" if kinds and listens else "",
                  "dial_kind": "mptcp@" if kinds and dials else "",
                  "listens_mptcp": str(listens).lower(), "dials_mptcp": str(dials).lower()}
                 for entry in entries]
        if self.config:
            each = "".join(self._fill(self.each, **one) for one in names)
            path = site.directory / f"{self.name}-{len(site.started)}.conf"
            path.write_text(self._fill(self.config, **names[0], each=each), "ascii")
            names = [{**names[0], "config": path}]
        words = self.words if self.config else f"{self.words} {self.each}"
        for one in names:
            site.run(*self._before(listens, dials), *self._fill(words, **one).split(),
                     namespace=namespace)
        site.wait()

    def start(self, site: Site) -> Door:
        row = site.row
        if self.each:
            door, entries = site.forward_door(), site.forwards()
        else:
            door = site.socks_door()
            entries = [Forward(door.proxy, Target("0.0.0.0", 0))]
        self.serve(site, entries, None, row.accepts_mptcp, row.dials_mptcp)
        return door


def version_numbers(text: str) -> tuple[int, ...]:
    """(2, 6, 12) of "HAProxy version 2.6.12-1+deb12u4"."""
    found = re.search(r"\d+(\.\d+)+", text)
    return tuple(map(int, found[0].split("."))) if found else ()


# Of programs in Go, since its version 1.21.
_GO = {(True, True): 1, (True, False): 2, (False, True): 3}

PEERS = [
    Peer("haproxy", "haproxy", "{program} -db -f {config}", """
defaults
    mode tcp
    option splice-auto
    timeout connect 5s
    timeout client 1h
    timeout server 1h
{each}""", """
listen on{port}
    bind {listen_kind}{address}:{port}
    server target {dial_kind}{to_address}:{to_port}
""", version_words=("-v",), kinds_from=(3, 1)),
    Peer("nginx", "nginx", "{program} -e stderr -c {config}", """
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
worker_processes auto;
pid /run/nginx.pid;
error_log stderr;
events {{ worker_connections 20000; }}
stream {{ {each} }}
""", """
server {{ listen {address}:{port}; proxy_pass {to_address}:{to_port}; proxy_timeout 1h; }}
""", version_words=("-v",)),
    Peer("microsocks", "microsocks", "{program} -i {address} -p {port}"),
    Peer("dante", "danted", "{program} -f {config} -p /run/danted.pid", """
errorlog: stderr
internal: {address} port = {port}
external: {near_a}
external: {near_b}
external: {lan}
external.rotation: route
clientmethod: none
socksmethod: none
client pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}
socks pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}
""", package="dante-server", sessions=1000),
    Peer("socat", "socat", "{program}", "", "TCP-LISTEN:{port},bind={address},fork,reuseaddr,backlog=1024"
         " TCP:{to_address}:{to_port}", sessions=1000),
    Peer("3proxy", "3proxy", config="maxconn 10000\nauth none\nsocks -p{port} -i{address}\n",
         path_variable="PEER_3PROXY"),
    Peer("hev", "hev-socks5-server", config="""
main:
  workers: 2
  port: {port}
  listen-address: '{address}'
misc:
  limit-nofile: 65535
""", path_variable="PEER_HEV"),
    Peer("gost", "gost", "{program} -L socks5://{address}:{port}", path_variable="PEER_GOST",
         version_words=("-V",), speaks="go"),
    Peer("sing-box", "sing-box", "{program} run -c {config}", """{{
"log": {{"level": "warn"}},
"inbounds": [{{"type": "socks", "listen": "{address}", "listen_port": {port},
    "tcp_multi_path": {listens_mptcp}}}],
"outbounds": [{{"type": "direct", "tcp_multi_path": {dials_mptcp}}}]
}}""", path_variable="PEER_SING_BOX", version_words=("version",), speaks="config"),
    Peer("xray", "xray", "{program} run -c {config}", """{{
"log": {{"loglevel": "warning"}},
"inbounds": [{{"protocol": "socks", "listen": "{address}", "port": {port},
    "streamSettings": {{"sockopt": {{"tcpMptcp": {listens_mptcp}}}}}}}],
"outbounds": [{{"protocol": "freedom", "streamSettings": {{"sockopt": {{"tcpMptcp": {dials_mptcp}}}}}}}]
}}""", path_variable="PEER_XRAY", version_words=("version",), speaks="config"),
]
