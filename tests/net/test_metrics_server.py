# SPDX-License-Identifier: GPL-2.0-or-later
"""The server of figures and page: that nobody can spoil it for others, and how it lasts."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import re
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

import peers
from conftest import ROOT
from handshakes import read
from manager import Manager, ask
from namespace import Namespace
from topology import LAN4, SERVER4
from waiting import until
# pylint: disable-next=unused-import
from web import LOCAL, PORT, conf, echo, get, samples, scrape, token_file, visitor

pytestmark = pytest.mark.mptcp
SOL_MPTCP, MPTCP_INFO = 284, 1


# Who would spoil it.


def send_deaf(stack: contextlib.ExitStack, namespace: Namespace, address: str, request: bytes, times: int = 1) -> None:
    """As much as goes, by a client that takes next to nothing of an answer."""
    deaf = stack.enter_context(peers.connect(namespace, address, PORT))
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    deaf.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        for _ in range(times):
            deaf.sendall(request)


def test_slow_and_silent_clients(bed, hawserd):
    """One address cannot keep others out, nor can many that are slow; all are gone in time."""
    daemon = hawserd("--metrics", f"{LAN4}:{PORT}", "--metrics-allow", "10.77.0.0/24")
    before = daemon.open_files().get("socket", 0)
    with contextlib.ExitStack() as stack:
        for i in range(100):
            slow = stack.enter_context(peers.connect(bed.client, LAN4, PORT))
            with contextlib.suppress(OSError):
                slow.sendall((b"", b"G", b"GET /metrics HTTP/1.1\r\nHost: x", b"GET / HTTP/1.1\r\nX: y\r\n")[i % 4])
        # From another address, and from the same.
        assert get(bed.router, "/metrics", LAN4).status == 200
        assert get(bed.client, "/metrics", LAN4).status == 200
        assert daemon.open_files()["socket"] - before <= 48
        # They have five seconds, however many bytes they send meanwhile.
        until(lambda: daemon.open_files().get("socket", 0), lambda now: now <= before, seconds=30)


@pytest.mark.parametrize("request_", [
    b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2000,
], ids=["without-its-body", "deaf"])
def test_all_of_one_address(bed, hawserd, request_):
    """One that has all connections it may have, each with a request that does not end or an answer that it does not read,
    gets another long before these are over."""
    hawserd("--metrics", f"{LAN4}:{PORT}", "--metrics-allow", "10.77.0.0/24")

    def again() -> int:
        try:
            return get(bed.client, "/metrics", LAN4).status
        except (OSError, http.client.HTTPException):
            return 0

    with contextlib.ExitStack() as stack:
        for _ in range(12):
            send_deaf(stack, bed.client, LAN4, request_)
        assert get(bed.router, "/metrics", LAN4).status == 200
        until(again, lambda status: status == 200, seconds=20)


def test_a_reader_that_does_not_read(bed, hawserd):
    """It holds a bounded number of bytes, and the others do not wait for it."""
    hawserd(*LOCAL)
    with contextlib.ExitStack() as stack:
        for _ in range(10):
            send_deaf(stack, bed.router, "127.0.0.1", b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 10000)
        assert get(bed.router, "/metrics").status == 200


def test_garbage(bed, hawserd):
    daemon = hawserd(*LOCAL)
    requests = [b"\0" * 5000, b"GET\r\n\r\n", b"GET /metrics HTTP/9.9\r\n\r\n", b"\x16\x03\x01" + bytes(range(256)),
                b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10000 + b"\r\n",
                b"GET /api/sessions?limit=%00%ff HTTP/1.1\r\nHost: localhost\r\n\r\n",
                b"GET /api/usage?name=%22%5c%00&by=%0a HTTP/1.1\r\nHost: localhost\r\n\r\n",
                b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: -1\r\n\r\n",
                b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
                b"GET http://evil/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
    for request in requests:
        with peers.connect(bed.router, "127.0.0.1", PORT) as client:
            client.settimeout(0.3)
            with contextlib.suppress(OSError):
                client.sendall(request)
                while client.recv(65536):
                    pass
    assert get(bed.router, "/metrics").status == 200
    assert "GET" not in daemon.log()


def test_too_many_questions(bed, hawserd):
    """They take a share of the main thread's time, not all of it; others are put off."""
    daemon = hawserd(*LOCAL)
    with visitor(bed.router) as one:
        statuses = {one.get_once("/api/usage").status for _ in range(1000)}
        # Who scrapes is let through all the same, once a second.
        assert samples(one.get("/metrics").text)
    assert 200 in statuses <= {200, 503}
    assert daemon.status()["version"]


