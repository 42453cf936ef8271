# SPDX-License-Identifier: GPL-2.0-or-later
"""Addresses that this host does not have, or not yet, and listeners that move from one to another."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import lacking
import peers
from handshakes import read
from namespace import MountNamespace, Namespace
from patience import PATIENCE
from waiting import until

HERE4, HERE6 = "192.0.2.1", "2001:db8::1"
ALLOW = ("--allow", "192.0.2.0/24", "--allow", "2001:db8::/64")


@pytest.fixture
def host() -> Iterator[Namespace]:
    """A host of its own, with an interface "lan" that has no address yet."""
    namespace = Namespace()
    namespace.run("ip", "link", "add", "lan", "type", "veth", "peer", "name", "far")
    for device in "lan", "far":
        namespace.run("ip", "link", "set", device, "up")
    yield namespace
    namespace.close()


def no_ipv6_by_sysctl(host: Namespace) -> tuple[str, ...]:
    host.sysctl("ipv6/conf/all/disable_ipv6", 1)
    return ()


def no_ipv6_on_lo(host: Namespace) -> tuple[str, ...]:
    host.sysctl("ipv6/conf/lo/disable_ipv6", 1)
    return ()


def no_ipv6_in_the_kernel(_: Namespace) -> tuple[str, ...]:
    return lacking.words("ipv6")


WITHOUT_IPV6 = [no_ipv6_by_sysctl, no_ipv6_on_lo, no_ipv6_in_the_kernel]


def run(bed, host: Namespace, *command: str) -> subprocess.CompletedProcess:
    """A hawserd that is expected to end by itself, and what it says."""
    with host.start(list(command), bed.mounts, text=True, stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE) as process:
        try:
            output, complaints = process.communicate(timeout=120 * PATIENCE)
        finally:
            process.kill()
    return subprocess.CompletedProcess(command, process.returncode, output, complaints)


def serves(host: Namespace, address: str, port: int = 1080) -> bool:
    """The greeting of SOCKS5 is answered."""
    try:
        with peers.connect(host, address, port) as client:
            client.sendall(b"\x05\x01\x00")
            return read(client, 2) == b"\x05\x00"
    except OSError:
        return False


def is_open(host: Namespace, address: str, port: int) -> None:
    """Somebody listens there; what is dialled itself by way of a transparent listener is reset."""
    with contextlib.suppress(ConnectionResetError):
        peers.connect(host, address, port).close()


def addresses(daemon) -> dict[str, bool]:
    """Of the listeners, and whether each waits."""
    return {entry["address"]: entry.get("waiting") for entry in daemon.status()["listeners"]}


@pytest.mark.parametrize("without", WITHOUT_IPV6, ids=lambda without: without.__name__)
def test_default_without_ipv6(hawserd, host, without):
    """One of the two default listeners cannot be: a warning, and the other works."""
    daemon = hawserd(prefix=without(host), listen=False, namespace=host)
    assert addresses(daemon) == {"127.0.0.1:1080": False, "[::1]:1080": True}
    warnings = [line for line in daemon.log().splitlines() if "warning: " in line]
    assert any("[::1]:1080" in line and "IPv6 is switched off on this host" in line
               for line in warnings), warnings
    assert "error: " not in daemon.log()
    assert serves(host, "127.0.0.1")


def test_default_when_ipv6_is_switched_on(hawserd, host):
    no_ipv6_by_sysctl(host)
    daemon = hawserd(listen=False, namespace=host)
    host.sysctl("ipv6/conf/all/disable_ipv6", 0)
    host.sysctl("ipv6/conf/lo/disable_ipv6", 0)
    until(lambda: "[::1]:1080: the address is there now" in daemon.log())
    assert serves(host, "::1")


@pytest.mark.parametrize("options", [
    ("--transparent", "127.0.0.1:1090", "--transparent", "[::1]:1090"),
    ("--socks", "[::1]:1080"), ("--forward", "[::1]:5000=192.0.2.9:80")])
@pytest.mark.parametrize("without", WITHOUT_IPV6, ids=lambda without: without.__name__)
def test_asked_for_without_ipv6(bed, host, without, options):
    """An error that says why, also of --check."""
    for more in ((), ("--check",)):
        done = run(bed, host, *without(host), str(bed.build / "hawserd"), *options, *more)
        assert done.returncode != 0
        assert f"{options[-1].partition('=')[0]}: IPv6 is switched off" in done.stderr, done.stderr


def test_other_address_with_ipv6_on_lo_only(bed, host):
    """::1 is there, no other can be."""
    for interface in ("default", "lan", "far"):
        host.sysctl(f"ipv6/conf/{interface}/disable_ipv6", 1)
    done = run(bed, host, str(bed.build / "hawserd"), "--socks", f"[{HERE6}]:1080", *ALLOW)
    assert done.returncode == 1 and "IPv6 is switched off" in done.stderr, done.stderr


@pytest.mark.parametrize("prepare", [
    "mount -o remount,ro /run", "umount /run; mount -t proc none /run",
    "export XDG_RUNTIME_DIR=/nonexistent/runtime; set -- setpriv --reuid 65534 --clear-groups $@"],
    ids=["read-only", "not to be made", "runtime directory missing"])
def test_default_control_socket_that_cannot_be(bed, host, tmp_path, prepare):
    """A warning, and hawserd serves."""
    mounts = MountNamespace({"/mnt/hawserd": str((bed.build / "hawserd").resolve())},
                            empty=("/run", "/mnt"))
    with (tmp_path / "log").open("w") as log:
        process = host.start(["/usr/bin/nsenter", f"--mount={mounts.path}", "--", "/bin/sh", "-c",
                              f'set -- /mnt/hawserd; {prepare}; exec "$@"'], stderr=log)
    try:
        until(lambda: serves(host, "127.0.0.1"))
        said = (tmp_path / "log").read_text("utf-8")
        assert "warning: control socket " in said and "error: " not in said, said
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        mounts.close()


def bring_up(host: Namespace, address: str) -> None:
    host.run("ip", "address", "add", address, "dev", "lan")


def test_address_comes_and_goes(hawserd, host):
    """At boot nothing is there yet; later it goes and comes back."""
    daemon = hawserd("--socks", f"{HERE4}:1080", *ALLOW, listen=False, namespace=host)
    assert addresses(daemon) == {f"{HERE4}:1080": True}
    assert f"warning: listen on {HERE4}:1080: no interface has this address" in daemon.log()
    assert "waits: no interface has this address" in daemon.run_cli("status").stdout
    for _ in range(2):
        before, gone = (daemon.log().count(f"the address {what}") for what in ("is there now", "has gone"))
        bring_up(host, f"{HERE4}/24")
        assert until(lambda: serves(host, HERE4))
        until(lambda: daemon.log().count("the address is there now") > before)
        assert addresses(daemon) == {f"{HERE4}:1080": False}
        host.run("ip", "address", "del", f"{HERE4}/24", "dev", "lan")
        until(lambda: daemon.log().count("the address has gone") > gone)
        assert addresses(daemon) == {f"{HERE4}:1080": True}


def test_tentative_address(hawserd, host):
    """Duplicate address detection takes longer than the start."""
    host.run("ip", "link", "add", "wire0", "type", "veth", "peer", "name", "wire1")
    host.run("ip", "link", "set", "wire1", "up")
    host.sysctl("ipv6/conf/wire0/accept_dad", 1)
    host.sysctl("ipv6/conf/wire0/dad_transmits", 3)
    host.run("ip", "link", "set", "wire0", "up")
    host.run("ip", "-6", "address", "add", f"{HERE6}/64", "dev", "wire0")
    assert "tentative" in host.run("ip", "-6", "address", "show", "dev", "wire0")
    daemon = hawserd("--socks", f"[{HERE6}]:1080", *ALLOW, listen=False, namespace=host)
    if addresses(daemon) == {f"[{HERE6}]:1080": True}:  # it began before the detection was over
        until(lambda: f"[{HERE6}]:1080: the address is there now" in daemon.log())
    until(lambda: serves(host, HERE6))


@pytest.mark.parametrize("kind", ["--transparent", "--forward"])
def test_bridge_that_comes_later(hawserd, host, kind):
    """All kinds of listeners wait."""
    with peers.listen(host, "127.0.0.1") as server:
        to = f"=127.0.0.1:{peers.port_of(server)}" if kind == "--forward" else ""
        daemon = hawserd(kind, f"{HERE4}:1090{to}", *ALLOW, "--own-allow", "127.0.0.1",
                         listen=False, namespace=host)
        host.run("ip", "link", "add", "br0", "type", "bridge")
        host.run("ip", "address", "add", f"{HERE4}/24", "dev", "br0")
        host.run("ip", "link", "set", "br0", "up")
        until(lambda: "the address is there now" in daemon.log())
        is_open(host, HERE4, 1090)


def config(path: Path, *listeners: str, workers: int = 2, transparent: bool = False) -> None:
    path.write_text(f"daemon {{ workers = {workers} }}\n" + "".join(
        f'listen "{at}" {{ address = "{at}" {"transparent = yes" if transparent else ""} }}\n'
        for at in listeners) + 'access { allow = { "192.0.2.0/24", "2001:db8::/64" } }\n', "ascii")


@pytest.fixture
def addressed(host) -> Namespace:
    bring_up(host, f"{HERE4}/24")
    host.run("ip", "-6", "address", "add", f"{HERE6}/64", "dev", "lan", "nodad")
    return host


def reload(daemon, says: str) -> None:
    before = daemon.log().count(says)
    daemon.signal(signal.SIGHUP)
    until(lambda: daemon.log().count(says) > before)


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize(("wide", "narrow"), [
    (["0.0.0.0:1080"], [f"{HERE4}:1080"]),
    (["[::]:1080"], [f"[{HERE6}]:1080"]),
    (["0.0.0.0:1080", "[::]:1080"], [f"{HERE4}:1080", "127.0.0.1:1080", f"[{HERE6}]:1080"])],
    ids=["ipv4", "ipv6", "both"])
@pytest.mark.parametrize("transparent", [False, True], ids=["socks", "transparent"])
def test_reload_between_all_addresses_and_one(addressed, hawserd, tmp_path, wide, narrow, workers,
                                              transparent):
    file = tmp_path / "conf"
    config(file, *wide, workers=workers, transparent=transparent)
    daemon = hawserd("-c", str(file), listen=False, namespace=addressed)
    for listeners in (narrow, wide, narrow, wide):
        config(file, *listeners, workers=workers, transparent=transparent)
        reload(daemon, "configuration reloaded")
        assert set(addresses(daemon)) == set(listeners)
        for at in narrow:
            address, _, port = at.rpartition(":")
            if transparent:
                is_open(addressed, address.strip("[]"), int(port))
            else:
                assert serves(addressed, address.strip("[]"), int(port))


@pytest.mark.parametrize("workers", [1, 3])
def test_failed_reload_leaves_the_listeners_exclusive(addressed, hawserd, bed, tmp_path, workers):
    """Between all addresses and one, when another listener cannot be."""
    file = tmp_path / "conf"
    config(file, "0.0.0.0:1090", workers=workers, transparent=True)
    daemon = hawserd("-c", str(file), listen=False, namespace=addressed)
    with peers.listen(addressed, HERE4, 1099):
        config(file, f"{HERE4}:1090", f"{HERE4}:1099", workers=workers, transparent=True)
        reload(daemon, "stays as it was")
    assert f"{HERE4}:1099: Address already in use" in daemon.log()
    assert set(addresses(daemon)) == {"0.0.0.0:1090"}
    done = run(bed, addressed, str(bed.build / "hawserd"), "--socks", f"{HERE4}:1090", *ALLOW,
               "--control", str(tmp_path / "other"))
    assert done.returncode == 1 and "in use" in done.stderr


def test_reload_does_not_take_what_is_somebody_elses(addressed, hawserd, tmp_path):
    file = tmp_path / "conf"
    config(file, "127.0.0.1:1080")
    daemon = hawserd("-c", str(file), listen=False, namespace=addressed)
    with peers.listen(addressed, HERE4, 1080):
        config(file, "0.0.0.0:1080")
        reload(daemon, "stays as it was")
        assert set(addresses(daemon)) == {"127.0.0.1:1080"}
