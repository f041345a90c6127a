from pathlib import Path

import pytest
from tests.support.artifacts import build_artifact

from serinus_contracts.artifact import CONTRACT_FILE, MODEL_FILE, ModelContract
from serinus_jobs.artifact_folder import load
from serinus_jobs.errors import JobError


def test_an_artifact_is_read_back(artifact: tuple[Path, ModelContract]) -> None:
    assert load(artifact[0]).contract == artifact[1]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (MODEL_FILE, b"other", "SHA-256 differs"),
        (MODEL_FILE, None, "No such file"),
        (CONTRACT_FILE, b"{}", "this reader knows"),
        (CONTRACT_FILE, None, "No such file"),
    ],
)
def test_a_changed_or_missing_file_is_named(
    tmp_path: Path, name: str, text: bytes | None, message: str
) -> None:
    build_artifact(tmp_path, trees=2)
    (tmp_path / name).unlink() if text is None else (tmp_path / name).write_bytes(text)
    with pytest.raises(JobError, match=message):
        load(tmp_path)
