# SPDX-License-Identifier: GPL-2.0-or-later
"""What hangs on interfaces by tcx. No tool of Debian 12 tells."""

from __future__ import annotations

import ctypes
import platform
import socket

from namespace import Namespace

_SYS_BPF = {"x86_64": 321, "aarch64": 280, "riscv64": 280}
_BPF_PROG_QUERY, _BPF_TCX_INGRESS = 16, 46


class _Query(ctypes.Structure):
    """What BPF_PROG_QUERY takes."""
    _fields_ = [("ifindex", ctypes.c_uint32), ("type", ctypes.c_uint32),
                ("query_flags", ctypes.c_uint32), ("attach_flags", ctypes.c_uint32),
                ("ids", ctypes.c_uint64), ("count", ctypes.c_uint32), ("more", ctypes.c_uint8 * 36)]


def tcx_programs(host: Namespace) -> dict[str, int | None]:
    """How many programs hang on each of the interfaces there; None: that is not to be known."""
    counts: dict[str, int | None] = {}
    with host.entered():
        for ifindex, name in socket.if_nameindex():
            query = _Query(ifindex, _BPF_TCX_INGRESS)
            known = ctypes.CDLL(None).syscall(_SYS_BPF[platform.machine()], _BPF_PROG_QUERY,
                                              ctypes.byref(query), ctypes.sizeof(query)) == 0
            counts[name] = query.count if known else None
    return counts
