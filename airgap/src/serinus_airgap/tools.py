"""Programs for this machine, compiled into .serinus/tools: for a cluster, and promtool for the tests."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from serinus_airgap import groups, toolchain
from serinus_airgap.compiling import compile_tool
from serinus_airgap.exclusive import one_build
from serinus_airgap.progress import Reporter
from serinus_airgap.versions import ROOT

TOOLS = ROOT / ".serinus" / "tools"
GROUP_OF = {"kind": "kind", "kubectl": "kubernetes", "helm": "helm", "promtool": "prometheus"}
# What a cluster needs.
FOR_A_CLUSTER = ("kind", "kubectl", "helm")


def ensure(
    pins: Mapping[str, str],
    names: Sequence[str] = FOR_A_CLUSTER,
    *,
    reporter: Reporter | None = None,
    workers: int = 2,
) -> dict[str, Path]:
    """Return tools (keys of GROUP_OF) by name, compiled where they are missing or stale.

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
        for tool in names:
            group = groups.load(GROUP_OF[tool], pins)
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
