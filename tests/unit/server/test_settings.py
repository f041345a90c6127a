"""Settings that cannot be meant are refused at start, under the name of their variable."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.artifacts import build_artifact
from tests.support.serving import KEYED_INPUTS, KEYED_PLAN

from serinus_server import fetch, wiring
from serinus_server.__main__ import main
from serinus_server.model_sources import FetchError, open_source
from serinus_server.settings import Settings, SettingsError


@pytest.mark.parametrize(
    ("variable", "text", "takes"),
    [
        ("SERINUS_PORT", "abc", "a whole number from 1 to 65535"),
        ("SERINUS_PORT", "70000", "a whole number from 1 to 65535"),
        ("SERINUS_FEATURE_BUDGET_MS", "nan", "a whole number from 1 to 10000"),
        ("SERINUS_DRAIN_SECONDS", "nan", "a number of seconds from 0 to 600"),
        ("SERINUS_DRAIN_SECONDS", "soon", "a number of seconds from 0 to 600"),
        ("SERINUS_UNKNOWN_ENTITY", "no", "default or refuse"),
    ],
)
def test_a_malformed_setting_says_what_it_takes(variable: str, text: str, takes: str):
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({variable: text})
    assert str(caught.value) == f"{variable}={text!r}: takes {takes}"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("online_store", "postgres://h/d", "SERINUS_ONLINE_STORE: online store 'postgres'"),
        ("online_store", "redis://", "SERINUS_ONLINE_STORE: Redis URL: must be"),
        ("log_sink", "kafka://h", "SERINUS_LOG_SINK: prediction log sink 'kafka://h'"),
        ("log_sink", "dir:/proc/x", "SERINUS_LOG_SINK: .*/proc/x cannot be written: .*; name a folder"),
        ("log_sink", "dir:FILE/x", "SERINUS_LOG_SINK: .*cannot be written: Not a directory"),
    ],
)
def test_a_store_or_sink_that_cannot_be_used(tmp_path: Path, field: str, value: str, message: str):
    (tmp_path / "file").touch()
    contract = build_artifact(tmp_path, inputs=KEYED_INPUTS, plan=KEYED_PLAN)
    settings = replace(Settings(), **{field: value.replace("FILE", str(tmp_path / "file"))})
    with pytest.raises(SettingsError, match=f"^{message}"):
        wiring.make_doors(settings, contract)


def test_the_sinks_folder_is_made_and_left_empty(tmp_path: Path):
    contract = build_artifact(tmp_path)
    wiring.make_doors(replace(Settings(), log_sink=f"dir:{tmp_path}/a/b"), contract)
    assert list((tmp_path / "a" / "b").iterdir()) == []


@pytest.mark.parametrize("given", ["", "another"])
def test_servers_of_one_setting_log_apart_under_their_models_names(tmp_path: Path, given: str):
    contract = replace(build_artifact(tmp_path), model="unit")
    settings = replace(Settings(), model_name=given, log_sink=f"dir:{tmp_path}/rows/{{model}}")
    wiring.make_doors(settings, contract)
    assert [each.name for each in (tmp_path / "rows").iterdir()] == ["unit"]


@pytest.mark.parametrize("host", ["", "localhost"])
def test_a_file_uri_is_of_this_machine(tmp_path: Path, host: str):
    assert open_source(f"file://{host}{tmp_path}", {}, 0.0).digest is None
    with pytest.raises(FetchError, match="'elsewhere'; write file:///folder"):
        open_source(f"file://elsewhere{tmp_path}", {}, 0.0)


@pytest.mark.parametrize("seconds", ["nan", "-1", "0", "inf", "soon"])
def test_a_deadline_that_is_none(tmp_path: Path, seconds: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        fetch.main([f"file://{tmp_path}", str(tmp_path / "model"), f"--deadline={seconds}"])
    assert caught.value.code == 2
    assert f"{seconds!r}: takes a number of seconds above 0" in capsys.readouterr().err


@pytest.mark.parametrize(("word", "code"), [("--help", 0), ("--port=1", 2)])
def test_the_server_takes_no_arguments_and_names_its_settings(monkeypatch, capsys, word: str, code: int):
    monkeypatch.setattr(sys, "argv", ["serinus-server", word])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == code
    assert "server-settings.md" in said.out if code == 0 else "--port=1" in said.err
