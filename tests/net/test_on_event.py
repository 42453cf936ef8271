# SPDX-License-Identifier: GPL-2.0-or-later
"""The user's program is run when a link or the exit changes, and harms nothing."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

import hop
import peers
from conftest import ROOT
from daemon import Hawserd
from exit_net import Net, hello
from handshakes import read
from links import LINK, bare_bed
from topology import SERVER4, near
from waiting import until

EXAMPLES = ROOT / "examples"


@pytest.fixture
def program(tmp_path) -> Path:
    """Notes the variables, an event a line, as JSON."""
    path = tmp_path / "on-event"
    path.write_text(f"#!/bin/sh\n{{ env | grep ^HAWSER_ | sort; echo; }} >> '{tmp_path}/events'\n", "ascii")
    path.chmod(0o755)
    return path


def events(program: Path) -> list[dict[str, str]]:
    file = program.parent / "events"
    return [dict(line.removeprefix("HAWSER_").split("=", 1) for line in text.splitlines())
            for text in (file.read_text("utf-8") if file.exists() else "").split("\n\n") if text]


def await_events(program: Path, *names: str) -> list[dict[str, str]]:
    """These have come, in this order."""
    def seen() -> list[str]:
        return [event["EVENT"] for event in events(program)]

    until(seen, lambda found: found == list(names))
    return events(program)


@pytest.fixture
def bare(build, bed, tmp_path):
    with bare_bed(build, tmp_path, bed.mptcp) as made:
        yield made


def test_link_events(bare, program):
    """A link that goes and comes again; the one that was up from the start is no news."""
    daemon = Hawserd(bare, *LINK, "--on-event", str(program))
    bare.router.run("ip", "link", "set", "dev", "a", "down")
    (down,) = await_events(program, "link-down")
    assert (down["LINK"], down["DEVICE"], down["STATE"], down["STATE_BEFORE"]) == ("wan-a", "a", "down", "up")
    assert down["TEXT"] == "link wan-a (a): down" and down["TIME"].endswith("Z")
    bare.router.run("ip", "link", "set", "dev", "a", "up")
    # As a DHCP client does.
    bare.router.run("ip", "route", "replace", "default", "via", "10.77.1.2", "dev", "a", "metric", "101")
    up = await_events(program, "link-down", "link-up")[1]
    assert (up["LINK"], up["STATE"], up["STATE_BEFORE"]) == ("wan-a", "up", "down")
    status = daemon.status()["on_event"]
    assert status == {"program": str(program), "run": 2, "failed": 0, "waiting": 0, "dropped": 0}
    assert f"{program}, run 2 times, failed 0" in daemon.run_cli("status").stdout
    daemon.finish()


def test_quota_events(bare, program, tmp_path):
    """At 80 and at 100 %, and the link is out then."""
    config = tmp_path / "hawser.conf"
    config.write_text('link dsl { device = a }\nlink lte { device = b  quota = 1M }\n', "ascii")
    daemon = Hawserd(bare, "-c", str(config), "--on-event", str(program))

    def send(size: int) -> None:
        """By that link, past hawserd."""
        with bare.router.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((near("b")[0], 0))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"b")
            for number in range(size // 1000):
                sock.sendto(bytes(1000), (SERVER4, 9))
                if number % 10 == 9:
                    time.sleep(0.002)  # the queue is short

    # What was carried before the first look is not counted.
    until(lambda: send(1000) or time.sleep(0.1) or daemon.ask("links")["links"][1]["quota"]["used"])
    send(830_000)
    (first,) = await_events(program, "link-quota")
    assert (first["LINK"], first["PERCENT"], first["QUOTA"]) == ("lte", "80", "1000000")
    assert 800_000 <= int(first["USED"]) < 1_000_000
    send(200_000)
    rest = await_events(program, "link-quota", "link-quota", "link-down")[1:]
    assert rest[0]["PERCENT"] == "100" and rest[1]["STATE"] == "quota"
    told = daemon.ask("events")["events"]
    assert [each["event"] for each in told if not each["link"]] == [event["TEXT"] for event in (first, rest[0])]
    assert [each for each in told if each["link"]] == daemon.ask("links")["events"]
    assert told == sorted(told, key=lambda each: each["time"])
    daemon.finish()


@pytest.mark.mptcp
def test_exit_events(bed, hawserd, program, tmp_path):
    """The next one takes over, then there is none, and one is back."""
    net = Net(bed, hawserd, tmp_path)
    net.serve("one")
    net.serve("two")
    router = net.settled("one", "two", two="priority = 2", more=f"upstream {{ exit-probe = 0.5 }}\n"
                f'daemon {{ on-event = "{program}" }}')
    net.kill("one")
    (changed,) = await_events(program, "exit-changed")
    assert (changed["EXIT"], changed["EXIT_BEFORE"]) == ("two", "one")
    assert changed["TEXT"] == "sessions go by exit two now"
    net.kill("two")
    none = await_events(program, "exit-changed", "no-exit")[1]
    assert "EXIT" not in none and none["EXIT_BEFORE"] == "two" and none["WHEN_NO_EXIT"] == "direct"
    net.serve("two")
    back = await_events(program, "exit-changed", "no-exit", "exit-changed")[2]
    assert back["EXIT"] == "two" and "EXIT_BEFORE" not in back
    assert [each["event"] for each in router.ask("events")["events"]] == [
        event["TEXT"] for event in (changed, none, back)]


@pytest.mark.mptcp
def test_long_names(hawserd, program, tmp_path):
    """Of exits that are down soon: all are told whole, and what is kept of the text says where it is not."""
    names = [letter * 200 for letter in "abc"]
    tokens = hop.write_tokens(tmp_path / "tokens", hop.Token("home").line())
    file = tmp_path / "conf"
    file.write_text("".join(f'exit "{name}" {{ address = "{SERVER4}" port = 9 token-file = "{tokens}" }}\n' for name in names)
                    + f'upstream {{ exit-probe = 0.5 }}\ndaemon {{ on-event = "{program}" }}', "ascii")
    daemon = hawserd("-c", str(file))
    seen = until(lambda: events(program), lambda found: found and "EXIT" not in found[-1])
    assert sorted(seen[0]["EXIT_BEFORE"].split(",")) == names
    for told, event in zip(seen, daemon.ask("events")["events"]):
        assert event["event"] == told["TEXT"] or (len(event["event"]) == 159 and event["event"].endswith("..."))


def test_one_that_hangs(bare, program):
    """Sessions go on and the control socket answers; it is killed, and the next one has its turn. Then one that is
    not there any more."""
    text = program.read_text("ascii")
    program.write_text(f"{text}trap '' TERM\n[ $HAWSER_EVENT = link-up ] || sleep 20\n", "ascii")
    daemon = Hawserd(bare, *LINK, "--on-event", str(program), "--timeout", "event=3")
    bare.router.run("ip", "link", "set", "dev", "b", "down")
    await_events(program, "link-down")
    with contextlib.closing(peers.Server(bare.server, peers.echo)) as echo:
        hello(daemon, echo.port)
    bare.router.run("ip", "link", "set", "dev", "b", "up")
    bare.router.run("ip", "route", "replace", "default", "via", "10.77.2.2", "dev", "b", "metric", "102")
    await_events(program, "link-down", "link-up")
    assert f"on-event: {program} for link-down: killed after 3 s" in daemon.log()
    program.unlink()
    bare.router.run("ip", "link", "set", "dev", "b", "down")
    until(lambda: daemon.status()["on_event"]["failed"], lambda count: count == 2)
    assert f"warning: on-event: {program} for link-down: No such file or directory" in daemon.log()
    daemon.finish()


class _Webhook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posted.append((self.path, self.headers["Content-Type"], json.loads(body)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_chat_example(bare, tmp_path):
    listening = peers.listen(bare.server)
    server = HTTPServer(("", 0), _Webhook, bind_and_activate=False)
    server.socket.close()
    server.socket, server.posted = listening, []
    thread = threading.Thread(target=server.handle_request)
    server.timeout = 20
    thread.start()
    (tmp_path / "webhook").write_text(f"http://{SERVER4}:{peers.port_of(listening)}/hook\n", "ascii")
    daemon = Hawserd(bare, *LINK, "--on-event", str(EXAMPLES / "on-event-chat"),
                     prefix=("env", f"WEBHOOK_FILE={tmp_path}/webhook"))
    bare.router.run("ip", "link", "set", "dev", "b", "down")
    thread.join(30)
    assert not thread.is_alive()
    server.server_close()
    assert server.posted == [("/hook", "application/json",
                              {"text": f"{socket.gethostname()}: link wan-b (b): down"})]
    until(lambda: daemon.status()["on_event"]["run"], lambda count: count == 1)
    assert daemon.status()["on_event"]["failed"] == 0
    daemon.finish()


def take_mail(sock: socket.socket) -> tuple[list[str], str]:
    """A mail server's side of RFC 5321: the commands, and the message."""
    lines = sock.makefile("rb")
    commands, message = [], b""
    sock.sendall(b"220 here\r\n")
    while True:
        command = lines.readline().decode().strip()
        commands.append(command)
        if command == "DATA":
            sock.sendall(b"354 go on\r\n")
            while (line := lines.readline()) not in (b".\r\n", b""):
                message += line
        elif not command or command == "QUIT":
            return commands, message.decode()
        sock.sendall(b"250 ok\r\n")


