"""A release that a story installs in a namespace of its own, with the images of the real one."""

import base64
import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from tests.support.charts import CHARTS
from tests.support.cluster import CONTEXT, SYSTEM, Namespace, NotYet, Object, until
from tests.support.cluster_jobs import ended, outcome

_ASK = """
import base64, json, sys, urllib.error, urllib.request
user, password, method, path, body = sys.argv[1:]
login = base64.b64encode(f"{user}:{password}".encode()).decode()
headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
url = f"http://localhost:5000{path}"
request = urllib.request.Request(url, body.encode() or None, headers, method=method)
try:
    with urllib.request.urlopen(request, timeout=30) as answer:
        print(answer.status, answer.read().decode())
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode())
"""

_KINDS = (
    *(("v1", kind) for kind in ("ConfigMap", "Secret", "Service")),
    *(("apps/v1", kind) for kind in ("Deployment", "StatefulSet")),
    ("batch/v1", "CronJob"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
)


@dataclass(frozen=True)
class Release:
    """A release by its name, and what a user does with it: helm, kubectl, MLflow, Redis."""

    helm: Path
    namespace: Namespace
    name: str

    def run(self, *words: str, values: Mapping[str, Any] | None = None, seconds: int = 420) -> str:
        """Run helm and return what it said; AssertionError with its words where it fails."""
        command = [str(self.helm), "--kube-context", CONTEXT, "--namespace", self.namespace.name, *words]
        if values is not None:
            command += ["--values", "-"]
        done = subprocess.run(
            command, input=yaml.safe_dump(dict(values or {})),
            capture_output=True, text=True, timeout=seconds,
            env={key: value for key, value in os.environ.items() if key in ("HOME", "PATH", "KUBECONFIG")},
        )  # fmt: skip
        assert done.returncode == 0, f"helm {' '.join(words[:2])}: {done.stderr}"
        return done.stdout

    def install(self, values: Mapping[str, Any], *more: Mapping[str, Any], charts: Path = CHARTS) -> None:
        """Install or upgrade from a folder of charts, with `more` over `values`; wait until all is ready."""
        given: dict[str, Any] = {}
        for each in (self._images, values, *more):
            given = _merged(given, each)
        chart = str(charts / "platform")
        self.run("upgrade", "--install", self.name, chart, "--wait", "--timeout", "400s", values=given)

    @cached_property
    def _images(self) -> dict[str, Any]:
        """Values of the real release that name our own images."""
        text = self.run("get", "values", "serinus", "--namespace", SYSTEM, "--output", "json")
        return {"global": {"serinus": json.loads(text)["global"]["serinus"]}}

    def running(self) -> set[tuple[str, str, int]]:
        """Return every pod that stays: its name, its identity, and how often its containers started again."""
        return {
            (
                pod["metadata"]["name"],
                pod["metadata"]["uid"],
                sum(each["restartCount"] for each in containers),
            )
            for pod in self.namespace.pods(f"app.kubernetes.io/instance={self.name}")
            if (containers := pod.get("status", {}).get("containerStatuses", []))
            and pod["metadata"]["ownerReferences"][0]["kind"] != "Job"
        }

    def versions(self) -> set[str]:
        """Return the versions that the release's objects say they are of."""
        selector = f"app.kubernetes.io/instance={self.name},app.kubernetes.io/managed-by=Helm"
        found = [each for kind in _KINDS for each in self.namespace.find(*kind, selector)]
        return {each["metadata"]["labels"]["app.kubernetes.io/version"] for each in found}

    def listed(self) -> tuple[str, str]:
        """Return the chart and the version of the application, as `helm list` has them."""
        (found,) = json.loads(self.run("list", "--filter", f"^{self.name}$", "--output", "json"))
        return found["chart"], found["app_version"]

    def secret(self, name: str) -> dict[str, str]:
        """Return a Secret of the namespace, decoded."""
        found = self.namespace.get("v1", "Secret", name)
        assert found is not None, f"no Secret {name}"
        return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}

    def pod(self, component: str) -> str:
        """Return the name of the one ready pod of a part."""

        def look() -> str:
            labels = f"app.kubernetes.io/instance={self.name},app.kubernetes.io/component={component}"
            pods = self.namespace.pods(labels)
            ready = [
                pod["metadata"]["name"]
                for pod in pods
                for each in pod.get("status", {}).get("conditions", [])
                if (each["type"], each["status"]) == ("Ready", "True")
            ]
            if len(pods) != 1 or not ready:
                raise NotYet(f"{len(pods)} pods, {len(ready)} of them ready")
            return str(ready[0])

        return until(f"{component} of {self.name} is ready", look, 240)

    def mlflow(
        self, user: str, method: str, path: str, body: object = None, *, password: str = ""
    ) -> tuple[int, str]:
        """Ask MLflow; return status and text. The password is that of the team's Secret, admin's that of the
        release's, where none is given."""
        if not password and user == "admin":
            password = self.secret(f"{self.name}-mlflow")["admin-password"]
        who = (user, password or self.secret(f"serinus-registry-{user}")["MLFLOW_TRACKING_PASSWORD"])
        text = "" if body is None else json.dumps(body)
        command = ["python", "-c", _ASK, *who, method, f"/api/2.0/mlflow/{path}", text]
        ran = self.namespace.cluster.execute(self.namespace.name, self.pod("mlflow"), command, 90)
        status, _, answer = ran.output.partition(" ")
        assert status.isdigit(), ran.output
        return int(status), answer

    def redis(self, user: str, *words: str) -> str:
        """Run redis-cli as one of Redis' users, with the password of the ACL's Secret."""
        password = self.secret(f"{self.name}-redis-acl")[
            f"{'writer' if user == 'default' else user}-password"
        ]
        ran = self.namespace.execute(
            self.pod("redis"), "env", f"REDISCLI_AUTH={password}", "redis-cli", "--user", user, *words
        )
        return ran.output

    def job(
        self,
        cronjob: str,
        name: str,
        seconds: float = 300,
        change: Callable[[Object], None] = lambda spec: None,
    ) -> tuple[bool, str]:
        """Do `kubectl create job NAME --from=cronjob/CRONJOB`, after `change` to its spec; return whether it
        completed, and its log."""
        template = self.namespace.get("batch/v1", "CronJob", cronjob)
        assert template is not None, f"no CronJob {cronjob}"
        spec = template["spec"]["jobTemplate"]["spec"]
        change(spec)
        return self.finished(
            {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}, seconds
        )

    def finished(self, job: Object, seconds: float = 300) -> tuple[bool, str]:
        """Apply a Job and wait for its end; return whether it completed, and the log of its last pod."""
        name = job["metadata"]["name"]
        self.namespace.apply(job)
        end = outcome(ended(self.namespace.cluster, self.namespace.name, name, seconds)["status"])
        pods = self.namespace.find("v1", "Pod", f"job-name={name}")
        newest = max(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
        return end == "Complete", self.namespace.logs(newest["metadata"]["name"])


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested values with the second's over the first's."""
    result = dict(under)
    for key, value in over.items():
        old = result.get(key)
        result[key] = (
            _merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
        )
    return result
