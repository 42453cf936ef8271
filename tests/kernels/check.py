# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs tests on other kernels, in virtual machines: make check-kernels KERNELS="6.1 6.12 7 DIR"."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import functools
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from image import GUEST_TREE, START_MODULES, Modules, make_initramfs, make_modules, make_root
from virtual_machine import Images, Machine, end_all
from packages import Archive, Kernel, Missing, own
from table import Results, remarks, table

TREE = Path(__file__).resolve().parent.parent.parent
# What says something about a kernel, what says most first. A kernel that the torture brings down has
# shown much by then.
SELECTION = [
    "tests/kernels/what_is_on.py", *(f"tests/net/test_{name}.py" for name in (
        "exact", "ends", "sockmap", "packets", "packets_ways", "packets_router", "intercept", "run", "local_accel", "links", "exits",
        "doctor", "fast_open", "torture")),
    "tests/kernels/limits_shown.py", "tests/kernels/netem_agrees.py",
    "tests/kernels/without_mptcp_diag.py", "tests/unit",
    *(f"tests/net/test_{name}.py" for name in (
        "mptcp", "tcp_only", "steer", "connect_first", "link_setup", "link_rests", "exit_fallback",
        "local_scope", "urgent", "last_bytes", "backpressure"))]
# Where two processors that run at the same time may matter most. Emulated, the rest has one.
ON_TWO = ("tests/net/test_torture.py",)
# What hawserd does by itself is the same everywhere.
_LEFT_OUT = ("wrong_arguments wrong_files wrong_path wrong_token bad_usage cannot_be exit_status "
             "signals_are name_server clock_ busy_ revoked")
# Without MPTCP kernels differ little but for TCP clients on the same host, which are accelerated, and packets that are
# forwarded.
KEYWORDS = " and not ".join(["(not no-mptcp or local or test_packets)", "mptcp-tcp-mptcp", "mptcp-mptcp-tcp",
                             *_LEFT_OUT.split()])
# On a kernel that has none.
WITHOUT_MPTCP = " and not ".join(["(not mptcp or no-mptcp)", *_LEFT_OUT.split()])
# make is not in the machine.
DESELECTED = ["--deselect", "tests/unit/test_unit.py::test_binaries_are_built"]
# By how much an emulated machine is slower, at most; what waits for it waits so much longer.
PATIENCE = {"kvm": 1, "tcg": 10, "smp": 10}
# It ends what goes on and on.
MINUTES = 180
STARTS_MAX = 4
NEVER_BEGAN = "no machine ran a test"
# Pytest's status when it ran no test.
NO_TESTS = 5


def say(text: str) -> None:
    print(f"check-kernels: {text}", flush=True)


def accelerator() -> str:
    """KVM where it can be opened; whether it boots anything is seen then."""
    wanted = os.environ.get("ACCEL")
    return wanted or ("kvm" if os.access("/dev/kvm", os.R_OK | os.W_OK) else "tcg")


def own_kernel() -> Kernel | None:
    """This machine's, if it lies on its disk."""
    release = platform.release()
    image, modules = Path(f"/boot/vmlinuz-{release}"), Path(f"/lib/modules/{release}")
    if image.exists() and (modules / "kernel").is_dir():
        return Kernel(release, release, image, modules)
    return None


def choose(words: Sequence[str], archive: Archive) -> list[tuple[str, Kernel]]:
    """The kernels with their titles, the control first."""
    found = []
    control = own_kernel()
    line = ".".join(platform.release().split(".")[:2])
    if control:
        found.append((f"{control.version} (control)", control))
    else:
        say(f"this machine's kernel is not on its disk; the control is Debian's newest {line}")
        words = [line, *(word for word in words if word != line)]
    for word in words:
        try:
            kernel = own(Path(word)) if "/" in word else archive.kernel(word)
        except Missing as reason:
            if word != line or control:
                raise
            say(f"no control: {reason}")
            continue
        title = f"{kernel.version} (control)" if word == line and not control else kernel.version
        found.append((title, kernel))
    return found


