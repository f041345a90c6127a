"""Install requirements into an environment from the lock's own lines, hashes included.

pip takes no constraints with hashes, and the lock holds far more than this room needs. So the requirements
are resolved under the lock's versions first, and what was resolved is installed from the lock's lines alone.

    python install_locked.py requirements.lock /app/bin/python REQUIREMENT...

A requirement is a name or a pyproject.toml, whose dependencies count without the rooms of this repository.
"""

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path


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


def main(lock_file: str, python: str, *given: str) -> None:
    """Resolve, select, install."""
    lock = Path(lock_file).read_text()
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-compile"]
    with tempfile.TemporaryDirectory() as scratch:
        constraints, report, selected = (Path(scratch) / name for name in ("versions", "report", "selected"))
        constraints.write_text(versions(lock))
        wanted = requirements(given)
        resolve = ["--dry-run", "--report", report, "--constraint", constraints, *wanted]
        subprocess.run([*pip, *resolve], check=True)  # noqa: S603 - pip, with the Dockerfile's own words
        selected.write_text(select(lock, names_in(report.read_text())))
        exactly = ["--no-deps", "--require-hashes", "--requirement", selected]
        subprocess.run([*pip, *exactly], check=True)  # noqa: S603 - as above


if __name__ == "__main__":
    main(*sys.argv[1:])
