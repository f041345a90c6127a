"""Models by folder and by registry address, on both kinds of MLflow."""

from pathlib import Path

import pytest
from tests.support.loans_house import House

from serinus_contracts.artifact import CONTRACT_FILE, read_contract
from serinus_jobs.errors import JobError
from serinus_jobs.model_source import brought, pinned


@pytest.mark.parametrize("spec", ["mlflow://loans/1", "mlflow://loans/@champion"])
def test_a_version_is_brought_by_number_and_by_alias(either: House, tmp_path: Path, spec: str) -> None:
    assert pinned(spec, either.settings) == "mlflow://loans/1"
    folder = brought(spec, either.settings, tmp_path)
    assert read_contract((folder / CONTRACT_FILE).read_bytes()).digest == either.first.digest


def test_a_folder_is_what_it_is(house: House, tmp_path: Path) -> None:
    assert brought(str(tmp_path), house.settings, tmp_path / "unused") == tmp_path


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("mlflow://loans/@nobody", "has no loans with the alias nobody"),
        ("mlflow://nothing/@champion", "has no nothing with the alias champion"),
        ("mlflow://nothing/7", "cannot read nothing version 7"),
        ("mlflow://loans/newest", "write a folder, mlflow://"),
        ("s3://bucket/model", "write a folder, mlflow://"),
    ],
)
def test_what_is_not_there_is_named(house: House, tmp_path: Path, spec: str, said: str) -> None:
    with pytest.raises(JobError, match=said) as refused:
        brought(spec, house.settings, tmp_path)
    assert refused.value.exit_code == 2
