import os
from dataclasses import replace
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


@pytest.mark.parametrize(
    "name",
    [
        "../model.onnx",
        "/etc/hostname",
        "sub/model.onnx",
        "./model.onnx",
        "..",
        ".",
        "",
        "a/../model.onnx",
        "a\0b",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused_unread(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "model"
    contract = build_artifact(folder, trees=2)
    (tmp_path / MODEL_FILE).write_bytes((folder / MODEL_FILE).read_bytes())
    files = {name: contract.files[MODEL_FILE], **contract.files}
    (folder / CONTRACT_FILE).write_text(replace(contract, files=files, digest="").sealed().to_json())
    with pytest.raises(JobError, match=r"leads out of its folder|is a link or no file"):
        load(folder)


@pytest.mark.parametrize("name", [MODEL_FILE, CONTRACT_FILE])
def test_links_and_pipes_are_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "model"
    build_artifact(folder, trees=2)
    (folder / name).rename(tmp_path / name)
    (folder / name).symlink_to(tmp_path / name)
    with pytest.raises(JobError, match=f"'{name}' is a link or no file"):
        load(folder)
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(JobError, match=f"'{name}' is a link or no file"):
        load(folder)


def test_a_folder_that_is_not_there_says_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(
        JobError, match=r"serinus\.json: No such file or directory; name the folder of"
    ) as caught:
        load(tmp_path / "nope")
    assert "Errno" not in str(caught.value)
