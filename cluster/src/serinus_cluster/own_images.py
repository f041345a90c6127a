"""Our own images: each one's name follows from what goes into it, so a tag never changes its content.

Unchanged sources need no build, and a changed line rolls the pods that run it.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

REGISTRY = "localhost:5001"
# What every one of them is made of, whatever its room.
_COMMON = (".dockerignore", "requirements.lock", "tools/install.py")

# The walk of forests, file by file: compiling it on this machine leaves more beside them.
_NATIVE = ("model-server/native/pyproject.toml", "model-server/native/serinus_forest.c")


@dataclass(frozen=True)
class OwnImage:
    """One image of ours."""

    name: str
    dockerfile: str
    room: tuple[str, ...] = ()
    """What its Dockerfile copies beside the lock, without the Dockerfile itself."""
    stands_on: str | None = None
    """Another image of ours that it is FROM, beside the Python base."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Everything of the repository that goes into it."""
        return (*_COMMON, self.dockerfile, *self.room)

    @property
    def key(self) -> str:
        """Under which name manifests and values know it: `MODEL_SERVER_IMAGE`."""
        return f"{self.name.replace('-', '_').upper()}_IMAGE"


def _room(folder: str) -> tuple[str, ...]:
    return ("contracts/pyproject.toml", "contracts/src", f"{folder}/pyproject.toml", f"{folder}/src")


# Each after what it stands on.
IMAGES = (
    OwnImage("model-server", "model-server/Dockerfile", (*_room("model-server"), *_NATIVE)),
    OwnImage("mlflow", "charts/mlflow/image/Dockerfile"),
    OwnImage("jobs", "jobs/Dockerfile", (*_room("jobs"), "feature_repo"), stands_on="mlflow"),
    OwnImage("operator", "operator/Dockerfile", _room("operator")),
)


def reference(image: OwnImage, version: str, base: str, inputs: Mapping[str, bytes]) -> str:
    """Return an image's name for the content of `inputs` by path, on `base` (the references it is FROM)."""
    digest = hashlib.sha256(base.encode())
    for path, content in sorted(inputs.items()):
        digest.update(f"\0{path}\0{len(content)}\0".encode())
        digest.update(content)
    return f"{REGISTRY}/serinus/{image.name}:{version}-{digest.hexdigest()[:12]}"


def references(version: str, python: str, inputs: Mapping[str, Mapping[str, bytes]]) -> dict[str, str]:
    """Return the name of each image, from the Python base and the inputs of each by the image's name."""
    found: dict[str, str] = {}
    for image in IMAGES:
        base = f"{python} {found[image.stands_on]}" if image.stands_on else python
        found[image.name] = reference(image, version, base, inputs[image.name])
    return found


def moving(name: str) -> str:
    """Return the tag that follows the newest build: what a manifest names that is applied by hand."""
    return name.rpartition("-")[0]


def read_inputs(root: Path, image: OwnImage) -> dict[str, bytes]:
    """Return the content of every file that goes into an image, by its path under `root`."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in _files(root, image)}


def command(
    docker: str, root: Path, image: OwnImage, names: Mapping[str, str], python: str, secrets: Sequence[str]
) -> list[str]:
    """Return the command that builds an image; run it with DOCKER_BUILDKIT=1.

    The host's network reaches the package index as the host does; `secrets` are its settings, `names` the
    images' references by name.
    """
    build = [docker, "build", "--network", "host", "--tag", names[image.name]]
    arguments = ["--build-arg", f"PYTHON_IMAGE={python}"]
    if image.stands_on:
        key = next(other.key for other in IMAGES if other.name == image.stands_on)
        arguments += ["--build-arg", f"{key}={names[image.stands_on]}"]
    return [*build, "--file", str(root / image.dockerfile), *arguments, *secrets, str(root)]


def _files(root: Path, image: OwnImage) -> Iterable[Path]:
    for name in image.inputs:
        path = root / name
        found = path.rglob("*") if path.is_dir() else [path]
        yield from (each for each in found if each.is_file() and "__pycache__" not in each.parts)
