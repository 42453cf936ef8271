# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs every cmocka binary that the Makefile built, each as one test."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from feature import lacks
from patience import PATIENCE

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / os.environ.get("HAWSER_BUILD", "build")
BINARIES = sorted((BUILD / "unit").glob("*/*_test"))


def test_binaries_are_built() -> None:
    bpf = int((BUILD / "bpf").is_dir())
    wanted = subprocess.run(["make", "-s", f"BUILD={BUILD}", f"BPF={bpf}",
                             "--eval=list: ; @echo $(UNIT_BINS)", "list"],
                            cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    assert len(wanted) > 30 and {Path(name) for name in wanted} <= set(BINARIES), "run make unit"


@pytest.mark.parametrize("binary", BINARIES, ids=lambda binary: binary.name)
def test_unit(binary: Path, tmp_path: Path) -> None:
    done = subprocess.run([binary], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", cwd=tmp_path, timeout=120 * PATIENCE, check=False)
    assert done.returncode == 0, f"exit status {done.returncode}:\n{done.stdout}"
    # Of cmocka's: a test of a part that the kernel lacks, which must not look like one that passed.
    skipped = re.findall(r"^\[  SKIPPED \] (?!\d+ test)(.+)", done.stdout, re.MULTILINE)
    if skipped:
        lacks(f"{binary.name}: {', '.join(skipped)}")
