"""`serinus-jobs` as a person meets it when something is wrong: one line, an exit code, no traceback."""

import re
import signal
import sys
from pathlib import Path

import pytest

from serinus_jobs import generate
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


def test_a_full_volume_is_named_and_may_be_tried_again(
    capsys, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    def run(out: Path, **others: object) -> None:
        # Whatever is written there meets a disk without room.
        with Path("/dev/full").open("wb", buffering=0) as full:
            full.write(b"x")

    monkeypatch.setattr(generate, "run", run)
    monkeypatch.setenv("SERINUS_DATA", str(tmp_path))
    # It is changed for the rest of a process that ends.
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    code, said = refused(capsys, "generate", "--out", tmp_path)
    assert code == 1
    place = rf"{re.escape(str(tmp_path))} [\d.]+ MiB of [\d.]+ MiB"
    assert re.fullmatch(
        rf"serinus-jobs generate: no space left \(free now: {place}, \S+ [^,;]+\); make room .*\n", said
    )


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


def test_sigterm_ends_a_verb_as_a_person_would(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    tidied = []

    def run(out: Path, **others: object) -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            tidied.append(out)

    monkeypatch.setattr(generate, "run", run)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        main(["generate", "--out", str(tmp_path)])
    assert ended.value.code == 143
    assert tidied == [tmp_path]
    assert signal.getsignal(signal.SIGTERM) is before


def test_ingest_takes_several_tables_each_with_its_source(
    capsys, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("SERINUS_DATA", str(tmp_path / "data"))
    (tmp_path / "data.yaml").write_text(
        "tables: {a: {columns: {x: {type: int64}}}, b: {columns: {y: {type: string}}}}"
    )
    (tmp_path / "a.csv").write_text("x\n1\n2\n")
    (tmp_path / "b.csv").write_text("y\nq\n")
    tables = [
        f"--{kind}={value}"
        for name in "ab"
        for kind, value in (("table", name), ("source", tmp_path / f"{name}.csv"))
    ]
    with pytest.raises(SystemExit, match="0"):
        main(["ingest", "--model-dir", str(tmp_path), *tables])
    said = capsys.readouterr().out
    assert "table a\nread 2 = written 2" in said
    assert "table b\nread 1 = written 1" in said
    code, said = refused(capsys, "ingest", "--model-dir", tmp_path, *tables, "--table=a")
    assert code == 2
    assert "3 --table, 2 --source: each table needs one source" in said
