# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures by HTTP: that they are right, and for whom they are."""

from __future__ import annotations

import contextlib
import functools
import json
import re
import subprocess
import time
import urllib.parse
from pathlib import Path

import pytest

import hop
import peers
from conftest import ROOT
from daemon import Hawserd
from exit_net import Net, hello
from handshakes import Refused, read
from links import bare_bed
from topology import CLIENT4, LAN4, SERVER4
from waiting import until
# pylint: disable-next=unused-import
from web import (LOCAL, OPENMETRICS, PORT, TOKEN, conf, echo, get, samples, scrape, send,
                 token_file, visitor)

pytestmark = pytest.mark.mptcp


# What is told.


def check_metrics(text: str) -> None:
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False,
                          timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_figures(bed, hawserd, echo):
    """They are those of the sessions, in both forms."""
    daemon = hawserd(*LOCAL, "--workers", "2")
    send(daemon, echo, 1000)
    send(daemon, echo, 234)
    with pytest.raises(Refused):
        daemon.dial(SERVER4, 1)
    until(daemon.active, lambda active: active == 0)
    plain = get(bed.router, "/metrics")
    assert plain.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = samples(plain.text)
    status = daemon.status()
    assert found["hawser_bytes_total", "direction=up"] == 1234 == status["bytes"]["up"]
    assert found["hawser_bytes_total", "direction=down"] == 1234
    moved = {key: value for key, value in found.items() if key[0] == "hawser_moved_bytes_total"}
    assert sum(moved.values()) == 2468 and {key[3:] for key in moved} == {("client=tcp", "upstream=mptcp")}
    assert found["hawser_sessions_started_total",] == 3 and found["hawser_sessions",] == 0
    assert found["hawser_sessions_ended_total", "cause=none"] == 2
    assert found["hawser_sessions_ended_total", "cause=refused"] == 1
    assert sum(value for key, value in found.items() if key[0] == "hawser_sessions_ended_total") == 3
    assert found["hawser_upstream_connections_total", "transport=mptcp"] == 2
    assert found["hawser_client_connections_total", "transport=tcp"] == 3
    assert found["hawser_requests_total", "protocol=socks5"] == 3
    for name, count in ("hawser_connect_duration_seconds", 2), ("hawser_first_byte_duration_seconds", 2):
        via = ("via=direct",) if "connect" in name else ()
        buckets = [value for key, value in found.items() if key[0] == f"{name}_bucket" and set(via) <= set(key)]
        assert buckets == sorted(buckets) and buckets[-1] == count == found[(f"{name}_count", *via)]
        assert 0 < found[(f"{name}_sum", *via)] < 60
    assert 1e6 < found["process_resident_memory_bytes",] < 1e9
    assert abs(found["process_start_time_seconds",] - time.time()) < 600
    manual = (ROOT / "man/hawserd.8").read_text("utf-8")
    families = set(re.findall(r"^# TYPE (\S+)", plain.text, re.M))
    assert families == names(manual[manual.index(".Sh METRICS"):]) and len(found) < 300
    other = get(bed.router, "/metrics", Accept=OPENMETRICS)
    assert other.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert other.text.endswith("\n# EOF\n") and set(samples(other.text)) == set(found)


def test_a_first_byte_that_comes_late(bed, hawserd):
    """It is the destination's delay, not the handshake's, and counts once."""
    daemon = hawserd(*LOCAL)
    with peers.listen(bed.server) as listening, daemon.dial(SERVER4, peers.port_of(listening)) as client, \
            peers.accept(listening) as server:
        client.sendall(b"?")
        read(server, 1)
        assert scrape(bed.router)["hawser_first_byte_duration_seconds_count",] == 0
        time.sleep(0.3)
        for answer in b"!", b"!!":
            server.sendall(answer)
            read(client, len(answer))
            found = scrape(bed.router)
            assert found["hawser_first_byte_duration_seconds_count",] == 1
            assert found["hawser_first_byte_duration_seconds_bucket", "le=0.25"] == 0
            assert found["hawser_connect_duration_seconds_bucket", "via=direct", "le=30.0"] == 1


