# SPDX-License-Identifier: GPL-2.0-or-later
"""Manifests of Kubernetes against the schemas of its API, as Debian's python3-kubernetes has them: a
member that there is not, one that lacks, one of another type. The client itself would pass these on."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from kubernetes import client

_CONFIGURATION = client.Configuration()
_SCALARS = {"str": str, "int": int, "float": (int, float), "bool": bool, "datetime": str}


class BadManifest(Exception):
    """Names the place, what is wrong there, and what is expected."""


def load(path: Path) -> list[dict]:
    return [document for document in yaml.safe_load_all(path.read_text("utf-8")) if document]


def _model_of(manifest: dict, where: str) -> str:
    """apps/v1 DaemonSet: V1DaemonSet, which AppsV1Api can create."""
    group, _, version = str(manifest.get("apiVersion", "")).rpartition("/")
    version, kind = version.capitalize(), str(manifest.get("kind", ""))
    words = (group.removesuffix(".k8s.io") or "core").split(".")
    api = getattr(client, "".join(map(str.capitalize, words)) + version + "Api", None)
    created = re.sub(r"\B(?=[A-Z])", "_", kind).lower()
    if not any(hasattr(api, f"create_{scope}{created}") for scope in ("", "namespaced_")):
        raise BadManifest(f"{where}: {manifest.get('apiVersion')} {kind}: no such kind")
    return version + kind


def check(manifest: dict, where: str) -> None:
    _check(manifest, _model_of(manifest, where), f"{where}: {manifest['kind']}")


def _check(value: object, kind: str, where: str) -> None:
    if kind == "object":  # a number or a text, as a port
        return
    if inner := re.fullmatch(r"list\[(.*)\]", kind):
        _expect(isinstance(value, list), value, "a list", where)
        for index, each in enumerate(value):
            _check(each, inner[1], f"{where}[{index}]")
    elif inner := re.fullmatch(r"dict\(str, (.*)\)", kind):
        _expect(isinstance(value, dict), value, "a mapping", where)
        for key, each in value.items():
            _check(each, inner[1], f"{where}.{key}")
    elif kind in _SCALARS:
        _expect(isinstance(value, _SCALARS[kind]) and (kind == "bool" or not isinstance(value, bool)),
                value, kind, where)
    else:
        _check_model(value, getattr(client, kind), where)


def _check_model(value: object, model: type, where: str) -> None:
    _expect(isinstance(value, dict), value, "a mapping", where)
    members = {name: attribute for attribute, name in model.attribute_map.items()}
    for name, each in value.items():
        if name not in members:
            raise BadManifest(f"{where}: unexpected {name!r}; expected one of {', '.join(sorted(members))}")
        _check(each, model.openapi_types[members[name]], f"{where}.{name}")
    try:
        model(local_vars_configuration=_CONFIGURATION,
              **{members[name]: each for name, each in value.items()})
    except ValueError as error:
        raise BadManifest(f"{where}: {error}") from None


def _expect(right: bool, value: object, expected: str, where: str) -> None:
    if not right:
        raise BadManifest(f"{where}: {value!r}; expected {expected}")
