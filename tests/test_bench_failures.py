# SPDX-License-Identifier: GPL-2.0-or-later
"""What bench/ makes of attempts that fail. Nothing is measured here."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace

import bench
import pytest
import run
import stage
from contenders import DIRECT
from figures import RowFigures
from namespace import Unavailable
from output import markdown
from processes import Failed, WrongBytes
from test_bench_figures import LOSSY, NAMES, TALK, A, B, outcome, rounds, talked


class FakeStage:
    """In place of a Stage: what becomes of each attempt."""

    def __init__(self, row, *attempts):
        self.row, self._attempts = row, list(attempts)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def measure(self, contender, times=None):
        found = self._attempts.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    pace = ends = measure


def test_what_failed_and_then_went_well_is_told_all_the_same():
    tries = FakeStage(TALK, Failed("reset"), Failed("stuck"), talked(100))
    found = [{"a": run._measure(tries, A, None, 5)}]
    assert found[0]["a"]["per_second"] == 100 and found[0]["a"]["attempts"] == 3
    assert run._failures(found) == ["round 1, a: reset", "round 1, a: stuck"]
    assert RowFigures(TALK, found).failed("a") == 1


@pytest.mark.parametrize("before", [[], [{**talked(100), "others": 0.5}], [Failed("reset")]])
def test_wrong_bytes_are_not_tried_again(before):
    measured = run._measure(FakeStage(TALK, *before, WrongBytes("wrong bytes"), talked(100)), A, None, 5)
    assert measured["error"] == measured["errors"][-1] == "wrong bytes"
    assert measured["attempts"] == len(before) + 1 and "per_second" not in measured


@pytest.mark.parametrize("wrong", ["", "round", "ends"])
def test_wrong_bytes_are_a_failed_run(monkeypatch, tmp_path, capsys, wrong):
    """Whoever's, in a round or when asked for its ends. Another failure is only told, and an end that could not be
    told is none that was kept."""
    in_round, at_end = ((WrongBytes if when == wrong else Failed)(f"stuck, {when}") for when in ("round", "ends"))
    monkeypatch.setattr(run, "Stage", lambda row: FakeStage(row, talked(300), talked(200), in_round, at_end, LOSSY))
    monkeypatch.setattr(bench, "_parse", lambda: argparse.Namespace(
        out=str(tmp_path), set="quick", rounds=1, seconds=1, warm_up=0, idle=1, rows=None, contenders=None, retries=0))
    monkeypatch.setattr(bench, "_rows", lambda _: [TALK])
    monkeypatch.setattr(bench, "_wanted", lambda _: [DIRECT, A, B])
    monkeypatch.setattr(bench, "_present", lambda wanted: (wanted, {}))
    monkeypatch.setattr(bench.os, "access", lambda *_: True)
    assert bench.main() == bool(wrong)
    said, told = capsys.readouterr(), (tmp_path / "bench.tsv").read_text("utf-8").splitlines()
    assert "  failed: round 1, b: stuck, round\n  failed: ends, a: stuck, ends\n" in said.out
    assert ("doubled or changed: talk-32x64" in said.err) == bool(wrong)
    assert "?: could not be told" in said.out
    assert {(line.split("\t")[1], line.split("\t")[-4]) for line in told[1:]} == {("direct", ""), ("a", "?"), ("b", "H S")}
    assert "| loses |  |  | ? | H S |\n" in (tmp_path / "bench.md").read_text("utf-8")


def test_a_row_without_its_pace_has_failed():
    row = replace(TALK, paced=0.1)
    found = run._rounds(FakeStage(row, WrongBytes("reset")), [DIRECT, A, B], None, None)
    assert all(each["wrong_bytes"] for each in found[0].values())
    assert "reset" in run._failures(found)[0] and len(run._failures(found)) == 3
    assert "| failed | failed | failed |" in markdown([outcome(found, row)], NAMES)


def test_a_load_that_says_nothing_has_failed(monkeypatch):
    monkeypatch.setattr(stage, "PATIENCE_S", 0.05)
    silent_end, other = os.pipe()
    with open(silent_end, encoding="ascii") as output, open(other, "wb"):
        with pytest.raises(Failed, match="does not say"):
            stage.Stage._look_at_silence(None, argparse.Namespace(stdout=output), None, stage.Times(0, 0, 1))


class Kept:
    """In place of Results."""

    def __init__(self):
        self.rows, self.skipped = [], {}

    def add(self, outcome, measurements, verdicts):
        self.rows.append(outcome.figures.row.name)

    def skip(self, row, reason):
        self.skipped[row.name] = reason

    @property
    def is_empty(self):
        return not self.rows


def test_what_cannot_be_run_here_is_one_row_less(monkeypatch):
    def run_row(row, contenders, args, ends):
        if row.quota:
            raise Unavailable("no quotas")
        return outcome(rounds((300, 100, 150)), row), []

    monkeypatch.setattr(run, "run_row", run_row)
    kept, limited = Kept(), replace(TALK, name="router", quota=0.1)
    bench._run_rows([(TALK, [A]), (limited, [A]), (replace(TALK, name="later"), [A])], None, kept, {})
    assert kept.rows == [TALK.name, "later"] and kept.skipped == {"router": "no quotas"}
    with pytest.raises(Unavailable, match="no quotas"):
        bench._run_rows([(limited, [A])], None, Kept(), {})
