"""Three libraries, three projects, one way: table, training, gates, registry, artifact, answer."""

import json
from typing import Any

import numpy as np
import onnxruntime
import pytest
from tests.model.conftest import Trained

from serinus_contracts.artifact import MODEL_FILE, REFERENCE_FILE
from serinus_contracts.documents import from_document
from serinus_contracts.encoding import RowEncoder
from serinus_contracts.reference import Reference
from serinus_jobs import training_set
from serinus_jobs.project import load_model
from serinus_jobs.registry import Registry

CASES = [
    (
        "churn",
        "sklearn.ensemble.RandomForestClassifier",
        {
            "tenure_months": 2,
            "payment_failures_30d": 6,
            "avg_support_tickets_30d": 0.3,
            "num_support_tickets": 9,
            "high_risk_score": 1.0,
        },
        "yes",
    ),
    (
        "mlc_churn",
        "xgboost.XGBClassifier",
        {"international_plan": "yes", "number_customer_service_calls": 7, "total_day_minutes": 300.0},
        "yes",
    ),
    (
        "iris",
        "lightgbm.LGBMClassifier",
        {"sepal_length": 5.0, "sepal_width": 3.4, "petal_length": 1.4, "petal_width": 0.2},
        "setosa",
    ),
]


def typical(trained: Trained) -> dict[str, Any]:
    """Return the median row of the training data, or the commonest value."""
    project = load_model(trained.project)
    frame = training_set.load(project, trained.settings).frame
    row: dict[str, Any] = {}
    for each in trained.model.contract.inputs:
        column = frame[each.name].dropna()
        value = column.mode()[0] if each.dtype == "string" else column.median()
        row[each.name] = (
            int(value) if each.dtype == "int64" else value if each.dtype == "string" else float(value)
        )
    return row


@pytest.mark.parametrize(("name", "estimator", "changes", "answer"), CASES, ids=[case[0] for case in CASES])
def test_from_table_to_answer(
    request: pytest.FixtureRequest, name: str, estimator: str, changes: dict[str, Any], answer: str
) -> None:
    trained: Trained = request.getfixturevalue(name)
    contract = trained.model.contract
    assert (contract.model, contract.estimator) == (name, estimator)
    assert contract.digest == trained.result.trained.digest
    registry = Registry(trained.settings)
    champion = registry.by_alias(name, "champion")
    assert champion is not None
    row, defaulted = RowEncoder(contract.inputs).encode({**typical(trained), **changes})
    assert defaulted == ()
    # onnxruntime alone, as a server has it.
    folder = registry.fetch_version(champion, trained.settings.data.parent / f"served-{name}")
    session = onnxruntime.InferenceSession(folder / MODEL_FILE, providers=["CPUExecutionProvider"])
    (probabilities,) = session.run(["probabilities"], {"input": np.array([row])})
    assert probabilities.sum() == pytest.approx(1.0, abs=1e-5)
    assert contract.classes[int(probabilities[0].argmax())] == answer
    reference = from_document(Reference, json.loads((folder / REFERENCE_FILE).read_text()))
    assert reference.rows == int(registry.run(champion.run_id).metrics["rows.training"])
    described = [each.name for each in (*reference.numeric, *reference.categorical)]
    assert sorted(described) == sorted(each.name for each in contract.inputs)
    assert reference.metrics["accuracy"] == pytest.approx(trained.result.trained.metrics["accuracy"])


def test_every_gate_of_the_project_was_judged(mlc_churn: Trained) -> None:
    names = [gate.name for gate in mlc_churn.result.evaluated.gates]
    assert names == [
        "unseen rows",
        "minimum roc_auc",
        "minimum accuracy",
        "slice international plan: roc_auc",
        "slice no international plan: roc_auc",
        "number_customer_service_calls +3: up",
        "account_length +1: invariant",
    ]
