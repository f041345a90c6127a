"""The model server's image: its name follows from its content, and nothing that goes into it is forgotten."""

import re
from pathlib import Path

import pytest

from serinus_airgap import versions
from serinus_cluster.model_image import DOCKERFILE, INPUTS, command, read_inputs, reference

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / DOCKERFILE).read_text()
FILES = {"model-server/Dockerfile": b"FROM x", "model-server/src/a.py": b"a = 1\n"}
NAME = reference("1.2.3", "python:3.11", FILES)


def test_the_name_holds_registry_version_and_content():
    assert re.fullmatch(r"localhost:5001/serinus/model-server:1\.2\.3-[0-9a-f]{12}", NAME)


def test_equal_content_has_an_equal_name_whatever_the_order():
    assert reference("1.2.3", "python:3.11", dict(reversed(FILES.items()))) == NAME


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
    assert reference("1.2.3", base, files) != NAME


def test_every_file_that_the_dockerfile_copies_counts_and_travels():
    copied = {
        source for line in re.findall(r"^COPY (?!--from)(.*)$", TEXT, re.M) for source in line.split()[:-1]
    }
    assert copied | {".dockerignore", DOCKERFILE} == set(INPUTS)
    let_through = re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text(), re.M)
    assert set(let_through) == copied


def test_caches_are_no_content():
    names = read_inputs(ROOT)
    assert "model-server/src/serinus_server/__main__.py" in names
    assert "contracts/src/serinus_contracts/artifact.py" in names
    assert not [name for name in names if "__pycache__" in name]


def test_the_default_base_is_the_tables():
    default = re.search(r"^ARG PYTHON_IMAGE=(\S+)$", TEXT, re.M)
    assert default
    assert default[1] == versions.load()["PYTHON_IMAGE"]


def test_the_command_builds_from_the_root_with_what_the_machine_needs():
    made = command("docker", Path("/repo"), NAME, "python:3.11", ["--secret", "id=ca.crt,src=/ca"])
    assert made == [
        *("docker", "build", "--network", "host", "--tag", NAME),
        *("--file", "/repo/model-server/Dockerfile", "--build-arg", "PYTHON_IMAGE=python:3.11"),
        *("--secret", "id=ca.crt,src=/ca", "/repo"),
    ]
