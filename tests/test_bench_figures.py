# SPDX-License-Identifier: GPL-2.0-or-later
"""What bench/ makes of measurements: figures, who is best, tables, plots. Nothing is measured here."""

from __future__ import annotations

import argparse
import xml.etree.ElementTree
from dataclasses import replace

import bench
import idle
import pytest
import results
import router
import run
from chains import CHAINS
from contenders import AUTO, DIRECT, OWN
from figures import RowFigures
from output import Outcome, markdown, tsv
from other_proxies import PEERS, Peer, version_numbers
from bench_site import Forward, Target
from plots import plots
from report import are_alike, loss_signs, row_text, verdict_text
from rows import BEST_PEER, ROWS, Bound, Row, exchange
from svg_chart import Axis, Chart, Point, svg

TALK = Row("talk-32x64", "talk", "tcp", exchange(32), "rate")
IDLE = Row("idle-10", "idle", "tcp", {"work": "idle", "connections": 10}, "memory")
A, B = (Peer(name, name) for name in "ab")
NAMES = ["direct", "a", "b"]
LOSSY = {"half_close": "lost", "server_reset": "clean end", "client_reset": "reset"}


def talked(per_second: float, idle_share: float = 0.5) -> dict:
    return {"per_second": per_second, "exchanges": per_second, "seconds": 1.0, "cpus": 2, "idle_at_rest": 1.0,
            "idle": idle_share, "others": 0.0, "steal": 0.0, "second_link_share": 0.0, "beside": None,
            "latency_us": {"p50": 10.0, "p99": 20.0, "p99.9": 30.0},
            "distribution_us": [[0.5, 10.0], [0.99, 20.0], [1, 40.0]]}


def rounds(*rates: tuple[float, float, float]) -> list[dict]:
    return [dict(zip(NAMES, map(talked, each))) for each in rates]


def outcome(found: list[dict], row: Row = TALK, **ends: dict) -> Outcome:
    return Outcome(RowFigures(row, found), [DIRECT, A, B], [], ends)


def test_cpu_is_what_the_spinners_lost():
    figures = RowFigures(TALK, [{"a": talked(1000)}])
    # Half of two CPUs for a second, in ms for 1,000 exchanges.
    assert figures.absolute("a", "cpu").median == pytest.approx(1000)
    assert RowFigures(TALK, [{"a": talked(1000, 1.2)}]).absolute("a", "cpu") is None
    busy = talked(1000, 0) | {"idle_at_rest": 0.0}
    assert RowFigures(TALK, [{"a": busy}]).absolute("a", "cpu") is None
    blind = {name: value for name, value in talked(1000).items() if name not in ("idle", "cpus")}
    figures = RowFigures(TALK, [{"a": blind}])
    assert figures.absolute("a", "cpu") is None and figures.absolute("a", "rate").median == 1000
    assert figures.disturbed("a") == 1


def test_one_link_only_is_told_of_bulk():
    bulk = replace(TALK, leg="near", load={"work": "download"})
    found = [{"a": talked(1) | {"mbit_per_s": 9.0, "bytes": 9, "second_link_share": share}} for share in (0.05, 0.4)]
    assert RowFigures(bulk, found).one_link_only("a") == 1
    assert RowFigures(replace(TALK, leg="near"), found).one_link_only("a") == 0


def test_best_is_told_from_others_only_if_it_always_is():
    clear = RowFigures(TALK, rounds((300, 100, 120), (300, 90, 130), (300, 100, 110)))
    assert clear.best("rate", ["a", "b"]) == ["b"]
    assert clear.best("cpu", ["a", "b"]) == ["b"]
    crossing = RowFigures(TALK, rounds((300, 100, 120), (300, 130, 100), (300, 100, 120)))
    assert crossing.best("rate", ["a", "b"]) == ["b", "a"]
    near = RowFigures(TALK, rounds((300, 100, 101), (300, 100, 101)))
    assert near.best("rate", ["a", "b"]) == ["b", "a"]
    assert clear.best("memory", ["a", "b"]) == []


