"""The door of a fetched model artifact: what is in the folder is what the contract says, or nothing.

The digest in `serinus.json` seals the SHA-256 of every other file, so a model is loaded exactly as it
was registered. No pickle, no code, no file from outside the folder has a way in.
"""

import hashlib
import stat
from pathlib import Path

from serinus_contracts.artifact import CARD_FILE, CONTRACT_FILE, MODEL_FILE, REFERENCE_FILE, ModelContract
from serinus_contracts.artifact import read_contract as parse_contract
from serinus_contracts.errors import ContractError
from serinus_server.onnx_scan import external_tensor

# Every file that an artifact may have, with the most bytes that it may have.
LIMITS = {
    CONTRACT_FILE: 4 << 20,
    MODEL_FILE: 2 << 30,
    REFERENCE_FILE: 16 << 20,
    CARD_FILE: 4 << 20,
}

_FETCH = "serinus-fetch brings a model, on KServe by storageUri: mlflow://<model>/<version>"


class ArtifactError(Exception):
    """The artifact must not be loaded. The message names the file and the cure."""


def load_contract(folder: Path) -> ModelContract:
    """Check every file in `folder` against its contract and return the contract.

    Raises ArtifactError for a missing, unknown, oversized or changed file, a link, a contract that
    does not keep its own digest, or a graph that keeps tensors outside itself.
    """
    contract = contract_from(_bytes(folder, CONTRACT_FILE))
    listed = {CONTRACT_FILE, *contract.files}
    for path in sorted(folder.iterdir()):
        # Volumes have hidden entries and a lost+found of their own; nothing reads them.
        if path.name not in listed and not path.name.startswith(".") and path.name != "lost+found":
            raise ArtifactError(
                f"{path.name}: is not in {CONTRACT_FILE}; a model folder holds the contract's files and "
                "nothing else: fetch it again into an empty folder"
            )
    for name, digest in contract.files.items():
        verify_file(folder, name, digest)
    return contract


def contract_from(data: bytes) -> ModelContract:
    """Return the contract in `data`; all files that it names are of the known kind, by plain name.

    Raises ArtifactError.
    """
    try:
        contract = parse_contract(data)
    except ContractError as error:
        raise ArtifactError(f"{CONTRACT_FILE}: {error}") from None
    for name in contract.files:
        if name not in LIMITS or name == CONTRACT_FILE:
            raise ArtifactError(
                f"{name[:100]!r}: no file of a model artifact; a contract may name "
                f"{', '.join(sorted(set(LIMITS) - {CONTRACT_FILE}))}"
            )
    return contract


def verify_file(folder: Path, name: str, digest: str) -> None:
    """Raise ArtifactError unless `name` in `folder` is a plain file whose SHA-256, in hex, is `digest`."""
    data = _bytes(folder, name)
    found = hashlib.sha256(data).hexdigest()
    if found != digest:
        raise ArtifactError(
            f"{name}: its SHA-256 is {found[:12]}…, the contract says {digest[:12]}…; it was cut or "
            "changed on the way: fetch the model again"
        )
    if name == MODEL_FILE:
        try:
            outside = external_tensor(data)
        except ValueError as error:
            raise ArtifactError(f"{name}: is no ONNX graph: {error}") from None
        if outside is not None:
            raise ArtifactError(
                f"{name}: tensor {outside[:64]!r} lies in a file outside the graph; export the model "
                "with all tensors inside"
            )


def _bytes(folder: Path, name: str) -> bytes:
    path = folder / name
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            raise ArtifactError(f"{name}: is no plain file; links and folders are refused")
        if status.st_size > LIMITS[name]:
            raise ArtifactError(f"{name}: has {status.st_size} bytes, the limit is {LIMITS[name]}")
        return path.read_bytes()
    except FileNotFoundError:
        # Without a contract nothing was fetched, or something that is no artifact of ours.
        cure = _FETCH if name == CONTRACT_FILE else "fetch the model again"
        raise ArtifactError(f"{name}: is missing in {folder}; {cure}") from None
    except OSError as error:
        raise ArtifactError(f"{name}: cannot be read: {error.strerror}") from None
