# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a command that thinks its kernel to lack something. Usage: lacking.py WHAT COMMAND...
WHAT is a key of LACKS; what a system call says then is what such a kernel says. Or it ends the command."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import socket
import struct
import sys
from collections.abc import Mapping

_NUMBERS = {"x86_64": {"bpf": 321, "socket": 41, "setsockopt": 54, "splice": 275,
                       "unlink": 87, "unshare": 272},
            "aarch64": {"bpf": 280, "socket": 198, "setsockopt": 208, "splice": 76,
                        "unlink": 35, "unshare": 97}}
_NUMBERS["riscv64"] = _NUMBERS["aarch64"]
_BPF_PROG_QUERY, _BPF_LINK_CREATE = 16, 28
_IPPROTO_MPTCP, _NETLINK_SOCK_DIAG, _NETLINK_NETFILTER = 262, 4, 12
_TCP_NOTSENT_LOWAT, _IP_BIND_ADDRESS_NO_PORT, _TCP_FASTOPEN, _TCP_KEEPIDLE = 25, 24, 23, 4

# System calls, what they say (None: they end the process), and the arguments with which they do.
LACKS: dict[str, list[tuple[str, int | None, Mapping[int, int]]]] = {
    # Before Linux 6.6.
    "tcx": [("bpf", errno.EINVAL, {0: _BPF_PROG_QUERY})],
    "bpf": [("bpf", errno.ENOSYS, {})],
    # To attach to a cgroup by a link.
    "cgroup-bpf": [("bpf", errno.EINVAL, {0: _BPF_LINK_CREATE})],
    "ipv6": [("socket", errno.EAFNOSUPPORT, {0: socket.AF_INET6})],
    "mptcp": [("socket", errno.EPROTONOSUPPORT, {2: _IPPROTO_MPTCP})],
    "inet-diag": [("socket", errno.EPROTONOSUPPORT,
                   {0: socket.AF_NETLINK, 2: _NETLINK_SOCK_DIAG})],
    "nftables": [("socket", errno.EPROTONOSUPPORT,
                  {0: socket.AF_NETLINK, 2: _NETLINK_NETFILTER})],
    # As of 6.1's MPTCP; TCP is refused as well here.
    "mptcp-options": [("setsockopt", errno.EOPNOTSUPP, {1: level, 2: option}) for level, option in (
        (socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT), (socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT),
        (socket.IPPROTO_TCP, _TCP_FASTOPEN), (socket.IPPROTO_TCP, _TCP_KEEPIDLE))],
    # Or the rights to make one.
    "netns": [("unshare", errno.EPERM, {0: 0x40000000})],
    "splice": [("splice", errno.ENOSYS, {})],
    "life to delete": [("unlink", None, {})],
}

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_LOAD_WORD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER, _FIRST_ARGUMENT = 0, 16  # offsets in struct seccomp_data
_RET_ERRNO, _RET_ALLOW, _RET_KILL_PROCESS = 0x00050000, 0x7fff0000, 0x80000000


class _Program(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def refuse(call: str, error: int | None, arguments: Mapping[int, int]) -> None:
    """From now on a system call fails, or ends this process, if it has these arguments."""
    then = _RET_KILL_PROCESS if error is None else _RET_ERRNO | error
    wanted = [(_NUMBER, _NUMBERS[platform.machine()][call]),
              *((_FIRST_ARGUMENT + 8 * index, value) for index, value in arguments.items())]
    code = []
    for left, (offset, value) in zip(range(len(wanted), 0, -1), wanted):
        code += [(_LOAD_WORD, 0, 0, offset), (_JUMP_IF_EQUAL, 0, 2 * left - 1, value)]
    code += [(_RETURN, 0, 0, then), (_RETURN, 0, 0, _RET_ALLOW)]
    libc = ctypes.CDLL(None, use_errno=True)
    program = _Program(len(code), b"".join(struct.pack("=HBBI", *step) for step in code))
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or \
            libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0):
        sys.exit(f"seccomp: {os.strerror(ctypes.get_errno())}")


def words(what: str) -> tuple[str, ...]:
    """To put before a command."""
    return sys.executable, __file__, what


def main() -> None:
    for lack in LACKS[sys.argv[1]]:
        refuse(*lack)
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
