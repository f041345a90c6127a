"""Two files that the kubelet's probes look at: `alive` (the loop turns) and `ready` (it does its work)."""

import os
from pathlib import Path


class Signs:
    """The folder of the two files."""

    def __init__(self, folder: Path | None = None) -> None:
        """Use a folder, or the one that the environment names."""
        self.folder = folder or Path(os.environ.get("SERINUS_SIGNS", "/run/serinus"))
        self.folder.mkdir(parents=True, exist_ok=True)

    def alive(self) -> None:
        """Say that the loop turned now."""
        (self.folder / "alive").touch()

    def ready(self, yes: bool) -> None:
        """Say whether the work is done."""
        if yes:
            (self.folder / "ready").touch()
        else:
            (self.folder / "ready").unlink(missing_ok=True)
