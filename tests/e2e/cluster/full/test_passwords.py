"""Stories: an administrator changes passwords and upgrades MLflow's schema, as the charts' READMEs say."""

import os
import re
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.charts import CHARTS
from tests.support.cluster import Cluster, Namespace, NotYet, Object, until
from tests.support.cluster_registry import refusal, scale, settled, small_registry, team
from tests.support.cluster_release import Release
from tests.support.cluster_team_churn import TeamChurn
from tests.support.programs import program

pytestmark = [pytest.mark.cluster, pytest.mark.full, pytest.mark.timeout(1800)]

# As in the READMEs, so that their commands run here but for the namespaces.
NAME = "serinus"
NEW = "n3w: p@ss%/word #"
COMMANDS_SECONDS = 300
# MLflow keeps the answer to a login for 30 s.
FORGOTTEN_SECONDS = 60
# A schema that an older MLflow left, with an experiment in it, written by MLflow's own migrations.
OLDER = """
import schema, sqlalchemy
from alembic import command
from mlflow.store.db import utils
from mlflow.store.tracking.dbmodels.initial_models import Base
engine = schema.database()
newest, before, *_ = (each.revision for each in schema.MIGRATIONS.walk_revisions())
with engine.begin() as connection:
    for drop in ("drop schema public cascade", "create schema public"):
        connection.execute(sqlalchemy.text(drop))
Base.metadata.create_all(engine)
config = utils._get_alembic_config(schema.URI)
with engine.begin() as connection:
    config.attributes["connection"] = connection
    command.upgrade(config, before)
    connection.execute(sqlalchemy.text(
        "insert into experiments (name, artifact_location, lifecycle_stage) values ('kept', '/a', 'active')"
    ))
print("from", before, "to", newest)
"""


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> Iterator[Namespace]:
    """The release's and its team's, in one."""
    yield from team(cluster, "passwords")


@pytest.fixture(scope="module")
def release(namespace: Namespace) -> Release:
    """A registry and a feature store with PostgreSQL and Redis of their own."""
    found = Release(program("helm"), namespace, NAME)
    redis = {"storage": {"size": "256Mi"}, "resources": {"requests": {"cpu": "10m"}}}
    apply = {"resources": {"requests": {"cpu": "10m", "memory": "128Mi"}}}
    feast = {"redis": redis, "data": {"create": False}, "apply": apply}
    registry = small_registry(namespace.name, {"storage": {"size": "256Mi"}})
    found.install(registry, {"parts": {"feast": True}, "feast": feast})
    return found


@dataclass
class Administrator:
    """Somebody who types what a README says."""

    release: Release
    folder: Path

    def commands(self, chart: str, title: str, beginning: str, **changed: str) -> str:
        """Return the commands below `beginning` in a section of a chart's README, with `changed` in them."""
        section = (CHARTS / chart / "README.md").read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]
        block = re.search(r"\n\n((?:    .*\n)+)", section[section.index(beginning) :])
        assert block, f"{chart}: no commands below {beginning!r}"
        text = re.sub(r"^    ", "", block[1], flags=re.M)
        for old, new in {"serinus-system": self.release.namespace.name, **changed}.items():
            assert old in text, f"{old!r} is not in the commands of {chart}"
            text = text.replace(old, new)
        return text.replace("serinus-models", self.release.namespace.name)

    def follow(self, chart: str, title: str, beginning: str, **changed: str) -> None:
        """Run them."""
        self.run(self.commands(chart, title, beginning, **changed))

    def run(self, text: str) -> None:
        """Run commands in a shell, at the root of the repository."""
        bin_ = self.folder / "bin"
        bin_.mkdir(exist_ok=True)
        for name in ("helm", "kubectl"):
            if not (bin_ / name).exists():
                (bin_ / name).symlink_to(program(name))
        kubeconfig = self.folder / "kubeconfig"
        words = ["config", "view", "--raw", "--minify", "--context", "kind-serinus"]
        kubeconfig.write_bytes(
            subprocess.run([bin_ / "kubectl", *words], check=True, capture_output=True).stdout
        )
        environment = {**os.environ, "PATH": f"{bin_}:{os.environ['PATH']}", "KUBECONFIG": str(kubeconfig)}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text], cwd=CHARTS.parent, env=environment,
            capture_output=True, text=True, timeout=COMMANDS_SECONDS,
        )  # fmt: skip
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"


