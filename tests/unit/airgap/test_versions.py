"""The table of pins is read whole, and a hole in it is named."""

from pathlib import Path

import pytest

from serinus_airgap.versions import load


def test_the_table_of_the_repository_is_complete():
    pins = load()
    assert pins["KSERVE"].startswith("v")
    assert all(value == value.strip() and '"' not in value for value in pins.values())


def test_a_key_without_a_value_is_named(tmp_path: Path):
    table = tmp_path / "versions.env"
    table.write_text("KIND=v0.33.0\nHELM=\n")
    with pytest.raises(ValueError, match=r"versions.env: HELM has no value; write KEY=value"):
        load(table)
