"""Aliases and tags in the model registry: written by `register` and the operator, read by both."""

CANDIDATE = "candidate"
CHAMPION = "champion"
PREVIOUS = "previous"

DIGEST = "serinus.digest"  # the contract's digest, on run and version
DATA_DIGEST = "serinus.data_digest"  # SHA-256 of the training set
STAGE = "serinus.stage"  # dev | staging | production
GATES = "serinus.gates"  # JSON: {gate: "passed" | "failed: why"}
EVALUATION = "serinus.evaluation"  # passed | failed
APPROVAL = "serinus.approval"  # JSON: who, when, why, which gates
EXPECTATION = "serinus.expectation"  # JSON: serinus_contracts.expectation.ScoreExpectation
FEATURE_SERVICE = "serinus.feature_service"

STAGES = ("dev", "staging", "production")
EVALUATION_FILE = "evaluation.json"
