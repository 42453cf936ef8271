# SPDX-License-Identifier: GPL-2.0-or-later
"""Links that hawserd sets up by itself: what it puts into the kernel, that it takes all of it back,
and what it makes of links that go and come."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from bed import Bed
from daemon import Hawserd
from links import LINK, bare  # pylint: disable=unused-import
from topology import LINKS, far, near
from waiting import until

TABLE, RULE = 28000, 900  # the first of our routing tables and rules


def kernel(bed: Bed) -> dict[str, str]:
    commands = ("-4 rule", "-6 rule", "-4 route show table all", "-6 route show table all",
                *(("mptcp endpoint", "mptcp limits") if bed.mptcp else ()))
    return {command: bed.router.run("ip", *command.split()) for command in commands}


def start(bed: Bed, *options: str, **settings) -> Hawserd:
    return Hawserd(bed, *(options or LINK), **settings)


def stop(daemon: Hawserd, number: int = signal.SIGINT) -> None:
    daemon.signal(number)
    assert daemon.wait() == (0 if number == signal.SIGINT else -number), daemon.log()[-4000:]
    daemon.finish()


def expected(links: str) -> set[str]:
    return {address for link in links for address in near(link)}


def test_what_is_set_up(bare):
    before = kernel(bare)
    daemon = start(bare)
    after = kernel(bare)
    for number, link in enumerate(LINKS, 1):
        for family, address, gateway in zip((4, 6), near(link), far(link)):
            assert f"{RULE + number}:\tfrom {address} lookup {TABLE + number} proto 104" \
                in after[f"-{family} rule"]
            assert f"{RULE}:\tfrom {address} lookup main suppress_prefixlength 0 proto 104" \
                in after[f"-{family} rule"]
            assert f"default via {gateway} dev {link} table {TABLE + number} proto 104" \
                in after[f"-{family} route show table all"]
    if bare.mptcp:
        assert set(bare.endpoints()) == expected(LINKS)
        assert after["mptcp limits"].split() == "add_addr_accepted 8 subflows 8".split()
    stop(daemon)
    assert kernel(bare) == before


def test_killed_started_and_stopped(bare):
    """What a killed daemon left serves the next, and its end takes back all of it."""
    before = kernel(bare)
    first = start(bare)
    running = kernel(bare)
    stop(first, signal.SIGKILL)
    assert kernel(bare) == running
    second = start(bare)
    assert kernel(bare) == running
    stop(second)
    assert kernel(bare) == before


def test_killed_and_started_without_links(bare):
    before = kernel(bare)
    stop(start(bare), signal.SIGKILL)
    assert kernel(bare) != before
    daemon = Hawserd(bare)
    assert kernel(bare) == before
    stop(daemon)
    assert kernel(bare) == before


def test_two_at_once(bare):
    """The second looks on, and leaves everything to the first."""
    before = kernel(bare)
    first = start(bare)
    running = kernel(bare)
    second = start(bare, *LINK, "--socks", "127.0.0.1:1081", listen=False)
    assert "another hawserd" in second.log()
    said = second.doctor("host")["links"]
    assert said["verdict"] == "warn" and "another hawserd" in said["seen"], said
    assert said["mend"].startswith("stop the other hawserd")
    stop(second)
    assert kernel(bare) == running
    stop(first)
    assert kernel(bare) == before


def test_without_the_right(bare):
    before = kernel(bare)
    daemon = start(bare, prefix=("setpriv", "--bounding-set", "-net_admin", "--inh-caps",
                                 "-net_admin", "--pdeathsig", "KILL", "--"))
    assert kernel(bare) == before
    links = daemon.status()["links"]
    assert (links["count"], links["up"], links["set_up"]) == (2, 2, False)
    assert "CAP_NET_ADMIN" in links["reason"]
    assert "links: counted, but not set up: no CAP_NET_ADMIN" in daemon.log()
    assert "2 of 2 up, not set up: no CAP_NET_ADMIN" in daemon.run_cli("status").stdout
    daemon.finish()
    assert kernel(bare) == before


def test_manual(bare):
    before = kernel(bare)
    daemon = start(bare, *LINK, "--links", "manual")
    assert kernel(bare) == before
    assert daemon.status()["links"] == {"mode": "manual", "count": 2, "up": 2, "set_up": False,
                                        "reason": "links = manual", "fault": "", "without_endpoint": "",
                                        "put_back": 0, "last": "", "last_age_s": 0}
    stop(daemon)


def test_auto(bare):
    """Every interface with a default route: not the LAN's."""
    before = kernel(bare)
    daemon = start(bare, "--links", "auto", "--link", "two=b,backup")
    assert daemon.status()["links"]["count"] == 2
    if bare.mptcp:
        assert set(bare.endpoints()) == expected(LINKS)
        assert {address for address, endpoint in bare.endpoints().items()
                if endpoint.get("backup")} == expected("b")
    stop(daemon)
    assert kernel(bare) == before


def test_none(bare):
    """Without links nothing is touched, and nothing said."""
    before = kernel(bare)
    daemon = Hawserd(bare)
    assert kernel(bare) == before
    assert daemon.status()["links"]["count"] == 0
    assert "links" not in daemon.run_cli("status").stdout
    assert "links:" not in daemon.log()
    stop(daemon)


