# SPDX-License-Identifier: GPL-2.0-or-later
"""The rows by which hawserd is compared with other proxies: every work on every way. `make bench` has some
of them, `make bench-full` all."""

from __future__ import annotations

import resource
from collections.abc import Iterator

from rows import BEST_PEER, LEGS, Bound, Row, exchange

QUICK = ("quick", "full")
FULL = ("full",)
PACKETS = ("packets",)
_SIZES = {"64": 64, "1k": 1024, "16k": 16384}
_SIZE_WORDS = {"64": "64 B", "1k": "1 KiB", "16k": "16 KiB"}
_DIRECTIONS = {"down": ("download", "down"), "up": ("upload", "up"), "both": ("duplex", "both ways")}
_IDLE_SESSIONS = 10000
# Of a proxy: for itself, besides two for each session.
_SPARE_FILES = 300
# As many at once as come and go.
_CHURNERS = 32
_TENTH = 0.1
_WIDE = 1000
_CHAIN = {"rate": 100, "delay": 10}


def _packets(figure: str, of: str, limit: float) -> Bound:
    return Bound(figure, of, limit, "packets")


# The packet tier against a router that is no proxy; and what that routes past its programs.
_PAST = Bound("rate", "direct", 0.97, "past-packets")
_PACKETS_TALK = [_packets("rate", "direct", 0.9), _packets("rate", BEST_PEER, 1.5), _packets("cpu", "direct", 1.25),
                 _packets("p99", "direct", 1.2), _PAST]
_PACKETS_BULK = [_packets("rate", "direct", 0.95), _packets("cpu", "direct", 1.1), _PAST]
_PACKETS_CHURN = [_packets("rate", "copy", 1), _PAST]


def _name(base: str, leg: str) -> str:
    return base if leg == "tcp" else f"{base}-{leg}"


def _shape(leg: str, rate: int | None) -> dict[str, object]:
    """MPTCP is measured on shaped links: without a round-trip time its receivers stall, whoever they are."""
    return {} if leg == "tcp" or rate is None else {"rate_a": rate, "rate_b": rate}


def _bulk() -> Iterator[Row]:
    for leg, words in LEGS.items():
        for direction, (work, way) in _DIRECTIONS.items():
            for streams in (1, 8, 64):
                quick = streams == 1 and direction == "down" and leg in ("tcp", "near") or \
                    (streams, direction, leg) == (1, "up", "far")
                # Where the links bound the rate, CPU tells contenders apart.
                yield Row(_name(f"{direction}-{streams}", leg),
                          f"{words}, {streams} bulk {'stream' if streams == 1 else 'streams'} {way}, " +
                          ("unshaped" if leg == "tcp" else f"2×{_WIDE} Mbit/s"), leg,
                          {"work": work, "connections": streams}, "rate" if leg == "tcp" else "cpu",
                          sets=QUICK if quick else FULL, **_shape(leg, _WIDE))
    for direction in ("down", "up"):
        work, way = _DIRECTIONS[direction]
        yield Row(f"turns-{direction}-1", f"TCP→TCP, 100 × 64 B, then 1 bulk stream {way}, unshaped", "tcp",
                  {"work": work, "turns": 100}, "rate", _PACKETS_BULK, sets=PACKETS)
    yield Row("down-1-2000", "TCP→TCP, 1 bulk stream down, 2000 Mbit/s", "tcp",
              {"work": "download"}, "cpu", rate_a=2000, sets=FULL)
    for leg in ("near", "far"):
        for rate in (200, 2000):
            yield Row(f"down-1-{leg}-{rate}", f"{LEGS[leg]}, 1 bulk stream down, 2×{rate} Mbit/s", leg,
                      {"work": "download"}, "cpu", rate_a=rate, rate_b=rate, sets=FULL,
                      stretch=3 if rate < 500 else 1)


