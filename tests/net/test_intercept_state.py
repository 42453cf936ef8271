# SPDX-License-Identifier: GPL-2.0-or-later
"""What interception has put into the kernel is put back when others delete it, by any method, and it comes and goes
with the setting `up`. What cannot be put back is in test_intercept_obstacles."""

from __future__ import annotations

import json
import signal
import socket
import sys
import time
from functools import partial

import pytest

from lan import CLIENTS, METHODS, PORT, SERVERS, asks
from lan_fixtures import interceptor, lan, serve  # pylint: disable=unused-import
from repeated import Repeated
from tcx import tcx_detach, tcx_programs
from test_steer import old_kernel  # pylint: disable=unused-import
from topology import CLIENT4, SERVER4
from waiting import until

FAMILIES = 2
_SO_NETNS_COOKIE = 71

RULES = ("ip -4 rule del priority 684", "ip -6 rule del priority 684")
# Not "flush", which deletes until nothing is left, also what is there again by then.
ROUTES = ("ip -4 route del local default dev lo table 8684", "ip -6 route del local default dev lo table 8684")
TABLE = ("nft flush ruleset", "nft delete table inet hawser", "nft flush chain inet hawser first",
         "nft flush chain inet hawser prerouting", "nft flush set inet hawser lan")
DELETIONS = [
    *(("tproxy", each) for each in (*RULES, *ROUTES, *TABLE, "nft flush set inet hawser ready",
                                    "nft flush chain inet hawser take",
                                    "nft flush chain inet hawser postrouting")),
    *(("redirect", each) for each in TABLE),
    *(("bpf", each) for each in (*RULES, *ROUTES, "tcx", "map")),
]


def map_of_program(lan, name: str) -> int:
    """Of the one on the LAN's interface: programs of other network namespaces have such maps, too."""
    number = tcx_programs(lan.router)["lan"][0]
    program = json.loads(lan.router.run("bpftool", "-j", "prog", "show", "id", str(number)))
    found = [json.loads(lan.router.run("bpftool", "-j", "map", "show", "id", str(number)))
             for number in program["map_ids"]]
    return next(each["id"] for each in found if each.get("name") == name)


def index(lan) -> int:
    with lan.router.entered():
        return socket.if_nametoindex("lan")


def delete(lan, what: str) -> None:
    if what == "tcx":
        tcx_detach(lan.router, "lan")
    elif what == "map":
        key = [f"{byte}" for byte in index(lan).to_bytes(4, "little")]
        lan.router.run("bpftool", "map", "delete", "id", str(map_of_program(lan, "lan")), "key", *key)
    else:
        lan.router.run(*what.split())


def is_answered(lan, address: str, port: int) -> None:
    assert asks(lan, address, port)


def kept(daemon) -> dict:
    return daemon.status()["interception"]


def is_taken(lan, port: int) -> bool:
    """Of both families."""
    return all(asks(lan, SERVERS[family], port) != CLIENTS[family] for family in (4, 6))


def turns(lan, port: int, taken: bool) -> None:
    """Without any chain of NAT the kernel resets what was redirected just before."""
    def has_turned() -> bool:
        try:
            return is_taken(lan, port) == taken
        except ConnectionResetError:
            return False
    until(has_turned)


