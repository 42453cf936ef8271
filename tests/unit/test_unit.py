# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs every cmocka binary that the Makefile built, each as one test."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
BINARIES = sorted((ROOT / os.environ.get("HAWSER_BUILD", "build") / "unit").glob("*/*_test"))


def test_binaries_are_built() -> None:
    sources = {source.stem for source in Path(__file__).parent.glob("*/*_test.c")}
    assert sources and {binary.name for binary in BINARIES} >= sources, "run make unit"


@pytest.mark.parametrize("binary", BINARIES, ids=lambda binary: binary.name)
def test_unit(binary: Path, tmp_path: Path) -> None:
    done = subprocess.run([binary], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", cwd=tmp_path, timeout=120, check=False)
    assert done.returncode == 0, f"exit status {done.returncode}:\n{done.stdout}"
