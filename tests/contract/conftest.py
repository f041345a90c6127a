"""Fixtures of the contract tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.redis_process import RedisProcess


@pytest.fixture
def own_redis(tmp_path: Path, redis_url: str) -> Iterator[RedisProcess]:
    """A Redis that the test may hurt. `redis_url` decides what happens where none is installed."""
    server = RedisProcess(tmp_path)
    server.start()
    yield server
    server.kill()
