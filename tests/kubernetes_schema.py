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


def _model_of(manifest: dict) -> str:
    """apps/v1 DaemonSet: V1DaemonSet."""
    version = str(manifest.get("apiVersion", "")).rpartition("/")[2]
    name = version[:1].upper() + version[1:] + str(manifest.get("kind", ""))
    if not hasattr(client, name):
        raise BadManifest(f"{manifest.get('apiVersion')} {manifest.get('kind')}: no such kind")
    return name


def check(manifest: dict, where: str) -> None:
    _check(manifest, _model_of(manifest), f"{where}: {manifest['kind']}")


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
