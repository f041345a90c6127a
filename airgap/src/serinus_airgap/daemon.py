"""The Docker daemon, through the docker client: which images it holds, building one, pushing one."""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from serinus_airgap import buildkit
from serinus_airgap.description import canonical
from serinus_airgap.fingerprint import Inputs
from serinus_airgap.planning import LABEL
from serinus_airgap.running import BuildError, run

BUILD_DEADLINE = 1800
PUSH_DEADLINE = 600
NAMES = "{{.Repository}}:{{.Tag}}"
MANIFESTS = ", ".join(
    f"application/vnd.{kind}+json" for kind in ("docker.distribution.manifest.v2", "oci.image.manifest.v1")
)


@dataclass(frozen=True)
class Held:
    """An image as the daemon holds it."""

    identity: str
    size: int
    """Bytes of all its layers, unpacked."""
    inputs: Inputs
    """What it was built from; empty where something else built it."""


def held(references: Iterable[str]) -> dict[str, Held]:
    """Return the images that the daemon holds, by reference.

    Raises:
        BuildError: the daemon does not answer.
    """
    try:
        listing = run(["docker", "image", "ls", "--format", NAMES], "asking Docker", seconds=60)
    except BuildError as problem:
        raise BuildError(f"{problem}\n  airgap/docker/setup.sh gives this machine a Docker daemon") from None
    there = {canonical(line) for line in listing.split()}
    known = [reference for reference in references if canonical(reference) in there]
    if not known:
        return {}
    facts = json.loads(run(["docker", "image", "inspect", *known], "asking Docker", seconds=60))
    return {reference: _held(fact) for reference, fact in zip(known, facts, strict=True)}


def _held(fact: Mapping[str, object]) -> Held:
    config = fact.get("Config")
    labels = config.get("Labels") if isinstance(config, dict) else None
    label = (labels or {}).get(LABEL)
    return Held(str(fact["Id"]), int(str(fact["Size"])), json.loads(label) if label else {})


def build(context: Path, reference: str, inputs: Inputs, arguments: Mapping[str, str], log: Path) -> Held:
    """Build a context under a reference and return the image.

    Raises:
        BuildError: the build failed; its words are in the log.
    """
    with tempfile.TemporaryDirectory(prefix="serinus-secrets-") as folder:
        secrets = buildkit.secrets(Path(folder), os.environ)
        words = buildkit.command(context, reference, secrets)
        words[-1:-1] = ["--label", f"{LABEL}={json.dumps(inputs, sort_keys=True)}"]
        for key, value in arguments.items():
            words[-1:-1] = ["--build-arg", f"{key}={value}"]
        run(
            words,
            f"building {reference}",
            seconds=BUILD_DEADLINE,
            log=log,
            environment={"DOCKER_BUILDKIT": "1"},
        )
    return held([reference])[reference]


def drop(identity: str) -> None:
    """Remove an image that has lost its name to a newer one; one that a container still uses stays."""
    with contextlib.suppress(BuildError):
        run(["docker", "image", "rm", identity], "dropping the image before", seconds=60)


def local_name(reference: str, registry: str) -> str:
    """Return the name under which a registry of our own holds an upstream image: the same path and tag."""
    return f"{registry}/{canonical(reference).split('/', 1)[1]}"


def push(reference: str, registry: str) -> None:
    """Push an image into a registry.

    Raises:
        BuildError: the registry does not answer, or the push failed.
    """
    name = local_name(reference, registry)
    borrowed = name != canonical(reference)
    if borrowed:
        run(["docker", "tag", reference, name], f"naming {name}", seconds=60)
    run(["docker", "push", "--quiet", name], f"pushing {name}", seconds=PUSH_DEADLINE)
    if borrowed:
        run(["docker", "image", "rm", name], f"dropping the name {name}", seconds=60)


def is_pushed(reference: str, identity: str, registry: str) -> bool:
    """Tell whether a registry holds that very image.

    Raises:
        BuildError: the registry does not answer.
    """
    path = local_name(reference, registry).partition("/")[2]
    repository, _, tag = path.rpartition(":")
    address = f"http://{registry}/v2/{repository}/manifests/{tag}"
    try:
        answer = httpx.get(address, headers={"Accept": MANIFESTS}, timeout=10, trust_env=False)
    except httpx.HTTPError as problem:
        raise BuildError(
            f"the registry {registry} does not answer ({problem}); `make up` starts it"
        ) from None
    return answer.status_code == httpx.codes.OK and answer.json().get("config", {}).get("digest") == identity