class Column:
    """The tests on one kernel. What came out is saved in a file of the kernel's, for a later run."""

    def __init__(self, title: str, kernel: Kernel, root: Path, scratch: Path, build: Path,
                 selection: Sequence[str], saved: Path) -> None:
        self.results = Results(title)
        self._kernel, self._root, self._scratch, self._build = kernel, root, scratch, build
        self._selection, self._saved = list(selection), saved
        self._running, self._files, self._began = "", (), 0.0

    def run(self, accel: str) -> str:
        """Returns the accelerator that worked."""
        self._began = time.monotonic() - self.results.seconds
        deadline = time.monotonic() + 60 * MINUTES
        with tempfile.TemporaryDirectory(dir=self._scratch) as place:
            modules = Modules(self._kernel)
            start = functools.partial(self._start, modules, make_modules(
                modules, self._kernel, Path(place)), Path(place), deadline)
            if accel == "kvm":
                start(accel, self._selection)
                if self.results.note != NEVER_BEGAN:
                    return accel
                say("KVM does not start it; emulating")
                self.results.note = ""
            for kind in "tcg", "smp":
                files = [name for name in self._selection if (name in ON_TWO) == (kind == "smp")]
                if files and not self.results.note:
                    start(kind, files)
        return "tcg"

    def _start(self, modules: Modules, image: Path, place: Path, deadline: float, kind: str,
               files: Sequence[str]) -> None:
        """Starts anew after each death, with the tests that are left."""
        self._files = tuple(files)
        for _ in range(STARTS_MAX):
            before = len(self.results.outcomes)
            with tempfile.TemporaryDirectory(dir=place) as scratch:
                images = Images(self._kernel.image, make_initramfs(modules, {
                    "parameters": self._parameters(kind, files),
                    "done": "\n".join(self.results.outcomes)}, Path(scratch)), self._root, image)
                trouble = self._once(images, kind, Path(scratch), deadline)
            if kind == "kvm" and trouble and len(self.results.outcomes) == before:
                self.results.note = NEVER_BEGAN
            if not trouble or self.results.note:  # at its end, or too late
                return
        self.results.note = f"died {STARTS_MAX} times"

    def _parameters(self, kind: str, files: Sequence[str]) -> str:
        words = {"TREE": GUEST_TREE, "BUILD": str(self._build), "PATIENCE": str(PATIENCE[kind]),
                 "MODULES": " ".join(START_MODULES),
                 "KEYWORDS": KEYWORDS, "WITHOUT_MPTCP": WITHOUT_MPTCP,
                 "SELECTION": " ".join([*DESELECTED, *files])}
        return "".join(f"{name}='{value}'\n" for name, value in words.items())

    def _once(self, images: Images, kind: str, scratch: Path, deadline: float) -> str:
        """What went wrong, if not the tests. The test that it died in, or that ran when the time was
        over, counts as done."""
        self._running, finished = "", False
        with Machine(images, kind, scratch) as machine:
            try:
                for line in machine.lines(deadline):
                    finished = self._take(line) or finished
                trouble = "" if finished else "the machine died"
            except TimeoutError as reason:
                trouble = str(reason)
                self.results.note = trouble
            if not trouble:
                return ""
            trouble += f":\n{machine.last_words()}"
        if self._running:
            self.results.add(self._running, "cut short" if self.results.note else "died", trouble)
        say(f"{self.results.title}: {self._running}: {trouble}")
        return trouble

    def _take(self, line: dict) -> bool:
        """One line of the guest; whether it was the last."""
        if line["kind"] == "kernel":
            say(f"{self.results.title}: {line['release']} {line['version']}")
        elif line["kind"] == "start":
            self._running = line["test"]
        elif line["kind"] == "end":
            self.results.add(line["test"], line["outcome"], line["reason"])
            self.results.features.update(line["features"])
            self.results.times[line["test"]] = line["seconds"]
            self.results.seconds = time.monotonic() - self._began
            self.results.save(self._saved)
            if line["outcome"] == "failed":
                say(f"{self.results.title}: FAILED {line['test']}\n{line['reason']}\n"
                    f"{line['said']}")
        elif line["kind"] == "finish":
            self._running = ""
            if line["status"] == NO_TESTS and not self._has_run():
                self.results.note = f"no test was chosen of {' '.join(self._files)}"
            elif line["status"] not in (0, 1, NO_TESTS):
                self.results.note = f"pytest ended with status {line['status']}"
        return line["kind"] == "finish"

    def _has_run(self) -> bool:
        """Whether a test of these files has, earlier: then none may be left."""
        return any(test.startswith(self._files) for test in self.results.outcomes)


