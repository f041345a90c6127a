"""Two runs at once: the second waits and says for whom, and the lock goes with its holder."""

import os
from pathlib import Path

import pytest

from serinus_cluster.edges.alone import alone
from serinus_cluster.edges.shell import CommandFailed


def test_the_second_is_told_of_the_first_and_waits_no_longer_than_its_deadline(tmp_path: Path):
    said: list[str] = []
    refused = pytest.raises(CommandFailed, match=rf"\(process {os.getpid()}\) was at work for 1 s")
    with alone(tmp_path / "lock", said.append), refused, alone(tmp_path / "lock", said.append, seconds=1):
        pass
    assert said == [f"waiting for another serinus-cluster (process {os.getpid()}) (at most 1 s)"]


def test_the_lock_is_given_back_after_a_failure_too(tmp_path: Path):
    with pytest.raises(ValueError, match="x"), alone(tmp_path / "lock", print):
        raise ValueError("x")
    with alone(tmp_path / "lock", print):
        assert (tmp_path / "lock").read_text() == str(os.getpid())
