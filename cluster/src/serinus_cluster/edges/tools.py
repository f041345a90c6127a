"""Look for kind, kubectl and helm on PATH and ask them for their version."""

import shutil
from pathlib import Path

from serinus_cluster.edges.shell import CommandFailed, attempt
from serinus_cluster.tools import VERSION_ARGUMENTS, Found


def find(name: str, folder: Path | None = None) -> Found | None:
    """Return a tool with what it says about its version, from PATH or one folder; None where it is not."""
    path = shutil.which(name, path=str(folder) if folder else None)
    if path is None:
        return None
    try:
        done = attempt([path, *VERSION_ARGUMENTS[name]], seconds=15)
    except CommandFailed as error:
        return Found(Path(path), str(error))
    return Found(Path(path), done.out + done.err)
