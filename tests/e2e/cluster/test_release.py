"""Stories: what an administrator does to a release that is in use, and what it must not lose by that."""

import copy
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.charts import CHARTS, next_version
from tests.support.cluster import MARK, Cluster, Namespace, NotYet, until
from tests.support.cluster_release import Release
from tests.support.programs import program

pytestmark = [pytest.mark.cluster, pytest.mark.full, pytest.mark.timeout(900)]
NAME = "kept"
THIS = yaml.safe_load((CHARTS / "platform/Chart.yaml").read_text())["version"]
NEXT = "0.1.1"
CUSTOMERS = 50
MODELS = Path(__file__).parents[3] / "manifests" / "models"


def small(namespace: str) -> dict[str, Any]:
    """The registry and the feature store alone, and as little of them as works."""
    store = {"size": "256Mi"}
    return {
        "global": {"models": {"namespaces": [namespace]}},
        "parts": {"monitoring": False, "serving": False, "operator": False},
        "mlflow": {
            "mlflow": {"resources": {"requests": {"cpu": "10m", "memory": "256Mi"}}},
            "artifacts": {"storage": store},
            "postgresql": {"storage": store, "resources": {"requests": {"cpu": "10m"}}},
            "backup": {"storage": store},
        },
        "feast": {
            "redis": {"storage": store, "resources": {"requests": {"cpu": "10m"}}},
            "data": {"size": "256Mi"},
            "apply": {"resources": {"requests": {"cpu": "10m", "memory": "128Mi"}}},
        },
    }


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> Iterator[Namespace]:
    """One namespace for the module, because installing takes a minute."""
    name = f"e2e-release-{secrets.token_hex(2)}"
    labels = {MARK: "release", "pod-security.kubernetes.io/enforce": "restricted"}
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    yield Namespace(cluster, name)
    cluster.delete("v1", "Namespace", name)


@pytest.fixture(scope="module")
def release(namespace: Namespace) -> Release:
    """A release with a model in the registry and a feature in the online store."""
    found = Release(program("helm"), namespace, NAME)
    found.install(small(namespace.name))
    assert found.mlflow("writer", "POST", "registered-models/create", {"name": "churn"})[0] == 200
    assert found.redis("default", "set", "feature", "7") == "OK"
    return found


def models(release: Release) -> str:
    status, answer = release.mlflow("reader", "GET", "registered-models/search")
    assert status == 200, answer
    return answer


def logins(release: Release) -> dict[str, dict[str, str]]:
    """All that holds a password, of the platform and of its team."""
    names = [f"{NAME}-mlflow", f"{NAME}-postgresql", f"{NAME}-redis-acl"]
    names += ["serinus-registry-reader", "serinus-registry-writer", "serinus-feast-registry"]
    names += ["serinus-online-store", "serinus-online-store-reader"]
    return {name: release.secret(name) for name in names}


def test_servers_may_read_and_nobody_may_enter_without_a_password(release: Release):
    # Given the logins that servers get; then what they read they get, and nothing can be written
    assert '"churn"' in models(release)
    for path, body in [
        ("experiments/create", {"name": "mine"}),
        ("registered-models/create", {"name": "mine"}),
        ("registered-models/alias", {"name": "churn", "alias": "champion", "version": "1"}),
    ]:
        status, answer = release.mlflow("reader", "POST", path, body)
        assert (status, answer) == (403, "The user reader may only read"), path
    assert release.redis("reader", "get", "feature") == "7"
    assert "NOPERM" in release.redis("reader", "set", "feature", "8")
    # And Jobs write, but cannot throw everything away
    assert "NOPERM" in release.redis("default", "flushall")
    # And who has the password of Feast's registry cannot read MLflow's database
    login = ["env", f"PGPASSWORD={release.secret(f'{NAME}-postgresql')['feast-password']}"]
    psql = ["/usr/lib/postgresql/15/bin/psql", "--host=127.0.0.1", "--username=feast", "--command=select 1"]
    ran = release.namespace.execute(release.pod("postgresql"), *login, *psql, "--dbname=mlflow")
    assert "permission denied for database" in ran.output
    assert release.namespace.execute(release.pod("postgresql"), *login, *psql, "--dbname=feast").code == 0
    # And without a password there is nothing but a ping
    pod = release.pod("redis")
    assert "NOAUTH" in release.namespace.execute(pod, "redis-cli", "get", "feature").output
    assert "NOPERM" in release.namespace.execute(
        pod, "redis-cli", "--no-auth-warning", "--user", "probe", "--pass", "none", "get", "feature"
    ).output  # fmt: skip