def _talk() -> Iterator[Row]:
    for leg, words in LEGS.items():
        for connections in (1, 32, 256):
            for label, size in _SIZES.items():
                quick = (connections, label) == (32, "64") and leg in ("tcp", "near")
                packets = quick and leg == "tcp"
                yield Row(_name(f"talk-{connections}x{label}", leg),
                          f"{words}, {connections} × {_SIZE_WORDS[label]}, saturated", leg,
                          exchange(connections, size), "rate", _PACKETS_TALK * packets,
                          sets=(QUICK if quick else FULL) + PACKETS * packets,
                          **_shape(leg, 2000 if label == "16k" else None))


def idle_sessions() -> int:
    """What the limit of open files allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _IDLE_SESSIONS if hard == resource.RLIM_INFINITY else \
        min(_IDLE_SESSIONS, (hard - _SPARE_FILES) // 2)


def _sessions() -> Iterator[Row]:
    for leg, words in LEGS.items():
        yield Row(_name("churn", leg), f"{words}, new connections: connect, 1 KiB each way, close", leg,
                  {"work": "churn", "connections": _CHURNERS, "request": 1024, "response": 1024},
                  "rate", _PACKETS_CHURN * (leg == "tcp"), sets=QUICK + PACKETS if leg == "tcp" else FULL)
        for count in sorted({1000, idle_sessions()}):
            yield Row(_name(f"idle-{count}", leg), f"{words}, {count:,} idle sessions", leg,
                      {"work": "idle", "connections": count}, "memory", stretch=3,
                      sets=QUICK if (leg, count) == ("tcp", 1000) else FULL)
        yield Row(_name("paced", leg), f"{words}, 32 × 64 B, at a tenth of what saturates auto", leg,
                  exchange(32), "cpu", paced=_TENTH, sets=QUICK if leg == "tcp" else FULL)


def _beside() -> Iterator[Row]:
    for leg in ("tcp", "near"):
        for connections in (1, 32):
            # The small ones have link b for themselves where all is TCP: they wait for the proxy.
            yield Row(_name(f"small-{connections}", leg),
                      f"{LEGS[leg]}, {connections} × 64 B beside 8 bulk streams, " +
                      ("2000 Mbit/s" if leg == "tcp" else f"2×{_WIDE} Mbit/s"), leg,
                      exchange(connections), "p99",
                      beside={"work": "download", "connections": 8},
                      sets=QUICK if (leg, connections) == ("tcp", 32) else FULL,
                      **({"rate_a": 2000} if leg == "tcp" else _shape(leg, _WIDE)))


def _routers() -> Iterator[Row]:
    for percent in (10, 25, 50):
        for leg in ("tcp", "near"):
            where = f"{LEGS[leg]}, the proxy has {percent} % of a CPU, its kernel threads (sockmap) any"
            quick = QUICK if (percent, leg) == (25, "near") else FULL
            yield Row(_name(f"router{percent}-down", leg), f"{where}, 1 bulk stream down", leg,
                      {"work": "download"}, "rate", quota=percent / 100, sets=quick,
                      **_shape(leg, _WIDE))
            yield Row(_name(f"router{percent}-talk", leg), f"{where}, 32 × 64 B", leg, exchange(32),
                      "rate", quota=percent / 100, sets=FULL)


def _chains() -> Iterator[Row]:
    where = "router and exit, 2 × 100 Mbit/s, 20 ms"
    loads = {"down": {"work": "download"}, "up": {"work": "upload"}, "down-8":
             {"work": "download", "connections": 8}, "talk": exchange(32),
             "churn": {"work": "churn", "connections": 8, "request": 1024, "response": 1024}}
    words = {"down": "1 bulk stream down", "up": "1 bulk stream up", "down-8": "8 bulk streams down",
             "talk": "32 × 64 B", "churn": "new connections"}
    for name, load in loads.items():
        yield Row(f"chain-{name}", f"{where}, {words[name]}", "chain", load,
                  "rate" if load["work"] != "exchange" else "p99", emulated=_CHAIN, stretch=2,
                  settle_s=3,
                  sets=QUICK if name == "down" else FULL)


WORKS = [*_bulk(), *_talk(), *_sessions(), *_beside(), *_routers(), *_chains()]
