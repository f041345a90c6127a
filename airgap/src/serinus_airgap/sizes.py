"""What images weigh, and the disk that a build from nothing takes."""

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from serinus_airgap import toolchain
from serinus_airgap.compiling import BINARIES
from serinus_airgap.running import run
from serinus_airgap.versions import ROOT

GB = 1_000_000_000
UNITS = {"B": 1, "kB": 1_000, "MB": 1_000_000, "GB": GB, "TB": 1_000 * GB}
# Measured after a build of everything from cold caches (linux/amd64, 2026-11-21), rounded up.
BUDGET = {
    "Go modules": 10 * GB,
    "Go build cache": 14 * GB,
    "binaries": 2 * GB,
    "Docker images": 3 * GB,
    "Docker build cache": 3 * GB,
}


@dataclass(frozen=True)
class Share:
    """One line of the disk budget, in bytes."""

    name: str
    used: int
    budget: int


def parse_size(text: str) -> int:
    """Read a size as Docker prints it, for example `1.79GB`.

    Raises:
        ValueError: it is none.
    """
    found = re.fullmatch(r"([\d.]+)\s*([kMGT]?B)", text)
    if not found:
        raise ValueError(f"not a size of Docker's: {text!r}")
    return round(float(found[1]) * UNITS[found[2]])


def parse_docker(printed: str) -> dict[str, int]:
    """Read `docker system df --format '{{json .}}'`: bytes of images and of the build cache."""
    sizes = {fact["Type"]: parse_size(fact["Size"]) for fact in map(json.loads, printed.splitlines())}
    return {"Docker images": sizes["Images"], "Docker build cache": sizes["Build Cache"]}


def shares(used: Mapping[str, int]) -> list[Share]:
    """Set what is used beside what a build from nothing takes."""
    return [Share(name, used.get(name, 0), budget) for name, budget in BUDGET.items()]


def still_needed(lines: list[Share]) -> int:
    """Return the bytes that a build would still write."""
    return sum(max(0, line.budget - line.used) for line in lines)


def measure(pins: Mapping[str, str]) -> dict[str, int]:
    """Return the bytes used by each share of the budget.

    Raises:
        BuildError: the daemon does not answer.
    """
    used = parse_docker(
        run(["docker", "system", "df", "--format", "{{json .}}"], "asking Docker", seconds=120)
    )
    used["binaries"] = _below(BINARIES)
    if go := toolchain.installed(pins):
        places = run([str(go.program), "env", "GOMODCACHE", "GOCACHE"], "asking Go", seconds=30).splitlines()
        used |= {
            name: _below(Path(place))
            for name, place in zip(("Go modules", "Go build cache"), places, strict=True)
        }
    return used


def free() -> int:
    """Return the free bytes where the repository lies."""
    return shutil.disk_usage(ROOT).free


def _below(place: Path) -> int:
    if not place.is_dir():
        return 0
    return int(run(["du", "-sk", str(place)], f"measuring {place}", seconds=300).split()[0]) * 1024
