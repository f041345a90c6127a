"""The Tiltfile run by a Starlark interpreter; what it says to Tilt is recorded.

The functions take what Tilt's own take, by its API reference: an argument that Tilt does not know is refused.
"""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import starlark

MANUAL = "manual"
# Stands in for a program of the commands: writes its arguments down and answers nothing. In one write, as
# the programs of a pipe run at once.
RECORDER = '#!/bin/sh\nbetween=$(printf "\\037")\nline=$(basename "$0")\n'
RECORDER += 'for word in "$@"; do line=$line$between$word; done\nprintf "%s\\n" "$line" >> "$RECORD"\n'


@dataclass(frozen=True)
class Build:
    """An image that Tilt builds by a command."""

    ref: str
    command: str
    deps: list[str]


@dataclass(frozen=True)
class Deploy:
    """Objects that Tilt applies by a command."""

    name: str
    apply_cmd: str
    delete_cmd: str
    deps: list[str]
    image_deps: list[str]


@dataclass(frozen=True)
class Local:
    """A command on this machine."""

    name: str
    cmd: str
    serve_cmd: str
    links: list[str]
    auto_init: bool


@dataclass
class Tilt:
    """What a Tiltfile has said."""

    builds: dict[str, Build] = field(default_factory=dict)
    deploys: dict[str, Deploy] = field(default_factory=dict)
    locals: dict[str, Local] = field(default_factory=dict)
    needs: dict[str, list[str]] = field(default_factory=dict)
    contexts: list[str] = field(default_factory=list)

    def version_settings(self, check_updates: bool = True, constraint: str = "") -> None:
        assert constraint.startswith(">="), constraint

    def allow_k8s_contexts(self, contexts: str | list[str]) -> None:
        self.contexts += [contexts] if isinstance(contexts, str) else contexts

    def custom_build(
        self, ref: str, command: str, deps: list[str], disable_push: bool = False, tag: str = ""
    ) -> None:
        assert ref not in self.builds, f"{ref} is built twice"
        self.builds[ref] = Build(ref, command, deps)

    def k8s_custom_deploy(
        self,
        name: str,
        apply_cmd: str,
        delete_cmd: str,
        deps: list[str],
        image_deps: Sequence[str] = (),
        apply_dir: str = "",
    ) -> None:
        assert name not in self.deploys, f"{name} is deployed twice"
        self.deploys[name] = Deploy(name, apply_cmd, delete_cmd, deps, list(image_deps))

    def k8s_resource(
        self,
        workload: str,
        resource_deps: Sequence[str] = (),
        pod_readiness: str = "",
        labels: Sequence[str] = (),
    ) -> None:
        assert workload in self.deploys, f"k8s_resource of {workload!r}, which is not deployed"
        assert pod_readiness in ("", "ignore", "wait"), pod_readiness
        self.needs[workload] = list(resource_deps)

    def local_resource(
        self,
        name: str,
        cmd: str = "",
        deps: Sequence[str] = (),
        trigger_mode: str = "",
        resource_deps: Sequence[str] = (),
        auto_init: bool = True,
        serve_cmd: str = "",
        allow_parallel: bool = False,
        links: Sequence[str] = (),
        labels: Sequence[str] = (),
    ) -> None:
        assert name not in self.locals, f"{name} is a local resource twice"
        self.locals[name] = Local(name, cmd, serve_cmd, list(links), auto_init)
        self.needs[name] = list(resource_deps)


def run(text: str, name: str = "Tiltfile") -> Tilt:
    """Run a Tiltfile; raises StarlarkError with the place of what Tilt would refuse."""
    said = Tilt()
    module = starlark.Module()
    functions = ("version_settings", "allow_k8s_contexts", "custom_build", "k8s_custom_deploy")
    for function in (*functions, "k8s_resource", "local_resource"):
        module.add_callable(function, getattr(said, function))
    module["TRIGGER_MODE_MANUAL"] = MANUAL
    dialect = starlark.Dialect.standard()
    # As Tilt's own: loops at the top are allowed, f-strings and load of others' files are not used.
    dialect.enable_top_level_stmt = True
    dialect.enable_load = False
    starlark.eval(module, starlark.parse(name, text, dialect), starlark.Globals.standard())
    return said


def commands(shell: str, folder: Path, root: Path, images: list[str]) -> list[list[str]]:
    """Run a shell line as Tilt would, with recorders for programs, and return what was called with what."""
    names = ("helm", "kubectl", "serinus-cluster")
    for name in names:
        program = folder / name
        program.write_text(RECORDER)
        program.chmod(0o755)
    record = folder / "record"
    record.write_text("")
    line = shell.replace(".venv/bin/serinus-cluster", "serinus-cluster")
    found = {f"TILT_IMAGE_{i}": image for i, image in enumerate(images)}
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "RECORD": str(record), "EXPECTED_REF": "expected:ref", **found}
    subprocess.run(["sh", "-euc", line], cwd=root, env=environment, check=True, timeout=30)
    return [line.split("\037") for line in record.read_text().splitlines()]


def option(words: list[str], name: str) -> list[Any]:
    """Return the values of an option that may stand several times."""
    return [words[i + 1] for i, word in enumerate(words[:-1]) if word == name]
