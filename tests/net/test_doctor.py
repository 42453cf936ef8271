# SPDX-License-Identifier: GPL-2.0-or-later
"""hawser doctor: every fault is made on purpose, found under its name, and all else found well."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading

import pytest

import hop
import peers
from doctor_site import PORT, Report, site  # pylint: disable=unused-import
from namespace import Namespace
from topology import CLIENT4, LAN4, LINKS, SERVER4, SERVER6, far, near
from waiting import until

pytestmark = pytest.mark.mptcp
STRIP = "reset tcp option mptcp"
UNPRIVILEGED = ("setpriv", "--bounding-set", "-net_raw,-net_admin", "--inh-caps",
                "-net_raw,-net_admin", "--")


@pytest.fixture(autouse=True)
def well(site):
    """The faults of the test before are over: what was out of late is out for up to half a minute."""
    until(lambda: [link[family]["works"] for link in site.links().values()
                   for family in ("ipv4", "ipv6")], lambda works: works == [True] * 4)


def test_all_is_well(site):
    report = site.finds({})
    expected = {"hawserd", "mptcp", "resets", "limits", "fast open", "bbr", "abilities", "firewall",
                "links", "dns", "one name", "one answers", "one clock"}
    for link in "wan-a", "wan-b":
        expected |= {f"{link} {check}" for check in ("device", "address", "rp_filter")}
        for family in "ipv4", "ipv6":
            expected |= {f"{link} {family} {check}"
                         for check in ("route", "rule", "endpoint", "gateway")}
            expected |= {f"one {link} {family} {check}"
                         for check in ("reach", "mtu", "mptcp", "join")}
    # What the kernel's MPTCP refuses is told where it refuses something: see test_lacking.
    assert set(report.found) - {"options"} == expected
    assert "1500" in report.seen("one wan-b ipv6 mtu")
    assert "began on wan-a" in report.seen("one wan-b ipv6 join")
    assert "failed handshake" not in site.exit.log()
    for_people = site.run("doctor")
    assert for_people.returncode == 0 and for_people.stderr == ""
    lines = for_people.stdout.splitlines()
    assert lines[-1] == "all is well"
    assert [line for line in lines if not line.startswith(" ")][:-1] == \
        ["host", "link wan-a", "link wan-b", "exit one"]
    assert sum(line.startswith("  ok ") for line in lines) == len(report.found)


def test_a_rule_that_comes_first(site):
    rule = ("ip", "rule")
    words = ("priority", "100", "from", near("b")[0], "lookup", "main")
    site.bed.router.run(*rule, "add", *words)
    try:
        report = site.finds({"wan-b ipv4 rule": "fail"})
    finally:
        site.bed.router.run(*rule, "del", *words)
    assert "leave by a" in report.seen("wan-b ipv4 rule")


def state_of(site, link: str, state: str) -> None:
    until(lambda: site.links()[link]["state"], lambda now: now == state)


def test_no_address(site):
    site.bed.router.run("ip", "addr", "flush", "dev", "b", "scope", "global")
    try:
        state_of(site, "wan-b", "no-address")
        report = site.finds({"wan-b address": "fail"})
    finally:
        site.mend_link("b")
    assert "dev b" in report.mend("wan-b address")


def test_no_route(site):
    """In another subnet, so that the gateway of before is none any more."""
    site.bed.router.run("ip", "addr", "flush", "dev", "b", "scope", "global")
    site.bed.router.run("ip", "addr", "add", "10.88.0.1/24", "dev", "b")
    try:
        state_of(site, "wan-b", "no-gateway")
        report = site.finds({"wan-b ipv4 route": "fail"})
    finally:
        site.mend_link("b")
    assert "ip -4 route add default via GATEWAY dev b" in report.mend("wan-b ipv4 route")


@pytest.mark.parametrize("end, state", [("router", "down"), ("server", "no-carrier")])
def test_interface(site, end, state):
    getattr(site.bed, end).run("ip", "link", "set", "dev", "b", "down")
    try:
        state_of(site, "wan-b", state)
        site.finds({"wan-b device": "fail"})
    finally:
        site.mend_link("b")


def test_link_that_swallows(site):
    """hawserd has taken it out, and no time is spent on it: what is told is that, and nothing else."""
    with site.bed.rules("iifname a drop"):
        state_of(site, "wan-a", "no-answer")
        report = site.finds({"wan-a use": "fail"})
    assert "no-answer" in report.seen("wan-a use")
    assert not [name for name in report.found if name.startswith("one wan-a")]
    state_of(site, "wan-a", "up")


def test_one_family_of_a_link_is_swallowed(site):
    """hawserd goes on by the other."""
    def works() -> bool:
        return site.links()["wan-b"]["ipv4"]["works"]

    with site.bed.rules("iifname b ip version 4 drop"):
        until(works, lambda now: not now)
        report = site.finds({"wan-b ipv4 use": "fail"})
    assert not [name for name in report.found if name.startswith("one wan-b ipv4")]
    until(works)


def test_gateway_gone(site):
    """Nobody has its address: no use in trying the exit by it. On a slow machine hawserd notices
    first, of one family or of both."""
    for address, bits in zip(far("b"), ("24", "64")):
        site.bed.server.run("ip", "addr", "del", f"{address}/{bits}", "dev", "b")
    site.bed.router.run("ip", "neigh", "flush", "dev", "b")
    try:
        report = site.finds(*({f"wan-b ipv4 {one}": "fail", f"wan-b ipv6 {other}": "fail"} for one, other in
                              (("gateway", "gateway"), ("gateway", "use"), ("use", "gateway"))), {"wan-b use": "fail"})
    finally:
        site.mend_link("b")
    assert not [name for name in report.found if name.startswith("one wan-b")]


def test_links_of_large_packets(site):
    """As large as there are: what passes is found where larger ones vanish, and is no fault on the host itself."""
    for end in site.bed.router, site.bed.server:
        end.run("ip", "link", "set", "dev", "b", "mtu", "65535")
    try:
        with site.bed.rules("iifname b meta length > 30000 drop", site.bed.server):
            report = site.doctor()
        own = {place: site.doctor(place, host=site.bed.server, control=site.exit.control).found
               for place in (f"{SERVER4}:{PORT}", f"[{SERVER6}]:{PORT}")}
    finally:
        for end in site.bed.router, site.bed.server:
            end.run("ip", "link", "set", "dev", "b", "mtu", "1500")
        site.mend_link("b")
    for family, place in zip(("ipv4", "ipv6"), own):
        assert "more than 30000 bytes vanish" in report.seen(f"one wan-b {family} mtu")
        assert "65535 bytes pass" in own[place][f"{place} {family} mtu"]["seen"]


def test_what_happens_on_the_way(site):
    """A different fault on each way to the exit."""
    with site.bed.rules("iifname a ip version 4 meta length > 1377 drop"), \
            site.bed.rules(f"iifname a ip6 version 6 {STRIP}"), \
            site.bed.rules(f"iifname b ip version 4 tcp flags & syn == 0 {STRIP}"), \
            site.bed.rules(f"iifname b ip6 version 6 tcp dport {PORT} drop"):
        report = site.finds({"one wan-a ipv4 mtu": "fail", "one wan-a ipv6 mptcp": "fail",
                             "one wan-b ipv4 mptcp": "fail", "one wan-b ipv6 reach": "fail"})
    assert "more than 1377 bytes" in report.seen("one wan-a ipv4 mtu")
    assert "dev a mtu 1377" in report.mend("one wan-a ipv4 mtu")
    assert "in the handshake" in report.seen("one wan-a ipv6 mptcp")
    assert "after the handshake" in report.seen("one wan-b ipv4 mptcp")
    assert "a firewall drops it" in report.seen("one wan-b ipv6 reach")
    assert f"dport {PORT}" in report.mend("one wan-b ipv6 reach")


def test_this_host_drops_it(site):
    """On one link, after a rule that could have let it pass and does not."""
    router = site.bed.router
    router.run("nft", "-f", "-", text=f"""
        table ip leaving {{
            chain out {{
                type filter hook output priority 0
                oifname b ip daddr {SERVER4} tcp dport != {PORT} accept
                oifname b ip daddr {SERVER4} meta l4proto tcp drop
            }}
        }}""")
    try:
        report = site.finds({"one wan-b ipv4 reach": "fail"})
        found = report.found["one wan-b ipv4 reach"]
        assert "chain ip leaving out of nftables on this host" in found["seen"]
        router.run(*found["mend"].split())
        site.finds({})
    finally:
        router.run("nft", "delete", "table", "ip", "leaving")


def test_syns_with_mptcp_are_swallowed(site):
    with site.bed.rules("iifname b ip version 4 tcp option mptcp exists drop"), \
            site.bed.rules(f"ip6 daddr {SERVER6} iifname b icmpv6 type echo-request drop"):
        report = site.finds({"one wan-b ipv4 mptcp": "fail", "one wan-b ipv6 mtu": "warn"})
    assert "MPTCP does not" in report.seen("one wan-b ipv4 mptcp")


@pytest.mark.parametrize("spoil", [
    "tcp flags & syn == syn drop",
    f"tcp flags & syn == 0 {STRIP}",  # the join's last ACK
])
def test_joins_are_refused(site, spoil):
    """By what lets MPTCP's connections begin."""
    with site.bed.rules(f"iifname b ip version 4 tcp option mptcp subtype 1 {spoil}"):
        report = site.finds({"one wan-b ipv4 join": "fail"})
    assert "began on wan-a" in report.seen("one wan-b ipv4 join")


