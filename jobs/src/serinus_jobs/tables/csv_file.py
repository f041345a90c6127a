"""CSV files: UTF-8 with a header, comma-separated, quoted as in RFC 4180; an empty field is null.

Read with the standard library's reader because it alone gives each bad row back as it stands; the
faster readers stop at the first, or mend it silently.
"""

import csv
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from serinus_jobs.errors import JobError
from serinus_jobs.tables.source import CHUNK_ROWS, Chunk, check_columns, temporary_beside


class CsvSource:
    """One CSV file as a Source. Cells are text or None."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)

    def columns(self) -> tuple[str, ...]:
        """Return the header."""
        with _Rows(self.path) as rows:
            return self._header(rows)

    def chunks(self, rows: int = CHUNK_ROWS) -> Iterator[Chunk]:
        """Yield rows as text. A row with a wrong number of fields is `broken`."""
        with _Rows(self.path) as lines:
            names = self._header(lines)
            first = 1
            pending: list[list[str]] = []
            for line in lines:
                pending.append(line)
                if len(pending) == rows:
                    yield _chunk(names, first, pending)
                    first += len(pending)
                    pending = []
            if pending:
                yield _chunk(names, first, pending)

    def fingerprint(self) -> str:
        """Return the SHA-256 of the file's bytes."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _header(self, rows: Iterator[list[str]]) -> tuple[str, ...]:
        names = tuple(next(rows, []))
        check_columns(names, self.name)
        return names


class _Rows:
    """The lines of a CSV file as lists of fields; every fault is a JobError that names its place."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = path.open(encoding="utf-8-sig", newline="")
        except OSError as error:
            raise JobError(f"{path}: cannot be read: {error.strerror}") from None
        self._reader = csv.reader(self._file, strict=True)

    def __enter__(self) -> "_Rows":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[list[str]]:
        return self

    def __next__(self) -> list[str]:
        try:
            line = next(self._reader)
            while not line:  # blank lines, such as one at the end, are no rows
                line = next(self._reader)
        except UnicodeDecodeError as error:
            raise JobError(
                f"{self._path}: not UTF-8 after line {self._reader.line_num} ({error.reason}); "
                "save it as UTF-8"
            ) from None
        except csv.Error as error:
            raise JobError(f"{self._path}: line {self._reader.line_num}: {error}") from None
        return line


def _chunk(names: tuple[str, ...], first: int, lines: list[list[str]]) -> Chunk:
    width = len(names)
    broken: dict[int, str] = {}
    for position, line in enumerate(lines):
        if len(line) != width:
            broken[position] = f"has {len(line)} fields, the header has {width}"
            # What was there stays in the row: surplus fields are joined to the last one.
            kept = [*line[: width - 1], ",".join(line[width - 1 :])] if len(line) > width else line
            lines[position] = kept + [""] * (width - len(kept))
    frame = pd.DataFrame(lines, columns=list(names), dtype=object)
    return Chunk(first, frame.where(frame != "", None), broken)


class CsvSink:
    """Writes a CSV file beside its place and renames it there on `publish`."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        self._temporary = temporary_beside(path)
        self._file = self._temporary.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._header: Sequence[str] | None = None

    def write(self, frame: pd.DataFrame) -> None:
        """Append rows. Nulls become empty fields, doubles their shortest exact text."""
        if self._header is None:
            self._header = list(frame.columns)
            self._writer.writerow(self._header)
        columns = [frame[name].astype(object).where(frame[name].notna(), None) for name in frame]
        self._writer.writerows(zip(*columns, strict=True))

    def publish(self) -> None:
        """Make the file appear under its name, complete."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._temporary.replace(self._path)

    def discard(self) -> None:
        """Remove what was written. Safe after `publish`."""
        self._file.close()
        self._temporary.unlink(missing_ok=True)
