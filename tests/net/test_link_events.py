# SPDX-License-Identifier: GPL-2.0-or-later
"""Links that go and come while hawserd runs, and connections that run meanwhile."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import peers
from bed import Bed
from daemon import Hawserd
from exit_net import Net
from links import bare, daemon  # pylint: disable=unused-import
from topology import LINKS, SERVER4, far, near
from waiting import until

RATE = 50  # Mbit/s of each link
# From the return of a link to payload on it, of a connection that runs; `make soak` holds to it, a busy machine may
# have a join fail, which is offered again after 2, 6 and 14 seconds.
RETURN_S = 10 if "SOAK_SECONDS" in os.environ else 60
PAYLOAD = 200_000  # bytes that no handshake has


def sources(bed: Bed) -> set[str]:
    """The addresses that our rules of links are for."""
    rules = "".join(bed.router.run("ip", f"-{family}", "rule") for family in (4, 6))
    return {line.split()[2] for line in rules.splitlines() if line.startswith("90")}


@contextlib.contextmanager
def download(daemon: Hawserd) -> Iterator[Callable[[], int]]:
    """An endless one by MPTCP; gives a function that tells how many bytes have come."""
    got, ended = [0], threading.Event()

    def fill(server) -> None:
        with contextlib.suppress(OSError):
            while not ended.is_set():
                server.sendall(bytes(1 << 16))

    def drain(client) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 18):
                got[0] += len(data)

    with peers.listen(daemon.bed.server, mptcp=True) as listening, \
            daemon.dial(SERVER4, peers.port_of(listening)) as client, \
            peers.accept(listening) as server:
        threads = [threading.Thread(target=fill, args=(server,)),
                   threading.Thread(target=drain, args=(client,))]
        for thread in threads:
            thread.start()
        try:
            yield lambda: got[0]
        finally:
            ended.set()
            peers.reset(client)
            for thread in threads:
                thread.join(60)


def carried(bed: Bed, link: str) -> int:
    """Bytes that came by the link; 0 while there is no such interface."""
    try:
        return bed.link_bytes(link)[0]
    except ValueError:
        return 0


def await_payload(bed: Bed, link: str, seconds: float = 60) -> None:
    """Waits until the link carries payload."""
    before = carried(bed, link)
    until(lambda: carried(bed, link) - before > PAYLOAD, seconds=seconds)


def switch(namespace_of: str, state: str) -> Callable[[Bed, str], None]:
    return lambda bed, link: getattr(bed, namespace_of).run("ip", "link", "set", "dev", link, state)


def delete_address(bed: Bed, link: str) -> None:
    bed.router.run("ip", "address", "del", f"{near(link)[0]}/24", "dev", link)


def add_address(bed: Bed, link: str) -> None:
    """As a DHCP client does: the kernel has dropped the route with the address."""
    bed.router.run("ip", "address", "add", f"{near(link)[0]}/24", "dev", link)
    bed.router.run("ip", "route", "replace", "default", "via", far(link)[0], "dev", link,
                   "metric", str(101 + LINKS.index(link)))


def back_up(bed: Bed, link: str) -> None:
    """The server's end has lost its IPv6 address."""
    bed.server.run("ip", "link", "set", "dev", link, "up")


LOSSES = {"carrier": (switch("server", "down"), back_up),
          "interface": (switch("router", "down"), switch("router", "up")),
          "address": (delete_address, add_address)}


@pytest.mark.mptcp
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("link", LINKS)
def test_a_running_transfer_gets_a_link_back(bare, daemon, link, loss):
    """Also the link that it began on, which is one of them."""
    lose, bring_back = LOSSES[loss]
    other = LINKS.replace(link, "")
    with download(daemon) as got:
        for name in LINKS:
            await_payload(bare, name)
        lose(bare, link)
        until(lambda: near(link)[0] not in bare.endpoints())
        before = got()
        until(lambda: got() > before + PAYLOAD)
        await_payload(bare, other)
        bring_back(bare, link)
        await_payload(bare, link, RETURN_S)
        assert near(link)[0] in bare.endpoints()
        # It is more than a burst.
        await_payload(bare, link)
        await_payload(bare, other)


def test_renumbering(bare, daemon):
    """A new address and gateway of link b, as from another provider's DHCP."""
    assert set(near("b")) <= sources(bare)
    bare.server.run("ip", "address", "add", "10.77.20.2/24", "dev", "b")
    bare.router.run("ip", "address", "add", "10.77.20.1/24", "dev", "b")
    bare.router.run("ip", "address", "del", f"{near('b')[0]}/24", "dev", "b")
    until(lambda: near("b")[0] not in sources(bare))
    bare.router.run("ip", "route", "replace", "default", "via", "10.77.20.2", "dev", "b",
                    "metric", "102")
    until(lambda: "10.77.20.1" in sources(bare))
    until(lambda: "via 10.77.20.2" in bare.router.run("ip", "route", "show", "table", "28002"))
    if bare.mptcp:
        until(lambda: set(bare.endpoints()),
              lambda ours: {"10.77.20.1", near("a")[0]} <= ours and near("b")[0] not in ours)