def test_a_row_says_that_nobody_can_tell_them_apart():
    near, clear = outcome(rounds((300, 100, 101))), outcome(rounds((300, 100, 150)))
    assert are_alike(near.figures, near.contenders, "rate")
    assert not are_alike(clear.figures, clear.contenders, "rate")
    words = "nobody can tell"
    assert words in row_text(near.figures, near.contenders, [], {})
    assert words not in row_text(clear.figures, clear.contenders, [], {})
    assert words in markdown([near], NAMES) and words not in markdown([clear], NAMES)
    # No proxy at all is a measure, not a rival.
    assert "150 (150–150)*" in row_text(clear.figures, clear.contenders, [], {})


def test_among_those_that_are_alike_none_stands_out():
    """Also where another failed; who alone did not fail does."""
    def found(**rates: float) -> Outcome:
        each = {name: run.failed("reset") for name in "abc"} | {name: talked(rate) for name, rate in rates.items()}
        return Outcome(RowFigures(TALK, [each]), [A, B, Peer("c", "c")], [], {})

    for some, best in (found(a=100, b=101), []), (found(a=100, b=150), ["b"]), (found(a=100), ["a"]), (found(), []):
        assert some.best("rate") == best
        text = row_text(some.figures, some.contenders, [], {}) + markdown([some], list("abc"))
        assert ("*" in text) == bool(best) and ("nobody can tell" in text) == (not best and bool(some.figures.rounds[0]))
    alone = Outcome(RowFigures(TALK, [{"a": talked(100)}]), [DIRECT, A], [], {})
    assert alone.best("rate") == []


def test_losses_stand_in_every_table():
    lossy = outcome(rounds((300, 100, 150)), a=LOSSY)
    assert loss_signs(LOSSY) == "H S" and loss_signs(None) == ""
    line, = [line for line in row_text(lossy.figures, lossy.contenders, [], lossy.ends).splitlines()
             if line.startswith("  a ") and "(100" in line]
    assert line.endswith("H S")
    assert markdown([lossy], NAMES).splitlines()[-1] == "| loses |  |  | H S |  |"
    assert [line.split("\t")[-4] for line in tsv([lossy]).splitlines() if "\ta\trate\t" in line] == ["H S"]


def test_what_failed_is_shown_as_failed():
    found = [{"direct": talked(300), "a": run.failed("nobody listens"), "b": talked(100)}]
    failed = Outcome(RowFigures(TALK, found), [DIRECT, A, B], run._failures(found), {})
    assert "round 1, a: nobody listens" in row_text(failed.figures, failed.contenders, failed.failures, {})
    assert "| exchanges/s | 300 | failed | " in markdown([failed], NAMES)
    assert "talk-32x64\ta\t\t\t\t\t\t0\t\t\t\t1\t0\t0\n" in tsv([failed])


def in_tsv(found: Outcome, name: str, figure: str) -> dict[str, str]:
    heads, *lines = (line.split("\t") for line in tsv([found]).splitlines())
    line, = [dict(zip(heads, line)) for line in lines if line[1:3] == [name, figure]]
    return line


def test_who_failed_in_some_rounds_is_not_the_best():
    found = rounds((300, 200, 100), (300, 200, 100), (300, 200, 100))
    found[0]["a"] = found[2]["a"] = run.failed("reset")
    some = outcome(found)
    assert some.figures.best("rate", ["a", "b"]) == ["b"]
    assert "| 300 | 200 (1 of 3, 2 of 3 failed) | **100** |" in markdown([some], NAMES)
    line = in_tsv(some, "a", "rate")
    assert (line["rounds"], line["best"], line["failed"], line["disturbed"]) == ("1", "", "2", "0")
    text, = [line for line in row_text(some.figures, some.contenders, [], {}).splitlines() if line.startswith("  a ")
             and "failed" in line]
    assert "2 of 3 failed" in text and "*" not in text


