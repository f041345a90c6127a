"""Manifests and charts."""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import yaml

from serinus_airgap import charts
from serinus_cluster.place import Place
from serinus_cluster.steps import (
    ApplyDefinitions,
    ApplyManifests,
    Chart,
    ChartFolder,
    InstallChart,
    Outcome,
    OwnChart,
    StandIn,
)

RECORD = "serinus-gateway-definitions"


@dataclass(frozen=True)
class Manifests:
    """Manifests of this repository."""

    action: ApplyManifests
    place: Place

    def missing(self) -> str | None:
        """Ask the server whether applying would change anything; a Job that failed will not try again."""
        if failed := self._failed_jobs():
            return f"Job {', '.join(name for name, _ in failed)} failed"
        return "manifests differ" if self.place.kubectl.differs(self._text()) else None

    def apply(self, seconds: float) -> Outcome:
        """Apply them, failed Jobs anew."""
        for name, namespace in self._failed_jobs():
            self.place.kubectl.run("delete", "job", name, "--namespace", namespace)
        self.place.kubectl.apply(self._text(), seconds=seconds)
        return Outcome(", ".join(Path(file).name for file in self.action.files))

    def _failed_jobs(self) -> list[tuple[str, str]]:
        named = [each["metadata"] for each in yaml.safe_load_all(self._text()) if each["kind"] == "Job"]
        failed = 'jsonpath={.status.conditions[?(@.type=="Failed")].status}'
        return [
            (job["name"], job["namespace"])
            for job in named
            if self.place.kubectl.attempt(
                "get", "job", job["name"], "--namespace", job["namespace"], "--output", failed
            ).out
            == "True"
        ]

    def _text(self) -> str:
        return "\n---\n".join(self.place.text(file) for file in self.action.files)


@dataclass(frozen=True)
class Definitions:
    """A chart's CustomResourceDefinitions.

    A ConfigMap keeps from which chart they came and their names: the chart's text is megabytes, and
    comparing it at every run would take longer than all other steps.
    """

    action: ApplyDefinitions
    place: Place

    def missing(self) -> str | None:
        """Compare what was applied last with this chart, and its names with what is there."""
        get = ("get", "configmap", RECORD, "--namespace", "kube-system", "--output")
        held = self.place.kubectl.attempt(*get, "jsonpath={.data.source}{'\\n'}{.data.names}")
        source, _, names = held.out.partition("\n")
        if source != str(self.action.source):
            return f"those of {self.action.source.version} were not applied yet"
        # The short table: every other form of output fetches the definitions whole.
        there = self.place.kubectl.run("get", "customresourcedefinitions", "--no-headers")
        lost = set(names.split()) - {line.split()[0] for line in there.splitlines()}
        return f"{', '.join(sorted(lost))} is gone" if lost else None

    def apply(self, seconds: float) -> Outcome:
        """Apply all of them, then keep their names."""
        text = self.place.helm.definitions(chart_of(self.action.source, self.place), seconds=seconds)
        self.place.kubectl.apply(text, seconds=seconds)
        show = ("get", "--filename", "-", "--output", "jsonpath={.items[*].metadata.name}")
        names = self.place.kubectl.run(*show, stdin=text, seconds=seconds)
        data = {"source": str(self.action.source), "names": names}
        record = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": RECORD, "namespace": "kube-system"},
            "data": data,
        }
        self.place.kubectl.apply(json.dumps(record), seconds=30)
        return Outcome(f"{len(names.split())} definitions")


@dataclass(frozen=True)
class ChartRelease:
    """A release of helm."""

    action: InstallChart
    place: Place

    def missing(self) -> str | None:
        """A release is in place when chart, version and values are ours and all its objects exist."""
        helm, name, namespace = self.place.helm, self.action.release, self.action.namespace
        release = helm.release(name, namespace)
        if release is None:
            return "not installed"
        if release.status != "deployed":
            return f"its last installation is {release.status}"
        if release.description != self._mark():
            return "version or values differ"
        objects = helm.manifest(name, namespace)
        absent = self.place.kubectl.absent(objects, namespace)
        return f"an object of it is missing: {absent.splitlines()[0]}" if absent else None

    def apply(self, seconds: float) -> Outcome:
        """Install or upgrade. A run that was killed half way leaves a lock, which is taken off first."""
        name, namespace = self.action.release, self.action.namespace
        source = self.action.source
        assert not isinstance(source, StandIn)
        release = self.place.helm.release(name, namespace)
        if release and release.status.startswith("pending"):
            labels = f"owner=helm,name={name},status={release.status}"
            self.place.kubectl.run("delete", "secret", "--namespace", namespace, "--selector", labels)
        values = self.place.work / f"values-{name}.yaml"
        values.write_text(self.place.text(self.action.values))
        chart = chart_of(source, self.place)
        settings = source.settings if isinstance(source, OwnChart) else ()
        self.place.helm.upgrade(
            name, namespace, chart, values, self._mark(), settings=settings, seconds=seconds
        )
        return Outcome(source.folder if isinstance(source, OwnChart) else source.version)

    def _mark(self) -> str:
        source = self.action.source
        facts = f"{source}\n{self.place.text(self.action.values)}"
        if isinstance(source, OwnChart):
            facts += "\n" + content(self.place.root / source.folder)
        return f"serinus {hashlib.sha256(facts.encode()).hexdigest()[:16]}"


@dataclass(frozen=True)
class StandInRelease:
    """Manifests where a chart cannot run: the definitions of a module and an agent of ours."""

    action: InstallChart
    source: StandIn
    place: Place

    def missing(self) -> str | None:
        """Ask the server whether applying would change anything."""
        return "manifests differ" if self.place.kubectl.differs(self._text()) else None

    def apply(self, seconds: float) -> Outcome:
        """Apply definitions and manifests."""
        self.place.kubectl.apply(self._text(), seconds=seconds)
        return Outcome(f"stand-in for {self.source.definitions}")

    def _text(self) -> str:
        folder = charts.folder(self.source.definitions, self.place.pins)
        definitions = [file.read_text() for file in sorted(folder.glob("*.yaml"))]
        return "\n---\n".join([*definitions, *(self.place.text(file) for file in self.source.files)])


@dataclass(frozen=True)
class Nothing:
    """An act whose work was begun by an earlier step."""

    def missing(self) -> str | None:
        """Nothing to apply."""
        return None

    def apply(self, seconds: float) -> Outcome:  # noqa: ARG002 - never called: nothing is missing
        """Nothing to apply."""
        return Outcome("in place", changed=False)


def chart_of(source: Chart | ChartFolder | OwnChart, place: Place) -> Chart | Path:
    """Return what helm is given: a reference, the folder that a module delivered, or our own."""
    match source:
        case Chart():
            return source
        case OwnChart():
            return place.root / source.folder
        case ChartFolder():
            return charts.folder(source.name, place.pins)


def content(folder: Path) -> str:
    """Return a digest of what a chart's folder holds, the charts that it links to included."""
    digest = hashlib.sha256()
    for where, folders, files in os.walk(folder, followlinks=True):
        folders.sort()
        for path in (Path(where) / name for name in sorted(files)):
            digest.update(f"\0{path.relative_to(folder)}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
