"""helm, kubectl and promtool for the tests: one way of finding them."""

import shutil
from pathlib import Path

from rich.console import Console

from serinus_airgap import tools, versions
from serinus_airgap.progress import Reporter


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