def test_doubt_stands_beside_the_figure():
    bulk = replace(TALK, leg="near", load={"work": "download"})
    found = [{name: {**measured, "mbit_per_s": measured["per_second"], "bytes": 9} for name, measured in each.items()}
             for each in rounds((300, 200, 100), (300, 200, 100))]
    found[1]["a"]["others"] = 0.5
    for name in "direct", "b":
        for each in found:
            each[name]["second_link_share"] = 0.5
    doubtful = outcome(found, bulk)
    assert "| 300 | **200** (1 of 2 disturbed, 2 of 2 over one link only) | 100 |" in markdown([doubtful], NAMES)
    line = in_tsv(doubtful, "a", "rate")
    assert (line["failed"], line["disturbed"], line["one-link"]) == ("0", "1", "2")


@pytest.mark.parametrize("count", [2, 3, 4, 7])
def test_none_always_follows_the_same_one(count):
    names = list(range(count))
    orders = [run.order(names, number) for number in range(3)]
    assert all(sorted(each) == names for each in orders)
    for one in names:
        before = [each[each.index(one) - 1] if each.index(one) else None for each in orders]
        assert len(set(before)) > 1, (one, orders)
    assert {each[0] for each in (run.order(names, number) for number in range(2 * count))} == set(names)


def test_tsv_has_every_figure_with_its_spread():
    lines = [line.split("\t") for line in
             tsv([outcome(rounds((300, 100, 120), (300, 90, 130), (300, 105, 110)))]).splitlines()]
    heads, *rows = lines
    assert all(len(line) == len(heads) for line in lines)
    rate, = [dict(zip(heads, line)) for line in rows if line[1:3] == ["b", "rate"]]
    assert rate == {"row": "talk-32x64", "contender": "b", "figure": "rate", "unit": "exchanges/s",
                    "median": "120", "lowest": "110", "highest": "130", "rounds": "3",
                    "of-direct": "0.4", "best": "best", "loses": "", "failed": "0", "disturbed": "0",
                    "one-link": "0"}
    assert {line[2] for line in rows} == {"rate", "cpu", "p50", "p99", "p99.9"}


def silent(user: int, kernel: int) -> dict:
    return {"user_bytes": user * 1024, "kernel_bytes": kernel * 1024, "wakeups_per_s": 2.0,
            "others": 0.0, "steal": 0.0, "idle": 1, "idle_at_rest": 1, "second_link_share": 0}


def test_ends_of_idle_sessions_are_not_the_proxys():
    figures = RowFigures(IDLE, [{"direct": silent(0, 8), "a": silent(2, 18)},
                                {"direct": silent(0, 10), "a": silent(2, 18)}])
    assert figures.absolute("a", "kernel").median == 9
    assert figures.absolute("a", "memory").median == 11


def test_without_direct_nobody_knows_what_the_ends_have():
    figures = RowFigures(IDLE, [{"a": silent(2, 18), "b": silent(3, 18)}])
    assert figures.absolute("a", "user").median == 2
    assert not figures.absolute("a", "kernel") and not figures.absolute("a", "memory")
    assert markdown([Outcome(figures, [A, B], [], {})], ["a", "b"]).splitlines()[2].endswith("| – | – |")


def test_less_than_nothing_is_not_the_best():
    def best(*kernels: tuple[int, int]) -> list[str]:
        found = [{"direct": silent(0, 10), "a": silent(0, a), "b": silent(0, b)} for a, b in kernels]
        return RowFigures(IDLE, found).best("memory", ["a", "b"])
    assert best((7, 12), (8, 12), (7, 13)) == ["a", "b"]
    assert best((10, 10), (10, 10)) == ["a", "b"]
    assert best((7, 400), (8, 410), (7, 405)) == ["a"]


