"""Our own images: a name follows from the content, and nothing that goes into an image is forgotten."""

import re
from pathlib import Path

import pytest

from serinus_airgap import versions
from serinus_cluster.own_images import (
    IMAGES,
    OwnImage,
    command,
    moving,
    read_inputs,
    reference,
    references,
)

ROOT = Path(__file__).resolve().parents[3]
BY_NAME = {image.name: image for image in IMAGES}
SERVER = BY_NAME["model-server"]
EACH = pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
FILES = {"model-server/Dockerfile": b"FROM x", "model-server/src/a.py": b"a = 1\n"}
NAME = reference(SERVER, "1.2.3", "python:3.11", FILES)
INPUTS = {image.name: {"file": image.name.encode()} for image in IMAGES}


def text(image: OwnImage) -> str:
    return (ROOT / image.dockerfile).read_text()


def copied(image: OwnImage) -> set[str]:
    lines = re.findall(r"^COPY (?!--from)(.*)$", text(image), re.M)
    return {source for line in lines for source in line.split()[:-1]}


def test_the_name_holds_registry_version_and_content():
    assert re.fullmatch(r"localhost:5001/serinus/model-server:1\.2\.3-[0-9a-f]{12}", NAME)


def test_the_moving_tag_is_the_version_alone():
    assert moving(NAME) == "localhost:5001/serinus/model-server:1.2.3"


def test_equal_content_has_an_equal_name_whatever_the_order():
    assert reference(SERVER, "1.2.3", "python:3.11", dict(reversed(FILES.items()))) == NAME


@pytest.mark.parametrize(
    ("base", "files"),
    [
        pytest.param("python:3.12", FILES, id="another base"),
        pytest.param("python:3.11", FILES | {"model-server/src/a.py": b"a = 2\n"}, id="a changed file"),
        pytest.param("python:3.11", FILES | {"model-server/src/b.py": b""}, id="a new file"),
        pytest.param("python:3.11", {"model-server/src/a.py": b"a = 1\n"}, id="a file less"),
        pytest.param(
            "python:3.11",
            {"model-server/Dockerfile": b"FROM x", "model-server/src/b.py": b"a = 1\n"},
            id="a renamed file",
        ),
    ],
)
def test_other_content_has_another_name(base: str, files: dict[str, bytes]):
    assert reference(SERVER, "1.2.3", base, files) != NAME


def test_a_change_below_renames_what_stands_on_it_and_nothing_else():
    before = references("1", "python:3.11", INPUTS)
    after = references("1", "python:3.11", INPUTS | {"mlflow": {"file": b"another"}})
    assert {name for name in before if before[name] != after[name]} == {"mlflow", "jobs"}


def test_each_image_comes_after_what_it_stands_on():
    names = [image.name for image in IMAGES]
    for image in IMAGES:
        assert image.stands_on is None or names.index(image.stands_on) < names.index(image.name)


@EACH
def test_every_file_that_a_dockerfile_copies_counts(image: OwnImage):
    assert copied(image) | {".dockerignore", image.dockerfile} == set(image.inputs)


def test_what_counts_travels_to_the_daemon_and_nothing_else():
    let_through = re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text(), re.M)
    assert set(let_through) == set().union(*map(copied, IMAGES))


@EACH
def test_caches_are_no_content(image: OwnImage):
    names = read_inputs(ROOT, image)
    assert image.dockerfile in names
    assert "requirements.lock" in names
    assert not [name for name in names if "__pycache__" in name]


@EACH
def test_the_default_base_is_the_tables(image: OwnImage):
    default = re.search(r"^ARG PYTHON_IMAGE=(\S+)$", text(image), re.M)
    assert default
    assert default[1] == versions.load()["PYTHON_IMAGE"]


@EACH
def test_an_image_is_from_what_it_stands_on(image: OwnImage):
    stages = [name.upper() for name in re.findall(r" AS (\S+)$", text(image), re.M)]
    bases = {base for base in re.findall(r"^FROM \$\{(\w+)\}", text(image), re.M) if base not in stages}
    expected = {BY_NAME[image.stands_on].key} if image.stands_on else set()
    assert bases == {"PYTHON_IMAGE", *expected}


def test_the_command_builds_from_the_root_with_what_the_machine_needs():
    secrets = ["--secret", "id=ca.crt,src=/ca"]
    names = {"mlflow": "registry/mlflow:1-a", "jobs": "registry/jobs:1-b"}
    made = command("docker", Path("/repo"), BY_NAME["jobs"], names, "python:3.11", secrets)
    assert made == [
        *("docker", "build", "--network", "host", "--tag", "registry/jobs:1-b"),
        *("--file", "/repo/jobs/Dockerfile", "--build-arg", "PYTHON_IMAGE=python:3.11"),
        *("--build-arg", "MLFLOW_IMAGE=registry/mlflow:1-a"),
        *("--secret", "id=ca.crt,src=/ca", "/repo"),
    ]
