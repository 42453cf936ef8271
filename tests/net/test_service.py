# SPDX-License-Identifier: GPL-2.0-or-later
"""hawserd as a service: what it tells its manager, sockets that it is started with, and another
hawserd in its place without a gap. The manager is ours, so that no running systemd is needed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
from collections.abc import Iterator

import pytest

import handshakes
import peers
import verdict
from crossing import Crossing
from daemon import ALLOW, LISTEN
from handshakes import read
from links import LINK
from manager import Manager, ask
from pattern import MEGABYTE
from repeated import Repeated
from service import goes_on, manage, run_cli  # pylint: disable=unused-import
from topology import CLIENT4, LAN4, LAN6, SERVER4
from waiting import until

pytestmark = pytest.mark.mptcp


def connect(bed) -> socket.socket:
    return peers.connect(bed.client, LAN4, 1080, False, "")


@pytest.fixture
def echo(serve):
    return serve(peers.echo, mptcp=True)


@contextlib.contextmanager
def session(bed, port: int) -> Iterator[socket.socket]:
    with connect(bed) as client:
        client.settimeout(60)
        handshakes.socks5(client, SERVER4, port)
        yield client


@pytest.mark.parametrize("keeper", [(), ("--keeper",)])
def test_what_a_manager_hears(bed, manage, keeper):
    """Ready when clients are served, and not before; alive all the time; and of its end."""
    manager = manage(*LISTEN, *ALLOW, *keeper, watchdog_s=0.2)
    manager.start()
    connect(bed).close()
    until(lambda: manager.count("WATCHDOG=1") >= 3)
    assert manager.count("READY=1") == 1
    assert all(pid == manager.process.pid for _, pid, _ in manager.messages)
    # A worker for each: 2 listeners.
    assert {name: len(fds) for name, fds in manager.store.items()} == {
        name: ask(manager.control, "status")["workers"]
        for name in (f"listen-{LAN4}.1080", f"listen-[{LAN6.replace(':', '.')}].1080")}
    if not keeper:
        assert manager.stop() == 0
        until(lambda: manager.count("STOPPING=1"), lambda count: count == 1)


def test_one_that_cannot_start_is_never_ready(bed, manage):
    manager = manage("--socks", "192.0.2.1", "--keeper")
    with pytest.raises(AssertionError, match="expected ADDRESS:PORT|--socks"):
        manager.start()
    assert manager.process.wait(60) == 2
    manager.ends = (2,)
    assert manager.count("READY=1") == 0


@pytest.mark.parametrize(("options", "status"), [
    ((), -signal.SIGABRT), (("--keeper",), 128 + signal.SIGABRT), (("--keeper", "gone"), -signal.SIGABRT)])
def test_one_that_dies_fails_its_test(bed, echo, tmp_path, options, status):
    """Also where its keeper does not wait for it any more. That is the test's own doing (tests/net/lib/verdict.py)."""
    manager = Manager(bed, bed.router, tmp_path, *LISTEN, *ALLOW, *options[:1])
    manager.start()
    died = ask(manager.control, "status")["pid"]
    with session(bed, echo.port):  # for which it stays
        if options[1:]:
            assert manager.stop() == 0
        os.kill(died, signal.SIGABRT)
    until(lambda: ask(manager.control, "status") == {})
    with pytest.raises(AssertionError, match=f"hawserd ended with {status}:|{verdict.KILLED}"):
        manager.close()
    verdict.faults.clear()


def test_a_reload_keeps_what_is_listened_on(bed, manage, tmp_path):
    """And no more what is not."""
    file = tmp_path / "conf"
    text = 'listen "a" {{ address = "127.0.0.1:{}" }}\n'
    file.write_text(text.format(1091), "ascii")
    manager = manage("-c", str(file), "--keeper")
    manager.start()
    assert set(manager.store) == {"listen-127.0.0.1.1091"}
    file.write_text(text.format(1092), "ascii")
    manager.process.send_signal(signal.SIGHUP)
    until(lambda: set(manager.store) == {"listen-127.0.0.1.1092"})


