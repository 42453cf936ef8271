# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections of one client to one destination go the same way."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler

import pytest

import peers
from daemon import Hawserd
from exit_net import PORTS, Net, exits, states
from ftp import PAYLOAD, FtpServer
from handshakes import read
from links import LINK, bare_bed, began_on
from programs import run
from topology import LAN4, SERVER4, far
from waiting import until

CLIENTS = [f"10.77.0.{last}" for last in range(10, 210)]
TRANSPARENT = 1090


@pytest.fixture
def bare(build, bed, tmp_path):
    with bare_bed(build, tmp_path, bed.mptcp, 1000, 1000) as made:
        (made.scratch / "hosts").write_text(f"{SERVER4} four.test\n", "ascii")
        made.client.batch("ip", [f"address add {address}/24 dev lan" for address in CLIENTS])
        yield made


@pytest.fixture
def start(bare):
    started: list[Hawserd] = []

    def run_one(*options: str, **settings) -> Hawserd:
        started.append(Hawserd(bare, *options, **settings))
        return started[-1]

    yield run_one
    for daemon in started:
        daemon.finish()


@pytest.fixture
def listening(bare):
    with peers.listen(bare.server) as made:
        yield made


def ways(daemon: Hawserd, listening, clients=CLIENTS) -> str:
    """The link of each client's new connection, a letter each."""
    return "".join(began_on(daemon, listening, source=client) for client in clients)


def curl(bed, *arguments: str) -> bytes:
    return run(bed, "curl", "-q", "--silent", "--show-error", "--fail", "--max-time", "100",
               *arguments)


@contextlib.contextmanager
def router_mode(bare):
    """The client's connections to the server are redirected on their way."""
    bare.client.run("ip", "route", "add", SERVER4, "via", LAN4)
    bare.router.run("nft", "-f", "-", text=f"""
        table ip taken {{
            chain c {{
                type nat hook prerouting priority dstnat;
                iifname lan ip daddr {SERVER4} meta l4proto tcp redirect to :{TRANSPARENT};
            }}
        }}""")
    yield []


@pytest.mark.parametrize("passive", ["--ftp-pasv", "--disable-epsv"])
@pytest.mark.parametrize("how", ["socks5", "socks5h", "router"])
def test_passive_ftp(bare, start, how, passive):
    """The data connection comes from where the control connection does."""
    start(*LINK, "--transparent", f"0.0.0.0:{TRANSPARENT}")
    proxy = {"socks5": ["-x", f"socks5://{LAN4}:1080"], "socks5h": ["-x", f"socks5h://{LAN4}:1080"]}
    host = "four.test" if how == "socks5h" else SERVER4
    with contextlib.closing(FtpServer(bare.server)) as server, \
            router_mode(bare) if how == "router" else contextlib.nullcontext(proxy.get(how)) as by:
        for client in CLIENTS[:20] + CLIENTS[:20]:
            assert curl(bare, *by, passive, "--no-ftp-skip-pasv-ip", "--interface", client,
                        f"ftp://{host}:{server.port}/file") == PAYLOAD
        assert server.refused == 0
        assert len(set(server.clients)) == 2 and server.clients[:20] == server.clients[20:]