def test_reads_what_the_kernel_tells():
    assert idle.kernel_bytes("MemTotal: 9 kB\nSlab:  100 kB\nPageTables: 20 kB\nKernelStack:  3 kB\n") == 123 * 1024
    assert idle.user_bytes("Rss:  9 kB\nPss:  7 kB\nPss_Anon: 1 kB\n") == 7 * 1024 and idle.user_bytes("") == 0
    assert idle.switches("voluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t2\n") == 7
    looks = [idle.Look(100, 1000, 10, 1.0), idle.Look(150, 1100, 20, 2.0), idle.Look(200, 1200, 26, 5.0)]
    assert idle.cost(*looks, 10) == {"user_bytes": 10, "kernel_bytes": 20, "wakeups_per_s": 2}


def test_plots_are_whole():
    many = [outcome(rounds((300, 100, 120), (300, 90, 130))),
            outcome(rounds((30, 10, 12)), replace(TALK, name="talk-1x64")),
            outcome([{"direct": {"error": "it failed"}}], replace(TALK, name="talk-256x64"))]
    drawn = plots(many, NAMES)
    assert set(drawn) == {"throughput-cpu.svg", "latency.svg", "sessions.svg"}
    for text in drawn.values():
        root = xml.etree.ElementTree.fromstring(text)
        words = [each.text for each in root.iter() if each.tag.endswith("text")]
        assert set(NAMES) <= set(words) and "nan" not in text
    sessions = xml.etree.ElementTree.fromstring(drawn["sessions.svg"])
    assert {"1", "32", "talk-Nx64"} <= {each.text for each in sessions.iter()}


def test_no_plot_of_an_earlier_run_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "hawserd_version", lambda: "")
    (tmp_path / "own.svg").touch()
    args = argparse.Namespace(out=str(tmp_path))
    for found, left in (outcome(rounds((300, 100, 120))), {"own.svg", "latency.svg", "throughput-cpu.svg"}), \
            (outcome([{"direct": silent(0, 8)}], IDLE), {"own.svg"}):
        results.Results(args, [DIRECT, A, B], {}).add(found, [], [])
        assert {path.name for path in tmp_path.glob("*.svg")} == left


@pytest.mark.parametrize("points", [[Point(5, 5)], [Point(5, 5), Point(5, 5)], [Point(1, 0), Point(1e9, 1e-3)]])
@pytest.mark.parametrize("logarithmic", [False, True])
def test_a_chart_of_little(points, logarithmic):
    xml.etree.ElementTree.fromstring(svg([Chart("<&>", Axis("x", logarithmic=logarithmic), Axis("y"),
                                                {"a": points})], ["a"]))


def test_rows_and_contenders_have_names_of_their_own():
    for known in bench.ALL_ROWS, bench.ALL_CONTENDERS:
        names = [each.name for each in known]
        assert len(names) == len(set(names))


def test_every_work_on_every_way():
    names = {row.name for row in bench.WORKS}
    for leg in "", "-near", "-far", "-both":
        assert {f"{way}-{count}{leg}" for way in ("down", "up", "both") for count in (1, 8, 64)} <= names
        assert {f"talk-{count}x{size}{leg}" for count in (1, 32, 256) for size in ("64", "1k", "16k")} <= names
        assert {f"{name}{leg}" for name in ("churn", "paced", "idle-1000")} <= names
    assert {f"router{share}-down" for share in (10, 25, 50)} <= names


def test_quick_takes_less_than_ten_minutes():
    (number, seconds, warm_up, idle_s), _ = bench._SETS["quick"]
    args = argparse.Namespace(rounds=number, seconds=seconds, warm_up=warm_up, idle=idle_s, set="quick",
                              rows=None, contenders=None)
    wanted = [each for each in bench._wanted(args) if not each.is_given]
    by_row = [(row, [each for each in wanted if each.takes(row)]) for row in bench._rows(args)]
    assert all(len(contenders) > 2 for _, contenders in by_row)
    # And what becomes of ends, once for each way.
    assert run.estimate_s(args, by_row) < 540