@pytest.mark.parametrize(("method", "what"), DELETIONS, ids=[" ".join(each) for each in DELETIONS])
def test_is_put_back(lan, interceptor, serve, method, what):
    """Soon, with a line and a count, and no connection fails meanwhile."""
    server = serve()
    daemon = interceptor(method)
    daemon.up()
    before = lan.steering()
    with Repeated(*(partial(is_answered, lan, SERVERS[family], server.port)
                    for family in (4, 6))) as clients:
        for count in 1, 2:
            until(lambda: kept(daemon)["wanted"])
            if method == "tproxy":
                daemon.await_holding()
            delete(lan, what)
            until(lambda: kept(daemon)["put_back"], lambda n: n == count)  # pylint: disable=cell-var-from-loop
            made, failed = clients.made, len(clients.failed)
            until(lambda: clients.made > made + 4)  # pylint: disable=cell-var-from-loop
            # Without any chain of NAT, the kernel translates no packet of what was redirected before. And
            # the table may go between hawserd's look at it and the held packet that it sends.
            may_fail = (method, "chain" in what) == ("redirect", False) or \
                (method == "tproxy" and what in TABLE[:2])
            assert clients.failed == [] or (may_fail and len(clients.failed) <= failed + FAMILIES), clients.failed
        until(lambda: is_taken(lan, server.port))
    assert clients.failed == [] or may_fail
    assert lan.steering() == before
    state = kept(daemon)
    assert (state["put_back"], state["fault"]) == (2, ""), state
    assert state["last"] and state["last"] in daemon.log()
    assert "put back" in lan.hawser("intercept", "show", control=daemon.control)


def test_what_the_heartbeat_says_is_its_own(lan, interceptor):
    """Nobody else has changed the rules when it comes and goes; what is deleted comes with the next."""
    daemon = interceptor("tproxy")
    daemon.up()
    until(lambda: kept(daemon)["wanted"])
    for _ in range(2):
        daemon.await_holding()
        delete(lan, "nft flush set inet hawser holding")
    daemon.await_holding()
    assert kept(daemon)["put_back"] == 0, kept(daemon)


def test_filter_is_put_back(lan, old_kernel, interceptor, serve):
    """Where the program is a filter of clsact."""
    server = serve()
    daemon = interceptor("bpf")
    daemon.up()
    until(lambda: kept(daemon)["wanted"])
    for number, what in enumerate(("tc filter del dev lan ingress", "tc qdisc del dev lan clsact"), 1):
        delete(lan, what)
        until(lambda: kept(daemon)["put_back"], lambda n: n == number)  # pylint: disable=cell-var-from-loop
        until(lambda: is_taken(lan, server.port))


def test_lists_of_the_program_are_frozen(lan, interceptor):
    daemon = interceptor("bpf", "--bypass-destination", f"{SERVER4}/32")
    daemon.up()
    with pytest.raises(RuntimeError, match="Operation not permitted"):
        lan.router.run("bpftool", "map", "delete", "id", str(map_of_program(lan, "destinations")),
                       "key", "64", "0", "0", "0", "4", "0", "0", "0", *SERVER4.split("."), *["0"] * 12)


@pytest.mark.parametrize("method", METHODS)
def test_down_stays_down(lan, interceptor, serve, method):
    """Nobody's deletion but ours is undone: also not by the next hawserd, or a reload."""
    server = serve()
    daemon = interceptor(method)
    before = lan.steering()
    daemon.up()
    until(lambda: kept(daemon)["wanted"])
    daemon.down()
    until(lambda: not kept(daemon)["wanted"])
    daemon.signal(signal.SIGHUP)
    until(lambda: "configuration reloaded" in daemon.log())
    daemon.signal(signal.SIGKILL)
    daemon.wait()
    again = interceptor(method, directory=daemon.directory)
    time.sleep(1.5)
    assert asks(lan, SERVER4, server.port) == CLIENT4
    assert kept(again)["put_back"] == 0 and lan.steering() == before


@pytest.mark.parametrize("method", METHODS)
def test_deleted_while_hawserd_was_dead(lan, interceptor, serve, method):
    """The next one on the same control socket brings it back; down needs none of them."""
    server = serve()
    daemon = interceptor(method)
    before = lan.steering()
    daemon.up()
    running = lan.steering()
    daemon.signal(signal.SIGKILL)
    daemon.wait()
    for what in (*RULES[:1], *ROUTES[1:]) if method != "redirect" else TABLE[:1]:
        delete(lan, what)
    if method == "bpf":
        delete(lan, "tcx")
    again = interceptor(method, directory=daemon.directory)
    until(lambda: is_taken(lan, server.port))
    assert lan.steering() == running
    again.signal(signal.SIGKILL)
    again.wait()
    daemon.down()
    assert lan.steering() == before


