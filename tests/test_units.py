# SPDX-License-Identifier: GPL-2.0-or-later
"""The units of systemd, as far as its own tools judge them without a running one."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT

if not shutil.which("systemd-analyze"):
    pytest.skip("systemd-analyze is not here", allow_module_level=True)


@pytest.fixture
def units(build, tmp_path) -> Path:
    """As they are installed; of the programs, as they are built."""
    for name in "hawserd", "hawser":
        shutil.copy(build / name, tmp_path)
    text = (ROOT / "systemd/hawserd.service.in").read_text("ascii")
    text = re.sub("@S?BINDIR@", str(tmp_path), text)
    # Man pages are not installed here.
    (tmp_path / "hawserd.service").write_text(re.sub("Documentation=.*", "", text), "ascii")
    socket = (ROOT / "systemd/hawserd.socket").read_text("ascii")
    (tmp_path / "hawserd.socket").write_text(re.sub("Documentation=.*", "", socket), "ascii")
    return tmp_path


def analyze(units: Path, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, cwd=units,
                          check=False, timeout=200)


@pytest.mark.parametrize("unit", ["hawserd.service", "hawserd.socket"])
def test_valid(units, unit):
    done = analyze(units, "verify", f"./{unit}")
    assert (done.returncode, done.stderr) == (0, "")


def test_exposure(units):
    """At most 2.0; the threshold is in tenths."""
    done = analyze(units, "security", "--offline=yes", "--threshold=20", "hawserd.service")
    assert done.returncode == 0, done.stdout[-300:]
    text = (units / "hawserd.service").read_text("ascii").replace("PrivateDevices=yes", "")
    (units / "hawserd.service").write_text(text, "ascii")
    assert analyze(units, "security", "--offline=yes", "--threshold=20",
                   "hawserd.service").returncode == 1