def test_sockets_of_a_socket_unit(bed, manage, echo):
    """A client that came before hawserd is served; what is none of its listeners is said."""
    manager = manage(*LISTEN, *ALLOW)
    with bed.router.socket(socket.AF_INET) as given, bed.router.socket(socket.AF_INET) as other, \
            open(os.devnull, "rb") as none:
        for listener in given, other:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        given.bind((LAN4, 1080))
        given.listen()
        other.bind(("127.0.0.1", 1093))
        other.listen()
        with connect(bed) as early:
            manager.start({"unit": [given.fileno(), other.fileno(), none.fileno()]})
            handshakes.socks5(early, SERVER4, echo.port)
            goes_on(early)
        for _ in range(20):
            with session(bed, echo.port) as client:
                goes_on(client)
    assert "a socket on 127.0.0.1:1093, which this hawserd was started with, is not wanted" in manager.log()
    assert "descriptor 5 of LISTEN_FDS is no listening TCP socket" in manager.log()


def test_a_restart_refuses_nobody(bed, manage, echo):
    """As `systemctl restart` does it: the first keeper ends, then the second begins. A session of the
    first goes on to its end."""
    manager = manage(*LISTEN, *ALLOW, *LINK, "--keeper")
    manager.start()
    again = bed.syns_again(bed.client)
    with session(bed, echo.port) as old, Crossing(lambda: connect(bed), SERVER4, echo.port) as load:
        load.some_more()
        for _ in range(3):
            before = ask(manager.control, "status")["pid"]
            assert manager.stop() == 0
            manager.start()
            load.some_more()
            until(lambda: ask(manager.control, "status").get("pid", before) != before)
        goes_on(old)
        until(lambda: ask(manager.control, "status")["links"]["set_up"] is True)
    assert not load.failures, load.failures
    assert bed.syns_again(bed.client) == again  # as what nobody takes is


def test_who_asks_is_always_answered(bed, manage):
    """While one takes the place of another."""
    manager = manage(*LISTEN, *ALLOW, *LINK, "--keeper")
    manager.start()

    def look() -> None:
        done = run_cli(manager, "status")
        assert done.returncode == 0, done.stderr

    def show() -> None:
        """It does without an answer, but says so."""
        assert json.loads(run_cli(manager, "intercept", "show", "--json").stdout)["hawserd"]

    with Repeated(look, look, show, pause_s=0) as looking:
        for _ in range(3):
            upgraded = run_cli(manager, "upgrade")
            assert upgraded.returncode == 0, upgraded.stderr
    assert looking.failed == [] and looking.made


def test_one_that_is_ready_has_the_control_socket(bed, manage, echo, tmp_path):
    """However long the old one goes on: a reload then is none of that."""
    file = tmp_path / "conf"
    file.write_text(f'listen "a" {{ address = "{LAN4}:1080" }}\naccess {{ allow = {{ "{CLIENT4}" }} }}\n', "ascii")
    manager = manage("-c", str(file), *LINK, "--keeper")
    manager.start()
    with session(bed, echo.port) as old:
        for _ in range(3):
            assert manager.stop() == 0
            manager.start()
            done = run_cli(manager, "reload")
            assert done.returncode == 0, done.stderr
        goes_on(old)


