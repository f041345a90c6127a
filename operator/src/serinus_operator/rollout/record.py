"""Immutable decision records: everything that a verdict rests on, chained by digest.

One JSON object a line. `replay` judges again from the record alone.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import msgspec

from serinus_contracts.documents import canonical_json, from_document, to_document
from serinus_contracts.errors import ContractError
from serinus_operator.rollout.counters import Sample
from serinus_operator.rollout.judge import Verdict, judge
from serinus_operator.rollout.policy import Policy
from serinus_operator.rollout.state import JudgeState


class RecordError(ValueError):
    """A record that is malformed, was changed, or is out of the chain. The message says which."""


@dataclass(frozen=True)
class Record:
    """One judged sample. `state` is the judge's state before, `previous` the digest of the record before
    it ("" for the first), `digest` the SHA-256 of the canonical JSON of all the others."""

    policy: dict[str, Any]
    state: JudgeState
    sample: Sample
    verdict: Verdict
    previous: str
    digest: str

    def to_json(self) -> str:
        """Return the record as one line of JSON."""
        return canonical_json(self).decode()


def make_record(policy: Policy, state: JudgeState, sample: Sample, verdict: Verdict, previous: str) -> Record:
    """Seal one decision."""
    document = msgspec.to_builtins(policy)
    digest = _digest(document, state, sample, verdict, previous)
    return Record(document, state, sample, verdict, previous, digest)


def parse_record(line: str, place: str = "record") -> Record:
    """Read one line; raises RecordError when it is malformed or its digest does not fit."""
    try:
        record = from_document(Record, json.loads(line))
    except (ValueError, RecursionError) as error:
        kind = "" if isinstance(error, ContractError) else "not JSON: "
        raise RecordError(f"{place}: {kind}{error}") from None
    expected = _digest(record.policy, record.state, record.sample, record.verdict, record.previous)
    if record.digest != expected:
        raise RecordError(f"{place}: digest: the record was changed after it was written")
    return record


def replay(record: Record) -> Verdict:
    """Judge again from the record alone. Equal to `record.verdict` if nothing has changed since."""
    policy = msgspec.convert(record.policy, Policy)
    return judge(policy, record.state, record.sample)[1]


def _digest(
    policy: dict[str, Any], state: JudgeState, sample: Sample, verdict: Verdict, previous: str
) -> str:
    parts = [to_document(part) for part in (policy, state, sample, verdict, previous)]
    return hashlib.sha256(canonical_json(parts)).hexdigest()
