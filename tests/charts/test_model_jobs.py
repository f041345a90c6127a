"""The models' Jobs as kubectl renders them: every verb, every pod restricted, one fact in one place."""

import re
import subprocess
import tomllib
from typing import Any

import kubernetes_validate
import pytest
import yaml
from tests.support.charts import ROOT, Object, objects
from tests.support.pod_security import violations
from tests.support.programs import program

from serinus_airgap import versions
from serinus_jobs.cli import VERBS
from serinus_jobs.errors import GateRefused, JobError
from serinus_jobs.project import load_model

MODELS = sorted(path.parent.name for path in ROOT.glob("manifests/models/*/kustomization.yaml"))
KUBERNETES = versions.load()["KUBERNETES"].removeprefix("v")


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def rendered(model: str) -> list[Object]:
    """What `kubectl apply -k` would send."""
    command = [str(program("kubectl")), "kustomize", str(ROOT / "manifests" / "models" / model)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return objects(done.stdout)


@pytest.fixture(scope="module")
def cronjobs(rendered: list[Object], model: str) -> dict[str, Object]:
    """The CronJobs by name, without the model's prefix."""
    prefix = f"{model.replace('_', '-')}-"
    named = {each["metadata"]["name"]: each for each in rendered if each["kind"] == "CronJob"}
    assert all(name.startswith(prefix) for name in named)
    return {name.removeprefix(prefix): each for name, each in named.items()}


def job(cronjob: Object) -> Any:
    return cronjob["spec"]["jobTemplate"]["spec"]


def container(cronjob: Object) -> Any:
    (found,) = job(cronjob)["template"]["spec"]["containers"]
    return found


def test_every_verb_has_its_cronjob(cronjobs: dict[str, Object], model: str):
    features = load_model(ROOT / "manifests/models" / model).feature_service is not None
    started = {container(each)["args"][0] for each in cronjobs.values()}
    # Only churn's data can be generated, and only with features is there something to load.
    missing = {"generate", "materialize"} - ({"generate", "materialize"} if features else set())
    assert started == set(VERBS) - missing


def test_the_api_server_would_take_them(rendered: list[Object]):
    for each in rendered:
        kubernetes_validate.validate(each, KUBERNETES, strict=True)


def test_pods_are_restricted_and_have_no_token(cronjobs: dict[str, Object]):
    for each in cronjobs.values():
        pod = job(each)["template"]["spec"]
        assert violations(pod) == []
        assert pod["automountServiceAccountToken"] is False
        assert container(each)["securityContext"]["readOnlyRootFilesystem"] is True
        assert {"requests", "limits"} <= set(container(each)["resources"])


def test_a_template_runs_by_hand_alone_and_keeps_its_history(cronjobs: dict[str, Object]):
    for each in cronjobs.values():
        spec = each["spec"]
        assert (spec["suspend"], spec["concurrencyPolicy"]) == (True, "Forbid")
        assert min(spec["successfulJobsHistoryLimit"], spec["failedJobsHistoryLimit"]) >= 50
        assert job(each)["activeDeadlineSeconds"] > 0


def test_what_trying_again_would_not_mend_is_not_tried_again(cronjobs: dict[str, Object]):
    final = [JobError("").exit_code, GateRefused("").exit_code]
    for each in cronjobs.values():
        fail, ignore = job(each)["podFailurePolicy"]["rules"]
        assert fail["onExitCodes"] == {"containerName": "verb", "operator": "In", "values": final}
        assert (fail["action"], ignore["action"]) == ("FailJob", "Ignore")
        assert job(each)["template"]["spec"]["restartPolicy"] == "Never"


@pytest.mark.parametrize("name", ["trials", "batch"])
def test_an_indexed_job_has_as_many_pods_as_its_verb_has_parts(cronjobs: dict[str, Object], name: str):
    spec = job(cronjobs[name])
    (of,) = [int(each.removeprefix("--of=")) for each in container(cronjobs[name])["args"] if "--of=" in each]
    assert spec["completionMode"] == "Indexed"
    assert spec["completions"] == of >= spec["parallelism"] >= 2


def test_a_pod_gets_the_secrets_that_its_verb_needs(cronjobs: dict[str, Object], model: str):
    def secrets(name: str) -> set[str]:
        found = [
            each.get("valueFrom", {}).get("secretKeyRef", {}) for each in container(cronjobs[name])["env"]
        ]
        return {each["name"] for each in found if each}

    registry, features = {"serinus-registry-writer"}, set()
    if load_model(ROOT / "manifests/models" / model).feature_service is not None:
        features = {"serinus-feast-registry"}
        assert secrets("materialize") == {"serinus-feast-registry", "serinus-online-store"}
        assert secrets("train") == registry | features | {"serinus-online-store"}
    for name in ("trials", "fit", "evaluate"):
        assert secrets(name) == registry | features
    for name in ("register", "promote", "batch", "quality", "drift"):
        assert secrets(name) == registry
    assert secrets("collect") == {"serinus-prediction-log-reader"}
    for name in ("ingest", "labels"):
        assert secrets(name) == set()


def test_the_image_is_this_versions(cronjobs: dict[str, Object]):
    version = tomllib.loads((ROOT / "jobs/pyproject.toml").read_text())["project"]["version"]
    assert {container(each)["image"] for each in cronjobs.values()} == {
        f"localhost:5001/serinus/jobs:{version}"
    }


def test_jobs_find_their_models_files(rendered: list[Object], cronjobs: dict[str, Object], model: str):
    maps = {each["metadata"]["name"]: each["data"] for each in rendered if each["kind"] == "ConfigMap"}
    for each in cronjobs.values():
        volumes = {volume["name"]: volume for volume in job(each)["template"]["spec"]["volumes"]}
        assert set(maps[volumes["model"]["configMap"]["name"]]) == {"model.yaml", "data.yaml"}
        assert volumes["data"]["persistentVolumeClaim"]["claimName"] == "serinus-data"
    labels = {
        each["spec"]["jobTemplate"]["metadata"]["labels"]["serinus.dev/model"] for each in cronjobs.values()
    }
    assert labels == {model}


def test_the_feature_repository_is_whole_in_its_configmap():
    listed = yaml.safe_load((ROOT / "feature_repo/kustomization.yaml").read_text())
    files = {path.name for pattern in ("*.py", "*.yaml") for path in (ROOT / "feature_repo").glob(pattern)}
    assert set(listed["configMapGenerator"][0]["files"]) == files - {"kustomization.yaml"}


def test_the_page_names_every_cronjob(cronjobs: dict[str, Object]):
    page = (ROOT / "docs/reference/jobs.md").read_text()
    assert set(cronjobs) <= set(re.findall(r"^\| `([a-z]+)` \|", page, re.MULTILINE))
