# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests are handed out in units, the long ones first: see order.py."""

from __future__ import annotations

from pathlib import Path

import pytest

import order

NET = "tests/net/test_x.py"


@pytest.mark.parametrize(("test", "alone"), [
    ("test_a[mptcp]", False), ("test_a[mptcp-no-1]", False), ("test_a", False),
    ("test_a[no-mptcp]", True), ("test_a[no-mptcp-tcp-tcp-copy]", True)])
def test_units(test, alone):
    """What needs a bed without MPTCP, and all else of the file."""
    assert (order.unit_of(f"{NET}::{test}") != order.unit_of(f"{NET}::test_b")) == alone


def test_long_ones_are_there():
    there = {path.stem.removeprefix("test_") for path in Path(__file__).parent.glob("*/test_*.py")}
    assert set(order.LONG) <= there


def test_units_are_whole_and_long_ones_first(request):
    """In the order that this run has collected."""
    units = [order.unit_of(item.nodeid) for item in request.session.items]
    changes = [unit for before, unit in zip([None, *units], units) if unit != before]
    assert len(changes) == len(set(changes))
    long = [any(f"/test_{name}.py" in unit for name in order.LONG) for unit in changes]
    assert long == sorted(long, reverse=True)
