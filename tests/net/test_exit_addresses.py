# SPDX-License-Identifier: GPL-2.0-or-later
"""An exit with several addresses, some of which are dead, or somebody else's."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

import pytest

import handshakes
import peers
from bed import Bed
from daemon import Hawserd
from exit_net import PORTS, echo, exits, hello, hellos_until, net  # pylint: disable=unused-import
from handshakes import Refused
from topology import SERVER4, SERVER6, far
from waiting import until

pytestmark = pytest.mark.mptcp


# Far longer than it takes, and twice as long as an address may be silent.
ANSWER_S = 6
QUICK_OF = 20


def nearly_all_quick(router: Hawserd, port: int) -> bool:
    """Sessions do not wait for an address that is dead, of which a half would be tried first. A busy machine may hold up
    a few."""
    slow = [took for took in (hello(router, port) for _ in range(QUICK_OF)) if took > ANSWER_S / 4]
    return len(slow) < QUICK_OF / 5


def test_two_behind_one_name(bed, net, echo, dns, hawserd):
    """Sessions are spread over the addresses; where one is dead, the other takes them all, and nobody
    calls the exit dead."""
    addresses = [SERVER4, far("a")[0]]
    dns.records["exits.test"] = addresses
    both = [hawserd("--serve-exit", f"{address}:{PORTS['one']}", "--tokens", str(net.tokens),
                    "--exit-allow", "10.77.9.0/24", listen=False, namespace=bed.server)
            for address in addresses]
    router = hawserd("--exit", f"exits.test:{PORTS['one']}", "--exit-token", str(net.tokens),
                     "--exit-answer", str(ANSWER_S), "--sticky", "no")
    for _ in range(60):
        hello(router, echo.port)
    assert all(exit_.status()["sessions"]["total"] >= 10 for exit_ in both)
    both[0].signal(signal.SIGINT)
    assert both[0].wait() == 0
    assert nearly_all_quick(router, echo.port)
    (known,) = exits(router).values()
    assert known["state"] == "up" and known["failures"] == 0
    assert known["sessions"]["total"] == 60 + QUICK_OF


@pytest.mark.parametrize("dead", [4, 6])
def test_two_without_a_name(net, echo, hawserd, dead):
    """As exit-setup prints them: where one leads nowhere, the other takes all."""
    one = hawserd("--serve-exit", handshakes.authority({4: SERVER6, 6: SERVER4}[dead], PORTS["one"]), "--tokens",
                  str(net.tokens), "--exit-allow", "10.77.9.0/24", listen=False, namespace=net.bed.server)
    config = net.directory / "two.conf"
    config.write_text(f'exit "one" {{ address = "{SERVER4}, {SERVER6}"  port = {PORTS["one"]}  token-file = "{net.tokens}" }}\n'
                      f"upstream {{ exit-answer = {ANSWER_S} }}\n", "ascii")
    router = hawserd("-c", str(config))
    assert nearly_all_quick(router, echo.port)
    assert one.status()["sessions"]["total"] >= QUICK_OF
    known = exits(router)["one"]
    assert known["state"] == "up" and known["address"] == f"{SERVER4},[{SERVER6}]:{PORTS['one']}"


def serve_at(net, hawserd, address: str) -> Hawserd:
    """An exit that has this address only, by whatever name it is called."""
    return hawserd("--serve-exit", handshakes.authority(address, PORTS["one"]), "--tokens",
                   str(net.tokens), "--exit-allow", "10.77.9.0/24", listen=False,
                   namespace=net.bed.server)


@pytest.mark.parametrize(("dead", "living"), [(SERVER6, SERVER4), (SERVER4, far("a")[0])])
def test_one_address_is_silent(bed, net, echo, dns, hawserd, dead, living):
    """AAAA and A, or two A; nothing says that one is dead: sessions go by the other, before the exit
    would be called dead, which nobody does."""
    dns.records["exits.test"] = [dead, living]
    at = {address: serve_at(net, hawserd, address) for address in (dead, living)}
    family = "ip6" if ":" in dead else "ip"
    with bed.rules(f"{family} daddr {dead} tcp dport {PORTS['one']} counter drop"):
        router = hawserd("--exit", f"exits.test:{PORTS['one']}", "--exit-token", str(net.tokens),
                         "--when-no-exit", "refuse", "--exit-probe", "1", "--exit-answer", str(ANSWER_S),
                         "--sticky", "no")

        def dropped() -> bool:
            return "packets 0 " not in bed.server.run("nft", "list", "ruleset")

        # Which of two A is tried first is left to chance.
        total = hellos_until(router, echo.port, dropped, least=6)
        (known,) = until(lambda: list(exits(router).values()), lambda one: one[0]["probes"] >= 2)
        assert known["state"] == "up" and known["failures"] == 0
        assert known["sessions"]["total"] == total
        assert at[dead].status()["sessions"]["total"] == 0
    assert router.errors() == {}


@contextlib.contextmanager
def half_dead(bed: Bed, address: str, how: str) -> Iterator[None]:
    """Who takes connections to an exit's port, and says nothing, or closes them."""
    stop = threading.Event()

    def close_all() -> None:
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                listening.accept()[0].close()

    with peers.listen(bed.server, address, PORTS["one"]) as listening:
        listening.settimeout(0.1)
        thread = threading.Thread(target=close_all)
        if how == "broken":
            thread.start()
        try:
            yield
        finally:
            stop.set()
            if how == "broken":
                thread.join()


