"""A repository of three files, and kubectl, helm, kind and docker that answer as a test says."""

import json
import os
from pathlib import Path

import pytest
from tests.support.scripted import Scripted

from serinus_cluster.place import Place

# The text of job.yaml.
JOB = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "load", "namespace": "things"}}


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scripted:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return Scripted(folder, "kubectl", "helm", "kind", "docker")


@pytest.fixture
def place(programs: Scripted, tmp_path: Path) -> Place:
    root = tmp_path / "repository"
    root.mkdir()
    (root / "values.yaml").write_text("tag: ${THING}\n")
    (root / "kind.yaml").write_text("image: ${NODE_IMAGE}\n")
    (root / "registry.yaml").write_text("kind: ConfigMap\n")
    (root / "job.yaml").write_text(json.dumps(JOB))
    found = {name: programs[name] for name in ("kubectl", "helm", "kind")}
    return Place({"THING": "one"}, root=root, found=found)
