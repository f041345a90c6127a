"""What the Dockerfiles share, run while an image is built: what the lock pins, and our own rooms above it.

    python install.py locked /app REQUIREMENT...    # into this environment, made where it is not there
    python install.py compiled /app [PREFIX]        # nothing can be written where it runs
    python install.py rooms /app ROOM...            # under /own: a changed line of ours is a small layer

A requirement is a name or a pyproject.toml, whose dependencies count without the rooms of this repository.
Rooms are built by what `locked /tools` has brought. pip takes no constraints with hashes, and the lock holds
far more than one image needs: so requirements are resolved under the lock's versions, and what was resolved
is installed from the lock's lines alone.
"""

import compileall
import json
import os
import py_compile
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections.abc import Iterable
from pathlib import Path

LOCK, TOOLS, WHEELS, OWN = (Path(name) for name in ("requirements.lock", "/tools", "/wheels", "/own"))
# Advice for people, who do not read it here.
QUIET = {
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_ROOT_USER_ACTION": "ignore",
    "PIP_NO_WARN_SCRIPT_LOCATION": "1",
}


def versions(lock: str) -> str:
    """Return the lock without its hashes: what pip takes as constraints."""
    return re.sub(r" *\\\n +--hash=\S+", "", lock)


def select(lock: str, names: set[str]) -> str:
    """Return the blocks of `lock` (a name, a version, hashes) whose name is in `names`.

    Raises ValueError when a name is not in the lock.
    """
    blocks = re.findall(r"^\S.*(?:\n[ \t].*)*", lock, re.M)
    chosen = [block for block in blocks if block.partition("==")[0] in names]
    if absent := names - {block.partition("==")[0] for block in chosen}:
        raise ValueError(f"not in the lock: {', '.join(sorted(absent))}; run make lock")
    return "\n".join(chosen) + "\n"


def names_in(report: str) -> set[str]:
    """Return the normalised names in an installation report of pip."""
    items = json.loads(report)["install"]
    return {re.sub(r"[-_.]+", "-", item["metadata"]["name"]).lower() for item in items}


def requirements(given: Iterable[str]) -> list[str]:
    """Return the requirements; a pyproject.toml stands for its dependencies, without this project's rooms."""
    wanted: list[str] = []
    for each in given:
        if each.endswith(".toml"):
            listed = tomllib.loads(Path(each).read_text())["project"]["dependencies"]
            wanted += [requirement for requirement in listed if not requirement.startswith("serinus-")]
        else:
            wanted.append(each)
    return wanted


def locked(environment: Path, *given: str) -> None:
    """Resolve, select, install."""
    if not environment.exists():
        venv.create(environment, symlinks=True)
    lock = LOCK.read_text()
    with tempfile.TemporaryDirectory() as scratch:
        constraints, report, selected = (Path(scratch) / name for name in ("versions", "report", "selected"))
        constraints.write_text(versions(lock))
        limits = ("--dry-run", "--report", report, "--constraint", constraints)
        _pip(environment, "install", "--no-compile", *limits, *requirements(given))
        selected.write_text(select(lock, names_in(report.read_text())))
        _pip(
            environment, "install", "--no-compile", "--no-deps", "--require-hashes", "--requirement", selected
        )


def compiled(environment: Path, prefix: Path | None = None) -> None:
    """Write byte code that is never compared with its source; `prefix` is not there where it runs."""
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    library = environment / "lib"
    if not compileall.compile_dir(library, quiet=1, workers=0, invalidation_mode=mode, stripdir=prefix):
        raise ValueError(f"not everything below {library} could be compiled")


def rooms(
    environment: Path, *folders: str, tools: Path = TOOLS, wheels: Path = WHEELS, own: Path = OWN
) -> None:
    """Build packages of this repository and install them for `environment`, below `own`."""
    sources = [f"./{folder}" for folder in folders]
    _pip(tools, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, *sources)
    built = sorted(wheels.glob("*.whl"))
    _pip(environment, "install", "--no-compile", "--no-deps", "--no-index", "--root", own, *built)
    compiled(own / environment.relative_to("/"), own)


def _pip(environment: Path, verb: str, *words: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "--python", environment / "bin/python", verb, "--quiet", *words]
    subprocess.run(command, check=True, env={**QUIET, **os.environ})  # noqa: S603 - the Dockerfiles' words


def main(verb: str, environment: str, *words: str) -> None:
    """Do what a line of a Dockerfile says."""
    if verb == "compiled":
        compiled(Path(environment), *map(Path, words))
    else:
        {"locked": locked, "rooms": rooms}[verb](Path(environment), *words)


if __name__ == "__main__":
    main(*sys.argv[1:])