def test_an_interface_vanishes_and_a_new_one_comes(bare, daemon):
    bare.router.run("ip", "link", "del", "dev", "b")
    until(lambda: sources(bare) == set(near("a")))
    if bare.mptcp:
        until(lambda: set(bare.endpoints()) == set(near("a")))
    until(lambda: "wan-b (b): no-device" in daemon.log())
    bare.router.batch("ip", [
        f"link add name b type veth peer name b netns {bare.server.path}",
        *bare._addresses("b", *near("b"))])
    bare.server.batch("ip", bare._addresses("b", *far("b")))
    # The gateways of before are in the subnets.
    until(lambda: near("b")[0] in sources(bare))
    if bare.mptcp:
        until(lambda: near("b")[0] in bare.endpoints())


@pytest.mark.mptcp
@pytest.mark.parametrize("back", ["ab", "ba"])
def test_all_links_are_lost_one_by_one(bare, daemon, back):
    """A connection lives on when one comes back, whichever, and gets the other when that does."""
    with download(daemon) as got:
        for link in LINKS:
            await_payload(bare, link)
        for link in LINKS:
            bare.server.run("ip", "link", "set", "dev", link, "down")
            until(lambda link=link: f"wan-{link} ({link}): no-carrier" in daemon.log())
        for link in back:
            bare.server.run("ip", "link", "set", "dev", link, "up")
            before = got()
            await_payload(bare, link)
            until(lambda before=before: got() > before + PAYLOAD)


def test_no_link_is_left(bare, daemon):
    """Then both come back, and new connections work again."""
    for link in LINKS:
        bare.router.run("ip", "link", "set", "dev", link, "down")
    until(lambda: daemon.status()["links"]["up"] == 0)
    for link in LINKS:
        bare.router.run("ip", "link", "set", "dev", link, "up")
    until(lambda: daemon.status()["links"]["up"] == 2)
    with peers.listen(bare.server) as listening, \
            daemon.dial(SERVER4, peers.port_of(listening)) as client, \
            peers.accept(listening) as server:
        server.sendall(b"x")
        assert client.recv(1) == b"x"


@pytest.mark.mptcp
def test_the_only_link_may_flap(bare):
    """A connection on it lives on."""
    running = Hawserd(bare, "--link", "only=a")
    try:
        with download(running) as got:
            await_payload(bare, "a")
            bare.server.run("ip", "link", "set", "dev", "a", "down")
            until(lambda: running.status()["links"]["up"] == 0)
            bare.server.run("ip", "link", "set", "dev", "a", "up")
            before = got()
            until(lambda: got() > before + PAYLOAD)
    finally:
        running.finish()


@contextlib.contextmanager
def by_an_exit(bare: Bed, directory: Path, roles: str) -> Iterator[Hawserd]:
    with contextlib.ExitStack() as stack:
        def hawserd(*options: str, **more) -> Hawserd:
            made = Hawserd(bare, *options, **more)
            stack.callback(made.finish)
            return made

        net = Net(bare, hawserd, directory)
        net.serve("one")
        yield net.settled("one", more="\n".join(f'link wan-{link} {{ device = {link} role = {role} }}'
                                                for link, role in zip(LINKS, roles.split())))


def await_all_meshed(bare: Bed) -> None:
    """As exits that announce addresses want links."""
    until(lambda: bare.endpoints(),
          lambda ours: all(ours.get(near(link)[0], {}).get("fullmesh") for link in LINKS))


@pytest.mark.mptcp
def test_links_of_a_session_by_an_exit_come_back(bare, tmp_path):
    """Again and again, the one that it began on and the other."""
    with by_an_exit(bare, tmp_path, "shared shared") as daemon:
        with download(daemon):
            for link in LINKS:
                await_payload(bare, link)
            for link in LINKS * 2:
                bare.server.run("ip", "link", "set", "dev", link, "down")
                until(lambda link=link: near(link)[0] not in bare.endpoints())
                bare.server.run("ip", "link", "set", "dev", link, "up")
                await_payload(bare, link, RETURN_S)
        await_all_meshed(bare)


@pytest.mark.mptcp
def test_somebody_deletes_where_a_session_by_an_exit_began(bare, tmp_path):
    with by_an_exit(bare, tmp_path, "shared backup") as daemon:
        await_all_meshed(bare)
        with download(daemon):
            await_payload(bare, "a")
            until(lambda: daemon.session()["upstream_subflows"], lambda count: count == 2)
            number = bare.endpoints()[near("a")[0]]["id"]
            bare.router.run("ip", "mptcp", "endpoint", "delete", "id", str(number))
            made = until(lambda: bare.endpoints().get(near("a")[0]))
            assert not made.get("fullmesh")
            await_payload(bare, "a", RETURN_S)
        await_all_meshed(bare)
