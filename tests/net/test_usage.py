# SPDX-License-Identifier: GPL-2.0-or-later
"""What links, exits and clients have carried, over restarts, kills, and clocks that jump."""

from __future__ import annotations

import fcntl
import json
import random
import signal
import socket
import time
from pathlib import Path

import pytest

import peers
from daemon import Hawserd
from exit_net import Net, hello
from handshakes import NO_PASSWORD, http_connect_request, read, read_http_head, read_socks5_reply, socks5, socks5_request
from links import LINK, bare_bed
from pattern import MEGABYTE
from stepped import Clock
from topology import CLIENT4, CLIENT6, SERVER4
from waiting import until

DAY_S = 86400


@pytest.fixture
def state(tmp_path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def echo(serve):
    return serve(peers.echo)


def usage(daemon: Hawserd, *arguments: str) -> dict:
    done = daemon.run_cli("usage", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def carried(daemon: Hawserd, by: str) -> dict[str, tuple[int, int]]:
    """Bytes up and down, by name."""
    return {each["name"]: (each["up"], each["down"]) for each in usage(daemon, "--by", by)["usage"]}


def send(daemon: Hawserd, echo, size: int) -> None:
    """So much up, and as much down."""
    with daemon.dial(SERVER4, echo.port) as client:
        client.sendall(bytes(size))
        read(client, size)
    until(daemon.active, lambda active: active == 0)


def mac_of(bed, namespace, device: str) -> str:
    return json.loads(namespace.run("ip", "-j", "link", "show", "dev", device))[0]["address"]


def write(daemon: Hawserd, state: Path) -> None:
    """Has it write, and waits for that."""
    def file() -> int:
        return (state / "history").stat().st_ino if (state / "history").exists() else 0

    before = file()
    daemon.signal(signal.SIGUSR1)
    until(file, lambda now: now != before)


def stop(daemon: Hawserd) -> None:
    daemon.signal(signal.SIGINT)
    assert daemon.wait() == 0


def test_clients(bed, hawserd, echo):
    """By hardware address, while the session goes on and after it, to the byte; by plain HTTP's connection, too."""
    daemon = hawserd("--workers", "2")
    mac = mac_of(bed, bed.client, "lan")
    with daemon.dial(SERVER4, echo.port) as client:
        client.sendall(bytes(1000))
        read(client, 1000)
        assert carried(daemon, "client") == {mac: (1000, 1000)}
        client.sendall(bytes(500))
        read(client, 500)
        assert carried(daemon, "client") == {mac: (1500, 1500)}
    send(daemon, echo, 10)
    assert carried(daemon, "client") == {mac: (1510, 1510)}
    assert carried(daemon, "exit") == carried(daemon, "link") == {}
    (found,) = usage(daemon, "--by", "client")["usage"]
    assert found["address"] == CLIENT4
    table = daemon.run_cli("usage", "--by", "client").stdout.splitlines()
    assert table[0].split() == ["NAME", "ADDRESS", "DOWN", "UP", "TOTAL"]
    assert table[1].split() == [mac, CLIENT4, *"1.5 kB 1.5 kB 3.0 kB".split()]
    for name, heading in (mac, []), (CLIENT4, [mac]):
        days = daemon.run_cli("usage", "--by", "client", name).stdout.splitlines()
        assert days[:-2] == heading and days[-1].split()[1:] == "1.5 kB 1.5 kB 3.0 kB".split()
    (found,) = usage(daemon, "--by", "client", "--days", "1", mac)["usage"]
    assert [(day["up"], day["down"]) for day in found["days"]] == [(1510, 1510)]
    assert sum(hour["up"] for hour in found["hours"]) == 1510


@pytest.mark.mptcp
def test_one_client_with_two_addresses(bed, hawserd, echo):
    """It is found by either, however they are written, and whichever it was seen with last."""
    daemon = hawserd()
    mac = mac_of(bed, bed.client, "lan")
    for family, last in (socket.AF_INET, CLIENT4), (socket.AF_INET6, CLIENT6):
        with daemon.connect(family=family) as client:
            socks5(client, SERVER4, echo.port)
            client.sendall(b"hello")
            read(client, 5)
        until(daemon.active, lambda active: active == 0)
        assert usage(daemon, "--by", "client")["usage"][0]["address"] == last
        for name in CLIENT4, CLIENT6, CLIENT6.replace("::", ":0:0::"):
            if last == CLIENT6 or name == CLIENT4:
                (found,) = usage(daemon, "--by", "client", name)["usage"]
                assert found["name"] == mac and found["days"]
    assert usage(daemon, "--by", "client", "10.77.0.250")["usage"] == []


@pytest.mark.mptcp
def test_an_address_of_one_after_the_other(hawserd, state):
    """As DHCP gives them: it is said which day is whose."""
    state.mkdir()
    today = int(time.time()) // DAY_S
    clients = {f"02:00:00:00:00:0{number}": number * 1000 for number in (1, 2)}
    (state / "history").write_text("hawser-history 1\n" + "".join(
        f"client {mac} 10.77.0.77\nd {today} {size} 0\n" for mac, size in clients.items()) + "end\n", "ascii")
    daemon = hawserd("--state-dir", str(state))
    lines = daemon.run_cli("usage", "--by", "client", "10.77.0.77").stdout.splitlines()
    assert [lines[0], lines[4]] == sorted(clients, reverse=True) and lines[3] == ""
    assert [lines[at].split()[1:] for at in (2, 6)] == [f"0 B {size}.0 kB {size}.0 kB".split() for size in (2, 1)]
    lines = daemon.run_cli("usage", "--by", "client", "02:00:00:00:00:01").stdout.splitlines()
    assert len(lines) == 2 and lines[1].split()[1:] == "0 B 1.0 kB 1.0 kB".split()
    done = daemon.run_cli("usage", "--by", "client", "10.77.0.78")
    assert "no 10.77.0.78" in done.stderr


def test_connect_after_a_request(hawserd, echo, origin, tmp_path):
    """Two protocols on one connection: each byte counts once, and in its own line of the access log."""
    log = tmp_path / "access.log"
    daemon = hawserd("--access-log", str(log))
    with daemon.connect() as client:
        client.sendall(f"GET http://{SERVER4}:{origin.port}/nothing HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head = read_http_head(client)[1]
        read(client, int(head.lower().partition("content-length: ")[2].split()[0]))
        ((up, down),) = carried(daemon, "client").values()
        assert up > 50 and down > 100
        client.sendall(http_connect_request(SERVER4, echo.port))
        assert read_http_head(client)[0] == 200
        client.sendall(bytes(7))
        read(client, 7)
    until(daemon.active, lambda active: active == 0)
    ((up_now, down_now),) = carried(daemon, "client").values()
    assert (up_now - up, down_now - down) == (7, 7)
    lines = until(lambda: log.read_text("ascii").splitlines(), lambda found: len(found) == 2)
    assert f" up={up} down={down} " in lines[0] and " up=7 down=7 " in lines[1]


def test_tokens_and_exits(bed, hawserd, serve, tmp_path):
    """The exit counts by token, the router by exit; what went past exits is direct."""
    net = Net(bed, hawserd, tmp_path)
    echo = serve(peers.echo, mptcp=bed.mptcp)
    one = net.serve("one")
    router = net.settled("one", more="upstream { exit-probe = 0.5 }")
    hello(router, echo.port)
    until(one.active, lambda active: active == 0)
    assert carried(one, "client") == {"token:home": (5, 5)} and carried(one, "exit") == {}
    assert carried(router, "exit") == {"one": (5, 5)}
    net.kill("one")
    until(lambda: router.ask("exits")["exits"][0]["state"], lambda found: found == "down")
    hello(router, echo.port)
    assert carried(router, "exit") == {"one": (5, 5), "direct": (5, 5)}


def test_links(build, bed, tmp_path):
    """What their interfaces have carried."""
    with bare_bed(build, tmp_path, bed.mptcp) as bare:
        daemon = Hawserd(bare, *LINK)
        until(lambda: all(each["bytes"]["rx"] for each in daemon.ask("links")["links"]))
        with peers.listen(bare.server, mptcp=bed.mptcp) as listening, \
                daemon.dial(SERVER4, peers.port_of(listening)) as client, \
                peers.accept(listening) as server:
            server.sendall(bytes(2 * MEGABYTE))
            read(client, 2 * MEGABYTE)
        # The meters are read once a second.
        until(lambda: sum(down for _, down in carried(daemon, "link").values()),
              lambda down: 2 * MEGABYTE < down < 3 * MEGABYTE)
        assert set(carried(daemon, "link")) <= {"wan-a", "wan-b"}
        assert "wan-" in daemon.run_cli("usage").stdout
        daemon.finish()


def test_more_clients_than_have_names(bed, hawserd, echo):
    """In a minute, at one worker: no byte is lost, and who carries much has a name, whenever it comes."""
    small = [f"127.1.{number // 250}.{number % 250 + 1}" for number in range(600)]
    daemon = hawserd("--workers", "1", "--socks", "127.0.0.1:1081")
    request = NO_PASSWORD + socks5_request(SERVER4, echo.port)

    def visit(source: str, size: int) -> None:
        with peers.connect(bed.router, "127.0.0.1", 1081, source=source) as client:
            client.sendall(request)
            assert read(client, 2) == b"\x05\x00" and read_socks5_reply(client) == 0
            client.sendall(bytes(size))
            read(client, size)

    visit("127.2.0.1", 20_000)
    for source in small:
        visit(source, 10)
    visit("127.2.0.2", 30_000)
    until(daemon.active, lambda active: active == 0)
    found = carried(daemon, "client")
    assert found["127.2.0.1"] == (20_000, 20_000) and found["127.2.0.2"] == (30_000, 30_000)
    assert found["others"][0] >= (len(small) - 256) * 10 and len(found) == 257
    assert sum(up for up, _ in found.values()) == sum(down for _, down in found.values()) == 50_000 + len(small) * 10
    assert set(found) <= {*small, "127.2.0.1", "127.2.0.2", "others"}


def test_restart(hawserd, echo, state):
    """What was known is known again; what a kill takes is what was not written yet."""
    options = ("--state-dir", str(state))
    first = hawserd(*options)
    send(first, echo, 1000)
    stop(first)
    second = hawserd(*options)
    assert sum(up for up, _ in carried(second, "client").values()) == 1000
    send(second, echo, 200)
    write(second, state)
    send(second, echo, 30)
    second.signal(signal.SIGKILL)
    second.wait()
    third = hawserd(*options)
    assert sum(up for up, _ in carried(third, "client").values()) == 1200
    assert (state / "history").stat().st_mode & 0o777 == 0o600


def test_killed_while_it_writes(hawserd, echo, state):
    """Again and again, at any time: there is always a whole file."""
    options = ("--state-dir", str(state))
    dice = random.Random(7)
    sent = 0
    for number in range(6):
        daemon = hawserd(*options)
        send(daemon, echo, 1000)
        sent += 1000
        write(daemon, state)
        for _ in range(20):
            send(daemon, echo, 1)
            sent += 1
            daemon.signal(signal.SIGUSR1)
            if dice.random() < 0.1:
                break
        time.sleep(dice.random() * 0.005)
        daemon.signal(signal.SIGKILL)
        daemon.wait()
        assert "makes no sense" not in daemon.log()
        text = (state / "history").read_text("ascii")
        assert text.startswith("hawser-history 1\n") and text.endswith("\nend\n")
    last = hawserd(*options)
    assert "makes no sense" not in last.log()
    assert (number + 1) * 1000 <= sum(up for up, _ in carried(last, "client").values()) <= sent


def test_damaged_file(hawserd, echo, state):
    """What can be read is read, and it is said."""
    state.mkdir()
    today = int(time.time()) // DAY_S
    (state / "history").write_text(f"hawser-history 1\nclient old -\nd {today} 7 8\nclient other", "ascii")
    daemon = hawserd("--state-dir", str(state))
    assert f"warning: history: {state}/history: line 4 makes no sense" in daemon.log()
    send(daemon, echo, 5)
    found = carried(daemon, "client")
    assert found.pop("old") == (7, 8) and list(found.values()) == [(5, 5)]


def test_several_at_a_time(hawserd, echo, state):
    """Each adds to the file what it has carried, in whatever order, and shows what the others have written."""
    options = ("--state-dir", str(state))
    old = hawserd(*options, listen=False)
    new = hawserd(*options)
    send(new, echo, 40)
    write(new, state)
    assert [sum(up for up, _ in carried(daemon, "client").values()) for daemon in (old, new)] == [40, 40]
    send(new, echo, 2)
    stop(old)
    assert usage(new)["fault"] == ""
    stop(new)
    assert sum(up for up, _ in carried(hawserd(*options), "client").values()) == 42


def test_one_that_hangs_while_it_writes(hawserd, echo, state):
    """The other one does not wait for it for ever, says so, and writes later."""
    daemon = hawserd("--state-dir", str(state))
    send(daemon, echo, 40)
    with (state / "history.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        daemon.signal(signal.SIGUSR1)
        until(lambda: "history: " in daemon.log())
        assert [up for up, _ in carried(daemon, "client").values()] == [40]
        assert "this is lost when hawserd stops" in daemon.run_cli("usage").stderr
    write(daemon, state)
    until(lambda: usage(daemon)["fault"], lambda fault: fault == "")


def test_cannot_be_written_for_a_while(hawserd, echo, state):
    """Nothing is lost, nor counted twice, and it is said."""
    daemon = hawserd("--state-dir", str(state))
    send(daemon, echo, 40)
    write(daemon, state)
    send(daemon, echo, 2)
    obstacle = state / "history.hawser-new"
    (obstacle / "directory").mkdir(parents=True)
    daemon.signal(signal.SIGUSR1)
    first = until(lambda: usage(daemon)["fault"])
    assert [up for up, _ in carried(daemon, "client").values()] == [42]
    send(daemon, echo, 5)
    with (state / "history.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        daemon.signal(signal.SIGUSR1)
        until(lambda: usage(daemon)["fault"], lambda fault: fault and fault != first)
    assert [up for up, _ in carried(daemon, "client").values()] == [47]
    send(daemon, echo, 5)
    (obstacle / "directory").rmdir()
    obstacle.rmdir()
    write(daemon, state)
    until(lambda: usage(daemon)["fault"], lambda fault: fault == "")
    assert [up for up, _ in carried(daemon, "client").values()] == [52]
    stop(daemon)
    assert [up for up, _ in carried(hawserd("--state-dir", str(state)), "client").values()] == [52]


@pytest.mark.parametrize("days", [400, -400])
def test_clock_that_jumps(hawserd, build, echo, state, tmp_path, days):
    """What was carried before stays, and what is carried while the clock is wrong is elsewhere."""
    clock = Clock(build, tmp_path / "clock")
    options = {"prefix": clock.prefix}
    daemon = hawserd("--state-dir", str(state), **options)
    send(daemon, echo, 1000)
    assert carried(daemon, "client")
    clock.step(days * DAY_S)
    send(daemon, echo, 7)
    assert [up for up, _ in carried(daemon, "client").values()] == [7]
    stop(daemon)
    again = hawserd("--state-dir", str(state), **options)
    assert [up for up, _ in carried(again, "client").values()] == [7]
    clock.step(0)
    send(again, echo, 200)
    assert [up for up, _ in carried(again, "client").values()] == [1200]


def test_off(hawserd, state):
    daemon = hawserd("--history", "no", "--state-dir", str(state))
    done = daemon.run_cli("usage")
    assert done.returncode == 1 and "nothing is kept: history = no" in done.stderr
    assert not state.exists()


def test_no_place(hawserd, echo):
    """Where nothing can be written it is known until the end, and it is said."""
    daemon = hawserd("--state-dir", "/proc/nowhere")
    assert "warning: history: /proc/nowhere: No such file or directory" in daemon.log()
    send(daemon, echo, 9)
    assert list(carried(daemon, "client").values()) == [(9, 9)]


@pytest.mark.parametrize(("arguments", "said"), [
    (("--by", "user"), "--by user: expected link, client or exit"),
    (("--days", "0"), "--days 0: expected a number from 1 to 90"),
    (("--days", "91"), "--days 91: expected a number from 1 to 90"),
    (("--days", "x"), "--days x: expected a number from 1 to 90"),
])
def test_bad_questions(hawserd, arguments, said):
    done = hawserd().run_cli("usage", *arguments)
    assert done.returncode == 2 and said in done.stderr