def test_one_link_refuses(site):
    """As a portal does that has no page: it is not the exit's fault alone."""
    with site.bed.rules("iifname b ip version 4 tcp flags & (syn | ack) == syn reject with tcp reset"):
        report = site.finds({"one wan-b ipv4 reach": "fail"})
    assert report.mend("one wan-b ipv4 reach").startswith("if every link fails: on the exit, run: ")
    assert "if only this one: somebody on its way refuses" in report.mend("one wan-b ipv4 reach")


def test_an_exit_takes_no_more_subflows(site):
    limits = ("ip", "mptcp", "limits")
    before = site.bed.server.run(*limits).split()
    site.bed.server.run(*limits, "set", "subflows", "0")
    try:
        report = site.finds({f"one wan-{link} ipv{number} join": "fail" for link in "ab" for number in "46"})
    finally:
        site.bed.server.run(*limits, "set", *before)
    assert "mptcp limits set subflow 8" in report.mend("one wan-a ipv4 join")


def test_strict_filter(site):
    with site.bed.router.setting("ipv4/conf/b/rp_filter", 1):
        report = site.finds({"wan-b rp_filter": "warn"})
    words = report.mend("wan-b rp_filter").split()
    site.bed.router.run(*words)
    site.finds({})
    site.bed.router.sysctl("ipv4/conf/b/rp_filter", 0)


