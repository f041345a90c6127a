"""What an image is made of: `airgap/images/<name>/image.yaml` beside its Dockerfile."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from serinus_airgap.reading import DescriptionError, read
from serinus_airgap.versions import ROOT

IMAGES = ROOT / "airgap" / "images"
FROM = re.compile(r"^FROM\s+(?:--\S+\s+)*(\S+)", re.IGNORECASE | re.MULTILINE)
ARG = re.compile(r"^ARG\s+(.+)$", re.IGNORECASE | re.MULTILINE)


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The keys of image.yaml, pins filled in."""

    image: str
    """The upstream name and tag that manifests and charts use."""
    go: dict[str, list[str]] = {}
    """Go tools by group (`airgap/go/<group>`); each lies at bin/<tool> in the build's context."""
    files: list[str] = []
    """Files and folders of the repository that the context holds under the same path."""
    push: bool = True
    """Whether the cluster pulls it: a base, the node and the registry are Docker's alone."""
    stories: bool = False
    """Whether stories alone need it: then it is built when it is named, and not with all."""
    prepare: list[str] = []
    """A command run in the context before the build, for what no Dockerfile can do."""


@dataclass(frozen=True)
class Image:
    """One image to build."""

    name: str
    folder: Path
    recipe: Recipe
    dockerfile: str
    arguments: Mapping[str, str]
    """Pins that the Dockerfile declares as ARG."""


def canonical(reference: str) -> str:
    """Return a reference in full: `debian:x` is `docker.io/library/debian:x`, no tag is `latest`."""
    host, slash, rest = reference.partition("/")
    if not slash:
        reference = f"docker.io/library/{reference}"
    elif not ("." in host or ":" in host or host == "localhost"):
        reference = f"docker.io/{reference}"
    elif host == "docker.io" and "/" not in rest:
        reference = f"docker.io/library/{rest}"
    return reference if ":" in reference.rpartition("/")[2] or "@" in reference else f"{reference}:latest"


def based_on(dockerfile: str, arguments: Mapping[str, str]) -> list[str]:
    """Return the canonical references that a Dockerfile is FROM, its ARGs filled in."""
    names = FROM.findall(dockerfile)
    for key, value in arguments.items():
        names = [re.sub(rf"\$\{{?{key}\b\}}?", value, name) for name in names]
    return [canonical(name) for name in names if name != "scratch"]


def describe(name: str, folder: Path, text: str, dockerfile: str, pins: Mapping[str, str]) -> Image:
    """Return an image from the texts of its two files.

    Raises:
        DescriptionError: see `reading.read`.
    """
    recipe = read(text, Recipe, pins, f"airgap/images/{name}/image.yaml")
    declared = [word.partition("=")[0] for line in ARG.findall(dockerfile) for word in line.split()]
    arguments = {key: pins[key] for key in declared if key in pins}
    return Image(name, folder, recipe, dockerfile, arguments)


def load(pins: Mapping[str, str], folder: Path = IMAGES) -> dict[str, Image]:
    """Return every image of a folder by its name.

    Raises:
        DescriptionError: an image has no Dockerfile or image.yaml, or two have one reference.
    """
    images: dict[str, Image] = {}
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        texts = [place / "image.yaml", place / "Dockerfile"]
        if missing := [text.name for text in texts if not text.is_file()]:
            raise DescriptionError(f"airgap/images/{place.name}: {' and '.join(missing)} missing; write it")
        recipe, dockerfile = (text.read_text() for text in texts)
        images[place.name] = describe(place.name, place, recipe, dockerfile, pins)
    owners: dict[str, str] = {}
    for name, image in images.items():
        if (other := owners.setdefault(canonical(image.recipe.image), name)) != name:
            raise DescriptionError(f"airgap/images/{name}: {image.recipe.image} is also the image of {other}")
    return images
