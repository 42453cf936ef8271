#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks ARCHITECTURE.md, the READMEs and docs/: every file and file:function that they name exists, every link leads
somewhere. Usage: lint_docs.py"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "ARCHITECTURE.md", ROOT / "README.md", ROOT / "openwrt/README.md",
         *sorted((ROOT / "docs").glob("*.md"))]
CODE = re.compile(r"`([A-Za-z0-9_./]+\.(?:bpf\.c|c|h|py|sh|mk|md))(?::(?:struct )?([a-z_0-9]+)(?:\(\))?)?`")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def find(name: str, page: Path) -> Path | None:
    """Names are relative to the tree, to user/ or, for a lone file, to the folder that the page speaks of."""
    for base in (ROOT, ROOT / "user", page.parent):
        if (base / name).is_file():
            return base / name
    if "/" not in name:
        return next(iter(sorted((ROOT / "user").glob(f"*/{name}"))), None)
    return None


def faults_of(page: Path) -> list[str]:
    text = page.read_text("utf-8")
    faults = []
    for name, function in CODE.findall(text):
        file = find(name, page)
        if file is None:
            faults.append(f"{page.name}: there is no file {name}")
        elif function and not re.search(rf"\b{function}\b", file.read_text("utf-8")):
            faults.append(f"{page.name}: {name} has no {function}")
    faults += [f"{page.name}: the link {link} leads nowhere" for link in LINK.findall(text)
               if not (page.parent / link).exists()]
    return faults


def main() -> int:
    faults = [fault for page in PAGES for fault in faults_of(page)]
    print("\n".join(faults), end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
