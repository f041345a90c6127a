"""The artifact as a folder of files: written by training, read back with every digest checked."""

import hashlib
import json
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from serinus_contracts.artifact import (
    CARD_FILE,
    CONTRACT_FILE,
    MODEL_FILE,
    REFERENCE_FILE,
    Input,
    ModelContract,
    read_contract,
)
from serinus_contracts.documents import to_document
from serinus_contracts.errors import ContractError
from serinus_contracts.plan import OnlinePlan
from serinus_contracts.reference import Reference
from serinus_jobs.errors import JobError
from serinus_jobs.export import Graph
from serinus_jobs.project import ModelProject


@dataclass(frozen=True)
class LoadedModel:
    """A model read back from its artifact, with its graph loaded."""

    contract: ModelContract
    graph: Graph


def write(
    folder: Path,
    project: ModelProject,
    inputs: tuple[Input, ...],
    plan: OnlinePlan | None,
    reference: Reference,
    card: str,
) -> ModelContract:
    """Complete `folder`, which holds the graph already; return the sealed contract.

    Raises JobError where the contract is inconsistent (a threshold out of bounds, say).
    """
    document = json.dumps(to_document(reference), indent=1, sort_keys=True, allow_nan=False)
    (folder / REFERENCE_FILE).write_text(document + "\n")
    (folder / CARD_FILE).write_text(card)
    files = {name: _sha256(folder / name) for name in (MODEL_FILE, REFERENCE_FILE, CARD_FILE)}
    try:
        contract = ModelContract(
            model=project.name,
            estimator=project.estimator.class_,
            inputs=inputs,
            classes=project.label.classes,
            threshold=project.threshold,
            files=files,
            plan=plan,
        ).sealed()
    except ContractError as error:
        raise JobError(f"model.yaml does not make a valid contract: {error}") from None
    (folder / CONTRACT_FILE).write_text(contract.to_json())
    return contract


def load(folder: Path) -> LoadedModel:
    """Read the artifact in `folder`. Raises JobError for a missing or changed file, and for one that
    lies elsewhere: a link, or a name that is a path."""
    try:
        contract = read_contract(_inside(folder, CONTRACT_FILE).read_bytes())
        for name in contract.files:
            _inside(folder, name)
        for name, digest in contract.files.items():
            if _sha256(folder / name) != digest:
                raise JobError(
                    f"{folder / name}: is not the file that {CONTRACT_FILE} names (SHA-256 differs)"
                )
        data = (folder / MODEL_FILE).read_bytes()
    except OSError as error:
        raise JobError(
            f"artifact {folder}: {Path(str(error.filename)).name}: {error.strerror}; "
            "name the folder of a fetched or trained model (serinus-fetch brings one)"
        ) from None
    except ContractError as error:
        raise JobError(f"artifact {folder}: {error}") from None
    return LoadedModel(contract, Graph(data))


def _inside(folder: Path, name: str) -> Path:
    """Return the path of a plain file of the folder. Raises OSError where there is none."""
    if PurePosixPath(name).name != name or "\0" in name:
        raise JobError(f"artifact {folder}: {name!r:.120} leads out of its folder; fetch the model again")
    path = folder / name
    # A link may lead anywhere, and a pipe would be waited for.
    if not stat.S_ISREG(path.lstat().st_mode):
        raise JobError(f"artifact {folder}: {name!r:.120} is a link or no file; fetch the model again")
    return path


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
