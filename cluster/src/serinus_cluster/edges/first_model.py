"""Make the first model's artifact with the repository's own verbs, in processes of their own.

This room must not import the jobs; it runs them as a user does.
"""

import hashlib
import os
import shutil
import sys
from pathlib import Path

from serinus_cluster.edges.shell import run

PROJECT = "manifests/models/iris"
_TABLE = ["--table", "flowers", "--source", "sklearn:iris"]


def artifact(folder: Path) -> dict[str, bytes]:
    """Return the files of an artifact by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def made(root: Path, work: Path) -> bool:
    """Whether `work` holds an artifact of the project as it is now."""
    mark = work / "project"
    return (work / "artifact").is_dir() and mark.is_file() and mark.read_text() == _project(root)


def ensure(root: Path, work: Path, *, seconds: float) -> Path:
    """Return the folder of the artifact; ingest, train and fetch where `work` does not hold it yet.

    Raises:
        CommandFailed: a verb failed or did not end in time.
    """
    folder = work / "artifact"
    if made(root, work):
        return folder
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    bin_folder = Path(sys.executable).parent
    own = {"SERINUS_DATA": str(work / "data"), "MLFLOW_TRACKING_URI": f"sqlite:///{work / 'mlflow.db'}"}
    limits = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}

    def verb(*words: str) -> str:
        return run([bin_folder / words[0], *words[1:]], seconds=seconds, cwd=root, environment=own | limits)

    verb("serinus-jobs", "ingest", "--model-dir", PROJECT, *_TABLE)
    trained = verb("serinus-jobs", "train", "--model-dir", PROJECT).split()[-1]
    # MLflow keeps a run's artifact beside its database; fetching takes only what the contract names.
    logged = work / "mlartifacts" / "iris" / trained / "artifacts" / "model"
    verb("serinus-fetch", logged.as_uri(), str(folder))
    (work / "project").write_text(_project(root))
    return folder


def _project(root: Path) -> str:
    files = [root / PROJECT / name for name in ("model.yaml", "data.yaml")]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()
