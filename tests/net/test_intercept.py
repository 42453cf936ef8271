# SPDX-License-Identifier: GPL-2.0-or-later
"""Router mode: the LAN's connections are taken on their way, and nothing else is disturbed."""

from __future__ import annotations

import contextlib
import random
import re
import signal
import socket
import struct
import threading
import time

import pytest

import causes
import daemon as daemon_module
import handshakes
import peers
import programs
from lan import CLIENTS, LISTEN, METHODS, PORT, SERVERS, asks, is_reset
from lan_fixtures import interceptor, lan, serve  # pylint: disable=unused-import
from origin import PAYLOAD, Origin
from patience import PATIENCE, load
from pattern import BULK, MEGABYTE, exchange
from topology import CLIENT4, CLIENT6, LAN4, LAN6, SERVER4, SERVER6
from waiting import quickest, until

# Nobody's.
ELSEWHERE = "198.51.100.1"


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("method", METHODS)
def test_taken(lan, interceptor, serve, method, family):
    server = serve()
    daemon = interceptor(method)
    assert asks(lan, SERVERS[family], server.port) == CLIENTS[family]
    daemon.up()
    until(lambda: asks(lan, SERVERS[family], server.port) != CLIENTS[family])
    assert daemon.status()["protocols"]["transparent"] == 1
    daemon.assert_counted(caught=1)
    daemon.down()
    assert asks(lan, SERVERS[family], server.port) == CLIENTS[family]
    assert daemon.errors() == {}


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("method", ["tproxy", "bpf"])
def test_mptcp_client(lan, interceptor, serve, method, family):
    """Its connection is one of MPTCP with hawserd."""
    daemon = interceptor(method)
    daemon.up()
    with peers.listen(lan.server, SERVERS[family], mptcp=True) as listening, \
            peers.connect(lan.client, SERVERS[family], peers.port_of(listening), True) as near, \
            peers.accept(listening) as far:
        session = daemon.relaying()
        assert session["client_transport"] == session["upstream_transport"] == "mptcp"
        assert session["protocol"] == "transparent"
        exchange(near, far, MEGABYTE)


def test_redirect_leaves_mptcp_clients_alone(lan, interceptor, serve):
    server = serve(mptcp=True)
    daemon = interceptor("redirect")
    daemon.up()
    assert asks(lan, SERVER4, server.port, mptcp=True) == CLIENT4
    daemon.assert_counted(mptcp=1)
    until(lambda: asks(lan, SERVER4, server.port) != CLIENT4)


@pytest.mark.parametrize("family", [4, 6])
def test_redirected_mptcp_client_is_told_nothing(lan, interceptor, serve, family):
    """By somebody else's rule; the kernel does not tell where it wanted to go."""
    server = serve()
    daemon = interceptor("redirect")
    with lan.redirect(server.port):
        until(lambda: asks(lan, SERVERS[family], server.port) != CLIENTS[family])
        assert is_reset(lan, SERVERS[family], server.port, mptcp=True)
    daemon.await_error("no-original-destination")
    assert "TPROXY works with MPTCP" in daemon.log()


@pytest.mark.parametrize("mptcp", [False, True])
@pytest.mark.parametrize("address", [LAN4, LAN6])
@pytest.mark.parametrize("is_up", [False, True])
def test_who_dials_the_listener_is_refused(lan, interceptor, is_up, address, mptcp):
    """It would dial itself for ever."""
    daemon = interceptor("redirect")
    if is_up:
        daemon.up()
    assert is_reset(lan, address, PORT, mptcp)
    daemon.await_error("no-original-destination" if mptcp else "not-allowed")
    assert daemon.status()["sessions"]["total"] == 1


