#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes a skeleton for both byte orders from one for little-endian hosts and the object for
big-endian ones: bpftool reads no object of the other order. Usage: ready.py SKELETON BIG-ENDIAN-OBJECT"""

from __future__ import annotations

import re
import sys
from pathlib import Path

# What bpftool writes for the bytes of the object, and how many they are.
EMBEDDED = re.compile(r'\t\*sz = \d+;\n\treturn \(const void \*\)"[^;]*";\n')


def literal(data: bytes) -> str:
    lines = (data[start:start + 24] for start in range(0, len(data), 24))
    return "\\\n".join("".join(f"\\x{byte:02x}" for byte in line) for line in lines)


def main() -> None:
    skeleton, data = Path(sys.argv[1]).read_text("ascii"), Path(sys.argv[2]).read_bytes()
    found = EMBEDDED.findall(skeleton)
    if len(found) != 1:
        sys.exit(f"{sys.argv[1]}: not as bpftool 7 writes it: {len(found)} objects in it, expected one")
    other = f'\t*sz = {len(data)};\n\treturn (const void *)"\\\n{literal(data)}";\n'
    print(skeleton.replace(found[0], "#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__\n"
                           f"{found[0]}#else\n{other}#endif\n"), end="")


if __name__ == "__main__":
    main()
