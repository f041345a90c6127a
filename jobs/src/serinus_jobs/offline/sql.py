"""The SQL of the offline reads: text from plain values, nothing is executed here.

Times are compared as integer nanoseconds since the epoch, in UTC, so that sources of any unit and
label rows of any unit meet without rounding a value into the past.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from serinus_jobs.errors import JobError

LABELS = "serinus_labels"
ROW, AT = "serinus_row", "serinus_at"
# DuckDB's names of the types of a stored time, and the type of a literal to compare it with.
_TIMES = {
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ",
    "TIMESTAMPTZ_NS": "TIMESTAMPTZ_NS",
    "TIMESTAMP": "TIMESTAMP",
    "TIMESTAMP_NS": "TIMESTAMP_NS",
    "DATE": "TIMESTAMP",
}


@dataclass(frozen=True)
class Source:
    """The files of one feature view and the columns that give its keys and times.

    `types` maps each column of the files to DuckDB's name of its type.
    """

    view: str
    path: str
    time: str
    created: str | None
    types: Mapping[str, str]

    def nanoseconds(self, column: str) -> str:
        """Return the SQL expression of a time column in nanoseconds."""
        self._literal_type(column)
        return f"epoch_ns({quoted(column)})"

    def column_type(self, column: str) -> str:
        """Return the type of a column. Raises JobError when the files do not have it."""
        if column not in self.types:
            raise JobError(
                f"feature view {self.view}: no column {column!r} in {self.path}; there are "
                + ", ".join(sorted(self.types))
            )
        return self.types[column]

    def within(self, start: datetime | None, end: datetime | None) -> str:
        """Return the condition that an event lies in [start, end], in the column's own type, so that
        whole files and row groups outside are skipped."""
        kind = self._literal_type(self.time)
        bounds = []
        for sign, bound in ((">=", start), ("<=", end)):
            if bound is not None:
                moment = bound.astimezone(UTC)
                text = (moment if "TZ" in kind else moment.replace(tzinfo=None)).isoformat(" ")
                bounds.append(f"{quoted(self.time)} {sign} {literal(text)}::{kind}")
        return " AND ".join(bounds) or "TRUE"

    def _literal_type(self, column: str) -> str:
        kind = _TIMES.get(self.column_type(column))
        if kind is None:
            raise JobError(
                f"feature view {self.view}: column {column!r} is {self.types[column]}, not a timestamp"
            )
        return kind


@dataclass(frozen=True)
class ViewRead:
    """What one view contributes to a training set.

    `keys` pairs each key column of the source with the label column it meets, `features` each feature
    column with its name in the answer. `ttl` None: a value never grows too old.
    """

    source: Source
    keys: tuple[tuple[str, str], ...]
    features: tuple[tuple[str, str], ...]
    ttl: timedelta | None


def point_in_time(
    read: ViewRead, start: datetime, end: datetime, *, as_known: bool, labels: str = LABELS
) -> str:
    """Return the SELECT that gives the view's features for each row of `labels`, in the labels' order.

    `labels` has the label key columns, ROW (a running number) and AT (nanoseconds); all its times lie
    in [start, end].

    A value is used when its event is not after the label and not older than ttl: event <= at <= event
    + ttl, both ends included, as in Feast. With `as_known` it must have been created by then too. The
    newest event wins, of equal events the one created last.

    One inequality is all that an ASOF JOIN takes. So each row gets the moment from which it counts, its
    `known` time: the later of event and creation. A row that comes to be known after one with a newer
    event is never anyone's answer and is dropped; those left grow in both, and the last row known by
    the label's time is the answer. The ttl is checked on the answer alone: had the newest event
    expired, so had all older ones.
    """
    source = read.source
    event = source.nanoseconds(source.time)
    created = source.nanoseconds(source.created) if source.created else None
    keys = [f"k{i}" for i in range(len(read.keys))]
    key_columns = [
        f"{quoted(column)} AS k{i}" for i, (column, _) in enumerate(read.keys) if source.column_type(column)
    ]
    feature_columns = [
        f"{quoted(column)} AS f{i}"
        for i, (column, _) in enumerate(read.features)
        if source.column_type(column)
    ]
    known = f"greatest({event}, {created})" if created and as_known else event
    conditions = [source.within(start - read.ttl if read.ttl else None, end)]
    if created and as_known:
        # Unknown creation proves nothing about what was known when.
        conditions.append(f"{quoted(source.created or '')} IS NOT NULL")
    if read.keys:
        theirs = ", ".join(quoted(column) for column, _ in read.keys)
        ours = ", ".join(quoted(label) for _, label in read.keys)
        conditions.append(f"({theirs}) IN (SELECT ({ours}) FROM {labels})")  # noqa: S608  quoted
    partition = f"PARTITION BY {', '.join(keys)} " if keys else ""
    meets = [f"l.{quoted(label)} = h.k{i}" for i, (_, label) in enumerate(read.keys)]
    fresh = f"l.{AT} <= h.event + {_nanoseconds(read.ttl)}" if read.ttl else None
    answer = [
        f"CASE WHEN {fresh} THEN h.f{i} END AS {quoted(name)}" if fresh else f"h.f{i} AS {quoted(name)}"
        for i, (_, name) in enumerate(read.features)
    ]
    return f"""
