# SPDX-License-Identifier: GPL-2.0-or-later
"""What `announce` leaves in the kernel: beside links, across reloads and hand-overs, and where not all may be set."""

from __future__ import annotations

import signal
import time

import pytest

import peers
from balancer import JOINS, PORT
from daemon import ALLOW, Hawserd
from handshakes import read
from links import LINK, bare  # pylint: disable=unused-import
from manager import Manager
from test_balanced_exits import balanced, dial, echo  # pylint: disable=unused-import
from test_service import ask, goes_on, manage, run_cli, session  # pylint: disable=unused-import
from topology import LAN4, near
from waiting import until

pytestmark = pytest.mark.mptcp


def endpoints(namespace) -> set[str]:
    """Without their ids."""
    lines = (line.split() for line in namespace.run("ip", "mptcp", "endpoint").splitlines())
    return {" ".join(word for i, word in enumerate(words) if "id" not in words[max(i - 1, 0):i + 1])
            for words in lines}


def state(namespace) -> tuple[str, set[str], str]:
    return (namespace.sysctl(JOINS), endpoints(namespace), namespace.run("ip", "mptcp", "limits").strip())


@pytest.fixture
def host(bare, balanced, tmp_path):
    """An exit whose configuration a test writes: host(TEXT, *OPTIONS) starts it, or has it reload."""
    exit_ = balanced.exits[0]
    config = tmp_path / "host.conf"

    def configure(text: str, **options) -> Hawserd:
        config.write_text(f'listen "exit" {{ address = "0.0.0.0:{PORT}" tokens = "{balanced.tokens}" }}\n{text}',
                          "ascii")
        if exit_.daemon is None or exit_.daemon.process.poll() is not None:
            exit_.daemon = Hawserd(bare, "-c", str(config), listen=False, namespace=exit_.namespace, **options)
        else:
            done = exit_.daemon.run_cli("reload")
            assert done.returncode == 0, done.stderr
        return exit_.daemon

    configure.exit = exit_
    return configure


def test_beside_a_link_with_the_same_address(host):
    """The link takes the announced endpoint neither for its own nor down."""
    space, inner = host.exit.namespace, host.exit.inner
    before = state(space)
    announced = f"{inner} port 1081 signal"
    announce, link = f'daemon {{ announce = {{ "{inner}:1081" }} }}\n', 'link "up" { device = "up" }\n'
    daemon = host(announce)
    until(lambda: endpoints(space), lambda seen: seen == {announced})
    listed = space.run("ip", "mptcp", "endpoint")
    host(announce + link)
    own = f"{inner} subflow dev up"
    until(lambda: endpoints(space), lambda seen: seen == {announced, own})
    until(lambda: daemon.run_cli("links").stdout, lambda told: "up" in told)
    time.sleep(2.5)  # the link's looks
    assert listed.strip() in space.run("ip", "mptcp", "endpoint"), "it was made again"
    host(link)
    until(lambda: endpoints(space), lambda seen: seen == {own})
    assert "somebody deleted" not in daemon.log() and "put back" not in daemon.log()
    daemon.signal(signal.SIGINT)
    daemon.wait()
    assert state(space) == before


def test_links_meet_their_first_exit(bare, balanced, tmp_path):
    """Endpoints that are there get of it, too, and sessions go on."""
    config = tmp_path / "router.conf"
    config.write_text("upstream { sticky = no }\n", "ascii")
    echo = peers.Server(bare.server, peers.echo, mptcp=True)
    daemon = Hawserd(bare, "-c", str(config), *LINK)
    try:
        ours = {f"{near(link)[0]} subflow dev {link}" for link in "ab"}
        until(lambda: endpoints(bare.router), lambda seen: ours <= seen)
        client = dial(daemon, echo.port)
        until(lambda: daemon.session()["upstream_subflows"], lambda count: count == 2)
        config.write_text(f"""upstream {{ exit-answer = 20 when-no-exit = refuse sticky = no }}
            exit "shared" {{ address = "10.77.9.50" port = 1080 token-file = "{balanced.tokens}" }}""", "ascii")
        assert daemon.run_cli("reload").returncode == 0
        ours = {f"{near(link)[0]} subflow fullmesh dev {link}" for link in "ab"}
        # Not one that is a session's last, which the kernel would end with it, nor its first, which it would not open again.
        until(lambda: endpoints(bare.router), lambda seen: len(ours & seen) == 1 or ours <= seen)
        client.sendall(b"again")
        assert read(client, 5) == b"again"
        until(lambda: daemon.session()["upstream_subflows"], lambda count: count == 2)
        client.close()
        until(lambda: endpoints(bare.router), lambda seen: ours <= seen)
    finally:
        daemon.finish()
        echo.close()


def test_a_reload_without_it_takes_all_back(host):
    space, own = host.exit.namespace, host.exit.own
    before = state(space)
    host(f'daemon {{ announce = {{ "{own}:1081" }} }}\n')
    until(lambda: state(space)[:2], lambda now: now == ("0", {f"{own} port 1081 signal"}))
    host("")
    until(lambda: state(space), lambda now: now == before)