@pytest.mark.parametrize("method", ["tproxy", "redirect"])
def test_an_upgrade_refuses_nobody(bed, manage, echo, tmp_path, method):
    """`hawser upgrade`: control socket, links and interception pass on."""
    file = tmp_path / "conf"
    listener = "127.0.0.1:1090" if method == "tproxy" else "0.0.0.0:1090"
    file.write_text(f'intercept {{ up = yes  method = {method}  lan = {{ "lan" }} }}\n'
                    f'listen "t" {{ address = "{listener}"  transparent = on }}\n', "ascii")
    manager = manage("-c", str(file), *LISTEN, *ALLOW, *LINK, "--keeper")
    manager.start()
    until(lambda: (ask(manager.control, "status").get("interception") or {}).get("fault") == "")
    until(lambda: "table inet hawser" in bed.router.run("nft", "list", "tables"))
    rules, again = bed.router.run("ip", "rule", "list"), bed.syns_again(bed.client)
    with session(bed, echo.port) as old, Crossing(lambda: connect(bed), SERVER4, echo.port) as load:
        load.some_more()
        for _ in range(3):
            before = ask(manager.control, "status")["pid"]
            done = run_cli(manager, "upgrade")
            assert done.returncode == 0, (done.stderr, manager.log()[-3000:])
            assert f"has taken over from {before}" in done.stdout
            assert bed.router.run("ip", "rule", "list") == rules
            assert "table inet hawser" in bed.router.run("nft", "list", "tables")
            load.some_more()
        until(lambda: ask(manager.control, "status")["links"]["set_up"] is True)
        assert (ask(manager.control, "status")["interception"] or {})["wanted"] is True
        goes_on(old)
        assert manager.process.poll() is None
        until(lambda: manager.count("READY=1") == 4)
    assert not load.failures, load.failures
    assert bed.syns_again(bed.client) == again  # as what nobody takes is
    # The last one takes all of it back.
    manager.close_gently()
    assert "table inet hawser" not in bed.router.run("nft", "list", "tables")


def carried(manager: Manager, by: str = "client") -> int:
    """Bytes up, of whichever hawserd."""
    done = run_cli(manager, "usage", "--by", by, "--json")
    assert done.returncode == 0, done.stderr
    return sum(each["up"] for each in json.loads(done.stdout)["usage"])


def test_what_three_generations_carry_is_counted(bed, manage, echo, tmp_path):
    """To the byte, and each session has its line in the access log, in the file that is at the path then."""
    log = tmp_path / "access.log"
    manager = manage(*LISTEN, *ALLOW, "--keeper", "--access-log", str(log))
    manager.start()
    with contextlib.ExitStack() as sessions:
        for number in range(3):
            client = sessions.enter_context(session(bed, echo.port))
            goes_on(client)
            until(lambda: carried(manager), lambda sent: sent == 10 * (number + 1))
            if number < 2:
                assert run_cli(manager, "upgrade").returncode == 0
                until(lambda: carried(manager), lambda sent: sent == 10 * (number + 1))
                goes_on(client)
                client.sendall(bytes(number + 1))
                read(client, number + 1)
        log.rename(tmp_path / "access.log.1")
        manager.process.send_signal(signal.SIGUSR1)
        until(log.exists)
    until(lambda: len(log.read_text("ascii").splitlines()), lambda lines: lines == 3)
    until(lambda: carried(manager), lambda sent: sent == 3 * 10 + 2 * 10 + 1 + 2)
    assert not (tmp_path / "access.log.1").read_text("ascii")
    manager.close_gently()
    manager.start()
    assert carried(manager) == 53


def test_what_links_have_carried_is_counted(bed, manage, echo):
    """Up to the hand-over by the one that had them."""
    manager = manage(*LISTEN, *ALLOW, *LINK, "--keeper")
    manager.start()

    def sent() -> list[int]:
        return [link["bytes"]["tx"] for link in ask(manager.control, "links")["links"]]

    # The meters are read once a second.
    until(sent, all)
    with session(bed, echo.port) as client:
        client.sendall(bytes(MEGABYTE))
        read(client, MEGABYTE)
    until(sent, lambda bytes_: sum(bytes_) > MEGABYTE)
    assert run_cli(manager, "upgrade").returncode == 0
    until(lambda: carried(manager, "link"), lambda found: MEGABYTE < found < 2 * MEGABYTE)


