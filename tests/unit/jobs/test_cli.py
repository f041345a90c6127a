"""`serinus-jobs` as a person meets it when something is wrong: one line, an exit code, no traceback."""

from pathlib import Path

import pytest

from serinus_jobs.cli import main


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0), capsys.readouterr().err


def test_an_unknown_verb_lists_the_known_ones(capsys):
    code, said = refused(capsys, "trian")
    assert code == 2
    assert said.startswith("serinus-jobs: 'trian' is no verb; verbs are generate, ingest")


def test_a_target_that_cannot_be_made_is_one_line(capsys, tmp_path: Path):
    (tmp_path / "file").write_text("")
    code, said = refused(
        capsys, "generate", "--customers", 2, "--days", 2, "--out", tmp_path / "file" / "out"
    )
    assert code == 2
    place = tmp_path / "file" / "out"
    assert said == f"serinus-jobs generate: {place}: Not a directory; check the path and its rights\n"


@pytest.mark.parametrize(
    ("text", "place"),
    [("tables: [\n", "line 2: not YAML: "), ("tables: {}\n\tx: 1\n", "line 2: not YAML: ")],
)
def test_broken_yaml_is_one_line_that_names_the_line(capsys, tmp_path: Path, text: str, place: str):
    (tmp_path / "data.yaml").write_text(text)
    code, said = refused(
        capsys, "ingest", "--model-dir", tmp_path, "--table", "t", "--source", tmp_path / "x.csv"
    )
    assert code == 2
    assert len(said.splitlines()) == 1
    assert said.startswith(f"serinus-jobs ingest: {tmp_path / 'data.yaml'}: {place}")
