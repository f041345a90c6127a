"""`serinus-fetch <uri> <folder>`: brings a model artifact into a folder, whole and verified, or not at all.

The storage initializer of `mlflow://` and, for local loops, of `file://`. Only the files that the
contract names are fetched; what MLflow's own flavour wrote beside them stays there. A folder that does
not exist appears at once, by one rename. One that exists (a mounted volume cannot be renamed) gets the
contract last, and without the contract a server does not start.

Exit codes: 0 the model is there; 1 the server could not be reached before the deadline; 2 wrong
arguments, or no such model; 3 the artifact must not be used (digest, size, a name that leads elsewhere).
"""

import argparse
import logging
import math
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from serinus_contracts.artifact import CONTRACT_FILE, ModelContract
from serinus_server.artifacts import LIMITS, ArtifactError, contract_from, load_contract
from serinus_server.model_sources import FetchError, Source, open_source

_DEADLINE_SECONDS = 300.0


def fetch(
    uri: str,
    folder: Path,
    environment: Mapping[str, str] = os.environ,
    deadline_seconds: float = _DEADLINE_SECONDS,
) -> ModelContract:
    """Bring the model at `uri` into `folder` and return its contract.

    A folder that already holds this model is left as it is. Raises FetchError; `folder` is then as it was.
    """
    source = open_source(uri, environment, time.monotonic() + deadline_seconds)
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Staging lies on the same file system as its goal, so that files move by renaming.
    home = folder if folder.exists() else folder.parent
    with tempfile.TemporaryDirectory(prefix=".serinus-fetch-", dir=home) as temporary:
        staging = Path(temporary) / "model"
        staging.mkdir(mode=0o755)
        try:
            contract = _stage(source, staging)
        except ArtifactError as error:
            raise FetchError(str(error), 3) from None
        _publish(staging, folder, contract)
    return contract


def _stage(source: Source, staging: Path) -> ModelContract:
    _copy(source, CONTRACT_FILE, staging)
    contract = contract_from((staging / CONTRACT_FILE).read_bytes())
    if source.digest is not None and not contract.digest.startswith(source.digest):
        raise ArtifactError(
            f"{CONTRACT_FILE}: its digest is {contract.revision}, the registry says {source.digest[:12]}"
        )
    for name in contract.files:
        _copy(source, name, staging)
    return load_contract(staging)


def _copy(source: Source, name: str, staging: Path) -> None:
    with (staging / name).open("wb") as target:
        source.copy(name, target, LIMITS[name])
        target.flush()
        os.fsync(target.fileno())


def _publish(staging: Path, folder: Path, contract: ModelContract) -> None:
    if not folder.exists():
        staging.rename(folder)
        return
    try:
        if load_contract(folder).digest == contract.digest:
            return
    except ArtifactError:
        pass  # empty, half written by a killed run, or another model: replaced below
    (folder / CONTRACT_FILE).unlink(missing_ok=True)
    for name in LIMITS:
        if name != CONTRACT_FILE:
            (folder / name).unlink(missing_ok=True)
    for name in (*contract.files, CONTRACT_FILE):
        (staging / name).rename(folder / name)
    _remove_leftovers(folder)


def _remove_leftovers(folder: Path) -> None:
    # A run that was killed leaves its staging behind; this run's own goes with its context.
    for path in folder.glob(".serinus-fetch-*"):
        if time.time() - path.stat().st_mtime > _DEADLINE_SECONDS:
            shutil.rmtree(path, ignore_errors=True)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r}: takes a number of seconds above 0")
    return seconds


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="serinus-fetch", description="fetch and verify a model artifact")
    parser.add_argument("uri", help="mlflow://<model>/<version or @alias>[?digest=…] or file:///folder")
    parser.add_argument("folder", type=Path, help="where the model shall be")
    parser.add_argument(
        "--deadline",
        type=_seconds,
        default=_DEADLINE_SECONDS,
        metavar="S",
        help="seconds for all tries (300)",
    )
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="serinus-fetch: %(message)s", stream=sys.stderr)
    begun = time.monotonic()
    try:
        contract = fetch(given.uri, given.folder, deadline_seconds=given.deadline)
    except FetchError as error:
        print(f"serinus-fetch: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except OSError as error:
        print(f"serinus-fetch: {given.folder}: {error.strerror}", file=sys.stderr)
        raise SystemExit(1) from None
    seconds = time.monotonic() - begun
    print(f"{contract.model} revision {contract.revision} in {given.folder} ({seconds:.1f} s)")


if __name__ == "__main__":
    main()