def test_what_is_not_wanted_any_more_is_not_kept(bed, manage, echo, tmp_path):
    """Clients of a listener that is gone are refused, and fewer workers leave none waiting."""
    file = tmp_path / "conf"
    rest = f'access {{ allow = {{ "{CLIENT4}" }} }}\nlisten "a" {{ address = "{LAN4}:1080" }}\n'
    file.write_text(f'daemon {{ workers = 4 }}\n{rest}listen "b" {{ address = "{LAN4}:1085" }}\n', "ascii")
    manager = manage("-c", str(file), "--keeper")
    manager.start()
    peers.connect(bed.client, LAN4, 1085, False, "").close()
    file.write_text(f"daemon {{ workers = 1 }}\n{rest}", "ascii")
    assert run_cli(manager, "upgrade").returncode == 0

    def is_refused() -> bool:
        try:
            peers.connect(bed.client, LAN4, 1085, False, "").close()
        except ConnectionRefusedError:
            return True
        return False

    until(is_refused)
    assert ask(manager.control, "status")["workers"] == 1
    for _ in range(40):
        with session(bed, echo.port) as client:
            goes_on(client)


def test_who_drains_survives_the_next_restart(bed, manage, echo):
    """One that another has followed loses its keeper; that is no second SIGTERM."""
    manager = manage(*LISTEN, *ALLOW, "--keeper")
    manager.start()
    with session(bed, echo.port) as old:
        assert run_cli(manager, "upgrade").returncode == 0
        assert manager.stop() == 0
        manager.start()
        with session(bed, echo.port) as new:
            goes_on(new)
        goes_on(old)


def test_the_keeper_tells_who_was_killed(bed, manage, echo):
    """Also of one that only finishes its sessions; and the others go on."""
    manager = manage(*LISTEN, *ALLOW, "--keeper")
    manager.start()
    draining = ask(manager.control, "status")["pid"]
    with session(bed, echo.port) as old:
        assert run_cli(manager, "upgrade").returncode == 0
        goes_on(old)
        os.kill(draining, signal.SIGABRT)  # which no sanitizer catches
        until(manager.log, lambda log: f"hawserd {draining} was ended by signal 6" in log)
    with session(bed, echo.port) as client:
        goes_on(client)
    assert manager.process.poll() is None
    serving = ask(manager.control, "status")["pid"]
    os.kill(serving, signal.SIGKILL)
    assert manager.process.wait(60) == 128 + signal.SIGKILL
    assert f"hawserd {serving} was ended by signal 9" in manager.log()
    manager.ends, manager.expected = (0, 128 + signal.SIGKILL), verdict.KILLED


def test_links_stay_as_long_as_anybody_uses_them(bed, manage, echo):
    """One that has no session of its own, and is stopped or restarted, waits for the one before it."""
    manager = manage(*LISTEN, *ALLOW, *LINK, "--keeper")
    manager.start()
    until(lambda: ask(manager.control, "status")["links"]["set_up"] is True)
    rules = bed.router.run("ip", "rule", "list")
    with session(bed, echo.port) as old:
        for again in True, False:
            assert run_cli(manager, "upgrade").returncode == 0
            until(lambda: ask(manager.control, "status")["links"]["set_up"] is True)
            assert manager.stop() == 0
            until(lambda: ask(manager.control, "status").get("draining") is True)
            goes_on(old)
            assert bed.router.run("ip", "rule", "list") == rules
            if again:
                manager.start()
                until(lambda: ask(manager.control, "status")["links"]["set_up"] is True)
    until(lambda: ask(manager.control, "status") == {})
    until(lambda: len(bed.router.run("ip", "rule", "list").splitlines()) < len(rules.splitlines()))


def test_an_upgrade_that_fails_changes_nothing(bed, manage, echo, tmp_path):
    file = tmp_path / "conf"
    file.write_text(f'listen "a" {{ address = "{LAN4}:1080" }}\n'
                    f'access {{ allow = {{ "{CLIENT4}" }} }}\n', "ascii")
    manager = manage("-c", str(file), "--keeper")
    manager.start()
    before = ask(manager.control, "status")["pid"]
    good = file.read_text("ascii")
    file.write_text("nonsense\n", "ascii")
    done = run_cli(manager, "upgrade")
    assert done.returncode == 1 and "the old one goes on" in done.stderr
    assert ask(manager.control, "status")["pid"] == before
    with session(bed, echo.port) as client:
        goes_on(client)
    file.write_text(good, "ascii")
    assert run_cli(manager, "upgrade").returncode == 0


