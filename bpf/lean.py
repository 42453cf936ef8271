# SPDX-License-Identifier: GPL-2.0-or-later
"""Blanks what a BPF object says of its source's lines, which is for messages of the verifier only, and the names of
members, which are for who looks at maps: two thirds of what it takes compressed. Nothing moves, so that
all else stays as the compiler has written it."""

from __future__ import annotations

import struct
from collections.abc import Iterator

# Of BTF's types (the kernel's Documentation/bpf/btf.rst), by kind: the bytes that follow the first twelve, and those
# of each of a number of members.
INT, ARRAY, STRUCT, UNION, ENUM, FUNC_PROTO, VAR, DATASEC, DECL_TAG, ENUM64 = 1, 3, 4, 5, 6, 13, 14, 15, 17, 19
FOLLOWING = {INT: 4, ARRAY: 12, VAR: 4, DECL_TAG: 4}
MEMBER = {STRUCT: 12, UNION: 12, ENUM: 8, FUNC_PROTO: 8, DATASEC: 12, ENUM64: 12}
NAMELESS = {DATASEC}  # its members
STRUCTS = {STRUCT, UNION}
KINDS = 19


class Lean:
    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        self.order = "<" if data[5] == 1 else ">"
        table, = self.numbers("Q", 0x28)
        count, names = self.numbers("HH", 0x3C)
        headers = [self.numbers("IIQQQQ", table + 64 * i) for i in range(count)]
        self.sections = {self.text(headers[names][4], name): (start, size) for name, _, _, _, start, size in headers}

    def numbers(self, form: str, at: int) -> tuple[int, ...]:
        return struct.unpack_from(self.order + form, self.data, at)

    def text(self, table: int, offset: int) -> str:
        return self.data[table + offset:self.data.index(0, table + offset)].decode()

    def names_of_types(self, at: int, end: int) -> Iterator[tuple[int, bool]]:
        """Where each stands, and whether it is of a member of what has a name itself: descriptions of maps have none,
        and libbpf reads them by their members. Arguments must have names: the kernel takes no BTF without."""
        while at < end:
            name, info = self.numbers("II", at)
            kind, count = info >> 24 & 31, info & 0xFFFF
            if not 0 < kind <= KINDS:
                raise ValueError(f"BTF has a type of kind {kind}, expected 1 to {KINDS}")
            yield at, False
            at += 12 + FOLLOWING.get(kind, 0)
            for _ in range(count if kind in MEMBER else 0):
                if kind not in NAMELESS:
                    yield at, kind in STRUCTS and name > 0
                at += MEMBER[kind]

    def names_of_records(self, at: int, size: int, column: int | None) -> Iterator[int]:
        """Of sections, and what stands in that column of their records."""
        end = at + size
        if size:
            each, = self.numbers("I", at)
            at += 4
        while at < end:
            section, count = self.numbers("II", at)
            yield section
            at += 8
            for _ in range(count):
                if column is not None:
                    yield self.numbers("I", at + column)[0]
                at += each

    def blank(self, at: int, size: int) -> None:
        self.data[at:at + size] = bytes(size)

    def run(self) -> bytes:
        btf, ext = self.sections[".BTF"][0], self.sections[".BTF.ext"][0]
        head, types, types_size, strings, strings_size = self.numbers("IIIII", btf + 4)
        ext_head, funcs, funcs_size, lines, lines_size = self.numbers("IIIII", ext + 4)
        relocations, relocations_size = self.numbers("II", ext + 24) if ext_head >= 32 else (0, 0)
        names = [*self.names_of_types(btf + head + types, btf + head + types + types_size)]
        for place, is_spare in names:
            if is_spare and not relocations_size:  # they look for members in the kernel
                self.blank(place, 4)
        used = {*(self.numbers("I", place)[0] for place, _ in names),
                *self.names_of_records(ext + ext_head + funcs, funcs_size, None),
                *self.names_of_records(ext + ext_head + relocations, relocations_size, 8)}
        at = btf + head + strings
        kept = {name: self.text(at, name).encode() for name in used}
        self.blank(at, strings_size)
        for name, text in kept.items():
            self.data[at + name:at + name + len(text)] = text
        self.blank(ext + ext_head + lines, lines_size)
        self.blank(ext + 20, 4)  # the size of it
        # No loader of BPF reads these.
        for name in ".rel.BTF", ".rel.BTF.ext":
            self.blank(*self.sections.get(name, (0, 0)))
        return bytes(self.data)


def lean(data: bytes) -> bytes:
    """Of an ELF object of 64 bits, in either byte order."""
    return Lean(data).run()
