"""Given churn on the cluster: its data, its Jobs, a trained version, and the service that answers for it."""

import copy
import json
from pathlib import Path
from typing import Any

import yaml

from tests.support.cluster import Cluster, NotYet, Object, condition, until
from tests.support.cluster_jobs import ended, outcome
from tests.support.cluster_models import ISVC, MODELS
from tests.support.programs import kubectl

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / "manifests/models/churn"
HOST = f"churn-{MODELS}.example.com"
PREDICT = "/v1/models/churn:predict"
JOB, CRONJOB = ("batch/v1", "Job"), ("batch/v1", "CronJob")
GENERATE_SECONDS, TRAIN_SECONDS, READY_SECONDS = 180, 600, 120


def job(cluster: Cluster, cronjob: str, name: str) -> Object:
    """Return the Job that `kubectl create job --from` would make of a suspended CronJob of churn."""
    found = cluster.get(*CRONJOB, cronjob, MODELS)
    assert found is not None, f"no CronJob {cronjob} in {MODELS}"
    template = copy.deepcopy(found["spec"]["jobTemplate"])
    metadata = {"name": name, "namespace": MODELS, "labels": template.get("metadata", {}).get("labels", {})}
    return {"apiVersion": JOB[0], "kind": JOB[1], "metadata": metadata, "spec": template["spec"]}


def run(cluster: Cluster, document: Object, seconds: float) -> str:
    """Run a Job to its good end and return what it said; raises AssertionError with that where it fails."""
    name = document["metadata"]["name"]
    cluster.delete(*JOB, name, MODELS)
    until(f"an older Job {name} is gone", lambda: _absent(cluster, name), seconds)
    cluster.apply(document)

    good = outcome(ended(cluster, MODELS, name, seconds)["status"]) == "Complete"
    pods = cluster.find("v1", "Pod", MODELS, f"batch.kubernetes.io/job-name={name}")
    said = "\n".join(
        str(cluster.core.read_namespaced_pod_log(pod["metadata"]["name"], MODELS)) for pod in pods
    )
    assert good, said
    return said


def trained(cluster: Cluster) -> None:
    """Have one version of churn in the registry and its features in Redis, made by its own Jobs."""
    done = cluster.find(*JOB, MODELS, "serinus.dev/model=churn,serinus.dev/verb=train")
    if any(each.get("status", {}).get("succeeded") for each in done):
        return
    kubectl("apply", "--kustomize", str(PROJECT), namespace=MODELS)
    run(cluster, job(cluster, "churn-generate", "e2e-churn-generate"), GENERATE_SECONDS)
    run(cluster, job(cluster, "churn-train", "e2e-churn-train"), TRAIN_SECONDS)


def served(cluster: Cluster) -> None:
    """Have churn's InferenceService as the repository gives it, ready."""
    service = yaml.safe_load((PROJECT / "inferenceservice.yaml").read_text())
    if cluster.get(*ISVC, "churn", MODELS) is None:
        cluster.apply({**service, "metadata": {**service["metadata"], "namespace": MODELS}})

    def look() -> None:
        found = condition(cluster.get(*ISVC, "churn", MODELS), "Ready")
        if found["status"] != "True":
            raise NotYet(found)

    until("InferenceService churn is ready", look, READY_SECONDS)


def read_by_feast(cluster: Cluster, customers: list[int]) -> dict[str, list[Any]]:
    """Return what Feast's own `get_online_features` answers, asked in a Job of churn's."""
    program = (
        "import json\n"
        "from serinus_jobs.feature_store import FeatureStore\n"
        "from serinus_jobs.settings import Settings\n"
        f"rows = [{{'customer_id': each}} for each in {customers!r}]\n"
        "print('ANSWER', json.dumps(FeatureStore(Settings.from_environment()).online('churn', rows)))\n"
    )
    document = job(cluster, "churn-materialize", "e2e-churn-online")
    container = document["spec"]["template"]["spec"]["containers"][0]
    container.pop("args")
    container["command"] = ["python", "-c", program]
    said = run(cluster, document, GENERATE_SECONDS)
    cluster.delete(*JOB, document["metadata"]["name"], MODELS)
    (line,) = [each for each in said.splitlines() if each.startswith("ANSWER ")]
    return dict(json.loads(line.removeprefix("ANSWER ")))


def _absent(cluster: Cluster, name: str) -> None:
    if cluster.get(*JOB, name, MODELS) is not None:
        raise NotYet("still there")