@pytest.mark.parametrize("change", ["one more", "one less"])
def test_what_fails_late_leaves_the_sockets_as_they_were(bed, manage, echo, tmp_path, change):
    """With the keeper and with the manager, so that nobody waits where no one accepts, and the next upgrade finds all."""
    file = tmp_path / "conf"
    access = f'access {{ allow = {{ "{CLIENT4}" }} }}\n'
    text = access + f'listen "a" {{ address = "{LAN4}:1080" }}\n'
    more = text + f'listen "b" {{ address = "{LAN4}:1086" }}\n'
    before, after = (text, more) if change == "one more" else (more, text)
    file.write_text(before, "ascii")
    manager = manage("-c", str(file), "--keeper")
    manager.start()
    kept = set(manager.store)
    file.write_text(f'daemon {{ access-log = "/nowhere/log" }}\n{after}', "ascii")
    done = run_cli(manager, "upgrade")
    assert done.returncode == 1 and "the old one goes on" in done.stderr, done
    assert set(manager.store) == kept
    if change == "one more":
        with pytest.raises(ConnectionRefusedError):
            peers.connect(bed.client, LAN4, 1086, False, "")
    for content, command in (after, "reload"), (before, "reload"), (before, "upgrade"), (after, "upgrade"):
        file.write_text(content, "ascii")
        done = run_cli(manager, command)
        assert done.returncode == 0, (command, done.stderr)
        with session(bed, echo.port) as client:
            goes_on(client)
    assert len(manager.store) == 1 + (change == "one more")


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_an_upgrade_to_another_control_socket(bed, manage, echo, tmp_path, busy):
    """It has not failed, whether or not the old one, which answers as before, has sessions left."""
    file = tmp_path / "conf"
    manager = manage(*LISTEN, *ALLOW, "-c", str(file), "--keeper", names_control=False)
    file.write_text(f'daemon {{ control = "{manager.control}" }}\n', "ascii")
    manager.start()
    other = f"{manager.directory}/other.sock"
    before = ask(manager.control, "status")["pid"]
    with contextlib.ExitStack() as sessions:
        old = sessions.enter_context(session(bed, echo.port)) if busy else None
        file.write_text(f'daemon {{ control = "{other}" }}\n', "ascii")
        done = run_cli(manager, "upgrade")
        pid = ask(other, "status")["pid"]
        assert (done.returncode, done.stderr) == (0, "")
        assert f"hawserd {pid} has taken over from {before}\n" in done.stdout
        assert f"does not answer on {manager.control}" in done.stdout
        if old:
            goes_on(old)


def test_without_a_keeper_there_is_no_upgrade(hawserd):
    done = hawserd().run_cli("upgrade")
    assert done.returncode == 1 and "started without --keeper" in done.stderr


def test_a_keeper_that_is_killed_takes_its_hawserd_along(bed, manage, echo):
    """In order: its sessions end first."""
    manager = manage(*LISTEN, *ALLOW, "--keeper")
    manager.start()
    with session(bed, echo.port) as client:
        manager.send(signal.SIGKILL)
        manager.process.wait()
        until(lambda: ask(manager.control, "status").get("draining") is True)
        goes_on(client)
    until(lambda: ask(manager.control, "status") == {})


def test_one_that_is_stopped_does_not_stay(bed, manage, echo):
    """What systemd's watchdog sends ends it nevertheless, so that the next one finds the control socket free."""
    manager = manage(*LISTEN, *ALLOW, "--keeper")
    manager.start()
    stopped = ask(manager.control, "status")["pid"]
    os.kill(stopped, signal.SIGSTOP)
    manager.ends = (0, -signal.SIGABRT)
    manager.send(signal.SIGABRT)
    assert manager.process.wait(60) == 128 + signal.SIGABRT
    manager.start()
    with session(bed, echo.port) as client:
        goes_on(client)
    until(lambda: ask(manager.control, "status").get("pid", stopped) != stopped)
