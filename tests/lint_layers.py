#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks includes against user/LAYERS: each names its folder, stays in its folder or points down the
list, and no two units need each other. Usage: lint_layers.py"""

from __future__ import annotations

import re
import sys
from pathlib import Path

USER = Path(__file__).resolve().parent.parent / "user"
LAYERS = (USER / "LAYERS").read_text("utf-8").split()
INCLUDE = re.compile(r'^#include "([^"]+)"', re.MULTILINE)


def folder_of(path: str) -> str:
    return path.rpartition("/")[0] or "."


def includes_of(file: Path) -> list[str]:
    """Only headers of user/: those of include/ and generated ones have no folder."""
    return [name for name in INCLUDE.findall(file.read_text("utf-8"))
            if not name.startswith("hawser_") and not name.endswith(".skel.h")]


def faults_of(name: str, includes: list[str]) -> list[str]:
    rank = {folder: i for i, folder in enumerate(LAYERS)}
    here = folder_of(name)
    if here not in rank:
        return [f"{name}: the folder is not in user/LAYERS"]
    faults = []
    for included in includes:
        there = folder_of(included)
        if "/" not in included or not (USER / included).exists():
            faults.append(f'{name}: "{included}" is not FOLDER/FILE.h below user/')
        elif rank[there] < rank[here]:
            faults.append(f'{name}: "{included}" points up: {there} stands above {here}')
    return faults


def units_of(includes: dict[str, list[str]]) -> dict[str, str]:
    """The unit of each file: a header and its source are one, and so are all that share a private
    header (x_private.h)."""
    unit = {name: name.rpartition(".")[0] for name in includes}
    for name, included in includes.items():
        for header in included:
            if header.endswith("_private.h"):
                old, new = unit[name], unit[header]
                unit = {file: new if one == old else one for file, one in unit.items()}
    return unit


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Of units, by depth-first search; each circle once."""
    found, done = [], set()

    def visit(unit: str, path: list[str]) -> None:
        if unit in path:
            found.append(path[path.index(unit):] + [unit])
            return
        if unit in done:
            return
        for needed in sorted(graph.get(unit, ())):
            visit(needed, path + [unit])
        done.add(unit)

    for unit in sorted(graph):
        visit(unit, [])
    return found


def main() -> int:
    files = sorted([*USER.glob("*.[ch]"), *USER.glob("*/*.[ch]")])
    includes = {str(file.relative_to(USER)): includes_of(file) for file in files}
    faults = [fault for name, included in includes.items() for fault in faults_of(name, included)]
    unit = units_of(includes)
    graph: dict[str, set[str]] = {one: set() for one in unit.values()}
    for name, included in includes.items():
        graph[unit[name]] |= {unit[header] for header in included if header in unit} - {unit[name]}
    faults += ["circle: " + " -> ".join(circle) for circle in circles(graph)]
    print("\n".join(faults), end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
