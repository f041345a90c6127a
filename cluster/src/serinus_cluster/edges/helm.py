"""helm, always with the context of our own cluster."""

import json
from dataclasses import dataclass
from pathlib import Path

from serinus_cluster.edges.shell import attempt, run
from serinus_cluster.steps import Chart


@dataclass(frozen=True)
class Release:
    """What helm knows of a release."""

    status: str
    description: str


@dataclass(frozen=True)
class Helm:
    """The user's or the built helm."""

    path: Path
    context: str

    def release(self, name: str, namespace: str) -> Release | None:
        """Return a release's state; None where there is no such release."""
        done = attempt(self._words("status", name, "--output", "json", namespace=namespace), seconds=30)
        if not done.ok:
            return None
        info = json.loads(done.out)["info"]
        return Release(info["status"], info.get("description", ""))

    def manifest(self, name: str, namespace: str) -> str:
        """Return the objects of a release as it was installed last."""
        return run(self._words("get", "manifest", name, namespace=namespace), seconds=30)

    def upgrade(
        self,
        name: str,
        namespace: str,
        chart: Chart | Path,
        values: Path,
        mark: str,
        *,
        settings: tuple[str, ...] = (),
        seconds: float,
    ) -> None:
        """Install or upgrade; `mark` becomes the release's description, by which it is known again."""
        more = (word for setting in settings for word in ("--set", setting))
        words = (
            "upgrade",
            "--install",
            name,
            *_chart(chart),
            "--values",
            str(values),
            *more,
            "--reset-values",
        )
        limits = ("--description", mark, "--timeout", f"{seconds:.0f}s", "--history-max", "3")
        # helm ends by itself and says why; the outer deadline is for a helm that does not.
        run(self._words(*words, *limits, namespace=namespace), seconds=seconds + 30)

    def definitions(self, chart: Chart | Path, *, seconds: float) -> str:
        """Return the CustomResourceDefinitions of a chart and of its sub-charts."""
        return run([self.path, "show", "crds", *_chart(chart)], seconds=seconds)

    def _words(self, *words: str, namespace: str) -> list[str | Path]:
        return [self.path, "--kube-context", self.context, "--namespace", namespace, *words]


def _chart(chart: Chart | Path) -> tuple[str, ...]:
    if isinstance(chart, Path):
        return (str(chart),)
    repository = ("--repo", chart.repository) if chart.repository else ()
    return (chart.reference, "--version", chart.version, *repository)
