"""What drift and quality need of a model artifact's folder: its contract and its reference statistics."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from serinus_contracts.artifact import CONTRACT_FILE, REFERENCE_FILE, ModelContract, read_contract
from serinus_contracts.documents import from_document
from serinus_contracts.errors import ContractError
from serinus_contracts.reference import Reference
from serinus_jobs.errors import JobError


@dataclass(frozen=True)
class ReferencedModel:
    """One revision and what its live data is compared with."""

    contract: ModelContract
    reference: Reference


def load_reference(artifact: Path) -> ReferencedModel:
    """Read `serinus.json` and `reference.json` of the folder; the latter by its digest.

    Raises JobError naming the file and the cure.
    """
    try:
        contract = read_contract((artifact / CONTRACT_FILE).read_bytes())
        text = (artifact / REFERENCE_FILE).read_bytes()
        expected = contract.files.get(REFERENCE_FILE)
        if expected is None:
            raise JobError(f"{artifact / CONTRACT_FILE}: names no {REFERENCE_FILE}; train the model again")
        if hashlib.sha256(text).hexdigest() != expected:
            raise JobError(
                f"{artifact / REFERENCE_FILE}: is not the file that {CONTRACT_FILE} names by digest; "
                "fetch the artifact again"
            )
        return ReferencedModel(contract, from_document(Reference, json.loads(text)))
    except OSError as error:
        name = Path(str(error.filename)).name
        raise JobError(
            f"{artifact}: is no model artifact: {name}: {error.strerror}; fetch it again"
        ) from None
    except (ContractError, ValueError) as error:
        raise JobError(f"{artifact}: {error}") from None
