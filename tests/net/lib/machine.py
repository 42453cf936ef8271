# SPDX-License-Identifier: GPL-2.0-or-later
"""A namespace with an /etc, /var/lib and /run of its own, and a systemctl that starts and stops one
hawserd: what `hawser exit-setup` and `exit-add` may change."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from namespace import MountNamespace, Namespace
from verdict import judge_log

# "start" and "stop" come by a pipe; what is started dies with this script.
INIT = """
while read -r verb; do
    case $verb in
    start) setpriv --pdeathsig KILL -- {hawserd} 2>>{directory}/log & pid=$!
        # As of Type=notify.
        until {hawser} status >/dev/null 2>&1 || ! kill -0 $pid; do sleep 0.05; done ;;
    stop) kill -INT $pid 2>/dev/null; wait $pid; [ $? -lt 128 ] || echo "hawserd was ended by signal $(($? - 128))" >>{directory}/log ;;
    esac
    echo done >{directory}/answer
done <>{directory}/verbs
"""
SYSTEMCTL = """#!/bin/sh
say() {{ echo "$1" >{directory}/verbs; read -r _ <{directory}/answer; }}
verb=$1; shift
case "$verb $*" in
cat*) test ! -e {directory}/no-service ;;
is-enabled*) test -e {directory}/enabled ;;
is-active*hawserd.socket) test -e {directory}/socket-unit ;;
show*Listen*hawserd.socket) cat {directory}/socket-unit ;;
enable*--now*) touch {directory}/enabled; say start ;;
enable*) touch {directory}/enabled ;;
start*) say start ;;
disable*--now*) rm -f {directory}/enabled; say stop ;;
disable*) rm -f {directory}/enabled ;;
stop*) say stop ;;
esac
"""


class Machine:
    def __init__(self, namespace: Namespace, build: Path, directory: Path,
                 binds: dict[str, str] | None = None) -> None:
        self.namespace, self.build, self.directory = namespace, build, directory
        (directory / "bin").mkdir(parents=True)
        (directory / "lib").mkdir()
        shutil.copytree("/etc", directory / "etc", symlinks=True,
                        ignore=lambda folder, _: [] if folder == "/etc" else
                        [name for name in _ if not os.access(f"{folder}/{name}", os.R_OK)])
        # Of a host that is an exit itself.
        shutil.rmtree(directory / "etc/hawser", ignore_errors=True)
        for file in directory.glob("etc/*/*hawser*"):
            file.unlink()
        for name in "verbs", "answer":
            os.mkfifo(directory / name)
        settings = {"directory": directory, "hawserd": build / "hawserd", "hawser": build / "hawser"}
        systemctl = directory / "bin/systemctl"
        systemctl.write_text(SYSTEMCTL.format(**settings), "ascii")
        systemctl.chmod(0o755)
        # Its verdict counts where the host's would.
        for name in "ufw", "firewall-cmd", "modprobe":
            (directory / "bin" / name).write_text("#!/bin/sh\nexit 1\n", "ascii")
            (directory / "bin" / name).chmod(0o755)
        self.mounts = MountNamespace({"/etc": str(directory / "etc"),
                                      "/var/lib": str(directory / "lib"), **(binds or {})},
                                     empty=["/run"])
        self.environment = {**os.environ, "LC_ALL": "C",
                            "PATH": f"{directory}/bin:{os.environ['PATH']}:/usr/sbin:/sbin"}
        self.started: list[subprocess.Popen] = []
        self.start("sh", "-c", INIT.format(**settings))

    def start(self, *command: str, **options) -> subprocess.Popen:
        """It ends with the machine."""
        self.started.append(self.namespace.start(command, self.mounts, env=self.environment,
                                                 **options))
        return self.started[-1]

    def run(self, *command: str) -> subprocess.CompletedProcess:
        with self.start(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                        text=True) as process:
            output, _ = process.communicate(timeout=60)
        return subprocess.CompletedProcess(command, process.returncode, output)

    def hawser(self, *words: str) -> subprocess.CompletedProcess:
        return self.run(str(self.build / "hawser"), *words)

    def log(self) -> str:
        file = self.directory / "log"
        return file.read_text("utf-8") if file.exists() else ""

    def files(self) -> dict[str, tuple[str, int]]:
        """Text and mode of what may be changed."""
        return {str(path): (path.read_text("utf-8", "replace"), path.stat().st_mode)
                for part in ("etc/hawser", "etc/sysctl.d", "etc/modules-load.d",
                             "etc/nftables.conf", "enabled")
                for root in (self.directory / part,)
                for path in ([root] if root.is_file() else root.rglob("*")) if path.is_file()}

    def close(self) -> None:
        """Judges the hawserds that it has run."""
        try:
            self.run("systemctl", "stop", "hawserd")
            judge_log(self.log())
        finally:
            for process in self.started:
                process.kill()
                process.wait()
            self.mounts.close()
