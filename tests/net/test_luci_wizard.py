# SPDX-License-Identifier: GPL-2.0-or-later
"""LuCI's Set-up page in Debian's Chromium: filled in, submitted by JSON-RPC to a stand-in for rpcd, and translated by
the package's own script. luci-base is a stand-in, too (lib/luci_base.js), with LuCI's ids."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from browser import Browser
from namespace import Namespace
from openwrt import CONF, OpenWrt
from rpcd import PORT, Rpcd

PAGE = f"http://127.0.0.1:{PORT}/page/view.hawser.wizard"
KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
LINE = f"hawser exit-add hawser://router:{KEY}@[2001:db8::1]:1443/Vps-1"
NASTY = "<img src=x onerror=document.title=1>"
DONE = {"running": False, "verdict": "fail", "checks": [
    {"subject": "link", "name": NASTY, "via": "", "family": "", "check": "ping", "verdict": "fail", "seen": "no answer",
     "mend": "look at the cable"}]}
INTERFACES = [{"interface": "loopback"}, {"interface": "lan"}, {"interface": "guest"},
              {"interface": "wan", "route": [{"target": "0.0.0.0", "mask": 0}]},
              {"interface": "lte", "route": [{"target": "::", "mask": 0}]}]
FIRST = {"daemon": {".type": "daemon", "enabled": "1"}, "upstream": {".type": "upstream"},
         "intercept": {".type": "intercept", "up": "0", "lan_interface": ["lan"]},
         "wan": {".type": "link", "interface": "wan", "role": "shared"}}


@pytest.fixture(scope="module")
def network() -> Iterator[Namespace]:
    made = Namespace()
    yield made
    made.close()


@pytest.fixture(scope="module")
def router(build, network, tmp_path_factory) -> Iterator[OpenWrt]:
    made = OpenWrt(build, tmp_path_factory.mktemp("wizard") / "root", network)
    for name, device in ("lan", "br-lan"), ("guest", "br-guest"), ("wan", "eth1"), ("lte", "wwan0"):
        made.interface(name, device)
    yield made
    made.close()


@pytest.fixture(scope="module")
def chromium(network) -> Iterator[Browser]:
    made = Browser(network)
    yield made
    made.close()


@pytest.fixture
def page(chromium, router, network) -> Iterator:
    """Opens the page; and what was asked of rpcd since."""
    with contextlib.ExitStack() as stack:
        browser = stack.enter_context(chromium.person())

        def start(**sections: dict) -> tuple[Browser, Rpcd]:
            rpcd = stack.enter_context(contextlib.closing(
                Rpcd(router, network, {**FIRST, **sections}, INTERFACES, [DONE])))
            browser.go(PAGE)
            browser.until("!!document.querySelector('button')")
            rpcd.called.clear()
            return browser, rpcd

        yield start
        assert browser.said == [] and all(url.startswith(f"http://127.0.0.1:{PORT}/") or url.startswith("data:")
                                          for url in browser.asked)


def widget(section: str, option: str) -> str:
    return f"document.getElementById('widget.cbid.json.{section}.{option}')"


def fill(browser: Browser, section: str, option: str, text: str) -> None:
    browser.run(f"{widget(section, option)}.select()")
    browser.type(text)


def submit(browser: Browser) -> str:
    """What the page says then."""
    browser.run("document.querySelector('button').click()")
    browser.until("!document.querySelector('button').disabled")
    return browser.run("document.body.lastChild.lastChild.innerText")


def test_filled_in_and_submitted(page, router):
    browser, rpcd = page()
    rpcd.doctor = [{"running": True}, DONE]
    assert browser.run(f"{widget('link_wan', 'use')}.checked && !{widget('link_lte', 'use')}.checked")
    assert browser.run("document.getElementById('widget.cbid.json.link_loopback.use')") is None
    assert browser.run(f"{widget('lan', 'interfaces')}.parentNode.hidden")
    fill(browser, "exit", "line", f" {LINE}\n")
    guest = f"{widget('lan', 'interfaces')}.querySelector('[value=guest]')"
    for box in widget("link_lte", "use"), widget("lan", "up"), guest:
        browser.run(f"{box}.click()")
    browser.run(f"{widget('link_lte', 'role')}.value = 'metered'")
    assert not browser.run(f"{widget('lan', 'interfaces')}.parentNode.hidden")
    said = submit(browser)
    assert all(text in said for text in ("no answer", "look at the cable", NASTY))
    assert browser.run("document.title") != "1"
    calls = [name for name in rpcd.called if name not in ("uci.add", "uci.set", "uci.delete")]
    assert calls == ["uci.apply", "hawser.reload", "hawser.doctor_run", "hawser.doctor", "hawser.doctor"]
    assert rpcd.called.index("uci.apply") == len(rpcd.called) - len(calls)
    assert rpcd.staged["vps_1"] == {".type": "exit", "name": "Vps-1", "address": "2001:db8::1", "port": "1443",
                                    "token": f"router {KEY}"}
    made = router.read(CONF)
    for text in ('exit "Vps-1" {', 'address = "2001:db8::1"', 'port = "1443"', 'link "lte" {', 'role = "metered"',
                 'device = "wwan0"', 'device = "eth1"', 'up = "yes"', 'lan = { "br-lan" }', 'lan = { "br-guest" }'):
        assert text in made, text
    assert KEY not in made


@pytest.mark.parametrize(("line", "address", "complaint"), [
    ("hawser://router:short@192.0.2.1:1080/vps", "", "Expected hawser://TOKEN:KEY@HOST:PORT/NAME"),
    (f"router {KEY}", "", "The line does not say it.")])
def test_what_is_wrong_is_said_and_nothing_sent(page, line, address, complaint):
    browser, rpcd = page()
    fill(browser, "exit", "line", line)
    fill(browser, "exit", "address", address)
    assert complaint in submit(browser) and rpcd.called == []
    # Mended, it is taken.
    fill(browser, "exit", "line", f"router {KEY}")
    fill(browser, "exit", "address", "192.0.2.1")
    assert "look at the cable" in submit(browser)
    assert rpcd.staged["vps"]["address"] == "192.0.2.1" and "port" not in rpcd.staged["vps"]


def test_link_taken_away(page, router):
    """Its section stays, and is off."""
    browser, rpcd = page()
    browser.run(f"{widget('link_wan', 'use')}.click()")
    submit(browser)
    assert rpcd.staged["wan"]["enabled"] == "0" and 'link "wan"' not in router.read(CONF)


def test_configuration_that_is_refused(page, router):
    """By the script, for what somebody has written elsewhere: the page says which line, and asks for no check."""
    before = router.path(CONF).read_text("utf-8") if router.path(CONF).exists() else ""
    browser, rpcd = page(access={".type": "access", "alow": "192.0.2.0/24"})
    browser.run(f"{widget('lan', 'up')}.click()")
    said = submit(browser)
    assert "the configuration is not used" in said and "hawser.access.alow" in said
    assert "hawser.doctor_run" not in rpcd.called
    assert (router.read(CONF) if router.path(CONF).exists() else "") == before
