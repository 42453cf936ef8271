# SPDX-License-Identifier: GPL-2.0-or-later
"""deploy/kubernetes: what the API takes, what belongs together, and that hawserd takes its files."""

from __future__ import annotations

import copy
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from kubernetes_schema import BadManifest, check, load

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy" / "kubernetes"
PATCHES = {DEPLOY / "balanced" / "announce.yaml"}
MANIFESTS = sorted(path for path in DEPLOY.rglob("*.yaml") if path.name != "kustomization.yaml")
SETS = {"exit": DEPLOY / "exit" / "exit.yaml", "mesh": DEPLOY / "mesh" / "mesh.yaml"}


def seconds(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)([smh]?)", text).groups()
    return int(number) * {"": 1, "s": 1, "m": 60, "h": 3600}[unit]


def pod_of(name: str) -> dict:
    return next(each for each in load(SETS[name]) if each["kind"].endswith("Set"))["spec"]["template"]


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_schemas(path):
    for manifest in load(path):
        if path in PATCHES:  # of a whole: what it lacks is there
            whole = load(SETS["exit"])[0]
            manifest = copy.deepcopy(manifest)
            manifest["spec"]["selector"] = whole["spec"]["selector"]
        check(manifest, path.name)


@pytest.mark.parametrize(("wrong", "right", "complaint"), [
    ("hostNetwork: true", "hostnetwork: true", "unexpected 'hostnetwork'"),
    ("periodSeconds: 2", "periodSeconds: soon", "'soon'; expected int"),
    ("hostNetwork: true", "hostNetwork: 1", "1; expected bool"),
    ("drop: [ALL]", "drop: ALL", "'ALL'; expected a list"),
    ("kind: DaemonSet", "kind: DemonSet", "apps/v1 DemonSet: no such kind"),
    ("kind: DaemonSet", "kind: Container", "apps/v1 Container: no such kind"),
    ("apiVersion: apps/v1", "apiVersion: v1", "v1 DaemonSet: no such kind"),
    ("apiVersion: apps/v1", "apiVersion: apps/v3", "apps/v3 DaemonSet: no such kind"),
    ("name: hawserd\n", "title: hawserd\n", "unexpected 'title'"),
    ("  selector:\n", "  selectors:\n", "unexpected 'selectors'"),
    ("containerPort: 1080", "protocol: TCP", "`container_port`, must not be `None`"),
], ids=str)
def test_what_the_schemas_refuse(wrong, right, complaint):
    text = SETS["exit"].read_text("utf-8")
    assert wrong in text
    with pytest.raises(BadManifest) as told:
        for manifest in yaml.safe_load_all(text.replace(wrong, right, 1)):
            check(manifest, "wrong.yaml")
    assert complaint in str(told.value) and str(told.value).startswith("wrong.yaml: ")


@pytest.mark.parametrize("name", SETS)
def test_what_belongs_together(name):
    folder = DEPLOY / name
    kustomization, = load(folder / "kustomization.yaml")
    pod = pod_of(name)
    container, = pod["spec"]["containers"]
    generated = {kind: {each["name"]: each["files"] for each in kustomization[f"{kind}Generator"]}
                 for kind in ("configMap", "secret")}
    for volume in pod["spec"]["volumes"]:
        for kind, key in ("configMap", "name"), ("secret", "secretName"):
            assert kind not in volume or volume[kind][key] in generated[kind]
    claims = [claim["metadata"]["name"] for manifest in load(SETS[name])
              for claim in manifest["spec"].get("volumeClaimTemplates", [])]
    assert {mount["name"] for mount in container["volumeMounts"]} == \
        {volume["name"] for volume in pod["spec"]["volumes"]} | set(claims)
    for files in generated["configMap"].values():
        assert all((folder / file).exists() for file in files)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert pod["metadata"]["annotations"]["prometheus.io/port"] == str(ports["metrics"])
    named = [manifest for path in MANIFESTS for manifest in load(path)
             if manifest["kind"] in ("Service", "NetworkPolicy")
             and f"hawser-{name}" in str(manifest["spec"].get("selector", manifest["spec"].get("podSelector")))]
    assert named
    for port in (port for manifest in named for port in re.findall(
            r"'(?:targetPort|port)': '(\w+)'", str(manifest))):
        assert port in ports, f"no port is called {port}"