@pytest.mark.parametrize("method", METHODS)
def test_what_comes_back_is_not_taken_again(lan, interceptor, method):
    """The way to a destination leads back into the LAN, and from there to the router again: neither
    a client's connection nor hawserd's own may go round."""
    daemon = interceptor(method, "--socks", f"{LAN4}:{daemon_module.PORT}", "--allow", CLIENT4)
    daemon.up()
    before = lan.client.sysctl("ipv4/ip_forward", 1)
    lan.router.run("ip", "route", "add", ELSEWHERE, "via", CLIENT4)
    try:
        with lan.client.socket(socket.AF_INET) as client:
            client.settimeout(1)
            with pytest.raises(TimeoutError):
                client.connect((ELSEWHERE, 80))
        assert daemon.status()["sessions"]["total"] == 0
        with daemon.connect() as client:
            client.settimeout(1)
            with pytest.raises(TimeoutError):
                handshakes.socks5(client, ELSEWHERE, 80)
            # The client's own, and hawserd's, of which a redirect sees only the first by conntrack.
            counters = until(lambda: daemon.show()["counters"],
                             lambda now: now["local"] >= (2 if method == "tproxy" else 1))
            peers.reset(client)
        assert daemon.status()["sessions"]["total"] == 1
        assert counters["caught"] == daemon.caught() == 0
    finally:
        lan.router.run("ip", "route", "del", ELSEWHERE)
        lan.client.sysctl("ipv4/ip_forward", before)


@pytest.mark.parametrize("method", METHODS)
def test_failure_is_a_reset(lan, interceptor, method):
    """Where it is accepted before it is dialled."""
    daemon = interceptor(method, "--connect-first", "no")
    daemon.up()
    with causes.unreachable(lan, "refused") as (address, port):
        assert is_reset(lan, address, port)
    daemon.await_error("refused")


@pytest.mark.parametrize("mptcp", [False, True])
def test_server_speaks_first(lan, interceptor, serve, mptcp):
    """As SMTP does: the client waits for the banner, and not for long."""

    def banner(sock: socket.socket) -> None:
        sock.sendall(b"220 server.test ESMTP\r\n")
        sock.sendall(sock.recv(100).upper())

    server = serve(banner, mptcp=mptcp)
    interceptor("tproxy").up()

    def banner_s() -> float:
        started = time.monotonic()
        with peers.connect(lan.client, SERVER4, server.port, mptcp) as sock:
            assert sock.recv(100) == b"220 server.test ESMTP\r\n"
            seconds = time.monotonic() - started
            sock.sendall(b"quit\r\n")
            assert sock.recv(100) == b"QUIT\r\n"
        return seconds

    assert quickest(banner_s, 0.5 * PATIENCE) < 0.5 * PATIENCE


@pytest.mark.parametrize("method", METHODS)
def test_killed(lan, interceptor, serve, method):
    """The rules stay, and do nothing without a hawserd; with the next one they do again."""
    echo, server = serve(peers.echo), serve()
    daemon = interceptor(method)
    daemon.up()
    busy = [peers.connect(lan.client, SERVER4, echo.port) for _ in range(4)]
    stop = threading.Event()

    def load(sock: socket.socket) -> None:
        with contextlib.suppress(OSError), sock:
            while not stop.is_set():
                sock.sendall(bytes(10000))
                sock.recv(65536)

    threads = [threading.Thread(target=load, args=(sock,)) for sock in busy]
    for thread in threads:
        thread.start()
    try:
        until(daemon.active, lambda count: count == 4)
        daemon.signal(signal.SIGKILL)

        def routed(family: int) -> bool:
            with contextlib.suppress(OSError):
                return asks(lan, SERVERS[family], server.port) == CLIENTS[family]
            return False

        until(lambda: routed(4))
        assert daemon.wait() == -signal.SIGKILL
        until(lambda: routed(6))
        again = interceptor(method)
        until(lambda: asks(lan, SERVER4, server.port) != CLIENT4)
        until(lambda: asks(lan, SERVER6, server.port) != CLIENT6)
        assert again.status()["protocols"]["transparent"] > 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("method", METHODS)
