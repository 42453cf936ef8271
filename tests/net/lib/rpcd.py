# SPDX-License-Identifier: GPL-2.0-or-later
"""Stands in for uhttpd and rpcd on a router of openwrt.py: pages of luci-app-hawser, and JSON-RPC for what is asked
by them, as far as the ACL allows it. It is not hawser.uc, which needs ucode."""

from __future__ import annotations

import http.server
import json
import re
import threading
from pathlib import Path

from namespace import Namespace
from openwrt import ROOT, OpenWrt, uci

APP = ROOT / "openwrt/luci-app-hawser"
BASE = Path(__file__).parent / "luci_base.js"
PORT = 8080
# Of ubus.
OK, NOT_FOUND, NO_DATA, DENIED = 0, 4, 5, 6
TYPES = {".js": "text/javascript", ".html": "text/html; charset=utf-8", ".json": "application/json"}


def allowed() -> dict[str, set[str]]:
    """{object: methods}, of who may write."""
    found: dict[str, set[str]] = {"uci": {"apply"}, "network.interface": {"dump"}}
    for group in json.loads((APP / "root/usr/share/rpcd/acl.d/luci-app-hawser.json").read_text("ascii")).values():
        for rights in (group.get("read", {}), group.get("write", {})):
            for name, methods in rights.get("ubus", {}).items():
                found.setdefault(name, set()).update(methods)
            if isinstance(rights.get("uci"), dict) and "write" in rights["uci"].get("hawser", ()):
                found["uci"] |= {"get", "add", "set", "delete"}
    return found


class Rpcd:
    """doctor: what it says in turn; the last for ever. interfaces: as netifd dumps them."""

    def __init__(self, router: OpenWrt, network: Namespace, sections: dict[str, dict], interfaces: list[dict],
                 doctor: list[dict]) -> None:
        self.router, self.interfaces, self.doctor = router, interfaces, doctor
        self.staged = {name: dict(section) for name, section in sections.items()}
        self.called: list[str] = []
        self._allowed, self._changed = allowed(), False
        self._write()
        with network.entered():
            self._server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def _write(self) -> None:
        self.router.write("/etc/config/hawser", uci(*(
            (section[".type"], name, {key: value for key, value in section.items() if key[0] != "."})
            for name, section in self.staged.items())))

    def _uci(self, method: str, words: dict) -> tuple[int, dict]:
        if method == "get":
            return OK, {"values": {name: {".name": name, **section} for name, section in self.staged.items()}}
        if method == "apply":
            changed, self._changed = self._changed, False
            self._write()
            return (OK if changed else NO_DATA), {}
        self._changed = True
        if method == "add":
            name = words.get("name") or f"cfg{len(self.staged):06x}"
            self.staged[name] = {".type": words["type"], **words["values"]}
            return OK, {"section": name}
        if words["section"] not in self.staged:
            return NOT_FOUND, {}
        section = self.staged[words["section"]]
        if method == "set":
            section.update(words["values"])
        for name in words.get("options", ()):
            section.pop(name, None)
        return OK, {}

    def _hawser(self, method: str) -> dict:
        if method == "reload":
            done = self.router.translate()
            told = re.findall(r"^(\w+) (.+)$", self.router.read("/var/etc/hawser/told"), re.M)
            return {**({} if done.returncode in (0, 2) else {"error": "the configuration is not used"}),
                    "settings": [{"level": level, "text": text} for level, text in told]}
        if method == "doctor":
            return self.doctor.pop(0) if len(self.doctor) > 1 else self.doctor[0]
        return {"started": True, "running": True}

    def answer(self, question: dict) -> dict:
        _, name, method, words = question["params"]
        self.called.append(f"{name}.{method}")
        if method not in self._allowed.get(name, ()):
            return {"error": {"code": -32002, "message": "Access denied"}}
        if name == "uci":
            return {"result": list(self._uci(method, words))}
        if name == "network.interface":
            return {"result": [OK, {"interface": self.interfaces}]}
        return {"result": [OK, self._hawser(method)]}

    def _handler(self) -> type:
        rpcd = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _say(self, status: int, kind: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", TYPES[kind])
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:  # pylint: disable=invalid-name
                _, _, view = self.path.partition("/page/")
                script = APP / "htdocs" / self.path.lstrip("/")
                if view:
                    self._say(200, ".html", b'<!DOCTYPE html><link rel="icon" href="data:,"><script src="/base.js">'
                                            b'</script><body data-view="%s">' % view.encode())
                elif self.path == "/base.js" or script.is_file():
                    self._say(200, ".js", (BASE if self.path == "/base.js" else script).read_bytes())
                else:
                    self._say(404, ".html", b"")

            def do_POST(self) -> None:  # pylint: disable=invalid-name
                question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                answer = {"jsonrpc": "2.0", "id": question["id"], **rpcd.answer(question)}
                self._say(200, ".json", json.dumps(answer).encode())

            def log_message(self, format: str, *args: object) -> None:  # pylint: disable=redefined-builtin
                pass

        return Handler