def test_exits_and_tokens(bed, hawserd, echo, tmp_path):
    net = Net(bed, hawserd, tmp_path)
    net.serve("one")
    with_metrics = f'listen "metrics" {{ address = "127.0.0.1:{PORT}" metrics = yes }}'
    router = net.settled("one", more=f"{with_metrics} upstream {{ exit-probe = 0.5 }}")
    hello(router, echo.port)
    until(router.active, lambda active: active == 0)
    found = scrape(bed.router)
    assert found["hawser_exit_up", "exit=one"] == 1
    assert found["hawser_exit_sessions_started_total", "exit=one"] == 1
    assert 0 < found["hawser_exit_rtt_seconds", "exit=one"] < 60
    assert found["hawser_connect_duration_seconds_count", "via=exit"] == 1
    net.kill("one")
    until(lambda: scrape(bed.router)["hawser_exit_up", "exit=one"], lambda up: up == 0)


def test_promtool(bed, hawserd, echo, tmp_path):
    """Which has nothing against a router's figures, nor an exit's."""
    net = Net(bed, hawserd, tmp_path)
    net.serve("one", "--metrics", f"{SERVER4}:{PORT}", "--metrics-allow", f"{SERVER4}/32")
    with_metrics = f'listen "metrics" {{ address = "127.0.0.1:{PORT}" metrics = yes }}'
    hello(net.settled("one", more=with_metrics), echo.port)
    check_metrics(get(bed.router, "/metrics").text)
    text = get(bed.server, "/metrics", SERVER4).text
    assert samples(text)["hawser_token_sessions", "token=home"] in (0, 1)
    check_metrics(text)


# Who may.


@pytest.mark.parametrize(("options", "said"), [
    (("--metrics", f"{LAN4}:{PORT}"), "not loopback, so all could see who goes where"),
    (("--metrics", "9180"), "expected an IP address and a port"),
    ((*LOCAL, "--metrics-token", "/nowhere"), "cannot be read: No such file or directory"),
    ((*LOCAL, "--metrics-token", "/etc/hostname"), "no token on its first line"),
    ((*LOCAL, "--metrics-host", "a b"), "expected a domain"),
    ((*LOCAL, "--metrics-allow", "10.0.0.1/8"), "expected ADDR or ADDR/BITS"),
    ((*LOCAL, "--socks", f"127.0.0.1:{PORT}"), "a second listener on this address"),
])
def test_bad_settings(build, options, said):
    done = subprocess.run([build / "hawserd", "--check", *options], capture_output=True, text=True, check=False,
                          timeout=60)
    assert done.returncode == 2 and said in done.stderr


def test_a_listener_of_two_kinds(build, tmp_path):
    file = tmp_path / "conf"
    file.write_text('listen "x" { address = "127.0.0.1:1" metrics = yes transparent = yes }', "ascii")
    done = subprocess.run([build / "hawserd", "-c", file, "--check"], capture_output=True, text=True, check=False,
                          timeout=60)
    assert done.returncode == 2 and "a listener for metrics is no proxy" in done.stderr


def test_only_metrics_leaves_the_default_listeners(bed, hawserd):
    daemon = hawserd(*LOCAL, listen=False)
    addresses = {listener["address"] for listener in daemon.status()["listeners"]}
    assert {"127.0.0.1:1080", f"127.0.0.1:{PORT}"} <= addresses
    assert get(bed.router, "/metrics").status == 200


def test_allowed_range(bed, hawserd):
    hawserd("--metrics", f"{LAN4}:{PORT}", "--metrics-allow", f"{CLIENT4}/32")
    assert get(bed.client, "/metrics", LAN4).status == 200
    answer = get(bed.router, "/metrics", LAN4)
    assert answer.status == 403 and "metrics { allow }" in answer.text
    assert get(bed.router, "/", LAN4).status == 403
    # A page of somebody else's whose name leads here.
    assert get(bed.client, "/metrics", LAN4, Host="evil.example").status == 421
    assert get(bed.client, "/", LAN4, Host="evil.example").status == 421