def test_stopped(lan, interceptor, serve, method):
    """Asked to end, it takes no more, and what it has taken goes on."""
    echo, server = serve(peers.echo), serve()
    daemon = interceptor(method)
    daemon.up()
    with peers.connect(lan.client, SERVER4, echo.port) as sock:
        until(daemon.active, lambda count: count == 1)
        daemon.signal(signal.SIGTERM)
        until(lambda: "draining" in daemon.log())
        assert asks(lan, SERVER4, server.port) == CLIENT4
        sock.sendall(b"still there?")
        assert sock.recv(100) == b"still there?"
    assert daemon.wait() == 0


@pytest.mark.parametrize("method", METHODS)
def test_up_and_down_50_times(lan, interceptor, serve, method):
    """Connections that the rules are not for notice nothing: one that was there before, and a new
    one every moment to a bypassed port. Nor does anybody else's table change."""
    server, echo = serve(), serve(peers.echo)
    daemon = interceptor(method, "--bypass-port", str(server.port))
    stop, problems, made = threading.Event(), [], 0

    def new_connections() -> None:
        nonlocal made
        while not stop.is_set():
            try:
                assert asks(lan, SERVER4, server.port) == CLIENT4
                made += 1
            except (OSError, AssertionError) as problem:
                problems.append(problem)
                return

    def old_connection(sock: socket.socket) -> None:
        count = 0
        try:
            while not stop.is_set():
                message = b"%08d" % count
                sock.sendall(message)
                assert sock.recv(8, socket.MSG_WAITALL) == message
                count += 1
        except (OSError, AssertionError) as problem:
            problems.append(problem)

    foreign = "table inet foreign { counter ours { }\nchain c { type filter hook prerouting priority "\
        "mangle - 1; counter name ours comment \"not ours\"\n}\n}\n"
    lan.router.run("nft", "-f", "-", text=foreign)
    before = lan.steering()
    try:
        with peers.connect(lan.client, SERVER4, echo.port) as sock:
            sock.settimeout(peers.TIMEOUT_S)
            threads = [threading.Thread(target=new_connections),
                       threading.Thread(target=old_connection, args=(sock,))]
            for thread in threads:
                thread.start()
            try:
                for number in range(load(50)):
                    lan.hawser("--lan", "lan", "--method", method, "intercept", "up",
                               control=daemon.control)
                    if number % 10 == 0:
                        lan.hawser("--lan", "lan", "--method", method, "intercept", "up",
                                   control=daemon.control)
                    daemon.down()
                    if number % 10 == 0:
                        daemon.down()
                        assert lan.steering() == before
                until(lambda: made > load(50) or problems)
            finally:
                stop.set()
                for thread in threads:
                    thread.join()
        assert problems == []
        assert lan.steering() == before
    finally:
        lan.router.run("nft", "delete", "table", "inet", "foreign")


@pytest.mark.parametrize("method", METHODS)
def test_bypass_has_no_gap(lan, interceptor, method):
    """While the rules are replaced, not one of many first packets to a bypassed port is caught."""
    port = 9
    daemon = interceptor(method, "--bypass-port", str(port))
    stop, sent = threading.Event(), 0
    # Without a checksum: nobody answers.
    syn = struct.pack("!HHIIBBHHH", 1024, port, 0, 0, 5 << 4, 2, 1024, 0, 0)

    def first_packets() -> None:
        nonlocal sent
        with lan.client.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP) as raw:
            while not stop.is_set():
                raw.sendto(syn, (SERVER4, 0))
                sent += 1

    daemon.up()
    thread = threading.Thread(target=first_packets)
    thread.start()
    try:
        for _ in range(load(20)):
            before = sent
            lan.hawser("--lan", "lan", "--method", method, "intercept", "up",
                       control=daemon.control)
            until(lambda: sent > before + load(1000))  # pylint: disable=cell-var-from-loop
            assert daemon.caught() == 0
    finally:
        stop.set()
        thread.join()


