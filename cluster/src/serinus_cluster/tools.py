"""Are the user's kind, kubectl and helm new enough? Pure: what was found is passed in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

# How each tool is asked for its version; the answer may hold more words than the version.
VERSION_ARGUMENTS = {
    "kind": ("version",),
    "kubectl": ("version", "--client"),
    "helm": ("version", "--short"),
}
PINS = {"kind": "KIND", "kubectl": "KUBERNETES", "helm": "HELM"}
PAGES = {
    "kind": "https://kind.sigs.k8s.io/docs/user/quick-start/#installation",
    "kubectl": "https://kubernetes.io/docs/tasks/tools/",
    "helm": "https://helm.sh/docs/intro/install/",
}


class ToolsMissing(RuntimeError):
    """A tool is missing or too old, and nothing here may build it."""


@dataclass(frozen=True)
class Found:
    """A tool on this machine: where, and what it said when asked for its version."""

    path: Path
    words: str

    @property
    def version(self) -> Version | None:
        """The release it said; a suffix of the packager (`-dispatcher`) does not make it older."""
        release = re.search(r"\bv(\d+\.\d+\.\d+)", self.words)
        return Version(release[1]) if release else None


@dataclass(frozen=True)
class Verdict:
    """Whether a tool can be used as it is, and the sentence that says why."""

    name: str
    usable: bool
    words: str


def judge(name: str, found: Found | None, pins: Mapping[str, str]) -> Verdict:
    """Say whether the user's own tool is taken."""
    lowest = pins[f"{name.upper()}_MIN"]
    if found is None:
        return Verdict(name, False, f"not on PATH; {lowest} or newer is needed")
    if found.version is None:
        return Verdict(name, False, f"{found.path} does not tell its version")
    if found.version < Version(lowest.removeprefix("v")):
        return Verdict(name, False, f"{found.path} is {found.version}; {lowest} or newer is needed")
    return Verdict(name, True, f"{found.path} {found.version}")


def cure(verdicts: list[Verdict], pins: Mapping[str, str]) -> str:
    """Return what to do about every tool that cannot be used, one line each."""
    return "\n".join(
        f"{each.name}: {each.words}; install {pins[PINS[each.name]]}: {PAGES[each.name]}"
        for each in verdicts
        if not each.usable
    )
