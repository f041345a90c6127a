"""Build and push our own images where they are missing."""

import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import httpx

from serinus_airgap import buildkit
from serinus_cluster.edges import docker
from serinus_cluster.edges.shell import run
from serinus_cluster.own_images import IMAGES, OwnImage, command, read_inputs, references

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def wanted(root: Path, pins: Mapping[str, str]) -> dict[str, str]:
    """Return the names of the images that the sources make, by image."""
    inputs = {image.name: read_inputs(root, image) for image in IMAGES}
    return references(version("serinus-cluster"), pins["PYTHON_IMAGE"], inputs)


def ensure(
    root: Path, pins: Mapping[str, str], image: OwnImage, names: Mapping[str, str], *, seconds: float
) -> bool:
    """Build an image that Docker does not have; return whether it had to be.

    Raises:
        CommandFailed: the build failed or did not end in time.
    """
    if docker.image_id(names[image.name]) is not None:
        return False
    secrets = buildkit.secrets(root / ".serinus" / "build" / image.name, os.environ)
    words = command(buildkit.client(), root, image, names, pins["PYTHON_IMAGE"], secrets)
    run(words, seconds=seconds, environment={"DOCKER_BUILDKIT": "1"})
    return True


def push(name: str, also: str, *, seconds: float) -> None:
    """Push an image under both tags; layers that the registry holds do not travel again."""
    run(["docker", "tag", name, also], seconds=30)
    for tag in (name, also):
        run(["docker", "push", "--quiet", tag], seconds=seconds)


def held(name: str) -> str | None:
    """Return the digest of what the registry holds under a name; None where it has none or is silent."""
    registry, _, path = name.partition("/")
    repository, _, tag = path.rpartition(":")
    url = f"http://{registry.replace('localhost', '127.0.0.1')}/v2/{repository}/manifests/{tag}"
    try:
        answer = httpx.head(url, headers={"Accept": _MANIFEST}, timeout=5, trust_env=False)
    except httpx.HTTPError:
        return None
    return answer.headers.get("Docker-Content-Digest") if answer.is_success else None
