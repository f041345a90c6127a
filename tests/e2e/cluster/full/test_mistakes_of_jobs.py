"""Stories: a registry away, a login gone, a wrong name, a full volume: what is told, and what is kept."""

from collections.abc import Iterator

import pytest
from tests.support.cluster import Cluster, Namespace, NotYet, Object, condition, until
from tests.support.cluster_jobs import Jobs, with_args
from tests.support.cluster_models import ISVC, READY_SECONDS
from tests.support.cluster_registry import MODEL, scale, small_registry, team
from tests.support.cluster_release import Release
from tests.support.programs import program

pytestmark = [pytest.mark.cluster, pytest.mark.full, pytest.mark.timeout(900)]

STORE = {"storage": {"size": "256Mi"}}
READER = "serinus-registry-reader"
SERVERS = f"serving.kserve.io/inferenceservice={MODEL}"
# What a Job's last line says, by its arguments.
WRONG = {
    "mlflow://irsi/@champion": "the registry has no irsi with the alias champion",
    "mlflow://irsi/1": "is it registered under that name",
    f"mlflow://{MODEL}/7": f"Model Version (name={MODEL}, version=7) not found",
}


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> Iterator[Namespace]:
    """The release's and its team's, in one."""
    yield from team(cluster, "mistakes")


@pytest.fixture(scope="module")
def release(namespace: Namespace) -> Release:
    """A registry of its own."""
    found = Release(program("helm"), namespace, "small")
    found.install(small_registry(namespace.name, STORE))
    return found


@pytest.fixture(scope="module")
def jobs(release: Release) -> Jobs:
    """The Jobs of a model of which version 1 is registered."""
    found = Jobs(release.namespace, "mistakes")
    found.apply(MODEL)
    found.done(f"{MODEL}-train")
    return found


def waits(namespace: Namespace, words: str) -> str:
    """Wait until the one pod of the service says such words, in a log or in its status; return its name."""

    def look() -> str:
        pods = namespace.pods(SERVERS)
        said = [f"{namespace.logs(pod['metadata']['name'])} {pod['status']}" for pod in pods]
        if len(pods) != 1 or words not in said[0]:
            raise NotYet(str(said)[-500:])
        return str(pods[0]["metadata"]["name"])

    return until(f"a server's pod says {words!r}", look, READY_SECONDS)


def ready(namespace: Namespace) -> None:
    def look() -> None:
        if (found := condition(namespace.get(*ISVC, MODEL), "Ready"))["status"] != "True":
            raise NotYet(found)

    until(f"{MODEL} is ready", look, READY_SECONDS)


def test_a_server_waits_for_its_registry_and_says_so(jobs: Jobs, release: Release):
    # Given a registry that is away
    namespace = release.namespace
    scale(release, 0)
    # When a model is deployed
    model = {"modelFormat": {"name": "serinus"}, "runtime": "serinus", "storageUri": f"mlflow://{MODEL}/1"}
    predictor = {"automountServiceAccountToken": False, "minReplicas": 1, "model": model}
    service = {"apiVersion": ISVC[0], "kind": ISVC[1], "metadata": {"name": MODEL}}
    namespace.apply(service | {"spec": {"predictor": predictor}})
    # Then its pod says what it waits for
    waiting = waits(namespace, "trying again, for ")
    # And once the registry is back, the same pod goes on without anybody's help
    scale(release, 1)
    ready(namespace)
    assert [pod["metadata"]["name"] for pod in namespace.pods(SERVERS)] == [waiting]


def test_a_deleted_login_is_put_back_by_an_upgrade(jobs: Jobs, release: Release):
    # Given the login that servers get, deleted, and a pod that starts
    namespace, before = release.namespace, release.secret(READER)
    namespace.cluster.delete("v1", "Secret", READER, namespace.name)
    for pod in namespace.pods(SERVERS):
        namespace.cluster.delete("v1", "Pod", pod["metadata"]["name"], namespace.name)
    waits(namespace, f'secret "{READER}" not found')
    # When an administrator upgrades the release, with nothing changed
    release.install(small_registry(namespace.name, STORE))
    # Then the login is what it was, and the pod starts
    assert release.secret(READER) == before
    ready(namespace)


def test_a_wrong_name_is_told_and_not_tried_again(jobs: Jobs):
    # When Jobs name what is not in the registry
    made = {
        address: jobs.create(
            f"{MODEL}-register",
            with_args("batch", f"--artifact={address}", "--source=/data/x.csv", "--target=/data/x.parquet"),
        )
        for address in WRONG
    }
    # Then each says so and has failed at its first try
    for address, job in made.items():
        told = jobs.ended(job)["status"]["conditions"]
        assert "PodFailurePolicy" in {each["reason"] for each in told}, address
        (said,) = jobs.said(job)
        assert WRONG[address] in said.splitlines()[-1]


def test_a_full_volume_is_told(jobs: Jobs):
    # Given a volume with little room
    def little(pod: Object) -> None:
        with_args("generate", "--out=/data/in")(pod)
        room = {"name": "data", "emptyDir": {"medium": "Memory", "sizeLimit": "64Ki"}}
        pod["volumes"] = [room if each["name"] == "data" else each for each in pod["volumes"]]

    # When a Job writes more
    job = jobs.create(f"{MODEL}-ingest", little)

    # Then it says which volume, and is tried again
    def look() -> None:
        pods = jobs.pods(job)
        if len(pods) < 2 or "no space left (free now: /data " not in jobs.said(job)[0]:
            raise NotYet(f"{len(pods)} pods")

    until("a second pod tries", look, READY_SECONDS)
    jobs.forget()