def test_fast_open_on_all_listeners(site):
    with site.bed.router.setting("ipv4/tcp_fastopen", 0x403):
        report = site.finds({"fast open": "warn"})
        site.bed.router.run(*report.mend("fast open").split())
        site.finds({})


def test_fast_open_without_mptcp(site):
    with site.bed.router.setting("ipv4/tcp_fastopen", 0), contextlib.ExitStack() as leave:
        router = site.start(leave, "-c", str(site.config("plain", one=SERVER4)), "--mptcp=off",
                            "--socks", "127.0.0.1:1083")
        report = site.finds({"mptcp": "warn", "fast open": "warn"}, control=router.control)
        site.bed.router.run(*report.mend("fast open").split())
        site.finds({"mptcp": "warn"}, control=router.control)


def test_mptcp_is_off(site):
    with site.bed.router.setting("mptcp/enabled", 0):
        report = site.finds({"mptcp": "fail"})
    assert report.mend("mptcp") == "sysctl -w net.mptcp.enabled=1"
    assert not [name for name in report.found if name.endswith(" mptcp")]


def test_mptcp_limits(site):
    """hawserd raises them again; on a slow machine before the doctor looks."""
    site.bed.router.run("ip", "mptcp", "limits", "set", "subflow", "0", "add_addr_accepted", "8")
    try:
        report = site.doctor()
        raised = "subflows 8" in site.bed.router.run("ip", "mptcp", "limits", "show")
    finally:
        site.bed.router.run("ip", "mptcp", "limits", "set", "subflow", "8", "add_addr_accepted",
                            "8")
    assert report.faults() == {"limits": "fail"} or raised and not report.faults()


class PromptExit(hop.FakeExit):
    """Answers the greeting at once, as a real one."""

    def read_head(self, sock):
        assert sock.recv(3, socket.MSG_PEEK | socket.MSG_WAITALL) == hop.GREETING
        sock.sendall(bytes([5, hop.METHOD]))
        return super().read_head(sock)

    def answer(self, status: int) -> bytes:
        return super().answer(status)[2:]