def test_from_one_method_to_the_other(lan, interceptor, serve):
    """The rule and route that only TPROXY needs go with it."""
    server = serve()
    daemon = interceptor("redirect")
    before = lan.steering()
    for method in "tproxy", "redirect", "bpf", "tproxy", "bpf", "redirect":
        daemon.method = method
        daemon.up()
        assert daemon.show()["method"] == method
        until(lambda: asks(lan, SERVER4, server.port) != CLIENT4)
        assert ("lookup 8684" in lan.steering()) == (method != "redirect")
        assert lan.steered() == (method == "bpf")
        assert not lan.has_tcx() or lan.tcx() == (method == "bpf")
        assert ("table inet hawser" in lan.steering()) == (method != "bpf")
    daemon.down()
    assert lan.steering() == before


@pytest.mark.parametrize("method", METHODS)
def test_1000_connections_at_once(lan, interceptor, method):
    daemon = interceptor(method)
    daemon.up()
    with contextlib.ExitStack() as stack:
        # A busy machine takes its time for so many.
        stack.enter_context(lan.client.setting("ipv4/tcp_syn_retries", 6))
        listening = stack.enter_context(peers.listen(lan.server, backlog=4096))
        clients = [stack.enter_context(lan.client.socket(socket.AF_INET)) for _ in range(load(1000))]
        for client in clients:
            client.setblocking(False)
            client.connect_ex((SERVER4, peers.port_of(listening)))
        for client in clients:
            client.settimeout(peers.TIMEOUT_S)
            client.send(b"?")
        served = given_up = 0
        while served < len(clients):
            accepted = stack.enter_context(peers.accept(listening))
            asked = accepted.recv(1)
            if asked:
                accepted.sendall(b"!")
            # On a busy machine a connection that was made first may be given up before its client comes for it.
            served, given_up = served + (asked == b"?"), given_up + (asked == b"")
            assert given_up < len(clients) / 2
        for client in clients:
            assert client.recv(1) == b"!"
        assert daemon.active() == len(clients)
        daemon.assert_counted(caught=len(clients))
    assert daemon.errors() == {}


@pytest.mark.parametrize(("method", "family"), [("tproxy", 4), ("bpf", 6)])
def test_mss_of_1280(lan, interceptor, method, family):
    """A tunnel's MTU on the LAN's side."""
    daemon = interceptor(method)
    daemon.up()
    lan.client.run("ip", "link", "set", "lan", "mtu", "1280")
    try:
        with peers.listen(lan.server, SERVERS[family], mptcp=True) as listening, \
                peers.connect(lan.client, SERVERS[family], peers.port_of(listening)) as near, \
                peers.accept(listening) as far:
            exchange(near, far, 8 * MEGABYTE)
    finally:
        lan.client.run("ip", "link", "set", "lan", "mtu", "1500")
    assert daemon.errors() == {}


def test_ipv6_only_lan(lan, interceptor, serve):
    server = serve(mptcp=True)
    daemon = interceptor("tproxy", listeners=("--transparent", f"[::1]:{PORT}"))
    lan.router.run("ip", "addr", "flush", "dev", "lan", "scope", "global")
    lan.router.run("ip", "addr", "add", f"{LAN6}/64", "dev", "lan", "nodad")
    try:
        daemon.up()
        until(lambda: asks(lan, SERVER6, server.port) != CLIENT6)
        daemon.assert_counted(caught=1)
    finally:
        lan.router.run("ip", "addr", "add", f"{LAN4}/24", "dev", "lan")


def test_curl(lan, interceptor, tmp_path):
    daemon = interceptor("tproxy")
    daemon.up()
    with Origin(lan.server, tmp_path, True) as origin:
        for host in "server.test", SERVER4, SERVER6:
            assert programs.run(lan, "curl", "-sSf", origin.url(host, "payload")) == PAYLOAD
        assert daemon.status()["upstream"]["mptcp"] == 3


