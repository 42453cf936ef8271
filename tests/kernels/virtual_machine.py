# SPDX-License-Identifier: GPL-2.0-or-later
"""A virtual machine that runs one command of the tests, and what it says meanwhile."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Emulated, a kernel pays for each of these, and none matters to what is tested.
_APPEND = ("console=ttyS0 quiet loglevel=4 panic=-1 oops=panic norandmaps nokaslr "
           "mitigations=off nopti no5lvl tsc=reliable audit=0 apparmor=0 random.trust_cpu=on no_timer_check")
# "tcg": the clock counts instructions, two nanoseconds each, and jumps to the next timer where the
# processor sleeps. So waiting takes no time, and what else runs here makes no difference there. There is
# one processor: of two QEMU 7.2 lets the second run only while the first does not. "smp": two that
# run at the same time. String instructions are slow, and a kernel takes them where the processor
# recommends them.
_CPU = ["-cpu", "max,erms=off,fsrm=off"]
_ACCELERATOR = {"kvm": ["-accel", "kvm", "-cpu", "host", "-smp", "2"],
                "tcg": ["-accel", "tcg,thread=single", "-icount", "shift=1,sleep=off", *_CPU],
                "smp": ["-accel", "tcg,thread=multi", "-smp", "2", *_CPU]}
_MEMORY_MIB = 4096
_BOOT_S = {"kvm": 30, "tcg": 600, "smp": 600}

_ending = threading.Event()


class Interrupted(Exception):
    """The machine is not wanted any more."""


def end_all() -> None:
    """For good."""
    _ending.set()


@dataclass
class Images:
    kernel: Path
    initramfs: Path
    root: Path
    modules: Path


class Machine:
    """Writes go to no image. Ends with this process at the latest."""

    def __init__(self, images: Images, accelerator: str, scratch: Path) -> None:
        self.console = scratch / "console"
        self._said = scratch / "said"
        self._said.touch()
        self._accelerator = accelerator
        disks = [word for number, image in enumerate((images.root, images.modules)) for word in
                 ("-drive", f"file={image},if=none,id=disk{number},format=raw,snapshot=on,"
                            "cache=unsafe", "-device", f"virtio-blk-pci,drive=disk{number}")]
        with (scratch / "qemu").open("wb") as complaints:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", "qemu-system-x86_64",
                 *_ACCELERATOR[accelerator], "-m", str(_MEMORY_MIB), "-nodefaults", "-display", "none", "-no-reboot",
                 "-kernel", str(images.kernel), "-initrd", str(images.initramfs),
                 "-append", _APPEND, "-serial", f"file:{self.console}", *disks,
                 "-device", "virtio-rng-pci", "-device", "virtio-serial-pci",
                 "-chardev", f"file,id=said,path={self._said}", "-device",
                 "virtserialport,chardev=said"],
                stdin=subprocess.DEVNULL, stdout=complaints, stderr=complaints,
                env={**os.environ, "TMPDIR": str(scratch)})
        self._complaints = scratch / "qemu"

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def lines(self, deadline: float) -> Iterator[dict]:
        """What the guest says, until it ends. TimeoutError when it says nothing after its start, or
        goes on beyond the deadline, of time.monotonic()."""
        boot = time.monotonic() + _BOOT_S[self._accelerator]
        silent = True
        with self._said.open("r", encoding="utf-8") as said:
            rest = ""
            while True:
                ended = self._process.poll() is not None
                rest += said.read()
                *whole, rest = rest.split("\n")
                for line in whole:
                    silent = False
                    yield json.loads(line)
                if ended:
                    return
                if _ending.is_set():
                    raise Interrupted
                now = time.monotonic()
                if silent and now > boot:
                    raise TimeoutError("it does not start")
                if now > deadline:
                    raise TimeoutError("it takes too long")
                time.sleep(0.2)

    def last_words(self) -> str:
        """Of the guest's kernel, and QEMU's own complaints."""
        texts = [path.read_text("utf-8", "replace") for path in (self._complaints, self.console)
                 if path.exists()]
        return "\n".join(line for text in texts for line in text.splitlines()[-40:])
