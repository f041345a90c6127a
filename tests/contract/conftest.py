"""Fixtures of the contract tests."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.redis_process import RedisProcess
from tests.support.registered_churn import Registered, register_versions

from serinus_contracts.artifact import ModelContract

if TYPE_CHECKING:  # imported where it is used: MLflow and scikit-learn take seconds
    from tests.support.loans_house import House


@pytest.fixture
def own_redis(tmp_path: Path, redis_url: str) -> Iterator[RedisProcess]:
    """A Redis that the test may hurt. `redis_url` decides what happens where none is installed."""
    server = RedisProcess(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def registered(
    mlflow_url: str, artifact: tuple[Path, ModelContract], tmp_path_factory: pytest.TempPathFactory
) -> Registered:
    """Versions of `churn` to be fetched, on the session's MLflow."""
    return register_versions(mlflow_url, artifact, tmp_path_factory.mktemp("fetched"))


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> "House":
    """An MLflow in a database file, the first version of `loans` registered."""
    from tests.support import loans_house

    return loans_house.build(tmp_path_factory.mktemp("house"))


@pytest.fixture(scope="session")
def remote(tmp_path_factory: pytest.TempPathFactory, mlflow_url: str) -> "House":
    """The session's MLflow server, the first version of `loans` registered."""
    from tests.support import loans_house

    return loans_house.build(tmp_path_factory.mktemp("remote"), mlflow_url)


@pytest.fixture(params=["house", "remote"])
def either(request: pytest.FixtureRequest) -> "House":
    """Both, one after the other."""
    found: House = request.getfixturevalue(request.param)
    return found
