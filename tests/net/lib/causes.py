# SPDX-License-Identifier: GPL-2.0-or-later
"""Destinations that cannot be reached, each for a reason of its own."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import peers
from bed import Bed
from topology import NOBODY4, NOBODY6, SERVER4, SERVER6

# RFC 1928 section 6, and what RFC 9110 section 15 has for it.
UNREACHABLE = {
    "refused": (5, 502),
    "network-unreachable": (3, 502),
    "host-unreachable": (4, 502),
    "not-allowed": (2, 403),
    "connect-timeout": (6, 504),
}
_ROUTES = {"network-unreachable": "throw", "host-unreachable": "unreachable",
           "not-allowed": "prohibit"}


@contextlib.contextmanager
def unreachable(bed: Bed, cause: str, family: int = 4) -> Iterator[tuple[str, int]]:
    """The address and port of a destination that fails by this cause, for a while."""
    server, nobody = (SERVER4, NOBODY4) if family == 4 else (SERVER6, NOBODY6)
    if cause == "refused":
        # Bound but not listening: nobody else can get the port meanwhile.
        with bed.server.socket(socket.AF_INET if family == 4 else socket.AF_INET6) as bound:
            bound.bind((server, 0))
            yield server, peers.port_of(bound)
    elif cause == "connect-timeout":
        with bed.rules(f"ip{'6' if family == 6 else ''} daddr {nobody} drop"):
            yield nobody, 80
    else:
        with bed.route(_ROUTES[cause], nobody):
            yield nobody, 80
