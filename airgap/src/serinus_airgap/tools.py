"""The programs that a person's machine needs: kind, kubectl and helm, compiled into .serinus/tools."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from serinus_airgap import groups, toolchain
from serinus_airgap.compiling import compile_tool
from serinus_airgap.exclusive import one_build
from serinus_airgap.progress import Reporter
from serinus_airgap.versions import ROOT

TOOLS = ROOT / ".serinus" / "tools"
GROUP_OF = {"kind": "kind", "kubectl": "kubernetes", "helm": "helm"}


def ensure(pins: Mapping[str, str], *, reporter: Reporter | None = None, workers: int = 2) -> dict[str, Path]:
    """Return kind, kubectl and helm by name, compiled where they are missing or stale.

    Raises:
        DescriptionError: a go.mod and the pins part.
        BuildError: there is no Go, or something does not compile.
    """
    reporter = reporter or Reporter(Console())
    found = {}
    with reporter.shown(), one_build(lambda words: reporter.now("tools", words)):
        reporter.forget("tools")
        go = toolchain.find(pins)
        TOOLS.mkdir(parents=True, exist_ok=True)
        for tool, name in GROUP_OF.items():
            group = groups.load(name, pins)
            begun = reporter.telling(tool, "compiling")
            compiled = compile_tool(group, tool, go, workers, begun=begun)
            found[tool] = _place(compiled.path, TOOLS / tool)
            if compiled.seconds:
                reporter.done(tool, f"compiled in {compiled.seconds:.1f} s")
    return found


def _place(binary: Path, target: Path) -> Path:
    """Put a binary where it is called; by renaming, because the old one may be running."""
    then, now = (target.stat() if target.exists() else None), binary.stat()
    if then is None or (then.st_size, then.st_mtime_ns) != (now.st_size, now.st_mtime_ns):
        fresh = target.with_suffix(".new")
        shutil.copy2(binary, fresh)
        fresh.replace(target)
    return target
