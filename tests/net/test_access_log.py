# SPDX-License-Identifier: GPL-2.0-or-later
"""A line for each session at its end, and one for who did not get in."""

from __future__ import annotations

import contextlib
import os
import re
import time
import shlex
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import hop
import peers
from daemon import PORT, Hawserd
from exit_net import Net, hello
from handshakes import (PASSWORD, Refused, http_connect_request, read, read_http_head, read_socks5_reply,
                        socks5_password, socks5_request)
from links import LINK, bare_bed
from pattern import MEGABYTE
from repeated import Repeated
from topology import CLIENT4, LAN4, SERVER4
from waiting import until

DOCS = Path(__file__).resolve().parents[2] / "docs"
REFUSED = "log-in failed from "


@pytest.fixture
def log(tmp_path) -> Path:
    return tmp_path / "access.log"


@pytest.fixture
def user(tmp_path):
    (tmp_path / "password").write_text("open sesame\n", "ascii")
    return ("--socks", f"{LAN4}:{PORT}", "--user", f"ali:{tmp_path / 'password'}")


@pytest.fixture
def echo(serve):
    return serve(peers.echo)


def parse(line: str) -> dict[str, str]:
    """shlex leaves the \\x of an escape alone, and takes the quotes away."""
    assert re.fullmatch(r"[ -~]+", line), line
    words = shlex.split(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", words[0])
    return dict(word.split("=", 1) for word in words[1:])


def lines(log: Path, count: int) -> list[dict[str, str]]:
    """So many, when they have come."""
    def read_all() -> list[str]:
        return log.read_text("ascii").splitlines() if log.exists() else []

    return [parse(line) for line in until(read_all, lambda found: len(found) >= count)]


def enter(daemon: Hawserd, port: int, name: str, password: str) -> tuple[socket.socket, bool]:
    client = daemon.connect()
    client.sendall(PASSWORD + socks5_password(name, password))
    assert read(client, 2) == b"\x05\x02"
    if read(client, 2) != b"\x01\x00":
        return client, False
    client.sendall(socks5_request(SERVER4, port))
    assert read_socks5_reply(client) == 0
    return client, True


def refused(daemon: Hawserd) -> list[str]:
    return [line.partition("warning: ")[2] for line in daemon.log().splitlines() if REFUSED in line]


def test_user_and_bytes(hawserd, user, echo, log):
    """Who has come by password, by SOCKS5 and HTTP, is named in `hawser sessions`, too."""
    daemon = hawserd(*user, "--access-log", str(log), listen=False)
    client, let_in = enter(daemon, echo.port, "ali", "open sesame")
    with client:
        assert let_in
        client.sendall(b"hello")
        assert read(client, 5) == b"hello"
        assert daemon.session()["user"] == "ali"
        row = daemon.run_cli("sessions").stdout.splitlines()[1].split()
        assert row[2] == "ali"
        port = client.getsockname()[1]
    lines(log, 1)
    with daemon.connect() as client:
        client.sendall(http_connect_request("server.test", echo.port, "ali:open sesame"))
        assert read_http_head(client)[0] == 200
    first, second = lines(log, 2)
    assert first["client"] == f"{CLIENT4}:{port}"
    assert (first["user"], first["protocol"]) == ("ali", "socks5")
    assert first["asked"] == first["server"] == f"{SERVER4}:{echo.port}"
    assert (first["up"], first["down"], first["exit"], first["links"]) == ("5", "5", "-", "-")
    assert first["cause"] == "none" and 0 < float(first["duration"]) < 60
    assert re.fullmatch("(copy|splice|sockmap)/(copy|splice|sockmap)", first["tier"])
    assert second["user"] == "ali" and second["protocol"] == "http-connect"
    assert second["asked"] == f"server.test:{echo.port}"
    assert second["server"] in (f"{SERVER4}:{echo.port}", f"[fd77:9::1]:{echo.port}")
    status = daemon.status()["access_log"]
    assert status == {"to": str(log), "lines": 2, "dropped": 0, "fault": ""}
    assert f"{log}, 2 lines, 0 dropped" in daemon.run_cli("status").stdout


def test_failed_connect(hawserd, log):
    """A session that got nowhere has its line, too; who says nothing has none."""
    daemon = hawserd("--access-log", str(log))
    with peers.listen(daemon.bed.server) as listening:
        port = peers.port_of(listening)
    with daemon.connect() as client:
        client.sendall(b"\x05\x01\x00" + socks5_request(SERVER4, port))
        assert read(client, 2) == b"\x05\x00"
        assert read_socks5_reply(client) == 5
    with daemon.connect():
        pass
    (line,) = lines(log, 1)
    assert line["cause"] == "refused" and line["server"] == "-"
    assert line["asked"] == f"{SERVER4}:{port}" and line["tier"] == "-/-"
    until(daemon.active, lambda active: active == 0)
    assert len(log.read_text("ascii").splitlines()) == 1


def host_of(line: str) -> str:
    """The address that fail2ban takes from the line, by the expression of the documentation."""
    text = (DOCS / "access-log.md").read_text("utf-8")
    expression = re.search(r"^ *failregex = (.*)$", text, re.MULTILINE).group(1)
    for word, meaning in ("<HOST>", r"(?P<host>[0-9a-f.:]+)"), ("%(__prefix_line)s", ""):
        expression = expression.replace(word, meaning)
    return re.search(expression, line)["host"]


@pytest.mark.parametrize("guess", ["socks5", "http"])
def test_failed_log_in(hawserd, user, log, guess):
    """Address, name and reason; a name can pass for no address."""
    name = 'ali" from 192.0.2.66 port 1'
    daemon = hawserd(*user, "--access-log", str(log), listen=False)
    if guess == "socks5":
        client, let_in = enter(daemon, 1, name, "wrong")
        assert not let_in
    else:
        client = daemon.connect()
        client.sendall(http_connect_request(SERVER4, 1, f"{name}:wrong"))
        assert read_http_head(client)[0] == 407
    client.close()
    (told,) = refused(daemon)
    assert told.startswith(f"{REFUSED}{CLIENT4} port ")
    assert told.endswith(f' at {LAN4}:{PORT}, name "ali\\x22 from 192.0.2.66 port 1": '
                         "wrong name or password")
    assert host_of(f"warning: {told}") == CLIENT4
    (line,) = lines(log, 1)
    assert line["cause"] == "auth-failed" and line["user"] == "ali\\x22 from 192.0.2.66 port 1"


def test_few_lines_of_many_failures(bed, hawserd, user):
    """Ten of an address; another one is heard of nevertheless."""
    other = "10.77.0.78"
    bed.client.run("ip", "addr", "add", f"{other}/24", "dev", "lan")
    try:
        daemon = hawserd(*user, listen=False)
        clients = [daemon.connect() for _ in range(40)]
        for client in clients:
            client.sendall(PASSWORD + socks5_password("ali", "wrong"))
        until(lambda: len(refused(daemon)), lambda count: count == 10)
        with daemon.connect(source=other) as client:
            client.sendall(PASSWORD + socks5_password("bob", "wrong"))
            assert read(client, 4) == b"\x05\x02\x01\x01"
        told = refused(daemon)
        assert len(told) == 11 and told[-1].startswith(f"{REFUSED}{other} port ")
        assert ", name bob: " in told[-1]
        for client in clients:
            client.close()
        until(daemon.active, lambda active: active == 0)
        assert len(refused(daemon)) == 11
    finally:
        bed.client.run("ip", "addr", "del", f"{other}/24", "dev", "lan")


@pytest.mark.mptcp
def test_by_an_exit(bed, hawserd, serve, tmp_path):
    """The router names the exit, the exit the token; whom it does not know, too."""
    net = Net(bed, hawserd, tmp_path)
    echo = serve(peers.echo, mptcp=True)
    near, far = tmp_path / "near.log", tmp_path / "far.log"
    one = net.serve("one", "--access-log", str(far))
    router = net.settled("one", more=f'daemon {{ access-log = "{near}" }}')
    hello(router, echo.port, "server.test")
    (line,) = lines(near, 1)
    assert (line["exit"], line["server"]) == ("one", "-")
    assert line["asked"] == f"server.test:{echo.port}" and line["up"] == line["down"] == "5"
    (line,) = lines(far, 1)
    assert (line["user"], line["protocol"], line["exit"]) == ("home", "socks5", "-")
    assert line["asked"] == f"server.test:{echo.port}" and line["up"] == line["down"] == "5"
    for token, reason in ((hop.Token("home"), "wrong key"), (hop.Token("nobody"), "no such token")):
        with peers.connect(bed.router, SERVER4, 1081) as client:
            with pytest.raises(Refused):
                hop.connect(client, token, SERVER4, echo.port, exit_name="one")
        until(lambda: refused(one), lambda told, reason=reason: told[-1:] and told[-1].endswith(reason))
        assert f", name {token.name}: " in refused(one)[-1]
    assert len(lines(far, 3)) == 3


@pytest.mark.mptcp
def test_bytes_of_links(build, tmp_path, log):
    """A download by two links: what each has carried, and together all of it. On a busy machine one of them may carry
    nearly all of one."""
    size = 4 * MEGABYTE
    done = 0
    with bare_bed(build, tmp_path, True, 50, 50) as bed:
        daemon = Hawserd(bed, *LINK, "--access-log", str(log))

        def download() -> list[int]:
            """What each has brought."""
            nonlocal done
            with peers.listen(bed.server, mptcp=True) as listening, \
                    daemon.dial(SERVER4, peers.port_of(listening)) as client:
                with peers.accept(listening) as server:
                    client.sendall(b"GET")
                    assert read(server, 3) == b"GET"
                    server.sendall(b"1")
                    read(client, 1)
                    until(lambda: daemon.session()["upstream_subflows"] == 2)
                    server.sendall(bytes(size - 1))
                read(client, size - 1)
                assert client.recv(1) == b""
            done += 1
            line = lines(log, done)[-1]
            links = {name: tuple(map(int, figures.split("/")))
                     for name, _, figures in (word.partition(":") for word in line["links"].split(","))}
            assert set(links) <= {"wan-a", "wan-b"}
            assert size <= sum(down for _, down in links.values()) < 1.8 * size
            assert sum(up for up, _ in links.values()) >= 3 and line["up"] == "3"
            return [down for _, down in links.values()]

        until(download, lambda brought: len(brought) == 2 and min(brought) > size / 10)
        daemon.finish()


def test_requests_of_two_origins(hawserd, origin, serve, log):
    """Plain HTTP: a line for each connection to a server."""
    daemon = hawserd("--access-log", str(log))
    with daemon.connect() as client:
        for host in SERVER4, "server.test":
            client.sendall(f"GET http://{host}:{origin.port}/nothing HTTP/1.1\r\n"
                           f"Host: {host}\r\n\r\n".encode())
            status, head = read_http_head(client)
            read(client, int(re.search(r"(?i)content-length: (\d+)", head)[1]))
            assert status == 404
    first, second = lines(log, 2)
    assert first["asked"] == f"{SERVER4}:{origin.port}"
    assert second["asked"] == f"server.test:{origin.port}"
    assert first["tier"] == second["tier"] == "copy/copy"
    assert all(int(line[way]) > 50 for line in (first, second) for way in ("up", "down"))
    assert int(second["down"]) < int(first["down"]) * 1.5


def test_reopened(hawserd, echo, log, tmp_path):
    """By SIGUSR1 after a rename, by a reload to another place; a place that is none changes nothing."""
    config = tmp_path / "hawser.conf"

    def visit() -> None:
        with daemon.dial(SERVER4, echo.port):
            pass

    config.write_text(f'daemon {{ access-log = "{log}" }}\n', "ascii")
    daemon = hawserd("-c", str(config))
    visit()
    lines(log, 1)
    old = log.rename(tmp_path / "old.log")
    daemon.signal(signal.SIGUSR1)
    until(log.exists)
    visit()
    assert len(lines(log, 1)) == 1 and len(lines(old, 1)) == 1
    other = tmp_path / "other.log"
    config.write_text(f'daemon {{ access-log = "{other}" }}\n', "ascii")
    assert daemon.run_cli("reload").returncode == 0
    visit()
    lines(other, 1)
    config.write_text(f'daemon {{ access-log = "{tmp_path}" }}\n', "ascii")
    failed = daemon.run_cli("reload")
    assert failed.returncode != 0 and f"access log {tmp_path}: Is a directory" in failed.stderr
    visit()
    assert len(lines(other, 2)) == 2 and len(lines(log, 1)) == 1
    config.write_text("daemon { access-log = off }\n", "ascii")
    assert daemon.run_cli("reload").returncode == 0
    visit()
    assert daemon.status()["access_log"]["to"] == ""
    assert log.stat().st_mode & 0o777 == 0o640


def test_syslog(hawserd, echo, tmp_path):
    """A datagram a line; what it takes while nobody is there is dropped and counted, and it finds the daemon that
    comes after."""
    path = str(tmp_path / "log")

    def listen() -> socket.socket:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        made.settimeout(20)
        made.bind(path)
        return made

    with listen() as syslog:
        daemon = hawserd("--access-log", f"syslog:{path}")
        with daemon.dial(SERVER4, echo.port):
            pass
        text = syslog.recv(4096).decode("ascii")
    head = re.match(rf"<30>[A-Z][a-z]{{2}} [ \d]\d \d\d:\d\d:\d\d hawserd\[{daemon.pid}\]: ", text)
    assert head and parse(text[head.end():])["cause"] == "none"
    with daemon.dial(SERVER4, echo.port):
        pass
    status = until(lambda: daemon.status()["access_log"], lambda state: state["dropped"] == 1)
    assert status["fault"] == "Connection refused"
    os.unlink(path)
    with listen() as syslog:
        with daemon.dial(SERVER4, echo.port):
            pass
        assert b"cause=none" in syslog.recv(4096)


@pytest.fixture
def fifo(tmp_path):
    """A path of it, and its end that is read."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    yield path, reader
    os.close(reader)


def test_nobody_reads(hawserd, echo, fifo):
    """A FIFO that is full holds nobody up; what it does not take is kept, so much of it, and then dropped."""
    path, reader = fifo
    daemon = hawserd("--access-log", str(path))
    os.write(reader, b"x" * 65536)
    for _ in range(50):
        with daemon.dial(SERVER4, echo.port) as client:
            client.sendall(b"hello")
            assert read(client, 5) == b"hello"
    until(daemon.active, lambda active: active == 0)
    assert daemon.status()["access_log"]["lines"] == 0
    os.read(reader, 65536)
    until(lambda: daemon.status()["access_log"]["lines"], lambda count: count == 50)
    assert os.read(reader, 65536).count(b" cause=none\n") == 50

    def visit() -> None:
        with daemon.dial(SERVER4, echo.port):
            pass

    os.write(reader, b"x" * 65536)
    with Repeated(*[visit] * 8) as visits:
        until(lambda: daemon.status()["access_log"]["dropped"], lambda count: count > 0, 120)
    assert visits.failed == []
    until(daemon.active, lambda active: active == 0)
    os.read(reader, 65536)
    came = b""
    while came.count(b"\n") + daemon.status()["access_log"]["dropped"] < visits.made:
        with contextlib.suppress(BlockingIOError):
            came += os.read(reader, 65536)
    assert all(parse(line)["cause"] == "none" for line in came.decode("ascii").splitlines())


@contextlib.contextmanager
def small_disk(bed, directory: str, size: str) -> Iterator[Callable[..., None]]:
    """A file system of this size in the daemons' mount namespace; yields how to run a command there."""
    def run(*command: str) -> None:
        with bed.router.start(list(command), bed.mounts) as process:
            assert process.wait(20) == 0, command

    run("mkdir", directory)
    run("mount", "-t", "tmpfs", "-o", f"size={size}", "none", directory)
    try:
        yield run
    finally:
        run("umount", "-l", directory)
        run("rmdir", directory)


def test_a_full_disk(bed, hawserd, echo):
    """It takes a part of a line. What comes when there is room again is whole, and what is missing is counted."""
    with small_disk(bed, "/run/small", "8k") as run:
        daemon = hawserd("--access-log", "/run/small/log")
        log = Path(f"/proc/{daemon.pid}/root/run/small/log")

        def visit(count: int) -> None:
            for _ in range(count):
                with daemon.dial(SERVER4, echo.port):
                    pass
            until(daemon.active, lambda active: active == 0)

        visit(60)
        until(lambda: daemon.status()["access_log"], lambda state: state["fault"] != "")
        assert "No space left" in daemon.status()["access_log"]["fault"]
        run("mount", "-o", "remount,size=1m", "/run/small")
        visit(10)
        state = until(lambda: daemon.status()["access_log"],
                      lambda found: found["lines"] + found["dropped"] == 70 and not found["fault"])
        found = log.read_text("ascii").splitlines()
        whole = [line for line in found if " cause=none" in line]
        assert len(whole) == state["lines"] and all(parse(line)["cause"] == "none" for line in whole)
        assert len(found) - len(whole) == 1
        daemon.finish()


def test_opened_again_while_nobody_reads(hawserd, echo, fifo):
    """What waited then is written when somebody reads."""
    path, reader = fifo
    daemon = hawserd("--access-log", str(path))
    os.write(reader, b"x" * 65536)
    for when in "before", "after":
        with daemon.dial(SERVER4, echo.port):
            pass
        until(daemon.active, lambda active: active == 0)
        time.sleep(0.3)  # it has tried
        if when == "before":
            # Taken by the main thread already; then one waits that it has not taken yet.
            with daemon.dial(SERVER4, echo.port):
                pass
            until(daemon.active, lambda active: active == 0)
            daemon.signal(signal.SIGUSR1)
    os.read(reader, 65536)
    state = until(lambda: daemon.status()["access_log"],
                  lambda found: found["lines"] + found["dropped"] == 3)
    assert state["lines"] >= 1


def test_turned_off_and_on_under_load(hawserd, echo, log, tmp_path):
    config = tmp_path / "hawser.conf"
    on = f'daemon {{ access-log = "{log}" }}\n'
    config.write_text(on, "ascii")
    daemon = hawserd("-c", str(config))

    def visit() -> None:
        with daemon.dial(SERVER4, echo.port):
            pass

    with Repeated(*[visit] * 4) as visits:
        for number in range(20):
            config.write_text("" if number % 2 == 0 else on, "ascii")
            assert daemon.run_cli("reload").returncode == 0
        made = visits.made
        until(lambda: visits.made > made + 8)
    assert visits.failed == []


@pytest.mark.parametrize(("value", "said"), [
    ("access.log", "expected a path from /, syslog, syslog:PATH of its socket, or off"),
    ("/nowhere/access.log", "access log /nowhere/access.log: No such file or directory"),
    ("syslog:/nowhere", "access log syslog:/nowhere: No such file or directory"),
])
def test_bad_places(bed, tmp_path, value, said):
    process = bed.router.start(
        [str(bed.build / "hawserd"), "--access-log", value, "--control", f"{tmp_path}/c",
         "--socks", "127.0.0.1:1"], bed.mounts, stderr=-1)
    assert said in process.communicate(timeout=120)[1].decode() and process.returncode != 0
