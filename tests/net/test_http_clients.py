# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that speak plain HTTP to a proxy: what is for one site never reaches another, and no
answer is taken for another's, though the sites keep connections that they are asked to close."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from http_origin import HttpOrigin, response
from programs import path_of, run
from topology import LAN4, SERVER4

PROXY = f"{LAN4}:1080"
USER = "bob:pw"


class Sites:
    """Of two names. Each answers with its own name, says "keep-alive" and declines upgrades."""

    def __init__(self, bed, dns) -> None:
        self.pages: dict[tuple[str, str], bytes] = {}
        self.missing = {f"/./{name}{ending}" for name in ("InRelease", "Release.gpg", "Packages")
                        for ending in ("", ".xz", ".gz", ".bz2", ".lzma", ".lz4", ".zst")
                        if (name, ending) != ("Packages", "")}
        self.origins = {name: HttpOrigin(bed.server, self._answer_as(name), port=port)
                        for name, port in (("evil.test", 8001), ("victim.test", 8002))}
        for name in self.origins:
            dns.records[name] = [SERVER4]

    def _answer_as(self, name: str):
        def answer(request, _):
            path = request.line.split()[1]
            body = self.pages.get((name, path), f"<p>{name}</p>".encode())
            return response(body, "Connection: keep-alive", "Content-Type: text/html",
                            "Upgrade: h2c",
                            status="404 Not Found" if path in self.missing else "200 OK")
        return answer

    def url(self, name: str, path: str) -> str:
        return f"http://{name}:{self.origins[name].port}{path}"

    def paths(self, name: str) -> list[str]:
        return [line.split()[1] for line in self.origins[name].lines()]

    def assert_apart(self, first: list[str], second: list[str]) -> None:
        assert self.paths("evil.test") == first and self.paths("victim.test") == second
        for name, origin in self.origins.items():
            for request in origin.seen:
                fields = request.fields()
                assert fields["host"] == f"{name}:{origin.port}"
                assert not {"proxy-authorization", "proxy-connection"} & set(fields)

    def close(self) -> None:
        for origin in self.origins.values():
            origin.close()


@pytest.fixture
def daemon(hawserd, tmp_path):
    password = tmp_path / "password"
    password.write_text("pw\n", "ascii")
    password.chmod(0o600)
    return hawserd("--socks", PROXY, "--user", f"bob:{password}", listen=False)


@pytest.fixture
def open_daemon(hawserd):
    return hawserd()


@pytest.fixture
def sites(bed, dns, hawserd):
    made = Sites(bed, dns)
    yield made
    made.close()


def test_curl(bed, daemon, sites):
    """The command of issue 13."""
    assert run(bed, "curl", "-q", "-sS", "-x", f"http://{USER}@{PROXY}", "-b", "s=1",
               sites.url("evil.test", "/a"), sites.url("victim.test", "/b"),
               sites.url("evil.test", "/c")) == (
        b"<p>evil.test</p><p>victim.test</p><p>evil.test</p>")
    sites.assert_apart(["/a", "/c"], ["/b"])
    assert daemon.status()["sessions"]["total"] == 1


@pytest.mark.parametrize("options", [
    ["-T", "-", "-H", "Expect: 100-continue"], ["-d", "x=1"], ["--http2"], ["-I"],
    ["-H", "Connection: Upgrade", "-H", "Upgrade: websocket"], ["-0"]],
    ids=["chunked", "post", "h2c", "head", "websocket", "http/1.0"])
def test_curl_in_other_ways(bed, open_daemon, sites, options):
    urls = [sites.url("evil.test", "/a"), sites.url("victim.test", "/b")]
    out = run(bed, "curl", "-q", "-sS", "-x", f"http://{PROXY}", *options, urls[0], "--next", "-sS",
              "-q", "-x", f"http://{PROXY}", urls[1], text=b"body")
    assert out.endswith(b"<p>victim.test</p>")
    sites.assert_apart(["/a"], ["/b"])


def test_wget(bed, daemon, sites):
    assert run(bed, "wget", "--no-config", "-q", "-O", "-", "--header", "Cookie: s=1",
               sites.url("evil.test", "/a"), sites.url("victim.test", "/b"),
               environment={"http_proxy": f"http://{USER}@{PROXY}"}) == (
        b"<p>evil.test</p><p>victim.test</p>")
    sites.assert_apart(["/a"], ["/b"])


def test_python_requests(bed, daemon, sites):
    script = f"""
import requests
session = requests.Session()
session.trust_env = False
session.proxies = {{"http": "http://{USER}@{PROXY}"}}
for url in {[sites.url("evil.test", "/a"), sites.url("victim.test", "/b")]!r}:
    print(session.get(url, headers={{"Cookie": "s=1"}}, timeout=120).text)
    print(session.post(url, data=b"chunk" * 3, timeout=120).text)
"""
    assert run(bed, "python3", "-c", script).decode().split() == (
        ["<p>evil.test</p>"] * 2 + ["<p>victim.test</p>"] * 2)
    sites.assert_apart(["/a", "/a"], ["/b", "/b"])
    assert sites.origins["evil.test"].seen[1].body == b"chunk" * 3


