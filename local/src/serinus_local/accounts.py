"""What was promised, counted: answers against the log, and decisions against their replay."""

from pathlib import Path

import pyarrow.parquet as pq

from serinus_jobs.settings import Settings
from serinus_local.load import USERS, Outcome
from serinus_operator.rollout.record import RecordError, parse_record, replay


def logged_ids(settings: Settings, model: str) -> list[str]:
    """Return the prediction id of every row of the collected log."""
    ids: list[str] = []
    for path in sorted(settings.prediction_log(model).glob("day=*/revision=*/*.parquet")):
        ids += pq.ParquetFile(path).read(columns=["prediction_id"]).column("prediction_id").to_pylist()
    return ids


def account(outcomes: list[Outcome], ids: list[str]) -> tuple[int, int, int]:
    """Compare what users were answered with what was logged about users.

    Return (answers without a log row, log rows without an answer, rows logged twice).
    """
    answered = {each.prediction_id for each in outcomes if each.status == 200}
    users = [each for each in ids if each.startswith(f"{USERS}-")]
    return len(answered - set(users)), len(set(users) - answered), len(users) - len(set(users))


def replayed(records: Path) -> tuple[int, int, str]:
    """Judge every recorded decision again. Return (records, how many differ, the first fault)."""
    count = differing = 0
    fault = ""
    with records.open() as lines:
        for number, line in enumerate(lines, start=1):
            count += 1
            try:
                record = parse_record(line, f"{records.name} line {number}")
                same = replay(record) == record.verdict
            except RecordError as error:
                same, fault = False, fault or str(error)
            differing += not same
    return count, differing, fault