def test_who_takes_what():
    chain, = [row for row in bench.WORKS if row.name == "chain-down"]
    local = next(row for row in ROWS if row.local)
    few = replace(IDLE, load={**IDLE.load, "connections": 2000})
    named = {each.name: each for each in bench.ALL_CONTENDERS}
    assert all(each.takes(chain) for each in CHAINS) and not any(each.takes(TALK) for each in CHAINS)
    assert DIRECT.takes(chain) and not any(each.takes(chain) for each in [*PEERS, AUTO])
    assert not any(each.takes(local) for each in PEERS)
    assert named["haproxy"].takes(few) and not named["socat"].takes(few)
    assert {each.name for each in OWN if each.takes(local) and not each.takes(TALK)} == {"local-accel"}
    rows = {row.name: row for row in bench.ALL_ROWS}
    assert [name for name in ("talk-32x64", "churn", "turns-down-1", "down-1", "idle-1000", "talk-32x64-near")
            if named["packets"].takes(rows[name])] == ["talk-32x64", "churn", "turns-down-1"]


class Started:
    """In place of a Place: what a peer would run, and its files."""

    def __init__(self, directory):
        self.directory, self.started, self.commands = directory, [], []
        self.stack = self.topology = None

    def run(self, *command, namespace=None):
        self.commands.append(command)
        self.started.append(namespace)

    def wait(self):
        pass


ENTRIES = [Forward(Target("10.0.0.1", 1080), Target("10.0.0.9", 5001)),
           Forward(Target("10.0.0.1", 1081), Target("10.0.0.9", 5002))]


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
@pytest.mark.parametrize(("listens", "dials"), [(False, False), (True, False), (False, True), (True, True)])
def test_templates_are_filled(peer, listens, dials, tmp_path, monkeypatch):
    monkeypatch.setattr(Peer, "path", "/opt/peer")
    monkeypatch.setattr(Peer, "version", lambda _: "2.6.12")
    place = Started(tmp_path)
    peer.serve(place, ENTRIES, None, listens, dials)
    files = "".join(path.read_text("ascii") for path in tmp_path.iterdir())
    said = files + " ".join(word for command in place.commands for word in command)
    assert "/opt/peer" in said and "10.0.0.1" in said and "1080" in said
    if peer.each:
        assert "1081" in said and "10.0.0.9" in said and "5002" in said
    for template in "{program}", "{address}", "{port}", "{config}", "{to_port}", "_kind}", "s_mptcp}", "{{":
        assert template not in said
    assert said.count("{") == said.count("}")
    speaks = any(sign in said for sign in ("mptcpize", "LD_PRELOAD", "GODEBUG", "true"))
    assert speaks == (listens or dials) or peer.speaks == "config"


def test_a_new_haproxy_speaks_by_itself(tmp_path, monkeypatch):
    haproxy = next(peer for peer in PEERS if peer.name == "haproxy")
    monkeypatch.setattr(Peer, "path", "/opt/haproxy")
    monkeypatch.setattr(Peer, "version", lambda _: "HAProxy version 3.2.1 2025/06/10")
    place = Started(tmp_path)
    haproxy.serve(place, ENTRIES[:1], None, False, True)
    (command,), (path,) = place.commands, tmp_path.iterdir()
    assert command[0] == "/opt/haproxy"
    assert "bind 10.0.0.1:1080" in path.read_text("ascii")
    assert "server target mptcp@10.0.0.9:5001" in path.read_text("ascii")


@pytest.mark.parametrize(("text", "numbers"), [
    ("HAProxy version 2.6.12-1+deb12u4 2026/10/17", (2, 6, 12)), ("nginx version: nginx/1.22.1", (1, 22, 1)),
    ("none", ())])
def test_versions(text, numbers):
    assert version_numbers(text) == numbers