def test_upgrade_rollback_and_a_new_install_keep_data_and_passwords(release: Release):
    # Given a release in use
    before = logins(release)
    # When it is upgraded with settings that restart PostgreSQL and Redis
    changed = {
        "mlflow": {"postgresql": {"settings": {"max_connections": "60"}}},
        "feast": {"redis": {"maxMemory": "96mb"}},
    }
    release.install(small(release.namespace.name), changed)
    # Then they are in force, and data and passwords are what they were
    assert release.redis("metrics", "config", "get", "maxmemory") == "maxmemory\n100663296"
    assert (logins(release), release.redis("reader", "get", "feature")) == (before, "7")
    assert '"churn"' in models(release)
    # When it is rolled back
    release.run("rollback", NAME, "1", "--wait", "--timeout", "400s")
    # Then the old settings are in force, with the same data
    assert release.redis("metrics", "config", "get", "maxmemory") == "maxmemory\n268435456"
    assert (logins(release), release.redis("reader", "get", "feature")) == (before, "7")
    assert '"churn"' in models(release)
    # When it is uninstalled and installed again
    release.run("uninstall", NAME, "--wait", "--timeout", "200s")
    release.install(small(release.namespace.name))
    # Then volumes and passwords were kept for it
    assert (logins(release), release.redis("reader", "get", "feature")) == (before, "7")
    assert '"churn"' in models(release)


def test_the_next_version_of_the_charts_comes_and_goes_without_a_restart(
    release: Release, tmp_path: Path, figure: Callable[[str, str], None]
):
    # Given a release in use
    values = small(release.namespace.name)
    release.install(values)
    before, pods = logins(release), release.running()
    assert release.versions() == {THIS}
    # When charts of the next version come, with images of the same references
    begun = time.monotonic()
    release.install(values, charts=next_version(tmp_path / "charts", NEXT))
    took = time.monotonic() - begun
    # Then every object is of that version, and no pod has restarted
    assert (release.versions(), release.listed()) == ({NEXT}, (f"platform-{NEXT}", NEXT))
    assert release.running() == pods
    assert (logins(release), release.redis("reader", "get", "feature")) == (before, "7")
    assert '"churn"' in models(release)
    # When that is rolled back, then it is as it was, and still no pod has restarted
    release.run("rollback", NAME, "--wait", "--timeout", "400s")
    assert (release.versions(), release.listed()) == ({THIS}, (f"platform-{THIS}", THIS))
    assert release.running() == pods
    assert (logins(release), release.redis("reader", "get", "feature")) == (before, "7")
    assert '"churn"' in models(release)
    figure("upgrade to the charts' next version", f"{len(pods)} pods, none restarted, {took:.0f} s")


def test_a_backup_brings_everything_back(release: Release):
    # Given a backup of a registry with a model and an artifact
    mlflow = release.pod("mlflow")
    artifact = "/artifacts/1/kept.txt"
    release.namespace.execute(mlflow, "sh", "-c", f"mkdir -p /artifacts/1 && echo kept > {artifact}")
    completed, words = release.job(f"{NAME}-mlflow-backup", "backup")
    assert completed, words
    # And damage: the model is deleted, another came, the artifacts are gone
    assert release.mlflow("writer", "DELETE", "registered-models/delete", {"name": "churn"})[0] == 200
    assert release.mlflow("writer", "POST", "registered-models/create", {"name": "later"})[0] == 200
    release.namespace.execute(mlflow, "sh", "-c", "rm -rf /artifacts/*")
    # When somebody restores while MLflow runs, then it is refused with the reason, and nothing has changed
    completed, words = release.job(f"{NAME}-mlflow-restore", "too-early")
    assert not completed
    assert "scale MLflow to 0 replicas first" in words
    assert '"later"' in models(release)
    # When MLflow is stopped, and somebody restores
    scale(release, 0)
    completed, words = release.job(f"{NAME}-mlflow-restore", "restore")
    assert completed, words
    scale(release, 1)
    # Then what was is, what came later is not, and the logins still work
    assert '"churn"' in models(release)
    assert '"later"' not in models(release)
    assert release.namespace.execute(release.pod("mlflow"), "cat", artifact).output == "kept"
    assert release.mlflow("writer", "POST", "registered-models/create", {"name": "next"})[0] == 200