@pytest.mark.parametrize(("dead", "living", "how"), [(SERVER6, SERVER4, "silent"),
                                                    (SERVER4, far("a")[0], "broken")])
def test_one_address_takes_and_does_not_answer(bed, net, echo, dns, hawserd, dead, living, how):
    """As a middlebox, or a machine that hangs: sessions move on, the exit stays up, the address is
    left alone from then on, and is used again when it answers again and again."""
    dns.records["exits.test"] = [dead, living]

    def avoided() -> list[str]:
        return next(iter(exits(router).values()))["avoided"]

    serve_at(net, hawserd, living)
    router = hawserd("--exit", f"exits.test:{PORTS['one']}", "--exit-token", str(net.tokens),
                     "--when-no-exit", "refuse", "--exit-probe", "600", "--exit-answer", str(ANSWER_S),
                     "--sticky", "no")
    with half_dead(bed, dead, how):
        hellos_until(router, echo.port, avoided)
        assert avoided() == [dead]
        until(lambda: f": {dead}: " in router.log())
        assert nearly_all_quick(router, echo.port)
        (known,) = exits(router).values()
        assert known["state"] == "up" and known["failures"] == 0
        assert f"{dead} does not answer" in router.run_cli("exits").stdout
    alive = serve_at(net, hawserd, dead)
    until(avoided, lambda seen: seen == [])
    hellos_until(router, echo.port, lambda: alive.status()["sessions"]["total"])
    assert router.errors() == {}


@pytest.mark.parametrize("known_late", [[SERVER4], []])
def test_an_address_is_silent_before_others_are_known(bed, net, echo, dns, hawserd, known_late):
    """It took the connection while the name server still thought about the other family."""
    dns.records["exits.test"] = [SERVER6, *known_late]
    dns.delays_s["exits.test", "A"] = 0.2
    serve_at(net, hawserd, SERVER4)
    with half_dead(bed, SERVER6, "silent"):
        router = hawserd("--exit", f"exits.test:{PORTS['one']}", "--exit-token", str(net.tokens),
                         "--when-no-exit", "refuse", "--exit-probe", "600", "--exit-answer", "4")
        if known_late:
            hello(router, echo.port)
        state = "up" if known_late else "down"
        (known,) = until(lambda: list(exits(router).values()),
                         lambda one: (one[0]["state"], one[0]["avoided"]) == (state, [SERVER6]))
    if not known_late:
        assert known["last_failure"] == "exit-silent"
        with pytest.raises(Refused):
            hello(router, echo.port)


def test_all_addresses_are_silent(bed, net, dns, hawserd):
    """Known as soon as if there were one, and well again when one is."""
    dns.records["exits.test"] = [SERVER6, SERVER4]
    with peers.listen(bed.server, SERVER6, PORTS["one"]), \
            peers.listen(bed.server, SERVER4, PORTS["one"]):
        router = hawserd("--exit", f"exits.test:{PORTS['one']}", "--exit-token", str(net.tokens))
        (known,) = until(lambda: list(exits(router).values()), lambda one: one[0]["state"] == "down",
                         seconds=20)
        assert known["last_failure"] == "exit-silent"
    serve_at(net, hawserd, SERVER6)
    until(lambda: list(exits(router).values()), lambda one: one[0]["state"] == "up")
