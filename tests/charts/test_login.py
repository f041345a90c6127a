"""The rule that MLflow's user `reader` only reads."""

import importlib.util

import pytest
from tests.support import charts

spec = importlib.util.spec_from_file_location(
    "serinus_login", charts.CHARTS / "mlflow" / "files" / "serinus_login.py"
)
login = importlib.util.module_from_spec(spec)
spec.loader.exec_module(login)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/2.0/mlflow/registered-models/alias", True),
        ("HEAD", "/api/2.0/mlflow-artifacts/artifacts/1/x/artifacts/model.onnx", True),
        ("POST", "/api/2.0/mlflow/runs/search", True),
        ("POST", "/ajax-api/2.0/mlflow/experiments/search/", True),
        ("POST", "/graphql", True),
        ("POST", "/api/2.0/mlflow/experiments/create", False),
        ("POST", "/api/2.0/mlflow/registered-models/create", False),
        ("POST", "/api/2.0/mlflow/experiments/search/../create", False),
        ("PUT", "/api/2.0/mlflow-artifacts/artifacts/1/search", False),
        ("POST", "/api/2.0/mlflow-artifacts/mpu/create/1/search", False),
        ("PATCH", "/api/2.0/mlflow/users/update-password", False),
        ("DELETE", "/api/2.0/mlflow/registered-models/delete", False),
    ],
)
def test_what_counts_as_reading(method: str, path: str, expected: bool):
    assert login.reads(method, path) is expected
