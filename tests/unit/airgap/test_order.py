"""What an image stands on is read from its Dockerfile; bases come first."""

from pathlib import Path

import pytest

from serinus_airgap.description import Image, Recipe, based_on, canonical
from serinus_airgap.order import chosen, needs, usual
from serinus_airgap.reading import DescriptionError


def image(name: str, dockerfile: str, **arguments: str) -> Image:
    return Image(name, Path(name), Recipe(image=f"docker.io/house/{name}:1"), dockerfile, arguments)


@pytest.mark.parametrize(
    ("reference", "full"),
    [
        ("debian", "docker.io/library/debian:latest"),
        ("debian:slim", "docker.io/library/debian:slim"),
        ("docker.io/debian:slim", "docker.io/library/debian:slim"),
        ("kserve/agent:v1", "docker.io/kserve/agent:v1"),
        ("registry.k8s.io/pause:3", "registry.k8s.io/pause:3"),
        ("localhost:5001/serinus/a", "localhost:5001/serinus/a:latest"),
        ("localhost/a:1", "localhost/a:1"),
        ("quay.io/a/b@sha256:00", "quay.io/a/b@sha256:00"),
    ],
)
def test_references_are_compared_in_full(reference: str, full: str):
    assert canonical(reference) == full


@pytest.mark.parametrize(
    ("dockerfile", "bases"),
    [
        ("FROM scratch\n", []),
        ("from debian:x\n", ["docker.io/library/debian:x"]),
        ("FROM --platform=linux/amd64 debian:x AS a\n", ["docker.io/library/debian:x"]),
        ("ARG SUITE\nFROM debian:${SUITE}-slim\n", ["docker.io/library/debian:book-slim"]),
        ("ARG SUITE\nFROM debian:$SUITE\n", ["docker.io/library/debian:book"]),
        ("# FROM nothing\nFROM a\nFROM b\n", ["docker.io/library/a:latest", "docker.io/library/b:latest"]),
    ],
)
def test_bases_are_read_from_the_dockerfile(dockerfile: str, bases: list[str]):
    assert based_on(dockerfile, {"SUITE": "book"}) == bases


def test_stages_of_the_same_file_are_no_bases():
    images = {
        "a": image("a", "FROM scratch\n"),
        "b": image("b", "FROM house/a:1 AS build\nFROM build\nFROM docker.io/house/a:1\n"),
    }
    assert needs(images) == {"a": [], "b": ["a"]}


def test_a_base_that_nothing_builds_is_named():
    with pytest.raises(
        DescriptionError, match=r"airgap/images/a/Dockerfile: FROM docker.io/library/alpine:3,"
    ):
        needs({"a": image("a", "FROM alpine:3\n")})


NEEDED = {"node": ["debian"], "debian": [], "python": ["debian"], "envoy": ["python", "debian"], "pause": []}


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (list(NEEDED), ["debian", "pause", "node", "python", "envoy"]),
        (["pause"], ["pause"]),
        (["envoy"], ["debian", "python", "envoy"]),
        (["node", "debian"], ["debian", "node"]),
        ([], []),
    ],
)
def test_named_images_bring_those_that_they_stand_on(names: list[str], order: list[str]):
    assert list(chosen(names, NEEDED)) == order


def test_what_stories_alone_need_is_built_when_it_is_named():
    recipe = Recipe(image="docker.io/house/s3:1", stories=True)
    images = {
        "a": image("a", "FROM scratch\n"),
        "s3": Image("s3", Path("s3"), recipe, "FROM docker.io/house/a:1\n", {}),
    }
    assert usual(images) == ["a"]
    assert list(chosen(["s3"], needs(images))) == ["a", "s3"]


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(
        DescriptionError, match="no image is called 'nod'; the images are debian, envoy, node"
    ):
        chosen(["nod"], NEEDED)


def test_a_circle_is_named():
    with pytest.raises(DescriptionError, match=r"images that need each other: (a -> b -> a|b -> a -> b)"):
        chosen(["a"], {"a": ["b"], "b": ["a"]})
