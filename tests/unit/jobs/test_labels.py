"""Labels that come late: every row is accounted for, whatever comes in, and in whatever order."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import permutations

import pandas as pd
import pytest
from tests.support.logged import log_row, write_log, write_model

from serinus_jobs import labels
from serinus_jobs.errors import JobError
from serinus_jobs.settings import Settings

AT = 1_760_000_000.0


@pytest.fixture
def place(tmp_path):
    settings = replace(Settings.from_environment({}), data=tmp_path / "data")
    write_log(settings.prediction_log("toy"), [log_row(f"p{i}", AT + i, {}) for i in range(5)])
    return settings


def kept(settings):
    return list(labels.read(settings, "toy").itertuples(index=False, name=None))


def taken(settings, folder, *rows, name="labels.jsonl", **keywords):
    path = folder / name
    path.write_text(
        "".join(json.dumps(dict(zip(labels.SCHEMA.names, row, strict=False))) + "\n" for row in rows)
    )
    return labels.run(settings, "toy", path, **keywords)


def test_taking_the_same_file_twice_changes_nothing(place, tmp_path):
    rows = [("p1", "yes", AT + 60), ("p2", "no", AT + 90), ("p1", "yes", AT + 60)]

    first = taken(place, tmp_path, *rows)
    stored = (place.labels("toy") / labels.FILE).read_bytes()
    second = taken(place, tmp_path, *rows)

    assert (first.read, first.written, first.duplicates, first.refused) == (3, 2, 1, 0)
    assert (second.read, second.written, second.duplicates, second.refused) == (3, 0, 3, 0)
    assert (place.labels("toy") / labels.FILE).read_bytes() == stored
    assert kept(place) == [("p1", "yes", AT + 60, AT + 60), ("p2", "no", AT + 90, AT + 90)]


def test_of_contradicting_labels_the_later_wins_in_any_order(place, tmp_path):
    rows = [("p1", "yes", AT + 10), ("p1", "no", AT + 20), ("p1", "yes", AT + 15), ("p1", "maybe", AT + 20)]
    for number, order in enumerate(permutations(rows)):
        settings = replace(place, data=place.data / str(number))
        results = [taken(settings, tmp_path, row) for row in order]
        assert kept(settings) == [("p1", "no", AT + 20, AT + 10)]
        assert sum(each.written + each.duplicates for each in results) == 4
        assert sum(each.contradictions for each in results) >= 1


def test_a_confirmed_label_is_a_duplicate_and_keeps_when_it_was_first_known(place, tmp_path):
    taken(place, tmp_path, ("p1", "yes", AT + 10))

    result = taken(place, tmp_path, ("p1", "yes", AT + 99))

    assert (result.written, result.duplicates, result.contradictions) == (0, 1, 0)
    assert kept(place) == [("p1", "yes", AT + 99, AT + 10)]


def test_unknown_ids_are_kept_counted_and_named(place, tmp_path):
    result = taken(place, tmp_path, ("p1", "yes", AT), ("ghost", "yes", AT), ("ghost", "no", AT + 1))

    assert (result.unknown, result.unknown_ids) == (1, ("ghost",))
    assert [row[0] for row in kept(place)] == ["ghost", "p1"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"prediction_id": "", "label": "yes", "observed_at": 1}', "prediction_id: must be text"),
        ('{"prediction_id": 7, "label": "yes", "observed_at": 1}', "prediction_id: must be text"),
        ('{"label": "yes", "observed_at": 1}', "prediction_id: must be text"),
        ('{"prediction_id": "%s", "label": "yes", "observed_at": 1}' % ("x" * 300), "prediction_id: must be"),
        ('{"prediction_id": "p1", "label": null, "observed_at": 1}', "label: is empty"),
        ('{"prediction_id": "p1", "label": NaN, "observed_at": 1}', "label: is empty"),
        ('{"prediction_id": "p1", "label": [1], "observed_at": 1}', "label: must be text"),
        ('{"prediction_id": "p1", "label": "perhaps", "observed_at": 1}', "label: must be one of no, yes"),
        ('{"prediction_id": "p1", "label": "yes", "observed_at": "soon"}', "observed_at: must be Unix"),
        ('{"prediction_id": "p1", "label": "yes", "observed_at": NaN}', "observed_at: must be Unix"),
        ('{"prediction_id": "p1", "label": "yes", "observed_at": -1}', "observed_at: must be Unix"),
        ('{"prediction_id": "p1", "label": "yes", "observed_at": 1e300}', "observed_at: must be Unix"),
        ('{"prediction_id": "p1", "label": "yes", "observed_at": true}', "observed_at: must be Unix"),
        ('{"prediction_id": "p1", "label": "yes"}', "observed_at: must be Unix"),
        ("[1, 2]", "not a JSON object"),
        ("{", "not JSON"),
    ],
)
def test_a_bad_row_is_quarantined_with_its_reason_and_the_rest_goes_in(place, tmp_path, line, reason):
    path = tmp_path / "labels.jsonl"
    good = '{"prediction_id": "p1", "label": "yes", "observed_at": 1760000000}'
    path.write_text(f"{good}\n{line}\n")

    result = labels.run(place, "toy", path, classes=("no", "yes"))

    assert (result.read, result.written, result.refused) == (2, 1, 1)
    assert result.quarantine is not None
    refused = pd.read_csv(result.quarantine)
    assert refused["row"].to_list() == [2]
    assert reason in refused["reason"][0]


@pytest.mark.parametrize(
    "moment", [AT, str(AT), "2025-10-09T08:53:20+00:00", "2025-10-09 08:53:20", "2025-10-09T10:53:20+02:00"]
)
def test_times_are_seconds_or_iso(place, tmp_path, moment):
    taken(place, tmp_path, ("p1", "yes", moment))

    assert kept(place)[0][2] == AT


@pytest.mark.parametrize(
    ("given", "stored"), [(1, "1"), (1.0, "1"), (True, "true"), ("01", "01"), (0.5, "0.5")]
)
def test_labels_are_kept_as_the_log_writes_classes(place, tmp_path, given, stored):
    taken(place, tmp_path, ("p1", given, AT))

    assert kept(place)[0][1] == stored


def test_csv_and_parquet_give_what_json_lines_give(place, tmp_path):
    frame = pd.DataFrame(
        {
            "extra": [1, 2],
            "observed_at": [datetime.fromtimestamp(AT, UTC), datetime.fromtimestamp(AT + 1, UTC)],
            "label": ["yes", "no"],
            "prediction_id": ["p1", "p2"],
        }
    )
    frame.to_parquet(tmp_path / "labels.parquet")
    frame.to_csv(tmp_path / "labels.csv", index=False)

    assert labels.run(place, "toy", tmp_path / "labels.parquet").written == 2
    before = kept(place)
    assert labels.run(place, "toy", tmp_path / "labels.csv").duplicates == 2
    assert kept(place) == before == [("p1", "yes", AT, AT), ("p2", "no", AT + 1, AT + 1)]


def test_csv_lines_of_the_wrong_length_are_refused_alone(place, tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text(f"prediction_id,label,observed_at\np1,yes,{AT}\np2,yes,{AT},more\np3,yes\np4,no,{AT}\n")

    result = labels.run(place, "toy", path)

    assert (result.read, result.written, result.refused) == (4, 2, 2)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("labels.xlsx", b"", "labels come as .csv, .parquet, .jsonl, .ndjson"),
        ("absent.csv", None, r"absent\.csv: cannot be read: No such file or directory$"),
        ("empty.csv", b"", "column 'prediction_id' is missing; columns are none"),
        ("other.csv", b"prediction_id,label\np1,yes\n", "column 'observed_at' is missing"),
        ("broken.parquet", b"PAR1", "cannot be read"),
        ("latin.jsonl", b'{"label": "\xe9"}\n', "cannot be read"),
        ("huge.csv", b'prediction_id,label,observed_at\n"' + b"x" * 200_000 + b'",yes,1\n', "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_names_itself(place, tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)

    with pytest.raises(JobError, match=message) as caught:
        labels.run(place, "toy", tmp_path / name)

    assert name in str(caught.value)


def test_a_log_that_cannot_be_read_names_the_cure(place, tmp_path):
    next(place.prediction_log("toy").rglob("*.parquet")).write_bytes(b"nothing")

    with pytest.raises(JobError, match="collect the log again"):
        taken(place, tmp_path, ("p1", "yes", AT))


def test_the_command_prints_the_account(place, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SERINUS_DATA", str(place.data))
    path = tmp_path / "labels.jsonl"
    path.write_text('{"prediction_id": "ghost", "label": "yes", "observed_at": 1}\n{}\n')

    labels.command(write_model(tmp_path / "toy"), path)

    printed = capsys.readouterr().out
    assert "read 2 = written 1 + duplicates 0 + refused 1; contradictions 0" in printed
    assert "1 ids are in no collected log, such as ghost" in printed
    assert "refused rows, with reasons" in printed