@pytest.mark.parametrize("method", METHODS)
def test_up_is_a_setting(lan, interceptor, serve, tmp_path, method):
    """It comes and goes with hawserd, but for who takes it down by hand."""
    server = serve()
    before = lan.steering()
    file = tmp_path / "conf"
    text = f'intercept {{ method = "{method}"  lan = {{ "lan" }} %s }}\n'
    file.write_text(text % "up = yes", "utf-8")
    daemon = interceptor(method, "-c", str(file))
    until(lambda: is_taken(lan, server.port))
    for what in "no", "yes":
        file.write_text(text % f"up = {what}", "utf-8")
        daemon.signal(signal.SIGHUP)
        turns(lan, server.port, what == "yes")
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    assert lan.steering() == before
    daemon = interceptor(method, "-c", str(file))
    until(lambda: is_taken(lan, server.port))
    daemon.down()
    time.sleep(1.5)
    assert asks(lan, SERVER4, server.port) == CLIENT4
    daemon.signal(signal.SIGHUP)
    time.sleep(0.5)
    assert asks(lan, SERVER4, server.port) == CLIENT4


def set_up(lan, tmp_path, lan_of: str, more: str = ""):
    """A configuration with `up`."""
    file = tmp_path / "conf"
    file.write_text(f'intercept {{ up = yes  {lan_of} }}\n{more}', "utf-8")
    return file


NO_LISTENER = ("--socks", "127.0.0.1:1081")
LISTENERS = "".join(f'listen "taken{at}" {{ address = "{at}:1090"  transparent = on }}\n'
                    for at in ("127.0.0.1", "[::1]"))


@pytest.mark.parametrize(("listeners", "lan_of", "seen"), [
    (None, 'lan = { "a" }', "leads to the Internet"), (None, "", "no interface to take"),
    (NO_LISTENER, 'lan = { "lan" }', "no transparent listener"),
    (("--transparent", "127.0.0.1:1090"), 'lan = { "lan" }  method = redirect', "not on a loopback")],
    ids=["wan", "no lan", "no listener", "loopback"])
def test_up_that_cannot_be(lan, interceptor, serve, tmp_path, listeners, lan_of, seen):
    """It is said, and comes with the reload that mends it."""
    server = serve()
    file = set_up(lan, tmp_path, lan_of)
    daemon = interceptor("tproxy", "-c", str(file), listeners=listeners)
    until(lambda: kept(daemon)["fault"], lambda fault: seen in fault)
    assert seen in lan.hawser("intercept", "show", control=daemon.control) and seen in daemon.log()
    set_up(lan, tmp_path, 'lan = { "lan" }', LISTENERS if listeners == NO_LISTENER else "")
    daemon.signal(signal.SIGHUP)
    until(lambda: asks(lan, SERVER4, server.port) != CLIENT4)
    assert kept(daemon)["fault"] == ""
    daemon.await_end()
    daemon.baseline = daemon.open_files()  # with the listeners that came


def test_up_without_a_place_for_the_wish(lan, interceptor, serve, tmp_path):
    """It is tried again by itself."""
    server = serve()
    with lan.router.socket(socket.AF_INET) as sock:
        cookie = int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8), sys.byteorder)
    place = f"/run/hawser/intercept.{cookie}"
    within = ("nsenter", f"--mount={lan.mounts.path}", "--")
    lan.router.run(*within, "mkdir", "-p", place)
    daemon = interceptor("tproxy", "-c", str(set_up(lan, tmp_path, 'lan = { "lan" }')))
    until(lambda: place in kept(daemon)["fault"])
    lan.router.run(*within, "rmdir", place)
    until(lambda: is_taken(lan, server.port))