class Bank(BaseHTTPRequestHandler):
    """Whoever logged in comes from where he did."""
    homes: dict[str, str] = {}

    def do_GET(self) -> None:
        name, address = self.path[1:], self.client_address[0]
        known = self.homes.setdefault(name, address) == address
        self.send_response(200 if known else 403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_a_server_that_looks_at_addresses(bare, start, scheme):
    """Eight connections of each client, to two ports, by name and then by address."""
    start(*LINK)
    Bank.homes = {}
    with contextlib.ExitStack() as stack:
        ports = [stack.enter_context(contextlib.closing(peers.Server(
            bare.server, lambda sock: Bank(sock, sock.getpeername(), None)))).port
            for _ in range(2)]
        for host in "four.test", SERVER4:
            for client in CLIENTS[:12]:
                for port in ports + ports:
                    curl(bare, "-x", f"{scheme}://{LAN4}:1080", "-4", "--interface", client,
                         f"http://{host}:{port}/{client}")
    assert len(Bank.homes) == 12 and len(set(Bank.homes.values())) == 2


def test_clients_are_spread_by_weight(start, listening):
    daemon = start("--link", "one=a", "--link", "two=b,shared,3", "--workers", "4")
    first = ways(daemon, listening)
    # 50 are expected, with a deviation of 6.1.
    assert 15 <= first.count("a") <= 85
    assert ways(daemon, listening) == first == ways(daemon, listening)


def test_destinations_are_spread(bare, start):
    """Of one client; each has a name or an address."""
    daemon = start(*LINK, "--workers", "4")
    hosts = [f"10.77.9.{last}" for last in range(100, 180)]
    bare.server.batch("ip", [f"address add {host}/32 dev lo" for host in hosts])
    for port in 8080, 8081:
        with peers.listen(bare.server, "0.0.0.0", port=port) as everywhere:
            seen = "".join(began_on(daemon, everywhere, host) for host in hosts)
        assert 12 <= seen.count("a") <= 68  # 40 +- 4.5
        assert port == 8080 or seen == before
        before = seen


def test_a_link_that_goes_moves_its_own_only(bare, start, listening):
    """And those that moved stay, while they are used, when it is back."""
    daemon = start(*LINK, "--workers", "2")
    clients = CLIENTS[:40]
    first = ways(daemon, listening, clients)
    assert set(first) == {"a", "b"}
    bare.server.run("ip", "link", "set", "dev", "a", "down")
    until(lambda: daemon.status()["links"]["up"] == 1)
    assert ways(daemon, listening, clients) == "b" * 40
    bare.server.run("ip", "link", "set", "dev", "a", "up")
    until(lambda: daemon.status()["links"]["up"] == 2)
    assert ways(daemon, listening, clients) == "b" * 40


def test_a_link_that_is_back_gets_its_own_back_when_they_rest(bare, start, listening):
    daemon = start(*LINK, "--workers", "2", "--sticky", "1s")
    clients = CLIENTS[:40]
    first = ways(daemon, listening, clients)
    bare.server.run("ip", "link", "set", "dev", "a", "down")
    until(lambda: daemon.status()["links"]["up"] == 1)
    assert ways(daemon, listening, clients) == "b" * 40
    bare.server.run("ip", "link", "set", "dev", "a", "up")
    until(lambda: daemon.status()["links"]["up"] == 2)
    time.sleep(2.1)
    assert ways(daemon, listening, clients) == first


@pytest.fixture
def net(bare, start, tmp_path):
    return Net(bare, start, tmp_path)


@pytest.fixture
def echo(bare):
    with contextlib.closing(peers.Server(bare.server, peers.echo, mptcp=bare.mptcp)) as made:
        yield made


def by_exit(router: Hawserd, echo, clients) -> list[str]:
    """The exit of each client's new session."""
    seen = []
    for client in clients:
        before = {name: exit_["sessions"]["total"] for name, exit_ in exits(router).items()}
        with router.dial(SERVER4, echo.port, source=client) as sock:
            sock.sendall(b"hello")
            assert read(sock, 5) == b"hello"
        seen += [name for name, exit_ in exits(router).items()
                 if exit_["sessions"]["total"] > before[name]]
    return seen


def test_equal_exits(net, echo):
    """By weight over clients; each has its own, and another one while that is dead."""
    net.serve("one")
    net.serve("two")
    router = net.settled("one", "two", two="weight = 3", more="upstream { exit-probe = 1 }")
    clients = CLIENTS[:100]
    first = by_exit(router, echo, clients)
    counts = Counter(first)
    assert 3 <= counts["one"] <= 50 and sum(counts.values()) == 100  # 25 +- 4.3
    assert by_exit(router, echo, clients) == first
    net.kill("one")
    until(lambda: states(router)["one"], lambda state: state == "down")
    assert by_exit(router, echo, clients) == ["two"] * 100
    net.serve("one")
    until(lambda: states(router)["one"], lambda state: state == "up")
    assert by_exit(router, echo, clients[:30]) == ["two"] * 30


def test_hops_are_spread_over_links(net, echo, bare):
    """Of many clients to one destination by one exit; those of one begin on one link."""
    exit_ = net.serve("one")
    router = net.settled("one", more='link "a" { device = a }\nlink "b" { device = b }')
    seen = []
    for client in CLIENTS[:20] + CLIENTS[:20]:
        with router.dial(SERVER4, echo.port, source=client):
            seen.append(until(exit_.sessions, lambda rows: len(rows) == 1)[0]["client"]
                        .rpartition(":")[0])
        until(exit_.sessions, lambda rows: rows == [])
    assert len(set(seen)) == 2 and seen[:20] == seen[20:]


def test_an_exit_with_several_addresses(bare, net, echo, start, tmp_path):
    """Each client is at one of them."""
    (bare.scratch / "hosts").write_text(f"127.0.0.1 localhost\n{SERVER4} exits.test\n"
                                        f"{far('a')[0]} exits.test\n{far('b')[0]} exits.test\n")
    hosts = [SERVER4, far("a")[0], far("b")[0]]
    served = [start("--serve-exit", f"{host}:{PORTS['one']}", "--tokens", str(net.tokens),
                    "--exit-allow", "10.77.9.0/24", listen=False, namespace=bare.server)
              for host in hosts]
    router = start("--exit", f"exits.test:{PORTS['one']}", "--exit-token", str(net.tokens),
                   "--exit-answer", "20")

    def at(client: str) -> int:
        with router.dial(SERVER4, echo.port, source=client) as sock:
            sock.sendall(b"hello")
            assert read(sock, 5) == b"hello"
            # The one before may not have ended yet.
            return until(lambda: [i for i in range(3) for each in served[i].sessions()
                                  if each["destination"] == f"{SERVER4}:{echo.port}"], lambda found: len(found) == 1)[0]

    first = [at(client) for client in CLIENTS[:40]]
    assert set(first) == {0, 1, 2}
    assert [at(client) for client in CLIENTS[:40]] == first
