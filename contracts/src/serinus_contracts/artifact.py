"""The model artifact: one folder of files, one contract, one digest.

    model.onnx        the graph. One input `input`, double, shape [rows, features]; the output that
                      counts is `probabilities`, float, shape [rows, classes]
    serinus.json      this module's ModelContract
    reference.json    reference statistics for drift (serinus_contracts.reference)
    MODEL_CARD.md     for people

Every feature is one column of the double matrix, in the contract's order: numbers as they are, bool
as 0 or 1, strings as their index in `allowed`. Defaults are filled before the graph.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Literal

from serinus_contracts.documents import canonical_json, from_document, to_document
from serinus_contracts.errors import ContractError
from serinus_contracts.plan import OnlinePlan

ARTIFACT_PATH = "model"
MODEL_FILE = "model.onnx"
CONTRACT_FILE = "serinus.json"
REFERENCE_FILE = "reference.json"
CARD_FILE = "MODEL_CARD.md"
GRAPH_INPUT = "input"
GRAPH_OUTPUT = "probabilities"
SCHEMA_VERSION = 1
# The largest difference between the pipeline's and the graph's probabilities that registers (D3).
EXPORT_TOLERANCE = 1e-5

DType = Literal["int64", "float64", "bool", "string"]
Scalar = str | int | float | bool


@dataclass(frozen=True)
class Input:
    """One feature of the model, as a client or the feature store gives it.

    `default` fills a null or an absent value and marks it; None means the feature is required.
    `minimum` and `maximum` are inclusive; `allowed` is the closed list of a string feature.
    `source` says who may give it in a request by entity key: the `store`, the `request`, or nobody,
    because it is computed `on_demand`.
    """

    name: str
    dtype: DType
    default: Scalar | None = None
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] = ()
    source: Literal["request", "store", "on_demand"] = "request"


@dataclass(frozen=True)
class ModelContract:
    """What a server must know of a model, and all that it may know. Written to `serinus.json`.

    `files` maps the artifact's other files to their SHA-256 in hex. `digest` is the revision: the
    SHA-256 of this document without the digest itself. `threshold` is on the probability of
    `classes[1]` and counts for two classes only; with more the largest probability wins.
    """

    model: str
    estimator: str
    inputs: tuple[Input, ...]
    classes: tuple[Scalar, ...]
    threshold: float
    files: dict[str, str]
    digest: str = ""
    plan: OnlinePlan | None = None
    schema_version: int = SCHEMA_VERSION

    @property
    def revision(self) -> str:
        """The digest's first 12 hex digits: what metrics, logs and headers carry."""
        return self.digest[:12]

    def sealed(self) -> "ModelContract":
        """Return this contract as a reader will see it, with its digest filled in.

        Raises ContractError where it would not be read back.
        """
        normal = from_document(ModelContract, json.loads(canonical_json(self)))
        _check(normal)
        return replace(normal, digest=contract_digest(normal))

    def to_json(self) -> str:
        """Return the text of `serinus.json`."""
        return json.dumps(to_document(self), indent=2, sort_keys=True, allow_nan=False) + "\n"


def contract_digest(contract: ModelContract) -> str:
    """Return the SHA-256, in hex, of the contract's canonical JSON without its digest."""
    return hashlib.sha256(canonical_json(replace(contract, digest=""))).hexdigest()


def read_contract(text: str | bytes) -> ModelContract:
    """Parse and check the text of `serinus.json`.

    Raises ContractError for malformed JSON, an unknown version, an inconsistent document, or a
    digest that is not the document's own.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ContractError(f"{CONTRACT_FILE}: not JSON: {error}") from None
    version = document.get("schema_version") if isinstance(document, dict) else None
    if version != SCHEMA_VERSION:
        raise ContractError(f"$.schema_version: {version!r}; this reader knows {SCHEMA_VERSION} only")
    contract = from_document(ModelContract, document)
    _check(contract)
    if contract.digest != contract_digest(contract):
        raise ContractError(
            f"$.digest: does not match the document; {CONTRACT_FILE} was changed by hand or cut"
        )
    return contract


def _check(contract: ModelContract) -> None:
    names = [each.name for each in contract.inputs]
    if not names or len(set(names)) != len(names):
        raise ContractError("$.inputs: must be non-empty with unique names")
    if len(contract.classes) < 2 or len(set(map(str, contract.classes))) != len(contract.classes):
        raise ContractError("$.classes: must be at least two different labels")
    if not 0.0 < contract.threshold < 1.0:
        raise ContractError("$.threshold: must lie between 0 and 1")
    for i, each in enumerate(contract.inputs):
        if (each.dtype == "string") != bool(each.allowed):
            raise ContractError(f"$.inputs[{i}].allowed: goes with dtype string, and string with it")
    if MODEL_FILE not in contract.files:
        raise ContractError(f"$.files: must name {MODEL_FILE}")