@pytest.fixture
def administrator(release: Release, tmp_path: Path) -> Administrator:
    return Administrator(release, tmp_path)


def accepted(release: Release, user: str, password: str) -> bool:
    """Whether MLflow takes this login."""
    status, answer = release.mlflow(user, "GET", "registered-models/search", password=password)
    assert status in (200, 401), answer
    return status == 200


def of_role(release: Release, role: str, password: str) -> str:
    """Return what PostgreSQL answers to a role that logs in, with anything but `1` where it is refused."""
    login = ["env", f"PGPASSWORD={password}", "/usr/lib/postgresql/15/bin/psql", "--host=127.0.0.1"]
    query = [f"--username={role}", "--dbname=postgres", "-Atc", "select 1"]
    return release.namespace.execute(release.pod("postgresql"), *login, *query).output


def test_passwords_of_mlflows_users(release: Release, administrator: Administrator):
    # Given logins that work
    old = {
        user: release.secret(f"{NAME}-mlflow")[f"{user}-password"] for user in ("writer", "reader", "admin")
    }
    assert all(accepted(release, user, password) for user, password in old.items())
    before = release.running()
    for user in old:
        # When one is changed as the README says
        changed = {"writer-password": f"{user}-password", "…": f"{user} {NEW}"}
        administrator.follow("mlflow", "Passwords", "To change one of MLflow's users", **changed)
        # Then the new one opens MLflow, also by the team's Secret
        assert accepted(release, user, f"{user} {NEW}")
        assert release.mlflow(user, "GET", "registered-models/search")[0] == 200

        # And soon the old one does not
        def closed(user: str = user) -> None:
            if accepted(release, user, old[user]):
                raise NotYet("the old password is taken")

        until(f"the old password of {user} is refused", closed, FORGOTTEN_SECONDS)
    # And nothing was restarted
    assert release.running() == before


def test_passwords_of_postgresqls_roles(release: Release, administrator: Administrator):
    # Given roles
    old = release.secret(f"{NAME}-postgresql")
    roles = ("feast", "mlflow")
    # When their passwords are changed as the README says
    given = ", ".join(f'"{role}-password": "{role} {NEW}"' for role in roles)
    administrator.follow(
        "mlflow", "Passwords", "To change one of PostgreSQL's roles", **{'"feast-password": "…"': given}
    )
    # Then MLflow works, and so does a Job that uses Feast's registry by its team's Secret
    settled(release, 1)
    assert release.mlflow("reader", "GET", "registered-models/search")[0] == 200
    completed, words = release.job("serinus-materialize", "after-the-change", change=apply_only)
    assert completed, words
    # And PostgreSQL takes the new ones and not the old ones
    for role in roles:
        assert "permission denied" not in of_role(release, role, f"{role} {NEW}")
        assert of_role(release, role, f"{role} {NEW}") == "1"
        assert "password authentication failed" in of_role(release, role, old[f"{role}-password"])