def test_other_sites(bed, hawserd):
    """A page of theirs has a browser ask for nothing that costs."""
    hawserd(*LOCAL)
    for path in "/metrics", "/api/status":
        answer = get(bed.router, path, Sec_Fetch_Site="cross-site")
        assert answer.status == 403 and "another site" in answer.text
        assert get(bed.router, path, Sec_Fetch_Site="same-origin").status == 200
    assert get(bed.router, "/", Sec_Fetch_Site="cross-site").status == 200


# How it lasts.


def refuses(bed, port: int) -> bool:
    try:
        peers.connect(bed.router, "127.0.0.1", port).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        pass  # It waited to be accepted as the listener was closed.
    return False


def is_closed(sock: socket.socket) -> bool:
    try:
        return sock.recv(1) == b""
    except ConnectionError:
        return True


def test_reload(bed, hawserd, tmp_path, token_file):
    """On, elsewhere, onto a port that is taken, with a token, off."""
    path = tmp_path / "conf"
    daemon = hawserd("-c", str(conf(path, None)), listen=False)
    assert refuses(bed, PORT)
    conf(path, PORT)
    assert daemon.run_cli("reload").returncode == 0
    with visitor(bed.router) as kept:
        assert kept.get("/metrics").status == 200
        with peers.listen(bed.router, "127.0.0.1", PORT + 1):
            conf(path, PORT + 1)
            done = daemon.run_cli("reload")
            assert done.returncode == 1 and f"listen on 127.0.0.1:{PORT + 1}: Address already in use" in done.stderr
            assert kept.get("/metrics").status == 200
        conf(path, PORT + 1)
        assert daemon.run_cli("reload").returncode == 0
        assert refuses(bed, PORT) and get(bed.router, "/metrics", port=PORT + 1).status == 200
        # Who is connected already is judged anew.
        conf(path, PORT + 1, f'metrics {{ token-file = "{token_file}" }}')
        assert daemon.run_cli("reload").returncode == 0
        assert kept.get("/metrics").status == 401
        conf(path, None)
        assert daemon.run_cli("reload").returncode == 0
        assert refuses(bed, PORT + 1)
        assert is_closed(kept.connection.sock)


def test_a_listener_changes_its_kind(bed, hawserd, tmp_path):
    """From metrics to SOCKS, which has MPTCP and a socket for each worker, and back: no connection is forgotten."""
    path = tmp_path / "conf"
    socks = f'listen "x" {{ address = "127.0.0.1:{PORT}" }}'
    daemon = hawserd("-c", str(conf(path, PORT)), "--workers", "4", listen=False)
    for _ in range(2):
        assert [get(bed.router, "/").status for _ in range(20)] == [200] * 20
        conf(path, None, socks)
        assert daemon.run_cli("reload").returncode == 0
        for _ in range(20):
            with peers.connect(bed.router, "127.0.0.1", PORT, mptcp=True) as client:
                client.sendall(b"\x05\x01\x00")
                assert read(client, 2) == b"\x05\x00"
                # It raises where the other end speaks plain TCP.
                assert client.getsockopt(SOL_MPTCP, MPTCP_INFO, 100)
        conf(path, PORT)
        assert daemon.run_cli("reload").returncode == 0


@pytest.mark.parametrize("held", [False, True])
def test_port_taken(bed, build, held):
    with peers.listen(bed.router, "127.0.0.1", PORT) if held else contextlib.nullcontext():
        process = bed.router.start([str(build / "hawserd"), "--socks", "127.0.0.1:1081",
                                    "--metrics", f"127.0.0.1:{PORT}", "--control", f"{bed.scratch}/taken.sock"],
                                   bed.mounts, stderr=subprocess.PIPE, text=True)
        try:
            if held:
                assert process.wait(peers.TIMEOUT_S) == 1
                assert f"listen on 127.0.0.1:{PORT}: Address already in use" in process.stderr.read()
            else:
                until(lambda: not refuses(bed, PORT))
        finally:
            process.kill()
            process.wait()
            process.stderr.close()


