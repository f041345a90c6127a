"""The operator's door to the registry, against a real MLflow server."""

import httpx
import pytest

from serinus_operator.adapters.registry import Registry, RegistryUnavailable

MODEL = "adapter-test"


@pytest.fixture(scope="module")
def registry(mlflow_url: str):
    with httpx.Client(base_url=f"{mlflow_url}/api/2.0/mlflow", timeout=20.0) as client:
        client.post("/registered-models/create", json={"name": MODEL}).raise_for_status()
        for _ in range(2):
            run = (
                client.post("/runs/create", json={"experiment_id": "0"})
                .raise_for_status()
                .json()["run"]["info"]
            )
            body = {"name": MODEL, "source": run["artifact_uri"], "run_id": run["run_id"]}
            client.post("/model-versions/create", json=body).raise_for_status()
    registry = Registry(mlflow_url)
    yield registry
    registry.close()


def test_an_alias_moves_and_goes(registry: Registry):
    assert registry.alias(MODEL, "champion") is None
    registry.move_alias(MODEL, "champion", "1")
    registry.move_alias(MODEL, "champion", "1")
    assert registry.alias(MODEL, "champion") == "1"
    registry.move_alias(MODEL, "champion", "2")
    registry.move_alias(MODEL, "previous", "1")
    assert (registry.alias(MODEL, "champion"), registry.alias(MODEL, "previous")) == ("2", "1")
    registry.delete_alias(MODEL, "previous")
    registry.delete_alias(MODEL, "previous")
    assert registry.alias(MODEL, "previous") is None


def test_tags_are_set_and_read(registry: Registry):
    registry.set_tag(MODEL, "1", "serinus.stage", "staging")
    registry.set_tag(MODEL, "1", "serinus.stage", "production")
    assert registry.tags(MODEL, "1") == {"serinus.stage": "production"}
    assert registry.tags(MODEL, "2") == {}


def test_what_is_not_there_is_named(registry: Registry):
    assert registry.alias("no-such-model", "champion") is None
    with pytest.raises(RegistryUnavailable, match=r"not found|does not exist"):
        registry.tags(MODEL, "99")
    with pytest.raises(RegistryUnavailable, match="POST"):
        registry.move_alias(MODEL, "champion", "99")
    assert registry.alias(MODEL, "champion") == "2"


def test_a_server_that_is_gone_is_an_error_within_the_timeout():
    registry = Registry("http://127.0.0.1:9", timeout=1.0)
    with pytest.raises(RegistryUnavailable, match="GET"):
        registry.alias(MODEL, "champion")
    registry.close()
