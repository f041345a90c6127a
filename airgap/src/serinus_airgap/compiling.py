"""Compiling one Go tool, unless the binary that lies there was made of the same things."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from serinus_airgap.fingerprint import Inputs, changed
from serinus_airgap.groups import Group, tool_inputs
from serinus_airgap.running import run
from serinus_airgap.toolchain import ENVIRONMENT, Go
from serinus_airgap.versions import ROOT

BINARIES = ROOT / ".serinus" / "airgap" / "bin"
DEADLINE = 3600
# The compiler itself keeps every core busy: two at a time would only need more memory.
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Compiled:
    """A static binary."""

    path: Path
    seconds: float
    """Time of the compiler alone; 0 where nothing had to be compiled."""


def linker_flags(variables: Mapping[str, str]) -> str:
    """Return the value of -ldflags: no debug tables, and the variables that upstream's release sets."""
    return " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in variables.items())])


def command(go: Path, group: Group, tool: str, output: Path, workers: int) -> list[str]:
    """Return the command that compiles a tool; the same inputs give the same bytes."""
    flags = [
        "-trimpath",
        "-buildvcs=false",
        "-p",
        str(workers),
        "-ldflags",
        linker_flags(group.declared.variables),
        *(["-tags", ",".join(group.declared.tags)] if group.declared.tags else []),
    ]
    return [str(go), "build", *flags, "-o", str(output), group.declared.tools[tool]]


def is_built(group: Group, tool: str, toolchain: str) -> bool:
    """Tell whether the binary is there and was made of what is there now."""
    return (
        _binary(group, tool).is_file()
        and changed(_made_of(group, tool), tool_inputs(group, tool, toolchain)) is None
    )


def compile_tool(
    group: Group, tool: str, go: Go, workers: int, *, begun: Callable[[], None] = lambda: None
) -> Compiled:
    """Return a tool's static binary, compiled where it has to be.

    Args:
        group: its group.
        tool: a key of the group's tools.
        go: the toolchain.
        workers: how many compilers run at once.
        begun: called when the compiler starts, which may be after a wait for another tool.

    Raises:
        BuildError: it does not compile, or a module cannot be had or fails its checksum.
    """
    binary = _binary(group, tool)
    with _ONE_AT_A_TIME:
        if is_built(group, tool, go.version):
            return Compiled(binary, 0.0)
        begun()
        started = time.monotonic()
        binary.parent.mkdir(parents=True, exist_ok=True)
        _note(group, tool).unlink(missing_ok=True)
        run(
            command(go.program, group, tool, binary, workers),
            f"compiling {tool} (airgap/go/{group.name})",
            seconds=DEADLINE,
            folder=group.folder,
            environment=ENVIRONMENT,
        )
        _note(group, tool).write_text(json.dumps(tool_inputs(group, tool, go.version)))
        return Compiled(binary, time.monotonic() - started)


def _binary(group: Group, tool: str) -> Path:
    return BINARIES / group.name / tool


def _note(group: Group, tool: str) -> Path:
    """Beside the binary: what it was made of."""
    return BINARIES / group.name / f"{tool}.json"


def _made_of(group: Group, tool: str) -> Inputs | None:
    note = _note(group, tool)
    return json.loads(note.read_text()) if note.is_file() else None
