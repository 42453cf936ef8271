# SPDX-License-Identifier: GPL-2.0-or-later
"""Every example of hawser.conf(5) is a file that hawserd takes, and what make install puts somewhere goes again."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT

MAN_PAGE = (ROOT / "man" / "hawser.conf.5").read_text("utf-8")
SECTION = MAN_PAGE.partition(".Sh EXAMPLES\n")[2].partition("\n.Sh ")[0]
EXAMPLES = re.findall(r"^\.Bd [^\n]*\n(.*?)^\.Ed$", SECTION, re.MULTILINE | re.DOTALL)


def test_there_are_examples():
    assert len(EXAMPLES) >= 5


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_example(bed, tmp_path, number):
    """With its own files for secrets; addresses need not be there."""
    def secret(found: re.Match[str]) -> str:
        path = tmp_path / Path(found[1]).name
        if path.suffix == ".password":
            path.write_text("long enough a password\n", "utf-8")
        else:
            path.write_text(subprocess.run([bed.build / "hawser", "token", "new", "home"], check=True, text=True,
                                           stdout=subprocess.PIPE).stdout, "utf-8")
        path.chmod(0o600)
        return f'"{path}"'

    file = tmp_path / "hawser.conf"
    file.write_text(re.sub(r'"(/etc/hawser/[^"]+)"', secret, EXAMPLES[number]), "utf-8")
    process = bed.router.start([str(bed.build / "hawserd"), "-c", str(file), "--check"], bed.mounts,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output


def test_uninstall(build, tmp_path):
    def make(target: str) -> None:
        subprocess.run(["make", "-C", str(ROOT), target, f"DESTDIR={tmp_path}", "PREFIX=/usr",
                        f"BUILD={build.relative_to(ROOT)}", "--no-print-directory", "-o", "all"],
                       check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    make("install")
    installed = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {"usr/sbin/hawserd", "usr/bin/hawser", "usr/share/man/man5/hawser.conf.5"} <= installed
    make("uninstall")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