WITH history AS (
  SELECT {", ".join([*key_columns, *feature_columns])},
         {event} AS event, {known} AS known, {created or "0"} AS created
  FROM {files(source.path)}
  WHERE {" AND ".join(conditions)}
), usable AS (
  SELECT * FROM history
  WINDOW moments AS ({partition}ORDER BY known, event, created NULLS FIRST)
  QUALIFY max(event) OVER moments = event AND lead(known) OVER moments IS DISTINCT FROM known
)
SELECT {", ".join(answer)}
FROM {labels} l ASOF LEFT JOIN usable h ON {" AND ".join([*meets, f"l.{AT} >= h.known"])}
ORDER BY l.{ROW}"""  # noqa: S608  every name is quoted


def latest(
    source: Source,
    keys: Sequence[str],
    features: Sequence[str],
    start: datetime,
    end: datetime,
    *,
    as_known: bool,
) -> str:
    """Return the SELECT of each key's newest row with its event in [start, end]; of equal events the
    one created last. With `as_known` rows created after `end` do not count: so the online store holds
    what a label at `end` would see."""
    columns = _columns(source, keys, features)
    conditions = [source.within(start, end), *(f"{quoted(key)} IS NOT NULL" for key in keys)]
    order = [f"{quoted(source.time)} DESC"]
    if source.created:
        order.append(f"{quoted(source.created)} DESC NULLS LAST")
        if as_known:
            conditions.append(f"{source.nanoseconds(source.created)} <= {_epoch_nanoseconds(end)}")
    return f"""
SELECT {", ".join(columns)} FROM {files(source.path)}
WHERE {" AND ".join(conditions)}
QUALIFY row_number() OVER (PARTITION BY {", ".join(map(quoted, keys))} ORDER BY {", ".join(order)}) = 1"""  # noqa: S608  every name is quoted


def everything(
    source: Source,
    keys: Sequence[str],
    features: Sequence[str],
    start: datetime | None,
    end: datetime | None,
) -> str:
    """Return the SELECT of all rows with their event in [start, end]."""
    columns = ", ".join(_columns(source, keys, features))
    return f"SELECT {columns} FROM {files(source.path)} WHERE {source.within(start, end)}"  # noqa: S608  quoted


def files(path: str) -> str:
    """Return the table expression of a Parquet file, folder or glob. Files of other schemas (a column
    came later) are read by name."""
    return f"read_parquet({literal(path)}, union_by_name = true, hive_partitioning = false)"


def quoted(name: str) -> str:
    """Return an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def _columns(source: Source, keys: Sequence[str], features: Sequence[str]) -> list[str]:
    wanted = [*keys, *features, source.time, *([source.created] if source.created else [])]
    return [quoted(column) for column in dict.fromkeys(wanted) if source.column_type(column)]


def _nanoseconds(span: timedelta) -> int:
    return ((span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds) * 1000


def _epoch_nanoseconds(moment: datetime) -> int:
    return _nanoseconds(moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC))
