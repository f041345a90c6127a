"""The cluster, one namespace a story, what is shown after a failure, and the figures at the end."""

import re
import secrets
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from kubernetes.client import ApiException
from kubernetes.config import ConfigException
from tests.support import needed
from tests.support.cluster import CONTEXT, MARK, Cluster, Namespace, NotYet, Object, until
from tests.support.cluster_release import Release
from tests.support.figures import FIGURES
from tests.support.programs import program
from urllib3.exceptions import HTTPError

# A pod that drains takes 5 s, and the namespace's own end some more.
GONE_SECONDS = 90
# Whose namespaces are whose: two runs may share a cluster. What is older than any run was broken off.
RUN = secrets.token_hex(4)
LONGEST_RUN = timedelta(minutes=30)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster of `make up`."""
    try:
        found = Cluster.connect()
    except (ConfigException, HTTPError, ApiException) as error:
        needed.missing(f"no cluster answers at context {CONTEXT} ({type(error).__name__}): make up")
    _delete(found, [each for each in _stories(found) if _age(each) > LONGEST_RUN])
    yield found
    _delete(found, _stories(found, RUN))


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Namespace]:
    """A namespace of the story's own, under Pod Security restricted. It goes while the next story runs."""
    story = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())[:30].strip("-")
    yield from _made(cluster, f"e2e-{story}-{secrets.token_hex(2)}")


@pytest.fixture
def neighbour(namespace: Namespace) -> Iterator[Namespace]:
    """A second namespace, of other people."""
    yield from _made(namespace.cluster, f"{namespace.name}-nb")


@pytest.fixture
def release(namespace: Namespace) -> Iterator[Release]:
    """A release in the story's namespace. Its name is its own, as some of its objects are the cluster's."""
    found = Release(program("helm"), namespace, f"e2e-{secrets.token_hex(3)}")
    yield found
    found.run("uninstall", found.name, "--wait", "--ignore-not-found")


def _made(cluster: Cluster, name: str) -> Iterator[Namespace]:
    labels = {MARK: RUN, "pod-security.kubernetes.io/enforce": "restricted"}
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    yield Namespace(cluster, name)
    cluster.delete("v1", "Namespace", name)


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Return a function that keeps a measured figure for the end of the run."""
    return request.config.stash.setdefault(FIGURES, {}).__setitem__


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    namespace = getattr(item, "funcargs", {}).get("namespace")
    if report.failed and report.when == "call" and isinstance(namespace, Namespace):
        try:
            report.sections.append((f"namespace {namespace.name}", "\n".join(namespace.state())))
        except (ApiException, HTTPError) as error:
            report.sections.append((f"namespace {namespace.name}", f"cannot be read: {error}"))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if figures := config.stash.get(FIGURES, {}):
        terminalreporter.section("measured on the cluster")
        for name, value in figures.items():
            terminalreporter.line(f"{name}: {value}")


def _stories(cluster: Cluster, run: str | None = None) -> list[Object]:
    return cluster.find("v1", "Namespace", selector=MARK if run is None else f"{MARK}={run}")


def _age(namespace: Object) -> timedelta:
    return datetime.now(UTC) - datetime.fromisoformat(namespace["metadata"]["creationTimestamp"])


def _delete(cluster: Cluster, namespaces: list[Object]) -> None:
    """Delete namespaces and wait until they are gone."""
    names = {each["metadata"]["name"] for each in namespaces}
    for name in names:
        cluster.delete("v1", "Namespace", name)

    def look() -> None:
        left = [each for each in _stories(cluster) if each["metadata"]["name"] in names]
        if left:
            raise NotYet(", ".join(f"{each['metadata']['name']} ({_stuck(each)})" for each in left))

    until("the stories' namespaces are gone", look, GONE_SECONDS, pause=1)


def _stuck(namespace: Object) -> str:
    """Say why a namespace is still there."""
    conditions = namespace.get("status", {}).get("conditions", [])
    return "; ".join(each["message"] for each in conditions if each["status"] == "True") or "being deleted"