def test_a_peer_that_is_not_here_says_how_it_can_be(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.delenv("PEER_HEV", raising=False)
    hev = next(peer for peer in PEERS if peer.name == "hev")
    assert "PEER_HEV=PATH" in hev.absence()
    monkeypatch.setenv("PEER_HEV", "/opt/hev")
    assert hev.absence() is None and hev.path == "/opt/hev"


@pytest.mark.parametrize(("variable", "name"), [("PEER_HEV", "hev"), ("PEER_XRAY", "xray"),
                                                ("PEER_SSLOCAL", "shadowsocks"), ("PEER_SSSERVER", "shadowsocks")])
def test_a_peer_whose_path_is_given_takes_part(variable, name, monkeypatch):
    for each in "PEER_HEV", "PEER_XRAY", "PEER_SSLOCAL", "PEER_SSSERVER":
        monkeypatch.delenv(each, raising=False)
    args = argparse.Namespace(set="quick", contenders=None)
    assert name not in [each.name for each in bench._wanted(args)]
    monkeypatch.setenv(variable, "/opt/peer")
    assert name in [each.name for each in bench._wanted(args)]


def test_all_chains_have_the_hosts_congestion_control(monkeypatch):
    started = []
    monkeypatch.setattr(router, "leave_links_alone", lambda _: None)
    for name in "start_exit", "start_router":
        monkeypatch.setattr(router, name, lambda *words: started.append(words))
    next(each for each in CHAINS if each.name == "hawserd-chain").start(Started(None))
    assert [words[-1] for words in started] == ["--congestion=system"] * 2


def test_a_bound_may_be_about_any_contender():
    figures = RowFigures(TALK, rounds((1000, 600, 400), (1000, 800, 400)))
    bound = Bound("rate", "direct", 0.9, "b")
    assert figures.verdict(bound, [DIRECT, A, B], {}).spread.median == pytest.approx(0.4)
    assert figures.verdict(replace(bound, subject="a", limit=0.7), [DIRECT, A, B], {}).reached
    assert "b, talk-32x64: rate at least 0.9 of direct" in verdict_text(figures.verdict(bound, [DIRECT, A, B], {}))


def test_the_best_other_proxy():
    figures = RowFigures(TALK, rounds((1000, 600, 400)))
    bound = Bound("rate", BEST_PEER, 1.5, "direct")
    verdict = figures.verdict(bound, [DIRECT, A, B], {})
    assert (verdict.of, verdict.reached) == ("a", True)
    assert figures.verdict(bound, [DIRECT, OWN[1]], {}).note == "no other proxy was measured"
    # It is not they who are missing.
    failing = RowFigures(TALK, [{"a": talked(1000), "x": run.failed("reset")}])
    about_x = replace(bound, subject="x")
    assert failing.verdict(about_x, [A], {}).note == "no figures"
    assert figures.verdict(about_x, [DIRECT, A, B], {"x": "no BPF"}).note == "no BPF"


def test_bounds_about_who_was_not_chosen_are_not_judged(monkeypatch, tmp_path):
    row = replace(TALK, bounds=[Bound("rate", "direct", 0.5, "a"), Bound("rate", "direct", 0.5, "b")])
    monkeypatch.setattr(run, "run_row", lambda *_: (Outcome(RowFigures(row, rounds((1000, 600, 400))), [DIRECT, A, B],
                                                            [], {}), []))
    args = argparse.Namespace(out=str(tmp_path), set="quick", rounds=1, seconds=1, warm_up=0, idle=1, rows=None,
                              contenders=None, retries=0)
    for absent, judged in ({}, ["a", "b", "auto"]), ({"a": "not chosen"}, ["b", "auto"]), \
            ({"a": "no BPF", "auto": "not chosen"}, ["a", "b"]):
        written = results.Results(args, [DIRECT, A, B], absent)
        found = bench._run_rows([(row, [DIRECT, A, B])], args, written, absent)  # pylint: disable=protected-access
        assert [each.bound.subject for each in found] == judged