def test_node(bed, open_daemon, sites):
    """With an agent that keeps its connection, which serves both."""
    if not Path("/usr/bin/node").exists():
        pytest.skip("Node.js is not installed")
    script = f"""
const http = require("http");
const agent = new http.Agent({{keepAlive: true, maxSockets: 1}});
const urls = {json.dumps([sites.url("evil.test", "/a"), sites.url("victim.test", "/b")])};
function next() {{
  const url = urls.shift();
  if (!url) return agent.destroy();
  http.get({{host: "{LAN4}", port: 1080, path: url, agent, headers: {{Host: new URL(url).host}}}},
           response => {{ response.on("data", data => console.log(data.toString()));
                          response.on("end", () => setImmediate(next)); }});
}}
next();
"""
    assert run(bed, "node", "-e", script).decode().split() == ["<p>evil.test</p>",
                                                                "<p>victim.test</p>"]
    sites.assert_apart(["/a"], ["/b"])
    assert open_daemon.status()["sessions"]["total"] == 1


def test_chromium(bed, open_daemon, sites, tmp_path):
    """A page with frames of another site. Too big a package for setup.sh to install."""
    if not Path("/usr/bin/chromium").exists():
        pytest.skip("Chromium is not installed: apt-get install chromium")
    frames = "".join(f'<iframe src="{sites.url(name, path)}"></iframe>'
                     for name, path in (("victim.test", "/b"), ("evil.test", "/c"),
                                        ("victim.test", "/d")))
    # Who listens comes first: a frame may be there before the rest of the page.
    sites.pages["evil.test", "/a"] = f"""<html><body><script>
        const seen = {{}};
        addEventListener("message", event => {{
            seen[event.data] = event.origin;
            document.title = JSON.stringify(seen);
        }});
        </script>{frames}</body></html>""".encode()
    for name, path in (("victim.test", "/b"), ("evil.test", "/c"), ("victim.test", "/d")):
        sites.pages[name, path] = (
            f'<script>parent.postMessage("{name}{path}", "*")</script>'.encode())
    page = run(bed, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
               "--no-first-run", "--disable-background-networking", "--disable-component-update",
               "--disable-sync", f"--user-data-dir={tmp_path}/profile",
               f"--proxy-server=http://{PROXY}", "--virtual-time-budget=10000", "--dump-dom",
               sites.url("evil.test", "/a")).decode()
    seen = json.loads(page.split("<title>")[1].split("</title>")[0])
    assert seen == {f"{name}{path}": sites.url(name, "") for name, path in
                    (("victim.test", "/b"), ("evil.test", "/c"), ("victim.test", "/d"))}
    assert set(sites.paths("victim.test")) - {"/favicon.ico"} == {"/b", "/d"}
    assert set(sites.paths("evil.test")) - {"/favicon.ico"} == {"/a", "/c"}


def package(directory: Path, name: str) -> bytes:
    control = directory / name / "DEBIAN"
    control.mkdir(parents=True)
    (control / "control").write_text(
        f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b.test>\n"
        f"Description: {name}\n", "ascii")
    subprocess.run([path_of("dpkg-deb"), "--build", "--root-owner-group", control.parent,
                    directory / f"{name}.deb"], check=True, capture_output=True)
    return (directory / f"{name}.deb").read_bytes()


def test_apt(bed, open_daemon, sites, tmp_path):
    """apt pipelines, and fetches from two repositories over what it takes for one connection."""
    sources = []
    for site in sites.origins:
        index = b""
        for number in range(12):
            name = f"{site.split('.')[0]}-{number}"
            deb = package(tmp_path, name)
            sites.pages[site, f"/./{name}.deb"] = sites.pages[site, f"/{name}.deb"] = deb
            index += (f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b.test>\n"
                      f"Filename: ./{name}.deb\nSize: {len(deb)}\n"
                      f"SHA256: {hashlib.sha256(deb).hexdigest()}\nDescription: x\n\n").encode()
        for path in "/./Packages", "/Packages":
            sites.pages[site, path] = index
        release = (f"Suite: x\nSHA256:\n {hashlib.sha256(index).hexdigest()} {len(index)} "
                   "Packages\n").encode()
        for path in "/./Release", "/Release":
            sites.pages[site, path] = release
        sources.append(f"deb [trusted=yes] {sites.url(site, '')} ./\n")
    (tmp_path / "sources.list").write_text("".join(sources), "ascii")
    for name in "lists/partial", "cache/archives/partial", "parts", "debs":
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "status").touch()
    options = [word for option in (
        f"Acquire::http::Proxy=http://{PROXY}", f"Dir::Etc::SourceList={tmp_path}/sources.list",
        f"Dir::Etc::SourceParts={tmp_path}/parts", f"Dir::State::Lists={tmp_path}/lists",
        f"Dir::State::status={tmp_path}/status", f"Dir::Cache={tmp_path}/cache",
        "APT::Sandbox::User=root", "Acquire::Languages=none", "Acquire::AllowInsecureRepositories=1",
        "APT::Get::AllowUnauthenticated=1") for word in ("-o", option)]
    run(bed, "apt-get", *options, "update")
    names = [f"{site.split('.')[0]}-{number}" for site in sites.origins for number in range(12)]
    run(bed, "apt-get", *options, "-y", "--download-only", "install", *names)
    for name in names:
        got, = (tmp_path / "cache" / "archives").glob(f"{name}_*.deb")
        assert got.read_bytes() == (tmp_path / f"{name}.deb").read_bytes()
    assert not any("victim" in path for path in sites.paths("evil.test"))
    assert not any("evil" in path for path in sites.paths("victim.test"))
