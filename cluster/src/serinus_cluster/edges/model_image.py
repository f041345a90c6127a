"""Build the model server's image where it is missing."""

import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from serinus_airgap import buildkit
from serinus_cluster.edges import docker
from serinus_cluster.edges.shell import run
from serinus_cluster.model_image import command, read_inputs, reference


def wanted(root: Path, pins: Mapping[str, str]) -> str:
    """Return the name of the image that the sources make."""
    return reference(version("serinus-cluster"), pins["PYTHON_IMAGE"], read_inputs(root))


def ensure(root: Path, pins: Mapping[str, str], *, seconds: float) -> tuple[str, bool]:
    """Return the name of the image that the sources make, and whether it had to be built.

    Raises:
        CommandFailed: the build failed or did not end in time.
    """
    name = wanted(root, pins)
    if docker.image_id(name) is not None:
        return name, False
    secrets = buildkit.secrets(root / ".serinus" / "build", os.environ)
    words = command(buildkit.client(), root, name, pins["PYTHON_IMAGE"], secrets)
    run(words, seconds=seconds, environment={"DOCKER_BUILDKIT": "1"})
    return name, True


def push(name: str, *, seconds: float) -> None:
    """Push the image; layers that the registry holds do not travel again."""
    run(["docker", "push", "--quiet", name], seconds=seconds)
