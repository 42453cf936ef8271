# SPDX-License-Identifier: GPL-2.0-or-later
"""/etc/config/hawser becomes hawser.conf, by the package's script under BusyBox's ash."""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path

import pytest

from conftest import ROOT
from namespace import Namespace
from openwrt import CONF, OpenWrt, settings_of_manual
from waiting import until

NEW, REFUSED, SAME, OFF = range(4)
NAMED = ("listen", "user", "exit", "link")


@pytest.fixture(scope="module")
def router(build, tmp_path_factory):
    network = Namespace()
    made = OpenWrt(build, tmp_path_factory.mktemp("openwrt") / "root", network)
    made.write("/etc/hawser/password", "secret\n")
    made.write("/etc/hawser/page-token", "0123456789abcdef\n")
    made.write("/etc/hawser/token", made.run("hawser", "token", "new", "alice").stdout)
    for name in "token", "password", "page-token":
        made.path(f"/etc/hawser/{name}").chmod(0o600)
    yield made
    made.close()
    network.close()


@pytest.fixture(autouse=True)
def fresh(router):
    for directory in "tmp/etc", "tmp/netifd", "tmp/run":
        for path in sorted((router.root / directory).rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
    router.interface("lan", "br-lan", ipaddrs="192.168.1.1", subnets="192.168.1.1/24",
                     ipaddrs6="fd12:3456::1 fe80::1", subnets6="fd12:3456::1/60 fe80::1/64")
    router.interface("wan", "pppoe-wan")
    router.interface("lte", "wwan0")


def statements(text: str) -> dict[str, str]:
    """Of a hawser.conf, without remarks: {'link "wan" role': '"metered"'}; what stands more than once
    adds up."""
    text = re.sub(r'("(?:\\.|[^"\\])*")|/\*.*?\*/|#.*', lambda found: found[1] or "", text)
    found: dict[str, str] = {}
    for head, body in re.findall(r'(\w+(?: "(?:\\.|[^"\\])*")?) \{((?:"(?:\\.|[^"\\])*"|\{[^}]*\}|[^}{])*)\}',
                                 text):
        for name, value in re.findall(r'([\w-]+) = (\{[^}]*\}|"(?:\\.|[^"\\])*"|\w+)', body):
            key = f"{head} {name}"
            found[key] = f"{found[key]} {value}" if key in found else value
    return found


# A value of each that is not the default, where the form in the manual does not give one away.
EXAMPLES = {
    ("daemon", "access-log"): "syslog", ("daemon", "on-event"): "/bin/sh",
    ("daemon", "announce"): ["203.0.113.11", "[2001:db8::1]:1081"],
    ("daemon", "state-dir"): "/etc/hawser/elsewhere", ("daemon", "control"): "/var/run/other.sock",
    ("listen", "address"): "127.0.0.1:2080", ("listen", "to"): "mail.example.org:25",
    ("listen", "tokens"): "/etc/hawser/token", ("listen", "exit-name"): "vps",
    ("user", "password-file"): "/etc/hawser/password",
    ("exit", "address"): "vps.example.org", ("exit", "token-file"): "/etc/hawser/token",
    ("upstream", "send-proxy-protocol"): ["a.example:80", "[2001:db8::1]:443"],
    ("upstream", "portal-answer"): "all is well",
    ("upstream", "sticky"): "15m", ("upstream", "congestion"): "system",
    ("link", "device"): "eth7", ("link", "quota"): "20G", ("link", "gateway"): ["192.0.2.1", "2001:db8::1"],
    ("link", "probe"): ["192.0.2.7", "2001:db8::7"], ("relay", "tick"): "5ms",
    ("relay", "bpf-pins"): "/sys/fs/bpf/other", ("relay", "local-accel"): "/sys/fs/cgroup",
    ("metrics", "token-file"): "/etc/hawser/page-token", ("metrics", "host"): ["router.lan", "box.lan"],
    ("intercept", "lan"): ["br-lan", "br-guest"], ("intercept", "bypass-port"): ["25", "6000-6063"],
    ("intercept", "bypass-mac"): ["00:16:3e:0a:0b:0c"], ("intercept", "bypass-domain"): ["example.org", "a.test"],
}


def example(section: str, name: str, form: str) -> object:
    if (section, name) in EXAMPLES:
        return EXAMPLES[section, name]
    if "Ar prefix" in form:
        return ["192.0.2.0/24", "2001:db8::/32"]
    words = re.sub(r"\bNo\b|[,{}]", " ", form).replace("Cm", "").split()
    if words[:1] != ["Ar"]:
        return next(word for word in words if word not in ("|", "auto"))
    return {"number": "2", "time": "7"}[words[1]]


# Besides the one in question, what its section cannot be without.
REQUIRED = {"listen": {"address": "127.0.0.1:2080"}, "user": {"password_file": "/etc/hawser/password"},
            "exit": {"address": "vps.example.org", "token_file": "/etc/hawser/token"},
            "link": {"device": "eth7"}}
BESIDE = {("upstream", "portal-answer"): {"portal_check": "http://a.test/"},
          ("listen", "exit-name"): {"tokens": "/etc/hawser/token"},
          ("link", "probe-quorum"): {"probe": ["192.0.2.7", "192.0.2.8"]}}
SETTINGS = settings_of_manual()


def test_manual_is_read():
    assert len(SETTINGS) > 80 and SETTINGS["link", "rate-up"] == SETTINGS["link", "rate-down"]
    assert {section for section, _ in SETTINGS} == {*NAMED, "daemon", "access", "upstream", "relay", "tune",
                                                  "timeouts", "intercept", "metrics"}


@pytest.mark.parametrize("section", sorted({section for section, _ in SETTINGS}))
def test_every_setting(router, section):
    """Each goes by its name with _ for -, and hawserd takes the result."""
    for (_, name), form in ((key, form) for key, form in SETTINGS.items() if key[0] == section):
        value = example(section, name, form)
        router.configure((section, "it", {**REQUIRED.get(section, {}), **BESIDE.get((section, name), {}),
                                          name.replace("-", "_"): value}))
        done = router.translate()
        if name == "local-accel" and "not in a cgroup2 file system" in done.stderr:
            continue  # it got as far as hawserd
        assert done.returncode == NEW and done.stderr == "", f"{name}: {done.stderr}"
        written = statements(router.read(CONF))
        expected = "{ " + ", ".join(f'"{item}"' for item in value) + " }" if isinstance(value, list) \
            else f'"{value}"'
        head = f'{section} "it"' if section in NAMED else section
        assert written[f"{head} {name}"] == expected, written


SWITCHES = [key for key, form in SETTINGS.items()
            if re.fullmatch(r"(?:yes|on) \| (?:no|off)", re.sub(r"Cm |No ", "", form))]


@pytest.mark.parametrize(("section", "name"), SWITCHES, ids=lambda each: each)
def test_switches_as_uci_writes_them(router, section, name):
    assert len(SWITCHES) >= 9
    for value, word in ("1", "yes"), ("0", "no"):
        router.configure((section, "it", {**REQUIRED.get(section, {}), name.replace("-", "_"): value}))
        if (section, name) == ("intercept", "up"):
            router.configure((section, "it", {"up": value, "lan": "br-lan"}))
        done = router.translate()
        assert done.returncode == NEW, done.stderr
        head = f'{section} "it"' if section in NAMED else section
        assert statements(router.read(CONF))[f"{head} {name}"] == f'"{word}"'


def test_says_what_it_is_made_of(router):
    """So that `hawser exit-add` does not write where the next run overwrites it. Nor do two run at once."""
    router.configure(("relay", "relay", {"tick": "off"}))
    assert router.translate().returncode == NEW
    assert router.read(CONF).splitlines()[0] == "# Made of /etc/config/hawser."
    line = f"hawser://router:{'A' * 43}@192.0.2.1:1080/vps"
    done = router.run("hawser", "exit-add", "--force", line)
    assert done.returncode == 1 and not router.path("/etc/hawser/hawser.conf").exists()
    assert "/etc/config/hawser" in done.stderr and "Set-up" in done.stderr
    with router.path("/var/etc/hawser/lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        router.configure(("relay", "relay", {"tick": "auto"}))
        waiting = router.start("/usr/libexec/hawser/uci-config", CONF)
        until(lambda: re.search(rf"-> FLOCK .*:{os.fstat(lock.fileno()).st_ino} ", Path("/proc/locks").read_text("ascii")))
        assert written(router) == {"relay tick": '"off"'}
    assert waiting.wait(60) == NEW and written(router) == {"relay tick": '"auto"'}


def complaints(done) -> list[str]:
    return [line.removeprefix("hawser: ") for line in done.stderr.splitlines()]


def written(router) -> dict[str, str]:
    return statements(router.read(CONF))


def accepted(router, *sections) -> dict[str, str]:
    router.configure(*sections)
    done = router.translate()
    assert done.returncode == NEW and done.stderr == "", done.stderr
    return written(router)


def accepted_links(router) -> set[str]:
    return set(re.findall(r"^config link '(.*)'$", router.read("/etc/config/hawser"), re.M))


def test_first_start(router):
    """As the package comes: SOCKS for the LAN on the LAN's addresses, no router mode, and the links
    that uci-defaults makes of the WAN zones: one for wan and wan6, the modem only when all else
    fails."""
    router.configure(
        ("interface", "loopback", {"device": "lo"}), ("interface", "lan", {"device": "br-lan"}),
        ("interface", "wan", {"device": "eth1", "proto": "pppoe"}),
        ("interface", "wan6", {"device": "@wan", "proto": "dhcpv6"}),
        ("interface", "wanb", {"device": "eth2", "proto": "dhcp"}),
        ("interface", "wanb6", {"device": "eth2", "proto": "dhcpv6"}),
        ("interface", "lte", {"device": "/dev/cdc-wdm0", "proto": "qmi"}), name="network")
    router.configure(("zone", "", {"name": "lan", "network": ["lan"]}),
                     ("zone", "", {"name": "wan", "masq": "1",
                                   "network": ["wan", "wan6", "gone", "wanb", "wanb6"]}),
                     ("zone", "", {"name": "mobile", "masq": "1", "network": "lte"}), name="firewall")
    router.write("/etc/config/hawser", (ROOT / "openwrt/hawser/files/hawser.config").read_text("ascii"))
    router.interface("wanb", "eth2")
    for _ in range(2):  # what is there stays
        assert router.run("/bin/sh", "/etc/uci-defaults/90-hawser").returncode == 0
    done = router.translate()
    assert done.returncode == NEW and done.stderr == "", done.stderr
    assert written(router) == {
        'listen "lan" address': '"192.168.1.1:1080"', 'listen "lan-2" address': '"[fd12:3456::1]:1080"',
        "access allow": '{ "192.168.1.0/24", "fd12:3456:0:0:0:0:0:0/60" }',
        "intercept up": '"no"', "intercept lan": '{ "br-lan" }',
        'link "wan" device': '"pppoe-wan"', 'link "wan" role': '"shared"',
        'link "wanb" device': '"eth2"', 'link "wanb" role': '"shared"',
        'link "lte" device': '"wwan0"', 'link "lte" role': '"metered"'}


@pytest.mark.parametrize("left", [["wanb"], []], ids=["one", "none"])
@pytest.mark.parametrize("noted", [True, False], ids=["new", "before"])
def test_deleted_links_stay_away(router, left, noted):
    """uci-defaults run again with each upgrade. An older package has noted nothing; what was there then is noted by the
    first upgrade."""
    interfaces = ["wan", "wanb"]
    router.configure(*(("interface", name, {"device": name}) for name in interfaces), name="network")
    router.configure(("zone", "", {"name": "wan", "network": interfaces}), name="firewall")
    relay = ("relay", "relay", {"tick": "off"})
    router.configure(relay, *(() if noted else [("link", name, {"interface": name}) for name in interfaces]))
    assert router.run("/bin/sh", "/etc/uci-defaults/90-hawser").returncode == 0
    assert accepted_links(router) == set(interfaces)
    assert router.translate().stderr.count("hawser.") == 1  # wanb is not up
    config = router.read("/etc/config/hawser")
    for name in set(interfaces) - set(left):
        config = re.sub(rf"^config link '{name}'\n(\t.*\n)*", "", config, flags=re.M)
    router.write("/etc/config/hawser", config)
    for _ in range(2):
        assert router.run("/bin/sh", "/etc/uci-defaults/90-hawser").returncode == 0
        assert accepted_links(router) == set(left)


def test_links_that_come_after_the_first_start(router):
    """Where there was nothing to make links of, nobody has deleted any."""
    router.configure(("interface", "lan", {"device": "lan"}), name="network")
    router.configure(("zone", "", {"name": "lan", "network": ["lan"]}), name="firewall")
    router.configure(("relay", "relay", {"tick": "off"}))
    assert router.run("/bin/sh", "/etc/uci-defaults/90-hawser").returncode == 0
    router.configure(("interface", "wan", {"device": "eth1"}), name="network")
    router.configure(("zone", "", {"name": "wan", "network": ["wan"]}), name="firewall")
    assert router.run("/bin/sh", "/etc/uci-defaults/90-hawser").returncode == 0
    assert accepted_links(router) == {"wan"}


@pytest.mark.parametrize(("subnet", "network"), [
    ("10.1.2.3/8", "10.0.0.0/8"), ("192.168.7.200/27", "192.168.7.192/27"), ("203.0.113.9/32", "203.0.113.9/32"),
    ("fd00:1:2:3ff::7/57", "fd00:1:2:380:0:0:0:0/57"), ("2001:db8::/128", "2001:db8:0:0:0:0:0:0/128"),
    ("1:2:3:4:5:6:7:8/64", "1:2:3:4:0:0:0:0/64")])
def test_networks_of_an_interface(router, subnet, network):
    router.interface("guest", "br-guest", **{"subnets6" if ":" in subnet else "subnets": subnet})
    found = accepted(router, ("access", "access", {"allow_interface": ["guest"], "allow": ["198.51.100.1"]}))
    assert found == {"access allow": '{ "198.51.100.1" } { "%s" }' % network}


def test_a_switch_for_router_mode(router):
    """The listeners that it needs come with it, unless there are some."""
    up = ("intercept", "intercept", {"up": "1", "lan_interface": ["lan"]})
    found = accepted(router, up)
    assert found['listen "transparent" address'] == '"127.0.0.1:1090"'
    assert found['listen "transparent6" transparent'] == "yes"
    own = ("listen", "mine", {"address": "127.0.0.1:3000", "transparent": "1"})
    assert 'listen "transparent" address' not in accepted(router, up, own)


def test_names_and_sections_that_are_off(router):
    found = accepted(router, ("link", "dsl", {"interface": "wan", "name": "dsl-1.home"}),
                     ("link", "", {"interface": "lte"}), ("link", "no", {"device": "eth9", "enabled": "0"}),
                     ("relay", "", {"tier": "copy", "enabled": "0"}))
    assert found == {'link "dsl-1.home" device': '"pppoe-wan"', 'link "lte" device': '"wwan0"'}
    router.configure(("daemon", "daemon", {"enabled": "0"}), ("relay", "", {"tier": "nonsense"}))
    assert router.translate().returncode == OFF


def test_values_are_quoted(router):
    r"""Whatever they hold, they stay values: hawserd's message has the very text."""
    odd = r""" a"b\c'd } link "x" { # $(reboot) `x` ${y} *"""
    router.configure(("relay", "relay", {"tier": odd}), ("upstream", "u", {"sticky": "no"}))
    done = router.translate()
    assert f'hawser.relay.tier: tier "{odd}": expected auto' in done.stderr \
        or "environment variables are not expanded" in done.stderr
    assert done.returncode == NEW and written(router) == {"upstream sticky": '"no"'}
    router.configure(("relay", "relay", {"tier": odd.replace("${y}", "")}))
    assert f'tier "{odd.replace("${y}", "")}": expected auto' in router.translate().stderr
    router.configure(("relay", "relay", {"tier": "copy\ntorture = on"}))
    assert "hawser.relay.tier: a control character" in router.translate().stderr
    assert written(router) == {}


def test_secrets_have_files_of_their_own(router):
    token = router.read("/etc/hawser/token").strip()
    sections = [("exit", "vps", {"address": "192.0.2.1", "token": token}),
                ("user", "alice", {"password": "p w'\"\\"}),
                ("listen", "door", {"address": "127.0.0.1:4000", "token": [token, token.replace("alice", "bob")]}),
                ("metrics", "metrics", {"token": "0123456789abcdef", "allow_interface": ["lan"]})]
    found = accepted(router, *sections)
    assert found['exit "vps" token-file'] == '"/var/etc/hawser/vps.token"'
    assert router.read("/var/etc/hawser/vps.token") == token + "\n"
    assert router.read("/var/etc/hawser/metrics.token") == "0123456789abcdef\n"
    assert found["metrics allow"].startswith('{ "192.168.1.0/24", ')
    assert router.read("/var/etc/hawser/alice.password") == "p w'\"\\\n"
    assert router.read("/var/etc/hawser/door.token").splitlines()[1].startswith("bob")
    assert {path.stat().st_mode & 0o077 for path in router.path("/var/etc/hawser").iterdir()} == {0}
    assert "p w" not in router.read(CONF) and token not in router.read(CONF)
    assert router.translate().returncode == SAME
    sections[1][2]["password"] = "other"
    accepted(router, *sections)  # is new, so that hawserd reads the file again


def test_secrets_in_use_stay(router):
    """When the next ones are refused, a hawserd that begins again must find those of the configuration it has."""
    good = {"exit": router.read("/etc/hawser/token").strip(), "metrics": "0123456789abcdef", "user": "secret"}
    bad = {"exit": "not a token", "metrics": "short", "user": "x" * 300}
    options = {"exit": {"address": "192.0.2.1", "token": good["exit"]}, "metrics": {"token": good["metrics"]},
               "user": {"password": good["user"]}}

    def sections(kind: str = "", secret: str = "") -> list:
        return [(each, f"my{each}", {name: secret if each == kind and name != "address" else value
                                     for name, value in told.items()}) for each, told in options.items()]

    def secrets() -> dict[str, str]:
        return {path.name: path.read_text("ascii") for path in router.path("/var/etc/hawser").iterdir()
                if path.suffix not in (".conf", "")}

    accepted(router, *sections())
    before = secrets(), router.read(CONF)
    assert len(before[0]) == 3
    for kind, secret in bad.items():
        router.configure(*sections(kind, secret))
        done = router.translate()
        assert done.returncode == REFUSED and f"hawser.my{kind}." in done.stderr, kind
        assert (secrets(), router.read(CONF)) == before, kind
        assert router.run("hawserd", "-c", CONF, "--check").returncode == 0
    # One that is taken is another file, and the old one goes; back again as well.
    for secret in "fedcba9876543210", "0011223344556677", good["metrics"]:
        found = accepted(router, *sections("metrics", secret))
        assert router.read(found["metrics token-file"].strip('"')) == secret + "\n" and len(secrets()) == 3


LEFT_OUT = [("relay", {"tier": "fast"}, "tier"), ("tune", {"no_such": "1"}, "no_such"),
            ("timeouts", {"idle": "soon"}, "idle"), ("daemon", {"workers": "many"}, "workers"),
            ("upstream", {"sticky": "x"}, "sticky"), ("intercept", {"connect_first": "maybe"}, "connect_first"),
            ("link", {"device": "eth7", "weight": "0"}, "weight"),
            ("link", {"device": "eth7", "probe": ["a", "b"]}, "probe")]


@pytest.mark.parametrize(("kind", "options", "wrong"), LEFT_OUT)
def test_left_out(router, kind, options, wrong):
    """What only tunes: the rest goes on."""
    router.configure((kind, "it", options), ("relay", "other", {"tick": "off"}))
    done = router.translate()
    complaint, = complaints(done)
    assert done.returncode == NEW
    assert complaint.startswith(f"hawser.it.{wrong}: ") and complaint.endswith("; left out")
    assert "expected" in complaint
    found = written(router)
    assert found["relay tick"] == '"off"' and not any(wrong.replace("_", "-") in key for key in found)
    done = router.translate()
    assert done.returncode == SAME and done.stderr == ""  # told once


@pytest.mark.parametrize("options", [{"role": "meterd"}, {"quota": "lots"}, {"qota": "1G"}, {"reset_day": "40"}])
def test_a_link_that_may_cost_is_off(router, options):
    router.configure(("link", "lte", {"interface": "lte", **options}), ("link", "wan", {"interface": "wan"}))
    done = router.translate()
    complaint, = complaints(done)
    assert done.returncode == NEW and complaint.startswith(f"hawser.lte.{list(options)[0]}: ")
    assert complaint.endswith("; the link is off")
    assert written(router) == {'link "lte" device': '"wwan0"', 'link "lte" role': '"off"',
                               'link "wan" device': '"pppoe-wan"'}


def test_a_link_without_a_device(router):
    router.configure(("link", "a", {"role": "backup"}))
    done = router.translate()
    complaint, = complaints(done)
    assert done.returncode == NEW and complaint.startswith("hawser.a: ") and written(router) == {}
    router.configure(("link", "a", {"role": "backup"}), ("link", "b", {"device": "with space"}),
                     ("link", "c", {"device": "eth0", "interface": "wan"}), ("link", "d", {"device": "eth0"}))
    done = router.translate()
    assert done.returncode == NEW
    assert sorted(line.partition(":")[0] for line in complaints(done)) \
        == ["hawser.a", "hawser.b.device", "hawser.b.device", "hawser.c.interface", "hawser.d"]
    assert written(router) == {'link "c" device': '"eth0"'}


REFUSED_SECTIONS = [("access", {"allow": "all"}, "allow"), ("access", {"alow": "192.0.2.0/24"}, "alow"),
                    ("upstream", {"when_no_exit": "never"}, "when_no_exit"), ("upstream", {"mptcp": "1"}, "mptcp"),
                    ("exit", {"address": "x", "token_file": "/nonexistent"}, "token_file"),
                    ("listen", {"address": "0.0.0.0:1080"}, "address"),
                    ("listen", {"address": "127.0.0.1:1080", "tokns": "x"}, "tokns"),
                    ("intercept", {"lan": ["br lan"]}, "lan"), ("acces", {"allow": "192.0.2.1"}, ""),
                    ("user", {}, "")]


@pytest.mark.parametrize(("kind", "options", "wrong"), REFUSED_SECTIONS)
def test_refused(router, kind, options, wrong):
    """What may open a door, or lead astray: the configuration in use stays."""
    accepted(router, ("relay", "relay", {"tick": "off"}))
    router.configure((kind, "it", options), ("relay", "relay", {"tick": "auto"}))
    done = router.translate()
    complaint, = complaints(done)
    assert done.returncode == REFUSED and written(router) == {"relay tick": '"off"'}
    assert complaint.startswith("hawser.it" + (f".{wrong}" if wrong else "") + ": ")
    assert complaint.endswith("; the configuration is not used") and "expected" in complaint


def test_names_that_nobody_chose(router):
    for kind, options in ("user", {"password_file": "/etc/hawser/password"}), ("exit", REQUIRED["exit"]):
        router.configure((kind, "", options))
        done = router.translate()
        assert done.returncode == REFUSED and f"expected a name for this {kind}" in done.stderr


def test_broken_file(router):
    router.write("/etc/config/hawser", "confg link 'wan'\n\toption device 'eth0'\n")
    done = router.translate()
    complaint, = complaints(done)
    assert done.returncode == REFUSED and complaint.startswith("/etc/config/hawser: uci: Parse error")


def test_devices_are_followed(router):
    """PPPoE that dials again, a modem that comes back under another name, one that takes another's
    name while that is away."""
    links = [("link", "wan", {"interface": "wan"}), ("link", "lte", {"interface": "lte"}),
             ("link", "late", {"interface": "late"})]
    router.configure(*links)
    done = router.translate()
    assert complaints(done) == ["hawser.late: late is not up; the link is used when it is"]
    assert written(router) == {'link "wan" device': '"pppoe-wan"', 'link "lte" device': '"wwan0"'}
    router.interface("wan")
    assert router.translate().returncode == SAME  # it is known how it was called
    router.interface("wan", "ppp1")
    router.interface("late", "usb0")
    assert router.translate().returncode == NEW
    assert written(router) == {'link "wan" device': '"ppp1"', 'link "lte" device': '"wwan0"',
                               'link "late" device': '"usb0"'}
    router.interface("late")
    router.interface("lte", "usb0")
    done = router.translate()
    assert complaints(done) == ["hawser.late: late is not up; the link is used when it is"]
    assert written(router) == {'link "wan" device': '"ppp1"', 'link "lte" device': '"usb0"'}


@pytest.mark.parametrize("name", ["w.n", ".*", "wan lte", "x//p;w /tmp/made", "-n", "$(touch /tmp/made)", "a\\nwan"])
def test_odd_names_of_interfaces(router, name):
    """None is taken for another, and none is a command: who may change settings is not root by that."""
    router.configure(("link", "known", {"interface": "wan"}))
    assert router.translate().returncode == NEW
    router.interface("wan")
    fine = name in ("w.n", "-n")  # could be one, and is not up
    for kind, option in ("link", "interface"), ("listen", "interface"), ("access", "allow_interface"), \
            ("metrics", "allow_interface"), ("intercept", "lan_interface"):
        router.configure((kind, f"my{kind}", {option: [name] if "_" in option else name}),
                         ("link", "known", {"interface": "wan"}))
        done = router.translate()
        assert (done.returncode == REFUSED) == (not fine and kind != "link"), (kind, done.stderr)
        assert f"hawser.my{kind}.{option}: \"{name}\": expected the name of one interface" in done.stderr or fine
        assert len(complaints(done)) <= 2 and written(router) == {'link "known" device': '"pppoe-wan"'}
    assert not router.path("/tmp/made").exists()


def test_names_that_are_numbers(router):
    """One that was never up is not what another with the same value was called."""
    router.interface("10", "eth10")
    router.configure(("link", "ten", {"interface": "10"}))
    assert router.translate().returncode == NEW
    router.interface("10")
    router.configure(("link", "ten", {"interface": "10"}), ("link", "octal", {"interface": "010"}))
    done = router.translate()
    assert complaints(done) == ["hawser.octal: 010 is not up; the link is used when it is"]
    assert written(router) == {'link "ten" device': '"eth10"'}


def test_first_start_goes_in_no_circle(router):
    router.configure(("interface", "a", {"device": "@b"}), ("interface", "b", {"device": "@a"}), name="network")
    router.configure(("zone", "", {"name": "wan", "network": ["a", "b"]}), name="firewall")
    router.configure(("relay", "relay", {"tick": "off"}))
    assert router.run("/bin/sh", "/etc/uci-defaults/90-hawser").returncode == 0
    assert accepted_links(router) == {"a", "b"}


def test_two_interfaces_of_one_device(router):
    router.interface("wan6", "pppoe-wan")
    router.configure(("link", "wan", {"interface": "wan"}), ("link", "wan6", {"interface": "wan6"}))
    done = router.translate()
    assert complaints(done) == ["hawser.wan6: pppoe-wan is another link already; left out"]
    assert done.returncode == NEW and written(router) == {'link "wan" device': '"pppoe-wan"'}


def test_lan_that_is_not_up_yet(router):
    router.interface("lan")
    router.configure(("listen", "lan", {"interface": "lan"}), ("access", "access", {"allow_interface": ["lan"]}),
                     ("intercept", "intercept", {"lan_interface": ["lan"]}))
    done = router.translate()
    assert done.returncode == NEW and len(complaints(done)) == 3 and written(router) == {}
