# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a command that thinks its kernel to lack something. Usage: old_kernel.py [WHAT] COMMAND...
tcx (so without WHAT): older than Linux 6.6, bpf() does not know what hangs on an interface by tcx.
ipv6: built or booted without IPv6."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import socket
import struct
import sys

SYS_BPF = {"x86_64": 321, "aarch64": 280, "riscv64": 280}[platform.machine()]
SYS_SOCKET = {"x86_64": 41, "aarch64": 198, "riscv64": 198}[platform.machine()]
BPF_PROG_QUERY = 16
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_LOAD_WORD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER, _FIRST_ARGUMENT = 0, 16  # offsets in struct seccomp_data
_RET_ERRNO, _RET_ALLOW = 0x00050000, 0x7fff0000


class _Program(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def refuse(number: int, first_argument: int, error: int) -> None:
    """From now on a system call fails, if it has this first argument."""
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in [
        (_LOAD_WORD, 0, 0, _NUMBER), (_JUMP_IF_EQUAL, 0, 3, number),
        (_LOAD_WORD, 0, 0, _FIRST_ARGUMENT), (_JUMP_IF_EQUAL, 0, 1, first_argument),
        (_RETURN, 0, 0, _RET_ERRNO | error), (_RETURN, 0, 0, _RET_ALLOW)])
    libc = ctypes.CDLL(None, use_errno=True)
    program = _Program(len(code) // 8, code)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or \
            libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0):
        sys.exit(f"seccomp: {os.strerror(ctypes.get_errno())}")


def main() -> None:
    command = sys.argv[1:]
    if command[0] == "ipv6":
        refuse(SYS_SOCKET, socket.AF_INET6, errno.EAFNOSUPPORT)
        del command[0]
    else:
        refuse(SYS_BPF, BPF_PROG_QUERY, errno.EINVAL)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
