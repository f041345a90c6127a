"""serinus-fetch against a real MLflow server."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.support.ports import free_port
from tests.support.registered_churn import FILES, Registered

from serinus_contracts.artifact import CONTRACT_FILE, MODEL_FILE
from serinus_server.artifacts import load_contract
from serinus_server.fetch import fetch, main
from serinus_server.model_sources import FetchError


@pytest.mark.parametrize("uri", ["mlflow://churn/1", "mlflow://churn/@champion", "file://"])
def test_a_version_arrives_whole_without_what_mlflow_wrote_beside_it(
    registered: Registered, uri: str, tmp_path: Path
) -> None:
    target = tmp_path / "deep" / "model"
    source = f"file://{registered.folder}/source" if uri == "file://" else uri
    assert fetch(source, target, registered.environment) == registered.contract
    assert sorted(path.name for path in target.iterdir()) == sorted(FILES)
    assert load_contract(target) == registered.contract
    assert [path.name for path in target.parent.iterdir()] == ["model"]


def test_a_mounted_folder_is_filled_in_place_and_a_second_run_changes_nothing(
    registered: Registered, tmp_path: Path
) -> None:
    (tmp_path / "lost+found").mkdir()
    inode = tmp_path.stat().st_ino
    fetch("mlflow://churn/1", tmp_path, registered.environment)
    assert tmp_path.stat().st_ino == inode
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    fetch("mlflow://churn/@champion", tmp_path, registered.environment)
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_what_a_killed_run_left_is_mended(registered: Registered, tmp_path: Path) -> None:
    fetch("mlflow://churn/1", tmp_path, registered.environment)
    (tmp_path / CONTRACT_FILE).unlink()
    (tmp_path / MODEL_FILE).write_bytes(b"half")
    leftover = tmp_path / ".serinus-fetch-killed"
    leftover.mkdir()
    os.utime(leftover, (0, 0))
    fetch("mlflow://churn/1", tmp_path, registered.environment)
    assert load_contract(tmp_path) == registered.contract
    assert not leftover.exists()


@pytest.mark.parametrize(
    ("uri", "code", "message"),
    [
        ("mlflow://churn/2", 3, r"model\.onnx: its SHA-256"),
        ("mlflow://churn/3", 3, r"'\.\./\.\./\.\./etc/passwd': no file of a model artifact"),
        ("mlflow://churn/4", 3, r"'model\.pkl': no file of a model artifact"),
        ("mlflow://churn/5", 2, r"has no serinus\.json, only MLmodel"),
        ("mlflow://churn/6", 3, r"serinus\.json: its digest is [0-9a-f]{12}, the registry says ffffffffffff"),
        ("mlflow://churn/7", 2, r"lie at 's3://bucket/model', not behind this MLflow server"),
        ("mlflow://churn/99", 2, r"HTTP 404: Model Version \(name=churn, version=99\) not found"),
        ("mlflow://nobody/1", 2, r"HTTP 404"),
        ("mlflow://churn/@nobody", 2, r"HTTP 400: Registered model alias nobody not found"),
        ("mlflow://churn/1?digest=000000000000", 3, r"its digest is [0-9a-f]{12}, wanted was 000000000000"),
        ("mlflow://churn/1?digest=xyz", 2, r"the only option is digest"),
        ("mlflow://churn/1?other=1", 2, r"the only option is digest"),
        ("mlflow://churn/latest", 2, r"the version must be a number, or @ and an alias"),
        ("mlflow://churn", 2, r"must be mlflow://<model>/<version"),
        ("mlflow://churn/1/../2", 2, r"must be mlflow://"),
        ("http://169.254.169.254/latest", 2, r"must be mlflow://"),
        ("file:///nowhere/at/all", 2, r"is no folder"),
    ],
)
def test_everything_else_is_refused_and_leaves_nothing(
    registered: Registered, uri: str, code: int, message: str, tmp_path: Path
) -> None:
    with pytest.raises(FetchError, match=message) as error:
        fetch(uri, tmp_path / "model", registered.environment, deadline_seconds=30)
    assert error.value.exit_code == code
    assert list(tmp_path.iterdir()) == []


def test_a_digest_in_the_address_pins_the_model(registered: Registered, tmp_path: Path) -> None:
    pinned = f"mlflow://churn/1?digest={registered.contract.revision}"
    assert fetch(pinned, tmp_path / "a", registered.environment) == registered.contract
    with pytest.raises(FetchError, match="the registry says 000000000000"):
        fetch(
            f"file://{registered.folder}/source?digest=000000000000", tmp_path / "b", registered.environment
        )


@pytest.mark.parametrize("address", ["", "sqlite:///mlflow.db", "ftp://host", "http://"])
def test_a_tracking_address_that_is_no_server_is_named(address: str, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="MLFLOW_TRACKING_URI: must be the http"):
        fetch("mlflow://churn/1", tmp_path / "model", {"MLFLOW_TRACKING_URI": address})


def test_a_link_in_a_source_folder_is_refused(registered: Registered, tmp_path: Path) -> None:
    source = shutil.copytree(registered.folder / "source", tmp_path / "source")
    (source / MODEL_FILE).unlink()
    (source / MODEL_FILE).symlink_to("/etc/hostname")
    with pytest.raises(FetchError, match="no plain file"):
        fetch(f"file://{source}", tmp_path / "model", {})


def test_the_command_says_what_it_did_and_how_it_ended(registered: Registered, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "serinus_server.fetch", "mlflow://churn/1", "model"],
        cwd=tmp_path,
        env={**os.environ, **registered.environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"churn revision {registered.contract.revision} in model (")


def test_the_commands_exit_codes(
    registered: Registered,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", registered.environment["MLFLOW_TRACKING_URI"])
    for uri, code in (("mlflow://churn/2", 3), ("mlflow://churn/99", 2)):
        with pytest.raises(SystemExit) as ended:
            main([uri, str(tmp_path / "model")])
        assert ended.value.code == code
        assert capsys.readouterr().err.startswith("serinus-fetch: ")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SystemExit) as ended:
        main(["mlflow://churn/1", str(tmp_path / "file")])
    assert ended.value.code == 1


def test_whoever_waits_for_a_registry_that_is_down_is_told_so_at_once(tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "serinus_server.fetch", "mlflow://churn/1", "model", "--deadline", "1"],
        cwd=tmp_path,
        env={**os.environ, "MLFLOW_TRACKING_URI": address},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert time.monotonic() - begun < 20
    # Once, and not at each try.
    waiting, given_up = done.stderr.splitlines()
    assert re.fullmatch(
        rf"serinus-fetch: {address}: .*Connection refused; trying again, for 1 s at most", waiting
    )
    assert re.fullmatch(
        rf"serinus-fetch: {address}: .*Connection refused; tried until the deadline", given_up
    )
