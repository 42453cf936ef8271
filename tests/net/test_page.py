# SPDX-License-Identifier: GPL-2.0-or-later
"""The page in Debian's Chromium: live figures, all sizes and both colours, keyboard, token, and that it asks nobody else.
HAWSER_PICTURES=DIRECTORY keeps what it looked like."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import handshakes
import hop
import peers
import speed
from browser import Browser
from daemon import Hawserd
from handshakes import read
from links import bare_bed
from topology import LAN4, SERVER4
from waiting import until
from web import PORT

pytestmark = pytest.mark.mptcp
HERE = f"http://127.0.0.1:{PORT}"
ACCESSIBLE = (Path(__file__).parent / "lib/accessible.js").read_text("utf-8")
# As a user may be called, if somebody wants to do harm.
NASTY = "<img src=x onerror=document.title=1>"
TOKEN = "t0ken-of-32-characters-or-so-0001"


@pytest.fixture(scope="module")
def bare(build, bed, tmp_path_factory) -> Iterator:
    with bare_bed(build, tmp_path_factory.mktemp("page"), True) as made:
        yield made


@pytest.fixture(scope="module")
def chromium(bare) -> Iterator[Browser]:
    made = Browser(bare.router)
    yield made
    made.close()


@pytest.fixture
def browser(chromium, start) -> Iterator[Browser]:
    """Leaves before the daemons are looked at."""
    assert start
    with chromium.person() as made:
        yield made


@pytest.fixture
def start(bare, tmp_path) -> Iterator:
    started = []
    password = tmp_path / "password"
    password.write_text("secret\n", "ascii")
    password.chmod(0o600)

    def begin(more: str = "", **settings: object) -> Hawserd:
        file = tmp_path / "conf"
        file.write_text(f'listen "s" {{ address = "{LAN4}:1080" }}\nuser "{NASTY}" {{ password-file = "{password}" }}\n'
                        f'listen "m" {{ address = "127.0.0.1:{PORT}" metrics = yes }}\n'
                        f'link "dsl" {{ device = "a" quota = 1G }}\nlink "lte" {{ device = "b" }}\n{more}', "utf-8")
        started.append(Hawserd(bare, "-c", str(file), listen=False, **settings))
        return started[-1]

    yield begin
    for daemon in started:
        daemon.finish()


@contextlib.contextmanager
def session(daemon: Hawserd, listening) -> Iterator:
    """By somebody with a name and a password."""
    client = daemon.connect()
    client.sendall(b"\x05\x01\x02")
    assert read(client, 2) == b"\x05\x02"
    client.sendall(bytes([1, len(NASTY)]) + NASTY.encode() + b"\x06secret")
    assert read(client, 2) == b"\x01\x00"
    client.sendall(handshakes.socks5_request(SERVER4, peers.port_of(listening)))
    assert handshakes.read_socks5_reply(client) == 0
    with peers.accept(listening) as server:
        yield client, server
    client.close()


def keep_picture(browser: Browser, tmp_path: Path, name: str) -> None:
    directory = Path(os.environ.get("HAWSER_PICTURES") or tmp_path)
    directory.mkdir(exist_ok=True)
    assert len(browser.picture(directory / f"{name}.png")) > 10_000


def opened(browser: Browser) -> None:
    browser.go(f"{HERE}/")
    browser.until("!document.getElementById('content').hidden && document.querySelectorAll('#tiles dd').length === 5")


def text(browser: Browser, selector: str) -> str:
    return browser.run(f"[...document.querySelectorAll({json.dumps(selector)})].map((node) => node.textContent).join('|')")


def test_live(bare, browser, start, tmp_path):
    """What hawserd knows is there, goes on by itself, and is text whatever it looks like."""
    daemon = start()
    with peers.listen(bare.server, mptcp=True) as listening, session(daemon, listening) as (client, server):
        browser.look_like(1280, 900, dark=False)
        opened(browser)
        for _ in range(8):
            server.sendall(bytes(250_000))
            read(client, 250_000)
            client.sendall(b"x" * 1000)
            read(server, 1000)
            time.sleep(0.3)
        browser.until("document.querySelectorAll('#link-cards path.down').length === 2")
        assert text(browser, "#link-cards h3").split("|") == ["dsl up", "lte up"]
        until(lambda: text(browser, "#tiles dd").split("|")[2:], lambda told: told == ["1", "2 of 2", "–"])
        label = browser.run("document.querySelector('#link-cards svg').getAttribute('aria-label')")
        assert label.startswith("Graph of dsl, now: down ")
        # More than nothing has been drawn: the line is not flat.
        browser.until("""[...document.querySelectorAll('#link-cards path.down')].some((path) =>
            new Set(path.getAttribute('d').match(/[\\d.]+(?=[ML]|$)/g)).size > 2)""")
        browser.run("document.getElementById('sessions').scrollIntoView({behavior: 'instant'})")
        browser.until("document.querySelectorAll('#session-table .more').length === 1")
        browser.until("/2.0 MB/.test(document.getElementById('session-table').textContent)")
        row = text(browser, "#session-table tbody td").split("|")
        assert row[1].endswith(f", {NASTY}") and row[2] == f"{SERVER4}:{peers.port_of(listening)}"
        assert row[3].startswith("mptcp") and "a leg is an MPTCP socket" in row[4] and row[5] == "2.0 MB"
        browser.run("document.querySelector('#session-table .more').click()")
        browser.until("/upstream: link /.test(document.getElementById('session-table').textContent)")
        browser.run("document.getElementById('filter').value = 'nobody'; "
                    "document.getElementById('filter').dispatchEvent(new Event('input'))")
        browser.until("document.querySelectorAll('#session-table .more').length === 0")
        for span, shape in ("minutes", "path"), ("hours", "rect.bar-down"), ("days", "rect.bar-down"):
            browser.run(f"document.querySelector('[value={span}]').click()")
            browser.until(f"[...cards.values()].every((card) => card.graph.kind === '{span}')")
            if span != "minutes":  # there is one when a minute has passed
                browser.until(f"document.querySelectorAll('#link-cards {shape}').length >= 1")
        browser.run("document.querySelector('[value=client]').click()")
        browser.until("/MB/.test(document.getElementById('usage-table').textContent)")
        # What others have chosen is nowhere but in texts.
        assert browser.run("document.images.length + document.querySelectorAll('main b, main img').length") == 0
        assert browser.run("document.title") == "Hawser"
    # What happens is told, of links and of others.
    browser.run("document.getElementById('events').scrollIntoView({behavior: 'instant'})")
    for change, seen in ("down", "lte: no-carrier"), ("up", "lte: up"):
        bare.server.run("ip", "link", "set", "dev", "b", change)
        browser.until(f"document.getElementById('event-list').textContent.includes('{seen}')")
    browser.run("""showEvents({events: [{time: 1, link: "", event: "sessions go by exit two now"}]})""")
    assert text(browser, "#event-list li").endswith("sessions go by exit two now") and ": sessions" not in text(browser, "#event-list li")
    until(daemon.active, lambda active: active == 0)
    browser.until("document.querySelectorAll('#tiles dd')[2].textContent === '0'")
    assert browser.said == []
    assert all(url.startswith((f"{HERE}/", "data:")) for url in browser.asked)


def test_choices(bare, browser, start):
    """The last one counts, also where an answer to the one before is on its way, or another cause asks then."""
    daemon = start()
    with peers.listen(bare.server, mptcp=True) as listening, session(daemon, listening):
        browser.look_like(1280, 900, dark=False)
        opened(browser)
        # What comes once a minute mends it late.
        browser.run("clearInterval(timers[2])")
        browser.until("seldom().then(() => /dsl.*lte/.test(document.getElementById('usage-table').textContent))")
        choose = "(...values) => values.forEach((value) => document.querySelector(`[value='${value}']`).click())"
        browser.run(f"seldom(); ({choose})('client', 'exit', 'hours', 'days')")
        browser.until("document.getElementById('usage-table').textContent.includes('Nothing yet.')")
        browser.until("[...cards.values()].every((card) => card.graph.kind === 'days')")
        browser.run(f"({choose})('exit', 'link', 'days', 'hours'); seldom()")
        browser.until("/dsl.*lte/.test(document.getElementById('usage-table').textContent)")
        browser.until("[...cards.values()].every((card) => card.graph.kind === 'hours')")
        browser.run(f"({choose})('days', 'seconds')")
        browser.until("[...cards.values()].every((card) => card.graph.kind === 'seconds')")
        # So is what is clicked and what comes into sight while all that is slow is asked.
        browser.run("clearInterval(timers[1])")
        browser.run("document.getElementById('sessions').scrollIntoView({behavior: 'instant'})")
        browser.until("document.querySelectorAll('#session-table .more').length === 1")
        browser.run("slow(); document.querySelector('#session-table .more').click()")
        browser.until("/upstream: /.test(document.getElementById('session-table').textContent)")
        assert browser.said == []


def test_opened_in_the_background(browser, start):
    """All is there as soon as somebody looks."""
    start()
    browser.call("Page.addScriptToEvaluateOnNewDocument",
                 source="let away = true; Object.defineProperty(document, 'hidden', { get: () => away });")
    browser.look_like(1280, 900, dark=False)
    browser.go(f"{HERE}/")
    browser.run("clearInterval(timers[2])")
    assert text(browser, "#usage-table tbody") == "…" and not any("/api/" in url for url in browser.asked)
    browser.run("away = false; document.dispatchEvent(new Event('visibilitychange'))")
    browser.until("document.getElementById('usage-table').querySelector('tbody').textContent !== '…'")


def test_what_could_not_be_had(browser, start):
    """As when too many ask: the next one asks, not that in a minute."""
    start()
    browser.call("Page.addScriptToEvaluateOnNewDocument", source="""const had = window.fetch; let refused = 0;
        window.fetch = (url, ...more) => url.includes("usage") && !refused++ ? Promise.reject(new Error("busy")) : had(url, ...more);""")
    browser.look_like(1280, 900, dark=False)
    opened(browser)
    browser.run("clearInterval(timers[2])")
    browser.until("refused > 1 && document.getElementById('usage-table').querySelector('tbody').textContent !== '…'")
    browser.run("refused = 0; document.querySelector('[value=days]').click()")
    browser.until("refused > 1 && [...cards.values()].every((card) => card.graph.kind === 'days')")
    # Nor does a link that comes wait for its graph.
    browser.run("cards.get('dsl').node.remove(); cards.delete('dsl')")
    browser.until("cards.has('dsl') && cards.get('dsl').graph.kind === 'days'")


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_looks(bare, browser, start, tmp_path, phone):
    """On both widths and in both colours: all can be read, has a name, and fits."""
    daemon = start()
    daemon.doctor("host")
    with peers.listen(bare.server, mptcp=True) as listening, session(daemon, listening):
        colours = set()
        for dark in False, True:
            browser.look_like(*((390, 844) if phone else (1280, 900)), dark, phone)
            if not colours:
                opened(browser)
                browser.run("document.getElementById('sessions').scrollIntoView({behavior: 'instant'})")
                browser.until("document.querySelectorAll('#session-table .more').length === 1 && "
                              "document.querySelectorAll('#doctor-table .badge').length > 0")
                browser.run("document.querySelector('#session-table .more').click()")
                browser.until("/upstream: /.test(document.getElementById('session-table').textContent)")
            browser.until(f"document.documentElement.dataset.theme === '{'dark' if dark else 'light'}'")
            assert browser.run(ACCESSIBLE) == []
            colours.add(browser.run("getComputedStyle(document.body).backgroundColor"))
            keep_picture(browser, tmp_path, f"{'phone' if phone else 'desktop'}-{'dark' if dark else 'light'}")
        assert len(colours) == 2
    # Labels below a graph keep away from each other.
    for span in "seconds", "minutes", "hours", "days":
        browser.run(f"document.querySelector('[value={span}]').click()")
        browser.until("document.querySelectorAll('#link-cards text.time').length >= 4")
        assert float(browser.run("""Math.min(...[...document.querySelectorAll('#link-cards svg')].flatMap((svg) => {
            const boxes = [...svg.querySelectorAll('text.time')].map((label) => label.getBoundingClientRect());
            return boxes.slice(1).map((box, i) => boxes[i].left - box.right);
        }))""")) >= 7, span
        keep_picture(browser, tmp_path, f"{'phone' if phone else 'desktop'}-{span}")
    # Somebody's own choice is kept.
    for wanted in "dark", "light":
        browser.run("document.getElementById('theme').click()")
        assert browser.run("document.documentElement.dataset.theme") == wanted
    browser.go(f"{HERE}/?again")
    assert browser.run("document.documentElement.dataset.theme") == "light"
    assert browser.said == []


def test_speed(bare, browser, start, tmp_path):
    """What the last speed test measured, and how far one is."""
    tokens = hop.write_tokens(tmp_path / "tokens", hop.Token("home").line())
    exit_ = Hawserd(bare, "--serve-exit", f"{SERVER4}:2080", "--tokens", str(tokens), "--exit-name", "one",
                    "--exit-allow", "10.77.9.0/24", listen=False, namespace=bare.server)
    daemon = start(f'exit "one" {{ address = "{SERVER4}" port = 2080 token-file = "{tokens}" }}')
    browser.look_like(1280, 900, dark=False)
    opened(browser)
    browser.run("document.getElementById('speedtest').scrollIntoView({behavior: 'instant'})")
    browser.until("/None since hawserd started/.test(document.getElementById('speed-table').textContent)")

    def is_shown() -> bool:
        """While it goes on, unless a busy machine has the page ask too late."""
        with speed.start(daemon, "--seconds", "2", "dsl") as process:
            shown, _ = until(lambda: (browser.run("/^measuring, \\d+ %: /.test(document.getElementById('speed-note').textContent)"),
                                      process.poll()), lambda seen: seen[0] or seen[1] is not None)
            process.wait(60)
        # It fails where nothing moves for a second.
        return shown and process.returncode == 0

    until(is_shown)
    browser.until("/exit one, moved /.test(document.getElementById('speed-note').textContent)")
    (row,) = daemon.ask("speedtest")["last"]["links"]
    cells = text(browser, "#speed-table tbody td").split("|")
    assert cells[0] == "dsl" and cells[-1] == row["said"] == ""
    for cell, way in zip(cells[1:3], ("download", "upload")):
        number, unit = cell.split()
        assert float(number) == pytest.approx(row[way]["bits_per_s"] / {"kbit/s": 1e3, "Mbit/s": 1e6}[unit], abs=0.6)
    assert cells[3] == f"{row['latency']['median_ms']:.1f} / {row['latency']['p95_ms']:.1f} ms"
    # One that has yielded, one beside which others moved something, and a name that would do harm.
    row["download"] = {"yielded": True, "others_bits_per_s": 5e6}
    row["upload"] |= {"bits_per_s": 8e6, "others_bits_per_s": 1e6}
    made = {"running": False, "last": {"time": 0, "exit": NASTY, "bytes": 7, "said": f"stopped by {NASTY}",
                                       "links": [row, {"name": "all", "together": True, "said": NASTY}]}}
    browser.run(f"showSpeed({json.dumps(made)})")
    cells = text(browser, "#speed-table tbody td").split("|")
    assert cells[1:3] == ["in use", "8.0 Mbit/s"] and cells[6] == (
        "download not measured: it was in the way of others, who move 5.0 Mbit/s; upload: others moved 1.0 Mbit/s beside it")
    assert cells[7:] == ["all together", "", "", "", "", "", NASTY]
    assert text(browser, "#speed-said") == f"stopped by {NASTY}" and browser.run("document.images.length") == 0
    for phone in False, True:
        browser.look_like(390 if phone else 1280, 900, dark=False, phone=phone)
        keep_picture(browser, tmp_path, f"speed-{'phone' if phone else 'desktop'}")
        assert browser.run(ACCESSIBLE) == [] and browser.said == []
    exit_.finish()


def test_portal(browser, start):
    """Where a link leads to a page to log in at, that is a link, unless it would do something else here."""
    start()
    browser.look_like(1280, 900, dark=False)
    opened(browser)
    show = """(portal) => { const node = document.createElement("p"); showPortal(node, portal);
        return [node.hidden, node.textContent, [...node.querySelectorAll("a")].map((each) => each.href)]; }"""
    assert browser.run(f"({show})(undefined)") == [True, "", []]
    for url, leads in ("http://192.0.2.1:8081/", True), ("javascript:alert(1)", False), ("\njavascript:x", False), (NASTY, False):
        found = browser.run(f"({show})({json.dumps({'login': url, 'url': ''})})")
        assert found == [False, f"Wants a log-in: {url}", [url] if leads else []]


def test_keyboard(browser, start):
    """All is reached and used without a mouse."""
    start()
    browser.look_like(1280, 900, dark=False)
    opened(browser)
    focus = "document.activeElement.id || document.activeElement.textContent.trim() || document.activeElement.value || document.activeElement.tagName"
    browser.key("Tab")
    assert browser.run(focus) == "Skip to the links"
    assert browser.run("document.activeElement.getBoundingClientRect().left") >= 0
    browser.key("Enter")
    browser.until("location.hash === '#links'")
    browser.key("Tab")
    assert browser.run(focus) == "seconds"
    browser.key("ArrowRight")
    assert browser.run("document.querySelector('input[name=span]:checked').value") == "minutes"
    browser.key("ArrowLeft")
    browser.key("Tab")
    assert browser.run("document.activeElement.tagName") == "svg"
    browser.until("document.querySelectorAll('#link-cards path.down').length === 2")
    browser.key("ArrowLeft")
    browser.until("/down .* up /.test(document.querySelector('figcaption').textContent)")
    # It stays where it is while the graph goes on.
    time.sleep(2.5)
    assert browser.run("/down .* up /.test(document.querySelector('figcaption').textContent) && "
                       "document.activeElement.tagName === 'svg'")
    browser.key("Escape")
    browser.until("document.querySelector('figcaption').textContent === ''")
    reached = set()
    for _ in range(40):
        browser.key("Tab")
        reached.add(browser.run(focus))
    assert {"filter", "link", "30", "event-list", "Exits", "theme"} <= reached
    assert browser.said == []


def test_token(browser, start, tmp_path):
    """It is asked for, a wrong one is said to be so, and it is in no address."""
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n", "ascii")
    file.chmod(0o600)
    start(f'metrics {{ token-file = "{file}" }}')
    browser.look_like(390, 844, dark=True, phone=True)
    browser.go(f"{HERE}/")
    browser.until("!document.getElementById('login').hidden && document.activeElement.id === 'token'")
    assert browser.run(ACCESSIBLE) == []
    for word, right in (("wrong", False), (TOKEN, True)):
        browser.type(word)
        browser.key("Enter")
        if not right:
            browser.until("!document.getElementById('wrong').hidden && document.activeElement.id === 'token'")
            assert browser.run("document.getElementById('content').hidden")
    browser.until("!document.getElementById('content').hidden && document.getElementById('login').hidden")
    browser.go(f"{HERE}/?again")
    browser.until("!document.getElementById('content').hidden")
    assert not any(TOKEN in url for url in browser.asked) and browser.run("document.cookie") == ""
    assert browser.run("localStorage.getItem('hawser-token')") is None


def test_hawserd_comes_and_goes(browser, start):
    """The page says so, and goes on by itself."""
    daemon = start()
    browser.look_like(1280, 900, dark=False)
    opened(browser)
    assert browser.run("document.getElementById('banner').hidden")
    daemon.process.kill()
    daemon.wait()
    browser.until("!document.getElementById('banner').hidden && "
                  "/does not answer/.test(document.getElementById('banner').textContent)")
    assert browser.run(ACCESSIBLE) == []
    start()
    browser.until("document.getElementById('banner').hidden")
