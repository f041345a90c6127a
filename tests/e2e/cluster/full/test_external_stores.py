"""Stories: PostgreSQL and Redis of somebody else, spoken to with TLS, and believed by their certificates."""

import secrets
from collections.abc import Iterator

import pytest
from tests.support.cluster import Cluster, Namespace, NotYet, Object, until
from tests.support.cluster_registry import refusal, scale, settled, small_registry, team
from tests.support.cluster_release import Release
from tests.support.cluster_secured import OWN, STRANGER, Secured
from tests.support.cluster_team_churn import TeamChurn
from tests.support.programs import program

pytestmark = [pytest.mark.cluster, pytest.mark.full, pytest.mark.timeout(1500)]
# The server tries its Redis again every few seconds at the longest.
TOLD_SECONDS = 60

NAME = "secured"
PSQL = "/usr/lib/postgresql/15/bin/psql"
CONNECTIONS = """
select datname, ssl, count(*) from pg_stat_ssl join pg_stat_activity using (pid)
where client_addr is not null group by 1, 2 order by 1
"""


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> Iterator[Namespace]:
    """The release's, its stores' and its team's, in one."""
    yield from team(cluster, NAME)


@pytest.fixture(scope="module")
def stores(namespace: Namespace) -> Secured:
    """The stores."""
    found = Secured(namespace)
    found.start()
    return found


def values(stores: Secured, ssl_mode: str) -> tuple[Object, Object]:
    """Return the values of a release that uses them."""
    return small_registry(stores.namespace.name, {"storage": {"size": "256Mi"}}), stores.values(ssl_mode)


@pytest.fixture(scope="module")
def release(namespace: Namespace, stores: Secured) -> Release:
    """A registry and a feature store without servers of their own."""
    found = Release(program("helm"), namespace, NAME)
    found.install(*values(stores, "verify-full"))
    return found


@pytest.fixture(scope="module")
def churn(release: Release) -> TeamChurn:
    """A model that is trained and served there."""
    found = TeamChurn(release.namespace, secrets.token_hex(2))
    found.train()
    found.serve()
    return found


def once(spec: Object) -> None:
    """Have a Job fail at once: what is asked for is how."""
    spec["backoffLimit"] = 0


def test_the_registry_speaks_tls_to_postgresql_alone(release: Release, stores: Secured):
    # Given a release that asks for a certificate; then MLflow works on the PostgreSQL of somebody else
    assert release.mlflow("writer", "POST", "registered-models/create", {"name": "kept"})[0] == 200
    # And no connection is in clear text
    ran = release.namespace.execute("db", PSQL, "-h", "/data", "-U", "postgres", "-Atc", CONNECTIONS)
    found = [line.split("|") for line in ran.output.splitlines()]
    assert {each[0] for each in found} >= {"mlflow"}
    assert {each[1] for each in found} == {"t"}
    # And a backup of it is made and put back
    completed, words = release.job(f"{NAME}-mlflow-backup", "backup")
    assert completed, words
    assert release.mlflow("writer", "DELETE", "registered-models/delete", {"name": "kept"})[0] == 200
    scale(release, 0)
    completed, words = release.job(f"{NAME}-mlflow-restore", "restore")
    assert completed, words
    scale(release, 1)
    status, answer = release.mlflow("reader", "GET", "registered-models/search")
    assert (status, '"kept"' in answer) == (200, True)
    # And whoever asks for encryption alone gets it, whoever it is from
    release.install(*values(stores, "require"))
    assert release.mlflow("reader", "GET", "registered-models/search")[0] == 200
    release.install(*values(stores, "verify-full"))


def test_a_postgresql_that_nobody_vouches_for_is_not_spoken_to(release: Release, stores: Secured):
    # Given PostgreSQL under a name that its certificate does not hold; then a backup says so
    alias = f"alias.{release.namespace.name}.svc"

    def by_alias(spec: Object) -> None:
        once(spec)
        for each in spec["template"]["spec"]["containers"][0]["env"]:
            if each["name"] == "PGHOST":
                each["value"] = alias

    completed, words = release.job(f"{NAME}-mlflow-backup", "by-alias", change=by_alias)
    assert not completed
    assert f'does not match host name "{alias}"' in words
    # When MLflow is told of another authority
    deployment = ("apps/v1", "Deployment", f"{NAME}-mlflow")

    def trust(secret: str) -> None:
        found = release.namespace.get(*deployment)
        assert found is not None
        volumes = found["spec"]["template"]["spec"]["volumes"]
        for each in volumes:
            if each["name"] == "postgresql-ca":
                each["secret"]["secretName"] = secret
        change = {"spec": {"template": {"spec": {"volumes": volumes}}}}
        release.namespace.cluster.patch(*deployment, change, release.namespace.name)

    trust(STRANGER)
    # Then it does not start, and its pod says why and where to look
    message = refusal(release)
    assert "certificate verify failed" in message
    assert "postgresql.external.sslMode and .ca" in message
    # And with the right one it does
    trust(OWN)
    settled(release, 1)
    # And a team's Job that trusts another authority says so, and names the setting
    stores.trust(STRANGER)
    try:
        completed, words = release.job("serinus-materialize", "another-authority", change=once)
    finally:
        stores.trust(OWN)
    assert not completed
    assert "SERINUS_FEAST_REGISTRY" in words
    assert "certificate verify failed" in words


def test_servers_read_features_and_log_predictions_with_tls(
    release: Release, churn: TeamChurn, stores: Secured
):
    # Given a model whose features a Job loaded; when clients name customers
    answer = churn.answers(*range(1, 51), degraded=False)
    # Then each is known, and they differ
    assert [each for each in answer.get("marks", []) if each.get("found") is False] == []
    assert len({tuple(each) for each in answer["probabilities"]}) > 25
    # And what was predicted is collected
    said = "\n".join(churn.jobs.done("churn-collect"))
    assert "read 0" not in said
    assert "refused 0" in said
    # When a stranger stands where Redis stood
    stores.store(STRANGER)
    try:
        # Then the server answers with defaults, and says whom it does not believe
        churn.answers(1, degraded=True)

        def says() -> None:
            # It answers so from the moment that its Redis goes; a try to come back meets the stranger.
            if "certificate is refused" not in (said := churn.namespace.logs(churn.pod())):
                raise NotYet(said[-500:])

        until("the server refuses the certificate", says, TOLD_SECONDS)
        # And a Job ends with one line, and no traceback
        completed, words = release.job("churn-materialize", "a-stranger", change=once)
        assert not completed
        assert "SERINUS_ONLINE_STORE" in words
        assert "ssl_ca_certs in the address names the CAs" in words
        assert "Traceback" not in words
    finally:
        stores.store(OWN)
    # And when Redis is back and loaded, it answers as before
    churn.jobs.done("churn-materialize")
    assert churn.answers(*range(1, 51), degraded=False)["probabilities"] == answer["probabilities"]