def test_exits(site, tmp_path, request):
    """Without links, so by the kernel's choice. The clock is that of a machine two hours ahead."""
    skewed = PromptExit(site.token, clock_ms=7_200_000)
    server = peers.Server(site.bed.server, skewed.serve, mptcp=True)
    request.addfinalizer(server.close)
    mute = peers.Server(site.bed.server, peers.silent, mptcp=True)
    request.addfinalizer(mute.close)
    other = hop.write_tokens(tmp_path / "tokens", hop.Token("home").line())
    files = [site.config("skewed", skewed=f"{SERVER4}:{server.port}"),
             site.config("mute", mute=f"{SERVER4}:{mute.port}"),
             site.config("down", down=f"{SERVER4}:{PORT + 1}", lost="nowhere.test"),
             site.config("stranger", tokens=other, one=SERVER4)]
    config = tmp_path / "exits.conf"
    config.write_text("".join(file.read_text("ascii") for file in files)
                      + "upstream { exit-answer = 4 }\n", "ascii")
    with contextlib.ExitStack() as leave:
        router = site.start(leave, "-c", str(config), "--socks", "127.0.0.1:1082")
        report = site.finds({"skewed clock": "warn", "down answers": "fail", "down ipv4 reach": "fail",
                             "lost name": "fail", "one answers": "fail", "mute answers": "fail",
                             "mute ipv4 mptcp": "fail"}, control=router.control)
    assert "exit-silent" in report.seen("mute answers")
    assert "the exit is silent" in report.seen("mute ipv4 mptcp")
    ahead = int(re.search(r"(\d+) s ahead", report.seen("skewed clock"))[1])
    assert abs(ahead - 7200) < 60, ahead
    assert "auth-failed" in report.seen("one answers") and "token-file" in report.mend("one answers")
    assert "refused" in report.seen("down answers")
    assert "refuses the connection" in report.seen("down ipv4 reach")
    assert report.mend("down ipv4 reach").startswith(f"on the exit, run: hawserd --serve-exit ADDRESS:{PORT + 1} ")
    assert report.seen("links").startswith("none")


def test_no_name_server(site):
    file = site.directory / "resolv.conf"
    before = file.read_text("ascii")
    file.write_text("nameserver 127.0.0.2\n", "ascii")
    try:
        report = site.finds({"dns": "fail"})
    finally:
        file.write_text(before, "ascii")
    assert "127.0.0.2" in report.seen("dns")


@pytest.mark.parametrize("code", [1, 2, 4, 5], ids=["FORMERR", "SERVFAIL", "NOTIMP", "REFUSED"])
def test_name_server_that_refuses_is_not_silent(site, code):
    site.names.always = code
    try:
        until(site.doctor, lambda report: report.found["dns"]["verdict"] == "ok")
    finally:
        site.names.always = 0


def test_automatic_links_without_a_default_route(site, tmp_path):
    """There is nothing to take for a link, which is no state to be content with."""
    with contextlib.ExitStack() as leave:
        namespace = site.bed.client
        hawserd = site.start(leave, "--links", "auto", "--socks", "127.0.0.1:1082",
                             namespace=namespace)
        report = Report(site.run("--json", "doctor", control=hawserd.control, host=namespace))
    assert report.found["links"]["verdict"] == "fail"
    assert "no default route" in report.seen("links")


def test_more_links_than_there_may_be(site):
    """One for each of 18 interfaces with a default route would be two too many."""
    with contextlib.ExitStack() as leave:
        namespace = Namespace()
        leave.callback(namespace.close)
        names = [f"{end}{number}" for number in range(9) for end in "vw"]
        namespace.batch("ip", [f"link add {v} type veth peer name {w}"
                               for v, w in zip(names[::2], names[1::2])]
                        + [f"link set {name} up" for name in names]
                        + [f"route add default dev {name} metric {metric}"
                           for metric, name in enumerate(names, 1)])
        hawserd = site.start(leave, "--links", "auto", "--socks", "127.0.0.1:1082",
                             namespace=namespace)
        links = hawserd.doctor("host")["links"]
    assert links["verdict"] == "warn" and links["seen"].startswith("16, which"), links
    assert "links = listed" in links["mend"]