def test_passwords_of_redis_change_under_a_model_that_reads_features(
    release: Release, administrator: Administrator
):
    # Given a model whose server looks features up
    churn = TeamChurn(release.namespace, secrets.token_hex(2))
    churn.train()
    churn.serve()
    expected = churn.answers(1, 2, 3, degraded=False)["probabilities"]
    old = release.secret(f"{NAME}-redis-acl")["reader-password"]
    server = churn.pod()
    # When its password is changed as the README says, up to Redis' own restart
    text = administrator.commands("feast", "Passwords", "They are made once and kept", **{"…": NEW})
    first, rest = text.split("# then each model's servers")
    administrator.run(first)
    release.pod("redis")
    # Then the server that has the old one still reads features, and so does whoever has the new one
    assert churn.answers(1, 2, 3, degraded=False)["probabilities"] == expected
    assert churn.pod() == server
    assert "NOPERM" in release.redis("reader", "set", "a", "b")
    # When the servers are restarted, and the old password is taken away
    servers, last = rest.split("# and the old one ends\n")
    administrator.run(f"# {servers}")

    def restarted() -> str:
        if (now := churn.pod()) == server:
            raise NotYet("the old pod")
        return now

    until("the server has started anew", restarted, 180)
    administrator.run(last)
    release.pod("redis")
    # Then the server reads features with the new one
    assert churn.answers(1, 2, 3, degraded=False)["probabilities"] == expected
    # And the old one is refused
    ran = release.namespace.execute(
        release.pod("redis"), "env", f"REDISCLI_AUTH={old}", "redis-cli", "--user", "reader", "get", "feature"
    )
    assert "WRONGPASS" in ran.output
    assert "NOPERM" in release.redis("reader", "set", "a", "b")


def test_an_older_schema_of_mlflow_is_upgraded(release: Release, administrator: Administrator):
    # Given MLflow at work; then its schema is not upgraded under it
    settled(release, 1)
    completed, words = release.job(f"{NAME}-mlflow-upgrade", "too-early")
    assert not completed
    assert "scale MLflow to 0 replicas first" in words
    # Given a database that an older MLflow left
    scale(release, 0)
    completed, words = release.job(f"{NAME}-mlflow-upgrade", "make-it-older", change=make_older)
    assert completed, words
    # When MLflow is started on it, then it is not, and its pod says what to do
    start(release)
    words = refusal(release)
    assert "of an older MLflow" in words
    assert f"kubectl create job upgrade-now --from=cronjob/{NAME}-mlflow-upgrade" in words
    # When that is done as the README says
    administrator.follow("mlflow", "Upgrades of MLflow", "MLflow is not started")
    settled(release, 1)
    # Then it works, with what was there
    status, answer = release.mlflow("reader", "GET", "experiments/search?max_results=100")
    assert (status, '"kept"' in answer) == (200, True), answer
    assert release.mlflow("writer", "POST", "registered-models/create", {"name": "after"})[0] == 200
    # And a schema that it does not know keeps it from starting too
    database = ["/usr/lib/postgresql/15/bin/psql", "--host=/var/run/postgresql", "--dbname=mlflow", "-Atc"]
    version = release.namespace.execute(
        release.pod("postgresql"), *database, "select version_num from alembic_version"
    )
    for number in ("later", version.output):
        scale(release, 0)
        change = f"update alembic_version set version_num = '{number}'"
        release.namespace.execute(release.pod("postgresql"), *database, change)
        start(release)
        if number == "later":
            assert "of a newer MLflow (schema later)" in refusal(release)
    settled(release, 1)


def apply_only(spec: Object) -> None:
    """Have materialize load nothing: there is no table yet."""
    spec["template"]["spec"]["containers"][0]["args"] = ["materialize", "--apply-only"]


def make_older(spec: Object) -> None:
    """Have the upgrade's Job do the contrary."""
    (container,) = spec["template"]["spec"]["containers"]
    container["command"] = ["python", "-c", OLDER]
    container["env"].append({"name": "PYTHONPATH", "value": "/scripts"})


def start(release: Release) -> None:
    """Have one pod of MLflow, ready or not."""
    change: Object = {"spec": {"replicas": 1}}
    release.namespace.cluster.patch("apps/v1", "Deployment", f"{NAME}-mlflow", change, release.namespace.name)
