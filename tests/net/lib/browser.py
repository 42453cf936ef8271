# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's Chromium without a window, in a namespace of the test bed, spoken to by the DevTools protocol over two
pipes, so that neither a driver nor a port is needed."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from namespace import Namespace
from patience import PATIENCE
from waiting import until

# The last of these keep it from asking for the world.
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
         "--no-default-browser-check", "--mute-audio", "--no-proxy-server", "--remote-debugging-pipe")


class Browser:
    def __init__(self, namespace: Namespace) -> None:
        self.profile = tempfile.mkdtemp(prefix="hawser-chromium-")
        command_read, self.commands = os.pipe()
        self.answers, answer_write = os.pipe()

        def place() -> None:
            """It reads from 3 and writes to 4, which the pipes may have themselves."""
            reader, writer = os.dup(command_read), os.dup(answer_write)
            high = [os.dup2(reader, 500), os.dup2(writer, 501)]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self.process = namespace.start(
            ["chromium", *FLAGS, f"--user-data-dir={self.profile}", "about:blank"], preexec_fn=place, close_fds=False,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": self.profile, "LC_ALL": "C.UTF-8", "TZ": "UTC"})
        os.close(command_read)
        os.close(answer_write)
        self._left = b""
        self._number = 0
        self.said: list[str] = []  # on the console, and errors
        self.asked: list[str] = []  # URLs
        self._session = self._context = None

    @contextlib.contextmanager
    def person(self) -> Iterator[Browser]:
        """Who has never been here: nothing is kept from those before."""
        self._context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=self._context)["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.said, self.asked = [], []
        for domain in "Page", "Runtime", "Log", "Network":
            self.call(f"{domain}.enable")
        try:
            yield self
        finally:
            self._session = None
            self.call("Target.disposeBrowserContext", browserContextId=self._context)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.commands)
        os.close(self.answers)
        shutil.rmtree(self.profile, ignore_errors=True)

    # The protocol: JSON that a NUL ends.

    def _read(self, end: float) -> dict:
        while b"\0" not in self._left:
            ready, _, _ = select.select([self.answers], [], [], max(0, end - time.monotonic()))
            assert ready, "Chromium says nothing"
            more = os.read(self.answers, 1 << 20)
            assert more, "Chromium has ended"
            self._left += more
        line, _, self._left = self._left.partition(b"\0")
        return json.loads(line)

    def call(self, method: str, **parameters: object) -> dict:
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + 60 * PATIENCE
        while True:
            answer = self._read(end)
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            if answer.get("sessionId") == self._session:
                self._note(answer.get("method"), answer.get("params", {}))

    def _note(self, event: str | None, what: dict) -> None:
        if event == "Runtime.consoleAPICalled":
            self.said.append(json.dumps(what["args"]))
        elif event == "Runtime.exceptionThrown":
            self.said.append(json.dumps(what["exceptionDetails"]))
        # On a busy machine hawserd says that it is asked too much, and the page asks again.
        elif event == "Log.entryAdded" and "status of 503" not in what["entry"]["text"]:
            self.said.append(json.dumps(what["entry"]))
        elif event == "Network.requestWillBeSent":
            self.asked.append(what["request"]["url"])

    # What a person does.

    def run(self, script: str) -> object:
        """The value of an expression, or of the promise that it makes."""
        done = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def until(self, script: str, seconds: float = 60) -> object:
        return until(lambda: self.run(script), seconds=seconds)

    def look_like(self, width: int, height: int, dark: bool, phone: bool = False) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=2 if phone else 1, mobile=phone)
        self.call("Emulation.setTouchEmulationEnabled", enabled=phone)
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def go(self, url: str) -> None:
        self.call("Page.navigate", url=url)
        self.until(f"location.href.startsWith({json.dumps(url)}) && document.readyState === 'complete'")

    def key(self, name: str, shift: bool = False) -> None:
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowRight": 39, "ArrowDown": 40, "Home": 36,
                 "End": 35}
        for kind in "keyDown", "keyUp":
            text = {"text": "\r"} if name == "Enter" and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=codes[name],
                      modifiers=8 if shift else 0, **text)

    def type(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def picture(self, file: Path, whole: bool = True) -> bytes:
        more = {}
        if whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            more = {"captureBeyondViewport": True,
                    "clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}
        data = base64.b64decode(self.call("Page.captureScreenshot", format="png", **more)["data"])
        file.write_bytes(data)
        return data
