# SPDX-License-Identifier: GPL-2.0-or-later
"""`hawser exit-setup` where something is in its way: nothing of the host's breaks."""

from __future__ import annotations

import pytest

from exit_machine import (  # pylint: disable=unused-import
    ACCESS, FIREWALL, firewalled, line_of, machines, rules_of, state_of, verdicts)
from topology import SERVER4

pytestmark = pytest.mark.mptcp


@pytest.mark.parametrize(("file", "said"), [
    ("flush ruleset\n", "does not make the chain"), ("", "does not make the chain"),
    ("# table inet filter { chain input { } }\n", "does not make the chain"),
    (FIREWALL + "table inet filter { chain input { jump nowhere\n", "cannot be loaded with the rule")])
def test_a_file_that_cannot_have_the_rule(bed, machines, file, said):
    """It stays as it was: at the next boot all of it would fail."""
    exit_ = machines("exit", bed.server, ACCESS)
    with firewalled(exit_):
        (exit_.directory / "etc/nftables.conf").write_text(file, "ascii")
        first = exit_.hawser("exit-setup", "--address", SERVER4)
        line_of(first)
        assert said in first.stdout and "your firewall's own file: insert rule inet filter input" in first.stdout
        assert (exit_.directory / "etc/nftables.conf").read_text("ascii") == file
        assert "dport 1080 accept" in rules_of(exit_)
        assert exit_.hawser("exit-setup", "--undo").returncode == 0
        assert "1080" not in rules_of(exit_)


def test_two_firewalls(bed, machines):
    """ufw is turned on after the first run: undo is for both."""
    exit_ = machines("exit", bed.server, ACCESS)
    opened = exit_.directory / "opened"
    with firewalled(exit_):
        untouched = state_of(exit_)
        line_of(exit_.hawser("exit-setup", "--address", SERVER4))
        (exit_.directory / "bin/ufw").write_text(
            f"#!/bin/sh\ncase $* in status) echo Status: active; test ! -e {opened} || echo '1080/tcp ALLOW Anywhere' ;;\n"
            f"allow*) touch {opened} ;; delete*) rm {opened} ;; esac\n", "ascii")
        assert verdicts(exit_.hawser("exit-setup"))["firewall"] == "done" and opened.exists()
        assert exit_.hawser("exit-setup", "--undo").returncode == 0
        assert not opened.exists() and state_of(exit_) == untouched
