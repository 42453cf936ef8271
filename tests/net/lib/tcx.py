# SPDX-License-Identifier: GPL-2.0-or-later
"""What hangs on interfaces by tcx. No tool of Debian 12 tells."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import socket

from namespace import Namespace

_SYS_BPF = {"x86_64": 321, "aarch64": 280, "riscv64": 280}
_BPF_PROG_DETACH, _BPF_PROG_QUERY, _BPF_TCX_INGRESS = 9, 16, 46
_PROGRAMS_MAX = 8


class _Detach(ctypes.Structure):
    """What BPF_PROG_DETACH takes."""
    _fields_ = [("ifindex", ctypes.c_uint32), ("program", ctypes.c_uint32),
                ("type", ctypes.c_uint32), ("more", ctypes.c_uint8 * 52)]


class _Query(ctypes.Structure):
    """What BPF_PROG_QUERY takes."""
    _fields_ = [("ifindex", ctypes.c_uint32), ("type", ctypes.c_uint32), ("flags", ctypes.c_uint64),
                ("programs", ctypes.c_uint64), ("count", ctypes.c_uint32),
                ("more", ctypes.c_uint8 * 36)]


def _bpf(command: int, attribute: ctypes.Structure) -> None:
    if ctypes.CDLL(None, use_errno=True).syscall(_SYS_BPF[platform.machine()], command,
                                                 ctypes.byref(attribute), ctypes.sizeof(attribute)):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def tcx_programs(host: Namespace) -> dict[str, list[int] | None]:
    """The numbers of the programs on each of the interfaces there; None: that is not to be known."""
    found: dict[str, list[int] | None] = {}
    numbers = (ctypes.c_uint32 * _PROGRAMS_MAX)()
    with host.entered():
        for ifindex, name in socket.if_nameindex():
            query = _Query(ifindex, _BPF_TCX_INGRESS, 0, ctypes.addressof(numbers), _PROGRAMS_MAX)
            try:
                _bpf(_BPF_PROG_QUERY, query)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                found[name] = None
            else:
                found[name] = numbers[:query.count]
    return found


def tcx_detach(host: Namespace, device: str) -> None:
    """Takes off the program there."""
    with host.entered():
        _bpf(_BPF_PROG_DETACH, _Detach(socket.if_nametoindex(device), 0, _BPF_TCX_INGRESS))
