"""helm, kubectl and promtool for the tests: one way of finding them, and one of asking the cluster."""

import os
import shutil
import subprocess
from pathlib import Path

from rich.console import Console

from serinus_airgap import tools, versions
from serinus_airgap.progress import Reporter
from serinus_cluster.plan import CONTEXT


def found(name: str) -> Path | None:
    """Return the one that was built here (where it was, this machine's own is missing or too old), else this
    machine's own; None where there is neither."""
    built = tools.TOOLS / name
    own = shutil.which(name)
    return built if built.is_file() else Path(own) if own else None


def program(name: str) -> Path:
    """Return the one that is found, or one that is compiled now."""
    quiet = Reporter(Console(quiet=True))
    return found(name) or tools.ensure(versions.load(), (name,), reporter=quiet)[name]


def kubectl(*words: str, namespace: str, given: str | None = None, editor: str = "false") -> str:
    """Return what kubectl says of the cluster of `make up`; raises AssertionError where it fails.

    Args:
        words: its arguments.
        namespace: where.
        given: its standard input.
        editor: what `edit` runs.
    """
    command = [str(program("kubectl")), "--context", CONTEXT, "--namespace", namespace, *words]
    environment = os.environ | {"KUBE_EDITOR": editor}
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout
