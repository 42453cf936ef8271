# SPDX-License-Identifier: GPL-2.0-or-later
"""What hawserd says of this kernel: recorded for the table of features, and the number is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from cgroup import Cgroup
from feature import kernel_version


@pytest.fixture(scope="module")
def cgroup():
    with Cgroup() as made:
        yield made


def test_what_is_on(bed, hawserd, cgroup, record_property):
    status = hawserd("--local-accel", str(cgroup.path)).status()
    for each in status["kernel"]:
        record_property(each["feature"], "on" if each["available"] else each["reason"])
    if not Path("/proc/sys/net/mptcp").exists():
        mptcp = next(each for each in status["kernel"] if each["feature"] == "mptcp")
        assert "built without CONFIG_MPTCP" in mptcp["reason"]
    local = status["local_accel"]
    record_property("local-accel", "on" if local["available"] else local["reason"])
    assert status["kernel_version"] == kernel_version()