def test_ssh(lan, interceptor, tmp_path):
    daemon = interceptor("tproxy")
    daemon.up()
    text = random.Random(3).randbytes(1_000_003)
    with programs.openssh(lan, tmp_path):
        assert programs.ssh(lan, tmp_path, SERVER6, "cat", text=text) == text
    assert daemon.status()["protocols"]["transparent"] == 1


@pytest.mark.parametrize("method", METHODS)
def test_much_both_ways(lan, interceptor, method):
    daemon = interceptor(method)
    daemon.up()
    total = BULK
    with peers.listen(lan.server, mptcp=True) as listening, \
            peers.connect(lan.client, SERVER4, peers.port_of(listening)) as near, \
            peers.accept(listening) as far:
        assert daemon.relaying()["upstream_transport"] == "mptcp"
        exchange(near, far, total, seconds=180)
    assert daemon.status()["bytes"] == {"up": total, "down": total}
    assert daemon.errors() == {}


# What the CLI says.

@pytest.mark.parametrize("method", ["tproxy", "bpf"])
def test_show(lan, interceptor, serve, method):
    server = serve()
    daemon = interceptor(method, "--bypass-port", "25", "--bypass-source", "fd01::/16",
                         "--bypass-port", "6000-6063", "--bypass-mac", "00:16:3e:0a:0b:0c")

    def show() -> str:
        return lan.hawser("intercept", "show", control=daemon.control)

    assert show().splitlines()[0] == "interception  down"
    daemon.up()
    asks(lan, SERVER4, server.port)
    text = show()
    assert f"up, {method}, from lan\n" in text
    assert "listens on 127.0.0.1:1090, [::1]:1090\n" in text
    assert "bypass        port 25, 6000-6063\n" in text
    assert "bypass        mac 00:16:3e:0a:0b:0c\n" in text
    assert "bypass        source fd01::/16\n" in text
    assert re.search(r"^connections   [1-9]\d* sent to hawserd$", text, re.MULTILINE)
    assert "does not answer" in lan.hawser("intercept", "show")


def test_settings_of_the_configuration(lan, interceptor, serve):
    """`up` alone takes all from hawserd."""
    server = serve()
    daemon = interceptor("redirect", "--lan", "lan", "--intercept", "redirect")
    lan.hawser("intercept", "up", control=daemon.control)
    assert daemon.show()["method"] == "redirect"
    until(lambda: asks(lan, SERVER4, server.port) != CLIENT4)


@pytest.mark.parametrize(("arguments", "complaint"), [
    (("intercept",), "intercept: no action: expected up, down or show"),
    (("intercept", "left"), "intercept: left: expected up, down or show"),
    (("intercept", "up", "lan"), "unexpected \"lan\""),
    (("--lan", "a b", "intercept", "up"), "\"a b\" is not the name of a network interface"),
    (("--lan", "a,,b", "intercept", "up"), "\"\" is not the name of a network interface"),
    (("--method", "iptables", "intercept", "up"), "expected tproxy, redirect or bpf"),
    (("--lan", "lan", "intercept", "down"), "--lan and --method are for 'intercept up'"),
    (("--watch", "intercept", "show"), "intercept: there is no option --watch"),
    (("--lan", "lan", "intercept", "up"), "no hawserd answers"),
])
def test_wrong_arguments(lan, arguments, complaint):
    with pytest.raises(RuntimeError, match=re.escape(complaint)):
        lan.hawser(*arguments)


@pytest.mark.parametrize(("listeners", "method", "complaint"), [
    (("--socks", "127.0.0.1:1080"), "tproxy", "no transparent listener"),
    (LISTEN["tproxy"], "redirect", "not on a loopback address"),
    (LISTEN["tproxy"], None, "no interface to take connections from"),
])
def test_what_cannot_go_up(lan, interceptor, listeners, method, complaint):
    daemon = interceptor("tproxy", listeners=listeners)
    words = ("--lan", "lan", "--method", method) if method else ()
    with pytest.raises(RuntimeError, match=complaint):
        lan.hawser(*words, "intercept", "up", control=daemon.control)
    assert daemon.show()["up"] is False
