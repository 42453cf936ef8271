#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes a skeleton for both byte orders from one for little-endian hosts and both objects: bpftool reads no object of
the other order. They say nothing of the source's lines any more, and are compressed, to a tenth. Usage: ready.py
SKELETON LITTLE-ENDIAN-OBJECT BIG-ENDIAN-OBJECT"""

from __future__ import annotations

import gzip
import re
import sys
from pathlib import Path

from lean import lean

# What bpftool writes for the bytes of the object, and how many they are.
EMBEDDED = r'\t\*sz = \d+;\n\treturn \(const void \*\)"[^;]*";\n'
# What stands there instead of what is found, which is @.
CHANGES = (
    (r"#include <bpf/libbpf.h>\n", '@\n#include "base/packed.h"\n'),
    (r"\ts->data = \(void \*\)\w+__elf_bytes\(&s->data_sz\);\n", """@	s->data = packed_open(s->data, s->data_sz, &s->data_sz);
	if (!s->data) {
		err = -ENOMEM;
		goto err;
	}
"""),
    # libbpf has read all of it then.
    (r"\terr = bpf_object__open_skeleton\(obj->skeleton, opts\);\n", """@	free((void *)obj->skeleton->data);
	obj->skeleton->data = NULL;
"""),
)


def literal(data: bytes) -> str:
    lines = (data[start:start + 24] for start in range(0, len(data), 24))
    return "\\\n".join("".join(f"\\x{byte:02x}" for byte in line) for line in lines)


def embed(path: str) -> str:
    data = gzip.compress(lean(Path(path).read_bytes()), 9, mtime=0)
    return f'\t*sz = {len(data)};\n\treturn (const void *)"\\\n{literal(data)}";\n'


def main() -> None:
    skeleton = Path(sys.argv[1]).read_text("ascii")
    both = f"#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__\n{embed(sys.argv[2])}#else\n{embed(sys.argv[3])}#endif\n"
    for pattern, instead in ((EMBEDDED, both), *CHANGES):
        found = re.findall(pattern, skeleton)
        if len(found) != 1:
            sys.exit(f"{sys.argv[1]}: not as bpftool 7 writes it: {pattern} is {len(found)} times in it, expected once")
        skeleton = skeleton.replace(found[0], instead.replace("@", found[0]))
    print(skeleton, end="")


if __name__ == "__main__":
    main()
