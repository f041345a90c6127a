"""`serinus-judge` as a person runs it: files or a pipe in, lines out, exit codes."""

import io
import json
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from tests.support.rollouts import EXPECTATIONS, live, stream

from serinus_contracts.documents import canonical_json
from serinus_operator.rollout import cli
from serinus_operator.rollout.cli import main

POLICY = "steps: [20]\nminimum_seconds: 60\n"
LINE = (
    '{"t": 60, "weight": 10, "stable": {"requests": 9, "errors": 4, "slow": 9, "invalid": 0}, "canary": null}'
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "policy.yaml").write_text(POLICY)
    lines = [json.dumps(asdict(sample)) for sample in stream(1, stable=0.01, canary=0.2)]
    (tmp_path / "counters.jsonl").write_text("\n\n".join(lines) + "\n")
    return tmp_path


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def judge_all(folder: Path, *more: object) -> int:
    return run("--policy", folder / "policy.yaml", "--counters", folder / "counters.jsonl", *more)


def test_one_verdict_a_line_in_the_published_format(folder, capsys):
    assert judge_all(folder) == 0
    verdicts = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(verdicts) == 25
    assert all(list(v) == ["t", "verdict", "weight", "reason", "evidence"] for v in verdicts)
    assert verdicts[-1]["verdict"] == "rollback"
    assert {v["weight"] for v in verdicts} == {20}


def test_standard_input(folder, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LINE.encode())))
    assert run("--policy", folder / "policy.yaml", "--counters", "-") == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "hold"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\n{")))
    assert run("--policy", folder / "policy.yaml", "--counters", "-") == 2
    assert "standard input line 2: not JSON" in capsys.readouterr().err


def test_records_replay_to_the_same_lines(folder, capsys):
    records = folder / "records.jsonl"
    assert judge_all(folder, "--records", records) == 0
    first = capsys.readouterr().out
    assert run("--replay", records) == 0
    assert capsys.readouterr().out == first
    records.write_text(records.read_text() * 2)  # two rollouts, one file
    assert run("--replay", records) == 0
    assert capsys.readouterr().out == first * 2


def test_predictions_are_judged_with_an_expectation(folder, capsys):
    (folder / "policy.yaml").write_text("steps: [50]\nsignals: {errors: 0.5, predictions: 0.5}\n")
    lines = [json.dumps(asdict(sample)) for sample in live(0.3, 0.7)]
    (folder / "counters.jsonl").write_text("\n".join(lines))
    (folder / "expectation.json").write_bytes(canonical_json(EXPECTATIONS["same"]))
    assert judge_all(folder, "--expectation", folder / "expectation.json") == 0
    assert "Predictions shifted" in json.loads(capsys.readouterr().out.splitlines()[-1])["reason"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "counters.jsonl",
            LINE + "\n" + LINE.replace("9,", "-9,", 1),
            "counters.jsonl line 2: stable.requests",
        ),
        ("counters.jsonl", LINE + "\n{", "counters.jsonl line 2: not JSON"),
        ("counters.jsonl", b"\xff\n", "counters.jsonl line 1: not UTF-8"),
        ("counters.jsonl", b" " * (1 << 20) + b"1", "counters.jsonl line 1: longer than"),
        ("counters.jsonl", "\n \n", "counters.jsonl: holds no line of counters"),
        ("policy.yaml", "steps: [20]\nalpha: 2\n", "policy.yaml line 2: alpha"),
        ("policy.yaml", b"\xff", "policy.yaml: not UTF-8"),
        ("expectation.json", "{}", "expectation.json: $.stable_revision: missing"),
        ("expectation.json", "{", "expectation.json:"),
    ],
)
def test_bad_input_ends_with_2_and_names_the_place(folder, capsys, name, content, message):
    data = content if isinstance(content, bytes) else content.encode()
    (folder / name).write_bytes(data)
    more = ["--expectation", folder / name] if name.startswith("expectation") else []
    assert judge_all(folder, *more) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [(), ("--policy", "none.yaml"), ("--policy", "none.yaml", "--counters", "-"), ("--replay", "none"),
     ("--replay", "x", "--policy", "y"), ("--nonsense",)],
)  # fmt: skip
def test_bad_arguments_end_with_2(arguments, capsys):
    assert run(*arguments) == 2
    assert capsys.readouterr().err


def test_files_that_cannot_be_used(folder, capsys):
    assert run("--policy", folder / "policy.yaml", "--counters", folder / "none.jsonl") == 2
    assert judge_all(folder, "--records", folder / "no" / "where") == 2
    assert capsys.readouterr().err.count("No such file") == 2


def test_records_never_overwrite_the_counters(folder, capsys):
    before = (folder / "counters.jsonl").read_bytes()
    assert judge_all(folder, "--records", folder / "counters.jsonl") == 2
    assert "would overwrite it" in capsys.readouterr().err
    assert (folder / "counters.jsonl").read_bytes() == before


def test_a_record_that_is_missing_or_changed_is_found(folder, capsys):
    records = folder / "records.jsonl"
    judge_all(folder, "--records", records)
    lines = records.read_text().splitlines()
    records.write_text("\n".join([lines[0], lines[2]]))
    assert run("--replay", records) == 2
    assert "line 2: previous" in capsys.readouterr().err
    records.write_text(lines[0].replace('"hold"', '"promote"'))
    assert run("--replay", records) == 2
    assert "line 1: digest" in capsys.readouterr().err


def test_a_verdict_that_no_longer_replays_ends_with_1(folder, capsys, monkeypatch):
    records = folder / "records.jsonl"
    judge_all(folder, "--records", records)
    monkeypatch.setattr(cli, "replay", lambda record: replace(record.verdict, verdict="promote"))
    assert run("--replay", records) == 1
    assert "recorded 'rollback', now 'promote'" in capsys.readouterr().err


def command(folder: Path) -> list[str]:
    program = "from serinus_operator.rollout.cli import main; main()"
    return [sys.executable, "-c", program, "--policy", str(folder / "policy.yaml"), "--counters", "-"]


def test_a_reader_that_goes_away_ends_it_quietly(folder):
    with subprocess.Popen(command(folder), stdin=-1, stdout=-1, stderr=-1) as process:
        process.stdin.write(LINE.encode() + b"\n")
        process.stdin.flush()
        assert process.stdout.readline()  # a verdict comes for each line, before the input ends
        process.stdout.close()
        process.stdin.write(LINE.replace("60", "120", 1).encode() + b"\n")
        process.stdin.close()
        assert process.stderr.read() == b""
        assert process.wait(20) == 141


def test_control_c_ends_it_quietly(folder):
    with subprocess.Popen(command(folder), stdin=-1, stdout=-1, stderr=-1) as process:
        process.stdin.write(LINE.encode() + b"\n")
        process.stdin.flush()
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert process.stderr.read() == b""
        process.stdin.close()


@pytest.mark.parametrize("full", ["stdout", "records"])
def test_a_full_disk_is_one_line_and_no_traceback(folder, full):
    arguments = ["--policy", folder / "policy.yaml", "--counters", folder / "counters.jsonl"]
    if full == "records":
        arguments += ["--records", "/dev/full"]
    command = [
        sys.executable,
        "-c",
        "from serinus_operator.rollout.cli import main; main()",
        *map(str, arguments),
    ]
    with open("/dev/full", "w") as device:
        ended = subprocess.run(
            command,
            stdout=device if full == "stdout" else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=50,
            check=False,
        )
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert "cannot be written: No space left on device" in ended.stderr