def chosen_files(parts: str) -> list[str]:
    """All, or those whose names contain one of these words."""
    for part in parts.split():
        if not any(part in name.rpartition("/")[2] for name in SELECTION):
            raise Missing(f"T={part}: no chosen test file is called so; there are "
                          f"{' '.join(SELECTION)}")
    return [name for name in SELECTION if not parts.strip()
            or any(part in name.rpartition("/")[2] for part in parts.split())]


def stop(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", default="", help="only files whose names contain one of these")
    parser.add_argument("--resume", action="store_true",
                        help="leave out what passed on the same kernel in the run before")
    parser.add_argument("--build", required=True, type=Path)
    parser.add_argument("kernels", nargs="+", metavar="LINE|DIR")
    options = parser.parse_args()
    for number in signal.SIGTERM, signal.SIGHUP:
        if signal.getsignal(number) != signal.SIG_IGN:  # as SIGHUP under nohup
            signal.signal(number, stop)
    if os.geteuid() != 0:
        say("needs root, to make an image of this machine's files")
        return 1
    home = TREE / "build" / "kernels"
    try:
        return check(options, home)
    except (Missing, RuntimeError, subprocess.CalledProcessError) as reason:
        say(str(reason))
    except KeyboardInterrupt:
        say("interrupted")
    return 1


@contextlib.contextmanager
def run_directory(home: Path) -> Iterator[Path]:
    """One that nobody else uses, gone in the end. Those that killed runs left go first."""
    def held(directory: Path) -> int | None:
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    for left in home.glob("run.*"):
        descriptor = held(left)
        if descriptor is not None:
            shutil.rmtree(left)
            os.close(descriptor)
    with tempfile.TemporaryDirectory(dir=home, prefix="run.") as name:
        descriptor = held(Path(name))
        try:
            yield Path(name)
        finally:
            os.close(descriptor)


def tell(columns: list[Results]) -> None:
    """Of an interrupted run, what it came to."""
    for results in columns:
        print(remarks(results))
    if columns:
        print(table(columns), flush=True)


def check(options: argparse.Namespace, home: Path) -> int:
    selection = chosen_files(options.tests)
    for word in options.kernels:
        if "/" in word:
            own(Path(word))
    columns: list[Results] = []
    with contextlib.ExitStack() as leave:
        with Archive(home) as archive:
            archive.update()
            kernels = choose(options.kernels, archive)
            scratch = leave.enter_context(run_directory(home))
        leave.callback(tell, columns)
        root = make_root(TREE, options.build, scratch, selection)
        left = []
        for title, kernel in kernels:
            saved = home / f"results-{kernel.release}-{kernel.version}"
            left.append(Column(title, kernel, root, scratch, options.build, selection, saved))
            columns.append(left[-1].results)
            if options.resume:
                columns[-1].load(saved)
        run_all(left)
    return 0 if all(results.ok() for results in columns) else 1


def run_all(columns: list[Column]) -> None:
    """An emulated machine has one processor of this one, so there are some at a time."""
    accel, left = accelerator(), list(columns)
    while left and accel == "kvm":
        accel = left.pop(0).run(accel)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        jobs = [pool.submit(column.run, accel) for column in left]
        try:
            for job in as_completed(jobs):
                job.result()
        except BaseException:
            end_all()
            pool.shutdown(cancel_futures=True)
            raise


if __name__ == "__main__":
    sys.exit(main())