def test_a_hand_over_to_who_announces_nothing(bed, manage, tmp_path):
    space, own = bed.router, near("a")[0]
    before = state(space)
    config = tmp_path / "handed.conf"

    def write(more: str) -> None:
        config.write_text(f'{more}\nlisten "x" {{ address = "127.0.0.1:1090" }}\n', "ascii")

    write(f'daemon {{ announce = {{ "{own}:1081" }} }}')
    manager = manage("-c", str(config), "--keeper")
    manager.start()
    until(lambda: state(space)[1], lambda now: f"{own} port 1081 signal" in now)
    assert run_cli(manager, "upgrade").returncode == 0
    until(lambda: ask(manager.control, "status").get("announced", {}).get("addresses"), lambda now: now == [f"{own}:1081"])
    assert "another hawserd announces" not in manager.log()
    write("")
    assert run_cli(manager, "upgrade").returncode == 0
    until(lambda: state(space), lambda now: now == before)
    manager.close_gently()


def test_what_one_that_drains_has_announced(bare, tmp_path):
    """Its sessions may have nothing else: it is withdrawn when they have ended, also where as many others as there may
    be are announced now."""
    space = bare.router
    addresses = [f"10.78.211.{number}" for number in range(1, 9)]
    space.batch("ip", [f"addr add {address}/32 dev lo" for address in addresses])
    before = state(space)
    config = tmp_path / "handed.conf"

    def write(these: list[str]) -> set[str]:
        listed = ", ".join(f'"{address}:1081"' for address in these)
        announced = f"daemon {{ announce = {{ {listed} }} }}\n" if these else ""
        config.write_text(f'{announced}listen "x" {{ address = "{LAN4}:1080" }}\n', "ascii")
        return {f"{address} port 1081 signal" for address in these}

    first = write(addresses[:4])
    manager = Manager(bare, space, tmp_path, "-c", str(config), "--keeper", *ALLOW)
    echo = peers.Server(bare.server, peers.echo)
    try:
        manager.start()
        until(lambda: endpoints(space), lambda now: now == first)
        with session(bare, echo.port) as client:
            second = write(addresses[4:])
            assert run_cli(manager, "upgrade").returncode == 0
            until(lambda: endpoints(space), lambda now: now == first | second)
            with session(bare, echo.port) as later:
                write([])
                assert run_cli(manager, "upgrade").returncode == 0
                time.sleep(2.5)  # its looks
                assert state(space)[:2] == ("0", first | second)
                goes_on(client)
                goes_on(later)
        until(lambda: state(space), lambda now: now == before)
        manager.close_gently()
    finally:
        manager.close()
        echo.close()


def test_what_cannot_be_withdrawn_stays_in_the_record(host):
    """Of a killed one, without the right to do so."""
    space = host.exit.namespace
    addresses = [f"10.78.210.{number}" for number in range(1, 9)]
    space.batch("ip", [f"addr add {address}/32 dev lo" for address in addresses])
    old, new = (", ".join(f'"{address}:1081"' for address in half) for half in (addresses[:4], addresses[4:]))
    host(f"daemon {{ announce = {{ {old} }} }}\n")
    announced = {f"{address} port 1081 signal" for address in addresses[:4]}
    until(lambda: endpoints(space), lambda now: now == announced)
    host.exit.kill()
    daemon = host(f"daemon {{ announce = {{ {new} }} }}\n", prefix=(
        "setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin", "--pdeathsig", "KILL", "--"))
    until(lambda: daemon.status()["announced"]["fault"], lambda fault: "withdraw an address" in fault)
    time.sleep(2.5)  # more looks
    assert daemon.status()["announced"]["fault"].endswith("Operation not permitted")
    assert endpoints(space) == announced
    daemon.signal(signal.SIGINT)
    assert daemon.wait() == 0
    host(f"daemon {{ announce = {{ {new} }} }}\n")
    until(lambda: endpoints(space), lambda now: now == {f"{address} port 1081 signal" for address in addresses[4:]})


def test_where_joins_cannot_be_forbidden(bare, host):
    """As under ProtectKernelTunables= of systemd: nothing is announced, nothing else changed; what an earlier one
    has set stays in the record until it can be set back."""
    space, own = host.exit.namespace, host.exit.own
    before = state(space)
    sealed = ("unshare", "-m", "sh", "-c", "mount --bind /proc/sys /proc/sys && "
              'mount -o remount,ro,bind /proc/sys && exec "$@"', "sh")
    announce = f'daemon {{ announce = {{ "{own}" }} }}\n'
    daemon = host(announce, prefix=sealed)
    until(lambda: daemon.status()["announced"]["fault"], lambda fault: "sysctl.d: Read-only" in fault)
    assert state(space) == before
    daemon.signal(signal.SIGINT)
    daemon.wait()
    host(announce)
    until(lambda: state(space)[:2], lambda now: now == ("0", {f"{own} signal"}))
    host.exit.kill()
    daemon = host("", prefix=sealed)
    until(lambda: daemon.status()["announced"]["fault"], lambda fault: "as before" in fault)
    assert state(space)[0] == "0"
    daemon.signal(signal.SIGINT)
    daemon.wait()
    host("")
    until(lambda: state(space), lambda now: now == before)