def test_mail_example(bare, tmp_path):
    with peers.listen(bare.server) as listening:
        (tmp_path / "mail").write_text(f"server=smtp://{SERVER4}:{peers.port_of(listening)}\n"
                                       "from=router@example.org\nto=me@example.org\n", "ascii")
        daemon = Hawserd(bare, *LINK, "--on-event", str(EXAMPLES / "on-event-mail"),
                         prefix=("env", f"MAIL_FILE={tmp_path}/mail"))
        bare.router.run("ip", "link", "set", "dev", "b", "down")
        with peers.accept(listening) as sock:
            commands, message = take_mail(sock)
    assert commands[0] == f"EHLO {socket.gethostname()}"
    assert {"MAIL FROM:<router@example.org>", "RCPT TO:<me@example.org>"} <= \
        {command.partition(" SIZE=")[0] for command in commands}
    head, _, body = message.partition("\r\n\r\n")
    assert f"Subject: {socket.gethostname()}: link wan-b (b): down" in head.split("\r\n")
    assert "To: me@example.org" in head.split("\r\n")
    assert {"EVENT=link-down", "LINK=wan-b", "STATE=down"} <= set(body.split("\r\n"))
    daemon.finish()


def test_mail_example_quotes_the_login(tmp_path):
    """curl reads it from a file, where backslashes and quotes mean something."""
    (tmp_path / "mail").write_text("server=smtp://192.0.2.1\nlogin='router:a\\b\"c\\\\'\n"
                                   "from=router@example.org\nto=me@example.org\n", "ascii")
    (tmp_path / "curl").write_text("#!/bin/sh\ncat\n", "ascii")
    (tmp_path / "curl").chmod(0o755)
    done = subprocess.run([EXAMPLES / "on-event-mail"], capture_output=True, text=True, check=True, timeout=30,
                          env={"PATH": f"{tmp_path}:/usr/bin:/bin", "MAIL_FILE": str(tmp_path / "mail"),
                               "HAWSER_TEXT": "x"})
    assert done.stdout.splitlines()[1] == r'user = "router:a\\b\"c\\\\"'


@pytest.mark.parametrize(("value", "said"), [
    ("on-event", "expected the path of a program, from /"),
    ("/nowhere/on-event", "No such file or directory; expected the path of a program, from /"),
    ("/etc/hosts", "Permission denied; expected the path of a program, from /"),
    ("/tmp", "no file; expected the path of a program, from /"),
])
def test_no_program(bed, value, said):
    process = bed.router.start([str(bed.build / "hawserd"), "--on-event", value, "--check"], bed.mounts, stderr=-1)
    assert f"--on-event {value}: {said}" in process.communicate(timeout=30)[1].decode()
    assert process.returncode != 0