def test_reload(bare, tmp_path):
    before = kernel(bare)
    path = tmp_path / "hawser.conf"
    path.write_text('link one { device = a }\nlink two { device = b }\n', "ascii")
    daemon = start(bare, "-c", str(path))
    both = kernel(bare)
    path.write_text('link two { device = b  role = backup }\nlink one { device = a role = off }\n',
                    "ascii")
    daemon.signal(signal.SIGHUP)
    until(lambda: "configuration reloaded" in daemon.log())
    after = kernel(bare)
    assert f"from {near('a')[0]}" not in after["-4 rule"]
    assert f"{RULE + 2}:\tfrom {near('b')[0]} lookup {TABLE + 2}" in after["-4 rule"]
    if bare.mptcp:
        assert set(bare.endpoints()) == expected("b")
        assert after["mptcp endpoint"].count("backup") == 2
    path.write_text("", "ascii")
    daemon.signal(signal.SIGHUP)
    until(lambda: daemon.log().count("configuration reloaded") == 2)
    assert kernel(bare) == before
    path.write_text('link one { device = a }\nlink two { device = b }\n', "ascii")
    daemon.signal(signal.SIGHUP)
    until(lambda: daemon.log().count("configuration reloaded") == 3)
    if not bare.mptcp:
        assert kernel(bare) == both
    stop(daemon)
    assert kernel(bare) == before


def test_what_others_set_up_is_left_alone(bare):
    """Nor is it a fault, whatever the kernel says of an endpoint whose address has one."""
    run = bare.router.run
    run("ip", "rule", "add", "priority", str(RULE), "from", near("a")[0], "lookup", "77")
    run("ip", "rule", "add", "priority", str(RULE + 1), "to", "192.0.2.1", "lookup", "77")
    run("ip", "route", "add", "default", "via", far("a")[0], "table", str(TABLE + 1))
    run("ip", "route", "add", "192.0.2.0/24", "dev", "a", "table", str(TABLE + 2))
    if bare.mptcp:
        run("ip", "mptcp", "endpoint", "add", near("a")[0], "dev", "a", "signal", "id", "77")
        run("ip", "mptcp", "endpoint", "add", near("b")[0], "subflow", "id", "78")
        run("ip", "mptcp", "limits", "set", "subflow", "8", "add_addr_accepted", "1")
    before = kernel(bare)
    first = start(bare)
    for line in before["-4 rule"].splitlines():
        assert line in kernel(bare)["-4 rule"]
    if bare.mptcp:
        endpoint, = (line for line in kernel(bare)["mptcp endpoint"].splitlines() if
                     near("a")[0] in line)
        assert "signal" in endpoint and "subflow" not in endpoint
        time.sleep(4)  # three failures are a fault
    assert first.status()["links"]["fault"] == "" == first.status()["links"]["without_endpoint"]
    stop(first, signal.SIGKILL)
    stop(start(bare))
    assert kernel(bare) == before


@pytest.mark.mptcp
def test_more_addresses_than_endpoints(bare, tmp_path):
    """Each link has one before any has a second, and nobody tries each second to get more."""
    links = ""
    for number in range(3, 8):
        bare.router.batch("ip", [f"link add l{number} type veth peer name p{number}",
                                 f"addr add 10.78.{number}.1/24 dev l{number}",
                                 f"addr add fd78:{number}::1/64 dev l{number} nodad",
                                 f"link set p{number} up", f"link set l{number} up"])
        role = "backup" if number == 3 else "shared"
        links += (f'link l{number} {{ device = l{number}  role = {role}  probe = off  '
                  f'gateway = {{ "10.78.{number}.2", "fd78:{number}::2" }} }}\n')
    path = tmp_path / "hawser.conf"
    path.write_text(links, "ascii")
    daemon = start(bare, "-c", str(path))
    expected_there = {f"10.78.{number}.1" for number in range(3, 8)} | {f"fd78:{number}::1" for number in range(4, 7)}
    until(bare.endpoints, lambda there: set(there) == expected_there)
    until(lambda: daemon.status()["links"]["without_endpoint"], lambda named: named == "fd78:7::1, fd78:3::1")
    record, = (fd for fd in Path(f"/proc/{daemon.process.pid}/fd").iterdir() if "/links." in os.readlink(fd))
    settled = {"since": time.monotonic(), "written": record.stat().st_mtime_ns}

    def rests() -> bool:
        """For three seconds."""
        if record.stat().st_mtime_ns != settled["written"]:
            settled.update(since=time.monotonic(), written=record.stat().st_mtime_ns)
        return time.monotonic() > settled["since"] + 3

    until(rests)
    assert daemon.status()["links"]["fault"] == ""
    bare.router.run("ip", "link", "set", "dev", "l4", "down")
    until(bare.endpoints, lambda there: {"fd78:3::1", "fd78:7::1"} < set(there))
    bare.router.run("ip", "link", "set", "dev", "l4", "up")
    until(bare.endpoints, lambda there: "10.78.4.1" in there)
    assert daemon.log().count("somebody deleted") == 0
    stop(daemon)
