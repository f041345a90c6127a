"""Descriptions are read strictly: what is wrong is named with its file, its key and the cure."""

import pytest

from serinus_airgap.description import Recipe, describe
from serinus_airgap.description import load as load_images
from serinus_airgap.reading import DescriptionError, expand, read

PINS = {"KIND": "v0.33.0", "SUITE": "bookworm", "KIND_MIN": "v0.30.0"}
WHERE = "airgap/images/node/image.yaml"


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("plain", "plain"),
        ("a/b:${KIND}", "a/b:v0.33.0"),
        ("${KIND_NUMBER}", "0.33.0"),
        ("${KIND_MAJOR}.${KIND_MINOR}", "0.33"),
        ("${SUITE}-slim", "bookworm-slim"),
        # A pin of its own is not taken for a part of another one.
        ("${KIND_MIN}", "v0.30.0"),
    ],
)
def test_pins_are_filled_in(text: str, expanded: str):
    assert expand(text, PINS, WHERE) == expanded


@pytest.mark.parametrize("key", ["NONE", "SUITE_MAJOR", "KIND_PATCH"])
def test_an_unknown_pin_is_named_with_its_file(key: str):
    with pytest.raises(DescriptionError, match=rf"{WHERE}: \$\{{{key}\}} is no key of versions.env"):
        expand(f"a:${{{key}}}", PINS, WHERE)


def test_a_description_is_read_whole():
    text = (
        "# not ${READ}\nimage: k/node:${KIND}\ngo:\n  kubernetes: [kubelet]\n"
        "files: [airgap/agents]\nprepare: [./rootfs.sh, '${SUITE}']\n"
    )
    assert read(text, Recipe, PINS, WHERE) == Recipe(
        image="k/node:v0.33.0",
        go={"kubernetes": ["kubelet"]},
        files=["airgap/agents"],
        prepare=["./rootfs.sh", "bookworm"],
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image: a\nbse: b\n", "unknown field `bse`"),
        ("go: {}\n", "missing required field `image`"),
        ("image: [a]\n", "Expected `str`, got `array` - at `$.image`"),
        ("image: a\ngo: {kubernetes: kubelet}\n", "Expected `array`, got `str` - at `$.go[...]`"),
        ("image: a\nfiles: [1]\n", "Expected `str`, got `int` - at `$.files[0]`"),
        ("", "Expected `object`, got `null`"),
    ],
)
def test_a_wrong_description_names_file_key_and_the_known_keys(text: str, words: str):
    with pytest.raises(DescriptionError) as caught:
        read(text, Recipe, PINS, WHERE)
    message = str(caught.value)
    assert message.startswith(f"{WHERE}: ")
    assert words in message
    assert message.endswith("the keys are image, go, files, push, stories, prepare")


def test_what_is_no_yaml_is_named():
    with pytest.raises(DescriptionError, match=rf"{WHERE}: no YAML"):
        read("image: [", Recipe, PINS, WHERE)


def test_pins_that_a_dockerfile_declares_become_build_arguments(tmp_path):
    dockerfile = "ARG SUITE\nFROM scratch\nARG KIND=v1 OTHER\n"
    image = describe("a", tmp_path, "image: a\n", dockerfile, PINS)
    assert image.arguments == {"SUITE": "bookworm", "KIND": "v0.33.0"}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a/image.yaml": "image: x"}, r"airgap/images/a: Dockerfile missing; write it"),
        ({"a/Dockerfile": "FROM scratch"}, r"airgap/images/a: image.yaml missing; write it"),
        (
            {"a/image.yaml": "image: x", "b/image.yaml": "image: docker.io/library/x:latest"},
            r"airgap/images/b: docker.io/library/x:latest is also the image of a",
        ),
    ],
)
def test_a_folder_of_images_that_cannot_be_is_refused(tmp_path, files: dict[str, str], words: str):
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text + "\n")
        if len(files) > 1:
            (path.parent / "Dockerfile").write_text("FROM scratch\n")
    with pytest.raises(DescriptionError, match=f"^{words}$"):
        load_images(PINS, tmp_path)
