"""The builder against a real Docker daemon and a real compiler, with images of a few bytes."""

import hashlib
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from serinus_airgap import groups, toolchain, versions
from serinus_airgap.build import build, push, survey
from serinus_airgap.compiling import command
from serinus_airgap.progress import Reporter
from serinus_airgap.running import BuildError

pytestmark = pytest.mark.cluster
PINS = versions.load()


@pytest.fixture
def images(tmp_path: Path) -> Iterator[Path]:
    """Three images: base, leaf on base, and other; dropped from the daemon at the end."""
    house = f"serinus-test-{uuid.uuid4().hex[:8]}"
    for name, base in (("base", "scratch"), ("leaf", f"{house}/base:1"), ("other", "scratch")):
        folder = tmp_path / "images" / name
        folder.mkdir(parents=True)
        (folder / "image.yaml").write_text(f"image: {house}/{name}:1\n")
        (folder / "Dockerfile").write_text(f"FROM {base}\nCOPY {name}.txt /{name}.txt\n")
        (folder / f"{name}.txt").write_text("1\n")
    yield tmp_path / "images"
    for name in ("leaf", "base", "other"):
        subprocess.run(
            ["docker", "image", "rm", f"{house}/{name}:1"], timeout=60, capture_output=True, check=False
        )


@pytest.fixture
def registry() -> Iterator[str]:
    """An empty registry on a free port, of the image that this room builds."""
    build(["registry"], PINS, reporter=Reporter(Console(quiet=True)))
    container = docker("run", "--detach", "--publish", "127.0.0.1::5000", PINS["REGISTRY_IMAGE"]).strip()
    try:
        address = docker("port", container, "5000").split()[0].replace("127.0.0.1", "localhost")
        deadline = time.monotonic() + 20
        while True:
            try:
                httpx.get(f"http://{address}/v2/", timeout=2, trust_env=False).raise_for_status()
                break
            except httpx.HTTPError:
                assert time.monotonic() < deadline, "the registry does not answer"
                time.sleep(0.2)
        yield address
    finally:
        docker("rm", "--force", "--volumes", container)


def docker(*words: str) -> str:
    return subprocess.run(["docker", *words], timeout=60, capture_output=True, text=True, check=True).stdout


def run(images: Path, names: list[str] | None = None) -> dict[str, bool]:
    """Build and return by name whether an image was rebuilt."""
    reporter = Reporter(Console(quiet=True))
    return {made.name: made.rebuilt for made in build(names, PINS, reporter=reporter, folder=images)}


def identity(images: Path, name: str) -> str:
    reference = (images / name / "image.yaml").read_text().split()[1]
    return docker("image", "inspect", "--format", "{{.Id}}", reference).strip()


def content(images: Path, name: str) -> str:
    """Return what the file of an image says; nothing in it could be run to ask."""
    container = docker("create", identity(images, name), "nothing").strip()
    try:
        docker("cp", f"{container}:/{name}.txt", str(images.parent / "copied.txt"))
    finally:
        docker("rm", container)
    return (images.parent / "copied.txt").read_text()


def test_only_what_changed_is_rebuilt(images: Path):
    # Given three images that were just built
    assert run(images) == {"base": True, "other": True, "leaf": True}
    # When nothing changes, then nothing is rebuilt
    assert run(images) == {"base": False, "other": False, "leaf": False}
    before = identity(images, "leaf")
    # When one file changes, then the dry list says why, and one image is rebuilt
    (images / "leaf" / "leaf.txt").write_text("2\n")
    reasons = {v.name: v.reason for v in survey(None, PINS, "go", images).verdicts.values()}
    assert reasons == {"base": None, "other": None, "leaf": "leaf.txt changed"}
    assert run(images) == {"base": False, "other": False, "leaf": True}
    # and the change of equal length is in it, and the image that lost its name is gone
    assert content(images, "leaf") == "2\n"
    with pytest.raises(subprocess.CalledProcessError):
        docker("image", "inspect", before)
    # When a base changes, then it is rebuilt with the image that stands on it
    (images / "base" / "base.txt").write_text("2\n")
    assert run(images) == {"base": True, "other": False, "leaf": True}
    # When one is named, then those it stands on are looked at, the others not
    assert run(images, ["leaf"]) == {"base": False, "leaf": False}


def test_a_registry_gets_only_what_it_does_not_hold(images: Path, registry: str):
    # Given built images, one of which no pod pulls
    with (images / "base" / "image.yaml").open("a") as description:
        description.write("push: false\n")
    quiet = Reporter(Console(quiet=True))
    built = build(None, PINS, reporter=quiet, folder=images)
    # When they are pushed, then the others travel, and a second time nothing does
    assert push(built, registry, reporter=quiet) == ["other", "leaf"]
    assert push(built, registry, reporter=quiet) == []
    # When one has changed, then it alone travels
    (images / "leaf" / "leaf.txt").write_text("2\n")
    assert push(build(None, PINS, reporter=quiet, folder=images), registry, reporter=quiet) == ["leaf"]


def test_a_failed_build_says_what_docker_said_and_is_tried_again(images: Path):
    # Given an image whose Dockerfile copies a file that is not there
    (images / "other" / "other.txt").rename(images / "other" / "elsewhere.txt")
    # When it is built, then the error has Docker's words and the log's place
    with pytest.raises(
        BuildError,
        match=r"(?s)building serinus-test-\w+/other:1 failed.*other\.txt.*all of it: \S+other\.log",
    ):
        run(images, ["other"])
    # When it is mended, then it is built
    (images / "other" / "elsewhere.txt").rename(images / "other" / "other.txt")
    assert run(images, ["other"]) == {"other": True}


def test_the_same_input_gives_the_same_binary(tmp_path: Path):
    # Given the smallest of our Go tools
    go = toolchain.find(PINS)
    digests = set()
    for copy in ("one", "two"):
        # When it is compiled in two places with nothing cached
        source = tmp_path / copy / "source"
        source.mkdir(parents=True)
        for file in (groups.GROUPS / "pause").iterdir():
            (source / file.name).write_bytes(file.read_bytes())
        group = groups.load("pause", PINS)
        target = tmp_path / copy / "pause"
        environment = {
            **toolchain.ENVIRONMENT,
            "GOCACHE": str(tmp_path / copy / "cache"),
            "PATH": "/usr/bin:/bin",
        }
        words = command(go.program, group, "pause", target, 2)
        subprocess.run(words, cwd=source, env={**environment, "HOME": str(tmp_path)}, timeout=240, check=True)
        digests.add(hashlib.sha256(target.read_bytes()).hexdigest())
    # Then both are the same to the byte
    assert len(digests) == 1
