# SPDX-License-Identifier: GPL-2.0-or-later
"""What all tests share. Every network test runs twice, with MPTCP and with net.mptcp.enabled=0 in
the namespaces, unless it is marked as being about MPTCP. Where there can be no namespaces at all,
nothing runs, and that is a failure; HAWSER_NET=0 (make check NET=0) skips the network tests."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import tempfile
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol

pytest_plugins = ("deadlines", "order")

ROOT = Path(__file__).resolve().parent.parent
NET_TESTS = ROOT / "tests" / "net"
sys.path[:0] = [*(str(ROOT / part) for part in ("testbed", "bench", "tests/net/lib"))]

KERNEL_LOG = pytest.StashKey()
# Whether a test that failed has a second chance.
AGAIN = pytest.StashKey[bool]()
NET_WANTED = os.environ.get("HAWSER_NET") != "0"
MODES = ("mptcp", "no-mptcp")
# The marker of tests that do not run in it.
NOT_IN = {"mptcp": "no_mptcp", "no-mptcp": "mptcp"}
# What a test with the argument "pair" is run for: what the client and what the server speaks.
PAIRS = {"mptcp": [(client, server) for client in ("tcp", "mptcp") for server in ("tcp", "mptcp")],
         "no-mptcp": [("tcp", "tcp")]}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "mptcp: is about MPTCP, so runs only where there is MPTCP")
    config.addinivalue_line("markers", "no_mptcp: is about TCP clients, so runs only without MPTCP")
    raise_open_files_limit()
    # What a test makes is not a part of the make that runs the tests.
    for name in "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "SAN":
        os.environ.pop(name, None)
    if hasattr(config, "workerinput"):  # a helper of pytest-xdist: one complaint is enough
        return
    config.stash[KERNEL_LOG] = begin_kernel_log()
    if not config.option.collectonly and NET_WANTED:
        refuse_without_network(config)


def begin_kernel_log():
    from kernel_log import KernelLog

    with contextlib.suppress(OSError):
        return KernelLog()
    return None


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    """Warnings of the kernel, and of our programs that it saw die. They fail nobody: others may have run here meanwhile."""
    log = config.stash.get(KERNEL_LOG, None)
    if log and (faults := log.faults()):
        terminalreporter.section("said by the kernel meanwhile, of this run or another")
        terminalreporter.write_line(faults[:4000])


def refuse_without_network(config: pytest.Config) -> None:
    """A missing feature of the kernel is a skipped test; without namespaces nearly all would be."""
    from bed import Bed
    from namespace import Unavailable

    chosen = [config.invocation_params.dir / argument.split("::")[0] for argument in config.args]
    if not any(path == NET_TESTS or path in NET_TESTS.parents or NET_TESTS in path.parents
               for path in chosen):
        return
    try:
        with tempfile.TemporaryDirectory() as scratch:
            Bed(ROOT / "build", Path(scratch), mptcp=False, rate_lan=1000).close()
    except (Unavailable, OSError) as reason:
        raise pytest.UsageError(f"the network tests cannot run here: {reason}; to skip them: "
                                "make check NET=0") from None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not NET_WANTED and NET_TESTS in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="a network test (HAWSER_NET=0)"))


def raise_open_files_limit() -> None:
    """The tests of many sessions want two sockets for each; they count on what they get."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(hard, 32768)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
    except (ValueError, OSError):  # root without CAP_SYS_RESOURCE
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "bed" not in metafunc.fixturenames:
        return
    modes = [mode for mode in MODES
             if not metafunc.definition.get_closest_marker(NOT_IN[mode])]
    if "pair" not in metafunc.fixturenames:
        metafunc.parametrize("bed", modes, indirect=True, scope="session")
        return
    cases = [(mode, pair) for mode in modes for pair in PAIRS[mode]]
    metafunc.parametrize(("bed", "pair"), cases, indirect=["bed"], scope="session",
                         ids=["-".join((mode, *pair)) for mode, pair in cases])


