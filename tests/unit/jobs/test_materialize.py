"""Loading the online store (SQLite): newest rows, late rows, corrections, changed views, the verb."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.churn_store import DAY, NOON, REPOSITORY, own_repository, row, settings, write

from serinus_jobs import materialize
from serinus_jobs.errors import JobError
from serinus_jobs.feature_store import FeatureStore


def test_materialize_loads_the_newest_row_of_each_key(tmp_path: Path):
    to = settings(tmp_path)
    write(
        to,
        [row(1, NOON - 2 * DAY, age=30), row(1, NOON - DAY, age=31), row(2, NOON - DAY, total_charges=None)],
    )
    write(to, [row(1, NOON + DAY, age=32)], part="part-future")
    result = materialize.run(to, until=NOON)
    assert {load.view: load.keys for load in result.views} == {"customer_profile": 2, "customer_behaviour": 2}
    assert result.keys == 4
    answer = FeatureStore(to).online("churn", [{"customer_id": each} for each in (1, 2, 3)])
    assert answer["age"] == [31, 40, None]
    assert answer["total_charges"] == [1000.0, None, None]


def test_late_rows_are_picked_up_and_a_rerun_writes_the_same(tmp_path: Path):
    to = settings(tmp_path)
    write(to, [row(1, NOON - 3 * DAY, age=30), row(2, NOON - DAY, age=50)])
    materialize.run(to, until=NOON)
    # Known only after the first load: a row older than what it read last, a correction of one already
    # stored, and a row that is older than the stored one and must not replace it.
    late = NOON + timedelta(hours=1)
    write(
        to,
        [
            row(1, NOON - 2 * DAY, created=late, age=31),
            row(2, NOON - DAY, created=late, age=51),
            row(2, NOON - 2 * DAY, created=late, age=49),
        ],
        part="part-late",
    )
    materialize.run(to, until=NOON)
    assert FeatureStore(to).online("churn", [{"customer_id": 1}, {"customer_id": 2}])["age"] == [30, 50]
    for until in (late, late, NOON - DAY):
        materialize.run(to, until=until)
        assert FeatureStore(to).online("churn", [{"customer_id": 1}, {"customer_id": 2}])["age"] == [31, 51]


def test_a_row_later_than_the_look_back_is_not_read_again(tmp_path: Path):
    to = settings(tmp_path)
    write(to, [row(1, NOON - 20 * DAY, age=30)])
    materialize.run(to, until=NOON)
    write(to, [row(1, NOON - 15 * DAY, created=NOON + DAY, age=31)], part="part-late")
    materialize.run(to, until=NOON + DAY)
    assert FeatureStore(to).online("churn", [{"customer_id": 1}])["age"] == [30]
    materialize.run(to, until=NOON + DAY, look_back=20 * DAY)
    assert FeatureStore(to).online("churn", [{"customer_id": 1}])["age"] == [31]


def test_a_new_feature_of_a_view_is_loaded_for_every_key(tmp_path: Path):
    repository = own_repository(tmp_path / "repository")
    views = repository / "views.py"
    views.write_text(views.read_text().replace('        Field(name="age", dtype=Int64),\n', ""))
    to = replace(settings(tmp_path / "data"), feature_repo=repository)
    write(to, [row(1, NOON - 20 * DAY)])
    materialize.run(to, until=NOON)
    assert "age" not in FeatureStore(to).online("churn", [{"customer_id": 1}])
    views.write_text((REPOSITORY / "views.py").read_text())
    materialize.run(to, until=NOON + DAY)
    assert FeatureStore(to).online("churn", [{"customer_id": 1}])["age"] == [40]


def test_the_platform_leaves_features_alone_that_a_team_declared(tmp_path: Path):
    # Given a team whose own repository has a feature less in one view, and a view more
    repository = own_repository(tmp_path / "repository")
    views = repository / "views.py"
    fewer = views.read_text().replace('        Field(name="age", dtype=Int64),\n', "")
    schema = '[KEY, Field(name="age", dtype=Int64)]'
    more = f'FeatureView(name="of_the_team", entities=[customer], source=customers, schema={schema})'
    views.write_text(f"{fewer}\nof_the_team = {more}\n")
    team = replace(settings(tmp_path / "data"), feature_repo=repository)
    write(team, [row(1, NOON)])
    loaded = {each.view for each in materialize.run(team, until=NOON).views}
    assert "of_the_team" in loaded
    # When the platform registers and loads, which knows its own repository only
    platform = replace(team, feature_repo=REPOSITORY)
    result = materialize.run(platform, until=NOON + DAY, missing_only=True)
    # Then it loads what the team declared, as the team declared it
    assert {each.view for each in result.views} == loaded
    assert "age" not in FeatureStore(team).online("churn", [{"customer_id": 1}])


def test_the_platform_registers_what_nobody_declared_yet(tmp_path: Path):
    to = settings(tmp_path)
    write(to, [row(1, NOON)])
    materialize.run(to, until=NOON, missing_only=True)
    assert FeatureStore(to).online("churn", [{"customer_id": 1}])["age"] == [40]


def test_the_verb_says_what_it_wrote(tmp_path: Path, capsys, monkeypatch):
    to = settings(tmp_path)
    write(to, [row(1, NOON)])
    monkeypatch.setenv("SERINUS_DATA", str(tmp_path))
    monkeypatch.setenv("SERINUS_FEATURE_REPO", str(REPOSITORY))
    materialize.command(until=NOON.replace(tzinfo=None))
    lines = capsys.readouterr().out.splitlines()
    assert "customer_profile: 1 keys, events 2026-04-20 12:00 to 2026-05-20 12:00 UTC" in lines
    with pytest.raises(JobError, match="must not be negative"):
        materialize.run(to, look_back=-DAY)


def test_nothing_ingested_is_named(tmp_path: Path):
    with pytest.raises(JobError, match=r"cannot read .*events/customers"):
        materialize.run(settings(tmp_path), until=NOON)
