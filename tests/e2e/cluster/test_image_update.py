"""Story: a changed image reaches a pod through the local registry, without `kind load`."""

import subprocess
from collections.abc import Iterator

import pytest
from tests.support.cluster import Cluster, Namespace, NotYet, until
from tests.support.cluster_models import Model
from tests.support.cluster_pods import server_image

pytestmark = pytest.mark.cluster

REPOSITORY = "localhost:5001/serinus/model-server"


def docker(*words: str, stdin: str | None = None) -> str:
    """Run docker and return what it said; a failure shows its words."""
    done = subprocess.run(["docker", *words], input=stdin, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"docker {' '.join(words)}: {done.stderr[-2000:]}"
    return done.stdout.strip()


@pytest.fixture
def changed_image(cluster: Cluster, namespace: Namespace) -> Iterator[tuple[str, str]]:
    """The server's image with one thing changed, pushed under a tag of its own: (reference, version)."""
    version = namespace.name
    reference = f"{REPOSITORY}:{version}"
    dockerfile = f"FROM {server_image(cluster)}\nENV SERINUS_MODEL_VERSION={version}\n"
    docker("build", "--tag", reference, "-", stdin=dockerfile)
    docker("push", reference)
    yield reference, version
    docker("image", "rm", reference)


def test_a_pushed_image_reaches_the_pod(namespace: Namespace, changed_image: tuple[str, str]):
    reference, version = changed_image
    # Given a model that answers with the image of `make up`
    model = Model(namespace).write_artifact()
    model.apply()
    model.answers()
    assert model.version() != version
    # When the InferenceService names the image that was just pushed
    model.service["spec"]["predictor"]["model"]["image"] = reference
    namespace.apply(model.service)

    # Then the pod rolls, and what answers is the new one
    def look() -> None:
        if (seen := model.version()) != version:
            raise NotYet(f"version {seen}")

    until("the new image answers", look, 90)
    # And the node has it from the registry, by the digest under which it was pushed
    pushed = docker("image", "inspect", "--format", '{{join .RepoDigests " "}}', reference)
    digest = next(each.partition("@")[2] for each in pushed.split() if each.startswith(REPOSITORY))
    images = [
        status["imageID"]
        for pod in namespace.pods("serving.kserve.io/inferenceservice=iris")
        for status in pod["status"].get("containerStatuses", [])
        if status["image"] == reference
    ]
    assert images
    assert all(image.endswith(digest) for image in images), (images, digest)