def test_up_that_cannot_be_written(lan, interceptor, serve, tmp_path):
    """No empty file is left, which would be nobody's wish; it is tried again."""
    server = serve()
    within = ("nsenter", f"--mount={lan.mounts.path}", "--")
    lan.router.run(*within, "mkdir", "-p", "/run/hawser")
    lan.router.run(*within, "mount", "-t", "tmpfs", "-o", "size=4k", "full", "/run/hawser")
    try:
        lan.router.run(*within, "dd", "if=/dev/zero", "of=/run/hawser/full", "bs=4k", "count=1")
        daemon = interceptor("tproxy", "-c", str(set_up(lan, tmp_path, 'lan = { "lan" }')))
        until(lambda: "No space left" in kept(daemon)["fault"])
        assert "intercept." not in lan.router.run(*within, "ls", "/run/hawser")
        assert asks(lan, SERVER4, server.port) == CLIENT4
        lan.router.run(*within, "rm", "/run/hawser/full")
        until(lambda: is_taken(lan, server.port))
        assert daemon.log().count("No space left") == 1
        daemon.down()
    finally:
        lan.router.run(*within, "umount", "-l", "/run/hawser")


@pytest.mark.parametrize("left", ["of another", "empty"])
def test_up_that_cannot_be_beside_a_wish(lan, interceptor, serve, tmp_path, left):
    """It is said once, and stays so; what another hawserd has in force goes on."""
    server = serve()
    other = interceptor("tproxy")
    other.up()
    until(lambda: kept(other)["wanted"])
    if left == "empty":
        lan.router.run("nsenter", f"--mount={lan.mounts.path}", "--", "sh", "-c",
                       "for each in /run/hawser/intercept.*; do : >$each; done")
        until(lambda: not kept(other)["wanted"])
    file = set_up(lan, tmp_path, 'lan = { "a" }')
    daemon = interceptor("tproxy", "-c", str(file), listeners=("--transparent", "127.0.0.1:1091"))
    until(lambda: "leads to the Internet" in kept(daemon)["fault"])
    for count in 1, 2:
        daemon.signal(signal.SIGHUP)
        until(lambda: daemon.log().count("configuration reloaded") == count)  # pylint: disable=cell-var-from-loop
        assert "leads to the Internet" in kept(daemon)["fault"]
        until(lambda: is_taken(lan, server.port))
    assert daemon.log().count("leads to the Internet") == 1
    assert kept(other)["put_back"] == 0 and "the LAN is routed" not in daemon.log()
    assert "LAN is routed" not in lan.hawser("intercept", "show", control=daemon.control)
    file.write_text("", "utf-8")
    daemon.signal(signal.SIGHUP)
    until(lambda: kept(daemon)["fault"] == "")


def test_a_reload_does_not_make_a_lan_of_a_wan(lan, interceptor, serve, tmp_path):
    """As `up` does not; nor the next hawserd after a crash."""
    server = serve()
    file = tmp_path / "conf"
    text = 'intercept { lan = { "%s" } }\n'
    file.write_text(text % "lan", "utf-8")
    daemon = interceptor("tproxy", "-c", str(file))
    lan.hawser("intercept", "up", control=daemon.control)
    until(lambda: kept(daemon)["wanted"])
    file.write_text(text % "a", "utf-8")
    daemon.signal(signal.SIGHUP)
    until(lambda: "a leads to the Internet" in kept(daemon)["fault"])
    assert asks(lan, SERVER4, server.port) == CLIENT4
    assert daemon.show()["lan"] == ["lan"]
    daemon.signal(signal.SIGKILL)
    daemon.wait()
    again = interceptor("tproxy", "-c", str(file), directory=daemon.directory)
    until(lambda: "a leads to the Internet" in kept(again)["fault"])
    file.write_text(text % "lan", "utf-8")
    again.signal(signal.SIGHUP)
    until(lambda: is_taken(lan, server.port))


@pytest.mark.parametrize("up", ["no", "gone"])
def test_a_setting_that_is_off_after_a_crash(lan, interceptor, serve, tmp_path, up):
    """What hawserd has brought up by itself is not mistaken for somebody's wish."""
    server = serve()
    before = lan.steering()
    file = tmp_path / "conf"
    file.write_text('intercept { up = yes  lan = { "lan" } }\n', "utf-8")
    first = interceptor("tproxy", "-c", str(file))
    until(lambda: is_taken(lan, server.port))
    first.signal(signal.SIGKILL)
    first.wait()
    file.write_text('intercept { lan = { "lan" } %s }\n' % ("up = no" if up == "no" else ""), "utf-8")
    second = interceptor("tproxy", "-c", str(file), directory=first.directory)
    until(lambda: lan.steering() == before)
    assert not kept(second)["wanted"] and asks(lan, SERVER4, server.port) == CLIENT4


