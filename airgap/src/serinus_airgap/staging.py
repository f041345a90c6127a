"""The folder that a build gets to see: made anew for each build, with times that follow from contents."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from serinus_airgap.description import Image
from serinus_airgap.fingerprint import digest, files_below
from serinus_airgap.running import run
from serinus_airgap.versions import ROOT

CONTEXTS = ROOT / ".serinus" / "airgap" / "context"
PREPARE_DEADLINE = 1800
# A file's time is part of its layer: equal files get an equal one, so that their layer is equal, pushed once.
# Docker sends a file anew only where its size or time differ, so the time has to follow the content.
OLDEST, SPAN = 500_000_000, 1_000_000_000


def stage(image: Image, tools: Iterable[Path], log: Path) -> Path:
    """Make the context of an image: its folder, its tools, the files it names, what `prepare` makes of them.

    Raises:
        BuildError: `prepare` failed; its words are in the log.
    """
    context = CONTEXTS / image.name
    shutil.rmtree(context, ignore_errors=True)
    context.mkdir(parents=True)
    _copy(image.folder, context)
    for tool in tools:
        (context / "bin").mkdir(exist_ok=True)
        shutil.copy2(tool, context / "bin" / tool.name)
    for name in image.recipe.files:
        source = ROOT / name
        _copy(source, context / name if source.is_dir() else (context / name).parent)
    if image.recipe.prepare:
        run(
            image.recipe.prepare, f"preparing {image.name}", seconds=PREPARE_DEADLINE, folder=context, log=log
        )
    for path in [context, *context.rglob("*")]:
        seconds = time_of(path.read_bytes()) if path.is_file() else OLDEST
        os.utime(path, (seconds, seconds), follow_symlinks=False)
    return context


def time_of(content: bytes) -> int:
    """Return the modification time, in seconds, that a file of this content gets."""
    return OLDEST + int(digest(content), 16) % SPAN


def _copy(source: Path, target: Path) -> None:
    base = source.parent if source.is_file() else source
    for file in files_below(source):
        place = target / file.relative_to(base)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, place)


def unstage(image: Image) -> None:
    """Remove an image's context."""
    shutil.rmtree(CONTEXTS / image.name, ignore_errors=True)