def test_token(bed, hawserd, token_file):
    daemon = hawserd("--metrics", f"{LAN4}:{PORT}", "--metrics-token", str(token_file))
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert get(bed.client, "/metrics", LAN4, **bearer).status == 200
    assert get(bed.client, "/api/status", LAN4, **bearer, Host="any.example").json()["version"]
    answer = get(bed.client, "/metrics", LAN4)
    assert answer.status == 401 and answer.headers["WWW-Authenticate"].startswith("Bearer")
    # Which has nothing to tell, and asks for it.
    assert get(bed.client, "/", LAN4).status == 200
    assert get(bed.client, f"/metrics?token={TOKEN}", LAN4).status == 401
    with visitor(bed.client, LAN4) as one:
        began, ask_wrongly = time.monotonic(), functools.partial(one.get, "/api/status", Authorization="Bearer wrong")
        assert ask_wrongly().status == 401
        until(lambda: [ask_wrongly().status for _ in range(30)], lambda statuses: 429 in statuses, seconds=60)
        # Somebody else's guesses from the same address.
        assert one.get("/metrics", **bearer).status == 200
    lines = [line for line in daemon.log().splitlines() if "wrong token for metrics" in line]
    assert lines and TOKEN not in daemon.log()
    assert len(lines) <= 10 * (2 + (time.monotonic() - began) // 60)
    assert re.search(rf"warning: log-in failed from {CLIENT4} port \d+ at {LAN4}:{PORT}, name -: wrong token", lines[0])
    assert get(bed.router, "/metrics", LAN4, **bearer).status == 200


def test_what_is_there(bed, hawserd, echo):
    """JSON as the control socket has it, headers that keep it private, and nothing that changes anything."""
    daemon = hawserd(*LOCAL)
    with visitor(bed.router) as one, daemon.dial(SERVER4, echo.port) as client:
        client.sendall(b"x")
        read(client, 1)
        for command in "status", "links", "rates", "exits", "doctor", "sessions", "events", "speedtest":
            answer = one.get(f"/api/{command}")
            assert answer.status == 200 and answer.headers["Content-Type"] == "application/json"
            assert answer.headers["Cache-Control"] == "no-store"
            assert set(daemon.ask(command)) <= set(answer.json())
        (session,) = one.get("/api/sessions?limit=1").json()["sessions"]
        detail = one.get(f"/api/session?id={session['id']}").json()
        assert detail["session"]["id"] == session["id"] and detail["subflows"]
        assert one.get("/api/usage?by=client&days=1").json()["usage"][0]["up"] == 1
        assert "error" in one.get("/api/usage?by=nobody").json()
        # An id would renew the lease of a speed test.
        for wrong in "sessions?limit=1001", "session?id=-1", "speedtest?id=1", "status?limit=1", "usage?id=1", "events?name=x":
            answer = one.get(f"/api/{wrong}")
            assert answer.status == 400 and answer.text.startswith(re.split("[?=]", wrong)[1] + ": expected "), wrong
        for path in "/api/reload", "/api/upgrade", "/api/run", "/api/let-go", "/api/speedtest-start", "/api/", "/x", "/metrics/", "//metrics":
            assert one.get(path).status == 404, path
        head = one.get("/metrics", "HEAD")
        assert (head.status, head.text) == (200, "") and int(head.headers["Content-Length"]) > 1000
    for method in "POST", "PUT", "DELETE", "OPTIONS", "TRACE":
        with visitor(bed.router) as one:
            assert one.get("/metrics", method, b"x" * 100000 if method == "POST" else None).status == 405
    assert daemon.status()["configuration"].get("reload") is None


def test_doctor(bed, hawserd):
    """The page has what the last one found."""
    daemon = hawserd(*LOCAL)
    assert get(bed.router, "/api/doctor").json()["checks"] == []
    found = daemon.doctor("host")
    answer = get(bed.router, "/api/doctor").json()
    assert {check["check"]: check for check in answer["checks"] if check["subject"] == "host"} == found
    assert answer["verdict"] in ("ok", "warn", "fail") and abs(answer["time"] - time.time()) < 60


# Prometheus.


@contextlib.contextmanager
def prometheus(bed, directory: Path):
    """One that scrapes the router twice a second, by the examples. Yields how to ask it."""
    text = (ROOT / "examples/prometheus.yml").read_text("utf-8").replace("15s", "500ms")
    (directory / "prometheus.yml").write_text(text, "utf-8")
    (directory / "prometheus-alerts.yml").write_bytes((ROOT / "examples/prometheus-alerts.yml").read_bytes())
    with (directory / "log").open("w") as log:
        process = bed.router.start(
            ["prometheus", f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data",
             "--web.listen-address=127.0.0.1:9090", "--log.level=warn"], stdout=log, stderr=log)

    def query(path: str, **arguments: str) -> dict:
        answer = get(bed.router, f"/api/v1/{path}?{urllib.parse.urlencode(arguments)}", port=9090).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def up() -> bool:
        assert process.poll() is None, (directory / "log").read_text("utf-8")
        try:
            result = query("query", query='count_over_time(up{job="hawser"}[1m]) > 2')["result"]
        except (OSError, ValueError, AssertionError):
            return False
        return bool(result)

    try:
        until(up, seconds=60)
        yield query
    finally:
        process.terminate()
        process.wait(30)


def expressions() -> list[str]:
    """Of the dashboard, as Grafana sends them."""
    panels = json.loads((ROOT / "examples/grafana-dashboard.json").read_text("utf-8"))["panels"]
    found = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    return [text.replace("$job", "hawser").replace("$instance", f"127.0.0.1:{PORT}")
            .replace("$__rate_interval", "1m") for text in found]


def names(text: str) -> set[str]:
    return set(re.findall(r"\b(?:hawser|process)_\w+", text))


def test_prometheus(build, bed, tmp_path):
    """Debian's scrapes it, the alert rules run, and what the dashboard asks for is there."""
    with bare_bed(build, tmp_path, True) as bare, \
            contextlib.closing(peers.Server(bare.server, peers.echo, mptcp=True)) as echo:
        tokens = hop.write_tokens(tmp_path / "tokens", hop.Token("home").line())
        # It is an exit as well.
        more = [f'listen "e" {{ address = "127.0.0.1:1099" tokens = "{tokens}" }}',
                f'exit "one" {{ address = "{SERVER4}" port = 1081 token-file = "{tokens}" }}']
        more += [f'link "wan-{link}" {{ device = "{link}" quota = 1M }}' for link in "ab"]
        exit_ = Hawserd(bare, "--serve-exit", f"{SERVER4}:1081", "--tokens", str(tokens), "--exit-name", "one",
                        "--exit-allow", f"{SERVER4}/32", listen=False, namespace=bare.server)
        path = conf(tmp_path / "conf", PORT, "\n".join(more))
        daemon = Hawserd(bare, "-c", str(path), listen=False)
        until(lambda: daemon.ask("exits")["exits"][0]["state"], lambda state: state == "up")
        send(daemon, echo, 100_000)
        with prometheus(bare, tmp_path) as query:
            here = {f"{key[0]}" for key in scrape(bare.router)}
            here |= {re.sub("_bucket$", "", name) for name in here}
            until(lambda: set(query("label/__name__/values")),
                  lambda there: all(name in there or f"{name}_bucket" in there for name in here))
            assert query("query", query="hawser_build_info")["result"][0]["metric"]["version"]
            announced = names(get(bare.router, "/metrics").text)
            waiting = set(expressions())
            for text in waiting:
                assert {re.sub("_bucket$", "", name) for name in names(text)} <= announced, text

            def left() -> set[str]:
                """Those without an answer yet; a share of nothing is NaN, so something goes on."""
                send(daemon, echo, 100)
                with contextlib.suppress(Refused):
                    daemon.dial(SERVER4, 9).close()
                for text in sorted(waiting):
                    if any(row["value"][1] != "NaN" for row in query("query", query=text)["result"]):
                        waiting.remove(text)
                return waiting

            until(left, lambda texts: not texts)
            check_metrics(get(bare.router, "/metrics").text)
            rules = until(lambda: query("rules")["groups"][0]["rules"],
                          lambda rules: all(rule["health"] == "ok" for rule in rules))
            assert len(rules) >= 14
            for rule in rules:
                assert {re.sub("_bucket$", "", name) for name in names(rule["query"])} <= announced, rule["name"]
            bare.router.run("ip", "link", "set", "dev", "a", "down")
            alerts = until(lambda: {(alert["labels"]["alertname"], alert["labels"].get("link")): alert["state"]
                                    for alert in query("alerts")["alerts"]},
                           lambda alerts: ("HawserLinkDown", "wan-a") in alerts, seconds=60)
            assert alerts["HawserLinkDown", "wan-a"] == "pending"
        daemon.finish()
        exit_.finish()