def scale(release: Release, replicas: int) -> None:
    change = {"spec": {"replicas": replicas}}
    release.namespace.cluster.patch("apps/v1", "Deployment", f"{NAME}-mlflow", change, release.namespace.name)
    labels = f"app.kubernetes.io/instance={NAME},app.kubernetes.io/component=mlflow"

    def look() -> None:
        if left := release.namespace.find("v1", "Pod", labels):
            raise NotYet(f"{len(left)} pods")

    if replicas == 0:
        until("MLflow has stopped", look, 90)


def test_a_broken_backup_is_not_restored(release: Release):
    # Given a backup of which a byte has changed
    completed, words = release.job(f"{NAME}-mlflow-backup", "to-break")
    assert completed, words
    name = words.rsplit("backup ", 1)[1].split()[0]
    template = release.namespace.get("batch/v1", "CronJob", f"{NAME}-mlflow-backup")
    assert template is not None
    job = template["spec"]["jobTemplate"]["spec"]
    job["template"]["spec"]["containers"][0]["command"] = [
        "sh",
        "-c",
        f"echo x >> /backup/{name}/mlflow.dump",
    ]
    completed, words = release.finished(
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "break"}, "spec": job}
    )
    assert completed, words
    # When somebody restores it, then the checksum stops it before anything is touched
    completed, words = release.job(f"{NAME}-mlflow-restore", "broken")
    assert not completed
    assert "mlflow.dump: FAILED" in words
    assert "nothing was changed" in words
    assert models(release)


def test_a_second_release_uses_the_postgresql_and_redis_that_are_there(release: Release):
    # Given a PostgreSQL, a Redis and their Secrets, which another release has no part in
    existing = {
        "mlflow": {
            "auth": {"existingSecret": f"{NAME}-mlflow"},
            "postgresql": {
                "enabled": False,
                "existingSecret": f"{NAME}-postgresql",
                "external": {"host": f"{NAME}-postgresql.{release.namespace.name}.svc", "sslMode": "disable"},
            },
            "modelSecrets": {"create": False},
            "backup": {"enabled": False},
        },
        "feast": {"redis": {"enabled": False}, "modelSecrets": {"create": False}, "data": {"create": False}},
    }
    # The CronJob of a team's namespace is there once
    release.install(small(release.namespace.name), {"feast": {"materialization": {"enabled": False}}})
    # When it is installed
    second = Release(release.helm, release.namespace, "second")
    second.install(small(release.namespace.name), existing)
    # Then it brings neither, and MLflow shows what the database holds
    assert [each["metadata"]["name"] for each in release.namespace.find("apps/v1", "StatefulSet")] == [
        f"{NAME}-postgresql",
        f"{NAME}-redis",
    ]
    assert second.mlflow("writer", "POST", "registered-models/create", {"name": "by-second"})[0] == 200
    assert '"by-second"' in models(release)
    # And its materialization loads features into that Redis
    before = int(release.redis("reader", "dbsize"))
    load_features(second)
    assert int(release.redis("reader", "dbsize")) - before == CUSTOMERS
    second.run("uninstall", "second", "--wait", "--timeout", "200s")


def load_features(release: Release) -> None:
    """Generate a small table, ingest it, and let the release's CronJob load it."""
    files = {name: (MODELS / "churn" / name).read_text() for name in ("model.yaml", "data.yaml")}
    release.namespace.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "churn"}, "data": files}
    )
    template = release.namespace.get("batch/v1", "CronJob", "serinus-materialize")
    assert template is not None
    verbs = {
        "generate": ["generate", "--out=/data/incoming", f"--customers={CUSTOMERS}", "--days=30"],
        "ingest": [
            "ingest",
            "--model-dir=/model",
            "--table=customers",
            "--source=/data/incoming/customers.parquet",
        ],
        "materialize": ["materialize"],
    }
    for verb, arguments in verbs.items():
        spec = copy.deepcopy(template["spec"]["jobTemplate"]["spec"])
        pod = spec["template"]["spec"]
        pod["containers"][0]["args"] = arguments
        pod["containers"][0]["volumeMounts"].append({"name": "model", "mountPath": "/model"})
        pod["volumes"].append({"name": "model", "configMap": {"name": "churn"}})
        completed, words = release.finished(
            {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": verb}, "spec": spec}
        )
        assert completed, f"{verb}: {words}"
