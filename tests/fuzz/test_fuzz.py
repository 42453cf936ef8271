# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs every libFuzzer target that the Makefile built, all at once, for FUZZ_SECONDS (10) each."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import handshakes
import hop
import speed
from handshakes import socks5_request

ROOT = Path(__file__).resolve().parent.parent.parent
TARGETS = sorted(source.stem for source in Path(__file__).parent.glob("*_fuzz.c"))
SECONDS = os.environ.get("FUZZ_SECONDS", "10")

# The targets have another key: what they do not sign themselves must not get in.
TOKEN = hop.Token("home")


def seeds(target: str) -> list[bytes]:
    """Good messages to begin with."""
    if target == "hop_request_fuzz":
        requests = [socks5_request(host, 443) for host in ("192.0.2.1", "2001:db8::1", "a.test")]
        requests += [hop.probe(), speed.request(speed.SOURCE, 9)]
        heads = [hop.Message(TOKEN, request).head for request in requests]
        return [bytes([how, 40]) + head for how in (0, 1, 3, 5) for head in heads]
    if target == "hop_answers_fuzz":
        replies = [b"\x05\0\0\x01" + bytes(6), b"\x05\x05\0\x03\x02ab" + bytes(2),
                   b"\x05\x02\0\x04" + bytes(18), b"\x05\x02\0\x04\x02" + bytes(17)]
        return [b"\x01\x05\xc8\x01" + bytes([status]) + bytes(40) + reply
                for status in range(4) for reply in replies]
    if target == "proxy_header_fuzz":
        good = [handshakes.proxy_header("192.0.2.1", 1, "192.0.2.2", 2),
                handshakes.proxy_header("2001:db8::1", 1, "2001:db8::2", 2, b"\x04\0\x02ab")]
        return [*good, good[0][:12] + b"\x20\0\0\0"]
    if target == "http_request_fuzz":
        fields = [b"Host: a", b"Content-Length: 3", b"Transfer-Encoding: chunked",
                  b"Connection: close, X-Hop\r\nX-Hop: 1", b"Connection: Upgrade\r\nUpgrade: x",
                  b"TE: trailers\r\nProxy-Connection: close", b"Max-Forwards: 1"]
        return [b"\0\x10" + line + b" HTTP/1." + version + b"\r\n" + field + b"\r\n\r\nabc"
                for line in (b"GET http://u:p@a:/b?c", b"OPTIONS http://[::1]:8", b"CONNECT a:1")
                for version in (b"0", b"1") for field in fields]
    if target == "http_response_fuzz":
        fields = [b"Content-Length: 3", b"Content-Length: 3, 3", b"Transfer-Encoding: chunked",
                  b"Connection: close, X-Hop\r\nX-Hop: 1", b"Upgrade: x\r\nProxy-Authenticate: y"]
        return [bytes([how]) + b"HTTP/1.1 " + status + b" OK\r\n" + field + b"\r\n\r\n"
                for how in (0, 1, 2, 4) for status in (b"200", b"101", b"204", b"304", b"426")
                for field in fields]
    if target == "http_chunked_fuzz":
        return [b"\x03\x02" + body for body in
                (b"5\r\nhello\r\n0\r\n\r\nGET", b"1;a=b\r\nx\r\nA \t;c\r\n0123456789\r\n0\r\n\r\n",
                 b"1\r\nx\r\n0\r\nX-Sum: 1\r\nHost: a\r\n\r\n")]
    return [TOKEN.line("sessions=3 to=192.0.2.0/24,2001:db8::/32").encode()]


def test_targets_are_built() -> None:
    assert TARGETS and all((ROOT / "build" / "fuzz" / name).exists() for name in TARGETS), \
        "run make fuzz"


def test_fuzz(tmp_path: Path) -> None:
    running = {}
    for name in TARGETS:
        corpus = tmp_path / name
        corpus.mkdir()
        for number, seed in enumerate(seeds(name)):
            (corpus / f"seed{number}").write_bytes(seed)
        running[name] = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", ROOT / "build" / "fuzz" / name,
             f"-max_total_time={SECONDS}", "-max_len=2000", "-timeout=5", "-print_final_stats=1",
             f"-artifact_prefix={tmp_path}/", corpus],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=tmp_path)
    try:
        for name, process in running.items():
            output = process.communicate(timeout=float(SECONDS) + 60)[0].decode(errors="replace")
            assert process.returncode == 0, f"{name}:\n{output[-6000:]}"
            runs = int(output.split("stat::number_of_executed_units:")[1].split()[0])
            assert runs > 1000, f"{name}: only {runs} inputs were tried"
    finally:
        for process in running.values():
            process.kill()
            process.wait()
