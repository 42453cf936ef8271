# SPDX-License-Identifier: GPL-2.0-or-later
"""An FTP server, as far as a passive download needs one (RFC 959, RFC 2428). It gives nothing to
who does not come from where the control connection came from, as many servers do."""

from __future__ import annotations

import contextlib
import socket

import peers
from namespace import Namespace
from topology import SERVER4

PAYLOAD = b"payload\n" * 1000


class FtpServer:
    """Of a namespace; clients holds a control connection's address for each download."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        self.clients: list[str] = []
        self.refused = 0
        self._server = peers.Server(namespace, self._serve)
        self.port = self._server.port
        self.close = self._server.close

    def _serve(self, control: socket.socket) -> None:
        client = control.getpeername()[0]
        data = None
        with contextlib.ExitStack() as stack, control.makefile("rwb", buffering=0) as lines:
            def say(text: str) -> None:
                lines.write(text.encode() + b"\r\n")

            say("220 ready")
            while line := lines.readline():
                word = line.split()[0].decode().upper()
                if word in ("PASV", "EPSV"):
                    data = stack.enter_context(peers.listen(self._namespace))
                    high, low = divmod(peers.port_of(data), 256)
                    say(f"229 Passive (|||{256 * high + low}|)" if word == "EPSV" else
                        f"227 Passive ({SERVER4.replace('.', ',')},{high},{low})")
                elif word == "RETR":
                    say("150 here it comes")
                    with peers.accept(data) as sink:
                        self.clients.append(client)
                        if sink.getpeername()[0] == client:
                            sink.sendall(PAYLOAD)
                        else:
                            self.refused += 1
                    say("226 done" if not self.refused else "425 not your address")
                elif word == "SIZE":
                    say(f"213 {len(PAYLOAD)}")
                else:
                    say({"USER": "331 and the password", "PASS": "230 welcome", "PWD": '257 "/"',
                         "QUIT": "221 bye"}.get(word, "200 so be it" if word in ("TYPE", "CWD")
                                                else "502 not here"))
                if word == "QUIT":
                    return