@pytest.mark.parametrize("name", SETS)
def test_what_is_drained_is_not_killed(name):
    pod = pod_of(name)["spec"]
    container, = pod["containers"]
    text = (DEPLOY / name / "hawser.conf").read_text("utf-8")
    drain = seconds(re.search(r"\bdrain = (\w+)", text)[1])
    before = int(container["lifecycle"]["preStop"]["exec"]["command"][-1])
    assert pod["terminationGracePeriodSeconds"] >= drain + before + 10
    assert (container["readinessProbe"]["exec"]["command"], container["livenessProbe"]["exec"]["command"]) \
        == (["/usr/bin/hawser", "ready"], ["/usr/bin/hawser", "status"])


@pytest.mark.parametrize("name", SETS)
def test_nobody_else_may_write_where_hawserd_keeps_things(name):
    """The kubelet makes an emptyDir 0777, as many provisioners make volumes: hawserd refuses such a directory,
    and makes its own in it."""
    pod = pod_of(name)["spec"]
    made_for_root = {volume["name"] for volume in pod["volumes"] if "hostPath" in volume}
    assert all(volume["hostPath"]["type"] == "DirectoryOrCreate" for volume in pod["volumes"]
               if "hostPath" in volume)
    text = (DEPLOY / name / "hawser.conf").read_text("utf-8")
    state = re.search(r'state-dir = "(.*)"', text)
    container, = pod["containers"]
    for place in "/run/hawser", state[1] if state else "/var/lib/hawser":
        mount = max((mount for mount in container["volumeMounts"]
                     if Path(place).is_relative_to(mount["mountPath"])), key=lambda mount: mount["mountPath"])
        assert mount["mountPath"] != place or mount["name"] in made_for_root, place


def test_an_exit_finds_what_a_killed_one_has_left():
    """It is in the node's kernel, and so the record is the node's."""
    pod = pod_of("exit")["spec"]
    run, = (volume for volume in pod["volumes"] if volume["name"] == "run")
    assert pod["hostNetwork"] and run["hostPath"]["path"].startswith("/run/")


@pytest.mark.parametrize("name", SETS)
def test_hawserd_takes_the_files(build, tmp_path, name):
    secret = tmp_path / "secret"
    secret.write_text(subprocess.run([build / "hawser", "token", "new", "home"], capture_output=True,
                                     text=True, check=True).stdout, "ascii")
    secret.chmod(0o600)
    config = tmp_path / "hawser.conf"
    text = (DEPLOY / name / "hawser.conf").read_text("utf-8")
    config.write_text(re.sub(r'"/etc/hawser-secret/\w+"', f'"{secret}"', text), "utf-8")
    done = subprocess.run([build / "hawserd", "--check", "-c", config, "--control", tmp_path / "control",
                           "--state-dir", tmp_path / "state"], capture_output=True, text=True,
                          check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_rendered(build, tmp_path):
    """As `kubectl apply -k` sends it, where there is a kubectl that knows today's kustomize."""
    if not shutil.which("kubectl"):
        pytest.skip("no kubectl")
    tree = tmp_path / "kubernetes"
    shutil.copytree(DEPLOY, tree)
    token = subprocess.run([build / "hawser", "token", "new", "home"], capture_output=True, text=True,
                           check=True).stdout
    for name in "exit/tokens", "mesh/token":
        (tree / name).write_text(token, "ascii")
    for folder, kinds in (".", {"Namespace", "NetworkPolicy", "DaemonSet", "StatefulSet", "Service",
                                "ConfigMap", "Secret"}), \
            ("balanced", {"DaemonSet", "Service", "ConfigMap", "Secret"}):
        text = subprocess.run(["kubectl", "kustomize", str(tree / folder)], capture_output=True,
                              text=True, check=True, timeout=60).stdout
        rendered = list(yaml.safe_load_all(text))
        assert {manifest["kind"] for manifest in rendered} == kinds
        for manifest in rendered:
            check(manifest, folder)
            assert manifest["kind"] == "Namespace" or manifest["metadata"]["namespace"] == "hawser"
