"""Go tools by group: `airgap/go/<group>` holds a go.mod, its go.sum and tools.yaml."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from serinus_airgap.fingerprint import Inputs, digest, of_mapping
from serinus_airgap.reading import DescriptionError, read
from serinus_airgap.versions import ROOT

GROUPS = ROOT / "airgap" / "go"
REQUIRED = re.compile(r"^\s*(?:require\s+)?(?P<module>[\w./~-]+) (?P<version>v\S+)", re.MULTILINE)
REPLACED = re.compile(r"^\s*(?:replace\s+)?(?P<module>\S+)(?: v\S+)? => \S+ (?P<version>v\S+)", re.MULTILINE)


class Declared(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The keys of tools.yaml, pins filled in."""

    tools: dict[str, str] = {}
    """The package of each tool by the tool's name."""
    modules: dict[str, str] = {}
    """Versions that go.mod has to hold: the tie between go.mod and versions.env."""
    variables: dict[str, str] = {}
    """Values that the linker writes into Go variables, as upstream's own release does."""
    tags: list[str] = []
    """Build tags: what upstream lets a builder leave out."""


@dataclass(frozen=True)
class Group:
    """One Go module of ours and what is built from it."""

    name: str
    folder: Path
    declared: Declared
    inputs: Inputs
    """Digests of go.mod, go.sum and Go files of our own."""


def versions_in(go_mod: str) -> dict[str, str]:
    """Return the version of each module that a go.mod names; a replacement counts more than a requirement."""
    text = re.sub(r"//.*", "", go_mod)
    found = {match["module"]: match["version"] for match in REQUIRED.finditer(text)}
    return found | {match["module"]: match["version"] for match in REPLACED.finditer(text)}


def check_versions(group: str, declared: Mapping[str, str], go_mod: str) -> None:
    """Compare a go.mod with the pins that tools.yaml ties it to.

    Raises:
        DescriptionError: a version differs; the message has the commands that mend it.
    """
    held = versions_in(go_mod)
    for module, version in declared.items():
        if held.get(module) != version:
            raise DescriptionError(
                f"airgap/go/{group}/go.mod has {module} {held.get(module, 'not at all')}, versions.env says "
                f"{version}; run there: go get {module}@{version} && go mod tidy"
            )


def tool_inputs(group: Group, tool: str, toolchain: str) -> Inputs:
    """Return everything that a tool's binary is made of."""
    package = group.declared.tools[tool]
    recipe = of_mapping(
        {"package": package, "variables": group.declared.variables}
        | ({"tags": group.declared.tags} if group.declared.tags else {})
    )
    return {"Go": toolchain, tool: recipe, **group.inputs}


def load(name: str, pins: Mapping[str, str], folder: Path = GROUPS) -> Group:
    """Return a group by its name.

    Raises:
        DescriptionError: no such group, or see `reading.read` and `check_versions`.
    """
    place = folder / name
    for file in ("go.mod", "tools.yaml"):
        if not (place / file).is_file():
            raise DescriptionError(f"airgap/go/{name}/{file} is missing; write it, or mend the group's name")
    declared = read((place / "tools.yaml").read_text(), Declared, pins, f"airgap/go/{name}/tools.yaml")
    check_versions(name, declared.modules, (place / "go.mod").read_text())
    sources = [
        path for path in sorted(place.iterdir()) if path.name in ("go.mod", "go.sum") or path.suffix == ".go"
    ]
    return Group(name, place, declared, {path.name: digest(path.read_bytes()) for path in sources})