@pytest.fixture(scope="session")
def build() -> Path:
    """The directory that the Makefile built into; a missing daemon is a failure, not a skip."""
    directory = ROOT / os.environ.get("HAWSER_BUILD", "build")
    for name in "hawserd", "hawser", "testbed/emulator":
        assert (directory / name).exists(), f"{directory / name} is not there; run make check"
    return directory


@pytest.fixture(scope="session")
def bed(request, build, tmp_path_factory):
    """The namespaces, and how to start hawserd there. All links are shaped: MPTCP may stall on
    those that have next to no round-trip time, whatever hawserd does."""
    from bed import Bed

    with Bed(build, tmp_path_factory.mktemp("bed"), mptcp=request.param == "mptcp",
             rate_a=1000, rate_b=1000, rate_lan=2000) as made:
        yield made


@pytest.fixture
def emulated_bed(bed, build, tmp_path_factory):
    """Makes test beds whose links are the emulator's: emulated_bed(a={"rate": 50, "delay": 20},
    b={"rate_down": 20, "rate_up": 5, "delay": 100, "loss": 1}). A link that is not named is shaped
    to 1 Gbit/s."""
    from bed import Bed

    made: list[Bed] = []

    def make(**links: dict[str, object]) -> Bed:
        shaped = {f"rate_{link}": 1000 for link in "ab" if link not in links}
        made.append(Bed(build, tmp_path_factory.mktemp("bed"), mptcp=bed.mptcp, rate_lan=2000,
                        emulated=links, **shaped))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Runs a failed test once more if the kernel has lost bytes of a connection that fell back to
    TCP meanwhile, by the kernel's own count: hawserd can but notice it (docs/kernel-notes.md). It
    does not die of it."""
    from verdict import faults

    faults.clear()
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    if item.stash.get(AGAIN, False) and not faults:
        item.stash[AGAIN] = False
        failures = "\n".join(report.longreprtext for report in reports if report.failed)
        item.warn(pytest.PytestWarning(f"the kernel lost bytes of a fallback: run again after\n{failures}"))
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def hides_a_failure(error: BaseException) -> bool:
    """Whether it came while another was on its way."""
    from namespace import Unavailable

    while error := error.__context__:
        if not isinstance(error, (OSError, Unavailable)):
            return True
    return False


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    """What the kernel lacks is a skip that names it, wherever a test finds out. Tells fixtures whether
    their test failed."""
    from namespace import Unavailable

    if call.excinfo is not None and call.when != "teardown" and \
            call.excinfo.errisinstance(Unavailable) and not hides_a_failure(call.excinfo.value):
        call.excinfo = pytest.CallInfo.from_call(lambda: pytest.skip(str(call.excinfo.value)),
                                                 call.when).excinfo
    outcome = yield
    if outcome.get_result().when == "call":
        item.failed = outcome.get_result().failed


@pytest.fixture
def hawserd(request, bed):
    """Starts daemons, and sees at the end that each is well, leaks nothing and stops; after a
    failed test, also shows what each has said."""
    from daemon import Hawserd

    started: list[Hawserd] = []
    before = bed.fallback_counts()

    def start(*options: str, **settings) -> Hawserd:
        started.append(Hawserd(bed, *options, **settings))
        return started[-1]

    yield start
    if getattr(request.node, "failed", False):
        request.node.stash[AGAIN] = all(after > earlier for after, earlier in
                                        zip(bed.fallback_counts(), before))
        for daemon in started:
            print("\n".join(daemon.log().splitlines()[-40:]))
    with contextlib.ExitStack() as rest:
        for daemon in reversed(started):
            rest.callback(daemon.finish)


@pytest.fixture
def serve(bed, hawserd):
    """Starts servers, and stops them before the daemons are looked at."""
    from peers import Server

    started: list[Server] = []

    def start(handler, **settings) -> Server:
        started.append(Server(bed.server, handler, **settings))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture
def origin(bed, hawserd, tmp_path):
    """A web server; stops before the daemons are looked at."""
    from origin import Origin

    with Origin(bed.server, tmp_path, bed.mptcp) as made:
        yield made


@pytest.fixture
def dns(bed):
    """The name server that hawserd asks; knows nothing until it is told."""
    from dns import NameServer

    with NameServer(bed.router) as server:
        yield server
