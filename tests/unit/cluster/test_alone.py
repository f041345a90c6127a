"""Two runs at once: the second says who is at work, and the lock goes with its holder."""

import os
from pathlib import Path

import pytest

from serinus_cluster.edges.alone import alone
from serinus_cluster.edges.shell import CommandFailed


def test_the_second_is_told_of_the_first(tmp_path: Path):
    refused = pytest.raises(CommandFailed, match=rf"\(process {os.getpid()}\) is at work")
    with alone(tmp_path / "lock"), refused, alone(tmp_path / "lock"):
        pass


def test_the_lock_is_given_back_after_a_failure_too(tmp_path: Path):
    with pytest.raises(ValueError, match="x"), alone(tmp_path / "lock"):
        raise ValueError("x")
    with alone(tmp_path / "lock"):
        assert (tmp_path / "lock").read_text() == str(os.getpid())