@contextlib.contextmanager
def answering(path, daemon, change):
    """A control socket whose answers are the daemon's, changed."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listening.accept()
                    with client, client.makefile("rw") as lines:
                        for line in lines:
                            answer = daemon.ask(json.loads(line)["command"])
                            change(answer)
                            lines.write(json.dumps(answer) + "\n")
                            lines.flush()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(60)


def test_one_of_its_addresses_does_not_answer(site, tmp_path):
    def change(answer: dict) -> None:
        for exit_ in answer.get("exits", []):
            if isinstance(exit_, dict):
                exit_["avoided"] = ["192.0.2.1"]

    with answering(tmp_path / "control", site.router, change):
        report = site.finds({"one addresses": "warn"}, control=str(tmp_path / "control"))
    assert "192.0.2.1" in report.seen("one addresses")
    assert "--serve-exit" in report.mend("one addresses")


def test_no_hawserd(site, tmp_path):
    """What can be looked at without it is, also a destination; by a path whose small MTU is told."""
    bed = site.bed
    for host in bed.router, bed.server:
        host.run("ip", "link", "set", "dev", "a", "mtu", "1400")
    bed.router.sysctl("ipv4/ip_forward", 1)
    bed.client.run("ip", "route", "add", "default", "via", LAN4)
    bed.server.run("ip", "route", "add", f"{CLIENT4}/32", "via", near("a")[0])
    try:
        with peers.listen(bed.server, mptcp=True) as listening:
            name = f"{SERVER4}:{peers.port_of(listening)}"
            report = site.finds({"hawserd": "fail", "dns": "fail"}, words=(name,), control=str(tmp_path / "none"),
                                host=bed.client)
    finally:
        for host in bed.router, bed.server:
            host.run("ip", "link", "set", "dev", "a", "mtu", "1500")
        bed.router.sysctl("ipv4/ip_forward", 0)
        bed.client.run("ip", "route", "del", "default")
        bed.server.run("ip", "route", "del", f"{CLIENT4}/32")
    assert "1400 bytes pass" in report.seen(f"{name} ipv4 mtu")
    assert report.seen(f"{name} ipv4 mptcp") == "the MPTCP handshake works"


def test_destination_without_mptcp(site):
    """That is no fault of a link."""
    with peers.listen(site.bed.server) as listening:
        name = f"{SERVER4}:{peers.port_of(listening)}"
        site.finds({f"{name} wan-{link} ipv4 mptcp": "warn" for link in LINKS}, words=(name,))


def test_another_namespace(site):
    report = site.finds({"namespace": "fail"}, host=site.bed.client)
    assert set(report.found) == {"hawserd", "namespace"}


def test_without_rights(site):
    report = site.finds({"rights": "warn"}, prefix=UNPRIVILEGED)
    assert "one wan-a ipv4 reach" in report.found and "one wan-a ipv4 mtu" not in report.found


@pytest.mark.parametrize("words, named", [
    (("doctor", "nonsense"), "nonsense"), (("doctor", "a.test:0"), "a.test:0"),
    (("doctor", "a.test:1", "more"), "more"), (("--watch", "doctor"), "--watch")])
def test_bad_usage(site, words, named):
    done = site.run(*words)
    assert done.returncode == 2 and named in done.stderr.splitlines()[0]


@pytest.mark.parametrize("spoil", [
    "-4 rule del priority 902", "-6 rule del priority 900 from {near6}",
    "-4 route flush table 28002", "mptcp endpoint delete id {endpoint}"])
def test_removed_behind_its_back(site, spoil):
    """It is there again before anybody has to ask."""
    def there() -> tuple[set[str], ...]:
        return (*(set(site.bed.router.run("ip", *words.split()).splitlines()) for words in (
            "-4 rule", "-6 rule", "-4 route show table 28002", "-6 route show table 28002")), set(site.bed.endpoints()))

    endpoint = site.bed.endpoints()[near("b")[0]]["id"]
    before, running = site.router.status()["links"]["put_back"], there()
    site.bed.router.run("ip", *spoil.format(near6=near("b")[1], endpoint=endpoint).split())
    # "ip route flush" deletes until nothing is left, also what is there again by then.
    count = until(lambda: site.router.status()["links"]["put_back"], lambda count: count > before)
    until(there, lambda now: now == running)
    site.finds(*([] if count >= 3 else [{}]), {"links": "warn"})
