# SPDX-License-Identifier: GPL-2.0-or-later
"""A LAN, daemons that take its connections, and servers, for the tests of router mode."""

from __future__ import annotations

import pytest

from lan import Interceptor, Lan, seen_by_server
from peers import Server


@pytest.fixture(scope="module")
def lan(request, build, tmp_path_factory):
    """With the settings LAN of the test file."""
    settings = {"rate_a": 1000, "rate_b": 1000, "rate_lan": 2000,
                **getattr(request.module, "LAN", {})}
    with Lan(build, tmp_path_factory.mktemp("lan"), **settings) as made:
        yield made


@pytest.fixture
def interceptor(lan):
    """Starts daemons, and sees at the end that each is well and that no rule is left."""
    before = lan.steering()
    started: list[Interceptor] = []

    def start(method: str, *options: str, **settings) -> Interceptor:
        started.append(Interceptor(lan, method, *options, **settings))
        return started[-1]

    yield start
    lan.hawser("intercept", "down")
    for daemon in started:
        daemon.finish()
    assert lan.steering() == before


@pytest.fixture
def serve(lan, interceptor):
    """Starts servers, and stops them before the daemons are looked at."""
    started: list[Server] = []

    def start(handler=seen_by_server, **settings) -> Server:
        started.append(Server(lan.server, handler, **settings))
        return started[-1]

    yield start
    for server in started:
        server.close()
