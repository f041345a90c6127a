"""Which images have to be rebuilt, and why: pure, from what goes in and what the daemon holds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from serinus_airgap.description import Image
from serinus_airgap.fingerprint import Inputs, changed, digest, of_files, of_mapping
from serinus_airgap.groups import Group, tool_inputs
from serinus_airgap.reading import DescriptionError
from serinus_airgap.versions import ROOT

LABEL = "serinus.dev/inputs"
# Raised when the builder itself comes to make something else of the same inputs.
BUILDER = "2"


@dataclass(frozen=True)
class Verdict:
    """Whether one image is rebuilt."""

    name: str
    inputs: Inputs
    reason: str | None
    """Why it is rebuilt; None where it is as it should be."""


def own_inputs(image: Image, groups: Mapping[str, Group], toolchain: str) -> Inputs:
    """Return the digests of everything that goes into an image, other images apart.

    Reads the image's folder and the files that it names.

    Raises:
        DescriptionError: it names a file or a tool that is not there.
    """
    where = f"airgap/images/{image.name}/image.yaml"
    inputs = {"builder": BUILDER, "pins": of_mapping(dict(image.arguments))}
    # Where an image travels, and when it is made, is no part of it.
    inputs["image.yaml"] = digest(msgspec.json.encode(replace(image.recipe, push=True, stories=False)))
    inputs |= of_files(image.folder, leave_out=frozenset({"image.yaml"}))
    for path in image.recipe.files:
        if not (ROOT / path).exists():
            raise DescriptionError(f"{where}: files: {path} is not in the repository; mend the path")
        inputs |= {f"{path}/{name}": value for name, value in of_files(ROOT / path).items()}
    for group, tools in image.recipe.go.items():
        for tool in tools:
            if tool not in groups[group].declared.tools:
                known = ", ".join(groups[group].declared.tools)
                raise DescriptionError(f"{where}: go: {group} has no tool {tool!r}; it has {known}")
            for part, value in tool_inputs(groups[group], tool, toolchain).items():
                inputs[part if part == "Go" else f"{group}/{part}"] = value
    return inputs


def verdicts(
    needed: Mapping[str, list[str]],
    inputs_of: Callable[[str], Inputs],
    held: Mapping[str, Inputs],
) -> list[Verdict]:
    """Decide for each image, bases first, whether it is stale.

    Args:
        needed: the chosen images in building order, each with those that it stands on.
        inputs_of: what goes into an image, other images apart.
        held: what the daemon's images were built from, by name; empty where something else built one.
    """
    found: dict[str, Verdict] = {}
    for name, others in needed.items():
        # A base counts by what went into it, so that a rebuild from equal inputs makes nothing stale.
        inputs = inputs_of(name) | {f"image {other}": of_mapping(found[other].inputs) for other in others}
        found[name] = Verdict(name, inputs, changed(held.get(name), inputs))
    return list(found.values())
