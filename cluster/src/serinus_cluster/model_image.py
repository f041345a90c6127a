"""The model server's image: its name follows from what goes into it, so a tag never changes its content.

Unchanged sources need no build, and a changed line rolls the pods that run it.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

REPOSITORY = "localhost:5001/serinus/model-server"
DOCKERFILE = "model-server/Dockerfile"
# What the Dockerfile copies, and itself.
INPUTS = (
    ".dockerignore",
    "requirements.lock",
    "contracts/pyproject.toml",
    "contracts/src",
    DOCKERFILE,
    "model-server/install_locked.py",
    "model-server/pyproject.toml",
    "model-server/src",
)


def reference(version: str, base: str, inputs: Mapping[str, bytes]) -> str:
    """Return the image's name for the content of `inputs` by path, on `base`."""
    digest = hashlib.sha256(base.encode())
    for path, content in sorted(inputs.items()):
        digest.update(f"\0{path}\0{len(content)}\0".encode())
        digest.update(content)
    return f"{REPOSITORY}:{version}-{digest.hexdigest()[:12]}"


def read_inputs(root: Path) -> dict[str, bytes]:
    """Return the content of every file that goes into the image, by its path under `root`."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in _files(root)}


def command(docker: str, root: Path, name: str, base: str, secrets: Sequence[str]) -> list[str]:
    """Return the command that builds the image; run it with DOCKER_BUILDKIT=1.

    The host's network reaches the package index as the host does; `secrets` are its settings.
    """
    build = [docker, "build", "--network", "host", "--tag", name, "--file", str(root / DOCKERFILE)]
    return [*build, "--build-arg", f"PYTHON_IMAGE={base}", *secrets, str(root)]


def _files(root: Path) -> Iterable[Path]:
    for name in INPUTS:
        path = root / name
        found = path.rglob("*") if path.is_dir() else [path]
        yield from (each for each in found if each.is_file() and "__pycache__" not in each.parts)
