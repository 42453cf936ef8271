# SPDX-License-Identifier: GPL-2.0-or-later
"""A virtual machine that runs one command of the tests, and what it says meanwhile."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Emulated, a kernel pays for each of these, and none matters to what is tested. Its own clock is
# this machine's.
_APPEND = ("console=ttyS0 quiet loglevel=4 panic=-1 oops=panic norandmaps nokaslr "
           "mitigations=off nopti no5lvl tsc=reliable audit=0 apparmor=0 random.trust_cpu=on")
# String instructions are slow there, and a kernel takes them where the processor recommends them.
_CPU = {"kvm": "host", "tcg": "max,erms=off,fsrm=off"}
_MEMORY_MIB = 4096
_BOOT_S = {"kvm": 30, "tcg": 600}


@dataclass
class Images:
    kernel: Path
    initramfs: Path
    root: Path
    modules: Path


class Machine:
    """Writes go to no image. Ends with this process at the latest."""

    def __init__(self, images: Images, accelerator: str, scratch: Path, cpus: int = 2) -> None:
        self.console = scratch / "console"
        self._said = scratch / "said"
        self._said.touch()
        self._accelerator = accelerator
        disks = [word for number, image in enumerate((images.root, images.modules)) for word in
                 ("-drive", f"file={image},if=none,id=disk{number},format=raw,snapshot=on,"
                            "cache=unsafe", "-device", f"virtio-blk-pci,drive=disk{number}")]
        thread = ",thread=multi" if accelerator == "tcg" else ""
        with (scratch / "qemu").open("wb") as complaints:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", "qemu-system-x86_64",
                 "-accel", f"{accelerator}{thread}", "-cpu", _CPU[accelerator], "-smp", str(cpus),
                 "-m", str(_MEMORY_MIB), "-nodefaults", "-display", "none", "-no-reboot",
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
