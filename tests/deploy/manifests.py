"""The manifests as kustomize would put them together, as far as they use it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.live import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
# What a kustomization of ours may say; `kubectl kustomize` knows more.
KEYS = {"apiVersion", "kind", "resources", "labels", "images", "configMapGenerator", "namespace", "patches"}
Manifest = dict[str, Any]


@dataclass(frozen=True)
class Kustomization:
    folder: Path

    @property
    def values(self) -> dict[str, Any]:
        values: dict[str, Any] = yaml.safe_load((self.folder / "kustomization.yaml").read_text())
        assert set(values) <= KEYS, "Teach tests/deploy/manifests.py what kustomize would do with it."
        return values

    def resources(self) -> Iterator[Manifest]:
        for name in self.values["resources"]:
            path = self.folder / name
            if path.is_dir():
                yield from Kustomization(path.resolve()).resources()
            else:
                yield from documents(path)

    def files(self) -> set[str]:
        """Of its own folder, those that it names."""
        named = [name for name in self.values["resources"] if not (self.folder / name).is_dir()]
        for config in self.values.get("configMapGenerator", []):
            named += [*config.get("files", []), *config.get("envs", [])]
        return {*named, *(patch["path"] for patch in self.values.get("patches", []) if "path" in patch)}

    def settings(self) -> dict[str, str]:
        """The variables of its generated ConfigMaps."""
        lines: list[str] = []
        for config in self.values.get("configMapGenerator", []):
            lines += config.get("literals", [])
            for name in config.get("envs", []):
                lines += (self.folder / name).read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def documents(path: Path) -> list[Manifest]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


BASE = Kustomization(FOLDER / "base")
ALL = [Kustomization(path.parent) for path in sorted(FOLDER.glob("*/kustomization.yaml"))]


def of_kind(kind: str, kustomization: Kustomization = BASE) -> list[Manifest]:
    return [manifest for manifest in kustomization.resources() if manifest["kind"] == kind]


def containers(deployment: Manifest) -> list[Manifest]:
    pod = deployment["spec"]["template"]["spec"]
    return [*pod.get("initContainers", []), *pod["containers"]]