def test_a_reload_changes_what_is_in_force(lan, interceptor, serve, tmp_path):
    """The method, what is bypassed, and the LAN; what --lan or --method said by hand holds."""
    server = serve()
    file = tmp_path / "conf"
    text = 'intercept { method = "%s"  lan = { "lan" } %s }\n'
    file.write_text(text % ("tproxy", ""), "utf-8")
    daemon = interceptor("tproxy", "-c", str(file))
    lan.hawser("intercept", "up", control=daemon.control)
    for method in "bpf", "tproxy":
        file.write_text(text % (method, ""), "utf-8")
        daemon.signal(signal.SIGHUP)
        until(lambda: daemon.show().get("method") == method)  # pylint: disable=cell-var-from-loop
        until(lambda: is_taken(lan, server.port))
    file.write_text(text % ("bpf", f"bypass-port = {{ {server.port} }}"), "utf-8")
    lan.hawser("--method", "tproxy", "intercept", "up", control=daemon.control)
    until(lambda: kept(daemon)["wanted"])
    daemon.signal(signal.SIGHUP)
    until(lambda: asks(lan, SERVER4, server.port) == CLIENT4)
    assert daemon.show()["method"] == "tproxy"
    assert kept(daemon)["put_back"] == 0


@pytest.mark.parametrize("method", ["tproxy", "redirect"])
def test_a_reload_leaves_what_an_up_would(lan, interceptor, tmp_path, method):
    """And nothing of what was in force before."""
    file = tmp_path / "conf"
    listeners = "".join(f'listen "t{at}" {{ address = "{at}:{PORT}"  transparent = on }}\n'
                        for at in (("127.0.0.1", "[::1]") if method == "tproxy" else ("0.0.0.0", "[::]")))

    def write(first: str, auto: str, bypass: str) -> None:
        file.write_text(f'intercept {{ method = {method}  lan = {{ "lan" }}  connect-first = {first}  '
                        f'auto-bypass = {auto}  bypass-destination = {{ {bypass} }} }}\n{listeners}', "ascii")

    def objects() -> list[str]:
        """In the order of their names, not of their making."""
        _, begins, rest = lan.steering().partition("table inet hawser {\n")
        assert begins
        return sorted(rest.partition("\n}")[0].split("\n\n"))

    write("yes", "yes", '"198.51.100.0/25", "203.0.113.9"')
    daemon = interceptor(method, "-c", str(file), listeners=("--log-level", "debug"))
    daemon.up()
    for words in ("yes", "no", '"198.51.100.0/24", "198.51.100.128/25", "2001:db8::/32"'), ("no", "yes", ""), \
            ("no", "no", '"198.51.100.7"'), ("yes", "yes", '"203.0.113.0/24"'):
        write(*words)
        done = daemon.run_cli("reload")
        assert done.returncode == 0, done.stderr
        changed = objects()
        daemon.up()
        assert changed == objects()
    assert kept(daemon)["put_back"] == 0


def test_without_the_right(lan, interceptor, serve):
    """It is said that nothing is put back; what is up works on."""
    server = serve()
    daemon = interceptor("tproxy", prefix=("setpriv", "--bounding-set", "-net_admin", "--inh-caps",
                                           "-net_admin", "--pdeathsig", "KILL", "--"))
    daemon.up()
    until(lambda: "what others delete is not put back" in daemon.log())
    time.sleep(1.2)
    until(lambda: is_taken(lan, server.port))
    assert not kept(daemon)["wanted"]
    # And that no first packet is held, not that another holds them.
    assert daemon.log().count("cannot see the packets of clients: ") == 1
    assert "cannot see the packets of clients: Operation not permitted" in daemon.log()
