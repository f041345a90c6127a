"""Jobs as a model team makes them: a kustomization applied, `kubectl create job --from=cronjob/...`, logs."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support import programs
from tests.support.cluster import Cluster, Namespace, NotYet, Object, pod_state, until

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "manifests" / "models"
# A cold import of the libraries on a busy machine, and then the verb.
JOB_SECONDS = 300


class Jobs:
    """The Jobs of one story in a namespace where the platform has put its Secrets."""

    def __init__(self, namespace: Namespace, mark: str) -> None:
        self.namespace = namespace
        self.made: list[str] = []
        self._mark = mark

    def kubectl(self, *words: str, given: str | None = None) -> str:
        """Return what kubectl says; raises AssertionError where it fails."""
        return programs.kubectl(*words, namespace=self.namespace.name, given=given)

    def apply(self, model: str) -> None:
        """Apply a model's folder."""
        self.kubectl("apply", "-k", str(MODELS / model))

    def create(
        self, cronjob: str, change: Callable[[Object], None] = lambda pod: None, name: str = ""
    ) -> str:
        """Create a Job from a CronJob and return its name. `change` may alter the pod's spec first."""
        job = f"{name or cronjob}-{self._mark}-{len(self.made)}"
        self.made.append(job)
        text = self.kubectl(
            "create", "job", job, f"--from=cronjob/{cronjob}", "--dry-run=client", "-o", "json"
        )
        document = json.loads(text)
        change(document["spec"]["template"]["spec"])
        self.kubectl("create", "-f", "-", given=json.dumps(document))
        return job

    def ended(self, job: str, seconds: float = JOB_SECONDS) -> Object:
        """Return the Job once it is Complete or Failed."""
        return ended(self.namespace.cluster, self.namespace.name, job, seconds)

    def done(self, cronjob: str, change: Callable[[Object], None] = lambda pod: None) -> list[str]:
        """Run a CronJob's Job to its end and return what its pods said, in the order of their indexes."""
        job = self.create(cronjob, change)
        status = self.ended(job)["status"]
        assert outcome(status) == "Complete", "\n".join([str(status), *self.said(job)])
        return self.said(job)

    def pods(self, job: str, index: int | None = None) -> list[Object]:
        """Return the pods of a Job, or of one index of it, the oldest first."""
        wanted = f"batch.kubernetes.io/job-name={job}"
        if index is not None:
            wanted += f",batch.kubernetes.io/job-completion-index={index}"
        found = self.namespace.find("v1", "Pod", wanted)
        return sorted(found, key=lambda pod: (_index(pod), str(pod["metadata"]["creationTimestamp"])))

    def said(self, job: str) -> list[str]:
        """Return the log of each pod, in the order of their indexes and ages."""
        return [self.namespace.logs(pod["metadata"]["name"]) for pod in self.pods(job)]

    def forget(self) -> None:
        """Delete the Jobs that were made, and their pods."""
        for job in self.made:
            self.namespace.cluster.delete("batch/v1", "Job", job, self.namespace.name)


def ended(cluster: Cluster, namespace: str, job: str, seconds: float) -> Object:
    """Return a Job once it is Complete or Failed."""

    def look() -> Object:
        found = cluster.get("batch/v1", "Job", job, namespace) or {}
        if outcome(found.get("status", {})) is None:
            pods = cluster.find("v1", "Pod", namespace, f"batch.kubernetes.io/job-name={job}")
            raise NotYet("; ".join(map(pod_state, pods)) or found.get("status") or "no such Job")
        return found

    return until(f"the Job {job} ends", look, seconds, pause=0.5)


def outcome(status: Mapping[str, Any]) -> str | None:
    """Return how a Job ended, Complete or Failed; None while it runs."""
    for each in status.get("conditions", []):
        if each["type"] in ("Complete", "Failed") and each["status"] == "True":
            return str(each["type"])
    return None


def with_args(*args: str) -> Callable[[Object], None]:
    """Return a change: other arguments for the verb."""

    def change(pod: Object) -> None:
        pod["containers"][0]["args"] = list(args)

    return change


def program(text: str, environment: Sequence[Object] = ()) -> Callable[[Object], None]:
    """Return a change: a Python program in the place of the verb."""

    def change(pod: Object) -> None:
        container = pod["containers"][0]
        container["command"] = ["python", "-c", text]
        container["env"] = [*container["env"], *environment]

    return change


def _index(pod: Object) -> int:
    return int(pod["metadata"]["labels"].get("batch.kubernetes.io/job-completion-index", 0))