def test_without_capabilities(bed, hawserd):
    hawserd(*LOCAL, prefix=("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"))
    assert get(bed.router, "/metrics").status == 200


def test_drain_and_end(bed, hawserd, echo):
    """One that drains takes no connection, answers on those that there are, and ends in spite of them."""
    daemon = hawserd(*LOCAL)
    with visitor(bed.router) as one, daemon.dial(SERVER4, echo.port) as client:
        client.sendall(b"x")
        read(client, 1)
        assert one.get("/metrics").headers["Connection"] is None
        daemon.signal(signal.SIGTERM)
        until(lambda: refuses(bed, PORT))
        answer = one.get("/metrics")
        assert samples(answer.text)["hawser_draining",] == 1 and answer.headers["Connection"] == "close"
        client.close()
        assert daemon.wait() == 0


def test_a_question_at_the_end(bed, hawserd):
    """Who was accepted before the end is answered, though there is no session to wait for."""
    daemon = hawserd(*LOCAL)
    with visitor(bed.router) as one:
        # Accepted after it, so that one is by now.
        assert get(bed.router, "/metrics").status == 200
        daemon.signal(signal.SIGTERM)
        until(lambda: refuses(bed, PORT))
        answer = one.get("/metrics")
        assert samples(answer.text)["hawser_draining",] == 1 and answer.headers["Connection"] == "close"
        assert daemon.wait() == 0


def test_a_question_on_a_kept_connection(bed, hawserd):
    """It was answered before, as Prometheus is, and asks again in the moment of the end."""
    daemon = hawserd(*LOCAL)
    with visitor(bed.router) as one:
        assert get(bed.router, "/metrics").status == one.get("/metrics").status == 200
        daemon.signal(signal.SIGSTOP)
        one.ask("/metrics")
        daemon.signal(signal.SIGTERM)
        daemon.signal(signal.SIGCONT)
        # Which of both it hears of first is not said.
        assert samples(one.answer().text)["hawser_draining",] in (0, 1)
        assert daemon.wait() == 0


def test_upgrade(bed, serve):
    """`hawser upgrade` while somebody scrapes: no question is refused or cut."""
    directory = Path(tempfile.mkdtemp(dir=bed.scratch))
    manager = Manager(bed, bed.router, directory, "--socks", f"{LAN4}:1080", "--allow", "10.77.0.0/24", *LOCAL,
                      "--keeper")
    try:
        manager.start()
        before = ask(manager.control, "status")["pid"]
        upgrade = subprocess.Popen([bed.build / "hawser", "--control", manager.control, "upgrade"])
        count = 0
        end = time.monotonic() + 60
        while upgrade.poll() is None or count < 20:
            assert time.monotonic() < end
            assert get(bed.router, "/metrics").status == 200
            count += 1
        assert upgrade.returncode == 0
        assert ask(manager.control, "status")["pid"] != before
        until(lambda: scrape(bed.router)["hawser_draining",], lambda draining: draining == 0)
        manager.close_gently()
    finally:
        manager.close()


def test_the_page_is_compressed(bed, hawserd):
    """For who takes that, to a third; for others it is as it is, but for indents and lines that are comments."""
    hawserd(*LOCAL)
    lines = (line.lstrip(b"\t") for line in (ROOT / "user/web/page.html").read_bytes().splitlines(keepends=True))
    page = b"".join(line for line in lines if not re.fullmatch(rb"/\*[^*]*\*/\n", line))
    for wish, packed in ("gzip, deflate, br", True), ("gzip;q=0", False), ("identity", False), ("", False):
        with visitor(bed.router) as one:
            answer = one.get("/", Accept_Encoding=wish)
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert answer.headers["Content-Encoding"] == ("gzip" if packed else None)
        assert (gzip.decompress(answer.body) if packed else answer.body) == page
        assert not packed or len(answer.body) < len(page) / 2


def test_nothing_wakes_it(bed, hawserd):
    """With a client that is connected and silent the main thread sleeps."""
    daemon = hawserd(*LOCAL, "--history", "no")

    def wakes() -> int:
        return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)",
                             Path(f"/proc/{daemon.pid}/task/{daemon.pid}/status").read_text("ascii"), re.M)[1])

    with visitor(bed.router) as one:
        assert one.get("/metrics").status == 200
        until(lambda: [wakes(), time.sleep(1), wakes()], lambda pair: pair[2] - pair[0] <= 1)
