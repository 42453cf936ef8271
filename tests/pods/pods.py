# SPDX-License-Identifier: GPL-2.0-or-later
"""Pods of deploy/kubernetes, run by `podman kube play`: what a DaemonSet or StatefulSet would make, with the
ConfigMaps and Secrets that kustomize would make. Without a network: the test wires them."""

from __future__ import annotations

import base64
import copy
import json
import subprocess
from pathlib import Path

import yaml
from namespace import Namespace
from processes import Failed

ROOT = Path(__file__).resolve().parent.parent.parent
DEPLOY = ROOT / "deploy" / "kubernetes"
# crun gives up where it may not raise RLIMIT_MEMLOCK.
_PODMAN = ["podman", "--cgroup-manager=cgroupfs", "--runtime=runc"]
PATIENCE_S = 120


def podman(*words: str, check: bool = True) -> str:
    done = subprocess.run([*_PODMAN, *words], capture_output=True, text=True, check=False,
                          timeout=PATIENCE_S)
    if check and done.returncode:
        raise Failed(f"podman {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def _load(path: Path) -> list[dict]:
    return list(yaml.safe_load_all(path.read_text("utf-8")))


def _generated(folder: str, name: str, files: dict[str, str]) -> list[dict]:
    """files: instead of those beside the kustomization, and beyond."""
    kustomization, = _load(DEPLOY / folder / "kustomization.yaml")
    made = []
    for kind, key in ("ConfigMap", "configMapGenerator"), ("Secret", "secretGenerator"):
        for generator in kustomization[key]:
            data = {file: files[file] if file in files else (DEPLOY / folder / file).read_text("utf-8")
                    for file in generator["files"]}
            if kind == "ConfigMap":
                data |= {file: text for file, text in files.items() if file.endswith(".conf")}
            else:
                data = {file: base64.b64encode(text.encode()).decode() for file, text in data.items()}
            made.append({"apiVersion": "v1", "kind": kind, "data": data,
                         "metadata": {"name": f"{name}-{generator['name']}"}})
    return made


def _allow_devices(pod: str) -> None:
    """podman 4.3 without systemd refuses all devices to a pod, /dev/null among them, whatever its containers
    may have."""
    for group in Path("/sys/fs/cgroup").rglob(pod):
        shown = subprocess.run(["bpftool", "-j", "cgroup", "show", str(group)], capture_output=True, text=True,
                               check=True).stdout
        for program in json.loads(shown or "[]"):
            subprocess.run(["bpftool", "cgroup", "detach", str(group), "device", "id", str(program["id"])],
                           check=True)


def _mountpoint(volume: str) -> Path:
    return Path(podman("volume", "inspect", "-f", "{{.Mountpoint}}", volume).strip())


class Pod:
    """files: of ConfigMaps and Secrets, by name. environment: beyond that of the manifest; with
    MESH_PROXY=no nobody answers probes."""

    def __init__(self, folder: str, name: str, files: dict[str, str],
                 environment: dict[str, str] | None = None) -> None:
        self.name = name
        manifest = next(each for each in _load(DEPLOY / folder / f"{folder}.yaml")
                        if each["kind"] in ("DaemonSet", "StatefulSet"))
        template = copy.deepcopy(manifest["spec"]["template"])
        spec = template["spec"]
        spec.pop("hostNetwork", None)
        container, = spec["containers"]
        container.pop("ports")  # podman would map them, and there is no network
        container.pop("resources")  # which control groups the machine has nobody knows
        self.container = f"{name}-{container['name']}"
        container.setdefault("env", []).extend(
            {"name": key, "value": value} for key, value in (environment or {}).items())
        if "MESH_PROXY" in (environment or {}):
            for probe in "readinessProbe", "livenessProbe", "startupProbe":
                container.pop(probe)
        for volume in spec["volumes"]:
            for kind, key in ("configMap", "name"), ("secret", "secretName"):
                if kind in volume:
                    volume[kind][key] = f"{name}-{volume[kind][key]}"
            if "secret" in volume:
                volume["secret"]["optional"] = False  # podman 4.3 looks there unasked
        open_to_all = [volume["name"] for volume in spec["volumes"] if "emptyDir" in volume]
        for volume in spec["volumes"]:
            if volume.pop("hostPath", None):
                volume["emptyDir"] = {}
        spec["volumes"] += [{"name": claim["metadata"]["name"], "emptyDir": {}}
                            for claim in manifest["spec"].get("volumeClaimTemplates", [])]
        open_to_all += [claim["metadata"]["name"]
                        for claim in manifest["spec"].get("volumeClaimTemplates", [])]
        for each in [*spec["volumes"], *container["volumeMounts"]]:
            each["name"] = f"{name}-{each['name']}"  # podman has one of each name for all pods
        pod = {"apiVersion": "v1", "kind": "Pod", "spec": spec,
               "metadata": {**template["metadata"], "name": name}}
        made = _generated(folder, name, files)
        self._path = Path("/run") / f"{name}.yaml"
        self._path.write_text(yaml.safe_dump_all([*made, pod]), "utf-8")
        podman("kube", "play", "--network", "none", "--start=false", str(self._path))
        _allow_devices(podman("pod", "inspect", "-f", "{{.ID}}", name).strip())
        self._secrets = [volume["secret"]["secretName"] for volume in spec["volumes"] if "secret" in volume]
        self._decode(spec["volumes"])
        for volume in open_to_all:  # as the kubelet makes an emptyDir, and many a provisioner a volume
            _mountpoint(f"{name}-{volume}").chmod(0o777)
        podman("pod", "start", name)
        self.pid = int(podman("inspect", "-f", "{{.State.Pid}}", self.container))
        if not self.pid:
            raise Failed(f"{name} ended at once: {self.log()}")

    @staticmethod
    def _decode(volumes: list[dict]) -> None:
        """What podman 4.3 leaves as it stands in the Secret, and open to all whatever defaultMode says."""
        for secret in (volume["secret"] for volume in volumes if "secret" in volume):
            for path in _mountpoint(secret["secretName"]).iterdir():
                path.write_bytes(base64.b64decode(path.read_bytes()))
                path.chmod(secret["defaultMode"])

    def namespace(self) -> Namespace:
        return Namespace.of_process(self.pid)

    def run(self, *command: str) -> subprocess.CompletedProcess:
        """In the container."""
        return subprocess.run([*_PODMAN, "exec", self.container, *command], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False, timeout=PATIENCE_S)

    def probe(self) -> bool:
        """The liveness probe, as its manifest has it."""
        return subprocess.run([*_PODMAN, "healthcheck", "run", self.container], capture_output=True,
                              check=False, timeout=PATIENCE_S).returncode == 0

    def log(self) -> str:
        return subprocess.run([*_PODMAN, "logs", self.container], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False, timeout=PATIENCE_S).stdout

    def terminate(self, grace_s: int) -> subprocess.Popen:
        return subprocess.Popen([*_PODMAN, "stop", "-t", str(grace_s), self.container],
                                stdout=subprocess.DEVNULL)

    def exit_code(self) -> int:
        return int(podman("inspect", "-f", "{{.State.ExitCode}}", self.container))

    def close(self) -> None:
        podman("kube", "down", str(self._path), check=False)
        for volume in self._secrets:
            podman("volume", "rm", "-f", volume, check=False)
            podman("secret", "rm", volume, check=False)
        self._path.unlink(missing_ok=True)
